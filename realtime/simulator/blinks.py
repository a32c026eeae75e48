"""When a simulated person blinks: seen by the EEG's frontal electrodes and by the camera."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from realtime.simulator.affect import Affect

RATE = (14.0, 14.0)
"""Blinks a minute at rest, and what full stress adds: 17 a minute at rest (Bentivoglio et al.
1997), and more under stress (Giannakakis et al. 2017)."""

REFRACTORY = 0.4  # s between two blinks at least

LASTS = (0.10, 0.18)
"""s in which the lid closes and opens again: together about 0.3 s (VanderWerf et al. 2003)."""

_AHEAD = 2.0  # s beyond the second just decided; the camera's texture looks 4 frames ahead


class Blinks:
    """Moments of the lids' closure, as a renewal process whose rate follows stress."""

    def __init__(self, affect: Affect, seed: int) -> None:
        self._affect = affect
        self._rng = np.random.default_rng([seed, 14])
        self._habit = float(np.clip(np.exp(0.3 * self._rng.standard_normal()), 0.5, 2.0))
        self._next = float(self._rng.exponential(4.0))
        self.moments: list[float] = []

    def advance(self, second: int) -> None:
        """Decide the blinks until two seconds after the next second's start."""
        while self._next < second + _AHEAD:
            self.moments.append(self._next)
            rest, stress = RATE
            rate = self._habit * (rest + stress * self._affect.state(self._next).stress)
            self._next += REFRACTORY + float(self._rng.exponential(60.0 / rate))
        while self.moments and self.moments[0] < second - 2.0:
            del self.moments[0]

    def closure(self, times: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return how far the lids are closed, 0 to 1, near the second just decided."""
        if not self.moments:
            return np.zeros(len(times))
        since = times[:, None] - np.array(self.moments)
        closing, opening = LASTS
        part = np.clip(1.0 + np.where(since < 0, since / closing, -since / opening), 0.0, 1.0)
        shape = 0.5 - 0.5 * np.cos(np.pi * part)
        return np.asarray(shape.max(axis=1))
