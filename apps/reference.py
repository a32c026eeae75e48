"""A person's own reference: mean positive and negative shares during the baseline."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from realtime.engine import Result


class Reference:
    """Means of the shares over the windows of a stated baseline.

    Parameters
    ----------
    negative : ndarray of bool, shape (C,)
        Which emotions are negative.
    """

    def __init__(self, negative: NDArray[np.bool_]) -> None:
        self._negative = negative
        self._stretch: tuple[float, float] | None = None
        self._shares: list[float] = []

    def update(
        self, result: Result, stretch: tuple[float, float] | None
    ) -> dict[str, float] | None:
        """Take in a window and return the reference, or None while no baseline is stated."""
        if stretch is None:
            return None
        if self._stretch is None or self._stretch[0] != stretch[0]:
            self._shares = []
        self._stretch = stretch
        if stretch[0] < result.window.time <= stretch[1]:
            self._shares.append(float(result.distribution[self._negative].sum()))
        if not self._shares:
            return None
        negative = float(np.mean(self._shares))
        return {"positive": 1.0 - negative, "negative": negative}
