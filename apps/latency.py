"""Latency: from the arrival of the sample that completes a window to its published prediction."""

from __future__ import annotations

import math
from collections import deque

import numpy as np


class Latency:
    """Keeps the latest latencies and their percentiles.

    A sample arrives when the poll that brings it returns; LSL does not say how long it lay in the
    queue, which is at most one polling interval.
    """

    def __init__(self, kept: int = 3600) -> None:
        self._seconds: deque[float] = deque(maxlen=kept)

    def add(self, seconds: float) -> None:
        """Take in one latency; NaN is passed over."""
        if math.isfinite(seconds):
            self._seconds.append(seconds)

    def summary(self) -> dict[str, float | None]:
        """Return the median and the 99th percentile in milliseconds; None without any."""
        if not self._seconds:
            return {"p50": None, "p99": None}
        p50, p99 = np.percentile(self._seconds, [50, 99]) * 1e3
        return {"p50": round(float(p50), 3), "p99": round(float(p99), 3)}
