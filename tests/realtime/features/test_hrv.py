"""HRV indices against NeuroKit2, and on series whose indices are known."""

from __future__ import annotations

from typing import Any

import neurokit2
import numpy as np
import pytest
from numpy.typing import NDArray

from realtime.features import hrv, hrv_spectrum


def rhythm(seed: int, seconds: float = 60.0) -> NDArray[np.float64]:
    """Inter-beat intervals with breathing, a slow wave and noise."""
    random = np.random.default_rng(seed)
    mean = random.uniform(0.6, 1.0)
    breath, slow = random.uniform(0.18, 0.35), random.uniform(0.08, 0.13)
    phases = random.uniform(0, 2 * np.pi, 2)
    intervals, time = [], 0.0
    while time < seconds:
        interval = (
            mean
            + 0.04 * np.sin(2 * np.pi * breath * time + phases[0])
            + 0.03 * np.sin(2 * np.pi * slow * time + phases[1])
            + 0.01 * random.standard_normal()
        )
        intervals.append(round(interval, 3))
        time += intervals[-1]
    return np.array(intervals)


def peaks_of(intervals: NDArray[np.float64]) -> NDArray[np.int64]:
    """Beat times in whole milliseconds, as NeuroKit2 takes them."""
    return np.rint(1000 * np.concatenate(([0.0], np.cumsum(intervals)))).astype(np.int64)


@pytest.mark.parametrize("seed", range(5))
def test_time_domain_is_neurokits(seed: int) -> None:
    intervals = rhythm(seed)
    reference = neurokit2.hrv_time(peaks_of(intervals), sampling_rate=1000).iloc[0]
    ours = hrv.time_domain(intervals)
    assert list(ours) == list(hrv.TIME_DOMAIN)
    for name, value in ours.items():
        assert value == pytest.approx(reference[f"HRV_{name}"], rel=1e-6), name


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("seed", range(3))
def test_poincare_is_neurokits(seed: int) -> None:
    intervals = rhythm(seed)
    reference = neurokit2.hrv_nonlinear(peaks_of(intervals), sampling_rate=1000).iloc[0]
    for name, value in hrv.poincare(intervals).items():
        assert value == pytest.approx(reference[f"HRV_{name}"], rel=1e-6), name


def neurokit_segments(intervals: NDArray[np.float64]) -> int:
    """How many half-overlapping Welch windows NeuroKit2 fits into the series at 100 Hz."""
    times = np.cumsum(intervals)
    count = len(np.arange(times[0], times[-1] + 0.01, 0.01))
    length = min(int(2 / ((2 * 100) / (count / 2)) * 100), count // 2)
    return (count - length // 2) // (length - length // 2)


def test_frequency_domain_is_neurokits() -> None:
    # For about every fifth series, rounding leaves NeuroKit2's third window a point short; it then
    # drops that window and sees the first 45 s only. Ours always sees all, so those cannot agree.
    compared = 0
    for seed in range(20):
        intervals = rhythm(seed)
        if neurokit_segments(intervals) != 3:
            continue
        compared += 1
        reference = neurokit2.hrv_frequency(peaks_of(intervals), sampling_rate=1000).iloc[0]
        ours = hrv_spectrum.frequency_domain(np.cumsum(intervals), intervals)
        assert list(ours) == list(hrv_spectrum.FREQUENCY_DOMAIN)
        for name, value in ours.items():
            assert value == pytest.approx(reference[f"HRV_{name}"], rel=0.005), (seed, name)
    assert compared >= 10


@pytest.mark.parametrize(("frequency", "high"), [(0.1, False), (0.3, True)])
def test_a_rhythm_shows_in_its_band(frequency: float, high: bool) -> None:
    intervals: list[float] = []
    while sum(intervals) < 60:
        intervals.append(0.8 + 0.05 * np.sin(2 * np.pi * frequency * sum(intervals)))
    indices = hrv_spectrum.frequency_domain(np.cumsum(intervals), np.array(intervals))
    assert (indices["HFn"] > 0.9) == high
    assert (indices["LFn"] > 0.9) != high


def test_spectrum_survives_a_hole() -> None:
    intervals = rhythm(3)
    times = np.cumsum(intervals)
    whole = hrv_spectrum.frequency_domain(times, intervals)
    holed = intervals.copy()
    holed[30:36] = np.nan
    part = hrv_spectrum.frequency_domain(times, holed)
    assert part["LFn"] == pytest.approx(whole["LFn"], abs=0.15)
    assert part["HFn"] == pytest.approx(whole["HFn"], abs=0.15)


def test_artefacts_are_rejected_and_their_neighbours_kept() -> None:
    intervals = rhythm(1)
    spoilt = intervals.copy()
    spoilt[10] *= 2  # a missed beat
    spoilt[20] /= 2  # a false one
    spoilt[30], spoilt[31] = 0.1, 3.0
    spoilt[40] = np.nan
    kept = hrv.reject_artefacts(spoilt)
    gone = np.flatnonzero(np.isnan(kept))
    assert gone.tolist() == [10, 20, 30, 31, 40]
    good = np.delete(np.arange(len(intervals)), gone)
    np.testing.assert_array_equal(kept[good], intervals[good])


@pytest.mark.parametrize("count", range(5))
def test_rejection_takes_short_lists(count: int) -> None:
    intervals = np.full(count, 0.8)
    np.testing.assert_array_equal(hrv.reject_artefacts(intervals), intervals)


def test_no_difference_is_taken_across_a_missing_interval() -> None:
    # 0.8 s before the gap, 1.0 s after: the step lies in the gap, and is nobody's difference.
    intervals = np.array([0.8] * 10 + [np.nan] + [1.0] * 10)
    indices = hrv.time_domain(intervals)
    assert indices["RMSSD"] == pytest.approx(0.0, abs=1e-9)
    assert indices["pNN50"] == 0.0
    assert indices["MeanNN"] == pytest.approx(900.0)
    assert hrv.poincare(intervals)["SD1"] == pytest.approx(0.0, abs=1e-9)


def test_an_even_rhythm_has_no_spectrum() -> None:
    intervals = np.full(70, 0.8)
    indices: dict[str, Any] = hrv_spectrum.frequency_domain(np.cumsum(intervals), intervals)
    assert all(np.isnan(value) for value in indices.values())
    assert hrv.time_domain(intervals)["SDNN"] == pytest.approx(0.0, abs=1e-9)


@pytest.mark.parametrize("count", [0, 1, 2])
def test_too_few_intervals_give_nan(count: int) -> None:
    intervals = np.full(count, 0.8)
    for indices in (
        hrv.time_domain(intervals),
        hrv.poincare(intervals),
        hrv_spectrum.frequency_domain(np.cumsum(intervals), intervals),
    ):
        assert all(np.isnan(value) for value in indices.values())


def test_time_origin_changes_nothing() -> None:
    intervals = rhythm(2)
    times = np.cumsum(intervals)
    near = hrv_spectrum.frequency_domain(times, intervals)
    far = hrv_spectrum.frequency_domain(times + 4096.0, intervals)
    for name, value in near.items():
        assert far[name] == pytest.approx(value, rel=1e-6)


@pytest.mark.parametrize("share", [0.0, 0.25, 0.5, 0.9, 1.0])
def test_quantile_is_numpys(share: float) -> None:
    values = np.sort(np.random.default_rng(0).standard_normal(18))
    assert hrv.quantile(values, share) == pytest.approx(np.quantile(values, share))
    assert np.isnan(hrv.quantile(values[:0], share))
