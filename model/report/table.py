"""The tables of an evaluation, in the papers' layout, and table.md."""

from __future__ import annotations

import math
from dataclasses import replace

import pandas as pd

from model import metrics, scores
from model.report.calibrated import calibrated_grids
from model.report.facts import listed, recipe
from model.report.findings import Findings
from model.report.grid import (
    DASH,
    DIGITS,
    HEADINGS,
    Grid,
    cell,
    escape,
    heading,
    markdown,
    mean_of,
    number,
    signed,
    title_of,
)
from model.report.published import NAMES, published_grid
from model.scores import Interval

KINDS = {
    "network": "networks",
    "linear": "linear",
    "classical": "classical",
    "trees": "trees",
    "reference": "references, not ranked",
}
"""Headings inside a table, by kind of system, in order."""

MONITOR = ("kl", "chebyshev", "skill", "stress_auc", "order", "coverage", "radius", "under_80")
"""Columns of the table of what a monitor needs."""

RANKED = (
    "In brackets the rank among the systems that learn from sensors, ties sharing the smaller. "
    "References stand below without one, so that what sees the answer or the clock moves no rank."
)

COVERAGE = (
    "Coverage and radius: conformal set at 90 % in total variation, its radius from the same "
    "system's predictions of other people (of one person alone: of the other folds), by trial."
)


def table_of(found: Findings) -> str:
    """Return table.md: the facts, then every table."""
    title = f"# {escape(found.table.dataset)}, protocol {found.plan.protocol}"
    if found.ablation:
        title += f": {escape(found.ablation.title)}"
    lines = [title, "", *(f"- {escape(sentence)}" for sentence in found.sentences), ""]
    for grid in grids(found):
        lines += markdown(grid)
    systems = "; ".join(f"{model}: {about}" for model, about in found.facts["systems"].items())
    return "\n".join([*lines, f"Systems: {escape(systems)}."]) + "\n"


BRIEF = ("metrics", "monitor", "calibration", "ablation")
"""Parts of table.md that a terminal shows."""


def brief_of(found: Findings) -> str:
    """Return what a terminal shows: the protocol, and our own tables without pairs."""
    lines = [f"# {escape(found.table.dataset)}, protocol {found.plan.protocol}", ""]
    lines += [escape(found.sentences[0]), ""]
    for grid in grids(found):
        lines += markdown(grid) if grid.part in BRIEF else []
    return "\n".join(lines) + "\n"


def grids(found: Findings) -> tuple[Grid, ...]:
    """Return every table of an evaluation, in the order in which to read them."""
    if found.ablation:
        made = [variants_grid(found), *differences(found)]
    elif found.calibrated:
        made = [*calibrated_grids(found), *paired_grids(found)]
    else:
        made = [metrics_grid(found), monitor_grid(found), *paired_grids(found)]
    return (*made, *printed_grids(found))


def metrics_grid(found: Findings) -> Grid:
    """Return the papers' table: the six metrics with ranks, and the average rank."""
    rows = []
    for label, values in found.summary.items():
        cells = [number(mean_of(values[name])) for name in metrics.METRICS]
        own = found.ranks.get(label)
        if own:
            ranks = [own[name] for name in metrics.METRICS]
            cells = [f"{text} ({rank:.0f})" for text, rank in zip(cells, ranks, strict=True)]
        cells.append(f"{own['average']:.2f} ({own['place']:.0f})" if own else DASH)
        rows.append((label, (title_of(label, found.plan), *cells)))
    return Grid(
        part="metrics",
        title="The six metrics",
        header=("system", *(heading(name) for name in metrics.METRICS), "average rank ↓"),
        rows=_by_kind(found, rows),
        about=RANKED,
    )


def variants_grid(found: Findings) -> Grid:
    """Return the six metrics of each variant of an ablation, with intervals."""
    return Grid(
        part="metrics",
        title="The six metrics",
        header=("variant", *(heading(name) for name in metrics.METRICS)),
        rows=tuple(
            (label, *(value_cell(found, label, name) for name in metrics.METRICS))
            for label in found.summary
        ),
    )


def monitor_grid(found: Findings) -> Grid:
    """Return what the user of a monitor needs to know of each system, with intervals."""
    columns = [name for name in MONITOR if _present(found, name)]
    seconds = found.rows.groupby("model", sort=False)["seconds"].mean()
    rows = [
        (
            label,
            (
                title_of(label, found.plan),
                *(value_cell(found, label, name) for name in columns),
                number(float(seconds[scores.model_of(label)]), 1),
            ),
        )
        for label in found.summary
    ]
    notes = ["KL skill: 1 - KL / KL of the training mean under the same protocol."]
    if "coverage" in columns:
        notes.append(COVERAGE)
    return Grid(
        part="monitor",
        title="What a monitor needs",
        header=("system", *(heading(name) for name in columns), HEADINGS["seconds"]),
        rows=_by_kind(found, rows),
        notes=tuple(notes),
    )


