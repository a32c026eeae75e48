"""Finding faces and eyes in a grey picture.

OpenCV's own cascades (Viola and Jones 2001; Lienhart and Maydt 2002) do it: they come with the
library, and with `FaceTracker` following a face between finds they see every frame of the test
recordings. Learned detectors are better on faces in profile, but none comes as a package for every
system and Python version that this program runs on.
"""

from __future__ import annotations

import threading
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

SEARCH = 320
"""Pixels of the longer side of a picture that is searched; a face of a tenth of it is found."""

SMALLEST = 0.1
"""Width of the smallest face that is looked for, as a share of the picture's longer side."""

SCALES, AGREEING = 1.2, 3
"""Ratio of the sizes of face that are tried, and finds that must agree. Of the 200 pictures of
scikit-image's LFW subset these find 98 of 100 faces and none in the others, as 1.1 and 5 do, in
60 % of the time."""

DARK = 40
"""Grey level that the brightest twentieth of a picture must reach. Below, the cascades answer to
the sensor's noise, and so would the texture."""

_PATCH = 128  # pixels of the side of the upright patch in which a followed face is looked for
_PATCH_EYES = 44.0  # pixels between its eyes there: the face then fills 115 of the 128
_TYPICAL_EYES = ((0.305, 0.40), (0.69, 0.40))
"""Where eyes lie in a box of the face cascade, as shares of its side: means over the test
recordings, in which the eye cascade's own finds scatter by 0.01."""

Picture = NDArray[np.uint8]
Eyes = NDArray[np.float64]
"""Shape (2, 2): x and y of the eye at the left and of the one at the right of the picture."""


def eye_distance(eyes: Eyes) -> float:
    """Return the distance between two eyes."""
    return float(np.hypot(*(eyes[1] - eyes[0])))


def is_dark(picture: Picture) -> bool:
    """Tell whether there is too little light to see a face."""
    step = max(1, max(picture.shape) // 64)
    return bool(np.percentile(picture[::step, ::step], 95) < DARK)


def find_faces(picture: Picture, most: int = 1) -> list[Eyes]:
    """Look for faces in a whole picture.

    Parameters
    ----------
    picture : ndarray of uint8, shape (height, width)
    most : int
        How many people are expected: they sit further from the camera when they are several.

    Returns
    -------
    list of ndarray of float64, shape (2, 2)
        Their eyes, the largest face first.
    """
    scale = min(SEARCH * (1.0 + 0.5 * (most - 1)), 2.0 * SEARCH) / max(picture.shape)
    small = picture
    if scale < 1:
        small = cv2.resize(picture, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    else:
        scale = 1.0
    smallest = max(20, round(SMALLEST * SEARCH))
    boxes = _cascade("haarcascade_frontalface_alt2").detectMultiScale(
        _evened(small), SCALES, AGREEING, minSize=(smallest, smallest)
    )
    ordered = sorted(np.asarray(boxes).reshape(-1, 4).tolist(), key=lambda box: (-box[2], box))
    return [_eyes_in(picture, np.asarray(box) / scale) for box in ordered]


def find_again(picture: Picture, eyes: Eyes) -> Eyes | None:
    """Look for a face where it is thought to be, turned upright.

    Parameters
    ----------
    picture : ndarray of uint8, shape (height, width)
    eyes : ndarray of float64, shape (2, 2)
        Where its eyes are thought to be.

    Returns
    -------
    ndarray of float64, shape (2, 2), or None
        Where they are; None if there is no face.
    """
    half = _PATCH_EYES / 2
    upright = np.array([[_PATCH / 2 - half, 0.4 * _PATCH], [_PATCH / 2 + half, 0.4 * _PATCH]])
    turn = similarity(eyes, upright)
    patch = cv2.warpAffine(picture, turn, (_PATCH, _PATCH), borderMode=cv2.BORDER_REPLICATE)
    boxes = _cascade("haarcascade_frontalface_alt2").detectMultiScale(
        _evened(patch), 1.1, 3, minSize=(_PATCH // 2, _PATCH // 2)
    )
    if not len(boxes):
        return None
    box = max(np.asarray(boxes).tolist(), key=lambda box: (box[2], box))
    found = _eyes_in(patch, np.asarray(box, dtype=np.float64))
    back = cv2.invertAffineTransform(turn)
    return np.asarray(found @ back[:, :2].T + back[:, 2])


def similarity(source: Eyes, target: Eyes) -> NDArray[np.float64]:
    """Return the turn, scale and shift, shape (2, 3), that carries two points to two others."""
    a, b = source[1] - source[0], target[1] - target[0]
    square = float(a @ a)
    cosine, sine = float(a @ b) / square, float(a[0] * b[1] - a[1] * b[0]) / square
    turn = np.array([[cosine, -sine], [sine, cosine]])
    shift = target.mean(axis=0) - turn @ source.mean(axis=0)
    return np.column_stack([turn, shift])


def _eyes_in(picture: Picture, box: NDArray[np.float64]) -> Eyes:
    """Find the eyes in a face's box; where they cannot be seen, where eyes usually are."""
    x, y, side = float(box[0]), float(box[1]), float(box[2])
    usual = np.array([[x, y]]) + side * np.array(_TYPICAL_EYES)
    left, top = max(round(x), 0), max(round(y), 0)
    face = picture[top : round(y + side), left : round(x + side)]
    if min(face.shape) < 20:
        return usual
    scale = 128.0 / side
    upper = cv2.resize(
        face[: round(0.65 * face.shape[0])],
        None,
        fx=scale,
        fy=scale,
        interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR,
    )
    eyes = np.full((2, 2), np.nan)
    for eye, columns in enumerate((slice(8, 66), slice(62, 120))):
        half = upper[18:, columns]
        if min(half.shape) < 24:
            return usual
        boxes = _cascade("haarcascade_eye").detectMultiScale(
            half, 1.1, 3, minSize=(20, 20), maxSize=(48, 48)
        )
        if not len(boxes):
            return usual
        ex, ey, width, height = max(np.asarray(boxes).tolist(), key=lambda b: (b[2], b))
        eyes[eye] = columns.start + ex + width / 2, 18 + ey + height / 2
    eyes = eyes / scale + (left, top)
    # A nostril, a brow or an ear is no eye.
    distance = eye_distance(eyes) / side
    if not 0.28 <= distance <= 0.52 or np.abs(eyes - usual).max() > 0.15 * side:
        return usual
    return eyes


def _evened(picture: Picture) -> Picture:
    """Even out light and shade (CLAHE, Zuiderveld 1994).

    At a fifth of the light, the cascades then find as many faces as in full light; without it half
    of them, and with one curve for the whole picture those on one side of a bright one are missed.
    """
    return np.asarray(cv2.createCLAHE(2.0, (4, 4)).apply(picture), np.uint8)


class _Cascades(threading.local):
    """A cascade keeps what it works on in itself: each thread needs its own."""

    def __init__(self) -> None:
        self.loaded: dict[str, cv2.CascadeClassifier] = {}


_cascades = _Cascades()


def _cascade(name: str) -> cv2.CascadeClassifier:
    cascade = _cascades.loaded.get(name)
    if cascade is None:
        path = Path(cv2.__file__).parent / "data" / f"{name}.xml"
        cascade = cv2.CascadeClassifier(str(path))
        if cascade.empty():
            raise RuntimeError(f"OpenCV {cv2.__version__} lacks {path.name}: install a 4.x release")
        _cascades.loaded[name] = cascade
    return cascade
