"""Frames of stretches of a video file, as fast as they can be read."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from realtime.errors import InputError


def read_clips(
    path: Path, stretches: Sequence[tuple[int, int]]
) -> Iterator[tuple[int, NDArray[np.uint8]]]:
    """Yield number and picture of every frame in some stretches of a video.

    The file is read from its start: where a compressed video jumps to by frame number is not exact.

    Parameters
    ----------
    path : Path
    stretches : sequence of (int, int)
        First frame, and the one after the last, of each; in order, and apart.

    Yields
    ------
    number : int
    frame : ndarray of uint8, shape (height, width, 3)
        Blue, green and red. A frame that is damaged, or beyond the video's end, is left out.

    Raises
    ------
    InputError
        If the file is no video that can be read.
    """
    capture = cv2.VideoCapture(str(path))
    try:
        if not capture.isOpened():
            raise InputError(f"{str(path)!r} is no video that can be read: restore it")
        number = 0
        for first, last in stretches:
            while number < last and capture.grab():
                if number >= first:
                    read, frame = capture.retrieve()
                    if read:
                        yield number, np.asarray(frame, dtype=np.uint8)
                number += 1
    finally:
        capture.release()
