"""Scores of an evaluation: a row a fold, means over people, and their bootstrap intervals."""

from __future__ import annotations

import math
import re
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from model import metrics
from model.adaptation import SHRINKAGE
from model.datasets.table import Table
from model.pieces import UNADAPTED, Piece
from model.serial import in_order
from model.systems import SYSTEMS
from model.uncertainty import coverage, radius_of, scale, spread, total_variation

RESAMPLES = 5000
"""Bootstrap samples of people."""

LEVEL = 0.9
"""Share of trials that the uncertainty set is meant to cover."""

UNDER = 0.8
"""A person whose trials are covered less often than this counts as badly served."""


@dataclass(frozen=True, slots=True)
class Interval:
    """A mean over people and the 95 % interval of it, from resampling people.

    With one person there is no interval: `low` and `high` are NaN.
    """

    mean: float
    low: float
    high: float

    def __str__(self) -> str:
        if math.isnan(self.mean):
            return "-"
        if math.isnan(self.low):
            return f"{self.mean:.3f}"
        return f"{self.mean:.3f} [{self.low:.3f}, {self.high:.3f}]"


def label(model: str, k: int = 0, adaptation: str = "") -> str:
    """Return the name of a row of a table: ``mpcl``, or ``mpcl, k = 4, shrinkage``."""
    return f"{model}, k = {k}, {adaptation}" if k else model


def model_of(name: str) -> str:
    """Return the model of a row from its label."""
    return re.sub(r", k = \d+, [^,]*$", "", name)


def fold_rows(table: Table, pieces: Sequence[Piece], protocol: str) -> pd.DataFrame:
    """Return a row for each piece; distances are means over its windows.

    `stress_auc` and `order` are missing where the tested windows have no stress or nothing but
    stress, or nothing to put in order. They are of each fold for itself: where a person's trials
    are tested by models of their own, windows of different models have no common order.
    `coverage` and `radius` are those of the conformal set whose radius the *other* people's
    predictions of the same system, seed, number of given trials and adaptation give.
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
                "person": piece.person,
                "seed": piece.seed,
                "k": piece.k,
                "adaptation": piece.adaptation,
                "n_train": piece.n_train,
                "n_test": len(piece.rows),
                **means,
                "stress_auc": metrics.stress_auc(table.stressed[piece.rows], negative(guess)),
                "order": metrics.within_person_order(negative(truth), negative(guess), trials),
                "kl_train_mean": float(mean_kl),
                "skill": metrics.skill(means["kl"], float(mean_kl)) if mean_kl > 0 else math.nan,
                "coverage": (
                    math.nan if math.isnan(radius) else coverage(truth, guess, radius, trials)
                ),
                "radius": radius,
                "seconds": piece.seconds,
            }
        )
    return pd.DataFrame(rows)


def conformal_radii(table: Table, pieces: Sequence[Piece]) -> list[float]:
    """Return for each piece the 90 % conformal radius that all other people's pieces give.

    In total variation, counted by trial; 1, which covers everything, where the others have too
    few trials for a 90 % quantile. Where nobody else was tested, the person's other folds serve;
    NaN where there is none. Where a person's first trials were given, the radius is narrowed or
    widened by how much these vary (`model.uncertainty.scale`), and people count as one each.
    """
    # Numbers instead of names: comparing text would take most of the time of a report.
    names = np.char.add(np.char.add(table.person, "/"), table.trial)
    trials = np.unique(names, return_inverse=True)[1]
    alike: dict[tuple[str, int, int, str], list[int]] = defaultdict(list)
    for index, piece in enumerate(pieces):
        alike[piece.model, piece.seed, piece.k, piece.adaptation].append(index)
    spreads: dict[tuple[str, int], float] = {}
    radii = [math.nan] * len(pieces)
    for indices in alike.values():
        same = [pieces[index] for index in indices]
        for piece in same:
            if (piece.person, piece.k) not in spreads:
                spreads[piece.person, piece.k] = _given_spread(table, piece)
        own = np.array([spreads[piece.person, piece.k] for piece in same])
        distances = [total_variation(table.distribution[p.rows], p.prediction) for p in same]
        scores = np.concatenate(distances)
        # Sorted once, since most windows serve every other person.
        order = np.argsort(scores, kind="stable")
        scores, trial = scores[order], trials[np.concatenate([p.rows for p in same])][order]
        owner = np.repeat(np.arange(len(same)), [len(p.rows) for p in same])[order]
        people = np.array([p.person for p in same])
        for place, index in enumerate(indices):
            other = people != people[place]
            if not other.any():
                other = np.arange(len(same)) != place
            if not other.any():
                continue
            chosen = other[owner]
            count = same[place].k
            if not count:
                radii[index] = radius_of(scores[chosen], trial[chosen], LEVEL)
                continue
            typical = float(np.mean(own[other]))
            scales = np.array([scale(one, typical, count) for one in own])
            found = radius_of(
                scores[chosen] / scales[owner[chosen]], trial[chosen], LEVEL, owner[chosen]
            )
            radii[index] = min(1.0, found * scales[place])
    return radii


def _given_spread(table: Table, piece: Piece) -> float:
    """Return how far the trials that a piece's adaptation was given lie apart."""
    if piece.k < 2:
        return math.nan
    rows = table.rows([piece.person])
    shares = in_order(table.distribution[rows], table.trial[rows])[1]
    return spread(shares[: piece.k])


