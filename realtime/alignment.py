"""The streams of one modality on one grid, which they begin together and wait for one another on.

Most modalities are one stream. Some devices send one stream a channel, which begin, lag and fail
on their own.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from realtime.binding import Binding, Source
from realtime.clock import ClockCounts, StreamClock
from realtime.grid import Cells, Gridder, Placer, Resampler, lookahead_of
from realtime.rig import ModalitySettings

# The clock of a stream of irregular rate expects this many samples a second at least.
IRREGULAR_RATE = 1.0
# How long the channels of one modality that come as several streams wait for one another.
CHANNEL_PATIENCE = 1.0  # s of stream time
# An index beyond all cells.
ALL_CELLS = 2**62


@dataclass(slots=True)
class _Track:
    """One stream's way to the grid."""

    source: Source
    clock: StreamClock
    gridder: Gridder | None = None
    indices: list[NDArray[np.int64]] = field(default_factory=list)
    values: list[NDArray[np.float64]] = field(default_factory=list)
    reached: int | None = None

    def clear(self) -> None:
        """Forget all samples; the clock goes on."""
        self.gridder = None
        self.indices, self.values, self.reached = [], [], None


@dataclass(frozen=True, slots=True)
class _Piece:
    """Samples of one stream that wait until it is known where the grid begins."""

    track: _Track
    times: NDArray[np.float64]
    breaks: NDArray[np.bool_]
    values: NDArray[np.float64]


