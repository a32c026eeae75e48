"""The inlet of a video stream: frames become texture counts as they arrive, and are let go.

Receiving and converting have a thread of their own, so that the engine's polls never wait for a
face to be found. What follows sees a ``FaceTexture`` stream under the video stream's key.
"""

from __future__ import annotations

import logging
import threading
from collections import deque
from dataclasses import replace

import numpy as np
import pylsl
from numpy.typing import NDArray

from realtime.chunk import Chunk
from realtime.features.lbp_top import LABELS, RATE
from realtime.inlet import Inlet, InletStatistics
from realtime.pace import Pace
from realtime.recording import StreamInfo
from realtime.video import FrameConverter, frame_format, texture_of

_log = logging.getLogger(__name__)

LATE = 1.0  # s of frames that may wait if the stream allows samples to be dropped
WAITING_BYTES = 64e6  # of frames that wait in any case, and of frames that are kept to be recorded
READY = 1800  # counts that wait for a poll: a minute
_IDLE = 0.01  # s

_Counts = tuple[float, NDArray[np.int16]]
Frames = tuple[NDArray[np.float64], NDArray[np.generic]]
"""Stamps as the source gave them, and frames as they came, one a row."""


class VideoInlet(Inlet):
    """A connection to a video stream that gives texture counts.

    Parameters
    ----------
    info : StreamInfo
        What is known of the video stream.
    handle : pylsl.StreamInfo
        The resolver's description of it.
    keep_frames : bool
        Keep frames as they came until `take_frames`, for a recording that was asked to have them.

    Attributes
    ----------
    info : StreamInfo
        The texture stream.
    video : StreamInfo
        The video stream, under a key of its own.
    lost : int
        Frames that were kept and not taken in time.

    Raises
    ------
    InputError
        If the frames cannot be understood (`realtime.video.frame_format`).
    """

    def __init__(
        self, info: StreamInfo, handle: pylsl.StreamInfo, keep_frames: bool = False
    ) -> None:
        frames = frame_format(info)
        self._converter = FrameConverter(frames)
        super().__init__(info, handle)
        self.info = texture_of(info)
        self.video = replace(info, key=f"{info.key} frames")
        fits = max(1, int(WAITING_BYTES / info.channel_count))
        self._room = fits
        if frames.can_drop:
            self._room = min(fits, max(1, round(LATE * (info.rate or RATE))))
        self._waiting: deque[tuple[float, NDArray[np.generic]]] = deque()
        self._ready: deque[_Counts] = deque()
        self._kept: list[Frames] | None = [] if keep_frames else None
        self._kept_lock = threading.Lock()
        self._kept_room = fits
        self.lost = 0
        self._texture_pace = Pace(RATE)
        self._failed = False
        self._worker = threading.Thread(
            target=self._work, name=f"video {info.name[:24]}", daemon=True
        )
        self._worker.start()

    def poll(self) -> tuple[NDArray[np.float64], Chunk] | None:
        """Return the counts of frames that have been worked on; as `Inlet.poll`."""
        ready: list[_Counts] = []
        while self._ready:
            ready.append(self._ready.popleft())
        if not ready:
            return None
        raw = np.array([stamp for stamp, _ in ready])
        counts = np.array([row for _, row in ready], dtype=np.float64)
        times = raw + self._correction.held
        self._texture_pace.arrived()
        self._texture_pace.count(times)
        return raw, Chunk(self.info.key, times, counts.reshape(len(ready), len(LABELS)))

    def take_frames(self) -> list[Frames]:
        """Return the frames that have come since the last call; none unless they are kept."""
        if self._kept is None:
            return []
        with self._kept_lock:
            taken, self._kept = self._kept, []
        return taken

    def statistics(self) -> InletStatistics:
        """Return the figures of this moment: of the counts; `dropped` are frames."""
        pace = self._texture_pace
        return InletStatistics(
            state=self.state,
            samples=pace.samples,
            rate=pace.current,
            overall_rate=pace.overall,
            data_age=self._age_of(pace),
            gaps=pace.gaps,
            clock_resets=self._clock_resets,
            dropped=self._dropped,
            correction=self._correction.held,
        )

    def _release(self, inlet: pylsl.StreamInlet) -> None:
        self._worker.join()  # it may be pulling
        super()._release(inlet)

    # On the worker's thread.

    def _work(self) -> None:
        while not self._closing.is_set():
            received = self._receive()
            if received is not None:
                self._take(*received[:2])
            if not self._waiting:
                self._closing.wait(_IDLE)
                continue
            stamp, frame = self._waiting.popleft()
            try:
                # The source's own clock: the same as where its camera makes the counts itself.
                made = self._converter.push(stamp, frame)
            except Exception:
                # One bad frame must cost neither the stream nor the session.
                self._dropped += 1
                if not self._failed:
                    self._failed = True
                    _log.exception("a frame of stream %r could not be used", self.info.name)
                continue
            self._ready.extend(made)
            while len(self._ready) > READY:  # nobody polls
                self._ready.popleft()
                self._dropped += 1

    def _take(self, raw: NDArray[np.float64], frames: NDArray[np.generic]) -> None:
        if self._kept is not None:
            with self._kept_lock:
                self._kept.append((raw, frames))
                while sum(len(stamps) for stamps, _ in self._kept) > self._kept_room:
                    self.lost += len(self._kept.pop(0)[0])
        self._waiting.extend(zip(raw.tolist(), frames, strict=True))
        late = len(self._waiting) - self._room
        if late > 0:
            if not self._dropped:
                _log.warning(
                    "frames of stream %r come faster than they can be worked on; "
                    "dropping the oldest",
                    self.info.name,
                )
            self._dropped += late
            for _ in range(late):
                self._waiting.popleft()
