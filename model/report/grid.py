"""Tables as plain text cells, which Markdown and the HTML page show alike."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

from model import metrics, scores
from model.plan import Plan
from model.protocols import protocol
from model.scores import Interval

HEADINGS = {
    "chebyshev": "Chebyshev",
    "clark": "Clark",
    "canberra": "Canberra",
    "kl": "KL",
    "cosine": "cosine",
    "intersection": "intersection",
    "stress_auc": "stress AUC",
    "skill": "KL skill",
    "order": "order",
    "coverage": "coverage",
    "radius": "radius",
    "under_80": "people under 80 %",
    "seconds": "seconds a fit",
}
"""What a column of results is called in a table."""

ARROWS = {
    **{name: "↑" if name in metrics.LARGER_IS_BETTER else "↓" for name in metrics.METRICS},
    **dict.fromkeys(("stress_auc", "skill", "order"), "↑"),
    **dict.fromkeys(("radius", "under_80"), "↓"),
}
"""Which way is better; coverage is meant to be at its level, and has none."""

DIGITS = dict.fromkeys(metrics.METRICS, 4)
"""Decimals of a column where they are not three."""

DASH = "-"
"""Cell without a value."""

Part = Literal[
    "metrics", "monitor", "calibration", "ablation", "paired", "published", "failures", "page"
]


@dataclass(frozen=True)
class Grid:
    """A table of plain text.

    Attributes
    ----------
    part : str
        What it belongs to, for a page that puts figures beside it.
    title : str
    header : tuple of str
        Names of the columns; the first names the rows.
    rows : tuple of tuple of str
        Its first cell names a row; a row of one cell is a heading inside the table.
    about : str
        What must be read before it.
    notes : tuple of str
        Sentences that stand below it.
    """

    part: Part
    title: str
    header: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    about: str = ""
    notes: tuple[str, ...] = ()


def markdown(grid: Grid) -> list[str]:
    """Return the lines of a table in Markdown, with its title, and what stands around it."""
    lines = [f"## {escape(grid.title)}", ""]
    if grid.about:
        lines += [escape(grid.about), ""]
    lines += [_line(grid.header), "|---" * len(grid.header) + "|"]
    for row in grid.rows:
        if len(row) == 1:
            lines.append(f"| **{escape(row[0])}** |" + " |" * (len(grid.header) - 1))
        else:
            lines.append(_line(row))
    lines.append("")
    if grid.notes:
        lines += [*(f"- {escape(note)}" for note in grid.notes), ""]
    return lines


def escape(text: str) -> str:
    """Return text that Markdown shows as it is: names come from data, and may hold anything."""
    shown = " ".join(text.split())
    for mark in ("\\", "`", "*", "|", "<", ">"):
        shown = shown.replace(mark, "\\" + mark)
    return shown.replace("](", "]\\(")


def _line(cells: tuple[str, ...]) -> str:
    return "| " + " | ".join(escape(cell) for cell in cells) + " |"


def heading(name: str) -> str:
    """Return what a column is called, with the arrow that says which way is better."""
    arrow = ARROWS.get(name)
    return f"{HEADINGS[name]} {arrow}" if arrow else HEADINGS[name]


def title_of(label: str, plan: Plan) -> str:
    """Return the name of a row of the summary; a reference that saw the answer is called so."""
    model = scores.model_of(label)
    if model in plan.variants or protocol(plan.protocol).trains_on_tested_people:
        return label
    return f"{label} (oracle)" if plan.entry(model).looks_at == "person" else label


def cell(name: str, value: Interval | float) -> str:
    """Return a value of the column `name`, with its interval where there is one."""
    digits = DIGITS.get(name, 3)
    if not isinstance(value, Interval):
        return number(value, 2 if name == "under_80" else digits)
    if math.isnan(value.low) or math.isnan(value.mean):
        return number(value.mean, digits)
    low, high = number(value.low, digits), number(value.high, digits)
    return f"{number(value.mean, digits)} [{low}, {high}]"


def signed(name: str, value: Interval) -> str:
    """Return a difference of the column `name`, with its interval where there is one."""
    digits = DIGITS.get(name, 3)
    if math.isnan(value.mean):
        return DASH
    text = f"{value.mean:+.{digits}f}"
    if math.isnan(value.low):
        return text
    return f"{text} [{value.low:+.{digits}f}, {value.high:+.{digits}f}]"


def mean_of(value: Interval | float) -> float:
    """Return a value of the summary without its interval."""
    return value.mean if isinstance(value, Interval) else value


def number(value: float, digits: int = 4) -> str:
    """Return a number with so many decimals; a dash where it is unknown."""
    return DASH if math.isnan(value) else f"{value:.{digits}f}"
