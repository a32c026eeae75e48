"""A webcam before a simulated person: frames of the drawn face, or their texture alone."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from realtime.features import lbp_top
from realtime.simulator.affect import Affect
from realtime.simulator.blinks import Blinks
from realtime.simulator.face import RATE, Face


class Camera:
    """Draws the frames of a second, and those that the texture of its edges needs.

    Parameters
    ----------
    affect : Affect
    blinks : Blinks
    seed : int
    rate : float
        Must be 30: the texture is defined for it.
    """

    def __init__(self, affect: Affect, blinks: Blinks, seed: int, rate: float) -> None:
        if rate != RATE:
            raise ValueError(f"a camera with {rate:g} frames a second: must be {RATE:g}")
        self._face = Face(affect, blinks, seed)
        # The first frame's texture looks at frames before it.
        self._first = self._next = -lbp_top.TEMPORAL_RADIUS
        self._drawn = np.empty((0, lbp_top.SIZE, lbp_top.SIZE), np.uint8)

    def frames(self, second: int, times: NDArray[np.float64]) -> NDArray[np.uint8]:
        """Return grey levels, shape (30, 128, 128), of one second, for each second in turn."""
        first = int(second * RATE)
        return self._frames(first, first + len(times))

    def texture(self, second: int, times: NDArray[np.float64]) -> NDArray[np.int16]:
        """Return counts, shape (30, 768), of the frames of one second, for each second in turn."""
        first, reach = int(second * RATE), lbp_top.TEMPORAL_RADIUS
        frames = self._frames(first - reach, first + len(times) + reach)
        return lbp_top.texture_counts(frames)

    def _frames(self, first: int, last: int) -> NDArray[np.uint8]:
        """Return some frames, and forget those before the first."""
        fresh = self._face.draw(self._next, last)
        drawn = np.concatenate([self._drawn, fresh])[first - self._first :]
        self._first, self._next, self._drawn = first, last, drawn
        return drawn
