"""Following faces from frame to frame.

A face that was found is followed by the movement of its eye and nose region (optical flow, Lucas
and Kanade 1981, and the turn, scale and shift that most of its points agree on), which is smooth
where repeated finds would jitter and make a texture of their own. It is looked for again several
times a second; what that finds corrects the followed place little by little, and a face that is
no longer found is soon let go.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from realtime.camera.faces import (
    Eyes,
    Picture,
    eye_distance,
    find_again,
    find_faces,
    is_dark,
)

# Counted in places of the 30-Hz grid, so that they mean the same for every camera.
SEARCH_EVERY = 3
"""While nobody is seen, the whole picture is searched so often (10 times a second)."""

MISSING_EVERY = 10
"""While somebody is seen and somebody is missing: a search costs as much as following for a
quarter of a second."""

COUNT_EVERY = 60
"""While nobody is missing, to notice others."""

CHECK_EVERY = 10
"""Each face is looked for again so often."""

PATIENCE = 45
"""A face that was not found again for so long (1.5 s) is let go: somebody who turns away."""

_WORK = 480  # pixels of the longer side of the picture in which points are followed
_POINTS = 48
_FEWEST = 8
_AGREE = 0.5  # share of points that must move alike
_TOLERANCE = 1.0  # pixels by which a point that moves alike may miss
_GAIN = 0.1  # share of a find that corrects the face's place, after the first ten
_EASE = 0.07  # share of a correction that is made in each frame: half of it in a third of a second
_APART = 0.35  # eye distances between the followed and the found place that are one face's


@dataclass(slots=True)
class _Track:
    """One followed face."""

    eyes: Eyes  # as followed and eased: where the crop is cut
    corrected: Eyes  # where finds say that the eyes are
    finds: int
    found: int  # place on the grid of the last find


class FaceTracker:
    """Keeps the faces of some people apart.

    Parameters
    ----------
    people : int
        How many are followed. They are told apart by position, from left to right: the first has
        the leftmost face, or the left part of the picture as long as others are missing; whoever
        was lost is expected back where he or she was.

    Attributes
    ----------
    seen : int
        Faces in the picture when it was last searched, or followed now, whichever is more.
    dark : bool
        The last frame had too little light.
    """

    def __init__(self, people: int = 1) -> None:
        if people < 1:
            raise ValueError(f"{people!r} people: needs at least 1")
        self.seen = 0
        self.dark = False
        self._tracks: list[_Track | None] = [None] * people
        self._homes = [(person + 0.5) / people for person in range(people)]
        self._before: Picture | None = None
        self._searched: int | None = None
        self._counted = 0

    def push(self, index: int, picture: Picture) -> list[Eyes | None]:
        """Follow the faces into the next frame.

        Parameters
        ----------
        index : int
            Place of the frame on the 30-Hz grid, rising.
        picture : ndarray of uint8, shape (height, width)

        Returns
        -------
        list of (ndarray of float64, shape (2, 2), or None)
            Each person's eyes.
        """
        scale = min(1.0, _WORK / max(picture.shape))
        work = picture
        if scale < 1:
            work = cv2.resize(picture, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
        self.dark = is_dark(work)
        before, self._before = self._before, work
        if self.dark:
            self._tracks = [None] * len(self._tracks)
            self.seen = self._counted = 0
            self._searched = None
            return [None] * len(self._tracks)
        same = before is not None and before.shape == work.shape
        for person, track in enumerate(self._tracks):
            if track is not None and not (same and self._follow(track, before, work, index)):
                self._tracks[person] = None
                self._searched = None
        self._drop_doubles()
        self._search(index, work)
        followed = [None if track is None else track.eyes / scale for track in self._tracks]
        for person, track in enumerate(self._tracks):
            if track is not None:
                self._homes[person] = float(track.eyes[:, 0].mean()) / work.shape[1]
        self.seen = max(self._counted, sum(eyes is not None for eyes in followed))
        return followed

    def _follow(self, track: _Track, before: Picture | None, now: Picture, index: int) -> bool:
        """Move a face on, and correct its place; False if it is lost."""
        assert before is not None
        if now is not before:
            motion = _motion(before, now, track.eyes)
            if motion is None:
                return False
            track.eyes = track.eyes @ motion[:, :2].T + motion[:, 2]
            track.corrected = track.corrected @ motion[:, :2].T + motion[:, 2]
        middle = track.eyes.mean(axis=0)
        if not (0 <= middle[0] < now.shape[1] and 0 <= middle[1] < now.shape[0]):
            return False
        if index >= track.found + CHECK_EVERY and (index - track.found) % (CHECK_EVERY // 2) == 0:
            found = find_again(now, track.eyes)
            if found is not None:
                off = np.abs(found - track.eyes).max() / eye_distance(track.eyes)
                if off > _APART:
                    return False
                track.finds += 1
                gain = max(1 / track.finds, _GAIN)
                track.corrected = track.corrected + gain * (found - track.corrected)
                track.found = index
        track.eyes = track.eyes + _EASE * (track.corrected - track.eyes)
        return index - track.found <= PATIENCE

    def _drop_doubles(self) -> None:
        """Let go of a track that has slipped onto another one's face."""
        for one, other in itertools.combinations(range(len(self._tracks)), 2):
            a, b = self._tracks[one], self._tracks[other]
            if a is not None and b is not None and _is_same(a.eyes, b.eyes):
                self._tracks[one if a.found < b.found else other] = None

    def _search(self, index: int, work: Picture) -> None:
        """Look for faces in the whole picture, if it is time."""
        missing = [person for person, track in enumerate(self._tracks) if track is None]
        every = COUNT_EVERY
        if missing:
            every = SEARCH_EVERY if len(missing) == len(self._tracks) else MISSING_EVERY
        if self._searched is not None and index < self._searched + every:
            return
        self._searched = index
        faces = find_faces(work, len(self._tracks))
        held = [track.eyes for track in self._tracks if track is not None]
        fresh = [eyes for eyes in faces if not any(_is_same(eyes, other) for other in held)]
        self._counted = len(held) + len(fresh)
        fresh = sorted(fresh[: len(missing)], key=lambda eyes: float(eyes[:, 0].mean()))
        if not fresh:
            return
        # Left to right among those who are missing, each as near as can be to where expected.
        places = [float(eyes[:, 0].mean()) / work.shape[1] for eyes in fresh]
        chosen = min(
            itertools.combinations(missing, len(fresh)),
            key=lambda people: sum(
                abs(self._homes[p] - x) for p, x in zip(people, places, strict=True)
            ),
        )
        for person, eyes in zip(chosen, fresh, strict=True):
            self._tracks[person] = _Track(eyes, eyes, 1, index)


