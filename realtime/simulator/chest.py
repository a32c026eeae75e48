"""What a simulated person's chest strap and electrodes measure: ECG, muscle tone and the trunk."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from realtime.simulator.affect import Affect
from realtime.simulator.heart import BREATHING, Heart
from realtime.simulator.movement import Movement
from realtime.simulator.noise import ColouredNoise, band

WAVES = {
    "P": (-0.165, 0.024, 0.12),
    "Q": (-0.028, 0.009, -0.10),
    "R": (0.0, 0.011, 1.15),
    "S": (0.030, 0.010, -0.22),
    "T": (0.290, 0.048, 0.28),
}
"""Centre in s from the R peak, width in s, and height in mV of each wave of a beat (lead II of an
adult: Malmivuo and Plonsey 1995, chapter 15). A sum of Gaussians, after McSharry et al. (2003)."""

SCALED = ("P", "T")
"""Waves whose distance from the R peak goes with the root of the beat's length (Bazett 1920)."""

R_SPREAD = 0.2  # of ln(height) over people

WANDER = (0.06, 0.12)
"""mV of baseline wander with breathing, and of a slow sway of the electrodes."""

ECG_NOISE = 0.006  # mV, white

ECG_MUSCLE = 0.6
"""mV of muscle artefact in the ECG per mV of muscle activity: electrodes over the chest's muscles
pick up some of it."""

ECG_ARTEFACT = 1.2
"""mV in the ECG per g of movement, below 10 Hz as movement is."""

TONE = (0.008, 0.35)
"""mV, muscle activity at rest, median and spread over people (of ln); RMS of WESAD's trapezius
channel is of this order."""

TONE_STRESS = 0.8
"""What full stress adds to ln(tone): mental stress raises the trapezius' activity (Lundberg et al.
1994; Wijsman et al. 2013)."""

TONE_MOVEMENT = 0.25
"""mV of muscle activity per g of movement."""

EMG_BAND = (20.0, 250.0)  # Hz, where the power of surface EMG lies (Merletti and Parker 2004)

TRUNK = 0.35
"""Share of the wrist's fidgets that reaches the trunk."""

TRUNK_BREATH = 0.012  # g, by which breathing tilts the chest
TRUNK_SWAY = 0.03  # rad, slow sway of someone seated
TRUNK_NOISE = 0.003  # g, white

_CENTRES, _WIDTHS, _HEIGHTS = (np.array(column) for column in zip(*WAVES.values(), strict=True))
_IS_SCALED = np.array([name in SCALED for name in WAVES])


class Tone:
    """Activity of the trapezius in mV: noise that grows with stress and with movement."""

    def __init__(
        self, affect: Affect, movement: Movement, rng: np.random.Generator, rate: float
    ) -> None:
        self._affect = affect
        self._movement = movement
        self._rest = float(TONE[0] * math.exp(TONE[1] * rng.standard_normal()))
        self._reactivity = float(np.clip(rng.normal(1.0, 0.35), 0.4, 1.8))
        self._noise = ColouredNoise(rng, band(*EMG_BAND, rate), rate)

    def page(self, second: int, times: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return muscle activity in mV at the times of one second, for each second in turn."""
        stress = self._affect.course(times)[:, 2]
        level = self._rest * np.exp(self._reactivity * TONE_STRESS * stress)
        level += TONE_MOVEMENT * np.abs(self._movement.disturbance(times))
        return np.asarray(level * self._noise.page(len(times))[:, 0])


class Electrocardiogram:
    """ECG in mV: P, Q, R, S and T waves of the heart's own beats, wander, noise and artefacts.

    The R peak of a beat lies at the beat's time; its pulse wave reaches the wrist 0.2 s later.
    """

    def __init__(
        self, affect: Affect, heart: Heart, movement: Movement, seed: int, rate: float
    ) -> None:
        self._heart = heart
        self._movement = movement
        rng = np.random.default_rng([seed, 10])
        self._height = float(math.exp(R_SPREAD * rng.standard_normal()))
        self._phases = rng.uniform(0.0, 2 * math.pi, 2)
        self._noise = np.random.default_rng([seed, 11])
        # Another muscle than that of the EMG electrodes, with a tone of its own.
        self._muscle = Tone(affect, movement, rng, rate)

    def page(self, second: int, times: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the ECG in mV at the times of one second, for each second in turn."""
        beats = np.array(self._heart.beats)
        lengths = np.sqrt(np.array(self._heart.intervals))[:, None]
        centres = np.where(_IS_SCALED, _CENTRES * lengths, _CENTRES)
        since = (times[:, None] - beats)[:, :, None]
        waves = np.exp(-0.5 * ((since - centres) / _WIDTHS) ** 2) @ _HEIGHTS
        ecg = self._height * waves.sum(axis=1)
        breath, sway = WANDER
        ecg += breath * np.sin(2 * math.pi * BREATHING[0] * times + self._phases[0])
        ecg += sway * np.sin(2 * math.pi * 0.05 * times + self._phases[1])
        ecg += ECG_ARTEFACT * self._movement.disturbance(times)
        ecg += ECG_MUSCLE * self._muscle.page(second, times)
        return np.asarray(ecg + ECG_NOISE * self._noise.standard_normal(len(times)))


class Trunk:
    """Acceleration of the trunk in g, shape (n, 3): upright, with breathing, sway and fidgets."""

    def __init__(self, movement: Movement, seed: int) -> None:
        self._movement = movement
        rng = np.random.default_rng([seed, 12])
        self._noise = np.random.default_rng([seed, 13])
        # Forward and sideways lean in rad of someone seated.
        self._lean = rng.normal((0.25, 0.0), (0.1, 0.06))
        self._phases = rng.uniform(0.0, 2 * math.pi, 3)

    def page(self, second: int, times: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return acceleration in g at the times of one second, for each second in turn."""
        forward, side = (
            lean + TRUNK_SWAY * np.sin(2 * math.pi * frequency * times + phase)
            for lean, frequency, phase in zip(
                self._lean, (0.021, 0.034), self._phases[:2], strict=True
            )
        )
        forward = forward + TRUNK_BREATH * np.sin(
            2 * math.pi * BREATHING[0] * times + self._phases[2]
        )
        gravity = np.column_stack(
            (np.cos(forward) * np.cos(side), np.sin(side), np.sin(forward) * np.cos(side))
        )
        trunk = gravity + TRUNK * self._movement.shake(times)
        return np.asarray(trunk + TRUNK_NOISE * self._noise.standard_normal(trunk.shape))