def by_person(rows: pd.DataFrame) -> pd.DataFrame:
    """Return a row for each label and person: the mean over the person's folds, then over seeds."""
    numeric = [*metrics.METRICS, "stress_auc", "order", "kl_train_mean", "coverage", "radius"]
    labelled = rows.assign(label=_labels(rows))
    folds = labelled.groupby(["label", "person", "seed"], sort=False)[numeric].mean()
    return folds.groupby(["label", "person"], sort=False).mean()


def summarise(rows: pd.DataFrame) -> dict[str, dict[str, Interval | float]]:
    """Return each row's mean over people with its interval, by `label` and metric.

    In the order in which the models appear, and of each by k. ``skill`` is 1 minus the ratio of
    both means over people; ``under_80`` the share of people whose trials are covered less often
    than 80 %; ``rank`` the average rank over the six metrics, among the rows of the same k and
    adaptation; ``worse_than_none`` the number of people whose KL is higher than that of the same
    system left as it is, on the same windows, where a row is adapted, and NaN elsewhere.
    """
    people = by_person(rows)
    kinds = {
        label(model, k, adaptation): (model, k, adaptation)
        for model, k, adaptation in zip(
            *(rows[name].tolist() for name in ("model", "k", "adaptation")), strict=True
        )
    }
    models = list(dict.fromkeys(rows["model"]))
    names = sorted(kinds, key=lambda name: (models.index(kinds[name][0]), kinds[name][1]))
    summary: dict[str, dict[str, Interval | float]] = {}
    for name in names:
        own = people.loc[name]
        draws = _draws(len(own))
        one: dict[str, Interval | float] = {}
        for metric in [*metrics.METRICS, "stress_auc", "order", "coverage", "radius"]:
            one[metric] = _interval(own[metric].to_numpy(), draws)
        one["skill"] = _skill(own["kl"].to_numpy(), own["kl_train_mean"].to_numpy(), draws)
        covered = own["coverage"].dropna().to_numpy()
        one["under_80"] = float(np.mean(covered < UNDER)) if len(covered) else math.nan
        model, k, adaptation = kinds[name]
        plain = label(model, k, UNADAPTED)
        one["worse_than_none"] = math.nan
        if adaptation not in ("", UNADAPTED) and plain in kinds:
            both = own["kl"].index.intersection(people.loc[plain].index)
            worse = own["kl"][both] > people.loc[plain]["kl"][both]
            one["worse_than_none"] = float(worse.sum())
        summary[name] = one
    for group in dict.fromkeys(kind[1:] for kind in kinds.values()):
        same = [name for name in names if kinds[name][1:] == group]
        table = [[_mean(summary[name][metric]) for metric in metrics.METRICS] for name in same]
        for name, rank in zip(same, metrics.average_rank(np.array(table)), strict=True):
            summary[name]["rank"] = float(rank)
    return summary


