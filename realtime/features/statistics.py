"""Plain statistics of a pulse wave or skin conductance: the signal, its changes, its spectrum.

The features of the MPCL and EmotionDict papers for PPG (27) and GSR (28).
"""

from __future__ import annotations

from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from realtime.features.base import Feature, FeatureSet, Segment
from realtime.features.eda import plausible_share
from realtime.features.spectrum import power_density
from realtime.features.trend import spread

BRIDGE = 0.5
"""Seconds: longer holes are not bridged for the spectrum, which is missing then. The filters of the
rigs that ship bridge as much."""

FLAT = 1.0
"""Seconds without any change after which a pulse wave is no measurement; the flattest part of a
beat lasts a tenth of it."""

WELCH = 256
"""Samples of one stretch of the Welch spectrum at most, as in scipy. The window of the dmer rig, 20
samples, is one stretch."""

_OF_SERIES = ("median", "mean", "std", "min", "max")
_OF_SPECTRUM = (*_OF_SERIES, "range")


def _entries(unit: str) -> tuple[Feature, ...]:
    """Return the 27 entries of a signal; all need a second of data."""
    found = []
    for series in ("x", "dx", "ddx"):
        found += [Feature(f"{series}_{name}", unit, 1.0) for name in _OF_SERIES]
        found += [Feature(f"{series}_{name}_share", "1", 1.0) for name in ("min", "max")]
    return (*found, *(Feature(f"fft_{name}", unit, 1.0) for name in _OF_SPECTRUM))


class SignalStatistics(FeatureSet):
    """Statistics of a signal of one channel, over windows of some seconds.

    x is the filtered signal, dx its first and ddx its second differences from sample to sample, in
    the signal's unit. For each: median, mean, standard deviation, minimum, maximum, share of
    samples that equal the minimum, share that equal the maximum. fft is the modulus of all lines
    of the discrete Fourier transform of x, without window or scale; of it: median, mean, standard
    deviation, minimum, maximum, range.

    Missing samples are left out; a difference exists only between neighbours that do. For the
    spectrum, holes of up to `BRIDGE` seconds are bridged by a straight line (at the window's edge
    they take their neighbour's value); with a longer one, and until the window is full, there is
    no spectrum, since its lines would be others.
    """

    def __init__(self, rate: float, channels: int, window: float) -> None:
        super().__init__(rate, channels, window)
        if channels != 1:
            raise ValueError(f"{self.name} with {channels!r} channels: needs 1")

    def update(self, block: Segment) -> None:
        """Do nothing: the features need no more than the window itself."""

    def compute(self, window: Segment) -> NDArray[np.float64]:
        """Return the features of a window; without a spectrum its entries are NaN."""
        out = np.full(len(self.features), np.nan)
        x = np.ascontiguousarray(window.filtered[:, 0])
        first = x[1:] - x[:-1]
        for place, series in enumerate((x, first, first[1:] - first[:-1])):
            kept = series[series == series]
            if len(kept):
                out[7 * place : 7 * place + 7] = _of_series(kept)
        if window.seconds > self.window - 0.5 / window.rate:
            whole = _bridged(x, window.rate)
            if whole is not None:
                self._spectra(out[21:], whole)
        return out

    def _spectra(self, out: NDArray[np.float64], x: NDArray[np.float64]) -> None:
        """Fill the entries after those of the series from a window without holes."""
        out[:6] = _of_spectrum(x)


class PpgStatistics(SignalStatistics):
    """The 27 statistics of a pulse wave."""

    name: ClassVar[str] = "ppg_statistics"
    version: ClassVar[int] = 1
    features: tuple[Feature, ...] = _entries("a.u.")

    def quality(self, window: Segment) -> float:
        """Return the share of rows that measure.

        Rows count that are there, part of no stretch of `FLAT` seconds without any change, and no
        member of a stretch of three or more at the window's minimum or maximum (clipped).
        """
        raw = window.raw[:, 0]
        if not len(raw):
            return 0.0
        good = raw == raw
        run = np.concatenate(([0], np.cumsum(raw[1:] != raw[:-1])))
        length = np.bincount(run)[run]
        good &= length < max(2, round(FLAT * window.rate))
        clipped = (raw == np.fmin.reduce(raw)) | (raw == np.fmax.reduce(raw))
        good &= ~(clipped & (length >= 3))
        return np.count_nonzero(good) / len(raw)


class GsrStatistics(SignalStatistics):
    """The 27 statistics of skin conductance, and the mean of its Welch power spectrum."""

    name: ClassVar[str] = "gsr_statistics"
    version: ClassVar[int] = 1
    features: tuple[Feature, ...] = (*_entries("uS"), Feature("psd_mean", "uS^2/Hz", 1.0))

    def _spectra(self, out: NDArray[np.float64], x: NDArray[np.float64]) -> None:
        super()._spectra(out, x)
        length = min(WELCH, len(x))
        stretches = np.lib.stride_tricks.sliding_window_view(x, length)[:: max(1, length // 2)]
        away = stretches - stretches.sum(axis=1, keepdims=True) / length
        out[6] = power_density(away, self.rate)[1].mean()

    def quality(self, window: Segment) -> float:
        """Return the share of rows that are plausible skin conductance, as the set ``eda`` does."""
        return plausible_share(window.raw[:, 0], window.rate)


def _of_series(values: NDArray[np.float64]) -> tuple[float, ...]:
    """Median, mean, standard deviation, minimum, maximum, shares at the minimum and maximum."""
    ranked = np.sort(values)
    n = len(ranked)
    low, high = ranked[0], ranked[-1]
    at_low = int(np.searchsorted(ranked, low, side="right"))
    at_high = n - int(np.searchsorted(ranked, high, side="left"))
    return (_middle(ranked), *spread(values), low, high, at_low / n, at_high / n)


def _of_spectrum(x: NDArray[np.float64]) -> tuple[float, ...]:
    """Median, mean, standard deviation, minimum, maximum and range of the modulus of the DFT."""
    half = np.abs(np.fft.rfft(x))
    # The lines above half the rate mirror those below.
    modulus = np.concatenate((half, half[1 : (len(x) + 1) // 2]))
    ranked = np.sort(modulus)
    low, high = ranked[0], ranked[-1]
    return (_middle(ranked), *spread(modulus), low, high, high - low)


def _middle(ranked: NDArray[np.float64]) -> float:
    """Median of sorted values."""
    n = len(ranked)
    return float(0.5 * (ranked[(n - 1) // 2] + ranked[n // 2]))


def _bridged(x: NDArray[np.float64], rate: float) -> NDArray[np.float64] | None:
    """Return a window with its holes bridged, or None where one is longer than `BRIDGE`."""
    present = x == x
    if present.all():
        return x
    at = np.flatnonzero(present)
    longest = np.diff(np.concatenate(([-1], at, [len(x)]))).max() - 1
    if not len(at) or longest > round(BRIDGE * rate):
        return None
    return np.interp(np.arange(len(x)), at, x[at])
