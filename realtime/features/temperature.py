"""Skin temperature: level and trend."""

from __future__ import annotations

from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from realtime.features.base import Feature, FeatureSet, Segment
from realtime.features.trend import slope, spread, tail

LOWEST, HIGHEST = 15.0, 45.0
"""degC between which worn skin lies; what is outside is a sensor off the skin or a wrong unit."""

RECENT = 10.0


class TemperatureFeatures(FeatureSet):
    """Features of skin temperature in degrees Celsius.

    Mean, standard deviation, minimum, maximum and slope as in Schmidt et al. 2018 (WESAD), and the
    mean of the last 10 s, which follows a change before the whole window does.
    """

    name: ClassVar[str] = "temperature"
    version: ClassVar[int] = 1
    features: tuple[Feature, ...] = (
        Feature("mean", "degC", 1.0),
        Feature("std", "degC", 5.0),
        Feature("min", "degC", 1.0),
        Feature("max", "degC", 1.0),
        Feature("slope", "degC/s", 10.0),
        Feature("recent_mean", "degC", 1.0),
    )

    def update(self, block: Segment) -> None:
        """Do nothing: the features need no more than the window itself."""

    def compute(self, window: Segment) -> NDArray[np.float64]:
        """Return the 6 features of a window."""
        out = np.full(len(self.features), np.nan)
        filtered = window.filtered[:, 0]
        level = filtered[filtered == filtered]
        if not len(level):
            return out
        out[:4] = *spread(level), level.min(), level.max()
        out[4] = slope(filtered, window.rate)
        recent = tail(filtered, window.rate, RECENT)
        if len(recent):
            out[5] = recent.sum() / len(recent)
        return out

    def quality(self, window: Segment) -> float:
        """Return the share of rows between 15 and 45 degC."""
        raw = window.raw[:, 0]
        if not len(raw):
            return 0.0
        return np.count_nonzero((raw >= LOWEST) & (raw <= HIGHEST)) / len(raw)
