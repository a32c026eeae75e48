"""The player: a recording's streams, published again as LSL streams on their own timeline."""

from __future__ import annotations

import logging
import math
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
import pylsl
from numpy.typing import NDArray

from realtime.errors import InputError
from realtime.metadata import description_xml, with_replay
from realtime.outlet import open_outlet
from realtime.recording import RecordedFrames, Recording, Replay, StreamInfo

_log = logging.getLogger(__name__)

SPEEDS = (0.01, 100.0)
_TICK = 0.02  # s of wall time between two pushes
_SETTLE = 3.0  # s without a further consumer, after the first, before the start
_LINGER = 0.5  # s that the last samples get to leave
# No pause of a session is longer; a longer step is a clock that was set, and is not waited for.
_LONGEST_PAUSE = 3600.0  # s


@dataclass(frozen=True, slots=True)
class _Source:
    """One recorded stream of numbers or texts."""

    info: StreamInfo
    times: NDArray[np.float64]
    samples: NDArray[np.generic] | list[str] | RecordedFrames
    due: NDArray[np.float64]  # s since the recording's start, never decreasing


@dataclass(slots=True)
class _Track:
    """A stream on its way out."""

    source: _Source
    info: StreamInfo
    outlet: pylsl.StreamOutlet
    position: int = 0


class Player:
    """Plays a recording as LSL streams.

    Every numeric stream and every marker stream appears on the network at once, with all its
    metadata, a source id of its own (``affectstream-replay-...``), and the note that it is a
    replay. Stamps are those of the recording plus a whole number of seconds, at any speed; samples
    go out when they are due. Each round of a loop, and each step back, adds whole seconds, so that
    stamps never go back where the recording's do not.

    Parameters
    ----------
    recording : Recording
    speed : float
        0.01 to 100; 1 is real time. The speed in the metadata stays that of the beginning.
    start, stop : float, optional
        Stretch to play, in seconds from the recording's start; all of it if left out.
    loop : bool
        Begin again at the end.
    wait : float
        Seconds of wall time that `run` waits at most for consumers before the first sample. It
        begins as soon as every stream has one, or some have and no more came for 3 s.

    Raises
    ------
    InputError
        If the speed is out of range, or the stretch holds no sample.
    """

    def __init__(
        self,
        recording: Recording,
        speed: float = 1.0,
        start: float | None = None,
        stop: float | None = None,
        loop: bool = False,
        wait: float = 30.0,
    ) -> None:
        _check_speed(speed)
        begin = 0.0 if start is None else start
        # Due times are found before anything is published: bad input leaves no trace.
        sources = list(_sources(recording))
        if not sources:
            raise InputError(f"{recording.path!r} holds no samples: choose another recording")
        # Stretches are half open, so the last sample lies just before the end.
        last = max(float(source.due[-1]) for source in sources)
        end = math.nextafter(last, math.inf) if stop is None else min(stop, last + 1.0)
        if not 0 <= begin < end:
            raise InputError(
                f"cannot play from {begin:g} s to {end if stop is None else stop:g} s: "
                f"{recording.path!r} lasts {last:.1f} s, choose a stretch of it"
            )
        self.recording = recording
        self.begin, self.end = float(begin), float(end)
        self.loop = loop
        self.offset = float(math.floor(pylsl.local_clock() - recording.start - begin))
        self.samples = 0
        self._speed = float(speed)
        self._wait = wait
        self._lock = threading.RLock()
        self._stopping = threading.Event()
        self._paused = False
        self._position = self.begin  # s from the recording's start, at the anchor
        self._anchor: float | None = None  # wall time at which playing began or went on
        self._tracks = [self._publish(source) for source in sources]
        self._place(self.begin)

    @property
    def infos(self) -> tuple[StreamInfo, ...]:
        """The streams as they are published."""
        return tuple(track.info for track in self._tracks)

    @property
    def position(self) -> float:
        """Where playing has got to, in seconds from the recording's start."""
        with self._lock:
            return self._now()

    @property
    def speed(self) -> float:
        """Playback speed."""
        return self._speed

    @property
    def paused(self) -> bool:
        """Whether playing is paused."""
        return self._paused

    def run(self) -> int:
        """Wait for consumers, play to the end (for ever in a loop), and close.

        Returns
        -------
        int
            Number of samples and markers sent.
        """
        self._await_consumers()
        while not self._stopping.is_set() and self.step():
            self._stopping.wait(_TICK)
        self._stopping.wait(_LINGER)
        self.close()
        return self.samples

    def step(self) -> bool:
        """Send what is due by now; the first call starts the clock.

        Returns
        -------
        bool
            False when the end has been reached.
        """
        with self._lock:
            if not self._tracks:
                return False
            if self._anchor is None and not self._paused:
                self._anchor = time.monotonic()
            now = self._now()
            ended = now >= self.end
            for track in self._tracks:
                self._send(track, int(np.searchsorted(track.source.due, min(now, self.end))))
            if ended and self.loop:
                self._go(self.begin, self.end)
                return True
            return not ended

    def pause(self) -> None:
        """Hold playing."""
        with self._lock:
            self._position, self._anchor, self._paused = self._now(), None, True

    def resume(self) -> None:
        """Go on."""
        with self._lock:
            if self._paused:
                self._paused = False
                self._anchor = time.monotonic()

    def seek(self, seconds: float) -> None:
        """Go on from another place, in seconds from the recording's start."""
        with self._lock:
            self._go(min(max(seconds, self.begin), self.end), self._now())

    def set_speed(self, speed: float) -> None:
        """Play faster or slower from now on.

        Raises
        ------
        InputError
            If the speed is out of range.
        """
        _check_speed(speed)
        with self._lock:
            self._position = self._now()
            if self._anchor is not None:
                self._anchor = time.monotonic()
            self._speed = float(speed)

    def stop(self) -> None:
        """Make `run` end."""
        self._stopping.set()

    def close(self) -> None:
        """Take the streams off the network."""
        with self._lock:
            self._position, self._anchor = self._now(), None
            self._tracks.clear()

    def _now(self) -> float:
        if self._anchor is None:
            return self._position
        return self._position + (time.monotonic() - self._anchor) * self._speed

    def _go(self, target: float, source: float) -> None:
        """Move from one place to another; going back moves the timeline on by whole seconds."""
        if target < source:
            # What was sent last is at most `source`; stamps that lag behind it stay below.
            self.offset += float(math.floor(source - target) + 1)
        self._position = target
        self._anchor = None if self._paused else time.monotonic()
        self._place(target)

    def _place(self, seconds: float) -> None:
        for track in self._tracks:
            track.position = int(np.searchsorted(track.source.due, seconds))

    def _send(self, track: _Track, stop: int) -> None:
        if stop <= track.position:
            return
        piece = slice(track.position, stop)
        track.position = stop
        stamps = track.source.times[piece] + self.offset
        # LSL takes a stamp of 0 for "now" and of -1 for "deduce it".
        stamps[(stamps == 0.0) | (stamps == -1.0)] += 1e-9
        track.outlet.push_chunk(track.source.samples[piece], stamps.tolist())
        self.samples += len(stamps)

    def _publish(self, source: _Source) -> _Track:
        info = source.info
        mark = Replay(offset=self.offset, speed=self._speed)
        description = info.description or description_xml(
            info.labels, info.units, info.type, simulated=info.simulated
        )
        info = replace(
            info,
            source_id=f"affectstream-replay-{info.source_id or info.name}-{info.key}",
            description=with_replay(description, mark),
            replay=mark,
        )
        return _Track(source, info, open_outlet(info))

    def _await_consumers(self) -> None:
        begin = changed = time.monotonic()
        count = 0
        while not self._stopping.is_set():
            now = time.monotonic()
            there = sum(bool(track.outlet.have_consumers()) for track in self._tracks)
            if there != count:
                count, changed = there, now
            if count == len(self._tracks) or (count and now - changed > _SETTLE):
                return
            if now - begin > self._wait:
                if not count:
                    _log.warning("nobody receives the replay after %g s: playing", self._wait)
                return
            time.sleep(_TICK)


