from __future__ import annotations

import math

import numpy as np
import pytest

from realtime.features import lbp_top
from realtime.features.lbp_top import (
    BINS,
    LABELS,
    PIXELS,
    SIZE,
    TextureCounter,
    has_face,
    texture_counts,
)

SEED = 20070601


def plain_counts(frames: np.ndarray) -> np.ndarray:
    """Count with one loop over frames, rows and columns, from the definition."""
    radius = 4
    counts = np.zeros((len(frames) - 2 * radius, 3, 256), int)
    pixels = frames.astype(int).tolist()
    offsets = []
    for p in range(8):
        angle = 2 * math.pi * p / 8
        offsets.append((round(math.cos(angle)), round(math.sin(angle)), round(4 * math.sin(angle))))
    for n in range(len(counts)):
        t = n + radius
        for y in range(1, SIZE - 1):
            for x in range(1, SIZE - 1):
                centre = pixels[t][y][x]
                codes = [0, 0, 0]
                for p, (across, up, later) in enumerate(offsets):
                    codes[0] += (pixels[t][y - up][x + across] >= centre) << p
                    codes[1] += (pixels[t + later][y][x + across] >= centre) << p
                    codes[2] += (pixels[t + later][y - across][x] >= centre) << p
                for plane in range(3):
                    counts[n, plane, codes[plane]] += 1
    return counts.reshape(-1, 768)


def drifting(count: int) -> np.ndarray:
    """Smooth blobs that move, with ties among the pixels as in real pictures."""
    y, x = np.mgrid[:SIZE, :SIZE]
    moments = np.arange(count)[:, None, None]
    wave = np.sin((x + moments) / 7.0) + np.cos((y - 2.0 * moments) / 11.0)
    noise = np.random.default_rng(SEED).normal(0.0, 0.05, (count, SIZE, SIZE))
    return np.clip(np.round(62 + 30 * (wave + noise)), 0, 127).astype(np.uint8)


@pytest.mark.parametrize("kind", ["noise", "drifting", "extremes"])
def test_counts_equal_a_plain_loop_to_the_last(kind: str) -> None:
    rng = np.random.default_rng(SEED)
    frames = {
        "noise": rng.integers(0, 256, (9, SIZE, SIZE), dtype=np.uint8),
        "drifting": drifting(10),
        "extremes": 255 * rng.integers(0, 2, (9, SIZE, SIZE), dtype=np.uint8),
    }[kind]
    np.testing.assert_array_equal(texture_counts(frames), plain_counts(frames))


def test_labels_and_sums() -> None:
    counts = texture_counts(drifting(30))
    assert counts.dtype == np.int16
    assert counts.shape == (22, len(LABELS)) == (22, 768)
    assert LABELS[0] == "XY_0" and LABELS[256] == "XT_0" and LABELS[-1] == "YT_255"
    assert (counts.reshape(-1, 3, BINS).sum(axis=2) == PIXELS).all()


def test_a_still_flat_picture_has_every_neighbour_as_bright() -> None:
    counts = texture_counts(np.full((9, SIZE, SIZE), 77, np.uint8))
    assert (counts[0, [255, 511, 767]] == PIXELS).all()
    assert counts.sum() == 3 * PIXELS


def test_brightness_and_contrast_change_nothing() -> None:
    frames = drifting(12)
    assert frames.max() < 128
    for changed in (frames + np.uint8(100), 2 * frames):
        np.testing.assert_array_equal(texture_counts(changed), texture_counts(frames))


def test_one_frame_at_a_time_gives_the_same() -> None:
    # More frames than the counter keeps, so that it has to move them.
    frames = drifting(90)
    whole = texture_counts(frames)
    counter = TextureCounter()
    single = [counter.push(frame) for frame in frames]
    assert single[:8] == [None] * 8
    np.testing.assert_array_equal(np.array(single[8:]), whole)
    counter.clear()
    assert [counter.push(frame) for frame in frames[40:48]] == [None] * 8
    np.testing.assert_array_equal(counter.push(frames[48]), whole[40])


def test_any_number_of_frames() -> None:
    frames = drifting(40)
    whole = texture_counts(frames)
    for count in (0, 3, 8):
        assert texture_counts(frames[:count]).shape == (0, 768)
    for count in range(9, 41):
        np.testing.assert_array_equal(texture_counts(frames[:count]), whole[: count - 8])


def test_neighbours_lie_on_circle_and_ellipse() -> None:
    for plane, offsets in lbp_top.neighbour_offsets().items():
        assert len(set(offsets)) == 8, plane
        assert {(-x, -y, -t) for x, y, t in offsets} == set(offsets), plane
    assert {t for _, _, t in lbp_top.neighbour_offsets()["XT"]} == {-4, -3, 0, 3, 4}


def test_has_face() -> None:
    counts = np.vstack([texture_counts(drifting(9)), np.zeros((1, 768)), np.full((1, 768), np.nan)])
    assert has_face(counts).tolist() == [True, False, False]


@pytest.mark.parametrize(
    "frames", [np.zeros((9, 64, 64), np.uint8), np.zeros((9, SIZE, SIZE)), np.zeros((SIZE, SIZE))]
)
def test_wrong_frames_are_refused(frames: np.ndarray) -> None:
    with pytest.raises(ValueError, match="need"):
        texture_counts(frames)
