"""Scores of an evaluation: a row a fold, means over people, and their bootstrap intervals."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from model import metrics
from model.datasets.table import Table
from model.pieces import Piece
from model.uncertainty import conformal_radius, coverage

RESAMPLES = 5000
"""Bootstrap samples of people."""

LEVEL = 0.9
"""Share of trials that the uncertainty set is meant to cover."""

UNDER = 0.8
"""A person whose trials are covered less often than this counts as badly served."""


@dataclass(frozen=True, slots=True)
class Interval:
    """A mean over people and the 95 % interval of it, from resampling people."""

    mean: float
    low: float
    high: float

    def __str__(self) -> str:
        return f"{self.mean:.3f} [{self.low:.3f}, {self.high:.3f}]"


def fold_rows(table: Table, pieces: Sequence[Piece], protocol: str) -> pd.DataFrame:
    """Return a row for each system, fold and seed; distances are means over its windows.

    `stress_auc` and `order` are missing where the data has no stress, or nothing to put in order.
    `coverage` and `radius` are those of the conformal set whose radius the *other* people's
    predictions of the same system and seed give.
    """
    radii = conformal_radii(table, pieces)
    negative = table.labels.negative_share
    rows = []
    for piece, radius in zip(pieces, radii, strict=True):
        truth = table.distribution[piece.rows]
        guess = piece.prediction
        means = {k: float(v.mean()) for k, v in metrics.window_metrics(truth, guess).items()}
        trials = table.trial[piece.rows]
        mean_kl = metrics.kl_divergence(truth, np.tile(piece.train_mean, (len(truth), 1))).mean()
        rows.append(
            {
                "model": piece.model,
                "dataset": table.dataset,
                "protocol": protocol,
                "fold": piece.fold,
                "seed": piece.seed,
                "n_train": piece.n_train,
                "n_test": len(piece.rows),
                **means,
                "stress_auc": metrics.stress_auc(table.stressed[piece.rows], negative(guess)),
                "order": metrics.within_person_order(negative(truth), negative(guess), trials),
                "kl_train_mean": float(mean_kl),
                "skill": metrics.skill(means["kl"], float(mean_kl)) if mean_kl > 0 else math.nan,
                "coverage": coverage(truth, guess, radius, trials),
                "radius": radius,
                "seconds": piece.seconds,
            }
        )
    return pd.DataFrame(rows)


def conformal_radii(table: Table, pieces: Sequence[Piece]) -> list[float]:
    """Return for each piece the 90 % conformal radius that all other people's pieces give.

    In total variation, counted by trial; 1, which covers everything, where the others have too
    few trials for a 90 % quantile.
    """
    # Numbers instead of names: comparing text would take most of the time of a report.
    names = np.char.add(np.char.add(table.person, "/"), table.trial)
    trials = np.unique(names, return_inverse=True)[1]
    radii = []
    for piece in pieces:
        others = [
            other
            for other in pieces
            if (other.model, other.seed) == (piece.model, piece.seed) and other.fold != piece.fold
        ]
        if not others:
            radii.append(1.0)
            continue
        rows = np.concatenate([other.rows for other in others])
        guess = np.concatenate([other.prediction for other in others])
        radii.append(conformal_radius(table.distribution[rows], guess, LEVEL, trials[rows]))
    return radii


def by_person(rows: pd.DataFrame) -> pd.DataFrame:
    """Return a row for each system and person: the mean over seeds."""
    numeric = [*metrics.METRICS, "stress_auc", "order", "kl_train_mean", "coverage", "radius"]
    return rows.groupby(["model", "fold"], sort=False)[numeric].mean()


def summarise(rows: pd.DataFrame) -> dict[str, dict[str, Interval | float]]:
    """Return each system's mean over people with its interval, by metric, in order of models.

    ``skill`` is 1 minus the ratio of both means over people; ``under_80`` the share of people
    whose trials are covered less often than 80 %; ``rank`` the average rank over the six metrics.
    """
    people = by_person(rows)
    models = list(dict.fromkeys(rows["model"]))
    summary: dict[str, dict[str, Interval | float]] = {}
    for model in models:
        own = people.loc[model]
        draws = _draws(len(own))
        one: dict[str, Interval | float] = {}
        for name in [*metrics.METRICS, "stress_auc", "order", "coverage", "radius"]:
            one[name] = _interval(own[name].to_numpy(), draws)
        one["skill"] = _skill(own["kl"].to_numpy(), own["kl_train_mean"].to_numpy(), draws)
        covered = own["coverage"].to_numpy()
        one["under_80"] = float(np.mean(covered < UNDER))
        summary[model] = one
    table = [[_mean(summary[model][name]) for name in metrics.METRICS] for model in models]
    for model, rank in zip(models, metrics.average_rank(np.array(table)), strict=True):
        summary[model]["rank"] = float(rank)
    return summary


def paired(rows: pd.DataFrame, first: str, second: str, metric: str) -> Interval:
    """Return the mean over people of first minus second, with its interval.

    Both systems are compared on the same people in each resample, so that what differs between
    people drops out.
    """
    people = by_person(rows)[metric]
    difference = people.loc[first] - people.loc[second]
    return _interval(difference.to_numpy(), _draws(len(difference)))


def comparisons(models: Sequence[str], has_stress: bool) -> list[tuple[str, str, str]]:
    """Return which pairs of systems a table compares, each with the metric."""
    learned = [model for model in models if model in ("mpcl", "trees")]
    found = []
    if has_stress:
        for other in ("clock", "movement"):
            found += [(one, other, "stress_auc") for one in learned if other in models]
    if len(learned) == 2:
        found += [("mpcl", "trees", "stress_auc")] if has_stress else []
        found.append(("mpcl", "trees", "kl"))
    found += [(one, "train-mean", "kl") for one in learned if "train-mean" in models]
    return found


def plain(summary: Mapping[str, Mapping[str, Interval | float]]) -> dict[str, dict[str, object]]:
    """Return a summary as values that JSON knows; unknown ones are None."""
    return {
        model: {name: _plain(value) for name, value in values.items()}
        for model, values in summary.items()
    }


def _plain(value: Interval | float) -> object:
    if isinstance(value, Interval):
        if math.isnan(value.mean):
            return None
        return {"mean": value.mean, "low": value.low, "high": value.high}
    return value if math.isfinite(value) else None


def _mean(value: Interval | float) -> float:
    return value.mean if isinstance(value, Interval) else value


def _draws(count: int) -> NDArray[np.intp]:
    """Return resampled people, shape (RESAMPLES, count); the same for all systems."""
    return np.random.default_rng(0).integers(0, count, (RESAMPLES, count))


def _interval(values: NDArray[np.float64], draws: NDArray[np.intp]) -> Interval:
    known = np.isfinite(values)
    if not known.any():
        return Interval(math.nan, math.nan, math.nan)
    # People without the value (nothing to put in order) are left out of each mean.
    total = np.where(known, values, 0.0)[draws].sum(axis=1)
    count = known[draws].sum(axis=1)
    means = total[count > 0] / count[count > 0]
    low, high = np.quantile(means, [0.025, 0.975])
    return Interval(float(values[known].mean()), float(low), float(high))


def _skill(
    kl: NDArray[np.float64], reference: NDArray[np.float64], draws: NDArray[np.intp]
) -> Interval:
    if not (reference > 0).all():
        return Interval(math.nan, math.nan, math.nan)
    resampled = 1 - kl[draws].sum(axis=1) / reference[draws].sum(axis=1)
    low, high = np.quantile(resampled, [0.025, 0.975])
    return Interval(float(1 - kl.sum() / reference.sum()), float(low), float(high))
