"""Complexity of inter-beat intervals: entropies, fractal dimensions, compressibility.

Definitions and settings are those of `neurokit2.hrv_nonlinear` 0.2 (Makowski et al. 2022): vectors
of two intervals, and a tolerance of a fifth of the standard deviation. For the few intervals of a
window, whole matrices of distances take less time than search trees.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

ENTROPIES = {"ApEn": "1", "SampEn": "1", "ShanEn": "bit", "FuzzyEn": "1"}
DIMENSIONS = {"CD": "1", "HFD": "1", "KFD": "1", "LZC": "1"}
"""Names of the indices, in the order in which they are returned, with their units."""

TOLERANCE = 0.2
"""Share of the standard deviation within which two intervals are alike (Pincus 1991)."""

LONGEST_STEP = 10
"""Intervals; the largest step k of Higuchi's dimension."""

RADII = 64
NEAREST, FARTHEST = 0.025, 0.5
"""How many radii the correlation sum is taken at, and between which shares of the largest distance.
"""

FEWEST = 12
"""Intervals without which there is none of these."""


def complexity(intervals: NDArray[np.float64]) -> dict[str, float]:
    """All indices of this module.

    Parameters
    ----------
    intervals : ndarray of float64, shape (n,)
        Seconds, in order, without NaN.

    Returns
    -------
    dict
        The names of `ENTROPIES` and `DIMENSIONS`; all NaN with fewer than `FEWEST` intervals or if
        all are equal, and single ones where they are not finite.
    """
    out = dict.fromkeys(ENTROPIES | DIMENSIONS, float("nan"))
    milliseconds = intervals * 1000.0
    if len(intervals) < FEWEST or not np.ptp(milliseconds) > 1e-9:
        return out
    tolerance = TOLERANCE * float(np.std(milliseconds, ddof=1))
    distances = np.abs(milliseconds[:, None] - milliseconds)
    out["ApEn"], out["SampEn"] = approximate_and_sample_entropy(distances, tolerance)
    out["ShanEn"] = shannon_entropy(milliseconds)
    out["FuzzyEn"] = fuzzy_entropy(milliseconds, tolerance)
    out["CD"] = correlation_dimension(distances)
    out["HFD"] = higuchi_dimension(milliseconds)
    out["KFD"] = katz_dimension(milliseconds)
    out["LZC"] = lempel_ziv_complexity(milliseconds > milliseconds.sum() / len(milliseconds))
    return out


def approximate_and_sample_entropy(
    distances: NDArray[np.float64], tolerance: float
) -> tuple[float, float]:
    """Approximate (Pincus 1991) and sample entropy (Richman and Moorman 2000).

    Parameters
    ----------
    distances : ndarray of float64, shape (n, n)
        Between any two values of the series.
    tolerance : float
        Vectors are alike if no two of their values differ by more.
    """
    alike = distances <= tolerance
    two = alike[:-1, :-1] & alike[1:, 1:]
    three = two[:-1, :-1] & alike[2:, 2:]
    approximate = _mean_log_share(two) - _mean_log_share(three)
    # Sample entropy counts no vector as like itself, and pairs only vectors that have a third.
    pairs = int(np.count_nonzero(two[:-1, :-1])) - len(three)
    triples = int(np.count_nonzero(three)) - len(three)
    sample = float(np.log(pairs / triples)) if pairs and triples else float("nan")
    return abs(approximate), sample


def _mean_log_share(alike: NDArray[np.bool_]) -> float:
    return float(np.log(np.count_nonzero(alike, axis=1) / len(alike)).mean())


def shannon_entropy(milliseconds: NDArray[np.float64]) -> float:
    """Shannon entropy in bits of how often each length comes up, in whole milliseconds.

    NeuroKit2 takes the intervals as they are, which are then as fine as the sampling. For R peaks
    in whole samples at up to 1000/s, both are equal; refined ones would nearly all differ.
    """
    ordered = np.sort(np.rint(milliseconds))
    edges = np.flatnonzero(ordered[1:] != ordered[:-1]) + 1
    share = np.diff(edges, prepend=0, append=len(ordered)) / len(ordered)
    return float(-(share * np.log2(share)).sum())


