"""Slope, spread and newest stretch of slow signals that may have holes."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def slope(values: NDArray[np.float64], rate: float) -> float:
    """Return the least-squares slope of a signal, over its samples that exist.

    Parameters
    ----------
    values : ndarray of float64, shape (n_samples,)
        NaN where missing.
    rate : float
        Samples per second.

    Returns
    -------
    float
        In units of `values` per second; NaN with fewer than 3 samples.
    """
    present = np.flatnonzero(values == values)
    n = len(present)
    if n < 3:
        return np.nan
    # Positions are counted from the first row, never from the stream's start: large numbers would
    # cost precision, and the result must not depend on the time origin.
    at = present - present.sum() / n
    # The values' own mean cancels but for rounding, which any value near it keeps small.
    kept = values[present]
    return float(at @ (kept - kept[0]) / (at @ at) * rate)


def spread(values: NDArray[np.float64]) -> tuple[float, float]:
    """Return mean and standard deviation of a short array without holes.

    numpy's own two calls take three times as long on the few hundred samples of a window.
    """
    n = len(values)
    mean = values.sum() / n
    away = values - mean
    return float(mean), float(np.sqrt(away @ away / n))


def tail(values: NDArray[np.float64], rate: float, seconds: float) -> NDArray[np.float64]:
    """Return the samples of the last `seconds` of a window that exist."""
    last = values[-max(1, round(seconds * rate)) :]
    kept: NDArray[np.float64] = last[last == last]
    return kept
