"""A drawn face of a simulated person, as a camera's stabilised crop would show it."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from realtime.simulator.affect import Affect
from realtime.simulator.blinks import Blinks

SIZE = 128
"""Height and width of a frame in pixels."""

RATE = 30.0
"""Frames a second."""

SMILE = 0.45
"""Valence above which the face smiles; it smiles fully at 0.95."""

SPEECH = 0.45
"""Stress above which the person speaks (the stressor is a speech)."""

SYLLABLES = 4.5  # openings of the mouth a second while speaking (Chandrasekaran et al. 2009)

SWAY = (0.5, 0.7)
"""Pixels of head movement that the stabilisation leaves at rest, and what full arousal adds."""

PORES = 3.0  # grey levels, texture of the skin

GRAIN = 1.2  # grey levels, noise of a webcam's sensor

_STEPS = 4  # the head stands at quarters of a pixel
_MARGIN = 4  # pixels around a frame into which the head can move
_EYES, _EYE_Y = (43.0, 85.0), 50.0
_BROW_Y = 37.0
_MOUTH_X, _MOUTH_Y = 64.0, 97.0

Image = NDArray[Any]
"""Grey levels or coordinates; float32 where there are many."""


class Face:
    """Frames of a face that smiles with valence, frowns with stress, speaks under it, and blinks.

    Brows and eyes are drawn anew for each frame at the head's place; the rest of the head is drawn
    once for each quarter of a pixel.
    """

    def __init__(self, affect: Affect, blinks: Blinks, seed: int) -> None:
        self._affect = affect
        self._blinks = blinks
        rng = np.random.default_rng([seed, 17])
        self._skin = float(rng.uniform(125.0, 185.0))
        self._expressivity = float(np.clip(rng.normal(1.0, 0.2), 0.6, 1.4))
        self._brow_thickness = float(rng.uniform(1.6, 2.6))
        self._mouth_width = float(rng.uniform(17.0, 20.0))
        self._phases = rng.uniform(0.0, 2 * math.pi, 8)
        self._frequencies = rng.uniform((0.11, 0.23, 0.13, 0.31), (0.17, 0.37, 0.19, 0.43))
        self._heads = self._draw_heads(rng)
        side = 2 * SIZE
        self._grain = np.rint(GRAIN * rng.standard_normal((side, side))).astype(np.float32)
        self._noise = np.random.default_rng([seed, 18])

    def draw(self, first: int, last: int) -> NDArray[np.uint8]:
        """Return frames `first` to `last` (exclusive), each call going on where the last ended.

        Returns
        -------
        ndarray of uint8, shape (n, 128, 128)
            Frame k shows time k / 30 s; before the start the face rests.
        """
        times = np.arange(first, last) / RATE
        arousal, valence, stress = self._affect.course(times).T
        smile = np.clip((valence - SMILE) / 0.5, 0.0, 1.0) * self._expressivity
        smile *= 0.8 + 0.2 * np.sin(2 * math.pi * 0.07 * times + self._phases[4])
        frown = stress * self._expressivity
        # People pause between phrases of a few seconds.
        phrase = np.clip(2.0 * np.sin(2 * math.pi * 0.17 * times + self._phases[5]) + 1.0, 0.0, 1.0)
        speaks = np.clip((stress - SPEECH) / 0.3, 0.0, 1.0) * phrase
        mouth = speaks * (0.5 + 0.5 * np.sin(2 * math.pi * SYLLABLES * times + self._phases[6]))
        still, restless = SWAY
        waves = np.sin(2 * math.pi * self._frequencies * times[:, None] + self._phases[:4])
        sway = (still + restless * arousal)[:, None] * (waves[:, :2] + waves[:, 2:])
        place = np.rint(np.clip(sway, -_MARGIN, _MARGIN - 1) * _STEPS).astype(np.intp)

        frames = np.empty((len(times), SIZE, SIZE), np.float32)
        whole, part = np.divmod(place, _STEPS)
        for frame, (x, y), (i, j) in zip(frames, whole, part, strict=True):
            head = self._heads[j * _STEPS + i]
            frame[:] = head[
                _MARGIN - y : _MARGIN - y + SIZE,
                _MARGIN - x : _MARGIN - x + SIZE,
            ]
        at = [_columns(values) for values in (place / _STEPS).T]
        # Stress tightens the lids, and so does a smile.
        lids = (1.0 - self._blinks.closure(times)) * (1.0 - 0.3 * np.maximum(frown, 0.7 * smile))
        self._draw_eyes(frames, at, _columns(lids))
        self._draw_brows(frames, at, _columns(frown))
        self._draw_mouth(frames, at, _columns(smile), _columns(mouth))
        for frame, (u, v) in zip(frames, self._noise.random((len(times), 2)), strict=True):
            x, y = int(u * SIZE), int(v * SIZE)
            frame += self._grain[y : y + SIZE, x : x + SIZE]
        np.clip(frames, 0.0, 255.0, out=frames)
        return (frames + np.float32(0.5)).astype(np.uint8)

    def _draw_heads(self, rng: np.random.Generator) -> Image:
        """Draw what does not move in the face, once for each quarter of a pixel: (16, h, w)."""
        side = SIZE + 2 * _MARGIN
        # Waves of 4 to 12 pixels in all directions: a texture that looks alike between the pixels.
        angle, phase = rng.uniform(0.0, 2 * math.pi, (2, 60, 1))
        wave = 2 * math.pi / rng.uniform(4.0, 12.0, (60, 1))
        run, rise = wave * np.cos(angle), wave * np.sin(angle)
        heads = np.empty((_STEPS * _STEPS, side, side), np.float32)
        for j in range(_STEPS):
            for i in range(_STEPS):
                dx, dy = i / _STEPS, j / _STEPS
                x: Image = np.arange(side)[None, :] - _MARGIN - dx
                y: Image = np.arange(side)[:, None] - _MARGIN - dy
                skin: Image = self._skin + 0.25 * (x - 64.0) - 0.002 * (y - 64.0) ** 2
                skin += 14.0 * _blob(x - 64.0, y - 74.0, 6.0, 14.0)  # nose
                skin -= 26.0 * _blob(x - 64.0, y - 82.0, 9.0, 2.5)
                for eye in _EYES:
                    skin -= 18.0 * _blob(x - eye, y - _EYE_Y, 13.0, 9.0)
                    skin += 10.0 * _blob(x - eye, y - 76.0, 10.0, 8.0)  # cheeks
                across, down = run * x + phase, rise * y.T
                pores = np.cos(down).T @ np.cos(across) - np.sin(down).T @ np.sin(across)
                skin += PORES * math.sqrt(2 / 60) * pores
                edge = np.hypot((x - 64.0) / 56.0, (y - 68.0) / 70.0) - 1.0
                inside = np.clip(0.5 - 50.0 * edge, 0.0, 1.0)
                hair = np.clip(0.5 - 0.5 * (y - 14.0 - 0.004 * (x - 64.0) ** 2), 0.0, 1.0)
                skin += hair * (45.0 - skin)
                heads[j * _STEPS + i] = 70.0 + 0.2 * y + inside * (skin - 70.0 - 0.2 * y)
        return heads

    def _draw_eyes(self, frames: Image, at: list[Image], lids: Image) -> None:
        height = 5.5 * np.maximum(lids, np.float32(0.0))
        for eye in _EYES:
            patch, x, y = _patch(frames, at, eye, _EYE_Y, 15, 9)
            room = np.maximum(height * (1.0 - (x / 11.5) ** 2), 0.0)
            inside = _soft(np.abs(y) - room) * _soft(np.abs(x) - 11.0)
            ball = 215.0 - 175.0 * _soft(np.hypot(x, y) - 4.8)
            _blend(patch, inside, ball)
            _blend(patch, _soft(np.abs(y + room) - 0.9) * _soft(np.abs(x) - 12.0), 35.0)

    def _draw_brows(self, frames: Image, at: list[Image], frown: Image) -> None:
        for eye, inwards in zip(_EYES, (1.0, -1.0), strict=True):
            patch, x, y = _patch(frames, at, eye, _BROW_Y, 17, 11)
            inner = x * inwards / 13.0
            curve = 0.02 * x * x - 1.0 + frown * (3.5 + 3.5 * inner)
            cover = _soft(np.abs(y - curve) - self._brow_thickness) * _soft(np.abs(x) - 13.0)
            _blend(patch, 0.85 * cover, 50.0)
        # The corrugator folds the skin between the brows.
        patch, x, y = _patch(frames, at, 64.0, _BROW_Y + 4.0, 8, 9)
        fold = _soft(np.abs(np.abs(x) - 4.0) - 0.8) * _soft(np.abs(y) - 8.0)
        _blend(patch, 0.6 * frown * fold, 60.0)

    def _draw_mouth(self, frames: Image, at: list[Image], smile: Image, mouth: Image) -> None:
        patch, x, y = _patch(frames, at, _MOUTH_X, _MOUTH_Y, 36, 18)
        width = self._mouth_width + 5.0 * smile
        along = x / width
        bend = 7.0 * smile * (0.5 - along * along)
        gap = np.maximum((6.0 * mouth + 3.0 * smile) * (1.0 - along * along), 0.0)
        off = np.abs(y - bend)
        ends = _soft(np.abs(x) - width)
        _blend(patch, _soft(off - gap - 2.6) * ends, self._skin - 55.0)
        # Teeth show in a smile; an open mouth is dark.
        _blend(patch, _soft(off - gap - 0.4) * ends, 30.0 + 170.0 * np.clip(smile - mouth, 0, 1))
        # The fold from nose to mouth, which a smile deepens.
        fold = np.abs(np.abs(x) - 27.0 - 0.25 * y) - 0.8
        _blend(patch, 0.4 * smile * _soft(fold) * _soft(np.abs(y + 4.0) - 11.0), 60.0)


def _columns(values: NDArray[np.float64]) -> Image:
    """Return one number a frame in the shape that meets a patch, (n, 1, 1)."""
    return values.astype(np.float32)[:, None, None]


def _patch(
    frames: Image, at: list[Image], x: float, y: float, half_width: int, half_height: int
) -> tuple[Image, Image, Image]:
    """Return a view of the frames around a point of the face, and coordinates from that point.

    The head moves less than a patch's rim is wide.
    """
    left, top = int(x) - half_width - 3, int(y) - half_height - 3
    right, bottom = int(x) + half_width + 4, int(y) + half_height + 4
    left, top = max(left, 0), max(top, 0)
    patch = frames[:, top:bottom, left:right]
    across = np.arange(left, left + patch.shape[2], dtype=np.float32)[None, None, :] - at[0]
    down = np.arange(top, top + patch.shape[1], dtype=np.float32)[None, :, None] - at[1]
    return patch, across - np.float32(x), down - np.float32(y)


def _soft(distance: Image) -> Image:
    """Return how much of a pixel is covered, from the distance to an edge (negative inside)."""
    return np.clip(np.float32(0.5) - distance, np.float32(0.0), np.float32(1.0))


def _blend(patch: Image, cover: Image, shade: Image | float) -> None:
    """Paint a shade over a part of a picture."""
    patch += cover * (shade - patch)


def _blob(x: Image, y: Image, width: float, height: float) -> Image:
    """Return a smooth spot of height 1."""
    return np.asarray(np.exp(-0.5 * ((x / width) ** 2 + (y / height) ** 2)))
