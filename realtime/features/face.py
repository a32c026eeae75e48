"""Face texture: LBP-TOP histograms of the frames of a window."""

from __future__ import annotations

from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from realtime.features.base import Feature, FeatureSet, Segment
from realtime.features.lbp_top import BINS, LABELS, PLANES, has_face

FEWEST = 0.5
"""Share of a window's frames that must show a face."""


class FaceFeatures(FeatureSet):
    """LBP-TOP histograms (Zhao and Pietikäinen 2007) of the frames that show a face.

    The counts of the window's frames are added up, and each plane is divided by its sum: share of
    pixels with each pattern. Missing when fewer than half of the frames show a face.
    """

    name: ClassVar[str] = "face"
    version: ClassVar[int] = 1
    features: tuple[Feature, ...] = tuple(Feature(label, "1", 1.0) for label in LABELS)

    def __init__(self, rate: float, channels: int, window: float) -> None:
        super().__init__(rate, channels, window)
        if channels != len(LABELS):
            raise ValueError(f"face texture with {channels!r} channels: needs {len(LABELS)}")

    def update(self, block: Segment) -> None:
        """Do nothing: the features need no more than the window itself."""

    def compute(self, window: Segment) -> NDArray[np.float64]:
        """Return the 768 features of a window."""
        counts = window.filtered
        found = has_face(counts)
        if np.count_nonzero(found) < max(FEWEST * len(counts), 1):
            return np.full(len(LABELS), np.nan)
        # Whole numbers: their sums are exact in any order.
        planes = counts[found].sum(axis=0).reshape(len(PLANES), BINS)
        return np.asarray((planes / planes.sum(axis=1, keepdims=True)).ravel(), dtype=np.float64)

    def quality(self, window: Segment) -> float:
        """Return the share of frames that show a face."""
        if not len(window.raw):
            return 0.0
        return np.count_nonzero(has_face(window.raw)) / len(window.raw)
