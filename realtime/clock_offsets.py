"""Bring a recorded stream's stamps onto the recorder's clock, by its clock offset measurements.

A recorder measures, every few seconds, what has to be added to a stream's stamps to get its own
clock. Between measurements the correction follows a robust line. Unlike pyxdf's, it is not drawn
far beyond them, is kept off stamps that are on no LSL clock at all, and does not take stamps to
rise: real streams carry device time or Unix time beside LSL time, and a line fitted to
microseconds of noise within a minute is wrong by a third of a second a week away.
"""

from __future__ import annotations

from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

MAX_SEGMENTS = 100
MAX_DISTANCE = 86400.0  # s between a stamp and the nearest measurement of its clock
# A clock was reset where both the offset and the time of a measurement leap; pyxdf's thresholds.
RESET_VALUE = 1.0
RESET_TIME = 5.0


def synchronise(
    times: NDArray[np.float64],
    seen: NDArray[np.int64],
    clock_times: NDArray[np.float64],
    clock_values: NDArray[np.float64],
) -> tuple[NDArray[np.float64], list[str]]:
    """Correct stamps to the recorder's clock.

    Parameters
    ----------
    times : ndarray of float64, shape (n_samples,)
        As the stream gave them; NaN is left alone.
    seen : ndarray of int64, shape (n_samples,)
        How many of the stream's measurements stand before each sample in the file. It settles
        which clock a stamp belongs to when a clock was reset and ran over the same times twice.
    clock_times, clock_values : ndarray of float64, shape (n_measurements,)
        The stream's clock at each measurement, and what to add to it.

    Returns
    -------
    times : ndarray of float64, shape (n_samples,)
    faults : list of str
    """
    usable = np.isfinite(clock_times) & np.isfinite(clock_values)
    usable &= (np.abs(clock_times) < 1e12) & (np.abs(clock_values) < 1e12)
    faults = []
    if not np.all(usable):
        faults.append(f"{np.count_nonzero(~usable)} clock offsets are not plausible numbers")
    if not len(times) or not np.any(usable):
        return times, faults
    order = np.flatnonzero(usable)
    clock_times, clock_values = clock_times[usable], clock_values[usable]
    segments = clock_segments(clock_times, clock_values)
    if len(segments) > MAX_SEGMENTS:
        faults.append(
            f"clock offsets leap {len(segments) - 1} times: the stamps are left uncorrected"
        )
        return times, faults
    if len(segments) > 1:
        faults.append(f"its clock was reset {len(segments) - 1} times; each part is corrected")
    chosen, distance = _choose(times, seen, clock_times, order, segments)
    corrected = times.copy()
    for number, (begin, stop) in enumerate(segments):
        rows = (chosen == number) & (distance <= MAX_DISTANCE)
        if np.any(rows):
            x, y = clock_times[begin:stop], clock_values[begin:stop]
            corrected[rows] += _correction(times[rows], x, y)
    stray = np.count_nonzero(np.isfinite(times) & (distance > MAX_DISTANCE))
    if stray:
        faults.append(f"{stray} stamps are not on its LSL clock and are left as they are")
    return corrected, faults


def clock_segments(
    clock_times: NDArray[np.float64], clock_values: NDArray[np.float64]
) -> list[tuple[int, int]]:
    """Return (begin, stop) of each run of measurements between resets of the stream's clock."""
    steps, leaps = np.diff(clock_times), np.diff(clock_values)
    if not len(steps):
        return [(0, len(clock_times))]
    # A single wild offset leaps too, but the clock itself does not: that is an outlier.
    reset = (np.abs(leaps - np.median(leaps)) > RESET_VALUE) & (
        np.abs(steps - np.median(steps)) > RESET_TIME
    )
    edges = [0, *(np.flatnonzero(reset | (steps < 0)) + 1).tolist(), len(clock_times)]
    return list(pairwise(edges))


def _choose(
    times: NDArray[np.float64],
    seen: NDArray[np.int64],
    clock_times: NDArray[np.float64],
    order: NDArray[np.int64],
    segments: list[tuple[int, int]],
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Return each stamp's segment, and its distance from that segment's measurements."""
    with np.errstate(invalid="ignore"):
        distances = [
            np.maximum(
                np.maximum(
                    clock_times[begin:stop].min() - times, times - clock_times[begin:stop].max()
                ),
                0.0,
            )
            for begin, stop in segments
        ]
    nearest = np.min(distances, axis=0)
    chosen = np.zeros(len(times), dtype=np.int64)
    distance = np.full(len(times), np.nan)
    rank = np.full(len(times), np.inf)
    for number, (begin, stop) in enumerate(segments):
        # Measurements come every 5 s: within two of them, nearness cannot tell clocks apart. Then
        # the place in the file does, and between two segments the measurements on either side.
        before, after = order[begin] - seen, seen - order[stop - 1] - 1
        gap = np.where(before >= 0, np.abs(times - clock_times[begin]), 0.0)
        gap = np.where(after >= 0, np.abs(times - clock_times[stop - 1]), gap)
        place = np.maximum(np.maximum(before, after), 0) + np.minimum(gap, 1e6) * 1e-7
        better = (distances[number] <= nearest + 10.0) & (place < rank)
        chosen[better] = number
        distance[better] = distances[number][better]
        rank[better] = place[better]
    return chosen, distance


def _correction(
    times: NDArray[np.float64], x: NDArray[np.float64], y: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Evaluate the robust line through measurements, drawn no further than it is long."""
    origin, length = x.min(), x.max() - x.min()
    if length <= 0:
        return np.full(len(times), np.median(y))
    slope, level = _huber_line(x - origin, y)
    return level + slope * np.clip(times - origin, -length, 2 * length)


def _huber_line(x: NDArray[np.float64], y: NDArray[np.float64]) -> tuple[float, float]:
    """Fit y = level + slope x with Huber's loss, by reweighted least squares.

    The bend lies at 0.1 ms, like pyxdf's, or higher where the measurements scatter more.
    """
    centre, reference = x.mean(), float(np.median(y))
    basis = np.column_stack([x - centre, np.ones_like(x)])
    target = y - reference
    weights = np.ones_like(x)
    solution = np.zeros(2)
    for _ in range(50):
        root = np.sqrt(weights)
        update = np.linalg.lstsq(basis * root[:, None], target * root, rcond=None)[0]
        residual = np.abs(target - basis @ update)
        bend = max(1e-4, 1.345 * 1.4826 * float(np.median(residual)))
        weights = np.minimum(1.0, bend / np.maximum(residual, 1e-12))
        converged = np.allclose(update, solution, rtol=1e-9, atol=1e-15)
        solution = update
        if converged:
            break
    slope, level = float(solution[0]), float(solution[1])
    return slope, level - slope * centre + reference
