"""Spectra: windowed power spectral density, band power, peak frequency."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray


@lru_cache(maxsize=64)
def hann(length: int) -> NDArray[np.float64]:
    """Return the periodic Hann window of a length, read-only."""
    phase = np.arange(length, dtype=np.float64) * (2.0 * np.pi / length)
    window: NDArray[np.float64] = 0.5 - 0.5 * np.cos(phase)
    window.flags.writeable = False
    return window


def power_density(
    rows: NDArray[np.float64], rate: float, lines: int | None = None
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Power spectral density of signals under a Hann window.

    Parameters
    ----------
    rows : ndarray of float64, shape (..., n_samples)
        One signal a row, without NaN. No mean is taken off.
    rate : float
        Samples per second.
    lines : int, optional
        Points of the FFT; longer than the signal means zero padding.

    Returns
    -------
    frequencies : ndarray of float64, shape (n_lines,)
        In Hz.
    density : ndarray of float64, shape (..., n_lines)
        One-sided, in the signal's unit squared per Hz, as `scipy.signal.periodogram` scales it.
    """
    count = rows.shape[-1]
    lines = count if lines is None else lines
    window = hann(count)
    spectrum = np.fft.rfft(rows * window, lines)
    density = spectrum.real**2 + spectrum.imag**2
    density *= 2.0 / (rate * float(window @ window))
    density[..., 0] *= 0.5
    if lines % 2 == 0:
        density[..., -1] *= 0.5
    frequencies = np.arange(density.shape[-1], dtype=np.float64) * (rate / lines)
    return frequencies, density


def band_power(
    frequencies: NDArray[np.float64], density: NDArray[np.float64], low: float, high: float
) -> NDArray[np.float64]:
    """Power in the band [low, high): the trapezoid rule over its lines.

    Parameters
    ----------
    frequencies : ndarray of float64, shape (n_lines,)
        Evenly spaced, rising.
    density : ndarray of float64, shape (..., n_lines)

    Returns
    -------
    ndarray of float64, shape (...)
        NaN where the band holds fewer than two lines.
    """
    first, last = np.searchsorted(frequencies, (low, high)).tolist()
    if last - first < 2:
        return np.full(density.shape[:-1], np.nan)
    band = density[..., first:last]
    ends = 0.5 * (band[..., 0] + band[..., -1])
    power: NDArray[np.float64] = (band.sum(axis=-1) - ends) * (frequencies[1] - frequencies[0])
    return power


def peak_frequency(
    frequencies: NDArray[np.float64], density: NDArray[np.float64], low: float, high: float
) -> NDArray[np.float64]:
    """Frequency in Hz of the strongest line in [low, high).

    Parameters
    ----------
    frequencies : ndarray of float64, shape (n_lines,)
        Rising.
    density : ndarray of float64, shape (..., n_lines)

    Returns
    -------
    ndarray of float64, shape (...)
        NaN where the band holds no line or no power.
    """
    first, last = np.searchsorted(frequencies, (low, high)).tolist()
    if last <= first:
        return np.full(density.shape[:-1], np.nan)
    band = density[..., first:last]
    peak = frequencies[first + band.argmax(axis=-1)]
    return np.where(band.max(axis=-1) > 0, peak, np.nan)
