"""Skin conductance and skin temperature of a simulated person."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from realtime.simulator.affect import Affect

LEVEL = (0.65, 0.5)
"""Median level at rest in uS, and its spread over people (of ln). WESAD's wrists have a median of
0.54 uS at rest; levels are log-normal over people (Boucsein 2012)."""

LEVEL_RISE = 1.1
"""What full stress adds to ln(level): WESAD's people rise by a factor of 2 to 4 within 10 min."""

LEVEL_TIMES = (20.0, 90.0)
"""Time constants in s with which the level rises and falls: sweat comes fast and dries slowly."""

RESPONSE_RATE = (1.8, 11.0, 1.5)
"""SCRs a minute at rest, what full stress adds, and what arousal above that of rest adds. WESAD's
wrists show 1.4 at rest, 9.4 under stress and 1.3 with funny films."""

RESPONSE_SIZE = (0.05, 0.8, 0.6)
"""Median height of an SCR in uS for a person with a level of 0.65 uS, what full stress adds to its
logarithm, and the spread of that."""

RISE, DECAY = 0.75, 2.0
"""Time constants in s of the Bateman function of an SCR (Benedek and Kaernbach 2010)."""

CONDUCTANCE_NOISE = 0.0012  # uS, white; about one step of an E4

WARMTH = (33.6, 0.5)
"""degC at rest, mean and standard deviation over people; WESAD's median is 33.7."""

COOLING = 1.4
"""degC by which full stress would cool the wrist if it lasted (vessels of the skin constrict:
Vinkers et al. 2013)."""

COOLING_TIME = 600.0
"""Time constant in s of that. WESAD's slopes: +0.0003 degC/s at rest, -0.0010 under stress."""

WAVE, WAVE_PERIOD = 0.06, 240.0
"""degC and s of the slow waves of blood flow; within 60 s they move the wrist's temperature by the
0.02 degC (standard deviation) that WESAD shows at rest."""

WARMTH_NOISE = 0.008  # degC, white

_TOP = math.log(DECAY / RISE) / (1 / RISE - 1 / DECAY)
_SCALE = 1.0 / (math.exp(-_TOP / DECAY) - math.exp(-_TOP / RISE))


class Conductance:
    """Skin conductance in uS: a slow level, and Bateman-shaped responses at random moments.

    Responses come as a Poisson process whose rate follows stress and arousal.
    """

    def __init__(self, affect: Affect, seed: int) -> None:
        self._affect = affect
        self._rng = np.random.default_rng([seed, 3])
        self._noise = np.random.default_rng([seed, 4])
        self._base = float(
            np.clip(math.log(LEVEL[0]) + LEVEL[1] * self._rng.standard_normal(), -1.1, 1.1)
        )
        self._reactivity = float(np.clip(self._rng.normal(1.0, 0.35), 0.5, 1.8))
        self._log_level = self._target(0.0)
        self._onsets: list[float] = []
        self._sizes: list[float] = []

    def page(self, second: int, times: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return skin conductance in uS at the times of one second, for each second in turn."""
        state = self._affect.state(second + 0.5)
        before = self._log_level
        aim = self._target(second + 0.5)
        slowness = LEVEL_TIMES[0] if aim > before else LEVEL_TIMES[1]
        self._log_level = aim + (before - aim) * math.exp(-1.0 / slowness)
        level = np.exp(before + (self._log_level - before) * (times - second))
        rest, stress, arousal = RESPONSE_RATE
        rate = rest + stress * state.stress + arousal * max(0.0, state.arousal - 0.2)
        for onset in np.sort(second + self._rng.random(self._rng.poisson(rate / 60.0))):
            size = RESPONSE_SIZE[1] * state.stress + RESPONSE_SIZE[2] * self._rng.standard_normal()
            # People with a high level have large responses.
            size += math.log(RESPONSE_SIZE[0] / LEVEL[0]) + self._base
            self._onsets.append(float(onset))
            self._sizes.append(math.exp(min(size, 1.1)))
        # After 15 decay constants nothing of a response is left.
        while self._onsets and self._onsets[0] < second - 15 * DECAY:
            del self._onsets[0], self._sizes[0]
        if self._onsets:
            since = np.maximum(times[:, None] - np.array(self._onsets), 0.0)
            shapes = _SCALE * (np.exp(-since / DECAY) - np.exp(-since / RISE))
            level += shapes @ np.array(self._sizes)
        conductance: NDArray[np.float64] = level
        return conductance + CONDUCTANCE_NOISE * self._noise.standard_normal(len(times))

    def _target(self, time: float) -> float:
        return self._base + self._reactivity * LEVEL_RISE * self._affect.state(time).stress


class Warmth:
    """Skin temperature in degC: the wrist cools under stress, and warms again, over minutes."""

    def __init__(self, affect: Affect, seed: int) -> None:
        self._affect = affect
        rng = np.random.default_rng([seed, 5])
        self._noise = np.random.default_rng([seed, 6])
        self._base = float(np.clip(rng.normal(*WARMTH), 32.5, 34.7))
        self._reactivity = float(np.clip(rng.normal(1.0, 0.35), 0.4, 1.8))
        self._phase = float(rng.uniform(0.0, 2 * math.pi))
        self._temperature = self._base - self._reactivity * COOLING * affect.state(0.0).stress

    def page(self, second: int, times: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return skin temperature in degC at the times of one second, for each second in turn."""
        before = self._temperature
        aim = self._base - self._reactivity * COOLING * self._affect.state(second + 0.5).stress
        self._temperature = aim + (before - aim) * math.exp(-1.0 / COOLING_TIME)
        skin = before + (self._temperature - before) * (times - second)
        skin += WAVE * np.sin(2 * math.pi * times / WAVE_PERIOD + self._phase)
        return skin + WARMTH_NOISE * self._noise.standard_normal(len(times))
