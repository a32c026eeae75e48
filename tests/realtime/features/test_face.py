"""Face features: sums of counts, frames without a face, missing frames."""

from __future__ import annotations

import numpy as np
import pytest

from realtime.binding import Binding, Source
from realtime.features.base import Segment
from realtime.features.face import FaceFeatures
from realtime.features.lbp_top import LABELS, PIXELS, RATE
from realtime.rig import load_rig
from realtime.signal import Signal


def counts(frames: int, seed: int = 5) -> np.ndarray:
    """Counts of made-up frames; each plane's add up as they must."""
    rng = np.random.default_rng(seed)
    shares = rng.dirichlet(np.full(256, 0.3))
    return rng.multinomial(PIXELS, shares, (frames, 3)).reshape(frames, 768).astype(float)


def window(rows: np.ndarray) -> Segment:
    return Segment(0, RATE, rows, rows)


def features() -> FaceFeatures:
    return FaceFeatures(RATE, len(LABELS), 1.0)


def test_each_plane_of_the_sum_is_normalised() -> None:
    rows = counts(30)
    got = features().extract(window(rows))
    expected = rows.sum(axis=0).reshape(3, 256)
    expected /= expected.sum(axis=1, keepdims=True)
    np.testing.assert_allclose(got, expected.ravel(), rtol=1e-6)
    np.testing.assert_allclose(got.reshape(3, 256).sum(axis=1), 1.0, rtol=1e-6)
    assert features().quality(window(rows)) == 1.0


def test_frames_without_a_face_do_not_count() -> None:
    rows = counts(30)
    rows[3:18] = 0.0
    seen = np.concatenate([rows[:3], rows[18:]])
    np.testing.assert_array_equal(
        features().extract(window(rows)), features().extract(window(np.tile(seen, (2, 1))))
    )
    assert features().quality(window(rows)) == 0.5


@pytest.mark.parametrize("absent", [0.0, np.nan])
def test_fewer_than_half_with_a_face_is_missing_not_zero(absent: float) -> None:
    rows = counts(30)
    rows[10:26] = absent
    assert np.isnan(features().extract(window(rows))).all()
    assert features().quality(window(rows)) == pytest.approx(14 / 30)
    rows[:] = absent
    assert np.isnan(features().extract(window(rows))).all()
    assert features().quality(window(rows)) == 0.0


def test_a_window_that_is_not_full_yet_gives_nothing() -> None:
    assert np.isnan(features().extract(window(counts(20)))).all()


def test_the_rig_masks_a_second_without_a_face() -> None:
    settings = next(m for m in load_rig("dmer").modalities if m.name == "face")
    assert settings.features == "face" and len(settings.channels) == len(LABELS)
    rows = counts(90)
    rows[30:60] = 0.0
    every = tuple(range(768))
    source = Source("camera", every, every, None, RATE)
    signal = Signal(settings, Binding("P1", "face", (source,)))
    signal.push("camera", np.arange(90) / RATE, rows)
    signal.flush()
    usable = [signal.window(float(end)).usable for end in (1, 2, 3)]
    assert usable == [True, False, True]
