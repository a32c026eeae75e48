"""From frames to each person's texture counts.

A camera's frames go through `FaceCrops` (grid, faces, crops) and each person's crops through
`CropTexture`. The camera process and the engine's video inlet use the same two, so that counts and
frames sent through LSL give equal features.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from realtime.camera.cadence import Cadence
from realtime.camera.crop import crop_face
from realtime.camera.faces import Eyes, eye_distance
from realtime.camera.tracker import FaceTracker
from realtime.errors import InputError
from realtime.features.lbp_top import LABELS, RATE, SIZE, TEMPORAL_RADIUS, TextureCounter

PREVIEW_WIDTH = 240
"""Pixels of a preview's width, at most."""

Counts = NDArray[np.int16]
Crop = NDArray[np.uint8]

_GREY = {
    "gray8": (1, None),
    "rgb24": (3, cv2.COLOR_RGB2GRAY),
    "bgr24": (3, cv2.COLOR_BGR2GRAY),
    "rgba": (4, cv2.COLOR_RGBA2GRAY),
    "bgra": (4, cv2.COLOR_BGRA2GRAY),
}


class CropTexture:
    """Texture counts of one person's crops.

    A crop counts as the centre frame once the four after it have come. Where one of the nine has
    no face there is no texture, and all counts are 0. After a gap in the stamps it begins anew.
    """

    def __init__(self) -> None:
        self._counter = TextureCounter()
        self._recent: deque[tuple[float, bool]] = deque(maxlen=2 * TEMPORAL_RADIUS + 1)

    def push(self, stamp: float, crop: Crop | None) -> list[tuple[float, Counts]]:
        """Take in the crop of the next stamp.

        Parameters
        ----------
        stamp : float
            Seconds; 1/30 s after the last one, or else there is a gap between them.
        crop : ndarray of uint8, shape (128, 128), or None
            None, or all zeros: no face.

        Returns
        -------
        list of (float, ndarray of int16, shape (768,))
            The stamp four before this one and its counts; nothing for the first eight.
        """
        if self._recent and abs(RATE * (stamp - self._recent[-1][0]) - 1.0) > 0.5:
            self._recent.clear()
            self._counter.clear()
        found = crop is not None and bool(crop.any())
        if crop is None:
            crop = np.zeros((SIZE, SIZE), np.uint8)
        counts = self._counter.push(crop)
        self._recent.append((stamp, found))
        if counts is None:
            return []
        if not all(found for _, found in self._recent):
            counts = np.zeros(len(LABELS), np.int16)
        return [(self._recent[TEMPORAL_RADIUS][0], counts)]


@dataclass(frozen=True, slots=True)
class Preview:
    """What an operator is shown of the newest frame.

    Attributes
    ----------
    frame : ndarray of uint8, shape (height, width)
        Grey and small.
    boxes : tuple of (tuple of int, or None)
        Each person's x, y, width and height in `frame`.
    crops : tuple of (ndarray of uint8, shape (128, 128), or None)
        Each person's.
    """

    frame: NDArray[np.uint8]
    boxes: tuple[tuple[int, int, int, int] | None, ...]
    crops: tuple[Crop | None, ...]


class FaceCrops:
    """Crops of the faces of some people, on the 30-Hz grid.

    Parameters
    ----------
    people : int
        How many, from left to right.

    Attributes
    ----------
    cadence : Cadence
    tracker : FaceTracker
    """

    def __init__(self, people: int = 1) -> None:
        self.people = people
        self.cadence = Cadence()
        self.tracker = FaceTracker(people)
        self._frame: NDArray[np.uint8] | None = None
        self._grey: NDArray[np.uint8] | None = None
        self._eyes: list[Eyes | None] = [None] * people
        self._crops: tuple[Crop | None, ...] = (None,) * people

    def push(
        self, time: float, frame: NDArray[np.uint8]
    ) -> list[tuple[float, tuple[Crop | None, ...]]]:
        """Take in a frame.

        Parameters
        ----------
        time : float
            Capture time in seconds.
        frame : ndarray of uint8, shape (height, width) or (height, width, 3)
            Grey, or blue, green and red. It is kept until the next one: hand over a new array
            each time.

        Returns
        -------
        list of (float, tuple)
            Stamps that became complete, each with every person's crop, or None without a face.
        """
        out = []
        for index, chosen in self.cadence.push(time, frame):
            if chosen is not self._frame:
                self._frame = chosen
                self._look(index, chosen)
            out.append((self.cadence.stamp(index), self._crops))
        return out

    @property
    def present(self) -> tuple[bool, ...]:
        """Whose face is in the newest frame."""
        return tuple(crop is not None for crop in self._crops)

    def _look(self, index: int, frame: NDArray[np.uint8]) -> None:
        grey = frame if frame.ndim == 2 else cv2.cvtColor(frame, cv2.COLOR_BGR2GRAY)
        self._grey = grey
        self._eyes = self.tracker.push(index, grey)
        self._crops = tuple(None if eyes is None else crop_face(grey, eyes) for eyes in self._eyes)

    def preview(self) -> Preview | None:
        """Return what an operator is shown of the newest frame; None before the first."""
        if self._grey is None:
            return None
        height, width = self._grey.shape
        scale = min(1.0, PREVIEW_WIDTH / width)
        size = (max(round(scale * width), 1), max(round(scale * height), 1))
        small = cv2.resize(self._grey, size, interpolation=cv2.INTER_AREA)
        return Preview(
            np.asarray(small, np.uint8),
            tuple(None if eyes is None else _box(scale * eyes) for eyes in self._eyes),
            self._crops,
        )


