"""Movement: statistics of acceleration per axis and of its magnitude, and stillness."""

from __future__ import annotations

from functools import lru_cache
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from realtime.features.base import Feature, FeatureSet, Segment

STILL = 0.013
"""g; a second whose magnitude has a smaller standard deviation is still (van Hees et al. 2013 use
13 mg to tell an unworn from a worn wrist accelerometer)."""

POSTURE = 0.2
"""Hz below which acceleration is change of posture, not movement (van Hees et al. 2013); the peak
frequency is looked for above."""

GRAVITY = (0.7, 1.3)
"""g between which the median magnitude of a worn, calibrated accelerometer lies."""

FLAT = 30.0
"""Seconds without any change on any axis after which the sensor does not measure. A resting E4
repeats one value for up to 25 s (WESAD, S17): its step is 1/64 g."""

RECENT = 10.0

AXES = ("x", "y", "z")


def entries_of(series: tuple[str, ...]) -> tuple[Feature, ...]:
    """Return the entries that `describe` fills for each of some series, in its order."""
    each = (
        ("mean", "g", 1.0),
        ("std", "g", 1.0),
        ("integral", "g*s", 10.0),
        ("peak_frequency", "Hz", 10.0),
    )
    return tuple(Feature(f"{s}_{name}", unit, needs) for s in series for name, unit, needs in each)


class AccFeatures(FeatureSet):
    """Features of acceleration in g, gravity included, axes x, y, z.

    For each axis and the magnitude: mean, standard deviation, absolute integral of the mean-free
    signal, and peak frequency (Schmidt et al. 2018, WESAD). Where samples are missing, and while a
    window is not full yet, the integral is scaled to the whole window. `still` is the share of
    seconds in which the magnitude hardly changes.
    """

    name: ClassVar[str] = "acc"
    version: ClassVar[int] = 1
    features: tuple[Feature, ...] = (
        *entries_of((*AXES, "magnitude")),
        Feature("recent_magnitude_std", "g", 1.0),
        Feature("still", "1", 5.0),
    )

    def __init__(self, rate: float, channels: int, window: float) -> None:
        super().__init__(rate, channels, window)
        if channels != 3:
            raise ValueError(f"acceleration with {channels!r} channels: needs 3, x, y and z")

    def update(self, block: Segment) -> None:
        """Do nothing: the features need no more than the window itself."""

    def compute(self, window: Segment) -> NDArray[np.float64]:
        """Return the 18 features of a window."""
        n = len(window.filtered)
        out = np.full(len(self.features), np.nan)
        if not n:
            return out
        # One row a series: rows are contiguous, and every sum below runs along them.
        series = np.empty((4, n))
        series[:3] = window.filtered.T
        np.sqrt(np.einsum("ij,ij->j", series[:3], series[:3]), out=series[3])
        statistics, present = describe(series, window.rate, self.window)
        out[:16] = statistics.ravel()
        magnitude, known = series[3], present[3]
        last = slice(-max(1, round(RECENT * window.rate)), None)
        recent = magnitude[last][known[last]]
        if len(recent):
            out[16] = recent.std()
        out[17] = _still(magnitude, known, window.rate)
        return out

    def quality(self, window: Segment) -> float:
        """Return the share of rows in which all axes measure.

        A row counts that lies in no stretch of `FLAT` seconds without any change on any axis. A
        median magnitude that cannot be gravity (a wrong unit, a dead axis) gives 0.
        """
        raw = window.raw
        if not len(raw):
            return 0.0
        axes = np.ascontiguousarray(raw.T)
        squared = np.einsum("ij,ij->j", axes, axes)
        good = np.isfinite(squared)
        if not good.any():
            return 0.0
        magnitude = np.sqrt(np.median(squared[good]))
        if not GRAVITY[0] <= magnitude <= GRAVITY[1]:
            return 0.0
        changed = axes[:, 1:] != axes[:, :-1]
        run = np.zeros(len(raw), dtype=np.intp)
        np.cumsum(changed[0] | changed[1] | changed[2], out=run[1:])
        good &= np.bincount(run)[run] < max(2, round(FLAT * window.rate))
        return np.count_nonzero(good) / len(raw)


def describe(
    series: NDArray[np.float64], rate: float, seconds: float
) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """Describe series of acceleration.

    Parameters
    ----------
    series : ndarray of float64, shape (n_series, n_samples)
        In g, NaN where missing. It is changed in place: its mean is taken off, and missing
        samples become 0.
    rate : float
        Samples per second.
    seconds : float
        Length of a whole window, to which the integral is scaled.

    Returns
    -------
    statistics : ndarray of float64, shape (n_series, 4)
        Mean, standard deviation, absolute integral of the mean-free series, peak frequency.
    present : ndarray of bool, shape (n_series, n_samples)
    """
    total = series.sum(axis=1)
    whole = bool(np.isfinite(total).all())
    present = np.ones(series.shape, dtype=np.bool_) if whole else series == series
    counts = present.sum(axis=1)
    if not whole:
        series[~present] = 0.0
        total = series.sum(axis=1)
    mean = total / counts
    series -= mean[:, None]
    if not whole:
        series[~present] = 0.0
    statistics = np.empty((len(series), 4))
    statistics[:, 0] = mean
    statistics[:, 1] = np.sqrt(np.einsum("ij,ij->i", series, series) / counts)
    statistics[:, 2] = np.abs(series).sum(axis=1) / counts * seconds
    statistics[:, 3] = _peak_frequency(series, rate)
    return statistics, present


def _peak_frequency(series: NDArray[np.float64], rate: float) -> NDArray[np.float64]:
    """Frequency of the largest spectral line above `POSTURE` of each row, in Hz."""
    n = series.shape[1]
    length = 1 << (n - 1).bit_length()
    spectrum = np.fft.rfft(series * _hanning(n), length, axis=1)
    power = spectrum.real**2 + spectrum.imag**2
    first = int(np.ceil(POSTURE * length / rate))
    power = power[:, first:]
    if not power.shape[1]:
        return np.full(len(series), np.nan)
    line = power.argmax(axis=1)
    frequency: NDArray[np.float64] = (line + first) * rate / length
    frequency[power[np.arange(len(series)), line] <= 0] = np.nan
    return frequency


@lru_cache(maxsize=16)
def _hanning(length: int) -> NDArray[np.float64]:
    return np.hanning(length)


def _still(magnitude: NDArray[np.float64], known: NDArray[np.bool_], rate: float) -> float:
    """Share of whole seconds, counted from the window's end, in which the magnitude is still."""
    second = max(2, round(rate))
    seconds = len(magnitude) // second
    if not seconds:
        return np.nan
    rows = slice(len(magnitude) - seconds * second, None)
    blocks = magnitude[rows].reshape(seconds, second)
    complete = known[rows].reshape(seconds, second).all(axis=1)
    if not complete.any():
        return np.nan
    spread = blocks[complete].std(axis=1)
    return float((spread < STILL).mean())