def paired(rows: pd.DataFrame, first: str, second: str, metric: str) -> Interval:
    """Return the mean over people of first minus second, with its interval.

    Both rows, given by their labels, are compared on the same people in each resample, so that
    what differs between people drops out.
    """
    people = by_person(rows[_labels(rows).isin([first, second])])[metric]
    difference = (people.loc[first] - people.loc[second]).dropna()
    return _interval(difference.to_numpy(), _draws(len(difference)))


def comparisons(rows: pd.DataFrame, has_stress: bool) -> list[tuple[str, str, str]]:
    """Return which pairs of rows a table compares: two labels and the metric.

    MPCL against every other system that learns; MPCL and trees against the references; and at
    each number of given trials every adapted system that learns against the training mean and the
    mean of the trial's place, adapted in the same way and by shrinkage, and on stress AUC against
    itself before.
    """
    models = list(dict.fromkeys(rows["model"]))
    learned = [one for one in models if one not in SYSTEMS or SYSTEMS[one].learns_from_sensors]
    measures = ["stress_auc", "kl"] if has_stress else ["kl"]
    found = []
    plain = set(rows["model"][rows["k"] == 0])
    if "mpcl" in plain:
        others = [one for one in learned if one != "mpcl" and one in plain]
        found += [("mpcl", other, measure) for other in others for measure in measures]
    for one in ("mpcl", "trees"):
        if one not in plain:
            continue
        if has_stress:
            found += [(one, x, "stress_auc") for x in ("clock", "movement") if x in plain]
        found += [(one, "train-mean", "kl")] if "train-mean" in plain else []
    there = set(zip(rows["model"], rows["k"], rows["adaptation"], strict=True))
    adapted = rows[~rows["adaptation"].isin(["", UNADAPTED])]
    kinds = zip(adapted["k"].tolist(), adapted["adaptation"].tolist(), strict=True)
    for k, adaptation in dict.fromkeys(kinds):
        kinds_of = dict.fromkeys([adaptation, SHRINKAGE])
        references = [(name, kind) for kind in kinds_of for name in ("train-mean", "place")]
        for one in learned:
            if (one, k, adaptation) not in there:
                continue
            own = label(one, k, adaptation)
            found += [
                (own, label(name, k, kind), "kl")
                for name, kind in references
                if (name, k, kind) in there
            ]
            if has_stress and (one, k, UNADAPTED) in there:
                found.append((own, label(one, k, UNADAPTED), "stress_auc"))
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
        return {name: _plain(getattr(value, name)) for name in ("mean", "low", "high")}
    return value if math.isfinite(value) else None


def _labels(rows: pd.DataFrame) -> pd.Series[str]:
    """Return the label of each row."""
    kinds = zip(*(rows[name].tolist() for name in ("model", "k", "adaptation")), strict=True)
    return pd.Series([label(*kind) for kind in kinds], index=rows.index, dtype=object)


def _mean(value: Interval | float) -> float:
    return value.mean if isinstance(value, Interval) else value


def _draws(count: int) -> NDArray[np.intp]:
    """Return resampled people, shape (RESAMPLES, count); the same for all systems."""
    return np.random.default_rng(0).integers(0, max(count, 1), (RESAMPLES, count))


def _interval(values: NDArray[np.float64], draws: NDArray[np.intp]) -> Interval:
    known = np.isfinite(values)
    if not known.any():
        return Interval(math.nan, math.nan, math.nan)
    if known.sum() == 1:
        return Interval(float(values[known][0]), math.nan, math.nan)
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
    if len(kl) == 1:
        return Interval(float(1 - kl[0] / reference[0]), math.nan, math.nan)
    resampled = 1 - kl[draws].sum(axis=1) / reference[draws].sum(axis=1)
    low, high = np.quantile(resampled, [0.025, 0.975])
    return Interval(float(1 - kl.sum() / reference.sum()), float(low), float(high))
