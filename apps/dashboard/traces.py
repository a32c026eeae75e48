"""Bounded buffers of signals, and their reduction to what a screen can show."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray


class Trace:
    """The last seconds of one modality.

    Parameters
    ----------
    channels : int
    capacity : int
        Samples that are kept.
    gap : float
        Seconds between two samples from which on the curve is broken.
    """

    def __init__(self, channels: int, capacity: int, gap: float) -> None:
        # Twice the room: the live part moves to the front only once in `capacity` samples.
        self._times = np.empty(2 * capacity, np.float64)
        self._values = np.empty((2 * capacity, channels), np.float32)
        self._capacity = capacity
        self._gap = gap
        self._start = self._stop = 0
        self._total = 0  # samples since the last clear; anchors the groups of `envelope`
        self._group = 1

    @property
    def channels(self) -> int:
        """Number of channels."""
        return self._values.shape[1]

    @property
    def newest(self) -> float:
        """Time of the newest sample; -inf if there is none."""
        return float(self._times[self._stop - 1]) if self._stop > self._start else -np.inf

    def clear(self) -> None:
        """Forget all samples."""
        self._start = self._stop = self._total = 0

    def append(self, times: NDArray[np.float64], values: NDArray[np.float32]) -> None:
        """Add samples of shape (n,) and (n, channels); time that runs back starts afresh."""
        if len(times) == 0:
            return
        if times[0] < self.newest - 1.0:
            self.clear()
        elif times[0] - self.newest > self._gap and self._stop > self._start:
            times = np.concatenate([[self.newest + self._gap / 2], times])
            values = np.concatenate([np.full((1, self.channels), np.nan, np.float32), values])
        times, values = times[-self._capacity :], values[-self._capacity :]
        count = len(times)
        if self._stop + count > len(self._times):
            keep = slice(self._start, self._stop)
            length = self._stop - self._start
            self._times[:length] = self._times[keep].copy()
            self._values[:length] = self._values[keep].copy()
            self._start, self._stop = 0, length
        self._times[self._stop : self._stop + count] = times
        self._values[self._stop : self._stop + count] = values
        self._stop += count
        self._start = max(self._start, self._stop - self._capacity)
        self._total += count

    def view(self, start: float, columns: int) -> tuple[NDArray[np.float64], NDArray[np.float32]]:
        """Return what to draw from time `start` on, for a plot `columns` pixels wide.

        Returns
        -------
        times : ndarray of float64, shape (m,)
        values : ndarray of float32, shape (m, channels)
            Samples as they are if there are at most two a column, else each column's smallest
            and greatest.
        """
        times = self._times[self._start : self._stop]
        first = int(np.searchsorted(times, start))
        offset = self._total - (len(times) - first)
        values = self._values[self._start : self._stop][first:]
        # A group keeps its size until that is quite wrong: a sample more or less on screen must
        # not regroup them all.
        ideal = len(values) / max(columns, 1)
        if not 0.6 * self._group <= ideal <= 1.1 * self._group:
            self._group = max(math.ceil(ideal), 1)
        return envelope(times[first:], values, self._group, offset)


def envelope(
    times: NDArray[np.float64], values: NDArray[np.float32], size: int, offset: int = 0
) -> tuple[NDArray[np.float64], NDArray[np.float32]]:
    """Reduce samples to the smallest and greatest of each group of `size`.

    Groups begin at multiples of their size, counted from sample number ``-offset``, so that a
    sample stays in its group while the plot scrolls and nothing shimmers. NaN is passed over
    unless a whole group is NaN, so gaps longer than a pixel stay gaps.

    Parameters
    ----------
    times : ndarray, shape (n,)
    values : ndarray, shape (n, channels)
    size : int
        Samples in a group; groups of one or two stay as they are.
    offset : int
        Number of samples before the first.
    """
    skip = -offset % max(size, 1)
    if size <= 2 or len(times) < skip + size:
        return times, values
    groups = (len(times) - skip) // size
    stop = skip + groups * size
    # A channel at a time in one piece of memory: reducing the rows as they lie is far slower.
    blocks = np.ascontiguousarray(values[skip:stop].T).reshape(values.shape[1], groups, size)
    reduced = np.empty((2 * groups, values.shape[1]), np.float32)
    for place, reduce, reduce_finite in ((0, np.min, np.fmin), (1, np.max, np.fmax)):
        extreme = reduce(blocks, axis=2)
        gaps = np.isnan(extreme)
        if gaps.any():
            extreme[gaps] = reduce_finite.reduce(blocks[gaps], axis=1)
        reduced[place::2] = extreme.T
    moments = np.empty(2 * groups)
    moments[0::2] = times[skip:stop:size]
    moments[1::2] = times[skip + size // 2 : stop : size]
    # The group that is still filling is drawn as it is, so that the curve's tip is current.
    return np.concatenate([moments, times[stop:]]), np.concatenate([reduced, values[stop:]])
