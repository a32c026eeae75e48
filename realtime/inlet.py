"""An inlet: one stream's samples on this machine's clock, without a call that could block.

Whatever may block (measuring the clock, connecting, asking whether the outlet is still there) runs
in a daemon thread of the inlet's own, which is expendable: only the polls belong on the engine's
thread.
"""

from __future__ import annotations

import ctypes
import logging
import re
import threading
import time
from dataclasses import dataclass
from typing import Literal

import numpy as np
import pylsl
from numpy.typing import NDArray

from realtime.chunk import Chunk
from realtime.correction import ClockCorrection
from realtime.errors import InputError
from realtime.pace import Pace
from realtime.presence import Presence, find_outlet
from realtime.recording import Marker, StreamInfo
from realtime.video import RAW_TYPE, is_video, too_large

_log = logging.getLogger(__name__)

State = Literal["waiting", "live", "silent", "lost", "changed"]

MAX_CHANNELS = 65536
MAX_VALUES = 1e7  # values a second; liblsl sets aside five seconds of them at once
MARKER_LENGTH = 65536  # characters of one marker that are kept
_BUFFER_BYTES = 64e6  # what one inlet's queue may hold
_REFRESH = 3.0  # s between clock measurements; liblsl itself measures every 2 s
_QUIET = 0.5  # s without a sample before the outlet is looked for
_PAUSE = 0.5  # s between two searches
_TICK = 0.2  # s between two rounds of the attending thread

_Piece = tuple[NDArray[np.float64], NDArray[np.generic]]


@dataclass(frozen=True, slots=True)
class InletStatistics:
    """How a stream is doing.

    Attributes
    ----------
    state : str
        ``waiting`` (no sample yet), ``live``, ``silent`` (the outlet is there, samples are not),
        ``lost`` (the outlet is gone; the inlet goes on looking for it) or ``changed`` (an outlet of
        the same identity is there with another shape: bind anew).
    samples : int
        Samples received.
    rate, overall_rate : float
        Effective rate over the last 10 s of wall time, and since the first sample, in 1/s of the
        stream's own time; 0 if nothing came. Gaps do not count.
    data_age : float
        Seconds since the newest sample was taken; for a replay, since it arrived. inf before the
        first.
    gaps : int
        Steps between consecutive stamps of more than 0.5 s and of more than three periods. Always
        0 for irregular streams.
    clock_resets : int
        How often the source's clock was replaced or leapt.
    dropped : int
        Samples thrown away because more arrived at once than the inlet takes.
    correction : float
        Seconds that are added to the source's stamps at the moment.
    """

    state: State
    samples: int
    rate: float
    overall_rate: float
    data_age: float
    gaps: int
    clock_resets: int
    dropped: int
    correction: float


