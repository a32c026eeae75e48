"""What every system that predicts distributions has in common."""

from __future__ import annotations

from typing import Protocol

import numpy as np
from numpy.typing import NDArray

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
