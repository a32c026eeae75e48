"""Sections that compare the systems: intervals, calibration, settings, cost, failures."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from typing import Any

from model.report import figures
from model.report.choice import (
    by_kl,
    handful,
    settings_of,
    uncalibrated,
    uncalibrated_labels,
)
from model.report.figures import Whisker
from model.report.findings import Findings
from model.report.grid import Grid, mean_of, number, title_of
from model.report.layout import Picture, Section
from model.report.table import grids
from model.scores import Interval, label, model_of

PRIORS = ("train-mean", "place")
"""References that calibration makes strong: a model earns its place by what it adds to them."""

PANELS = 3
"""Systems whose people are drawn before and after."""


def systems_at_a_glance(found: Findings) -> Section:
    """Draw KL and stress AUC of every system with intervals, before any calibration."""
    labels = sorted(
        uncalibrated_labels(found), key=lambda label: mean_of(found.summary[label]["kl"])
    )
    names = [title_of(label, found.plan) for label in labels]
    references = frozenset(
        name
        for label, name in zip(labels, names, strict=True)
        if not found.plan.entry(model_of(label)).learns_from_sensors
    )
    kl = _whiskers(found, labels, "kl")
    panels = {"KL (nats, smaller is better)": kl}
    text = [
        "Means over people with the 95 % interval from resampling people, the smallest KL first. "
        "References are hollow and grey."
    ]
    stress = _whiskers(found, labels, "stress_auc")
    if any(math.isfinite(one[0]) for one in stress):
        panels["stress AUC (larger is better)"] = stress
    else:
        text.append("No condition of this data was meant to stress, so there is no stress AUC.")
    if all(math.isnan(one[1]) for one in kl):
        text.append("Only one person was tested, so there are no intervals over people.")
    alt = (
        f"A dot for each of {len(names)} systems. Smallest KL: {names[0]}, {number(kl[0][0], 4)}; "
        f"largest: {names[-1]}, {number(kl[-1][0], 4)}."
    )
    picture = Picture(figures.intervals(names, panels, references), alt)
    return Section("intervals", "Systems with their intervals", tuple(text), (picture,))


def calibration(found: Findings) -> list[Section]:
    """Show KL against rated trials given, and each person before and after; none without k."""
    rows = found.rows
    given = sorted({int(k) for k in rows["k"] if k > 0})
    if not given:
        return []
    steps = sorted({int(k) for k in rows["k"]})
    models = list(dict.fromkeys([*handful(found), *(m for m in PRIORS if m in by_kl(found))]))
    adaptations = [name for name in dict.fromkeys(rows["adaptation"]) if name not in ("", "none")]
    lines = {}
    for adaptation in adaptations:
        for model in models:
            labels = [label(model, k, adaptation if k else "") for k in steps]
            if any(one in found.summary for one in labels[-len(given) :]):
                lines[f"{model}, {adaptation}"] = _whiskers(found, labels, "kl")
    title = "Calibration to the person"
    if not lines:
        return [Section("calibration", title, ("No system was adapted to the tested person.",))]
    text = (
        "KL of the trials that were not given, against the number of rated trials of the person "
        "that were; means over people with the 95 % interval from resampling people. Another k "
        "leaves other trials to be tested: whether calibration helps is told by the next figure, "
        "on the same windows.",
    )
    alt = "; ".join(
        f"{name}: "
        + ", ".join(f"k = {k} {number(w[0], 4)}" for k, w in zip(steps, one, strict=True))
        for name, one in lines.items()
    )
    ticks = [str(k) for k in steps]
    figure = figures.against(ticks, {"KL (nats)": lines}, "rated trials given (k)")
    return [
        Section(
            "calibration",
            title,
            text,
            (Picture(figure, f"KL at k = {', '.join(ticks)}. {alt}."),),
        ),
        _before_after(found, models, adaptations[0], given[-1]),
    ]


def _before_after(found: Findings, models: Sequence[str], adaptation: str, k: int) -> Section:
    title = f"Each person before and after {k} rated trials"
    rows = found.rows[found.rows["k"] == k]
    panels, table = {}, []
    for model in models:
        own = rows[rows["model"] == model]
        kl = own.pivot_table(index="person", columns="adaptation", values="kl", sort=False)
        if not {"none", adaptation} <= set(kl.columns):
            continue
        # Where one of the two failed there is nothing to compare.
        kl = kl.dropna(subset=["none", adaptation])
        if kl.empty:
            continue
        before, after = kl["none"].to_numpy(), kl[adaptation].to_numpy()
        panels[model] = (before, after)
        table.append(
            (
                *(model, f"{before.mean():.4f}", f"{after.mean():.4f}"),
                f"{int((after > before).sum())} of {len(after)}",
            )
        )
    if not panels:
        return Section("people", title, (f"No system was adapted by {adaptation} at this k.",))
    text = (
        f"KL of the same windows by the same system, as it was and after {adaptation}; a point a "
        f"person. The figure shows the first {PANELS} systems of the table.",
    )
    drawn = dict(list(panels.items())[:PANELS])
    alt = "; ".join(f"{model}: {worse} people got worse" for model, _, _, worse in table)
    header = ("system", "mean KL before", "mean KL after", "people made worse")
    return Section(
        "people",
        title,
        text,
        (Picture(figures.before_after(drawn, "KL (nats)"), f"{alt}."),),
        (Grid("page", "People whom calibration helps or harms", header, tuple(table)),),
    )


def costs(found: Findings) -> Section:
    """Show how long each system takes."""
    own = uncalibrated(found).groupby("model", sort=False)["seconds"]
    median, total, count = own.median(), own.sum(), own.count()
    models = [str(model) for model in median.sort_values(kind="stable").index]
    rows = tuple(
        (model, str(count[model]), f"{median[model]:.2f}", f"{total[model]:.1f}")
        for model in models
    )
    text = (
        "Seconds to fit a fold and predict its test windows, on the machine named above; runs side "
        "by side slow each other down. A fold that was taken from an earlier run counts with the "
        "seconds that it took then.",
    )
    alt = f"Median seconds a fold: {models[0]} {rows[0][2]} to {models[-1]} {rows[-1][2]}."
    figure = figures.costs(models, [float(median[model]) for model in models])
    header = ("system", "folds", "median seconds a fold", "seconds in all")
    return Section(
        "costs", "Cost", text, (Picture(figure, alt),), (Grid("page", "Time", header, rows),)
    )


def failures(found: Findings) -> Section:
    """List what failed."""
    if not found.failures:
        return Section("failures", "Failures", ("Every fold of every system was finished.",))
    rows = tuple((one.model, one.fold, str(one.seed), one.error) for one in found.failures)
    text = (
        f"{len(rows)} folds failed and are missing from every figure and table: these systems "
        "stand beside others on fewer people. The same command, given again, tries them again.",
    )
    grid = Grid("failures", "What failed", ("system", "fold", "seed", "error"), rows)
    return Section("failures", "Failures", text, (), (grid,))


def setting_effects(found: Findings) -> list[Section]:
    """Draw metrics against every setting that some variants change alone; none without such."""
    base = settings_of(found)
    steps: dict[str, dict[str, Any]] = {}
    for name, variant in found.plan.variants.items():
        changes = dict(variant.changes)
        if "prototypes" in changes:
            changes.pop("slots", None)  # their number follows that of the prototypes
        if len(changes) == 1 and not variant.without:
            ((setting, value),) = changes.items()
            if isinstance(value, int | float | tuple) and name in found.summary:
                steps.setdefault(setting, {})[name] = value
    sections = []
    for setting, values in steps.items():
        if "mpcl" in found.summary and getattr(base, setting) not in values.values():
            values["mpcl"] = getattr(base, setting)
        labels = sorted(values, key=lambda label: _step(values[label]))
        ticks = [_tick(values[label]) for label in labels]
        panels = {"KL (nats)": {"mpcl": _whiskers(found, labels, "kl")}}
        stress = _whiskers(found, labels, "stress_auc")
        if any(math.isfinite(one[0]) for one in stress):
            panels["stress AUC"] = {"mpcl": stress}
        alt = f"KL against {setting}: " + ", ".join(
            f"{tick}: {number(mean_of(found.summary[label]['kl']), 4)}"
            for tick, label in zip(ticks, labels, strict=True)
        )
        rest = "all else is equal"
        if setting == "prototypes":
            rest = "the slots of the compression keep their ratio to them, all else is equal"
        text = f"The recipe's own {setting} is {_tick(getattr(base, setting))}; {rest}."
        figure = figures.against(ticks, panels, setting)
        title = f"Effect of {setting}"
        sections.append(Section(f"effect-{setting}", title, (text,), (Picture(figure, alt + "."),)))
    return sections


def parts(found: Findings, *names: str) -> tuple[Grid, ...]:
    """Return the report's tables of some parts, in their order."""
    return tuple(grid for grid in grids(found) if grid.part in names)


def _step(value: Any) -> tuple[int, Any]:
    return (len(value), value) if isinstance(value, tuple) else (0, value)


def _tick(value: Any) -> str:
    return json.dumps(list(value))[1:-1] if isinstance(value, tuple) else f"{value:g}"


def _whiskers(found: Findings, labels: Sequence[str], metric: str) -> list[Whisker]:
    unknown = Interval(math.nan, math.nan, math.nan)
    values = [
        found.summary[label][metric] if label in found.summary else unknown for label in labels
    ]
    return [
        (one.mean, one.low, one.high) if isinstance(one, Interval) else (one, math.nan, math.nan)
        for one in values
    ]
