"""Faces that are followed, lost, found again and kept apart."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from realtime.camera.faces import eye_distance
from realtime.camera.tracker import PATIENCE, FaceTracker
from tests.realtime.camera.recordings import NOBODY, SMILE, grey_of

TURN = "intel__head-pose-face-detection-female.gif"
NOD = "intel__head-pose-face-detection-male.gif"


def follow(frames: list[np.ndarray], people: int = 1) -> list[list[np.ndarray | None]]:
    tracker = FaceTracker(people)
    return [tracker.push(index, frame) for index, frame in enumerate(frames)]


def small(frame: np.ndarray) -> np.ndarray:
    return cv2.resize(frame, (320, 180), interpolation=cv2.INTER_AREA)


def test_a_face_in_every_frame_and_no_jitter() -> None:
    eyes = follow(grey_of(SMILE))
    found = np.mean([each is not None for (each,) in eyes])
    assert found == 1.0, f"found in {found:.1%} of the frames"
    path = np.array([each for (each,) in eyes])
    second = np.abs(np.diff(path, n=2, axis=0))
    jitter = np.median(second) / eye_distance(path[0])
    assert jitter < 0.005, f"the place shakes by {jitter:.2%} of the distance between the eyes"


def test_no_face_in_a_cartoon() -> None:
    found = np.mean([each is not None for (each,) in follow(grey_of(NOBODY))])
    assert found <= 0.05, f"false finds in {found:.1%} of the frames"


def test_a_turning_head_is_followed_from_where_it_is_first_found() -> None:
    for name, share in ((TURN, 0.55), (NOD, 1.0)):
        seen = [each is not None for (each,) in follow(grey_of(name))]
        assert np.mean(seen) >= share, f"{name}: found in {np.mean(seen):.0%}"
        first = seen.index(True)
        assert all(seen[first:]), f"{name}: lost after frame {first}"


def test_movement_is_followed_between_the_finds() -> None:
    still = grey_of(SMILE)[0]
    shift = np.cumsum([[0.0, 0.0]] + [[1.3, -0.7]] * 25, axis=0)
    frames = [
        cv2.warpAffine(
            still,
            np.float64([[1, 0, x], [0, 1, y]]),
            still.shape[::-1],
            borderMode=cv2.BORDER_REPLICATE,
        )
        for x, y in shift
    ]
    path = np.array([each for (each,) in follow(frames)]).mean(axis=1)
    off = path - path[0] - shift
    assert np.abs(off).max() < 1.5, f"off by up to {np.abs(off).max():.2f} pixels"


def test_a_face_that_leaves_is_lost_and_found_when_it_is_back() -> None:
    frames = grey_of(SMILE)
    wall = np.full_like(frames[0], 160) + np.random.default_rng(1).integers(
        0, 20, frames[0].shape, np.uint8
    )
    eyes = follow([*frames[:12], *[wall] * 12, *frames[12:24]])
    seen = np.array([each is not None for (each,) in eyes])
    assert seen[:12].all() and not seen[12:24].any()
    assert seen[26:].all()


def test_a_face_that_is_not_found_any_more_is_let_go() -> None:
    """Eyes and brows over a blank stay followed, but they are no face that can be found."""
    frame = grey_of(SMILE)[0].copy()
    tracker = FaceTracker()
    (eyes,) = tracker.push(0, frame)
    assert eyes is not None
    low = round(float(eyes[:, 1].mean() + 0.2 * eye_distance(eyes)))
    frame[low:] = 120
    seen = [tracker.push(index, frame)[0] is not None for index in range(1, PATIENCE + 30)]
    assert not seen[-1]
    assert seen == [True] * PATIENCE + [False] * 29


def test_lighting_loss() -> None:
    frames = grey_of(SMILE)
    tracker = FaceTracker()
    seen = []
    for index, frame in enumerate(frames[:30]):
        light = 0.08 if 10 <= index < 20 else 1.0
        seen.append(tracker.push(index, (light * frame).astype(np.uint8))[0] is not None)
        assert tracker.dark == (10 <= index < 20)
    assert seen == [True] * 10 + [False] * 10 + [True] * 10


def test_two_people_keep_their_places() -> None:
    frames = [small(frame) for frame in grey_of(SMILE)[:40]]
    other = [small(frame) for frame in grey_of(NOD)[:40]]
    both = [np.hstack(pair) for pair in zip(frames, other, strict=True)]
    # The left one goes away for a while, and comes back.
    for index in range(15, 22):
        both[index] = both[index].copy()
        both[index][:, :320] = 150
    eyes = follow(both, people=2)
    for index, (left, right) in enumerate(eyes):
        assert right is not None and (right[:, 0] > 320).all(), index
        if 15 <= index < 22:
            assert left is None
        elif not 22 <= index < 33:
            assert left is not None and (left[:, 0] < 320).all(), index


@pytest.mark.parametrize("side", [0, 1])
def test_the_only_one_of_two_is_told_by_position(side: int) -> None:
    face, empty = small(grey_of(SMILE)[0]), np.full((180, 320), 150, np.uint8)
    pair = [empty, empty]
    pair[side] = face
    seen = [each is not None for each in FaceTracker(2).push(0, np.hstack(pair))]
    assert seen == [side == 0, side == 1]


def test_somebody_too_many_is_noticed() -> None:
    frame = grey_of(SMILE)[0]
    # The other one sits a little further away.
    further = cv2.resize(frame[:, ::-1], (512, 288), interpolation=cv2.INTER_AREA)
    further = cv2.copyMakeBorder(further, 72, 0, 0, 0, cv2.BORDER_REPLICATE)
    pair = np.hstack([frame, further])
    tracker = FaceTracker(1)
    (eyes,) = tracker.push(0, pair)
    assert tracker.seen == 2
    # The larger face is the one that is watched.
    assert eyes is not None and (eyes[:, 0] < 640).all()
