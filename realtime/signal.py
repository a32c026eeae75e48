"""One modality of one participant: chunks in, filtered cells and feature vectors out."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from realtime.binding import Binding, Source
from realtime.clock import ClockCounts, StreamClock
from realtime.features import feature_set
from realtime.features.base import Segment
from realtime.filters import CausalFilter
from realtime.grid import Gridder, Placer, Resampler
from realtime.rig import ModalitySettings
from realtime.ring import Ring

# A window's edge may lie this share of a cell off the grid without moving a sample across it.
EDGE_TOLERANCE = 0.25
# The clock of a stream of irregular rate expects this many samples a second at least.
IRREGULAR_RATE = 1.0
# How long the channels of one modality that come as several streams wait for one another.
CHANNEL_PATIENCE = 1.0  # s of stream time
# Chunks that wait for the stream that sets the anchor, at most.
PENDING_CHUNKS = 256


@dataclass(slots=True)
class _Track:
    """One stream's way to the grid."""

    source: Source
    clock: StreamClock
    gridder: Gridder | None = None
    indices: list[NDArray[np.int64]] = field(default_factory=list)
    values: list[NDArray[np.float64]] = field(default_factory=list)
    reached: int | None = None


class Signal:
    """Puts a modality's samples on the clock and the grid, filters and keeps them.

    Parameters
    ----------
    settings : ModalitySettings
    binding : Binding
        Which channels of which streams it is made of.
    limit : float
        Seconds of cells that are kept at most beyond one window while they wait.

    Attributes
    ----------
    start : float or None
        Time of grid index 0: the first sample of the first stream.
    ring : Ring
        Raw and filtered cells side by side.
    arrived : float
        Wall time at which the newest cell arrived.
    """

    def __init__(
        self, settings: ModalitySettings, binding: Binding, limit: float = math.inf
    ) -> None:
        self.settings = settings
        self.binding = binding
        self._limit = limit
        self._tracks = {source.stream: self._track(source) for source in binding.sources}
        self._overflow = 0
        self._reset()

    def _track(self, source: Source) -> _Track:
        return _Track(source, StreamClock(source.rate or IRREGULAR_RATE))

    def _reset(self) -> None:
        """Forget all samples."""
        settings, width = self.settings, len(self.settings.channels)
        cells = math.inf if math.isinf(self._limit) else (self._limit + settings.window)
        self.start: float | None = None
        self.arrived = math.nan
        self.ring = Ring(2 * width, 2**62 if math.isinf(cells) else int(cells * settings.rate))
        self._filter = CausalFilter(settings.filter, settings.rate, width)
        self._features = feature_set(settings.features)(settings.rate, width, settings.window)
        self._updated: int | None = None
        self._pending: list[tuple[str, NDArray[np.float64], NDArray[np.float64]]] = []
        for track in self._tracks.values():
            track.gridder = None
            track.indices, track.values, track.reached = [], [], None

    @property
    def counts(self) -> dict[str, ClockCounts]:
        """What each stream's clock found, by stream key."""
        return {key: track.clock.counts for key, track in self._tracks.items()}

    @property
    def dropped(self) -> int:
        """Samples that came and were not used: two in one cell, or waiting for too long."""
        collisions = sum(
            track.gridder.collisions
            for track in self._tracks.values()
            if isinstance(track.gridder, Placer)
        )
        return collisions + self.ring.dropped + self._overflow

    def push(
        self,
        stream: str,
        times: NDArray[np.float64],
        samples: NDArray[np.float64],
        arrived: float = math.nan,
    ) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
        """Take in samples of one of the modality's streams.

        Parameters
        ----------
        stream : str
            Key of the stream.
        times : ndarray of float64, shape (n,)
        samples : ndarray of float64, shape (n, stream channels)
        arrived : float
            Wall time of arrival.

        Returns
        -------
        indices : ndarray of int64, shape (m,)
        filtered : ndarray of float64, shape (m, channels)
            The cells that became complete, for display.
        """
        track = self._tracks[stream]
        first = next(iter(self._tracks.values()))
        if self.start is None and track is not first:
            self._pending.append((stream, times, samples))
            if len(self._pending) > PENDING_CHUNKS:
                self._overflow += len(self._pending.pop(0)[1])
            return self._nothing()
        stamps = track.clock.take(times)
        if stamps.restarted and track is first:
            self._reset()
        if not len(stamps.times):
            return self._nothing()
        if self.start is None:
            self.start = float(stamps.times[0])
        values = samples[stamps.kept][:, list(track.source.columns)]
        if track.source.convert is not None:
            values = track.source.convert(values)
        if track.gridder is None:
            track.gridder = self._gridder(track.source)
        indices, cells = track.gridder.take(stamps.times, stamps.breaks, values)
        if len(indices):
            track.indices.append(indices)
            track.values.append(cells)
            track.reached = int(indices[-1])
        if self._pending:
            pending, self._pending = self._pending, []
            for earlier in pending:
                self.push(*earlier)
        return self._store(*self._merge(), arrived)

    def release(self, until: float = math.inf) -> None:
        """Let channels that come as several streams wait for one another no longer.

        Parameters
        ----------
        until : float
            Cells before this time go. Live, it is inf: those go that have waited for
            `CHANNEL_PATIENCE` seconds of stream time.
        """
        if len(self._tracks) == 1 or self.start is None:
            return
        reached = [t.reached for t in self._tracks.values() if t.reached is not None]
        if math.isinf(until):
            last = max(reached, default=0) - int(CHANNEL_PATIENCE * self.settings.rate)
        else:
            last = self.cells_before(until) - 1
        self._store(*self._merge(last), math.nan)

    @property
    def lookahead(self) -> float:
        """Seconds: samples so much later than a cell, or more, cannot change it."""
        gridders = (track.gridder for track in self._tracks.values())
        return max((g.lookahead for g in gridders if g is not None), default=0.0)

    def flush(self) -> None:
        """Let all cells go, at the end of a recording."""
        self._store(*self._merge(2**62), math.nan)

    def _nothing(self) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
        return np.empty(0, np.int64), np.empty((0, len(self.settings.channels)))

    def _gridder(self, source: Source) -> Gridder:
        assert self.start is not None
        if source.rate == self.settings.rate:
            return Placer(self.start, self.settings.rate)
        return Resampler(self.start, self.settings.rate, source.rate, len(source.columns))

    def _merge(self, last: int = -1) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
        """Join the streams' cells, as far as all of them have come, or up to index `last`."""
        tracks = list(self._tracks.values())
        if len(tracks) == 1:
            track = tracks[0]
            if not track.indices:
                return self._nothing()
            indices, cells = np.concatenate(track.indices), np.concatenate(track.values)
            track.indices, track.values = [], []
            values = np.full((len(indices), len(self.settings.channels)), np.nan)
            values[:, list(track.source.channels)] = cells
            return indices, values
        reached = [track.reached for track in tracks if track.reached is not None]
        if not reached:
            return self._nothing()
        until = last
        if len(reached) == len(tracks):
            until = max(until, min(reached))
        parts = []
        for track in tracks:
            if not track.indices:
                continue
            indices, cells = np.concatenate(track.indices), np.concatenate(track.values)
            ready = (indices <= until) & (indices >= self.ring.stop)
            late = indices > until
            parts.append((track, indices[ready], cells[ready]))
            track.indices, track.values = [indices[late]], [cells[late]]
        if not parts:
            return self._nothing()
        union = np.unique(np.concatenate([indices for _, indices, _ in parts]))
        values = np.full((len(union), len(self.settings.channels)), np.nan)
        for track, indices, cells in parts:
            rows = np.searchsorted(union, indices)
            values[np.ix_(rows, np.array(track.source.channels))] = cells
        return union, values

    def _store(
        self, indices: NDArray[np.int64], raw: NDArray[np.float64], arrived: float
    ) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
        if not len(indices):
            return indices, raw
        raw = np.where(np.isfinite(raw), raw, np.nan)
        filtered = self._filter.apply(indices, raw)
        self.ring.write(indices, np.hstack([raw, filtered]))
        if not math.isnan(arrived):
            self.arrived = arrived
        if self._updated is None:
            self._updated = int(indices[0])
        return indices, filtered

    def cells_before(self, time: float) -> int:
        """Grid index of the first cell that does not lie before `time`."""
        assert self.start is not None
        return math.ceil((time - self.start) * self.settings.rate - EDGE_TOLERANCE)

    def is_complete(self, time: float) -> bool:
        """Tell whether every cell before `time` has been passed."""
        return self.start is not None and self.ring.stop >= self.cells_before(time)

    def next_time_after(self, time: float) -> float:
        """Time of the first cell with data at or after `time`; inf if there is none (yet)."""
        if self.start is None:
            return math.inf
        first = max(self.cells_before(time), 0)
        cells = self.ring.read(first, self.ring.stop)
        present = np.flatnonzero(np.isfinite(cells).any(axis=1))
        if not len(present):
            return math.inf
        return self.start + (first + int(present[0])) / self.settings.rate

    def window(self, time: float) -> SignalWindow:
        """Describe the window that ends at `time`; windows must be asked for in order of time."""
        names = len(self._features.features)
        nothing = SignalWindow(np.full(names, np.nan, np.float32), False, 0.0, 0.0, math.inf, 0.0)
        if self.start is None or self._updated is None:
            return nothing
        settings = self.settings
        stop = self.cells_before(time)
        start = max(stop - int(round(settings.window * settings.rate)), 0)
        if stop <= 0:
            return nothing
        passed = min(stop, self.ring.stop)
        if passed > self._updated:
            self._features.update(self._segment(self._updated, passed))
            self._updated = passed
        segment = self._segment(start, stop)
        valid = float(_rows_complete(segment.filtered).mean())
        missing = _rows_missing_at_end(segment.raw)
        self.ring.forget(start)
        if missing == len(segment.raw):
            return nothing
        age = missing / settings.rate
        vector = self._features.extract(segment)
        quality = float(self._features.quality(segment))
        usable = (
            valid >= settings.min_valid
            and age <= settings.max_age
            and bool(np.isfinite(vector).any())
        )
        return SignalWindow(vector, usable, valid, quality, age, segment.seconds)

    def _segment(self, start: int, stop: int) -> Segment:
        cells = self.ring.read(start, stop)
        width = len(self.settings.channels)
        return Segment(start, self.settings.rate, cells[:, :width], cells[:, width:])


def _rows_complete(cells: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Tell which rows have all their channels; column by column, as rows are short."""
    complete = np.isfinite(cells[:, 0])
    for column in range(1, cells.shape[1]):
        complete &= np.isfinite(cells[:, column])
    return complete


def _rows_missing_at_end(cells: NDArray[np.float64]) -> int:
    """Count the rows without any sample at the end."""
    if np.isfinite(cells[-1]).any():
        return 0
    present = np.flatnonzero(np.isfinite(cells).any(axis=1))
    return len(cells) - 1 - int(present[-1]) if len(present) else len(cells)


@dataclass(frozen=True, slots=True)
class SignalWindow:
    """One modality in one window.

    Attributes
    ----------
    features : ndarray of float32, shape (n_features,)
    usable : bool
        Enough valid, recent samples.
    valid : float
        Share of valid samples since the stream's first one, or of the window.
    quality : float
        The feature set's own index, 0 to 1.
    age : float
        Seconds from the newest sample to the window's end.
    seconds : float
        Length of the window, shorter during warm-up.
    """

    features: NDArray[np.float32]
    usable: bool
    valid: float
    quality: float
    age: float
    seconds: float
