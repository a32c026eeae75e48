"""Frames to counts: what is published and what the engine computes are the same."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from realtime.camera.crop import EYES, crop_face
from realtime.camera.faces import find_faces
from realtime.camera.pipeline import CropTexture, FaceCrops, FacePipeline, FrameTexture
from realtime.errors import InputError
from realtime.features.face import FaceFeatures
from realtime.features.lbp_top import LABELS, SIZE, has_face, texture_counts
from tests.realtime.camera.recordings import NOBODY, SMILE, frames_of, grey_of


def run(frames, fps: float = 30.0, start: float = 100.0, people: int = 1):
    """Return stamps and counts, shape (n, people, 768)."""
    pipeline = FacePipeline(people)
    done = []
    for number, frame in enumerate(frames):
        done += pipeline.push(start + number / fps, frame)
    return np.array([stamp for stamp, _ in done]), np.array([counts for _, counts in done])


@pytest.fixture(scope="module")
def smile() -> np.ndarray:
    """Counts of the frames 4 to 67 of the smile."""
    stamps, counts = run(frames_of(SMILE))
    np.testing.assert_allclose(stamps, 100.0 + np.arange(4, 68) / 30, atol=1e-9)
    return counts[:, 0]


def test_texture_tells_a_smile_from_a_neutral_face(smile: np.ndarray) -> None:
    assert has_face(smile).all()

    def histogram(first: int, last: int) -> np.ndarray:
        planes = smile[first - 4 : last - 4].sum(axis=0).reshape(3, 256)
        return planes / planes.sum(axis=1, keepdims=True)

    def apart(one: np.ndarray, other: np.ndarray) -> float:
        """Chi-square distance, all planes."""
        both = one + other
        return float(np.sum((one - other)[both > 0] ** 2 / both[both > 0]))

    # Neutral up to frame 16, smiling from 20 on; a frame's texture reaches over nine frames.
    within = apart(histogram(4, 8), histogram(8, 12))
    for first in (24, 32, 40, 48, 56):
        between = [
            apart(histogram(start, start + 4), histogram(first, first + 4)) for start in (4, 8)
        ]
        assert min(between) > 1.5 * within, (
            f"neutral to smile at frame {first}: {min(between):.3f}, "
            f"neutral to neutral: {within:.3f}"
        )


def test_no_face_is_sent_as_zeros() -> None:
    _, counts = run(frames_of(NOBODY)[:24])
    assert counts.shape == (16, 1, 768)
    assert not counts.any()


def test_a_video_stream_gives_the_counts_of_the_camera(smile: np.ndarray) -> None:
    code = {
        "bgr24": None,
        "rgb24": cv2.COLOR_BGR2RGB,
        "bgra": cv2.COLOR_BGR2BGRA,
        "gray8": cv2.COLOR_BGR2GRAY,
    }
    for name, change in code.items():
        texture = FrameTexture(640, 360, name)
        got = []
        for number, frame in enumerate(frames_of(SMILE)[:20]):
            sent = frame if change is None else cv2.cvtColor(frame, change)
            got += texture.push(number / 30, sent.reshape(-1))
        np.testing.assert_array_equal([counts for _, counts in got], smile[:12], err_msg=name)


def test_crops_give_the_counts_of_the_camera(smile: np.ndarray) -> None:
    crops, texture, got = FaceCrops(1), FrameTexture(SIZE, SIZE, face_crop=True), []
    for number, frame in enumerate(frames_of(SMILE)[:24]):
        for stamp, (crop,) in crops.push(100 + number / 30, frame):
            got += texture.push(stamp, crop.reshape(-1))
    np.testing.assert_array_equal([counts for _, counts in got], smile[:16])
    assert [round(30 * (stamp - 100), 6) for stamp, _ in got] == list(range(4, 20))


def test_crop_texture_is_that_of_whole_videos() -> None:
    rng = np.random.default_rng(2)
    video = rng.integers(1, 256, (30, SIZE, SIZE), dtype=np.uint8)
    texture = CropTexture()
    done = [pair for k, crop in enumerate(video) for pair in texture.push(7 + k / 30, crop)]
    np.testing.assert_array_equal([counts for _, counts in done], texture_counts(video))
    np.testing.assert_allclose([stamp for stamp, _ in done], 7 + np.arange(4, 26) / 30)


@pytest.mark.parametrize("nobody", [None, np.zeros((SIZE, SIZE), np.uint8)])
def test_texture_around_a_frame_without_a_face_is_zero(nobody: np.ndarray | None) -> None:
    rng = np.random.default_rng(4)
    video = list(rng.integers(1, 256, (40, SIZE, SIZE), dtype=np.uint8))
    video[20] = nobody
    texture = CropTexture()
    done = [pair for k, crop in enumerate(video) for pair in texture.push(k / 30, crop)]
    centre = np.arange(4, 36)
    seen = has_face(np.array([counts for _, counts in done]))
    assert (seen == (np.abs(centre - 20) > 4)).all()


def test_a_gap_starts_texture_anew() -> None:
    rng = np.random.default_rng(5)
    video = rng.integers(1, 256, (40, SIZE, SIZE), dtype=np.uint8)
    stamps = np.arange(40) / 30
    stamps[18:] += 0.5
    texture = CropTexture()
    done = [pair for s, crop in zip(stamps, video, strict=True) for pair in texture.push(s, crop)]
    expected = np.concatenate([texture_counts(video[:18]), texture_counts(video[18:])])
    np.testing.assert_array_equal([counts for _, counts in done], expected)
    np.testing.assert_array_equal(
        [s for s, _ in done], np.concatenate([stamps[4:14], stamps[22:36]])
    )


@pytest.mark.parametrize("fps", [15, 60])
def test_cameras_of_other_rates_give_the_same_expression(fps: float, smile: np.ndarray) -> None:
    """The smile again, from a camera of half or double the rate."""
    frames = frames_of(SMILE)
    seen = frames[::2] if fps == 15 else [frame for frame in frames for _ in range(2)]
    stamps, counts = run(seen, fps)
    np.testing.assert_allclose(np.diff(stamps), 1 / 30, atol=1e-9)
    assert has_face(counts[:, 0]).all()
    assert abs(len(stamps) - 64) <= 1
    whole, other = (c.sum(axis=0).reshape(3, 256).astype(float) for c in (smile, counts[:, 0]))
    for one, two in zip(whole, other, strict=True):
        assert np.abs(one / one.sum() - two / two.sum()).sum() < 0.5


def test_two_people_side_by_side() -> None:
    small = [cv2.resize(f, (320, 180), interpolation=cv2.INTER_AREA) for f in frames_of(SMILE)[:14]]
    both = [np.hstack([frame, frame[:, ::-1]]) for frame in small]
    _, counts = run(both, people=2)
    assert counts.shape == (6, 2, len(LABELS))
    assert has_face(counts[:, 0]).all() and has_face(counts[:, 1]).all()
    pipeline = FacePipeline(2)
    pipeline.push(0.0, np.ascontiguousarray(both[0]))
    preview = pipeline.crops.preview()
    assert preview is not None and preview.frame.shape == (68, 240)
    left, right = preview.boxes
    assert left is not None and right is not None
    assert left[0] + left[2] / 2 < 120 < right[0] + right[2] / 2
    assert all(crop is not None and crop.shape == (SIZE, SIZE) for crop in preview.crops)


def test_features_of_a_second_survive_a_dark_moment() -> None:
    """Fewer than half of a second's frames with a face: missing, not zeros."""
    frames = list(frames_of(SMILE)[:60])
    for index in range(30, 60):
        frames[index] = (0.05 * frames[index]).astype(np.uint8)
    _, counts = run(frames)
    features = FaceFeatures(30.0, 768, 1.0)
    from realtime.features.base import Segment

    rows = counts[:, 0].astype(float)
    lit, dark = (Segment(0, 30.0, part, part) for part in (rows[:30], rows[22:52]))
    assert np.isfinite(features.extract(lit)).all() and features.quality(lit) > 0.7
    assert np.isnan(features.extract(dark)).all() and features.quality(dark) < 0.1


