"""Detrended fluctuation analysis of inter-beat intervals, short-term (Peng et al. 1995)."""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

DFA = {
    "DFA_alpha1": "1",
    "DFA_alpha1_ExpRange": "1",
    "DFA_alpha1_ExpMean": "1",
    "DFA_alpha1_DimRange": "1",
    "DFA_alpha1_DimMean": "1",
}
"""Names of the indices, in the order in which they are returned, with their units."""

WIDTHS = np.arange(4, 12)
"""Intervals in a segment; 4 to 11 is the short term (Peng et al. 1995)."""

ORDERS = np.arange(-5.0, 6.0)
"""Orders q of the multifractal analysis."""

NOTHING = 1e-8
"""ms²; segments that fluctuate by less are left out."""

FEWEST = 12
"""Intervals that are needed, as in NeuroKit2."""


class _Segments(NamedTuple):
    """Where the segments of all widths lie in a series of some length; rows are padded.

    `places` says which samples, `inside` which of them count, `ramp` is the centred time (0 where
    padded), `width` the row's width, `first` the first row of each width.
    """

    places: NDArray[np.int64]
    inside: NDArray[np.float64]
    ramp: NDArray[np.float64]
    width: NDArray[np.float64]
    first: NDArray[np.int64]


def dfa(intervals: NDArray[np.float64]) -> dict[str, float]:
    """Scaling exponent of the fluctuations, and the spectrum of its singularities.

    The series without its mean is summed up, cut into segments that overlap by half, and each is
    freed from its straight line; F(q) is the generalised mean of order q over what is left. The
    exponent h(q) is the slope of log F(q) against log width (Kantelhardt et al. 2002).
    `DFA_alpha1` is h(2). With tau = q h - 1, the singularity exponent is H = d tau / d q, and its
    dimension D = q H - tau (Ihlen 2012); their range and mean over q are the other four, which
    NeuroKit2 before 0.2 gave under these names.

    Parameters
    ----------
    intervals : ndarray of float64, shape (n,)
        Seconds, in order, without NaN.

    Returns
    -------
    dict
        `DFA`'s names; NaN with fewer than `FEWEST` intervals, and for an even rhythm.
    """
    out = dict.fromkeys(DFA, float("nan"))
    count = len(intervals)
    if count < FEWEST:
        return out
    milliseconds = intervals * 1000.0
    profile = np.cumsum(milliseconds - milliseconds.sum() / count)
    cut = _segments(count)
    pieces = profile[cut.places] * cut.inside
    pieces -= (pieces.sum(axis=1) / cut.width)[:, None] * cut.inside
    slope = (pieces * cut.ramp).sum(axis=1) / (cut.ramp * cut.ramp).sum(axis=1)
    pieces -= slope[:, None] * cut.ramp
    variance = (pieces * pieces).sum(axis=1) / cut.width
    moving = variance > NOTHING
    number = np.add.reduceat(moving.astype(np.float64), cut.first)
    if not number.all():
        return out
    logs = np.log(np.where(moving, variance, 1.0))
    powers = np.exp(np.multiply.outer(0.5 * ORDERS, logs)) * moving
    means = np.log(np.add.reduceat(powers, cut.first, axis=1) / number)
    # Of order 0, the generalised mean is the geometric one.
    zero = ORDERS == 0.0
    levels = means / np.where(zero, 1.0, ORDERS)[:, None]
    levels[zero] = 0.5 * np.add.reduceat(logs * moving, cut.first) / number
    scale = np.log(WIDTHS)
    scale -= scale.mean()
    exponents = (levels * scale).sum(axis=1) / (scale * scale).sum()
    tau = ORDERS * exponents - 1.0
    singularity = np.gradient(tau)
    dimension = ORDERS * singularity - tau
    out["DFA_alpha1"] = float(exponents[ORDERS == 2.0][0])
    out["DFA_alpha1_ExpRange"] = float(np.ptp(singularity))
    out["DFA_alpha1_ExpMean"] = float(singularity.mean())
    out["DFA_alpha1_DimRange"] = float(np.ptp(dimension))
    out["DFA_alpha1_DimMean"] = float(dimension.mean())
    return out


@lru_cache(maxsize=128)
def _segments(count: int) -> _Segments:
    within = np.arange(WIDTHS[-1])
    starts = [np.arange(0, count - width, width // 2) for width in WIDTHS.tolist()]
    rows = np.repeat(WIDTHS, [len(some) for some in starts])
    places = np.minimum(np.concatenate(starts)[:, None] + within, count - 1)
    inside = (within < rows[:, None]).astype(np.float64)
    ramp = (within - 0.5 * (rows[:, None] - 1)) * inside
    first = np.searchsorted(rows, WIDTHS)
    return _Segments(places, inside, ramp, rows.astype(np.float64), first)