class FacePipeline:
    """Texture counts of the faces of some people.

    Parameters
    ----------
    people : int
        How many, from left to right.

    Attributes
    ----------
    crops : FaceCrops
    """

    def __init__(self, people: int = 1) -> None:
        self.crops = FaceCrops(people)
        self._textures = [CropTexture() for _ in range(people)]

    def push(self, time: float, frame: NDArray[np.uint8]) -> list[tuple[float, Counts]]:
        """Take in a frame; see `FaceCrops.push`.

        Returns
        -------
        list of (float, ndarray of int16, shape (people, 768))
            Stamps of the centre frames that became complete, with everybody's counts.
        """
        out: list[tuple[float, Counts]] = []
        for stamp, crops in self.crops.push(time, frame):
            each = [
                texture.push(stamp, crop)
                for texture, crop in zip(self._textures, crops, strict=True)
            ]
            # All have had the same stamps, so all are complete, or none.
            for done in zip(*each, strict=True):
                out.append((done[0][0], np.stack([counts for _, counts in done])))
        return out


class FrameTexture:
    """Texture counts of one person from the frames of a video stream.

    Parameters
    ----------
    width, height : int
        Of a frame, in pixels.
    pixel_format : str
        ``gray8``, ``rgb24``, ``bgr24``, ``rgba`` or ``bgra``.
    face_crop : bool
        The frames are crops of a face, on the grid, as the camera process sends them; all zeros
        mean that there is no face. They are used as they are.

    Raises
    ------
    InputError
        If frames cannot be what is said of them.
    """

    def __init__(
        self, width: int, height: int, pixel_format: str = "gray8", face_crop: bool = False
    ) -> None:
        if pixel_format not in _GREY:
            raise InputError(f"pixel format {pixel_format!r}: must be one of {', '.join(_GREY)}")
        if face_crop and (width, height, pixel_format) != (SIZE, SIZE, "gray8"):
            raise InputError(
                f"face crops of {width} x {height} {pixel_format}: must be {SIZE} x {SIZE} gray8"
            )
        depth, self._code = _GREY[pixel_format]
        self._shape = (height, width) if depth == 1 else (height, width, depth)
        self._crops = None if face_crop else FaceCrops(1)
        self._texture = CropTexture()

    def push(self, stamp: float, frame: NDArray[np.uint8]) -> list[tuple[float, Counts]]:
        """Take in a frame.

        Parameters
        ----------
        stamp : float
            Capture time in seconds.
        frame : ndarray of uint8, of height * width * bytes a pixel values
            It is kept until the next one: hand over a new array each time.

        Returns
        -------
        list of (float, ndarray of int16, shape (768,))
            Stamps of the centre frames that became complete, with their counts.
        """
        picture = frame.reshape(self._shape)
        if self._crops is None:
            return self._texture.push(stamp, picture)
        grey = picture if self._code is None else cv2.cvtColor(picture, self._code)
        return [
            done
            for moment, (crop,) in self._crops.push(stamp, np.asarray(grey, np.uint8))
            for done in self._texture.push(moment, crop)
        ]


def _box(eyes: Eyes) -> tuple[int, int, int, int]:
    """Return the upright box around a face: 1.2 eye distances above the eyes, 1.8 below."""
    span = eye_distance(eyes)
    x, y = eyes.mean(axis=0)
    return (round(x - 1.3 * span), round(y - 1.2 * span), round(2.6 * span), round(3.0 * span))
