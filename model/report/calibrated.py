"""Tables of ``calibrated-k``: what rated trials of the tested person are worth, by their number."""

from __future__ import annotations

import math

from model import scores
from model.pieces import UNADAPTED
from model.report.findings import Findings
from model.report.grid import Grid, cell, heading, mean_of, title_of

COLUMNS = ("kl", "chebyshev", "stress_auc", "coverage", "radius", "under_80")
"""What is shown by k; results.csv has everything."""

READ = (
    "Compare down a column: at each k the tested windows are those after the k given trials, so "
    "that columns differ in what is tested. A row without an adaptation makes no use of them."
)

EVERYTHING = (
    "A radius of 1 covers everything: the others have too few trials for a quantile of 90 %."
)

PLAIN = ("", UNADAPTED)
"""What the system left as it is goes by, at k = 0 and above."""


def calibrated_grids(found: Findings) -> list[Grid]:
    """Return a table a metric: systems and adaptations down, k across."""
    shots = sorted(int(k) for k in found.rows["k"].unique())
    lines = _lines(found)
    made: list[Grid] = []
    for name in COLUMNS:
        rows = [
            (title, *(cell(name, found.summary[at[k]][name]) if k in at else "-" for k in shots))
            for title, at in lines
        ]
        if any(_known(found, at, name) for _, at in lines):
            about = READ if not made else EVERYTHING if name == "radius" else ""
            made.append(_grid(f"{heading(name)} by k", about, shots, rows))
    worse = [(title, *_worse(found, at, shots)) for title, at in lines]
    worse = [row for row in worse if any(text != "-" for text in row[1:])]
    if worse:
        about = "People whose KL is higher with the adaptation than without, on the same windows."
        made.append(_grid("People made worse", about, shots, worse))
    return made


def _lines(found: Findings) -> list[tuple[str, dict[int, str]]]:
    """Return the rows of the tables: a title, and the summary's label at each k.

    At k = 0 nothing is adapted, and all rows of a system are the same one.
    """
    keys = found.rows[["model", "k", "adaptation"]].drop_duplicates()
    lines: dict[tuple[str, str], dict[int, str]] = {}
    for model in keys["model"].unique():
        own = keys[keys["model"] == model]
        names = [name for name in own["adaptation"].unique() if name not in PLAIN]
        for adaptation in ("", *names):
            at = {}
            for k, name in zip(own["k"], own["adaptation"], strict=True):
                if k == 0 or name == adaptation or (not adaptation and name in PLAIN):
                    at[int(k)] = scores.label(model, int(k), name)
            lines[model, adaptation] = at
    return [
        (f"{title_of(model, found.plan)}{', ' + name if name else ''}", at)
        for (model, name), at in lines.items()
    ]


def _worse(found: Findings, at: dict[int, str], shots: list[int]) -> list[str]:
    texts = []
    for k in shots:
        count = mean_of(found.summary[at[k]]["worse_than_none"]) if k in at else math.nan
        if math.isnan(count):
            texts.append("-")
            continue
        own = found.rows[(found.rows["model"] == scores.model_of(at[k])) & (found.rows["k"] == k)]
        sides = [set(part["person"]) for _, part in own.groupby(own["adaptation"].isin(PLAIN))]
        texts.append(f"{count:.0f} of {len(set.intersection(*sides))}")
    return texts


def _known(found: Findings, at: dict[int, str], name: str) -> bool:
    return any(not math.isnan(mean_of(found.summary[label][name])) for label in at.values())


def _grid(title: str, about: str, shots: list[int], rows: list[tuple[str, ...]]) -> Grid:
    return Grid(
        part="calibration",
        title=title,
        header=("system and adaptation", *(f"k = {k}" for k in shots)),
        rows=tuple(rows),
        about=about,
    )
