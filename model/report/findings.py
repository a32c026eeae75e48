"""What an evaluation found, put together once for the table, the page and JSON."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from model import metrics, scores
from model.datasets.table import Table
from model.pieces import Piece
from model.plan import Plan
from model.report.facts import gather_facts, sentences_of
from model.report.grid import mean_of
from model.report.published import PublishedTable, beside
from model.scores import Interval
from model.task import Failure

if TYPE_CHECKING:
    from model.ablations import Ablation

COLUMNS = (
    *("model", "dataset", "protocol", "fold", "seed", "n_train", "n_test"),
    *metrics.METRICS,
    *("stress_auc", "order", "skill", "kl_train_mean", "coverage", "radius"),
    *("person", "k", "adaptation", "modalities", "preset", "seconds"),
)
"""Columns of results.csv."""


@dataclass(frozen=True)
class Findings:
    """What an evaluation found.

    Attributes
    ----------
    table : Table
    plan : Plan
    pieces : sequence of Piece
    rows : DataFrame
        A row a piece, with `COLUMNS`.
    summary : mapping of str to mapping of str to Interval or float
        Means over people of each row of the tables, by `scores.label`.
    pairs : mapping of (str, str, str) to Interval
        Paired differences: first label, second label, metric.
    ranks : mapping of str to mapping of str to float
        Rank of each learned system in each of the six metrics among the learned systems,
        ``average`` of the six, and ``place``, the rank of that. Empty where rows are not of one
        test set, which is so under ``calibrated-k``.
    facts : dict
        What was done, as plain values for JSON.
    sentences : tuple of str
        The same as sentences of plain text, in order.
    published : tuple of PublishedTable
        What the papers printed for the same protocol and kind of data.
    failures : sequence of Failure
    ablation : Ablation or None
        What the variants of the plan take apart.
    """

    table: Table
    plan: Plan
    pieces: Sequence[Piece]
    rows: pd.DataFrame
    summary: Mapping[str, Mapping[str, Interval | float]]
    pairs: Mapping[tuple[str, str, str], Interval]
    ranks: Mapping[str, Mapping[str, float]]
    facts: dict[str, Any]
    sentences: tuple[str, ...]
    published: tuple[PublishedTable, ...]
    failures: Sequence[Failure] = ()
    ablation: Ablation | None = None

    @property
    def calibrated(self) -> bool:
        """Rows differ in how many trials of the tested person were given."""
        return bool((self.rows["k"] > 0).any())


def gather(
    table: Table,
    plan: Plan,
    pieces: Sequence[Piece],
    also: Sequence[Table] = (),
    failures: Sequence[Failure] = (),
    command: str = "",
    ablation: Ablation | None = None,
) -> Findings:
    """Score an evaluation; parameters as in `model.report.report`."""
    rows = scores.fold_rows(table, pieces, plan.protocol)
    entries = {model: plan.entry(model) for model in rows["model"].unique()}
    chosen = {model: "+".join(_inputs(table, plan, model)) for model in entries}
    rows["modalities"] = [
        chosen[model] if entries[model].learns_from_sensors else "" for model in rows["model"]
    ]
    rows["preset"] = [plan.preset if entries[model].network else "" for model in rows["model"]]
    rows = rows[list(COLUMNS)]
    summary = scores.summarise(rows)
    compared = _against_complete(plan) if ablation else scores.comparisons(rows, bool(table.stress))
    pairs = {pair: scores.paired(rows, *pair) for pair in compared if set(pair[:2]) <= set(summary)}
    facts = gather_facts(table, plan, rows, also, failures, command)
    subject = ablation.name if ablation else "comparison"
    return Findings(
        table=table,
        plan=plan,
        pieces=pieces,
        rows=rows,
        summary=summary,
        pairs=pairs,
        ranks={} if (rows["k"] > 0).any() else rank(summary, plan),
        facts=facts,
        sentences=sentences_of(table, plan, facts),
        published=beside(table.dataset, plan.protocol, subject),
        failures=failures,
        ablation=ablation,
    )


def rank(
    summary: Mapping[str, Mapping[str, Interval | float]], plan: Plan
) -> dict[str, dict[str, float]]:
    """Return the ranks of the learned systems among themselves.

    References are left out: what knows the answer, or the clock of a protocol that leaks, would
    move every rank.
    """
    learned = [label for label in summary if plan.entry(scores.model_of(label)).learns_from_sensors]
    if not learned:
        return {}
    means = [[mean_of(summary[one][name]) for name in metrics.METRICS] for one in learned]
    ranks = metrics.ranks(np.array(means))
    average = ranks.mean(axis=1)
    return {
        label: {
            **dict(zip(metrics.METRICS, map(float, own), strict=True)),
            "average": float(mean),
            # Means of six ranks that are equal differ in no bit: they are sums of whole numbers.
            "place": 1.0 + float(np.sum(average < mean)),
        }
        for label, own, mean in zip(learned, ranks, average, strict=True)
    }


def _inputs(table: Table, plan: Plan, model: str) -> list[str]:
    missing = plan.missing(model)
    return [name for name in plan.inputs(model) or table.features if name not in missing]


def _against_complete(plan: Plan) -> list[tuple[str, str, str]]:
    complete, *others = plan.models
    return [(one, complete, name) for one in others for name in metrics.METRICS]


def result_of(found: Findings) -> dict[str, Any]:
    """Return what was found as values that JSON knows."""
    return {
        **found.facts,
        "models": scores.plain(found.summary),
        "ranks": {label: dict(own) for label, own in found.ranks.items()},
        "paired": [
            {
                **{"first": first, "second": second, "metric": metric},
                **{key: _known(value) for key, value in _values(interval).items()},
            }
            for (first, second, metric), interval in found.pairs.items()
        ],
        "seconds": float(found.rows["seconds"].sum()),
    }


def _values(interval: Interval) -> dict[str, float]:
    return {"mean": interval.mean, "low": interval.low, "high": interval.high}


def _known(value: float) -> float | None:
    return value if math.isfinite(value) else None