class Inlet:
    """A connection to one stream that survives the stream's loss and return.

    Parameters
    ----------
    info : StreamInfo
        What is known of the stream.
    handle : pylsl.StreamInfo
        The resolver's description of it (`realtime.discovery.Discovery.handle`).

    Raises
    ------
    InputError
        If the stream is absurdly wide or fast (`refuse_absurd`).
    """

    def __init__(self, info: StreamInfo, handle: pylsl.StreamInfo) -> None:
        refuse_absurd(info.name, info.channel_count, info.rate, info.type)
        self.info = info
        self._handle = handle
        # About a second a pull, and no more than a minute (or what memory bears) a poll.
        pace = info.rate or 100.0
        video = is_video(info)
        fits = max(1.0, _BUFFER_BYTES / ((1.0 if video else 8.0) * info.channel_count))
        self._block = int(min(max(pace, 64.0), max(1.0, fits / 16)))
        self._limit = int(min(max(60.0 * pace, 4096.0), fits))
        # Frames that are seconds old are of no use any more.
        self._buffer = int(np.clip(fits / pace, 2, 5 if video else 360))  # s
        self._inlet: pylsl.StreamInlet | None = None
        self._correction = ClockCorrection()
        self._known = threading.Event()  # the current source's clock has been measured
        self._sources = 0  # changes at every clock reset
        self._closing = threading.Event()
        self._wake = threading.Event()
        self._presence: Presence = "there"
        self._held: list[_Piece] = []
        self._pace = Pace(info.rate)
        self._clock_resets = 0
        self._dropped = 0
        self._thread = threading.Thread(
            target=self._attend, name=f"inlet {info.name[:24]}", daemon=True
        )
        self._thread.start()

    def poll(self) -> tuple[NDArray[np.float64], Chunk] | None:
        """Return the samples that have arrived, without waiting; call it 25 to 50 times a second.

        Returns
        -------
        raw_times : ndarray of float64, shape (n_samples,)
            Stamps as the source gave them, for the recording.
        chunk : Chunk
            The samples, with stamps on this machine's LSL clock.

        None if nothing arrived, or while a new source's clock is being measured.
        """
        received = self._receive()
        if received is None:
            return None
        raw, samples, times = received
        return raw, Chunk(self.info.key, times, samples.astype(np.float64, copy=False))

    def poll_markers(self) -> tuple[NDArray[np.float64], tuple[Marker, ...]] | None:
        """Do as `poll` for a stream of markers: each sample becomes one text.

        Control characters are dropped, several channels are joined by ``"; "``, numbers are
        written out.
        """
        received = self._receive()
        if received is None:
            return None
        raw, samples, times = received
        markers = tuple(
            Marker(float(stamp), "; ".join(_as_text(value) for value in row), self.info.key)
            for stamp, row in zip(times, samples, strict=True)
        )
        return raw, markers

    @property
    def state(self) -> State:
        """See `InletStatistics`."""
        if self._presence == "changed":
            return "changed"
        if self._presence == "gone" and self._pace.quiet > _QUIET:
            return "lost"
        if not self._pace.samples:
            return "waiting"
        return "live" if self._pace.quiet <= self._pace.patience else "silent"

    def statistics(self) -> InletStatistics:
        """Return the figures of this moment."""
        return InletStatistics(
            state=self.state,
            samples=self._pace.samples,
            rate=self._pace.current,
            overall_rate=self._pace.overall,
            data_age=self._age_of(self._pace),
            gaps=self._pace.gaps,
            clock_resets=self._clock_resets,
            dropped=self._dropped,
            correction=self._correction.held,
        )

    def close(self, timeout: float = 0.0) -> None:
        """Let go of the stream. The work is left to the inlet's own thread.

        Parameters
        ----------
        timeout : float
            Seconds to wait for it at most.
        """
        self._closing.set()
        self._wake.set()
        if timeout > 0:
            self._thread.join(timeout)

    # On the polling thread.

    def _receive(
        self,
    ) -> tuple[NDArray[np.float64], NDArray[np.generic], NDArray[np.float64]] | None:
        inlet = self._inlet
        if inlet is None or self._closing.is_set():
            return None
        # liblsl marks the reset half a second before it reconnects, so samples of the new clock
        # cannot have been pulled before the mark was seen.
        if inlet.was_clock_reset():
            self._clock_resets += 1
            self._sources += 1
            self._known.clear()
            self._wake.set()
            _log.info("stream %r has come back; measuring its clock anew", self.info.name)
        pieces = self._pull(inlet)
        if pieces:
            self._pace.arrived()
            self._presence = "there"
        if not self._known.is_set():
            self._hold(pieces)
            return None
        if self._held:
            pieces, self._held = self._held + pieces, []
        if not pieces:
            return None
        raw = np.concatenate([piece[0] for piece in pieces])
        samples = np.concatenate([piece[1] for piece in pieces])
        times = raw + self._correction.at(time.monotonic())
        self._pace.count(times)
        return raw, samples, times

    def _pull(self, inlet: pylsl.StreamInlet) -> list[_Piece]:
        pieces: list[_Piece] = []
        total = 0
        try:
            while total < self._limit:
                samples, times = inlet.pull_chunk(0.0, self._block, as_numpy=True)
                if len(times) < self._block:
                    # A short result is a view that would keep the whole block alive.
                    if len(times):
                        pieces.append((times.copy(), samples.copy()))
                    return pieces
                pieces.append((times, samples))
                total += len(times)
            dropped = int(inlet.flush())
        except RuntimeError as error:
            # Only a stream without a source id raises: liblsl cannot look for it again.
            if self._presence != "gone":
                _log.warning("stream %r is lost for good: %s", self.info.name, error)
            self._presence = "gone"
            return pieces
        if dropped and not self._dropped:
            _log.warning(
                "stream %r sends more than %d samples at once; dropping the surplus",
                self.info.name,
                self._limit,
            )
        self._dropped += dropped
        return pieces

    def _hold(self, pieces: list[_Piece]) -> None:
        held = sum(len(piece[0]) for piece in self._held)
        for piece in pieces:
            held += len(piece[0])
            if held <= self._limit:
                self._held.append(piece)
            else:
                self._dropped += len(piece[0])

    def _age_of(self, pace: Pace) -> float:
        quiet = pace.quiet
        if not pace.samples:
            return float("inf")
        if self.info.replay is not None:
            return quiet
        age = pylsl.local_clock() - pace.newest
        # Stamps of another epoch say nothing of age, and no sample is younger than its arrival.
        return max(quiet, age) if age < 86400.0 else quiet

    # On the inlet's own thread.

    def _attend(self) -> None:
        try:
            inlet = pylsl.StreamInlet(self._handle, max_buflen=self._buffer, recover=True)
        except RuntimeError as error:
            _log.error("cannot open stream %r: %s", self.info.name, error)
            self._presence = "gone"
            return
        # Destroying an inlet while it recovers has aborted whole processes, and the interpreter
        # would destroy it at its end. So the inlet lives for ever, unless `_release` finds that it
        # is safe to let go.
        ctypes.pythonapi.Py_IncRef(ctypes.py_object(inlet))
        # Before the data connection exists, so that no sample can queue up meanwhile.
        while not self._known.is_set() and not self._closing.is_set():
            self._measure(inlet)
            if not self._known.is_set():
                self._look()
        if not self._closing.is_set():
            self._open(inlet)
        self._inlet = inlet
        measured = looked = time.monotonic()
        while not self._closing.is_set():
            self._wake.wait(_TICK)
            self._wake.clear()
            now = time.monotonic()
            if not self._known.is_set() or now - measured > _REFRESH:
                self._measure(inlet)
                measured = now
            if self._pace.quiet > _QUIET and now - looked > _PAUSE:
                self._look()
                looked = time.monotonic()
        self._inlet = None
        self._release(inlet)

    def _open(self, inlet: pylsl.StreamInlet) -> None:
        try:
            inlet.open_stream(timeout=2.0)
        except pylsl.util.TimeoutError:
            pass  # the connection goes on being made; polls simply find nothing
        except RuntimeError as error:
            _log.warning("stream %r went away while it was opened: %s", self.info.name, error)
            self._presence = "gone"

    def _measure(self, inlet: pylsl.StreamInlet) -> None:
        source = self._sources
        try:
            # Blocks for 0.64 s at a new source, else not at all.
            value = inlet.time_correction(timeout=1.0)
        except RuntimeError:  # timed out or lost: the next round tries again
            return
        if source != self._sources:
            return  # measured on a source that has been replaced since
        fresh = not self._known.is_set()
        if self._correction.measure(value, jump=fresh) and not fresh:
            self._clock_resets += 1
            _log.warning("the clock of stream %r has leapt", self.info.name)
        self._known.set()

    def _look(self) -> None:
        """Ask the network whether an outlet that this inlet can read is there."""
        presence = find_outlet(self._handle)
        # Samples that came meanwhile prove more than any search.
        if self._pace.quiet <= _QUIET or presence == self._presence:
            return
        self._presence = presence
        if presence == "gone":
            _log.warning("stream %r is lost", self.info.name)
        elif presence == "changed":
            _log.warning("stream %r is back with another shape: bind it anew", self.info.name)

    def _release(self, inlet: pylsl.StreamInlet) -> None:
        inlet.close_stream()
        if not self.info.source_id or find_outlet(self._handle) == "there":
            ctypes.pythonapi.Py_DecRef(ctypes.py_object(inlet))


