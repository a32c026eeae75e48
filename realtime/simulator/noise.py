"""Noise of a given spectrum, made second by second with carried state."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray
from scipy import signal

WARM_UP = 5.0  # s that the filter runs before the first sample, so that it starts in its stride


def band(low: float, high: float, rate: float) -> NDArray[np.float64]:
    """Return second-order sections that pass a band in Hz; edges above the rate's half give way.

    A band that lies above what the rate can hold as a whole ends at 0.45 of the rate, and starts at
    half of that.
    """
    high = min(high, 0.45 * rate)
    return np.asarray(
        signal.butter(2, (min(low, high / 2), high), "bandpass", fs=rate, output="sos")
    )


def pink(rate: float) -> NDArray[np.float64]:
    """Return second-order sections that make white noise fall with 1/f (power) above 0.5 Hz.

    Each pair of a pole and a zero an octave above it lowers the amplitude to a half; pairs that lie
    two octaves apart thus give an amplitude that goes with the root of 1/f.
    """
    corners = 0.5 * 4.0 ** np.arange(math.ceil(math.log(rate, 4.0)))
    poles, zeros = -2 * math.pi * corners, -4 * math.pi * corners
    digital = signal.bilinear_zpk(zeros, poles, 1.0, fs=rate)
    return np.asarray(signal.zpk2sos(*digital))


class ColouredNoise:
    """Independent channels of Gaussian noise with one spectrum, each of unit variance.

    Parameters
    ----------
    rng : numpy.random.Generator
        Used for nothing else.
    sections : ndarray, shape (k, 6)
        The filter, as `scipy.signal.sosfilt` takes it.
    rate : float
        Samples per second.
    channels : int
    """

    def __init__(
        self,
        rng: np.random.Generator,
        sections: NDArray[np.float64],
        rate: float,
        channels: int = 1,
    ) -> None:
        self._rng = rng
        self._sections = sections
        impulse = np.zeros(int(4 * WARM_UP * rate))
        impulse[0] = 1.0
        response = signal.sosfilt(sections, impulse)
        self._gain = 1.0 / math.sqrt(float(response @ response))
        self._state = np.zeros((len(sections), 2, channels))
        self.page(int(WARM_UP * rate))

    def page(self, count: int) -> NDArray[np.float64]:
        """Return the next samples, shape (count, channels)."""
        white = self._rng.standard_normal((count, self._state.shape[2]))
        coloured, self._state = signal.sosfilt(self._sections, white, axis=0, zi=self._state)
        return np.asarray(coloured * self._gain)
