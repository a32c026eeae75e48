"""Where frames come from: a camera, a video file, or a folder of pictures in its place.

All give a frame and when it was captured, on this machine's LSL clock. A source that goes away is
waited for, and found again when it is back.
"""

from __future__ import annotations

import logging
import math
import os
import re
import threading
import time
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Callable
from pathlib import Path
from typing import Protocol

import numpy as np
import pylsl
from numpy.typing import NDArray

from realtime.errors import InputError

# FFmpeg's remarks on damaged files would drown ours; read when OpenCV first opens a video.
os.environ.setdefault("OPENCV_FFMPEG_LOGLEVEL", "-8")
import cv2

logger = logging.getLogger(__name__)

RETRY = 0.5  # s between attempts to open a camera that is away
SILENCE = 2.0  # s without a frame after which a camera counts as lost
WAITING = 8  # frames that wait to be taken, at most; the oldest are dropped
LATE = 0.5  # s by which a file's frame may be late before it is left out, as a camera would
RATES = (1.0, 240.0)  # frames a second of a file that can be meant
PICTURES = (".bmp", ".jpeg", ".jpg", ".png", ".tif", ".tiff", ".webp")

Frame = NDArray[np.uint8]


class Source(ABC):
    """Frames in order of time.

    Attributes
    ----------
    name : str
        What it is called in messages.
    lost : bool
        It is away now.
    losses : int
        How often it has gone away.
    dropped : int
        Frames that nobody took in time.
    ended : bool
        There is nothing more to come.
    """

    def __init__(self, name: str) -> None:
        self.name = name
        self.lost = False
        self.losses = 0
        self.dropped = 0
        self.ended = False

    @abstractmethod
    def read(self, wait: float) -> tuple[float, Frame] | None:
        """Return the next frame and its capture time, or None if there is none within `wait` s.

        Frames have the shape (height, width, 3), blue, green and red.
        """

    def close(self) -> None:
        """Let the source go."""
        self.ended = True

    def _lose(self) -> None:
        if not self.lost:
            self.lost = True
            self.losses += 1
            logger.warning("%s gives no frames: waiting until it does", self.name)

    def _regain(self) -> None:
        if self.lost:
            self.lost = False
            logger.info("%s gives frames again", self.name)


def open_source(text: str, fps: float | None = None, loop: bool = False) -> Source:
    """Open what a user names.

    Parameters
    ----------
    text : str
        Number of a camera, or path of a video file or of a folder of pictures.
    fps : float, optional
        Frames a second: asked of a camera, stated for a file or folder. By default a camera's and
        a file's own, and 30 for a folder.
    loop : bool
        Begin a file or folder again when it ends.

    Raises
    ------
    InputError
        If there is no such file or folder, or nothing in it can be read.
    """
    if fps is not None and not RATES[0] <= fps <= RATES[1]:
        raise InputError(f"{fps:g} frames a second: give {RATES[0]:g} to {RATES[1]:g}")
    path = Path(text)
    if re.fullmatch(r"\d{1,3}", text) or path.is_char_device():
        return Camera(f"camera {text}", camera_opener(int(text) if text.isdigit() else text, fps))
    if path.is_dir():
        return PictureFolder(path, fps or 30.0, loop)
    if not path.is_file():
        raise InputError(
            f"no camera, video file or folder of pictures {text!r}: give a camera's number "
            "(0 is the first) or a path"
        )
    return VideoFile(path, fps, loop)


class Capture(Protocol):
    """What is used of ``cv2.VideoCapture``."""

    def isOpened(self) -> bool: ...  # noqa: D102, N802

    def grab(self) -> bool: ...  # noqa: D102

    def retrieve(self) -> tuple[bool, Frame]: ...  # noqa: D102

    def release(self) -> None: ...  # noqa: D102


def camera_opener(device: int | str, fps: float | None) -> Callable[[], Capture]:
    """Return a function that opens a camera."""

    def opened() -> Capture:
        # Attempts that fail are told in our own words, once.
        cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_SILENT)
        capture = cv2.VideoCapture(device)
        if fps is not None:
            capture.set(cv2.CAP_PROP_FPS, fps)
        return capture

    return opened


