"""What must stand beside every table: the data, the split, the recipes, the machine."""

from __future__ import annotations

import dataclasses
import os
import platform
from collections.abc import Mapping, Sequence
from importlib import metadata
from pathlib import Path
from typing import Any

import pandas as pd

from model import scores
from model.datasets.table import Table
from model.plan import Plan, notes
from model.protocols import protocol
from model.settings import MpclSettings, Variant
from model.systems import preset as find_preset
from model.task import Failure

SOFTWARE = ("affectstream", "numpy", "scipy", "scikit-learn", "torch")
"""Distributions whose versions a table depends on."""

LIBRARY = "python-ldl"
"""The one that brings the classical systems."""


def gather_facts(
    table: Table,
    plan: Plan,
    rows: pd.DataFrame,
    also: Sequence[Table],
    failures: Sequence[Failure],
    command: str,
) -> dict[str, Any]:
    """Return what was done as plain values; parameters as in `model.report.report`."""
    people = sorted(set(rows["person"]))
    known = [name for name in people if name in table.stretches]
    stated = [name for name in known if table.stretches[name] is not None]
    rated = table.rated
    return {
        "dataset": table.dataset,
        "protocol": plan.protocol,
        "about": protocol(plan.protocol).about,
        "subjects": len(people),
        "trials": table.trial_count,
        "windows": int(rated.sum()),
        "baseline_windows": int(table.is_baseline.sum()),
        "left_out": list(table.left_out),
        "seeds": list(plan.seeds),
        "rig": table.rig,
        "features": {name: len(entries) for name, entries in table.names.items()},
        "feature_sets": dict(table.versions),
        "modalities": list(plan.modalities or table.features),
        "preset": plan.preset,
        "also": [one.dataset for one in also],
        "normalisation": (
            f"causal; population from the training people, baseline stated for {len(stated)} of "
            f"{len(known)} people, running for the others; baseline windows not tested"
        ),
        "label_set": table.labels.name,
        "instrument": table.labels.instrument,
        "note": table.note,
        "notes": list(notes(table, plan)),
        "simulated": table.simulated,
        "mpcl": _mpcl(plan),
        "variants": {name: _variant(one) for name, one in plan.variants.items()},
        "recipes": _recipes(table, plan),
        "device": plan.device,
        "machine": machine(),
        "software": _software(plan),
        "command": command,
        "seconds": float(rows["seconds"].sum()),
        "failures": [str(failure) for failure in failures],
        "systems": {
            model: plan.entry(model).about for model in plan.models if model not in plan.variants
        },
    }