def _check_speed(speed: float) -> None:
    if not SPEEDS[0] <= speed <= SPEEDS[1]:
        raise InputError(f"speed {speed!r}: must be {SPEEDS[0]:g} to {SPEEDS[1]:g}")


def _due(times: NDArray[np.float64], start: float) -> NDArray[np.float64]:
    """Return when each sample is sent, in seconds from the recording's start.

    Samples go out in recorded order. A stamp that steps back goes with its neighbours, and so
    does one that leaps: days of Unix epoch are not waited for.
    """
    due = times - start
    if not len(due):
        return due
    sane = np.isfinite(due)
    steps = np.diff(due, prepend=0.0)
    if sane.all() and (np.abs(steps) <= _LONGEST_PAUSE).all():
        return np.maximum.accumulate(np.maximum(due, 0.0))
    with np.errstate(invalid="ignore"):
        steps = np.diff(np.where(sane, due, np.nan), prepend=0.0)
        steps[~(np.abs(steps) <= _LONGEST_PAUSE)] = 0.0
    return np.maximum.accumulate(np.maximum(np.cumsum(steps), 0.0))


def _sources(recording: Recording) -> Iterator[_Source]:
    """Yield all streams that hold anything, numbers in the format that they are sent in."""
    for stream in recording.streams:
        info = stream.info
        # pylsl cannot send int64 on Windows; a double holds what the recording holds.
        if info.format == "int64" and sys.platform == "win32":
            info = replace(info, format="double64")
        if len(stream.times):
            yield _Source(
                info,
                stream.times,
                _numbers(stream.samples, info.format) if stream.frames is None else stream.frames,
                _due(stream.times, recording.start),
            )
    for info in recording.marker_streams:
        markers = [marker for marker in recording.markers if marker.stream == info.key]
        if markers:
            times = np.array([marker.time for marker in markers])
            # A marker of several channels was read as one text.
            info = replace(
                info, rate=0.0, format="string", labels=info.labels[:1], units=info.units[:1]
            )
            texts = [marker.text for marker in markers]
            yield _Source(info, times, texts, _due(times, recording.start))


def _numbers(samples: NDArray[np.float64], channel_format: str) -> NDArray[np.generic]:
    """Return samples in a stream's number format."""
    if channel_format == "float32":
        return samples.astype(np.float32)
    if channel_format == "double64":
        return np.ascontiguousarray(samples)
    limits = np.iinfo(channel_format)
    # Whole numbers know no NaN.
    whole = np.rint(np.nan_to_num(samples, nan=0.0)).clip(limits.min, limits.max)
    with np.errstate(invalid="ignore"):
        return whole.astype(channel_format)