class Camera(Source):
    """A camera, read in a thread of its own so that every frame is stamped as it is captured.

    Parameters
    ----------
    name : str
    opened : callable
        Opens it.
    """

    def __init__(self, name: str, opened: Callable[[], Capture]) -> None:
        super().__init__(name)
        self._opened = opened
        self._frames: deque[tuple[float, Frame]] = deque()
        self._changed = threading.Condition()
        self._newest = pylsl.local_clock()
        self._thread = threading.Thread(target=self._run, name="camera", daemon=True)
        self._thread.start()

    def read(self, wait: float) -> tuple[float, Frame] | None:
        """Return the next frame and its capture time, or None if there is none within `wait` s."""
        with self._changed:
            if self._changed.wait_for(lambda: bool(self._frames), wait):
                return self._frames.popleft()
            # A driver may hang where it should fail.
            if pylsl.local_clock() - self._newest > SILENCE:
                self._lose()
        return None

    def close(self) -> None:
        """Let the camera go; a driver that hangs is left to the end of the process."""
        super().close()
        self._thread.join(2.0)

    def _run(self) -> None:
        while not self.ended:
            capture = self._opened()
            try:
                if capture.isOpened():
                    self._grab(capture)
            finally:
                capture.release()
            if not self.ended:
                with self._changed:
                    self._lose()
                time.sleep(RETRY)

    def _grab(self, capture: Capture) -> None:
        """Take frames until one fails."""
        while not self.ended and capture.grab():
            captured = pylsl.local_clock()
            read, frame = capture.retrieve()
            if not read:
                return
            with self._changed:
                self._regain()
                self._newest = captured
                if len(self._frames) >= WAITING:
                    self._frames.popleft()
                    self.dropped += 1
                self._frames.append((captured, frame))
                self._changed.notify()


class _Paced(Source):
    """Frames of a known rate, given when they are due."""

    def __init__(self, name: str, rate: float) -> None:
        super().__init__(name)
        self.rate = rate
        self._start: float | None = None
        self._number = 0  # of the next frame since the start

    def read(self, wait: float) -> tuple[float, Frame] | None:
        """Return the next frame and its capture time, or None if there is none within `wait` s."""
        if self.ended:
            return None
        if not self._present():
            self._lose()
            self._start = None
            time.sleep(min(wait, RETRY))
            return None
        self._regain()
        if self._start is None:
            self._start, self._number = pylsl.local_clock(), 0
        due = self._start + self._number / self.rate
        early = due - pylsl.local_clock()
        if early > wait:
            time.sleep(wait)
            return None
        if early > 0:
            time.sleep(early)
        late = math.floor((-early - LATE) * self.rate) + 1 if -early > LATE else 0
        for _ in range(late):
            self._next(skip=True)
        self.dropped += late
        self._number += late
        captured = self._start + self._number / self.rate
        frame = self._next()
        self._number += 1
        return None if frame is None else (captured, frame)

    def _present(self) -> bool:
        """Tell whether frames can be read now."""
        return True

    @abstractmethod
    def _next(self, skip: bool = False) -> Frame | None:
        """Return the next frame; None if it is left out, cannot be read, or there is none."""


class VideoFile(_Paced):
    """A video file.

    Raises
    ------
    InputError
        If it holds no frame that can be read.
    """

    def __init__(self, path: Path, fps: float | None = None, loop: bool = False) -> None:
        self._path = path
        self._loop = loop
        self._capture = cv2.VideoCapture(str(path))
        read, frame = self._capture.read()
        if not read:
            self._capture.release()
            raise InputError(f"{str(path)!r} is no video that can be read: give another file")
        self._first: Frame | None = frame
        own = self._capture.get(cv2.CAP_PROP_FPS)
        super().__init__(path.name, fps or (own if RATES[0] <= own <= RATES[1] else 30.0))

    def close(self) -> None:
        """Let the file go."""
        super().close()
        self._capture.release()

    def _next(self, skip: bool = False) -> Frame | None:
        if self._first is not None:
            first, self._first = self._first, None
            return first
        for attempt in range(2):
            if self._capture.grab():
                if skip:
                    return None
                read, frame = self._capture.retrieve()
                return frame if read else None
            if not self._loop or attempt:
                break
            self._capture.release()
            self._capture = cv2.VideoCapture(str(self._path))
        self.ended = True
        return None


class PictureFolder(_Paced):
    """A folder of pictures, in the order of their names.

    Raises
    ------
    InputError
        If it holds none.
    """

    def __init__(self, path: Path, fps: float = 30.0, loop: bool = False) -> None:
        super().__init__(f"folder {path.name}", fps)
        self._path = path
        self._loop = loop
        self._place = 0
        self._files = sorted(file for file in path.iterdir() if file.suffix.casefold() in PICTURES)
        if not self._files:
            raise InputError(
                f"no picture in {str(path)!r}: give a folder with files like {', '.join(PICTURES)}"
            )

    def _present(self) -> bool:
        return self._path.is_dir()

    def _next(self, skip: bool = False) -> Frame | None:
        if self._place == len(self._files):
            if not self._loop:
                self.ended = True
                return None
            self._place = 0
        file = self._files[self._place]
        self._place += 1
        if skip:
            return None
        frame = cv2.imread(str(file), cv2.IMREAD_COLOR)
        if frame is None:
            logger.warning("%s cannot be read: left out", file.name)
            self.dropped += 1
            return None
        return np.asarray(frame, np.uint8)