def value_cell(found: Findings, label: str, name: str) -> str:
    """Return a value with its interval over people, or with its range over seeds in braces."""
    value = found.summary[label][name]
    text = cell(name, value)
    if not isinstance(value, Interval) or not math.isnan(value.low):
        return text
    seeds = found.rows[found.rows["model"] == scores.model_of(label)].groupby("seed")[name].mean()
    return text + _braces(seeds, f".{DIGITS.get(name, 3)}f")


def paired_grids(found: Findings) -> list[Grid]:
    """Return the paired differences, if there are any."""
    if not found.pairs:
        return []
    rows = tuple(
        (f"{first} - {second}", HEADINGS[name], _difference(found, first, second, name))
        for first, second, name in found.pairs
    )
    return [
        Grid(
            part="paired",
            title="Paired differences",
            header=("difference", "metric", "mean and interval"),
            rows=rows,
            about="Both systems on the same people, so that what differs between people drops out.",
        )
    ]


def differences(found: Findings) -> list[Grid]:
    """Return how each variant of an ablation differs from the complete model."""
    complete, *others = found.plan.models
    if not set(found.summary) - {complete}:
        return []
    rows = []
    for one in others:
        if one not in found.summary:
            continue
        cells = []
        for name in metrics.METRICS:
            known = (one, complete, name) in found.pairs
            cells.append(_difference(found, one, complete, name) if known else DASH)
        rows.append((one, *cells))
    return [
        Grid(
            part="ablation",
            title=f"Difference to the complete model, {complete}",
            header=("variant", *(heading(name) for name in metrics.METRICS)),
            rows=tuple(rows),
            about="Variant minus complete model, paired: above 0 the variant is worse in the four "
            "distances, below 0 in the two similarities." + _complete(found),
        )
    ]


def _complete(found: Findings) -> str:
    """Return which values the complete model has of what the ablation changes."""
    settings = recipe(found.plan).to_dict()
    names = found.ablation.settings if found.ablation else ()
    return f" Complete: {listed({name: settings[name] for name in names})}." if names else ""


def printed_grids(found: Findings) -> list[Grid]:
    """Return what the papers printed for the same protocol and kind of data."""
    count = found.facts["subjects"]
    ours = f"{count} {'person' if count == 1 else 'people'} of {found.table.dataset}"
    if found.table.dataset == "wesad-wrist":
        ours += ", by the sensors of the wrist; printed are those of the chest"
    made = [published_grid(table, ours) for table in found.published]
    if made and found.plan.protocol == "paper-sd":
        note = f"{NAMES[found.published[0].data]} in both papers is split by windows too."
        made[0] = replace(made[0], about=f"{made[0].about} {note}")
    return made


def _difference(found: Findings, first: str, second: str, name: str) -> str:
    """Return a paired difference with its interval over people, or its range over seeds."""
    pair = found.pairs[first, second, name]
    text = signed(name, pair)
    if not math.isnan(pair.low):
        return text
    keys = ("model", "k", "adaptation")
    labels = [scores.label(*kind) for kind in zip(*(found.rows[key] for key in keys), strict=True)]
    seeds = found.rows.groupby([labels, "seed"])[name].mean()
    apart = (seeds[first] - seeds[second]).dropna()
    return text + (_braces(apart, f"+.{DIGITS.get(name, 3)}f") if len(apart) else "")


def _braces(seeds: pd.Series[float], form: str) -> str:
    """Return the smallest and the largest value of a seed; nothing where they are one."""
    low, high = format(seeds.min(), form), format(seeds.max(), form)
    return "" if low == high else f" {{{low}, {high}}}"


def _by_kind(
    found: Findings, rows: list[tuple[str, tuple[str, ...]]]
) -> tuple[tuple[str, ...], ...]:
    """Put a heading above each kind of system; inside a kind the plan's order stays."""
    kinds = {label: found.plan.entry(scores.model_of(label)).kind for label, _ in rows}
    arranged: list[tuple[str, ...]] = []
    for kind, title in KINDS.items():
        own = [row for label, row in rows if kinds[label] == kind]
        arranged += [(title,), *own] if own else []
    return tuple(arranged)


def _present(found: Findings, name: str) -> bool:
    return any(not math.isnan(mean_of(values[name])) for values in found.summary.values())
