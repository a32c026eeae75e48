"""How far a prediction may be off: a conformal radius in total variation.

The uncertainty set of a prediction is every distribution within the radius of it, so each
emotion's band is its share ± the radius, cut to [0, 1].
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray


def total_variation(
    truth: NDArray[np.floating], prediction: NDArray[np.floating]
) -> NDArray[np.float64]:
    """Return half the sum of absolute differences of two (..., C), 0 to 1, shape (...)."""
    first = np.asarray(truth, dtype=np.float64)
    second = np.asarray(prediction, dtype=np.float64)
    if first.shape != second.shape or first.ndim < 1:
        raise ValueError(f"truth of shape {first.shape} and prediction of shape {second.shape}")
    return np.asarray(0.5 * np.abs(first - second).sum(axis=-1))


def conformal_radius(
    truth: NDArray[np.floating],
    prediction: NDArray[np.floating],
    coverage: float = 0.9,
    groups: NDArray[np.str_] | None = None,
) -> float:
    """Return the radius that covers a new trial's windows with the stated chance.

    Split conformal prediction where a trial's windows, which share their label, count as one:
    each trial has mass 1/(n + 1), spread over its windows, and the last 1/(n + 1) lies at
    infinity (Lee, Barber and Willett 2023, "Distribution-free inference with hierarchical data").
    With one window a trial this is the common split conformal quantile.

    Parameters
    ----------
    truth, prediction : ndarray, shape (N, C)
        Of windows that the model was not fitted to.
    coverage : float
        Above 0 and below 1.
    groups : ndarray of str, shape (N,), optional
        The trial (of one person) of each window; left out, each window is its own.

    Returns
    -------
    float
        In total variation; 1, which covers everything, when there are too few trials.
    """
    if not 0 < coverage < 1:
        raise ValueError(f"coverage is {coverage!r}, must be above 0 and below 1")
    scores = total_variation(truth, prediction)
    if not len(scores):
        raise ValueError("no windows: give at least one")
    trials = np.arange(len(scores)) if groups is None else np.unique(groups, return_inverse=True)[1]
    return radius_of(scores, trials, coverage)


def radius_of(
    scores: NDArray[np.float64],
    trials: NDArray[np.integer],
    coverage: float = 0.9,
    people: NDArray[np.integer] | None = None,
) -> float:
    """Return the radius of `conformal_radius` from what it is computed of.

    Parameters
    ----------
    scores : ndarray, shape (N,)
        Total variation of each window's truth and prediction.
    trials : ndarray of int, shape (N,)
        A number for each window's trial, 0 or more.
    coverage : float
    people : ndarray of int, shape (N,), optional
        A number for each window's person. Then people count as one each, and share their mass
        among their trials: the promise is made to a new person, of whom there are as many as
        people, not as many as trials, and it takes a larger radius.
    """
    sizes = np.bincount(trials)
    mass = 1 / sizes[trials]
    units = np.count_nonzero(sizes)
    if people is not None:
        rated = np.bincount(people, weights=mass)
        mass /= rated[people]
        units = np.count_nonzero(rated)
    order = np.argsort(scores, kind="stable")
    reached = np.cumsum(mass[order]) / (units + 1)
    # The sum of many shares may fall short of the level by rounding alone.
    enough = int(np.searchsorted(reached, coverage - 1e-9))
    return float(scores[order[enough]]) if enough < len(scores) else 1.0


_PRIOR_TRIALS = 2.0  # how many rated trials the population's spread counts for


def spread(shares: NDArray[np.floating]) -> float:
    """Return how far a person's rated trials (k, C) lie apart: their mean total variation.

    NaN for fewer than two trials.
    """
    first, second = np.triu_indices(len(shares), k=1)
    return float(total_variation(shares[first], shares[second]).mean()) if len(first) else math.nan


def scale(own: float, typical: float, count: int) -> float:
    """Return how much farther predictions for a person are off than for others, 1 for as much.

    Whose ratings vary much is predicted badly. The person's `own` spread over `count` trials is
    shrunk towards what is `typical` of others after as many, and its square root taken: half of
    what a person's first trials show goes on in the later ones. Scores that are divided by such a
    factor are still exchangeable between people, so that conformal radii keep their promise
    (normalised conformal prediction; Papadopoulos, Gammerman and Vovk 2008).
    """
    if not (math.isfinite(own) and typical > 0):
        return 1.0
    return math.sqrt((count * own / typical + _PRIOR_TRIALS) / (count + _PRIOR_TRIALS))


def coverage(
    truth: NDArray[np.floating],
    prediction: NDArray[np.floating],
    radius: float | NDArray[np.floating],
    groups: NDArray[np.str_] | None = None,
) -> float:
    """Return the share of windows whose truth lies within `radius`, averaged over trials.

    Parameters are those of `conformal_radius`; `radius` may have one value a window.
    """
    mass, trials = _mass(len(truth), groups)
    # The radius is itself one of the scores: compare with room for rounding.
    covered = total_variation(truth, prediction) <= np.asarray(radius) + 1e-12
    return float((mass * covered).sum() / trials)


def _mass(count: int, groups: NDArray[np.str_] | None) -> tuple[NDArray[np.float64], int]:
    """Return each window's share of its trial, and the number of trials."""
    if count == 0:
        raise ValueError("no windows: give at least one")
    if groups is None:
        return np.ones(count), count
    _, trial, sizes = np.unique(groups, return_inverse=True, return_counts=True)
    return 1 / sizes[trial], len(sizes)
