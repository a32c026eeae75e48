"""One modality of one participant: chunks in, filtered cells and feature vectors out."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from realtime.alignment import ALL_CELLS, Alignment
from realtime.binding import Binding
from realtime.clock import ClockCounts
from realtime.features import feature_set
from realtime.features.artefacts import ArtefactFilter
from realtime.features.base import FeatureSet, Segment
from realtime.filters import CausalFilter
from realtime.rig import ModalitySettings
from realtime.ring import Ring

# A window's edge may lie this share of a cell off the grid without moving a sample across it.
EDGE_TOLERANCE = 0.25
# After so long without a window, since nobody's streams gave anything (or the rest of them is on
# another clock), features begin anew instead of being led through every cell of the pause.
LONG_PAUSE = 600.0  # s


class Signal:
    """Puts a modality's samples on the clock and the grid, filters and keeps them.

    Parameters
    ----------
    settings : ModalitySettings
    binding : Binding
        Which channels of which streams it is made of.
    limit : float
        Seconds of cells that are kept at most beyond one window while they wait.
    artefacts : ArtefactFilter or None
        Fitted to the person, and taken out of every window.

    Attributes
    ----------
    ring : Ring
        Raw and filtered cells side by side.
    arrived : float
        Wall time at which the newest cell arrived.
    """

    def __init__(
        self,
        settings: ModalitySettings,
        binding: Binding,
        limit: float = math.inf,
        artefacts: ArtefactFilter | None = None,
    ) -> None:
        self.settings = settings
        self.binding = binding
        self._limit = limit
        self._artefacts = artefacts
        self._streams = Alignment(settings, binding, limit)
        self._reset()

    def _reset(self) -> None:
        """Forget all cells."""
        settings, width = self.settings, len(self.settings.channels)
        cells = math.inf if math.isinf(self._limit) else (self._limit + settings.window)
        self.arrived = math.nan
        self.ring = Ring(2 * width, ALL_CELLS if math.isinf(cells) else int(cells * settings.rate))
        self._filter = CausalFilter(settings.filter, settings.rate, width)
        self._features = self._new_features()
        self._updated: int | None = None
        self._last = math.inf

    def _new_features(self) -> FeatureSet:
        features = feature_set(self.settings.features).for_modality(self.settings)
        if self._artefacts is not None:
            features.take_out(self._artefacts)
        return features

    @property
    def start(self) -> float | None:
        """Time of grid index 0, on which the streams agree when they begin; None before."""
        return self._streams.start

    @property
    def counts(self) -> dict[str, ClockCounts]:
        """What each stream's clock found, by stream key."""
        return self._streams.counts

    @property
    def dropped(self) -> int:
        """Samples that came and were not used: two in one cell, or waiting for too long."""
        return self._streams.collisions + self._streams.overflow + self.ring.dropped

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
        if self._streams.take(stream, times, samples):
            self._reset()
        if self.start is None:
            return np.empty(0, np.int64), np.empty((0, len(self.settings.channels)))
        return self._store(*self._streams.cells(self.ring.stop), arrived)

    def release(self, until: float = math.inf) -> None:
        """Let channels that come as several streams wait for one another no longer.

        Parameters
        ----------
        until : float
            Cells before this time go. Live, it is inf: those go that have waited for
            `CHANNEL_PATIENCE` seconds of stream time.
        """
        if self._streams.is_single:
            return
        live = math.isinf(until)
        self._streams.begin(math.nan if live else until)
        if self.start is not None:
            last = self._streams.patient_until() if live else self.cells_before(until) - 1
            self._store(*self._streams.cells(self.ring.stop, last), math.nan)

    def flush(self) -> None:
        """Let all cells go, at the end of a recording."""
        self._streams.begin(math.inf)
        self._store(*self._streams.cells(self.ring.stop, ALL_CELLS), math.nan)

    @property
    def lookahead(self) -> float:
        """Seconds: samples so much later than a cell, or more, cannot change it."""
        return self._streams.lookahead

    @property
    def undecided_since(self) -> float:
        """Time of the first sample that waits until it is known where the grid begins, or inf."""
        return self._streams.undecided_since

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
        pause, self._last = time - self._last, time
        names = len(self._features.features)
        nothing = SignalWindow(np.full(names, np.nan, np.float32), False, 0.0, 0.0, math.inf, 0.0)
        if self.start is None or self._updated is None:
            return nothing
        settings = self.settings
        stop = self.cells_before(time)
        start = max(stop - int(round(settings.window * settings.rate)), 0)
        if stop <= 0:
            return nothing
        if pause > LONG_PAUSE and start > self._updated:
            self._features, self._updated = self._new_features(), start
        passed = min(stop, self.ring.stop)
        if passed > self._updated:
            self._features.update(self._segment(self._updated, passed))
            self._updated = passed
        segment = self._segment(start, stop)
        valid = float(_rows_complete(segment.filtered, settings.needed_channels).mean())
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


def _rows_complete(cells: NDArray[np.float64], needed: int) -> NDArray[np.bool_]:
    """Tell which rows have as many channels as are needed."""
    if needed < cells.shape[1] or cells.shape[1] > len(cells):
        return np.asarray(np.isfinite(cells).sum(axis=1) >= needed)
    # Column by column, as rows are short.
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
