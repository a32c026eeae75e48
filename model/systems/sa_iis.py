"""SA-IIS: the maximum entropy model, fitted by improved iterative scaling (Geng 2016).

Written from the paper's description, since the library solves one equation after the other, which
takes a minute for each hundred features. What is ours:

- A column of ones stands beside the features.
- Each equation of a step is solved by Newton's method on the series of its exponential, for all
  features and emotions at once. A step is bounded where the series is exact to 2e-4; since the
  bound on the likelihood that the method climbs is concave in each weight, a bounded step climbs
  too, and the optimum is the same.
- It stops after 1000 steps, or when a step gains less than 1e-7 of summed KL divergence. The method
  is slow where features are many: 1000 steps over a hundred features stop short of the optimum.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray
from scipy.special import log_softmax

from model.systems.base import SideBySide, with_ones

STEPS = 1000
GAIN = 1e-7
"""Summed KL divergence that a step must gain."""

ORDER = 6
"""Of the series of exp(t) for |t| <= 1."""

NEWTON = 4


class SaIis(SideBySide):
    """The maximum entropy model p(emotion | x) ~ exp(w·x), fitted by iterative scaling.

    Starts from equal shares; nothing is random.
    """

    def learn(self, x: NDArray[np.float64], shares: NDArray[np.float64]) -> None:
        """Repeat steps until they gain nothing."""
        x = with_ones(x)
        size = np.abs(x).sum(axis=1, keepdims=True)
        reach = float(size.max())
        powers = (size / reach) ** np.arange(ORDER + 1)
        signed, unsigned = np.ascontiguousarray(x.T), np.ascontiguousarray(np.abs(x).T)
        wanted = signed @ shares
        self._weights = np.zeros((x.shape[1], shares.shape[1]))
        logs = log_softmax(x @ self._weights, axis=1)
        score = float((shares * logs).sum())
        for _ in range(STEPS):
            series = _series(signed, unsigned, np.exp(logs), powers)
            series[0] -= wanted
            self._weights += _roots(series) / reach
            logs = log_softmax(x @ self._weights, axis=1)
            before, score = score, float((shares * logs).sum())
            if score - before < GAIN:
                break

    def infer(self, x: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the model's distributions, shape (N, C)."""
        return np.exp(log_softmax(with_ones(x) @ self._weights, axis=1))


def _series(
    signed: NDArray[np.float64],
    unsigned: NDArray[np.float64],
    shares: NDArray[np.float64],
    powers: NDArray[np.float64],
) -> NDArray[np.float64]:
    """Return the coefficients of sum_i p_ic x_id exp(t sign(x_id) size_i), shape (order + 1, D, C).

    `signed` and `unsigned` are x and its magnitude, shape (D, N); `powers` has those of a window's
    size, shape (N, order + 1), for t counted in the largest size.
    """
    emotions = shares.shape[1]
    weighted = powers[:, :, None] * shares[:, None, :]
    terms = np.empty((powers.shape[1], len(signed), emotions))
    for start, x in ((0, signed), (1, unsigned)):
        part = weighted[:, start::2].reshape(len(shares), -1)
        terms[start::2] = (x @ part).reshape(len(x), -1, emotions).swapaxes(0, 1)
    return terms / np.array([math.factorial(m) for m in range(len(terms))])[:, None, None]


def _roots(series: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the root in [-1, 1] of each increasing polynomial, or the end nearest to it.

    The polynomial of a feature that is 0 in every window is 0; its root is 0.
    """
    slopes = series[1:] * np.arange(1, len(series))[:, None, None]
    t = np.zeros(series.shape[1:])
    for _ in range(NEWTON):
        value, slope = _polynomial(series, t), _polynomial(slopes, t)
        t = np.clip(t - np.divide(value, slope, out=np.zeros_like(t), where=slope > 0), -1, 1)
    return t


def _polynomial(coefficients: NDArray[np.float64], t: NDArray[np.float64]) -> NDArray[np.float64]:
    value = np.zeros_like(t)
    for one in coefficients[::-1]:
        value = value * t + one
    return value