def refuse_absurd(name: str, channels: int, rate: float, stream_type: str) -> None:
    """Refuse a stream whose declared shape would exhaust memory before its first sample.

    Raises
    ------
    InputError
        If it has more than 65,536 channels, or more than ten million values a second. Frames of
        video may be larger (`realtime.video.too_large`).
    """
    if stream_type.casefold() == RAW_TYPE:
        large = too_large(channels, rate)
        if large:
            raise InputError(f"stream {name!r} {large}")
        return
    if not 1 <= channels <= MAX_CHANNELS:
        raise InputError(
            f"stream {name!r} has {channels} channels: an inlet takes 1 to {MAX_CHANNELS}"
        )
    if not 0 <= channels * rate <= MAX_VALUES:
        raise InputError(
            f"stream {name!r} has {channels} channels at {rate:g} Hz: "
            f"an inlet takes {MAX_VALUES:g} values a second"
        )


def _as_text(value: object) -> str:
    if isinstance(value, bytes):
        text = value[: 4 * MARKER_LENGTH].decode("utf-8", errors="replace")
        # Unlike a name, a marker keeps its spaces: they may mean something to its sender.
        return _HIDDEN.sub("", _BREAKS.sub(" ", text))[:MARKER_LENGTH]
    return f"{value:g}" if isinstance(value, float | np.floating) else str(value)


_BREAKS = re.compile(r"[\t\n\v\f\r\x1c-\x1f\x85\u2028\u2029]")
# Control characters, and format characters that reorder or hide text.
_HIDDEN = re.compile(r"[\x00-\x08\x0e-\x1b\x7f-\x9f\u200b-\u200f\u202a-\u202e\u2060-\u2069\ufeff]")
