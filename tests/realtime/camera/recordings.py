"""Frames of the real recordings."""

from __future__ import annotations

import functools

import cv2
import numpy as np

from tests.data import data_folder

SMILE = "pyfeat__single_face.mp4"
NOBODY = "pyfeat__no_face.mp4"


@functools.cache
def frames_of(name: str) -> tuple[np.ndarray, ...]:
    """Return all frames of a video, blue, green and red; skip the test where it is absent."""
    capture = cv2.VideoCapture(str(data_folder("face") / name))
    frames = []
    while (read := capture.read())[0]:
        frames.append(read[1])
    assert frames, name
    return tuple(frames)


def grey_of(name: str) -> list[np.ndarray]:
    return [cv2.cvtColor(frame, cv2.COLOR_BGR2GRAY) for frame in frames_of(name)]
