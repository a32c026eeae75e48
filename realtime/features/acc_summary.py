"""Movement of the trunk: the statistics of WESAD, one set an axis."""

from __future__ import annotations

from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from realtime.features.acc import AXES, AccFeatures, describe, entries_of
from realtime.features.base import Feature, Segment


class AccSummary(AccFeatures):
    """Features of acceleration in g, gravity included, axes x, y, z, without the magnitude.

    For each axis: mean, standard deviation, absolute integral of the mean-free signal, and peak
    frequency (Schmidt et al. 2018, WESAD), as the set ``acc`` has them; quality too is that of
    ``acc``.
    """

    name: ClassVar[str] = "acc_summary"
    version: ClassVar[int] = 1
    features: tuple[Feature, ...] = entries_of(AXES)

    def compute(self, window: Segment) -> NDArray[np.float64]:
        """Return the 12 features of a window."""
        if not len(window.filtered):
            return np.full(len(self.features), np.nan)
        series = window.filtered.T.copy()
        statistics, _ = describe(series, window.rate, self.window)
        return statistics.ravel()