class Alignment:
    """Puts samples of a modality's streams on their clocks and on one grid.

    Parameters
    ----------
    settings : ModalitySettings
    binding : Binding
    limit : float
        Seconds of samples that are kept at most before the grid begins.

    Attributes
    ----------
    start : float or None
        Time of grid index 0: the first sample of the first stream, or of the next one if that
        has not begun `CHANNEL_PATIENCE` after the earliest.
    overflow : int
        Samples that were dropped since the grid did not begin.
    """

    def __init__(self, settings: ModalitySettings, binding: Binding, limit: float) -> None:
        self._settings = settings
        self._limit = limit
        self._tracks = {
            source.stream: _Track(source, StreamClock(source.rate or IRREGULAR_RATE))
            for source in binding.sources
        }
        self.overflow = 0
        self.clear()

    def clear(self) -> None:
        """Forget all samples; the clocks go on."""
        self.start: float | None = None
        self._leader: _Track | None = None
        self._pending: list[_Piece] = []
        for track in self._tracks.values():
            track.clear()

    @property
    def is_single(self) -> bool:
        """Whether there is but one stream, which waits for no other."""
        return len(self._tracks) == 1

    @property
    def counts(self) -> dict[str, ClockCounts]:
        """What each stream's clock found, by stream key."""
        return {key: track.clock.counts for key, track in self._tracks.items()}

    @property
    def collisions(self) -> int:
        """Samples that came to a cell that had one."""
        gridders = (track.gridder for track in self._tracks.values())
        return sum(gridder.collisions for gridder in gridders if isinstance(gridder, Placer))

    @property
    def lookahead(self) -> float:
        """Seconds: samples so much later than a cell, or more, cannot change it."""
        sources = [track.source for track in self._tracks.values() if track.gridder is not None]
        sources += [piece.track.source for piece in self._pending]
        return max((self._lookahead(source) for source in sources), default=0.0)

    @property
    def undecided_since(self) -> float:
        """Time of the first sample that waits until it is known where the grid begins, or inf."""
        return min((float(piece.times[0]) for piece in self._pending), default=math.inf)

    def take(self, stream: str, times: NDArray[np.float64], samples: NDArray[np.float64]) -> bool:
        """Take in samples of one stream.

        Returns
        -------
        bool
            They show that all samples so far lay on another clock: the grid begins anew.
        """
        track = self._tracks[stream]
        stamps = track.clock.take(times)
        anew = stamps.restarted and track is self._leader
        if anew:
            self.clear()
        elif stamps.restarted:
            self._pending = [piece for piece in self._pending if piece.track is not track]
            track.clear()
        if not len(stamps.times):
            return anew
        values = samples[stamps.kept][:, list(track.source.columns)]
        if track.source.convert is not None:
            values = track.source.convert(values)
        piece = _Piece(track, stamps.times, stamps.breaks, values)
        if self.start is None and not self.is_single:
            self._pending.append(piece)
            while len(self._pending) > 1 and piece.times[-1] - self.undecided_since > self._limit:
                self.overflow += len(self._pending.pop(0).times)
            return anew
        if self.start is None:
            self.start, self._leader = float(stamps.times[0]), track
        self._place(piece)
        return anew

    def begin(self, until: float = math.nan) -> None:
        """Let the grid begin, if samples at or after `until` cannot change where.

        That depends on the streams' times alone: on the first stream's if it begins soon enough.
        Without `until`, it is the newest sample's time.
        """
        if self.start is not None or not self._pending:
            return
        if math.isnan(until):
            until = max(float(piece.times[-1]) for piece in self._pending)
        begun: dict[str, float] = {}
        for piece in self._pending:
            begun.setdefault(piece.track.source.stream, float(piece.times[0]))
        latest = min(begun.values()) + CHANNEL_PATIENCE
        if next(iter(self._tracks)) not in begun and until <= latest:
            return
        leader = next(key for key in self._tracks if begun.get(key, math.inf) <= latest)
        self.start, self._leader = begun[leader], self._tracks[leader]
        pending, self._pending = self._pending, []
        for piece in pending:
            self._place(piece)

    def patient_until(self) -> int:
        """Return the last grid index that has waited for `CHANNEL_PATIENCE` of stream time."""
        reached = [t.reached for t in self._tracks.values() if t.reached is not None]
        return max(reached, default=0) - int(CHANNEL_PATIENCE * self._settings.rate)

    def cells(self, since: int, last: int = -1) -> Cells:
        """Join the streams' cells, as far as all of them have come, or up to index `last`.

        Parameters
        ----------
        since : int
            Earlier cells come too late; they are left out where streams are joined.
        last : int

        Returns
        -------
        indices : ndarray of int64, shape (m,)
        values : ndarray of float64, shape (m, channels of the modality)
            NaN in channels that no stream gives.
        """
        tracks = list(self._tracks.values())
        width = len(self._settings.channels)
        nothing = np.empty(0, np.int64), np.empty((0, width))
        if self.is_single:
            track = tracks[0]
            if not track.indices:
                return nothing
            indices, cells = np.concatenate(track.indices), np.concatenate(track.values)
            track.indices, track.values = [], []
            values = np.full((len(indices), width), np.nan)
            values[:, list(track.source.channels)] = cells
            return indices, values
        reached = [track.reached for track in tracks if track.reached is not None]
        if not reached:
            return nothing
        until = last
        if len(reached) == len(tracks):
            until = max(until, min(reached))
        parts = []
        for track in tracks:
            if not track.indices:
                continue
            indices, cells = np.concatenate(track.indices), np.concatenate(track.values)
            ready = (indices <= until) & (indices >= since)
            late = indices > until
            parts.append((track, indices[ready], cells[ready]))
            track.indices, track.values = [indices[late]], [cells[late]]
        if not parts:
            return nothing
        union = np.unique(np.concatenate([indices for _, indices, _ in parts]))
        values = np.full((len(union), width), np.nan)
        for track, indices, cells in parts:
            rows = np.searchsorted(union, indices)
            values[np.ix_(rows, np.array(track.source.channels))] = cells
        return union, values

    def _place(self, piece: _Piece) -> None:
        track = piece.track
        if track.gridder is None:
            track.gridder = self._gridder(track.source)
        indices, cells = track.gridder.take(piece.times, piece.breaks, piece.values)
        if len(indices):
            track.indices.append(indices)
            track.values.append(cells)
            track.reached = int(indices[-1])

    def _lookahead(self, source: Source) -> float:
        return 0.0 if source.rate == self._settings.rate else lookahead_of(source.rate)

    def _gridder(self, source: Source) -> Gridder:
        assert self.start is not None
        if source.rate == self._settings.rate:
            return Placer(self.start, self._settings.rate)
        return Resampler(self.start, self._settings.rate, source.rate, len(source.columns))
