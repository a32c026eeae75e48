"""Temperature features: known trends, gaps, quality."""

from __future__ import annotations

import numpy as np
import pytest

from realtime.features.base import Segment
from realtime.features.temperature import TemperatureFeatures
from realtime.features.trend import slope

RATE = 4.0
NAMES = [feature.name for feature in TemperatureFeatures.features]


def values(raw: np.ndarray, start: int = 0) -> dict[str, float]:
    window = Segment(start, RATE, raw[:, None], raw[:, None])
    return dict(
        zip(NAMES, TemperatureFeatures(RATE, 1, 60.0).extract(window).tolist(), strict=True)
    )


def test_linear_fall_is_described_exactly() -> None:
    t = np.arange(240) / RATE
    got = values(33.0 - 0.002 * t)
    assert got["mean"] == pytest.approx(33.0 - 0.002 * t.mean())
    assert got["std"] == pytest.approx(0.002 * t.std(), rel=1e-4)
    assert got["min"] == pytest.approx(33.0 - 0.002 * t[-1])
    assert got["max"] == pytest.approx(33.0)
    assert got["slope"] == pytest.approx(-0.002, rel=1e-5)
    assert got["recent_mean"] == pytest.approx(33.0 - 0.002 * t[-40:].mean())


def test_a_gap_leaves_the_slope_right() -> None:
    raw = 33.0 + 0.003 * np.arange(240) / RATE
    raw[50:120] = np.nan
    got = values(raw)
    assert got["slope"] == pytest.approx(0.003, rel=1e-5)
    assert got["mean"] == pytest.approx(np.nanmean(raw))


def test_a_gap_at_the_end_leaves_no_recent_mean() -> None:
    raw = np.full(240, 33.0)
    raw[-40:] = np.nan
    got = values(raw)
    assert np.isnan(got["recent_mean"])
    assert got["mean"] == pytest.approx(33.0)


def test_nothing_but_gaps_gives_nothing() -> None:
    raw = np.full(240, np.nan)
    assert all(np.isnan(value) for value in values(raw).values())


def test_short_windows_have_no_slope() -> None:
    got = values(np.linspace(33, 34, 20))
    assert np.isnan(got["slope"])
    assert np.isfinite(got["mean"])


def test_time_origin_changes_nothing() -> None:
    raw = 33.0 + np.random.default_rng(1).standard_normal(240)
    assert values(raw) == values(raw, start=9_000_001)


def test_slope_agrees_with_polyfit() -> None:
    rng = np.random.default_rng(2)
    signal = rng.standard_normal(100)
    at = np.arange(100) / 7.5
    assert slope(signal, 7.5) == pytest.approx(np.polyfit(at, signal, 1)[0])
    signal[[3, 40, 41, 99]] = np.nan
    kept = np.isfinite(signal)
    assert slope(signal, 7.5) == pytest.approx(np.polyfit(at[kept], signal[kept], 1)[0])
    assert np.isnan(slope(np.array([1.0, 2.0, np.nan]), 1.0))


def test_quality_is_the_share_of_worn_skin() -> None:
    features = TemperatureFeatures(RATE, 1, 60.0)
    raw = np.full((240, 1), 33.0)
    assert features.quality(Segment(0, RATE, raw, raw)) == 1.0
    raw[:60] = 5.0
    raw[60:84] = np.nan
    raw[84:96] = 91.4  # Fahrenheit
    assert features.quality(Segment(0, RATE, raw, raw)) == pytest.approx(0.6)