def test_crops_hold_the_eyes_in_place_at_any_size_and_tilt() -> None:
    grey = grey_of(SMILE)[0]
    (eyes,) = find_faces(grey)
    plain = crop_face(grey, eyes).astype(float)
    for turn, scale in ((0, 0.6), (0, 2.5), (20, 1.0), (-30, 1.5)):
        size = (round(640 * scale), round(360 * scale))
        matrix = cv2.getRotationMatrix2D((320.0, 180.0), turn, scale)
        matrix[:, 2] += np.array(size) / 2 - (320, 180)
        moved = cv2.warpAffine(grey, matrix, size, borderMode=cv2.BORDER_REPLICATE)
        crop = crop_face(moved, eyes @ matrix[:, :2].T + matrix[:, 2]).astype(float)
        middle = slice(24, 104)
        alike = np.corrcoef(plain[middle, middle].ravel(), crop[middle, middle].ravel())[0, 1]
        assert alike > 0.97, (turn, scale, alike)
    assert EYES[1, 0] - EYES[0, 0] == 48


def test_a_black_crop_is_not_taken_for_no_face() -> None:
    assert crop_face(np.zeros((200, 200), np.uint8), np.array([[80.0, 90], [120, 90]])).any()


def test_what_cannot_be_frames_is_refused() -> None:
    with pytest.raises(InputError, match="'yuv420p'"):
        FrameTexture(64, 64, "yuv420p")
    with pytest.raises(InputError, match="64 x 64"):
        FrameTexture(64, 64, face_crop=True)
