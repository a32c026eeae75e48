"""Acceleration features: known movements, gaps, quality."""

from __future__ import annotations

import numpy as np
import pytest

from realtime.features.acc import AccFeatures
from realtime.features.base import Segment
from tests.data import data_folder

RATE = 32.0
NAMES = [feature.name for feature in AccFeatures.features]
TIMES = np.arange(1920) / RATE


def values(raw: np.ndarray, start: int = 0) -> dict[str, float]:
    window = Segment(start, RATE, raw, raw)
    return dict(zip(NAMES, AccFeatures(RATE, 3, 60.0).extract(window).tolist(), strict=True))


def wave() -> np.ndarray:
    raw = np.zeros((1920, 3))
    raw[:, 0] = 0.2 * np.sin(2 * np.pi * 1.5 * TIMES)
    raw[:, 1] = 0.1 * np.sin(2 * np.pi * 4.0 * TIMES) + 0.3 * np.sin(2 * np.pi * 0.05 * TIMES)
    raw[:, 2] = 1.0
    return raw


def test_waves_are_described_per_axis() -> None:
    got = values(wave())
    assert got["x_mean"] == pytest.approx(0.0, abs=1e-7)
    assert got["z_mean"] == pytest.approx(1.0)
    assert got["x_std"] == pytest.approx(0.2 / np.sqrt(2), rel=1e-4)
    # The mean of |sin| is 2 / pi.
    assert got["x_integral"] == pytest.approx(60 * 0.2 * 2 / np.pi, rel=1e-2)
    assert got["x_peak_frequency"] == pytest.approx(1.5, abs=RATE / 2048)
    assert got["z_std"] == got["z_integral"] == 0.0
    assert np.isnan(got["z_peak_frequency"])


def test_change_of_posture_is_no_movement() -> None:
    assert values(wave())["y_peak_frequency"] == pytest.approx(4.0, abs=RATE / 2048)


def test_magnitude_is_that_of_the_vector() -> None:
    rng = np.random.default_rng(1)
    raw = rng.standard_normal((1920, 3))
    got = values(raw)
    magnitude = np.linalg.norm(raw, axis=1)
    assert got["magnitude_mean"] == pytest.approx(magnitude.mean(), rel=1e-6)
    assert got["magnitude_std"] == pytest.approx(magnitude.std(), rel=1e-6)
    assert got["magnitude_integral"] == pytest.approx(
        np.abs(magnitude - magnitude.mean()).sum() / RATE, rel=1e-6
    )
    assert got["recent_magnitude_std"] == pytest.approx(magnitude[-320:].std(), rel=1e-6)


def test_stillness_is_the_share_of_still_seconds() -> None:
    rng = np.random.default_rng(2)
    raw = np.tile([0.0, 0.0, 1.0], (1920, 1)) + 0.002 * rng.standard_normal((1920, 3))
    assert values(raw)["still"] == 1.0
    raw[: 45 * 32, 2] += 0.1 * rng.standard_normal(45 * 32)
    assert values(raw)["still"] == pytest.approx(0.25)


def test_gaps_are_left_out() -> None:
    rng = np.random.default_rng(3)
    raw = rng.standard_normal((1920, 3))
    raw[300:600] = np.nan
    raw[1000:1100, 1] = np.nan
    got = values(raw)
    for i, axis in enumerate("xyz"):
        column = raw[:, i]
        assert got[f"{axis}_mean"] == pytest.approx(np.nanmean(column), rel=1e-5)
        assert got[f"{axis}_std"] == pytest.approx(np.nanstd(column), rel=1e-6)
        assert got[f"{axis}_integral"] == pytest.approx(
            60 * np.nanmean(np.abs(column - np.nanmean(column))), rel=1e-6
        )
    magnitude = np.linalg.norm(raw, axis=1)
    assert got["magnitude_std"] == pytest.approx(np.nanstd(magnitude), rel=1e-6)
    assert np.isfinite(list(got.values())).all()


def test_a_dead_axis_leaves_the_others() -> None:
    raw = wave()
    raw[:, 1] = np.nan
    got = values(raw)
    assert got["x_peak_frequency"] == pytest.approx(1.5, abs=RATE / 2048)
    for name in ("y_mean", "y_integral", "y_peak_frequency", "magnitude_std", "still"):
        assert np.isnan(got[name])


def test_nothing_but_gaps_gives_nothing() -> None:
    raw = np.full((1920, 3), np.nan)
    assert all(np.isnan(value) for value in values(raw).values())
    assert AccFeatures(RATE, 3, 60.0).quality(Segment(0, RATE, raw, raw)) == 0.0


def test_time_origin_changes_nothing() -> None:
    assert repr(values(wave())) == repr(values(wave(), start=7_000_001))


def test_any_rate_of_the_rig_works() -> None:
    for rate in (15.0, 25.0, 52.0):
        raw = np.random.default_rng(4).standard_normal((round(60 * rate), 3))
        got = AccFeatures(rate, 3, 60.0).extract(Segment(0, rate, raw, raw))
        assert np.isfinite(got).all()


def test_short_windows_hold_what_they_can() -> None:
    got = values(wave()[:96])
    assert np.isfinite(got["x_std"])
    assert np.isnan(got["x_peak_frequency"])
    assert np.isnan(got["still"])


def test_quality_knows_gaps_stuck_sensors_and_wrong_units() -> None:
    features = AccFeatures(RATE, 3, 60.0)

    def quality(raw: np.ndarray) -> float:
        return features.quality(Segment(0, RATE, raw, raw))

    rng = np.random.default_rng(5)
    raw = np.tile([0.0, 0.0, 1.0], (1920, 1)) + 0.01 * rng.standard_normal((1920, 3))
    assert quality(raw) == 1.0
    stuck = raw.copy()
    stuck[480:] = stuck[480]
    assert quality(stuck) == pytest.approx(0.25)
    holes = raw.copy()
    holes[:480, 2] = np.nan
    assert quality(holes) == pytest.approx(0.75)
    assert quality(raw * 9.81) == 0.0
    assert quality(np.zeros((1920, 3))) == 0.0


def test_one_channel_is_refused() -> None:
    with pytest.raises(ValueError, match="with 1 channels: needs 3"):
        AccFeatures(RATE, 1, 60.0)


def test_a_real_wrist_is_worn_and_mostly_still_at_rest() -> None:
    folder = data_folder("wesad_wrist") / "S2" / "S2_E4_Data"
    rows = slice(int(1900 * RATE), int(1960 * RATE))
    raw = np.loadtxt(folder / "ACC.csv", delimiter=",", skiprows=2)[rows] / 64
    got = values(raw)
    assert got["magnitude_mean"] == pytest.approx(1.0, abs=0.1)
    assert got["still"] > 0.5
    assert AccFeatures(RATE, 3, 60.0).quality(Segment(0, RATE, raw, raw)) == 1.0
