"""Fragmentation against NeuroKit2, and on rhythms whose turns are known."""

from __future__ import annotations

from collections.abc import Callable

import neurokit2
import numpy as np
import pytest
from numpy.typing import NDArray

from realtime.features.hrv_fragmentation import FRAGMENTATION, fragmentation
from tests.realtime.features.test_hrv import peaks_of, rhythm


def with_ties(seed: int) -> NDArray[np.float64]:
    """Intervals of which many neighbours are equal."""
    intervals = np.round(rhythm(seed) * 50) / 50
    assert (np.diff(intervals) == 0).sum() > 3
    return intervals


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("make", [rhythm, with_ties])
@pytest.mark.parametrize("seed", range(3))
def test_indices_are_neurokits(make: Callable[[int], NDArray[np.float64]], seed: int) -> None:
    intervals = make(seed)
    reference = neurokit2.hrv_nonlinear(peaks_of(intervals), sampling_rate=1000).iloc[0]
    indices = fragmentation(intervals)
    assert list(indices) == list(FRAGMENTATION)
    for name, value in indices.items():
        assert value == pytest.approx(reference[f"HRV_{name}"], rel=1e-9), name


def test_a_slow_wave_turns_seldom_and_an_alternans_always() -> None:
    slow = fragmentation(0.8 + 0.05 * np.sin(2 * np.pi * np.arange(60) / 20))
    assert slow["PIP"] == pytest.approx(6 / 60)
    assert slow["IALS"] == pytest.approx(0.1, abs=0.02)
    assert slow["PAS"] == 0.0
    alternans = fragmentation(np.tile([0.8, 0.9], 30))
    assert alternans["PIP"] == pytest.approx(58 / 60)
    assert alternans["IALS"] == alternans["PSS"] == alternans["PAS"] == 1.0


def test_no_step_is_taken_across_a_missing_interval() -> None:
    # Both halves rise; from one to the other it falls.
    intervals = np.concatenate((0.8 + 0.01 * np.arange(10), [np.nan], 0.8 + 0.01 * np.arange(10)))
    assert fragmentation(intervals)["PIP"] == 0.0


@pytest.mark.parametrize("count", [0, 1, 3])
def test_too_few_intervals_give_nan(count: int) -> None:
    assert np.isnan(list(fragmentation(np.full(count, 0.8)).values())).all()


def test_an_even_rhythm_has_no_segments() -> None:
    indices = fragmentation(np.full(40, 0.8))
    assert indices["PIP"] == 0.0
    assert np.isnan([indices[name] for name in ("IALS", "PSS", "PAS")]).all()
