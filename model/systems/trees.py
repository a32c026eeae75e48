"""Extremely randomised trees on window features (Geurts, Ernst and Wehenkel 2006)."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from sklearn.ensemble import ExtraTreesRegressor

from model.batch import Batch, Labels
from model.systems.base import check_labels, complete

TREES = 200
LEAF = 20
"""Windows in the smallest leaf; the setting of the project's reference figures."""


class Trees:
    """Trees on all features of the batch.

    Windows whose label lacks some emotions (of data with another label set) are not used.

    Parameters
    ----------
    seed : int
    """

    def __init__(self, seed: int = 0) -> None:
        self._forest = ExtraTreesRegressor(
            n_estimators=TREES, min_samples_leaf=LEAF, random_state=seed, n_jobs=1
        )

    def fit(self, batch: Batch, labels: Labels, groups: NDArray[np.str_]) -> None:
        """Grow the trees; `groups` plays no part."""
        check_labels(labels)
        rows = complete(labels)
        self._forest.fit(self.inputs(batch)[rows], labels.distribution[rows])

    def predict(self, batch: Batch) -> NDArray[np.float64]:
        """Return the mean of the leaves' distributions, shape (N, C)."""
        shares = np.clip(self._forest.predict(self.inputs(batch)), 0, None)
        return np.asarray(shares / shares.sum(axis=1, keepdims=True))

    def inputs(self, batch: Batch) -> NDArray[np.floating]:
        """Return what the trees may look at, shape (N, D)."""
        return np.concatenate([batch.features[name] for name in batch.modalities], axis=1)


class Clock(Trees):
    """Trees on elapsed time alone: what the order of the protocol gives away."""

    def inputs(self, batch: Batch) -> NDArray[np.floating]:
        """Return seconds since the session's start, shape (N, 1)."""
        return batch.elapsed[:, None]


class Movement(Trees):
    """Trees on the accelerometer alone: what gestures and posture give away."""

    def inputs(self, batch: Batch) -> NDArray[np.floating]:
        """Return the accelerometer's features, shape (N, D)."""
        return batch.only(["acc"]).features["acc"]
