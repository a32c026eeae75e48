"""LBP-TOP: local binary patterns of a face picture and of its movement, counted frame by frame.

Zhao and Pietikäinen, "Dynamic texture recognition using local binary patterns with an application
to facial expressions", IEEE TPAMI 29 (2007). Around each pixel, eight neighbours on an ellipse in
each of three planes (XY: the picture, XT and YT: rows and columns over time) are compared with it;
a neighbour that is at least as bright sets a bit, and the resulting byte is counted. Neighbour
positions are rounded to whole pixels and frames; nothing is interpolated.

The same pixels are counted in all three planes: those at least one pixel from the border, of frames
with four others before and after. So the counts of each plane of a frame add up to `PIXELS`.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

SIZE = 128
"""Rows and columns of a face picture."""

TEMPORAL_RADIUS = 4
"""Frames; the spatial radius is 1 pixel."""

RATE = 30.0
"""Frames a second for which the temporal radius is meant."""

NEIGHBOURS = 8
BINS = 2**NEIGHBOURS
PLANES = ("XY", "XT", "YT")
LABELS = tuple(f"{plane}_{code}" for plane in PLANES for code in range(BINS))
"""Names of the 768 counts, in order."""

PIXELS = (SIZE - 2) ** 2
"""Sum of a plane's counts of one frame."""

_FRAME = SIZE * SIZE
_SPAN = 2 * TEMPORAL_RADIUS + 1  # frames that one centre frame's counts depend on
_BLOCK = 8  # centre frames worked on together; more do not make it faster


def neighbour_offsets() -> dict[str, tuple[tuple[int, int, int], ...]]:
    """Return each plane's neighbours as (x, y, t) from the centre; the place in the row is the bit.

    Neighbour p lies at the angle 2πp/8, on a circle of radius 1 in XY and on an ellipse of 1 pixel
    by 4 frames in XT and YT. Positions are rounded to the nearest whole one: a diagonal neighbour
    lies 1 pixel and 3 frames away.
    """
    angles = 2.0 * np.pi * np.arange(NEIGHBOURS) / NEIGHBOURS
    across = np.rint(np.cos(angles)).astype(int).tolist()
    along = np.rint(np.sin(angles)).astype(int).tolist()
    later = np.rint(TEMPORAL_RADIUS * np.sin(angles)).astype(int).tolist()
    return {
        "XY": tuple((x, -y, 0) for x, y in zip(across, along, strict=True)),
        "XT": tuple((x, 0, t) for x, t in zip(across, later, strict=True)),
        "YT": tuple((0, -x, t) for x, t in zip(across, later, strict=True)),
    }


_OFFSETS = neighbour_offsets()
# How many places further each neighbour lies in a row of consecutive frames, by plane.
_STEPS = tuple(tuple((t * SIZE + y) * SIZE + x for x, y, t in _OFFSETS[plane]) for plane in PLANES)
# Planes share neighbours: each is compared once.
_DISTINCT = tuple(dict.fromkeys(step for steps in _STEPS for step in steps))
_PLACES = tuple(tuple(_DISTINCT.index(step) for step in steps) for steps in _STEPS)


