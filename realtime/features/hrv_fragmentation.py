"""Fragmentation of the heart rhythm: how often it turns round (Costa et al. 2017)."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from realtime.features import hrv

FRAGMENTATION = {"PIP": "1", "IALS": "1", "PSS": "1", "PAS": "1"}
"""Names of the indices, in the order in which they are returned, with their units."""

SHORT = 3
"""Segments of fewer steps in one direction are short (Costa et al. 2017)."""

ALTERNATING = 4
"""So many turns in a row, or more, are an alternation (Costa et al. 2017)."""


def fragmentation(intervals: NDArray[np.float64]) -> dict[str, float]:
    """Indices of the turns of an interval series between acceleration and deceleration.

    Parameters
    ----------
    intervals : ndarray of float64, shape (n,)
        Seconds, in order; NaN where missing or rejected. Steps are taken between true neighbours
        and then follow one another.

    Returns
    -------
    dict
        `FRAGMENTATION`'s names: turns per interval; inverse of the mean length of the segments in
        one direction; share of these that are short; and, as NeuroKit2 defines it, the share of
        the runs of turns that are alternations. NaN with fewer than three steps, and without a
        segment or a run.
    """
    out = dict.fromkeys(FRAGMENTATION, float("nan"))
    before, after = hrv.neighbours(intervals)
    direction = np.sign(after - before)
    if len(direction) < 3:
        return out
    turns = np.flatnonzero(direction[1:] != direction[:-1])
    out["PIP"] = len(turns) / (len(direction) + 1)
    starts = np.concatenate(([0], turns + 1))
    lengths = np.diff(starts, append=len(direction))[direction[starts] != 0]
    if len(lengths):
        out["IALS"] = len(lengths) / float(lengths.sum())
        out["PSS"] = np.count_nonzero(lengths < SHORT) / len(lengths)
    if len(turns):
        ends = np.flatnonzero(turns[1:] - turns[:-1] != 1) + 1
        runs = np.diff(ends, prepend=0, append=len(turns))
        out["PAS"] = np.count_nonzero(runs >= ALTERNATING) / len(runs)
    return out
