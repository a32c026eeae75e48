"""Heart rate variability of a list of inter-beat intervals, whatever sensor they come from.

Names and definitions are NeuroKit2's (Makowski et al. 2021; Pham et al. 2021), so that tables can
be compared; intervals go in as seconds, indices come out in milliseconds, per cent or pure numbers.
Intervals that are missing or were rejected stay in the list as NaN: successive differences are
taken only between true neighbours.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

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
POINCARE = {"SD1": "ms", "SD2": "ms", "SD1SD2": "1"}
LONG_TERM = {
    "SDANN1": "ms",
    "SDNNI1": "ms",
    "SDANN2": "ms",
    "SDNNI2": "ms",
    "SDANN5": "ms",
    "SDNNI5": "ms",
}
"""Names of the indices, in the order in which they are returned, with their units."""

BIN = 1000.0 / 128.0
"""ms; width of a bin of the interval histogram (Task Force 1996)."""


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


def regular(normal: NDArray[np.float64], share: float) -> NDArray[np.bool_]:
    """Tell which intervals are one of three alike in a row.

    Parameters
    ----------
    normal : ndarray of float64, shape (n,)
        Intervals in order; NaN where missing or rejected.
    share : float
        Neighbours are alike if they differ by no more than this share of the shorter.
    """
    out = np.zeros(len(normal), dtype=np.bool_)
    if len(normal) > 2:
        earlier, later = normal[:-1], normal[1:]
        alike = np.abs(later - earlier) <= share * np.minimum(earlier, later)
        middle = alike[:-1] & alike[1:]
        out[:-2] = middle
        out[1:-1] |= middle
        out[2:] |= middle
    return out


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


def neighbours(
    intervals: NDArray[np.float64],
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the intervals that have a successor, and their successors.

    Parameters
    ----------
    intervals : ndarray of float64, shape (n,)
        In order; NaN where missing or rejected.

    Returns
    -------
    earlier, later : ndarray of float64, shape (n_pairs,)
    """
    earlier, later = intervals[:-1], intervals[1:]
    pairs = (earlier == earlier) & (later == later)
    return earlier[pairs], later[pairs]


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
    earlier, later = neighbours(intervals)
    if len(later) < 3:
        return out
    scale = 1000.0 / np.sqrt(2.0)
    out["SD1"] = scale * _deviation(later - earlier)
    out["SD2"] = scale * _deviation(later + earlier)
    out["SD1SD2"] = out["SD1"] / out["SD2"] if out["SD2"] > 0 else float("nan")
    return out


def long_term(times: NDArray[np.float64], intervals: NDArray[np.float64]) -> dict[str, float]:
    """Spread of the means of segments of 1, 2 and 5 minutes, and mean of their spreads.

    Parameters
    ----------
    times : ndarray of float64, shape (n,)
        Seconds from the first beat at which each interval ends, rising.
    intervals : ndarray of float64, shape (n,)
        Seconds; NaN where missing or rejected.

    Returns
    -------
    dict
        `LONG_TERM`'s names; NaN with fewer than three segments. A segment holds the intervals that
        end in it but for its last, as in NeuroKit2.
    """
    out = dict.fromkeys(LONG_TERM, float("nan"))
    known = intervals == intervals
    times, values = times[known], intervals[known] * 1000.0
    for minutes in (1, 2, 5):
        count = round(times[-1] / (60.0 * minutes)) if len(times) else 0
        if count < 3:
            break
        edges = np.searchsorted(times, 60.0 * minutes * np.arange(count + 1))
        segments = [
            values[first : last - 1]
            for first, last in zip(edges[:-1], edges[1:], strict=True)
            if last - 1 - first > 1
        ]
        if len(segments) < 3:
            break
        out[f"SDANN{minutes}"] = _deviation(np.array([segment.mean() for segment in segments]))
        out[f"SDNNI{minutes}"] = sum(map(_deviation, segments)) / len(segments)
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
