"""How ratings of one person hang together over trials, and what a few of them tell of the next."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import nnls

MEMORIES = (0.5, 0.6, 0.7, 0.8, 0.85, 0.9, 0.95)
_LEAST_NOISE = 0.05  # of a single rating's variance: nobody repeats a rating exactly


@dataclass(frozen=True, slots=True)
class SerialVariance:
    """Covariance of a person's ratings, summed over emotions, by how many trials lie between them.

    Two ratings of one person that are `l` trials apart have the covariance
    ``person + drift * memory**l``; a rating's own variance has `noise` on top. The person stays
    what they are, a mood fades, and the rest is chance.

    Attributes
    ----------
    person, drift, noise : float
        Variances in squared shares, not negative; `noise` above 0.
    memory : float
        Correlation of the mood from one trial to the next, 0 to 1.
    trials : int
        How many trials a person typically rates.
    """

    person: float
    drift: float
    memory: float
    noise: float
    trials: int

    def __post_init__(self) -> None:
        if not (self.person >= 0 and self.drift >= 0 and self.noise > 0 and self.trials > 0):
            raise ValueError(f"{self}: variances must not be negative, noise and trials above 0")
        if not 0 <= self.memory <= 1:
            raise ValueError(f"memory {self.memory} is not within 0 and 1")

    def weights(self, count: int) -> NDArray[np.float64]:
        """Return how much each of the last `count` ratings tells of the coming ones, in order.

        The best linear prediction of the mean of the trials still to come (simple kriging; Cressie
        1993, "Statistics for Spatial Data", section 3.2), of deviations from the population mean.
        The weights sum to less than 1; the rest stays with the population.
        """
        order = np.arange(count)
        own = self._covariance(np.abs(np.subtract.outer(order, order)))
        own[order, order] += self.noise
        coming = np.arange(count, max(self.trials, count + 1))
        shared = self._covariance(np.subtract.outer(coming, order)).mean(axis=0)
        return np.asarray(np.linalg.solve(own, shared))

    def shift(
        self, reported: NDArray[np.floating], predicted: NDArray[np.floating]
    ) -> tuple[NDArray[np.float64], float]:
        """Return what brings predictions towards a person's rated trials, in order.

        Parameters
        ----------
        reported, predicted : ndarray, shape (k, C)
            Of each trial.

        Returns
        -------
        shift : ndarray of float64, shape (C,)
            To be added to predictions (`model.adaptation.shifted`); sums to 0.
        keep : float
            Below which share of what it was no share may fall, 0 to 1.
        """
        weights = self.weights(len(reported))
        keep = float(np.clip(1 - weights.sum(), 0.0, 1.0))
        return np.asarray(weights @ (np.asarray(reported) - predicted), dtype=np.float64), keep

    def _covariance(self, lag: NDArray[np.integer]) -> NDArray[np.float64]:
        return np.asarray(self.person + self.drift * self.memory**lag)


UNKNOWN = SerialVariance(person=0.0002, drift=0.0039, memory=0.95, noise=0.0068, trials=12)
"""What EmoPairCompete's 24 people give; where the training people cannot tell."""


def serial_variance(
    shares: NDArray[np.floating], groups: NDArray[np.str_], trials: NDArray[np.str_]
) -> SerialVariance:
    """Estimate the covariances from people who rated several trials each.

    Products of deviations from the mean over people are averaged by lag, and the model is fitted
    to them by non-negative least squares, weighted by the number of pairs.

    Parameters
    ----------
    shares : ndarray, shape (N, C)
        Labels of windows, in order of time inside a person.
    groups, trials : ndarray of str, shape (N,)
        The person and the trial of each.

    Returns
    -------
    SerialVariance
        `UNKNOWN` where fewer than three people have at least three trials.
    """
    rated = [
        in_order(shares[groups == one], trials[groups == one])[1] for one in dict.fromkeys(groups)
    ]
    if sum(len(one) >= 3 for one in rated) < 3:
        return UNKNOWN
    centre = np.mean([one.mean(axis=0) for one in rated], axis=0)
    longest = max(len(one) for one in rated)
    total, pairs = np.zeros(longest), np.zeros(longest)
    for one in rated:
        products = (one - centre) @ (one - centre).T
        for lag in range(len(one)):
            diagonal = np.diagonal(products, lag)
            total[lag] += diagonal.sum()
            pairs[lag] += len(diagonal)
    # The mean over people takes one degree of freedom of as many as there are people.
    covariance = total / pairs * len(rated) / (len(rated) - 1)
    # Lags that few pairs tell of would only add noise.
    lags = np.arange(1, longest)
    root = np.sqrt(pairs[1:])
    best: tuple[float, float, NDArray[np.float64]] | None = None
    for memory in MEMORIES:
        design = np.column_stack([np.ones(len(lags)), memory**lags])
        found, rest = nnls(design * root[:, None], covariance[1:] * root)
        if best is None or rest < best[0]:
            best = rest, memory, found
    assert best is not None
    _, memory, (person, drift) = best
    noise = max(covariance[0] - person - drift, _LEAST_NOISE * covariance[0], 1e-12)
    typical = int(np.median([len(one) for one in rated]))
    return SerialVariance(float(person), float(drift), memory, float(noise), typical)


def in_order(
    values: NDArray[np.floating], trials: NDArray[np.str_]
) -> tuple[tuple[str, ...], NDArray[np.float64]]:
    """Return the trials in order of their first rows, and the mean of the rows (N, C) of each."""
    names = tuple(dict.fromkeys(trials.tolist()))
    means = [np.asarray(values[trials == name], dtype=np.float64).mean(axis=0) for name in names]
    return names, np.array(means)
