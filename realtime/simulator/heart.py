"""Heart beats of a simulated person, and the pulse wave at the wrist."""

from __future__ import annotations

import math
from bisect import bisect_left

import numpy as np
from numpy.typing import NDArray

from realtime.simulator.affect import Affect
from realtime.simulator.movement import Movement

RESTING_RATE = (71.0, 7.0)
"""1/min, mean and standard deviation over people; 72 is the median of 12 people at rest (WESAD)."""

STRESS_RATE = 15.0
"""1/min that full stress adds; WESAD's wrists show 13.5 on average (speech before a jury)."""

BREATHING = (0.24, 0.06)
"""Hz at rest, and what full stress adds (Boiten et al. 1994)."""

RESPIRATORY, SLOW, RANDOM = 0.053, 0.054, 0.016
"""Amplitudes of the three parts of heart-rate variability, as shares of the inter-beat interval:
with breathing, the 0.1-Hz wave of blood pressure, and without pattern. At rest they give SDNN near
46 ms and RMSSD near 43 ms; the norms of short recordings are 50 and 42 (Nunan et al. 2010)."""

WITHDRAWAL = 0.55
"""Share by which full stress lowers the part that breathing makes: vagal withdrawal, the most
consistent effect of stress on heart-rate variability (Kim et al. 2018)."""

AMPLITUDE = (90.0, 0.25)
"""Median height of a pulse in a.u. of the E4's BVP, and its spread over people (of ln)."""

CONSTRICTION = 0.25
"""Share by which full stress lowers the pulse: constricted vessels of the skin (Allen 2007)."""

UNEVEN = (0.12, 0.20, 0.10)
"""What breathing, the 0.1-Hz wave and chance do to ln(height) of a pulse."""

ARTEFACT = 700.0
"""a.u. of BVP per g of movement. WESAD's stress widens the range of BVP by 37 %, though pulses get
smaller, since people move more. It hides half of the beats then; WESAD's is worse still."""

NOISE = 1.5  # a.u., white

# Wave of one pulse as Gaussians: (seconds after the beat, width in s, height). The first two are
# the systolic and the dicrotic wave; the third makes the area zero, as an E4's BVP has no constant
# part.
_WAVES = ((0.20, 0.075, 1.0), (0.46, 0.09, 0.38), (0.32, 0.26, 0.0))
_NULL = -sum(width * height for _, width, height in _WAVES[:2]) / _WAVES[2][1]
_CENTRES = np.array([centre for centre, _, _ in _WAVES])
_WIDTHS = np.array([width for _, width, _ in _WAVES])
_HEIGHTS = np.array([_WAVES[0][2], _WAVES[1][2], _NULL])
_BEFORE, _AFTER = 0.8, 1.4  # s around a beat in which its wave is not zero


class Heart:
    """Beats from a rate that follows stress, breathing and slow waves; a pulse wave for each.

    Parameters
    ----------
    affect : Affect
    movement : Movement
        Disturbs the pulse signal.
    seed : int
    """

    def __init__(self, affect: Affect, movement: Movement, seed: int) -> None:
        self._affect = affect
        self._movement = movement
        self._rng = np.random.default_rng([seed, 1])
        self._noise = np.random.default_rng([seed, 2])
        self.resting_rate = float(np.clip(self._rng.normal(*RESTING_RATE), 56.0, 88.0))
        self.reactivity = float(np.clip(self._rng.normal(1.0, 0.35), 0.5, 1.8))
        self._height = float(AMPLITUDE[0] * np.exp(AMPLITUDE[1] * self._rng.standard_normal()))
        self._breath = float(self._rng.uniform(0.0, 2 * math.pi))
        self._wave = float(self._rng.uniform(0.0, 2 * math.pi))
        self._next = -_AFTER
        self.beats: list[float] = []
        self.intervals: list[float] = []
        self._heights: list[float] = []

    def advance(self, second: int) -> None:
        """Decide the beats around the next second; `intervals` follow each of `beats`."""
        while self._next < second + 1 + _BEFORE:
            self._beat()
        first = bisect_left(self.beats, second - _AFTER)
        del self.beats[:first], self.intervals[:first], self._heights[:first]

    def page(self, second: int, times: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the pulse signal in a.u. at the times of the second just decided."""
        since = (times[:, None] - np.array(self.beats))[:, :, None]
        waves = np.exp(-0.5 * ((since - _CENTRES) / _WIDTHS) ** 2) @ _HEIGHTS
        pulse: NDArray[np.float64] = waves @ np.array(self._heights)
        pulse += ARTEFACT * self._movement.disturbance(times)
        return pulse + NOISE * self._noise.standard_normal(len(times))

    def _beat(self) -> None:
        time = self._next
        state = self._affect.state(max(time, 0.0))
        rate = self.resting_rate + self.reactivity * STRESS_RATE * state.stress
        interval = 60.0 / rate
        # Phases advance with each beat, so that a changing breathing rate makes no jump.
        vary = (
            RESPIRATORY * (1.0 - WITHDRAWAL * state.stress) * math.sin(self._breath)
            + SLOW * math.sin(self._wave)
            + RANDOM * self._rng.standard_normal()
        )
        interval *= 1.0 + vary
        self._breath += 2 * math.pi * (BREATHING[0] + BREATHING[1] * state.stress) * interval
        self._wave += 2 * math.pi * 0.1 * interval
        height = self._height * (1.0 - CONSTRICTION * state.stress)
        breath, wave, noise = UNEVEN
        height *= math.exp(
            breath * math.sin(self._breath)
            + wave * math.sin(self._wave)
            + noise * self._rng.standard_normal()
        )
        self.beats.append(time)
        self.intervals.append(interval)
        self._heights.append(height)
        self._next = time + interval
