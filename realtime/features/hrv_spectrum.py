"""Heart rate variability: the spectrum of a list of inter-beat intervals.

Names and definitions are NeuroKit2's (Pham et al. 2021), as in `realtime.features.hrv`.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.linalg.lapack import dgtsv

from realtime.features.hrv import LONGEST
from realtime.features.spectrum import band_power, power_density

FREQUENCY_DOMAIN = {
    "LF": "1",
    "HF": "1",
    "LFHF": "1",
    "LFn": "1",
    "HFn": "1",
    "LnHF": "1",
}
"""Names of the indices, in the order in which they are returned, with their units."""

BANDS = {
    "ULF": (0.0, 0.0033),
    "VLF": (0.0033, 0.04),
    "LF": (0.04, 0.15),
    "HF": (0.15, 0.4),
    "VHF": (0.4, 0.5),
}
"""Hz (Task Force of the ESC and NASPE 1996)."""

TACHOGRAM_RATE = 4.0
"""Hz to which intervals are interpolated for the spectrum, at least. NeuroKit2 uses 100 Hz; below
0.4 Hz the two spectra differ by 2 parts in 1000."""


def frequency_domain(
    times: NDArray[np.float64], intervals: NDArray[np.float64]
) -> dict[str, float]:
    """Indices of the spectrum of the interval series.

    Parameters
    ----------
    times, intervals : ndarray of float64, shape (n,)
        As for `band_powers`.

    Returns
    -------
    dict
        `FREQUENCY_DOMAIN`'s names; NaN with fewer than ten intervals, and where a band has too few
        lines (LF needs about 45 s).
    """
    return relative_powers(band_powers(times, intervals))


def relative_powers(power: dict[str, float]) -> dict[str, float]:
    """Return `FREQUENCY_DOMAIN`'s indices of the power in `BANDS`."""
    out = dict.fromkeys(FREQUENCY_DOMAIN, float("nan"))
    if not any(value == value for value in power.values()):
        return out
    low, high = np.float64(power["LF"]), np.float64(power["HF"])
    total = np.float64(sum(value for value in power.values() if value == value))
    out["LF"], out["HF"] = low, high
    out["LFHF"] = low / high
    out["LFn"] = low / total
    out["HFn"] = high / total
    out["LnHF"] = float(np.log(high))
    return out


def band_powers(times: NDArray[np.float64], intervals: NDArray[np.float64]) -> dict[str, float]:
    """Power of the interval series in each of `BANDS`.

    The series is interpolated, its mean taken off, and the power spectral density averaged over
    three Hann windows of half its length (Welch). Lines below four over the series' length are left
    out, and the density is divided by its maximum, both as in NeuroKit2: powers are relative.

    Parameters
    ----------
    times : ndarray of float64, shape (n,)
        Seconds at which each interval ends, rising.
    intervals : ndarray of float64, shape (n,)
        Seconds; NaN where missing or rejected. Holes are bridged by straight lines.

    Returns
    -------
    dict
        The names of `BANDS`; NaN with fewer than ten intervals, and where a band has fewer than two
        lines (LF needs about 45 s, VLF 125 s, ULF 25 min).
    """
    power = dict.fromkeys(BANDS, float("nan"))
    known = intervals == intervals
    times, values = times[known], intervals[known] * 1000.0
    if len(values) < 10:
        return power
    if not known.all():
        times, values = _bridge(times, values)
    length = float(times[-1] - times[0])
    half = 4 * int(np.ceil(length / 2.0 * TACHOGRAM_RATE / 4.0))
    series = _interpolate(times, values, times[0] + np.arange(2 * half) * (length / (2 * half)))
    series -= series.mean()
    quarter = half // 2
    segments = np.array([series[i : i + half] for i in (0, quarter, half)])
    frequencies, densities = power_density(segments, 2 * half / length, 2 * half)
    density = densities.sum(axis=0)
    peak = float(density.max())
    # What is left of a perfectly even rhythm is rounding.
    if not peak > 1e-12:
        return power
    density[:4] = 0.0
    density = density[4:] / peak
    frequencies = frequencies[4:]
    for name, (low, high) in BANDS.items():
        power[name] = float(band_power(frequencies, density, low, high))
    return power


def _bridge(
    times: NDArray[np.float64], values: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Fill holes with points on a straight line, a second apart: a spline alone would overshoot."""
    width = times[1:] - times[:-1]
    holes = np.flatnonzero(width > LONGEST)
    if not len(holes):
        return times, values
    pieces = np.rint(width[holes]).astype(np.int64)
    within = np.repeat(holes, pieces - 1)
    rank = np.arange(1, len(within) + 1) - np.repeat(np.cumsum(pieces - 1) - pieces + 1, pieces - 1)
    filled = times[within] + rank * (width[holes] / pieces).repeat(pieces - 1)
    every = np.sort(np.concatenate((times, filled)))
    return every, np.interp(every, times, values)


def _interpolate(
    knots: NDArray[np.float64], values: NDArray[np.float64], at: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Quadratic spline whose pieces meet half-way between knots, as `scipy.interpolate` builds it.

    For so few points this takes a quarter of scipy's time.
    """
    # B-splines of degree 2 (de Boor 1978). The first and last two pieces are each one.
    edges = np.concatenate((knots[:1], 0.5 * (knots[1:-2] + knots[2:-1]), knots[-1:]))
    low, high = edges[:-1], edges[1:]
    width = high - low
    falling = width.copy()
    falling[1:] += width[:-1]
    falling *= width
    rising = width.copy()
    rising[:-1] += width[1:]
    rising *= width
    # Of the three splines that are not 0 on a piece, the first falls, the last rises, and all add
    # up to 1. Each inner knot has a piece to itself, so that the system is tridiagonal.
    inner = knots[1:-1]
    first = (high - inner) ** 2 / falling
    last = (inner - low) ** 2 / rising
    none = np.zeros(1)
    diagonal = np.concatenate((none + 1.0, 1.0 - first - last, none + 1.0))
    *_, weights, _ = dgtsv(
        np.concatenate((first, none)), diagonal, np.concatenate((none, last)), values
    )
    piece = np.minimum(np.searchsorted(edges, at, side="right") - 1, len(width) - 1)
    first = (high[piece] - at) ** 2 / falling[piece]
    last = (at - low[piece]) ** 2 / rising[piece]
    middle = weights[piece + 1]
    result: NDArray[np.float64] = (
        middle + first * (weights[piece] - middle) + last * (weights[piece + 2] - middle)
    )
    return result
