"""What a network is taught: means, weights and shaping of labels over few people."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from model.batch import Labels


def person_weights(groups: NDArray[np.str_]) -> NDArray[np.float64]:
    """Return weights of windows, shape (N,), of mean 1 with which all people weigh the same."""
    _, person, counts = np.unique(groups, return_inverse=True, return_counts=True)
    return np.asarray(len(groups) / (len(counts) * counts[person]))


def mean_distribution(
    labels: Labels, weights: NDArray[np.float64] | None = None
) -> NDArray[np.float64]:
    """Return the weighted mean distribution, shape (C,).

    Where a window has not all items rated, the mean itself stands in for the others: the result
    is the fixed point of that, reached by iteration. Items that nobody rated share equally.
    """
    if weights is None:
        weights = np.ones(len(labels))
    mean = np.full(labels.distribution.shape[1], 1 / labels.distribution.shape[1])
    for _ in range(1 if labels.items is None else 200):
        new = np.average(completed(labels, mean), axis=0, weights=weights)
        change = np.abs(new - mean).max()
        mean = new
        if change < 1e-12:
            break
    return np.asarray(mean / mean.sum())


def completed(labels: Labels, mean: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return labels over all items, shape (N, C): unrated ones take their share of `mean`."""
    if labels.items is None:
        return labels.distribution
    mass = np.where(labels.items, mean, 0.0).sum(axis=1, keepdims=True)
    return np.where(labels.items, labels.distribution * mass, mean)


def shape_labels(
    labels: Labels,
    groups: NDArray[np.str_],
    mean: NDArray[np.float64],
    intensity: float,
    centring: float,
    smoothing: float,
) -> Labels:
    """Move each person's mean label towards `mean`, then mix `mean` into every label.

    Ratings are mostly personal style, which no sensor shows; what changes inside a person is what
    a stranger's sensors can tell.

    Parameters
    ----------
    labels : Labels
        N windows.
    groups : ndarray of str, shape (N,)
        The person of each.
    mean : ndarray, shape (C,)
        Mean distribution of the training people.
    intensity : float
        Their mean intensity.
    centring : float
        Share of a person's difference from the means that is taken out, 0 to 1.
    smoothing : float
        Share of `mean` in the result, 0 to 1.

    Returns
    -------
    Labels
        Shares that would fall below 0 are 0; rows sum to 1 over the rated items.
    """
    shares = completed(labels, mean).copy()
    strength = labels.intensity.copy()
    for person in np.unique(groups):
        rows = groups == person
        shares[rows] += centring * (mean - shares[rows].mean(axis=0))
        known = rows & np.isfinite(strength)
        if known.any():
            strength[known] += centring * (intensity - strength[known].mean())
    shares = np.maximum(shares, 0.0)
    shares = (1 - smoothing) * shares / shares.sum(axis=1, keepdims=True) + smoothing * mean
    if labels.items is not None:
        shares = np.where(labels.items, shares, 0.0)
        shares /= shares.sum(axis=1, keepdims=True)
    return Labels(shares, np.clip(strength, 0.0, 1.0), labels.items)


def mean_intensity(labels: Labels, weights: NDArray[np.float64] | None = None) -> float:
    """Return the weighted mean of the known intensities; 0.5 where none is known."""
    known = np.isfinite(labels.intensity)
    if not known.any():
        return 0.5
    chosen = None if weights is None else weights[known]
    return float(np.average(labels.intensity[known], weights=chosen))
