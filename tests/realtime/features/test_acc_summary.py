"""Acceleration of the trunk: the axes of the set `acc`, and nothing else."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import signal

from realtime.features.acc import AccFeatures
from realtime.features.acc_summary import AccSummary
from realtime.features.base import Segment
from realtime.rig import load_rig
from tests.data import data_folder

NAMES = [feature.name for feature in AccSummary.features]
RATE = 100.0


def movement(seed: int = 1) -> np.ndarray:
    rng = np.random.default_rng(seed)
    t = np.arange(6000) / RATE
    raw = 0.02 * rng.standard_normal((6000, 3)) + [0.1, 0.2, 0.97]
    raw[:, 0] += 0.2 * np.sin(2 * np.pi * 1.8 * t)
    raw[:, 2] += 0.1 * np.sin(2 * np.pi * 3.6 * t)
    return raw


def holed() -> np.ndarray:
    raw = movement(2)
    raw[1000:1500] = np.nan
    raw[3000:3100, 1] = np.nan
    return raw


def test_names_are_those_of_the_design() -> None:
    each = ("mean", "std", "integral", "peak_frequency")
    assert [f"{axis}_{name}" for axis in "xyz" for name in each] == NAMES
    assert AccSummary.entries(load_rig("chest").modality("acc")) == AccSummary.features


def test_a_walk_is_described_per_axis() -> None:
    raw = movement()
    features = AccSummary(RATE, 3, 60.0)
    got = dict(zip(NAMES, features.extract(Segment(0, RATE, raw, raw)).tolist(), strict=True))
    for column, axis in enumerate("xyz"):
        assert got[f"{axis}_mean"] == pytest.approx(raw[:, column].mean(), rel=1e-5)
        assert got[f"{axis}_std"] == pytest.approx(raw[:, column].std(), rel=1e-5)
        away = np.abs(raw[:, column] - raw[:, column].mean())
        assert got[f"{axis}_integral"] == pytest.approx(away.sum() / RATE, rel=1e-5)
    assert got["x_peak_frequency"] == pytest.approx(1.8, abs=0.02)
    assert got["z_peak_frequency"] == pytest.approx(3.6, abs=0.02)


@pytest.mark.parametrize("raw", [movement(), holed(), movement()[:700]])
def test_entries_are_to_the_byte_those_of_the_set_acc(raw: np.ndarray) -> None:
    window = Segment(7, RATE, raw, raw)
    summary = AccSummary(RATE, 3, 60.0).extract(window)
    assert summary.tobytes() == AccFeatures(RATE, 3, 60.0).extract(window)[:12].tobytes()
    assert AccSummary(RATE, 3, 60.0).quality(window) == AccFeatures(RATE, 3, 60.0).quality(window)


def test_the_window_is_left_as_it_was() -> None:
    raw = holed()
    before = raw.tobytes()
    AccSummary(RATE, 3, 60.0).extract(Segment(0, RATE, raw, raw))
    assert raw.tobytes() == before


def test_time_origin_and_memory_layout_change_nothing() -> None:
    raw = movement()
    features = AccSummary(RATE, 3, 60.0)
    once = features.extract(Segment(0, RATE, raw, raw)).tobytes()
    assert features.extract(Segment(12345, RATE, raw, raw)).tobytes() == once
    part = np.hstack([raw, raw])[:, 3:]
    assert features.extract(Segment(0, RATE, part, part)).tobytes() == once


def test_nothing_gives_nothing() -> None:
    features = AccSummary(RATE, 3, 60.0)
    for n in (0, 6000):
        blank = np.full((n, 3), np.nan)
        assert np.isnan(features.extract(Segment(0, RATE, blank, blank))).all()


def test_a_real_chest_carries_gravity() -> None:
    """WESAD S16, RespiBAN: worn, upright, and hardly moving."""
    raw = np.load(data_folder("chest") / "S16_chest_excerpt.npz")["ACC"]
    raw = signal.resample_poly(raw, 1, 7, padtype="line")
    window = Segment(0, RATE, raw, raw)
    features = AccSummary(RATE, 3, 60.0)
    got = dict(zip(NAMES, features.extract(window).tolist(), strict=True))
    gravity = float(np.hypot(np.hypot(got["x_mean"], got["y_mean"]), got["z_mean"]))
    assert gravity == pytest.approx(1.0, abs=0.15), f"{gravity:.3f} g"
    assert features.quality(window) == 1.0
    assert max(got[f"{axis}_std"] for axis in "xyz") < 0.1
