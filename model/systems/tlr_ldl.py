"""TLR-LDL: low-rank label correlation through an auxiliary multi-label task (Kou et al. 2024).

"Exploiting Multi-Label Correlation in Label Distribution Learning", IJCAI 2024, arXiv 2308.01742:
linear regression X W on the distributions D, while X W, mixed over windows by a matrix O, has to
tell the logical labels L (the largest shares that make half of a distribution) with a low trace
norm; fitted by ADMM. Follows the corrected update rules that python-ldl documents, step for step,
with its settings. What is ours:

- A column of ones stands beside the features.
- O has as many rows and columns as there are windows, and the library inverts such a matrix in
  every step. After its first update O is X W B with B of C rows, so that nothing larger than
  windows × emotions is ever made; the numbers are the same.
- O starts at random like the library's, but its rows are divided by the number of windows, so that
  each takes a mean over them. The plain start makes O so large that X W hardly leaves 0.
- All 100 steps are made, instead of stopping when O and W hardly change.
- The regression promises no distribution. Its rows are projected onto the simplex, as the library
  does, and shares below 0.001 raised to that, without which KL divergence counts little else than
  the zeros of the projection.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from model.systems.base import SideBySide, with_ones
from model.systems.edl_lrl import low_rank

STEPS = 100
TRACE = 1e-3
"""Weight of the trace norm (alpha)."""

RIDGE = 1e-3
"""Weight of the squared sizes of W and O (beta)."""

PENALTY, GROWTH = 1e-3, 1.1
"""Of the constraint: at the first step, and how it grows."""

MAJORITY = 0.5
"""Share that the logical labels of a window make together."""

SMALLEST = 1e-3
"""Least predicted share, before dividing by the sum."""

BLOCK = 256
"""Rows of the random start that are made at a time."""


class TlrLdl(SideBySide):
    """Linear regression on distributions with a low-rank multi-label task beside it."""

    def learn(self, x: NDArray[np.float64], shares: NDArray[np.float64]) -> None:
        """Run the ADMM."""
        x = with_ones(x)
        count, emotions = shares.shape
        logical = logical_labels(shares)
        # What follows keeps the letters of the paper, transposed as in the library.
        mixed = _random_mixture(x, self.seed)
        Z = np.ones((count, emotions))
        V = np.ones((count, emotions))
        penalty = PENALTY
        gram, moments = x.T @ x, x.T @ shares
        for _ in range(STEPS):
            aim = logical + penalty * Z - V
            left = gram + 2 * RIDGE * np.eye(x.shape[1]) + (1 + penalty) * mixed.T @ mixed
            W = np.linalg.solve(left, mixed.T @ aim + moments)
            P = x @ W
            inner = P.T @ P
            B = np.linalg.solve((1 + penalty) * inner + 2 * RIDGE * np.eye(emotions), aim.T)
            mixed = B.T @ (P.T @ x)
            told = (inner @ B).T
            Z = low_rank(told + V / penalty, TRACE / penalty)
            V = V + penalty * (told - Z)
            penalty *= GROWTH
        self._weights = W

    def infer(self, x: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the regression on the simplex, shape (N, C)."""
        return np.maximum(on_simplex(with_ones(x) @ self._weights), SMALLEST)


def on_simplex(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the nearest distribution to each row, shape (N, C).

    Sorts a row and finds how much to take off all of it (Held, Wolfe and Crowder 1974).
    """
    falling = -np.sort(-values, axis=1)
    excess = (np.cumsum(falling, axis=1) - 1) / np.arange(1, values.shape[1] + 1)
    last = (falling > excess).sum(axis=1) - 1
    return np.maximum(values - excess[np.arange(len(values)), last][:, None], 0)


def logical_labels(shares: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return 1 for the largest shares that together reach a half, 0 elsewhere, shape (N, C)."""
    order = np.argsort(shares, axis=1, kind="stable")[:, ::-1]
    sums = np.cumsum(np.take_along_axis(shares, order, axis=1), axis=1)
    chosen = np.empty(shares.shape)
    # Those before the sum is reached, and the one that reaches it.
    np.put_along_axis(chosen, order, (sums < MAJORITY).astype(float), axis=1)
    last = np.take_along_axis(order, np.argmax(sums >= MAJORITY, axis=1)[:, None], axis=1)
    np.put_along_axis(chosen, last, 1.0, axis=1)
    return chosen


def _random_mixture(x: NDArray[np.float64], seed: int) -> NDArray[np.float64]:
    """Return transposed O times X for an O of random numbers over the rows' count, shape (N, D)."""
    random = np.random.default_rng(seed)
    mixed = np.zeros_like(x)
    for start in range(0, len(x), BLOCK):
        part = x[start : start + BLOCK]
        mixed += random.random((len(part), len(x))).T @ part
    return mixed / len(x)