def fuzzy_entropy(values: NDArray[np.float64], tolerance: float) -> float:
    """Fuzzy entropy: sample entropy with a likeness that fades (Chen et al. 2007).

    Vectors are freed from their mean; two of them are alike by exp(-distance / tolerance).
    """
    steps = values[1:] - values[:-1]
    two = 0.5 * _apart(steps[:-1])
    # Of three values freed from their mean, in terms of the two steps between them.
    before, after = steps[:-1], steps[1:]
    three = np.maximum(_apart((2.0 * before + after) / 3.0), _apart((before - after) / 3.0))
    three = np.maximum(three, _apart((before + 2.0 * after) / 3.0))
    number = len(three)
    pairs = float(np.exp(two / -tolerance).sum()) - number
    triples = float(np.exp(three / -tolerance).sum()) - number
    return float(np.log(pairs / triples)) if pairs > 0 and triples > 0 else float("nan")


def _apart(values: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.abs(values[:, None] - values)


def correlation_dimension(distances: NDArray[np.float64]) -> float:
    """Correlation dimension of vectors of two (Grassberger and Procaccia 1983).

    It is the slope of log C(r) against log r, where C(r) is the share of pairs less than r apart.
    The radii grow as NeuroKit2's do, which takes one half of 1 ms + r.

    Parameters
    ----------
    distances : ndarray of float64, shape (n, n)
        In ms, between any two values of the series.
    """
    squares = distances * distances
    squares = squares[:-1, :-1] + squares[1:, 1:]
    upper = squares[_upper_triangle(len(squares))]
    largest = float(np.sqrt(upper.max()))
    ends = np.log2(1.0 + largest * np.array((NEAREST, FARTHEST)))
    logs = np.linspace(ends[0], ends[1], RADII) - 1.0
    below = np.searchsorted(np.sort(upper), np.exp2(2.0 * logs))
    logs, below = logs[below > 0], below[below > 0]
    return _slope(logs, np.log2(below / len(upper))) if len(logs) > 1 else float("nan")


@lru_cache(maxsize=128)
def _upper_triangle(count: int) -> NDArray[np.bool_]:
    return np.triu(np.ones((count, count), dtype=np.bool_), k=1)


def higuchi_dimension(values: NDArray[np.float64]) -> float:
    """Fractal dimension by how a curve's length falls with the step of measurement (Higuchi 1988).

    NaN for a curve that some step finds without any length.
    """
    left, right, weights, first = _steps(len(values))
    lengths = np.add.reduceat(np.abs(values[right] - values[left]) * weights, first)
    if not lengths.all():
        return float("nan")
    return -_slope(np.log(np.arange(1.0, LONGEST_STEP + 1)), np.log(lengths))


@lru_cache(maxsize=128)
def _steps(
    count: int,
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float64], NDArray[np.int64]]:
    """Ends of all steps of 1 to `LONGEST_STEP`, their weights, and where each size starts."""
    lefts, rights, weights = [], [], []
    for k in range(1, LONGEST_STEP + 1):
        left = np.arange(count - k)
        # The curve that starts at m has so many steps.
        number = (count - 1 - left % k) // k
        lefts.append(left)
        rights.append(left + k)
        weights.append((count - 1) / (number * k) / k / k)
    first = np.cumsum([0] + [len(left) for left in lefts[:-1]])
    return np.concatenate(lefts), np.concatenate(rights), np.concatenate(weights), first


def katz_dimension(values: NDArray[np.float64]) -> float:
    """Fractal dimension by a curve's length over its reach (Katz 1988); NaN if it moves nowhere."""
    steps = np.abs(values[1:] - values[:-1])
    mean = float(steps.sum()) / len(steps)
    reach = float(np.abs(values - values[0]).max())
    if not mean > 0 or reach == mean:
        return float("nan")
    return float(np.log10(len(steps)) / np.log10(reach / mean))


def lempel_ziv_complexity(symbols: NDArray[np.bool_]) -> float:
    """How many different pieces a binary series is made of (Lempel and Ziv 1976).

    Normalised by n / log2 n, that of a random series.
    """
    series = symbols.tobytes()
    count = len(series)
    pieces, start, length = 1, 1, 1
    while start + length <= count:
        # A piece ends with the first symbol that makes it new.
        if series.find(series[start : start + length], 0, start + length - 1) >= 0:
            length += 1
        else:
            pieces += 1
            start += length
            length = 1
    if length > 1:
        pieces += 1
    return float(pieces * np.log2(count) / count)


def _slope(x: NDArray[np.float64], y: NDArray[np.float64]) -> float:
    """Slope of the straight line of least squares."""
    centred = x - x.sum() / len(x)
    return float((centred * y).sum() / (centred * centred).sum())
