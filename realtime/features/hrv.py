"""Heart rate variability of a list of inter-beat intervals, whatever sensor they come from.

Names and definitions are NeuroKit2's (Makowski et al. 2021; Pham et al. 2021), so that tables can
be compared; intervals go in as seconds, indices come out in milliseconds, per cent or pure numbers.
Intervals that are missing or were rejected stay in the list as NaN: successive differences are
taken only between true neighbours.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.linalg.lapack import dgtsv

from realtime.features.spectrum import band_power, power_density

SHORTEST, LONGEST = 0.3, 2.0
"""Seconds between which an inter-beat interval lies (200 to 30 beats/min)."""

DEVIATION = 0.3
NEIGHBOURS = 11
"""An interval that differs by more than this share from the median of so many intervals around it
is an artefact: a missed beat doubles an interval, a false one halves it, and breathing seldom moves
it by more than a quarter."""

TIME_DOMAIN = {
    "MeanNN": "ms",
    "SDNN": "ms",
    "RMSSD": "ms",
    "SDSD": "ms",
    "CVNN": "1",
    "CVSD": "1",
    "MedianNN": "ms",
    "MadNN": "ms",
    "MCVNN": "1",
    "IQRNN": "ms",
    "pNN50": "%",
    "pNN20": "%",
    "HTI": "1",
    "TINN": "ms",
}
FREQUENCY_DOMAIN = {
    "LF": "1",
    "HF": "1",
    "LFHF": "1",
    "LFn": "1",
    "HFn": "1",
    "LnHF": "1",
}
POINCARE = {"SD1": "ms", "SD2": "ms", "SD1SD2": "1"}
"""Names of the indices, in the order in which they are returned, with their units."""

BANDS = {"VLF": (0.0033, 0.04), "LF": (0.04, 0.15), "HF": (0.15, 0.4), "VHF": (0.4, 0.5)}
"""Hz (Task Force of the ESC and NASPE 1996)."""

BIN = 1000.0 / 128.0
"""ms; width of a bin of the interval histogram (Task Force 1996)."""

TACHOGRAM_RATE = 4.0
"""Hz to which intervals are interpolated for the spectrum, at least. NeuroKit2 uses 100 Hz; below
0.4 Hz the two spectra differ by 2 parts in 1000."""


def reject_artefacts(intervals: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return inter-beat intervals with the implausible ones set to NaN.

    Out go intervals shorter than 0.3 s or longer than 2 s, and then those that differ by more than
    30 % from the median of the 11 plausible intervals around them.

    Parameters
    ----------
    intervals : ndarray of float64, shape (n,)
        Seconds; NaN where missing.
    """
    kept = np.full(len(intervals), np.nan)
    plausible = np.flatnonzero((intervals >= SHORTEST) & (intervals <= LONGEST))
    values = intervals[plausible]
    count = len(values)
    if not count:
        return kept
    width = min(NEIGHBOURS, count if count % 2 else count - 1) if count > 1 else 1
    starts = np.minimum(np.maximum(np.arange(count) - width // 2, 0), count - width)
    around = np.sort(values[starts[:, None] + np.arange(width)], axis=1)
    median = around[:, width // 2]
    normal = np.abs(values - median) <= DEVIATION * median
    kept[plausible[normal]] = values[normal]
    return kept


def quantile(ordered: NDArray[np.float64], share: float) -> float:
    """Return a quantile of sorted values, linear between neighbours; NaN of none.

    For the few values of a window this takes a tenth of the time of `numpy.quantile`.
    """
    if not len(ordered):
        return float("nan")
    position = share * (len(ordered) - 1)
    below = int(position)
    low = float(ordered[below])
    high = float(ordered[min(below + 1, len(ordered) - 1)])
    return low + (position - below) * (high - low)


def time_domain(intervals: NDArray[np.float64]) -> dict[str, float]:
    """Indices of the intervals' distribution and of their successive differences.

    Parameters
    ----------
    intervals : ndarray of float64, shape (n,)
        Seconds, in order; NaN where missing or rejected.

    Returns
    -------
    dict
        `TIME_DOMAIN`'s names; all NaN with fewer than three intervals, and those of the differences
        with fewer than two differences.
    """
    out = dict.fromkeys(TIME_DOMAIN, float("nan"))
    milliseconds = intervals * 1000.0
    ordered = np.sort(milliseconds[milliseconds == milliseconds])
    count = len(ordered)
    if count < 3:
        return out
    mean = float(ordered.sum()) / count
    median = quantile(ordered, 0.5)
    mad = 1.4826 * quantile(np.sort(np.abs(ordered - median)), 0.5)
    out["MeanNN"] = mean
    out["SDNN"] = _deviation(ordered)
    out["CVNN"] = out["SDNN"] / mean
    out["MedianNN"] = median
    out["MadNN"] = mad
    out["MCVNN"] = mad / median
    out["IQRNN"] = quantile(ordered, 0.75) - quantile(ordered, 0.25)
    histogram = np.bincount((ordered / BIN).astype(np.int64))
    out["HTI"] = count / float(histogram.max())
    out["TINN"] = _triangle(histogram, float(ordered[0]), float(ordered[-1]))
    steps = milliseconds[1:] - milliseconds[:-1]
    steps = steps[steps == steps]
    if len(steps) < 2:
        return out
    sizes = np.abs(steps)
    out["RMSSD"] = float(np.sqrt(steps @ steps / len(steps)))
    out["SDSD"] = _deviation(steps)
    out["CVSD"] = out["RMSSD"] / mean
    out["pNN50"] = 100.0 * np.count_nonzero(sizes > 50.0) / (len(steps) + 1)
    out["pNN20"] = 100.0 * np.count_nonzero(sizes > 20.0) / (len(steps) + 1)
    return out


def poincare(intervals: NDArray[np.float64]) -> dict[str, float]:
    """Width and length of the cloud of intervals against their successors.

    Parameters
    ----------
    intervals : ndarray of float64, shape (n,)
        Seconds, in order; NaN where missing or rejected.

    Returns
    -------
    dict
        `POINCARE`'s names (Brennan et al. 2001); NaN with fewer than three pairs of neighbours.
    """
    out = dict.fromkeys(POINCARE, float("nan"))
    earlier, later = intervals[:-1], intervals[1:]
    pairs = (earlier == earlier) & (later == later)
    earlier, later = earlier[pairs], later[pairs]
    if len(later) < 3:
        return out
    scale = 1000.0 / np.sqrt(2.0)
    out["SD1"] = scale * _deviation(later - earlier)
    out["SD2"] = scale * _deviation(later + earlier)
    out["SD1SD2"] = out["SD1"] / out["SD2"] if out["SD2"] > 0 else float("nan")
    return out


def frequency_domain(
    times: NDArray[np.float64], intervals: NDArray[np.float64]
) -> dict[str, float]:
    """Indices of the spectrum of the interval series.

    The series is interpolated, its mean taken off, and the power spectral density averaged over
    three Hann windows of half its length (Welch). Lines below four over the series' length are left
    out, and the density is divided by its maximum, both as in NeuroKit2: LF and HF are relative.

    Parameters
    ----------
    times : ndarray of float64, shape (n,)
        Seconds at which each interval ends, rising.
    intervals : ndarray of float64, shape (n,)
        Seconds; NaN where missing or rejected. Holes are bridged by straight lines.

    Returns
    -------
    dict
        `FREQUENCY_DOMAIN`'s names; NaN with fewer than ten intervals, and where a band has too few
        lines (LF needs about 45 s).
    """
    out = dict.fromkeys(FREQUENCY_DOMAIN, float("nan"))
    known = intervals == intervals
    times, values = times[known], intervals[known] * 1000.0
    if len(values) < 10:
        return out
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
        return out
    density[:4] = 0.0
    density = density[4:] / peak
    frequencies = frequencies[4:]
    power = {
        name: np.float64(band_power(frequencies, density, low, high))
        for name, (low, high) in BANDS.items()
    }
    total = np.float64(sum(value for value in power.values() if value == value))
    out["LF"], out["HF"] = power["LF"], power["HF"]
    out["LFHF"] = power["LF"] / power["HF"]
    out["LFn"] = power["LF"] / total
    out["HFn"] = power["HF"] / total
    out["LnHF"] = float(np.log(power["HF"]))
    return out


def _deviation(values: NDArray[np.float64]) -> float:
    """Standard deviation of a sample (n - 1)."""
    centred = values - values.sum() / len(values)
    return float(np.sqrt(centred @ centred / (len(values) - 1)))


def _triangle(histogram: NDArray[np.int64], shortest: float, longest: float) -> float:
    """Base in ms of the triangle that fits the interval histogram best (TINN).

    As in NeuroKit2, the left corner stands at the first bin edge above the shortest interval, and
    only the right one is fitted.
    """
    top = int(histogram.argmax())
    left = int(shortest / BIN) + 1
    spans = np.arange(1, int(np.ceil(longest / BIN)) - top)
    if left >= top or not len(spans):
        return 0.0
    # The left side is the same for all. Right of the top, with the corner w bins away, the misfit
    # is the sum over k = 0 ... w of (count[k] - height (w - k) / w)², multiplied out.
    counts = histogram[top : top + len(spans) + 1]
    height = float(histogram[top])
    squares = np.cumsum(counts * counts)[1:]
    products = np.cumsum(np.cumsum(counts))[:-1]
    line = height * (spans + 1) * (2 * spans + 1) / 6.0
    misfit = squares + height / spans * (line - 2.0 * products)
    return float((top + spans[misfit.argmin()] - left) * BIN)


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