class _Workspace:
    """Buffers of the comparisons of a few centre frames."""

    def __init__(self, frames: int) -> None:
        self._bits = np.zeros((len(_DISTINCT), frames * _FRAME), dtype=np.uint8)
        self._codes = np.zeros(frames * _FRAME, dtype=np.uint8)
        # One frame's bins, all planes: the code in the lowest byte, the plane in the one above.
        self._bins = np.zeros((len(PLANES), SIZE - 2, SIZE - 2), dtype="<i8")
        self._bins += BINS * np.arange(len(PLANES))[:, np.newaxis, np.newaxis]
        self._low = self._bins.view(np.uint8).reshape(*self._bins.shape, 8)[..., 0]
        self._planes = np.zeros((len(PLANES), frames, SIZE - 2, SIZE - 2), dtype=np.uint8)

    def count(self, video: NDArray[np.uint8], first: int, out: NDArray[np.int16]) -> None:
        """Count the patterns of centre frames `first`, `first + 1`, ... of consecutive frames.

        Frames lie one behind the other in `video`, so that a neighbour is the same pixel of a
        shifted view. At the border of a frame that is the wrong pixel: borders are not counted.
        """
        count = len(out)
        # The first and last row of the block are border, and would reach beyond the video.
        start = first * _FRAME + SIZE + 1
        stop = (first + count) * _FRAME - SIZE - 1
        used = slice(SIZE + 1, count * _FRAME - SIZE - 1)
        centre = video[start:stop]
        bits = self._bits[:, used]
        for row, step in zip(bits, _DISTINCT, strict=True):
            np.greater_equal(video[start + step : stop + step], centre, out=row.view(np.bool_))
        codes = self._codes[used]
        frames = self._codes[: count * _FRAME].reshape(count, SIZE, SIZE)[:, 1:-1, 1:-1]
        for plane, places in enumerate(_PLACES):
            np.add(bits[places[-1]], bits[places[-1]], out=codes)
            for place in places[-2:0:-1]:
                np.bitwise_or(codes, bits[place], out=codes)
                np.add(codes, codes, out=codes)
            np.bitwise_or(codes, bits[places[0]], out=codes)
            self._planes[plane, :count] = frames
        for frame, counts in enumerate(out):
            self._low[:] = self._planes[:, frame]
            counts[:] = np.bincount(self._bins.reshape(-1), minlength=len(LABELS))


def texture_counts(frames: NDArray[np.uint8]) -> NDArray[np.int16]:
    """Count the local binary patterns of consecutive frames.

    Parameters
    ----------
    frames : ndarray of uint8, shape (n + 8, 128, 128)
        Grey pictures of one face, `RATE` a second.

    Returns
    -------
    ndarray of int16, shape (n, 768)
        Counts of each frame that has four before and four after it, in the order of `LABELS`.
    """
    if frames.ndim != 3 or frames.shape[1:] != (SIZE, SIZE) or frames.dtype != np.uint8:
        raise ValueError(
            f"frames of shape {frames.shape} and type {frames.dtype}: "
            f"need (n, {SIZE}, {SIZE}) of uint8"
        )
    video = np.ascontiguousarray(frames).reshape(-1)
    counts = np.zeros((max(len(frames) - _SPAN + 1, 0), len(LABELS)), dtype=np.int16)
    workspace = _Workspace(min(_BLOCK, max(len(counts), 1)))
    for start in range(0, len(counts), _BLOCK):
        workspace.count(video, start + TEMPORAL_RADIUS, counts[start : start + _BLOCK])
    return counts


class TextureCounter:
    """`texture_counts` of frames that come one by one."""

    def __init__(self) -> None:
        # Frames are written one behind the other; when the end is reached, the last eight move to
        # the front.
        self._frames = np.zeros((4 * _SPAN, _FRAME), dtype=np.uint8)
        self._filled = 0
        self._workspace = _Workspace(1)

    def push(self, frame: NDArray[np.uint8]) -> NDArray[np.int16] | None:
        """Take in the next frame, and count the patterns of the one four before it.

        Parameters
        ----------
        frame : ndarray of uint8, shape (128, 128)

        Returns
        -------
        ndarray of int16, shape (768,), or None
            None for the first eight frames.
        """
        if frame.shape != (SIZE, SIZE) or frame.dtype != np.uint8:
            raise ValueError(
                f"a frame of shape {frame.shape} and type {frame.dtype}: "
                f"needs ({SIZE}, {SIZE}) of uint8"
            )
        if self._filled == len(self._frames):
            keep = _SPAN - 1
            self._frames[:keep] = self._frames[-keep:]
            self._filled = keep
        self._frames[self._filled] = frame.reshape(-1)
        self._filled += 1
        if self._filled < _SPAN:
            return None
        counts = np.zeros((1, len(LABELS)), dtype=np.int16)
        centre = self._filled - 1 - TEMPORAL_RADIUS
        self._workspace.count(self._frames.reshape(-1), centre, counts)
        return counts[0]

    def clear(self) -> None:
        """Forget all frames: the next one does not follow the last."""
        self._filled = 0


def has_face(counts: NDArray[np.generic]) -> NDArray[np.bool_]:
    """Tell which frames show a face: of one that does not, all counts are sent as 0.

    Parameters
    ----------
    counts : ndarray, shape (n, 768)
        Counts of each frame; NaN where missing.
    """
    return np.asarray(counts.sum(axis=1) > 0)
