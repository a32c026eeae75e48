"""Metrics of label distribution learning, and of what a monitor of one person needs.

Truth comes first in every call, the prediction second. The six metrics give one value a window;
their mean over windows, then over people, is what tables show. Coverage
of the uncertainty set is in `model.uncertainty`.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from scipy import stats

Array = NDArray[np.float64]

FLOOR = float(np.finfo(np.float64).eps)
"""Shares are clipped here, at 2.2e-16, inside logarithms, and nowhere else."""

SUM_TOLERANCE = 1e-5
"""How far a distribution's sum may lie from 1 (predictions are often float32)."""


def are_distributions(shares: Array) -> bool:
    """Return whether all rows, shape (N, C), are finite, not below 0, and sum to 1."""
    if not np.isfinite(shares).all() or (shares < 0).any():
        return False
    return bool((np.abs(shares.sum(axis=1) - 1) <= SUM_TOLERANCE).all())


def _checked(truth: Array, prediction: Array) -> tuple[Array, Array]:
    u = np.asarray(truth, dtype=np.float64)
    v = np.asarray(prediction, dtype=np.float64)
    if u.shape != v.shape or u.ndim != 2 or u.shape[1] < 2:
        raise ValueError(
            f"truth of shape {u.shape} and prediction of shape {v.shape}: "
            "need the same (N, C) with at least two emotions"
        )
    for name, values in (("truth", u), ("prediction", v)):
        if not np.isfinite(values).all():
            count = int(np.sum(~np.isfinite(values)))
            raise ValueError(f"{name} has {count} values that are not finite")
        if (values < 0).any():
            raise ValueError(f"{name} has a share of {values.min():g}: none may be below 0")
        off = np.abs(values.sum(axis=1) - 1)
        if off.size and off.max() > SUM_TOLERANCE:
            raise ValueError(f"{name} has a row that sums to {values[off.argmax()].sum():g}, not 1")
    return u, v


def _share_of_sum(u: Array, v: Array) -> Array:
    """|u - v| / (u + v), 0 where both are 0."""
    total = u + v
    return np.divide(np.abs(u - v), total, out=np.zeros_like(total), where=total > 0)


def chebyshev(truth: Array, prediction: Array) -> Array:
    """Largest difference of a share, max |u - v|, shape (N,)."""
    u, v = _checked(truth, prediction)
    return np.asarray(np.abs(u - v).max(axis=1))


def clark(truth: Array, prediction: Array) -> Array:
    """Clark distance, the root of the sum of ((u - v)/(u + v))², not divided by √C, shape (N,)."""
    u, v = _checked(truth, prediction)
    return np.asarray(np.sqrt((_share_of_sum(u, v) ** 2).sum(axis=1)))


def canberra(truth: Array, prediction: Array) -> Array:
    """Canberra distance, the sum of |u - v|/(u + v), shape (N,)."""
    u, v = _checked(truth, prediction)
    return np.asarray(_share_of_sum(u, v).sum(axis=1))


def kl_divergence(truth: Array, prediction: Array) -> Array:
    """Kullback-Leibler divergence of truth from prediction, the sum of u ln(u/v), shape (N,)."""
    u, v = _checked(truth, prediction)
    logs = np.log(np.maximum(u, FLOOR)) - np.log(np.maximum(v, FLOOR))
    return np.asarray((u * logs).sum(axis=1))


def cosine(truth: Array, prediction: Array) -> Array:
    """Cosine of the angle between both, shape (N,)."""
    u, v = _checked(truth, prediction)
    lengths = np.linalg.norm(u, axis=1) * np.linalg.norm(v, axis=1)
    return np.asarray((u * v).sum(axis=1) / lengths)


def intersection(truth: Array, prediction: Array) -> Array:
    """Common share, the sum of min(u, v), shape (N,)."""
    u, v = _checked(truth, prediction)
    return np.asarray(np.minimum(u, v).sum(axis=1))


METRICS: dict[str, Callable[[Array, Array], Array]] = {
    "chebyshev": chebyshev,
    "clark": clark,
    "canberra": canberra,
    "kl": kl_divergence,
    "cosine": cosine,
    "intersection": intersection,
}
"""The six metrics of the field by column name: four distances, then two similarities."""

LARGER_IS_BETTER = frozenset({"cosine", "intersection"})


