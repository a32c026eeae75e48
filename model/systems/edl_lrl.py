"""EDL-LRL: low-rank label correlations inside clusters of windows (Jia et al. 2019).

"Facial Emotion Distribution Learning by Exploiting Low-Rank Label Correlations Locally", CVPR 2019:
softmax regression on KL divergence and squared weights, plus the trace norm of the predictions
inside each cluster of alike windows. Written from the paper's description:

    sum_i KL(d_i | p_i) + RIDGE / 2 |W|² + TRACE sum_g |P_g|_*

fitted by ADMM on copies Z_g of the clusters' predictions P_g, whose singular values are
thresholded, while W follows by L-BFGS. What is ours:

- A column of ones stands beside the features.
- Clusters are those of k-means on the features, five of them; the weights of the terms and the
  penalty of the constraint are below. The published values are for features of faces.
- The step of W is a few iterations of L-BFGS from where the last one ended.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize
from scipy.special import log_softmax
from sklearn.cluster import KMeans

from model.systems.base import SideBySide, with_ones

CLUSTERS = 5
RIDGE = 1.0
TRACE = 0.1
PENALTY = 1.0
STEPS = 30
INNER = 20
"""Iterations of L-BFGS in a step."""

Array = NDArray[np.float64]


class EdlLrl(SideBySide):
    """Softmax regression whose predictions have a low trace norm inside clusters.

    Parameters
    ----------
    seed : int
    trace : float
        Weight of the trace norm; 0 leaves softmax regression.
    """

    def __init__(self, seed: int = 0, trace: float = TRACE) -> None:
        super().__init__(seed)
        self.trace = trace

    def learn(self, x: Array, shares: Array) -> None:
        """Run the ADMM."""
        means = KMeans(min(CLUSTERS, len(x)), n_init=10, random_state=self.seed)
        cluster = means.fit_predict(x)
        groups = [np.flatnonzero(cluster == number) for number in range(means.n_clusters)]
        x = with_ones(x)
        weights = np.zeros((x.shape[1], shares.shape[1]))
        weights, predicted = _follow(x, shares, weights, None, STEPS * INNER)
        if self.trace > 0:
            # Scaled ADMM: `off` sums up how far the copies have been from the predictions.
            off = np.zeros_like(shares)
            for _ in range(STEPS):
                copies = np.empty_like(shares)
                for rows in groups:
                    copies[rows] = low_rank(predicted[rows] + off[rows], self.trace / PENALTY)
                off += predicted - copies
                weights, predicted = _follow(x, shares, weights, copies - off, INNER)
        self._weights = weights

    def infer(self, x: Array) -> Array:
        """Return the model's distributions, shape (N, C)."""
        return np.exp(log_softmax(with_ones(x) @ self._weights, axis=1))


def low_rank(values: Array, by: float) -> Array:
    """Return the matrix with its singular values lessened: the proximal step of the trace norm."""
    left, sizes, right = np.linalg.svd(values, full_matrices=False)
    return np.asarray((left * np.maximum(sizes - by, 0)) @ right)


def _follow(
    x: Array, shares: Array, start: Array, aim: Array | None, iterations: int
) -> tuple[Array, Array]:
    """Return weights that fit the shares, and stay near `aim` if there is one, and predictions."""

    def objective(flat: Array) -> tuple[float, Array]:
        weights = flat.reshape(start.shape)
        logs = log_softmax(x @ weights, axis=1)
        predicted = np.exp(logs)
        value = -(shares * logs).sum() + RIDGE / 2 * (flat**2).sum()
        pull = predicted - shares
        if aim is not None:
            away = PENALTY * (predicted - aim)
            value += (away**2).sum() / (2 * PENALTY)
            pull += predicted * (away - (away * predicted).sum(axis=1, keepdims=True))
        return float(value), (x.T @ pull + RIDGE * weights).ravel()

    found = minimize(
        objective, start.ravel(), jac=True, method="L-BFGS-B", options={"maxiter": iterations}
    )
    weights = found.x.reshape(start.shape)
    return weights, np.exp(log_softmax(x @ weights, axis=1))
