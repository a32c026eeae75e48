"""From a stream's own sample times to a modality's regular grid.

A cell of the grid is ``anchor + index / rate``. Streams of the grid's own rate are placed, sample
by sample; others are resampled by time stamp.
"""

from __future__ import annotations

from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from realtime.filters import CausalFilter
from realtime.rig import FilterSettings

# How far a sample may drift from its cell, in cells, before it is moved to another one. Above one
# half, so that clock noise at the border of two cells does not make samples hop to and fro.
HYSTERESIS = 0.75
SHORT_SPAN = 32
# Two neighbours further apart than so many periods have a gap between them.
INTERPOLATED_PERIODS = 2.5
# Neighbours in streams of irregular rate.
INTERPOLATED_SECONDS = 1.0
# Anti-aliasing before going to a lower rate: pass band as a share of the lower rate.
ANTI_ALIAS_SHARE = 0.4

Cells = tuple[NDArray[np.int64], NDArray[np.float64]]


class Gridder(Protocol):
    """Turns samples with times into cells with ascending indices.

    Attributes
    ----------
    lookahead : float
        Seconds: samples so much later than a cell, or more, cannot change it.
    """

    lookahead: float

    def take(
        self, times: NDArray[np.float64], breaks: NDArray[np.bool_], values: NDArray[np.float64]
    ) -> Cells:
        """Return indices, shape (m,), and values, shape (m, channels)."""
        ...


def lookahead_of(stream_rate: float) -> float:
    """Return the `lookahead` of a stream that is resampled; a rate of 0 is an irregular one."""
    return INTERPOLATED_PERIODS / stream_rate if stream_rate else INTERPOLATED_SECONDS


class Placer:
    """Puts each sample into the cell nearest to its time.

    Two samples in one cell: the first stays, the other is counted in `collisions`.
    """

    def __init__(self, anchor: float, rate: float) -> None:
        self._anchor = anchor
        self._rate = rate
        self._next: int | None = None
        self.lookahead = 0.0
        self.collisions = 0

    def take(
        self, times: NDArray[np.float64], breaks: NDArray[np.bool_], values: NDArray[np.float64]
    ) -> Cells:
        """Return indices, shape (m,), and values, shape (m, channels)."""
        position = (times - self._anchor) * self._rate
        indices = np.empty(len(times), dtype=np.int64)
        keep = np.ones(len(times), dtype=bool)
        start = 0
        # Looked at together: many while all goes well, few while samples collide.
        span = SHORT_SPAN
        while start < len(times):
            if self._next is None or breaks[start]:
                first = int(np.rint(position[start]))
            else:
                first = self._next
            stop = min(start + span, len(times))
            later = np.flatnonzero(breaks[start + 1 : stop])
            if len(later):
                stop = start + 1 + int(later[0])
            guess = first + np.arange(stop - start)
            wrong = np.flatnonzero(np.abs(position[start:stop] - guess) > HYSTERESIS)
            span = SHORT_SPAN if len(wrong) else span * 4
            if len(wrong):
                stop = start + int(wrong[0])
            if stop == start:
                # The samples drifted out of their cells: move on to where the next one belongs.
                rounded = np.rint(position[start : start + SHORT_SPAN]).astype(np.int64)
                passed = rounded < (first if self._next is None else self._next)
                stop = start + (len(rounded) if passed.all() else max(int(passed.argmin()), 1))
                guess = rounded[: stop - start]
            indices[start:stop] = guess[: stop - start]
            if self._next is not None and indices[start] < self._next:
                taken = indices[start:stop] < self._next
                keep[start:stop] = ~taken
                self.collisions += int(taken.sum())
            if keep[start:stop].any():
                self._next = int(indices[stop - 1]) + 1
            start = stop
        keep &= indices >= 0
        return indices[keep], values[keep]


class Resampler:
    """Interpolates samples of any rate linearly onto the grid.

    Before going to a lower rate, a causal low-pass filter keeps what lies above the grid's band
    from folding into it.

    Parameters
    ----------
    anchor, rate : float
        The grid.
    stream_rate : float
        Nominal rate of the stream in 1/s; 0 if irregular.
    channels : int
    """

    def __init__(self, anchor: float, rate: float, stream_rate: float, channels: int) -> None:
        self._anchor = anchor
        self._rate = rate
        self.lookahead = lookahead_of(stream_rate)
        self._filter: CausalFilter | None = None
        if stream_rate > rate:
            settings = FilterSettings(high=ANTI_ALIAS_SHARE * rate, order=4, settle=0.0, bridge=0.0)
            self._filter = CausalFilter(settings, stream_rate, channels)
        self._sample = 0
        self._time: float | None = None
        self._value = np.full((1, channels), np.nan)
        self._next: int | None = None

    def take(
        self, times: NDArray[np.float64], breaks: NDArray[np.bool_], values: NDArray[np.float64]
    ) -> Cells:
        """Return indices, shape (m,), and values, shape (m, channels)."""
        channels = values.shape[1]
        if not len(times):
            return np.empty(0, np.int64), np.empty((0, channels))
        if self._filter is not None:
            # Counted in samples, one number left out at each gap, so that the filter starts anew.
            number = self._sample + np.arange(len(times)) + np.cumsum(breaks)
            values = self._filter.apply(number, values)
            self._sample = int(number[-1]) + 1
        if self._time is None:
            self._time = float(times[0])
            self._next = int(np.ceil((times[0] - self._anchor) * self._rate - 1e-6))
        x = np.concatenate([[self._time], times])
        y = np.concatenate([self._value, values])
        assert self._next is not None
        last = int(np.floor((x[-1] - self._anchor) * self._rate + 1e-6))
        self._time = float(x[-1])
        self._value = y[-1:]
        if last < self._next:
            return np.empty(0, np.int64), np.empty((0, channels))
        # Only cells that have a neighbour near enough on both sides; a long gap makes none.
        right = np.flatnonzero(np.diff(x) > 0) + 1
        left = right - 1
        near = x[right] - x[left] <= self.lookahead
        first_cell = np.ceil((x[left] - self._anchor) * self._rate - 1e-6).astype(np.int64)
        last_cell = np.floor((x[right] - self._anchor) * self._rate + 1e-6).astype(np.int64)
        first_cell = np.maximum(first_cell, self._next)
        counts = np.where(near, np.maximum(last_cell - first_cell + 1, 0), 0)
        owner = np.repeat(np.arange(len(right)), counts)
        offset = np.arange(len(owner)) - np.repeat(np.cumsum(counts) - counts, counts)
        indices = first_cell[owner] + offset
        # A cell on a sample belongs to both sides: keep its first mention.
        fresh = np.diff(indices, prepend=self._next - 1) > 0
        indices, owner = indices[fresh], owner[fresh]
        at = self._anchor + indices / self._rate
        a, b = left[owner], right[owner]
        weight = np.clip((at - x[a]) / (x[b] - x[a]), 0.0, 1.0)[:, np.newaxis]
        if len(indices):
            self._next = int(indices[-1]) + 1
        # Written so that a cell on a sample takes that sample even beside a missing one.
        with np.errstate(invalid="ignore"):
            mixed = (1.0 - weight) * y[a] + weight * y[b]
        mixed = np.where(weight <= 0.0, y[a], np.where(weight >= 1.0, y[b], mixed))
        keep = indices >= 0
        return indices[keep], mixed[keep]
