"""The rolling distribution: the mean of a person's distributions over the last seconds."""

from __future__ import annotations

from collections import deque

import numpy as np
from numpy.typing import NDArray


class RollingMean:
    """Mean of the distributions of the last `horizon` seconds of event time."""

    def __init__(self, horizon: float = 30.0) -> None:
        self.horizon = horizon
        self._past: deque[tuple[float, NDArray[np.float64]]] = deque()

    def update(self, time: float, distribution: NDArray[np.float64]) -> NDArray[np.float64]:
        """Take in a distribution, shape (C,), and return the mean, shape (C,), summing to 1."""
        self._past.append((time, distribution))
        while self._past[0][0] <= time - self.horizon:
            self._past.popleft()
        mean = np.mean([values for _, values in self._past], axis=0)
        return mean / mean.sum()
