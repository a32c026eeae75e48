"""The pace of a live stream: effective rate, gaps, and how long ago it last moved."""

from __future__ import annotations

import time
from collections import deque

import numpy as np
from numpy.typing import NDArray

RECENT = 10.0  # s of wall time that the current rate is measured over


class Pace:
    """Counts the samples of one stream, and the steps between their stamps.

    Rates are steps per second of the stream's own time, so a replay at any speed shows the
    recording's rate. Leaps of the clock and gaps are left out of them.

    Parameters
    ----------
    rate : float
        Nominal rate in 1/s; 0 for irregular streams, which have no gaps.

    Attributes
    ----------
    samples, gaps : int
        Samples seen; steps of more than 0.5 s and of more than three nominal periods.
    newest : float
        Stamp of the newest sample in seconds; -inf before the first.
    """

    def __init__(self, rate: float) -> None:
        self.samples = 0
        self.gaps = 0
        self.newest = -np.inf
        self._rate = rate
        self._gap = max(0.5, 3.0 / rate) if rate else np.inf
        self._arrived = time.monotonic()  # at first, when waiting began
        self._steps = 0
        self._span = 0.0
        self._recent: deque[tuple[float, int, float]] = deque()

    def arrived(self) -> None:
        """Note that samples have come, even if their stamps cannot be told yet."""
        self._arrived = time.monotonic()

    def count(self, times: NDArray[np.float64]) -> None:
        """Count samples with their stamps (s), of which there is at least one."""
        steps = np.diff(times, prepend=self.newest) if self.samples else np.diff(times)
        self.samples += len(times)
        self.newest = float(times[-1])
        # A stamp that is not a number compares false: it is neither pace nor gap.
        kept = steps[np.abs(steps) <= min(self._gap, RECENT)]
        if np.isfinite(self._gap):
            self.gaps += int(np.count_nonzero(steps > self._gap))
        span = float(kept.sum())
        self._steps += len(kept)
        self._span += span
        self._recent.append((time.monotonic(), len(kept), span))
        self._forget()

    @property
    def quiet(self) -> float:
        """Seconds of wall time since samples last came."""
        return time.monotonic() - self._arrived

    @property
    def patience(self) -> float:
        """Longest quiet in seconds that is still in pace; inf for rare events."""
        expected = self._rate or self.overall
        return max(1.0, 3.0 / expected) if self._rate or expected > 0.5 else np.inf

    @property
    def current(self) -> float:
        """Effective rate of the last 10 s in 1/s; 0 if nothing came."""
        self._forget()
        steps = sum(entry[1] for entry in self._recent)
        span = sum(entry[2] for entry in self._recent)
        return steps / span if span > 0 else 0.0

    @property
    def overall(self) -> float:
        """Effective rate since the first sample in 1/s."""
        return self._steps / self._span if self._span > 0 else 0.0

    def _forget(self) -> None:
        limit = time.monotonic() - RECENT
        while self._recent and self._recent[0][0] < limit:
            self._recent.popleft()