def window_metrics(truth: Array, prediction: Array) -> dict[str, Array]:
    """Return all six metrics of each window, shape (N,) each, by column name."""
    return {name: metric(truth, prediction) for name, metric in METRICS.items()}


def average_rank(scores: Array) -> Array:
    """Return each model's mean rank over the six metrics; ties share the smaller rank.

    Parameters
    ----------
    scores : ndarray, shape (models, 6)
        In the order of `METRICS`.

    Returns
    -------
    ndarray of float64, shape (models,)
        1 is the best that can be.
    """
    return np.asarray(ranks(scores).mean(axis=1))


def ranks(scores: Array) -> Array:
    """Return each model's rank in each of the six metrics; ties share the smaller rank.

    Parameters
    ----------
    scores : ndarray, shape (models, 6)
        In the order of `METRICS`.

    Returns
    -------
    ndarray of float64, shape (models, 6)
        1 is the best.
    """
    values = np.array(scores, dtype=np.float64)
    if values.ndim != 2 or values.shape[1] != len(METRICS):
        raise ValueError(f"scores of shape {values.shape}: need (models, {len(METRICS)})")
    for column, name in enumerate(METRICS):
        if name in LARGER_IS_BETTER:
            values[:, column] *= -1
    return np.asarray(stats.rankdata(values, method="min", axis=0), dtype=np.float64)


def skill(kl: float, reference: float) -> float:
    """Return 1 - KL/KL of the training mean: 0 is no better than it, 1 is perfect."""
    if not reference > 0:
        raise ValueError(f"the training mean's KL is {reference!r}: it must be above 0")
    return 1 - kl / reference


def stress_auc(stress: NDArray[np.bool_], score: Array) -> float:
    """Return the area under the ROC curve of one person's windows.

    The chance that a window of stress has a higher score than another window, ties counting half
    (Mann-Whitney).

    Parameters
    ----------
    stress : ndarray of bool, shape (N,)
    score : ndarray, shape (N,)
        Predicted share of unpleasant emotion.

    Returns
    -------
    float
        NaN when the person has windows of one kind only.
    """
    flags = np.asarray(stress, dtype=bool)
    values = np.asarray(score, dtype=np.float64)
    if flags.shape != values.shape or flags.ndim != 1:
        raise ValueError(f"stress of shape {flags.shape} and score of shape {values.shape} differ")
    if not np.isfinite(values).all():
        raise ValueError("score has values that are not finite")
    positives, negatives = int(flags.sum()), int((~flags).sum())
    if not positives or not negatives:
        return float("nan")
    ranks = stats.rankdata(values)
    return float((ranks[flags].sum() - positives * (positives + 1) / 2) / (positives * negatives))


def within_person_order(reported: Array, predicted: Array, trials: NDArray[np.str_]) -> float:
    """Return Spearman's correlation over one person's trials of reported and predicted shares.

    Parameters
    ----------
    reported, predicted : ndarray, shape (N,)
        Share of unpleasant emotion, a value a window; each trial's mean is compared.
    trials : ndarray of str, shape (N,)

    Returns
    -------
    float
        NaN with fewer than three trials, or when either side is the same for all.
    """
    truth, guess = trial_means(reported, trials), trial_means(predicted, trials)
    if len(truth) < 3:
        return float("nan")
    # Means of equal numbers differ in their last bits; those are no order.
    truth, guess = np.round(truth, 9), np.round(guess, 9)
    if np.ptp(truth) == 0 or np.ptp(guess) == 0:
        return float("nan")
    return float(stats.spearmanr(truth, guess).statistic)


def trial_means(values: Array, trials: NDArray[np.str_]) -> Array:
    """Return the mean of each trial's windows, shape (trials, ...), trials in sorted order."""
    given = np.asarray(values, dtype=np.float64)
    names, index = np.unique(np.asarray(trials), return_inverse=True)
    if given.shape[:1] != index.shape:
        raise ValueError(f"values of shape {given.shape} do not fit {index.shape} trials")
    totals = np.zeros((len(names), *given.shape[1:]))
    np.add.at(totals, index, given)
    counts = np.bincount(index, minlength=len(names)).astype(np.float64)
    return np.asarray(totals / counts.reshape(-1, *[1] * (given.ndim - 1)))
