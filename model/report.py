"""Report of an evaluation: results.csv, table.md and the figures as plain values."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from model import metrics, scores
from model.datasets.table import Table
from model.evaluation import Plan
from model.pieces import Piece
from model.protocols import EVERY, protocol
from model.scores import Interval
from model.systems import SYSTEMS

COLUMNS = (
    *("model", "dataset", "protocol", "fold", "seed", "n_train", "n_test"),
    *metrics.METRICS,
    *("stress_auc", "order", "skill", "kl_train_mean", "coverage", "radius"),
    *("modalities", "preset", "seconds"),
)
"""Columns of results.csv."""

HEADINGS = {
    "stress_auc": "stress AUC",
    "skill": "KL skill",
    "order": "order",
    "kl": "KL",
    "chebyshev": "Chebyshev",
    "clark": "Clark",
    "canberra": "Canberra",
    "cosine": "cosine",
    "intersection": "intersection",
    "rank": "rank",
    "coverage": "coverage",
    "radius": "radius",
    "under_80": "people under 80 %",
}

WITH_INTERVAL = ("stress_auc", "skill", "order", "kl", "chebyshev", "coverage")


@dataclass(frozen=True)
class Report:
    """What an evaluation found.

    Attributes
    ----------
    rows : DataFrame
        A row for each system, fold and seed, with `COLUMNS`.
    markdown : str
        The table with everything that must stand beside it.
    result : dict
        The same as plain values.
    """

    rows: pd.DataFrame
    markdown: str
    result: dict[str, Any]

    def save(self, folder: Path) -> tuple[Path, Path]:
        """Write results.csv and table.md into a folder, and return their paths."""
        folder.mkdir(parents=True, exist_ok=True)
        csv, markdown = folder / "results.csv", folder / "table.md"
        self.rows.to_csv(csv, index=False, lineterminator="\n")
        markdown.write_text(self.markdown, encoding="utf-8", newline="\n")
        return csv, markdown


def report(table: Table, plan: Plan, pieces: Sequence[Piece], also: Sequence[Table] = ()) -> Report:
    """Score an evaluation and put it into a table.

    Parameters
    ----------
    table : Table
    plan : Plan
    pieces : sequence of Piece
        What `model.evaluation.run` returned.
    also : sequence of Table
        Further data that was trained on.
    """
    rows = scores.fold_rows(table, pieces, plan.protocol)
    sensors = [SYSTEMS[model].learns_from_sensors for model in rows["model"]]
    chosen = "+".join(plan.modalities or tuple(table.features))
    rows["modalities"] = [chosen if learns else "" for learns in sensors]
    networks = [SYSTEMS[model].network for model in rows["model"]]
    rows["preset"] = [plan.preset if network else "" for network in networks]
    rows = rows[list(COLUMNS)]
    summary = scores.summarise(rows)
    pairs = {
        pair: scores.paired(rows, *pair)
        for pair in scores.comparisons(plan.models, bool(table.stress))
    }
    facts = _facts(table, plan, rows, also)
    return Report(
        rows=rows,
        markdown=_markdown(plan, facts, summary, pairs),
        result={
            **facts,
            "models": scores.plain(summary),
            "paired": [
                {"first": a, "second": b, "metric": metric, **_values(interval)}
                for (a, b, metric), interval in pairs.items()
            ],
            "seconds": float(rows["seconds"].sum()),
        },
    )


def _values(interval: Interval) -> dict[str, float]:
    return {"mean": interval.mean, "low": interval.low, "high": interval.high}


def _facts(table: Table, plan: Plan, rows: pd.DataFrame, also: Sequence[Table]) -> dict[str, Any]:
    people = sorted(set(rows["fold"]))
    rated = table.rated
    stated = [name for name in people if table.stretches[name] is not None]
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
            f"{len(people)} people, running for the others; baseline windows not tested"
        ),
        "label_set": table.labels.name,
        "instrument": table.labels.instrument,
        "note": table.note,
    }


def _markdown(
    plan: Plan,
    facts: dict[str, Any],
    summary: dict[str, dict[str, Interval | float]],
    pairs: dict[tuple[str, str, str], Interval],
) -> str:
    oracle = not protocol(plan.protocol).trains_on_tested_people
    lines = [
        f"# {facts['dataset']}, protocol {facts['protocol']}",
        "",
        f"- Protocol **{facts['protocol']}**: {facts['about']}.",
        f"- {facts['subjects']} subjects, {facts['trials']} trials, {facts['windows']} windows "
        f"({facts['baseline_windows']} baseline windows never tested); seeds "
        f"{', '.join(map(str, facts['seeds']))}.",
        f"- Normalisation: {facts['normalisation']}.",
        f"- Sensors: {', '.join(facts['modalities'])} (rig {facts['rig']}); features: "
        + ", ".join(f"{name} {count}" for name, count in facts["features"].items())
        + ".",
        f"- Labels: {facts['instrument']}. {facts['note']}",
    ]
    if any(SYSTEMS[model].network for model in plan.models):
        lines.append(f"- Networks: preset {facts['preset']}, trained on {plan.device}.")
    if facts["also"]:
        lines.append(f"- Also trained on: {', '.join(facts['also'])} (never tested here).")
    if plan.protocol == "loso":
        lines.append(f"- Training takes every {EVERY}th second, testing every one.")
    if facts["left_out"]:
        lines.append(
            f"- {len(facts['left_out'])} trials without a complete rating are left out: "
            + "; ".join(facts["left_out"])
            + "."
        )
    lines += [
        "- Means over windows, then over seeds and people; in brackets the 95 % interval from "
        f"{scores.RESAMPLES} bootstrap samples of people.",
        "- Stress AUC: windows of stress against all other rated windows of a person. Coverage "
        "and radius: conformal set at 90 % in total variation, calibrated on the other people, "
        "counted by trial.",
        "",
        "| system | " + " | ".join(HEADINGS.values()) + " |",
        "|---" * (len(HEADINGS) + 1) + "|",
    ]
    for model, values in summary.items():
        name = model
        if SYSTEMS[model].looks_at == "person" and oracle:
            name += " (oracle)"
        cells = [_cell(key, values[key]) for key in HEADINGS]
        lines.append(f"| {name} | " + " | ".join(cells) + " |")
    if pairs:
        lines += ["", "| paired difference | metric | mean and interval |", "|---|---|---|"]
        for (first, second, metric), interval in pairs.items():
            heading = HEADINGS[metric]
            lines.append(f"| {first} - {second} | {heading} | {_signed(interval)} |")
    lines += ["", "Systems: " + "; ".join(f"{m}: {SYSTEMS[m].about}" for m in summary) + "."]
    return "\n".join(lines) + "\n"


def _cell(key: str, value: Interval | float) -> str:
    if isinstance(value, Interval):
        if math.isnan(value.mean):
            return "-"
        digits = 4 if key in ("kl", "chebyshev") else 3
        text = f"{value.mean:.{digits}f}"
        if key in WITH_INTERVAL:
            text += f" [{value.low:.{digits}f}, {value.high:.{digits}f}]"
        return text
    if math.isnan(value):
        return "-"
    return f"{value:.2f}"


def _signed(interval: Interval) -> str:
    if math.isnan(interval.mean):
        return "-"
    return f"{interval.mean:+.3f} [{interval.low:+.3f}, {interval.high:+.3f}]"
