"""Skin conductance in four numbers: level, spread, and the responses in the window."""

from __future__ import annotations

from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from realtime.features.base import Feature, Segment
from realtime.features.eda import EdaFeatures
from realtime.features.trend import spread


class EdaSummary(EdaFeatures):
    """Mean and standard deviation of skin conductance in uS; number and mean height of its SCRs.

    The responses are those of the set ``eda``, found in the same way, and so is the quality index.
    Their number is that of the whole window: it is missing until the window is full. Where the
    tonic part is missing for the whole window, there is no telling of responses.
    """

    name: ClassVar[str] = "eda_summary"
    version: ClassVar[int] = 1
    features: tuple[Feature, ...] = (
        Feature("EDA_Mean", "uS", 1.0),
        Feature("EDA_SD", "uS", 5.0),
        Feature("SCR_Peaks_N", "1", 10.0),
        Feature("SCR_Peaks_Amplitude_Mean", "uS", 10.0),
    )

    def compute(self, window: Segment) -> NDArray[np.float64]:
        """Return the 4 features of a window."""
        out = np.full(len(self.features), np.nan)
        filtered = window.filtered[:, 0]
        level = filtered[filtered == filtered]
        if not len(level):
            return out
        out[:2] = spread(level)
        tonic = self.tonic(window)
        if not (tonic == tonic).any():
            return out
        found = [r.amplitude for r in self.responses if window.start <= r.peak < window.stop]
        if window.seconds > self.window - 0.5 / self.rate:
            out[2] = len(found)
        if found:
            out[3] = sum(found) / len(found)
        return out