def sentences_of(table: Table, plan: Plan, facts: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the facts as sentences of plain text, in the order in which to read them."""
    counts = ", ".join(f"{name} {count}" for name, count in facts["features"].items())
    lines = [f"Protocol {facts['protocol']}: {facts['about']}."]
    if facts["simulated"]:
        lines.append("SIMULATED: nobody was measured.")
    lines += [
        f"{_count(facts['subjects'], 'subject')}, {_count(facts['trials'], 'trial')}, "
        f"{_count(facts['windows'], 'window')} ({facts['baseline_windows']} baseline windows never "
        f"tested); seeds {', '.join(map(str, facts['seeds']))}.",
        f"Normalisation: {facts['normalisation']}.",
        f"Sensors: {', '.join(facts['modalities'])} (rig {facts['rig']}); features: {counts}.",
        f"Labels: {facts['instrument']}. {facts['note']}".strip(),
        *facts["notes"],
    ]
    if facts["also"]:
        lines.append(f"Also trained on: {', '.join(facts['also'])} (never tested here).")
    if facts["left_out"]:
        lines.append(
            f"{_count(len(facts['left_out']), 'trial')} without a complete rating left out: "
            + "; ".join(facts["left_out"])
            + "."
        )
    if facts["mpcl"] is not None:
        changes = listed(facts["mpcl"])
        lines.append(
            f"MPCL: preset {facts['preset']}, which differs from the published recipe in "
            f"{changes or 'nothing'}."
        )
    if facts["variants"]:
        variants = "; ".join(f"{name} ({what})" for name, what in facts["variants"].items())
        lines.append(f"Variants of it: {variants}.")
    for text, models in facts["recipes"].items():
        lines.append(f"Recipe of {', '.join(models)}: {text}.")
    lines.append(
        f"Means over windows, then over folds and seeds, then over people; {_spread(facts)}"
    )
    if table.stress:
        lines.append(
            "Stress AUC: windows of stress against all other rated windows of a person, by the "
            "predicted share of unpleasant emotion."
        )
    software = ", ".join(f"{name} {version}" for name, version in facts["software"].items())
    lines.append(
        f"Computed on {facts['device']} in {facts['seconds']:.0f} s of fitting and predicting; "
        f"{facts['machine']}; {software}."
    )
    if facts["command"]:
        lines.append(f"Command: {facts['command']}")
    for failure in facts["failures"]:
        lines.append(f"FAILED, and missing from every mean: {failure}")
    return tuple(lines)


def machine() -> str:
    """Return the processor's name and the number of cores that this process may use."""
    try:
        cores = len(os.sched_getaffinity(0))
    except AttributeError:  # not on Linux
        cores = os.cpu_count() or 1
    name = platform.processor() or platform.machine()
    info = Path("/proc/cpuinfo")
    if info.exists():
        lines = info.read_text("utf-8", errors="replace").splitlines()
        models = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
        name = models[0] if models else name
    return f"{_count(cores, 'core')} of {name}, {platform.system()}"


def _mpcl(plan: Plan) -> dict[str, Any] | None:
    """Return MPCL's settings that are not the published recipe's; None where it does not run."""
    if "mpcl" not in plan.models and not plan.variants:
        return None
    published = MpclSettings.full().to_dict()
    own = recipe(plan).to_dict()
    return {name: value for name, value in own.items() if value != published[name]}


def recipe(plan: Plan) -> MpclSettings:
    """Return what MPCL itself is trained with."""
    return plan.settings or find_preset(plan.preset)


def _variant(variant: Variant) -> str:
    missing = [f"{name} missing in training and test" for name in variant.without]
    return ", ".join([listed(variant.changes)] * bool(variant.changes) + missing)


def _recipes(table: Table, plan: Plan) -> dict[str, list[str]]:
    """Return the recipes of the compared networks as text, each with the systems that take it."""
    found: dict[str, list[str]] = {}
    for model in plan.models:
        entry = plan.entry(model)
        if not entry.network or entry.module == "mpcl":
            continue
        system = entry.build(plan.options(model, 0, table.roles))
        own = dataclasses.asdict(system.chosen)  # type: ignore[attr-defined]
        text = listed(own)
        found.setdefault(text, []).append(model)
    return found


def _software(plan: Plan) -> dict[str, str]:
    library = any(plan.entry(model).module == "classical" for model in plan.models)
    names = (*SOFTWARE, LIBRARY) if library else SOFTWARE
    return {
        "Python": platform.python_version(),
        **{name: metadata.version(name) for name in names},
    }


def _spread(facts: Mapping[str, Any]) -> str:
    if facts["subjects"] > 1:
        return f"in brackets the 95 % interval from {scores.RESAMPLES} bootstrap samples of people."
    alone = "one person, so that there is no interval over people"
    if len(facts["seeds"]) < 2:
        return f"{alone}."
    return f"{alone}: in braces the smallest and the largest mean of a seed."


def _count(number: int, what: str) -> str:
    return f"{number} {what}" if number == 1 else f"{number} {what}s"


def listed(values: Mapping[str, object]) -> str:
    """Return settings as "batch size 32, noise 0"."""
    return ", ".join(f"{name.replace('_', ' ')} {_plain(one)}" for name, one in values.items())


def _plain(value: object) -> str:
    if isinstance(value, list | tuple):
        return "/".join(_plain(one) for one in value)
    if isinstance(value, bool):
        return "yes" if value else "no"
    return f"{value:g}" if isinstance(value, float) else str(value)