def _is_same(one: Eyes, other: Eyes) -> bool:
    """Tell whether two pairs of eyes are so near that they are one face's."""
    apart = float(np.hypot(*(one.mean(axis=0) - other.mean(axis=0))))
    return apart < max(eye_distance(one), eye_distance(other))


def _motion(before: Picture, now: Picture, eyes: Eyes) -> NDArray[np.float64] | None:
    """Return the turn, scale and shift, shape (2, 3), of a face between two frames, or None."""
    span = eye_distance(eyes)
    middle = eyes.mean(axis=0)
    # A margin of one eye distance for movement, on all sides of what is followed.
    left, top = (max(int(m - r * span), 0) for m, r in zip(middle, (2.1, 1.7), strict=True))
    right, bottom = (int(m + r * span) + 1 for m, r in zip(middle, (2.1, 2.1), strict=True))
    first, second = before[top:bottom, left:right], now[top:bottom, left:right]
    if min(first.shape) < 16:
        return None
    mask = np.zeros(first.shape, np.uint8)
    # Brows, eyes and nose: below them the mouth moves by itself.
    cv2.ellipse(
        mask,
        (
            (float(middle[0] - left), float(middle[1] - top + 0.15 * span)),
            (2.2 * span, 1.9 * span),
            0.0,
        ),
        255,
        -1,
    )
    points = cv2.goodFeaturesToTrack(first, _POINTS, 0.01, max(2.0, 0.08 * span), mask=mask)
    if points is None or len(points) < _FEWEST:
        return None
    window = (int(np.clip(0.35 * span, 9, 31)) | 1,) * 2
    moved, there, _ = cv2.calcOpticalFlowPyrLK(first, second, points, None, winSize=window)
    back, again, _ = cv2.calcOpticalFlowPyrLK(second, first, moved, None, winSize=window)
    kept = (there & again).ravel().astype(bool)
    kept &= np.abs(back - points).reshape(-1, 2).max(axis=1) < _TOLERANCE
    if np.count_nonzero(kept) < max(_FEWEST, _AGREE * len(points)):
        return None
    corner = np.array([left, top])
    source = points.reshape(-1, 2)[kept].astype(np.float64) + corner
    target = moved.reshape(-1, 2)[kept].astype(np.float64) + corner
    motion, inliers = cv2.estimateAffinePartial2D(
        source, target, method=cv2.RANSAC, ransacReprojThreshold=_TOLERANCE
    )
    if motion is None or np.count_nonzero(inliers) < _AGREE * len(source):
        return None
    if not 0.8 < float(np.hypot(motion[0, 0], motion[1, 0])) < 1.25:
        return None
    return np.asarray(motion, dtype=np.float64)
