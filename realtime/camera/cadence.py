"""From a camera's own pace to an exact grid of 30 frames a second.

Each stamp of the grid is served by one frame, whole: frames are never mixed, since a mixture would
have a texture of its own. A camera of 60 frames a second serves every other frame; one of 15 serves
each frame twice, so that texture over time (three and four stamps away) still compares different
frames. Where no frame is near, as while a camera is away, the grid has a gap.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from realtime.features.lbp_top import RATE

REACH = 2.5
"""Steps of the grid between a stamp and the frame that serves it, at most: cameras of 15 frames a
second and, in the dark, of 7.5 have no gaps."""

STICKY = 0.7
"""Steps that a frame may lie from a stamp which would otherwise get the same frame as the one
before. A camera of 30 frames a second whose phase drifts past half a step would otherwise repeat
and leave out frames by turns."""

MARGIN = 0.2
"""Steps by which the later of two frames must be nearer to be preferred."""

Frame = NDArray[np.uint8]


class Cadence:
    """Puts frames on the grid; the first one's time is the grid's first stamp.

    Attributes
    ----------
    repeated, left_out : int
        Stamps that got the same frame as the one before, and frames that no stamp needed.
    """

    def __init__(self) -> None:
        self.repeated = 0
        self.left_out = 0
        self._start: float | None = None
        self._next = 0
        self._frame: Frame | None = None
        self._position = -math.inf
        self._served = 0  # stamps that the last frame has served

    def stamp(self, index: int) -> float:
        """Return the time of a place of the grid, in seconds."""
        assert self._start is not None
        return self._start + index / RATE

    def push(self, time: float, frame: Frame) -> list[tuple[int, Frame]]:
        """Take in a frame and return the places of the grid, with their frames, up to its time.

        Parameters
        ----------
        time : float
            Capture time in seconds. A frame that is not later than the last one is left out; but
            if it lies more than a second before, the clock was reset, and the grid begins anew.
        frame : ndarray of uint8

        Returns
        -------
        list of (int, ndarray of uint8)
            Index on the grid and frame, rising. A repeated frame is the same object.
        """
        if not math.isfinite(time):
            self.left_out += 1
            return []
        if self._start is None:
            self._start = time
        position = (time - self._start) * RATE
        if position < self._position - RATE:
            # Places on the grid go on rising, whatever their times do.
            self._start = time - self._next / RATE
            position = float(self._next)
            self._frame, self._position, self._served = None, -math.inf, 0
        if position <= self._position:
            self.left_out += 1
            return []
        out: list[tuple[int, Frame]] = []
        served = 0  # stamps that this frame has served
        last = math.floor(position + 1e-6)
        while self._next <= last:
            before, after = self._next - self._position, abs(position - self._next)
            later = served or after + MARGIN < before or (self._served and after <= STICKY)
            if (after if later else before) > REACH:
                # Between two frames that are far apart lies a gap.
                self._next = max(self._next + 1, math.ceil(position - REACH))
                continue
            if later or self._frame is None:
                out.append((self._next, frame))
                self.repeated += served > 0
                served += 1
            else:
                out.append((self._next, self._frame))
                self.repeated += self._served > 0
                self._served += 1
            self._next += 1
        if self._frame is not None and not self._served:
            self.left_out += 1
        self._frame, self._position, self._served = frame, position, served
        return out
