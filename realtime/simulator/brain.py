"""Scalp EEG of a simulated person, with blinks and mains hum."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from realtime.simulator.affect import Affect
from realtime.simulator.blinks import Blinks
from realtime.simulator.noise import ColouredNoise, band, pink

ELECTRODES: dict[str, tuple[float, float]] = {
    **{"Fp1": (-0.31, 0.95), "Fp2": (0.31, 0.95), "F7": (-0.81, 0.59), "F3": (-0.43, 0.56)},
    **{"Fz": (0.0, 0.59), "F4": (0.43, 0.56), "F8": (0.81, 0.59), "T3": (-1.0, 0.0)},
    **{"C3": (-0.59, 0.0), "Cz": (0.0, 0.0), "C4": (0.59, 0.0), "T4": (1.0, 0.0)},
    **{"T5": (-0.81, -0.59), "P3": (-0.43, -0.56), "P4": (0.43, -0.56), "T6": (0.81, -0.59)},
    **{"O1": (-0.31, -0.95), "O2": (0.31, -0.95)},
}
"""Rightward and forward coordinate of each electrode of the 10-20 system on a head of radius 1."""

BACKGROUND = (7.0, 0.2)
"""uV, 1/f activity, median and spread over people (of ln); neighbours share most of it."""

REACH = 0.7  # distance on the unit head within which two electrodes' background is alike

ALPHA = (10.0, 0.7)
"""Hz, peak of the alpha rhythm, mean and spread over people (Klimesch 1999), 3 Hz wide."""

ALPHA_SIZE = (9.0, 3.5)
"""uV of alpha at rest, over the occiput and over either half of the forehead."""

ALPHA_AROUSAL = 0.9
"""What full arousal takes from ln(alpha): alpha falls with arousal (Barry et al. 2007)."""

ASYMMETRY = 0.7
"""What full valence adds to ln(right) - ln(left) of frontal alpha: positive feelings go with an
active left forehead, that is with less alpha there (Davidson 1992; Coan and Allen 2004)."""

BETA_SIZE = 2.2  # uV over the frontal and central electrodes at rest
BETA_AROUSAL = 0.7
"""What full arousal adds to ln(beta) (Ray and Cole 1985; Katmah et al. 2021)."""

BLINK = (110.0, 0.25)
"""uV at Fp1 and Fp2, median and spread over people (of ln)."""

HUM = (1.5, 50.0)  # uV and Hz of mains hum, not the same at all electrodes
NOISE = 0.5  # uV, white, of each electrode

_PLACES = np.array(
    [(x, y, math.sqrt(max(0.0, 1.0 - x * x - y * y))) for x, y in ELECTRODES.values()]
)


def _near(place: tuple[float, float], reach: float) -> NDArray[np.float64]:
    """Return how strongly each electrode sees a source below a place of the head."""
    x, y = place
    source = np.array((x, y, math.sqrt(max(0.0, 1.0 - x * x - y * y))))
    return np.asarray(np.exp(-np.sum((_PLACES - source) ** 2, axis=1) / (2 * reach**2)))


_ALPHA = np.array([_near(p, 0.5) for p in ((0.0, -0.9), (-0.45, 0.65), (0.45, 0.65))])
_BETA = np.array([_near(p, 0.5) for p in ((-0.5, 0.4), (0.5, 0.4), (0.0, 0.0))])
_EYES = np.array([_near(p, 0.35) for p in ((-0.3, 0.95), (0.3, 0.95))]).sum(axis=0)
_EYES /= _EYES.max()


class Brain:
    """EEG in uV at `ELECTRODES`: alpha, beta and frontal asymmetry follow the hidden state."""

    def __init__(self, affect: Affect, blinks: Blinks, seed: int, rate: float) -> None:
        self._affect = affect
        self._blinks = blinks
        rng = np.random.default_rng([seed, 15])
        count = len(ELECTRODES)
        peak = float(np.clip(rng.normal(*ALPHA), 8.8, 11.5))
        self._size = float(BACKGROUND[0] * math.exp(BACKGROUND[1] * rng.standard_normal()))
        self._alpha_size = float(math.exp(0.35 * rng.standard_normal()))
        self._blink_size = float(BLINK[0] * math.exp(BLINK[1] * rng.standard_normal()))
        self._reactivity = float(np.clip(rng.normal(1.0, 0.3), 0.5, 1.6))
        self._hum = HUM[0] * rng.uniform(0.3, 1.7, count)
        self._hum_phase = float(rng.uniform(0.0, 2 * math.pi))
        apart = np.linalg.norm(_PLACES[:, None] - _PLACES, axis=2)
        self._mix = np.linalg.cholesky(np.exp(-((apart / REACH) ** 2) / 2) + 0.05 * np.eye(count)).T
        sources = np.random.default_rng([seed, 16]).spawn(4)
        self._background = ColouredNoise(sources[0], pink(rate), rate, count)
        self._alpha = ColouredNoise(sources[1], band(peak - 1.5, peak + 1.5, rate), rate, 3)
        self._beta = ColouredNoise(sources[2], band(14.0, 28.0, rate), rate, 3)
        self._noise = sources[3]

    def page(self, second: int, times: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return EEG in uV, shape (n, 18), at the times of one second, for each second in turn."""
        count = len(times)
        arousal, valence, _ = self._affect.course(times).T
        active = self._reactivity * (arousal - 0.2)  # 0.2 is rest
        lean = 0.5 * self._reactivity * ASYMMETRY * (valence - 0.5)
        occiput, forehead = ALPHA_SIZE
        calm = self._alpha_size * np.exp(-ALPHA_AROUSAL * active)
        alpha = self._alpha.page(count)
        alpha[:, 0] *= occiput * calm
        alpha[:, 1] *= forehead * calm * np.exp(-lean)
        alpha[:, 2] *= forehead * calm * np.exp(lean)
        beta = self._beta.page(count) * (BETA_SIZE * np.exp(BETA_AROUSAL * active))[:, None]
        eeg = self._size * (self._background.page(count) @ self._mix)
        eeg += alpha @ _ALPHA + beta @ _BETA
        eeg += self._blink_size * self._blinks.closure(times)[:, None] * _EYES
        eeg += np.sin(2 * math.pi * HUM[1] * times + self._hum_phase)[:, None] * self._hum
        return np.asarray(eeg + NOISE * self._noise.standard_normal(eeg.shape))
