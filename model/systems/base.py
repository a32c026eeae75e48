"""What every system that predicts distributions has in common."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Protocol

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

from model.batch import Batch, Labels
from realtime.errors import InputError


class System(Protocol):
    """Anything that can be fitted to rated windows and asked about others."""

    def fit(self, batch: Batch, labels: Labels, groups: NDArray[np.str_]) -> object:
        """Learn from N rated windows.

        Parameters
        ----------
        batch : Batch
        labels : Labels
        groups : ndarray of str, shape (N,)
            The person of each window.
        """
        ...

    def predict(self, batch: Batch) -> NDArray[np.floating]:
        """Return distributions, shape (N, C): non-negative rows that sum to 1."""
        ...


def check_labels(labels: Labels) -> None:
    """Refuse labels that nothing can be learned from.

    Raises
    ------
    InputError
        If there are none, or one is not finite, negative, or does not sum to 1.
    """
    shares = labels.distribution
    if not len(shares):
        raise InputError("0 rated windows to train on: give recordings with complete ratings")
    if not np.isfinite(shares).all():
        raise InputError(
            f"{int((~np.isfinite(shares)).any(axis=1).sum())} training labels are not finite "
            "(NaN): leave windows without a complete rating out"
        )
    if (shares < 0).any() or np.abs(shares.sum(axis=1) - 1).max() > 1e-5:
        raise InputError("a training label is no distribution: shares must be >= 0 and sum to 1")


def complete(labels: Labels) -> NDArray[np.bool_]:
    """Return which windows have every emotion rated, shape (N,)."""
    if labels.items is None:
        return np.ones(len(labels), dtype=bool)
    return np.asarray(labels.items.all(axis=1))


def distributions(values: NDArray[np.floating], floor: float = 0.0) -> NDArray[np.float64]:
    """Make rows into distributions: clipped from below, divided by their sum.

    A row without anything above `floor` becomes equal shares.

    Parameters
    ----------
    values : ndarray, shape (N, C)
    floor : float
        Smallest value before dividing.

    Raises
    ------
    FloatingPointError
        If a value is not finite: what made it has diverged.
    """
    if not np.isfinite(values).all():
        raise FloatingPointError(
            f"{int((~np.isfinite(values)).any(axis=1).sum())} of {len(values)} predictions are not "
            "finite: the method has diverged on these features"
        )
    shares = np.clip(np.asarray(values, dtype=np.float64), floor, None)
    shares[shares.sum(axis=1) == 0] = 1
    return np.asarray(shares / shares.sum(axis=1, keepdims=True))


class SideBySide(ABC):
    """A system that sees the features of all modalities in one row, masked ones as 0.

    Windows whose label lacks some emotions (of data with another label set) are not used, nor is
    who the person was. Runs on one thread, so that sums are added in the same order everywhere.

    Parameters
    ----------
    seed : int
    """

    def __init__(self, seed: int = 0) -> None:
        self.seed = seed
        self._modalities: tuple[str, ...] = ()

    def fit(self, batch: Batch, labels: Labels, groups: NDArray[np.str_]) -> None:
        """Learn from the completely rated windows; `groups` plays no part."""
        check_labels(labels)
        rows = complete(labels)
        if not rows.any():
            raise InputError(
                f"none of {len(labels)} rated windows has all {labels.distribution.shape[1]} "
                "emotions rated: give recordings with complete ratings"
            )
        self._modalities = batch.modalities
        with threadpool_limits(limits=1):
            self.learn(self.inputs(batch)[rows], labels.distribution[rows])

    def predict(self, batch: Batch) -> NDArray[np.float64]:
        """Return distributions, shape (N, C)."""
        if not self._modalities:
            raise RuntimeError("predict was called before fit")
        with threadpool_limits(limits=1):
            return distributions(self.infer(self.inputs(batch)))

    def inputs(self, batch: Batch) -> NDArray[np.float64]:
        """Return the features side by side, masked ones as 0, shape (N, D)."""
        names = self._modalities or batch.modalities
        parts = [np.where(batch.mask[n][:, None], batch.features[n], 0) for n in names]
        return np.concatenate(parts, axis=1, dtype=np.float64)

    @abstractmethod
    def learn(self, x: NDArray[np.float64], shares: NDArray[np.float64]) -> None:
        """Learn from features, shape (N, D), and distributions, shape (N, C)."""

    @abstractmethod
    def infer(self, x: NDArray[np.float64]) -> NDArray[np.floating]:
        """Return what becomes distributions once clipped and divided by the sum, shape (N, C)."""


def with_ones(x: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return features with a column of ones, shape (N, D + 1).

    Linear methods are published without an intercept, for features that are not centred; on
    normalised ones they could not even say the mean label.
    """
    return np.column_stack([x, np.ones(len(x))])
