"""Complexity indices against NeuroKit2, and on series whose complexity is known."""

from __future__ import annotations

import neurokit2
import numpy as np
import pytest
from numpy.typing import NDArray

from realtime.features.hrv_complexity import (
    DIMENSIONS,
    ENTROPIES,
    complexity,
    lempel_ziv_complexity,
)
from tests.realtime.features.test_hrv import peaks_of, rhythm


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("seed", range(6))
def test_indices_are_neurokits(seed: int) -> None:
    intervals = rhythm(seed)
    reference = neurokit2.hrv_nonlinear(peaks_of(intervals), sampling_rate=1000).iloc[0]
    indices = complexity(intervals)
    assert list(indices) == [*ENTROPIES, *DIMENSIONS]
    for name, value in indices.items():
        assert value == pytest.approx(reference[f"HRV_{name}"], rel=1e-9), name


@pytest.mark.parametrize("seed", range(20))
def test_pieces_are_neurokits(seed: int) -> None:
    random = np.random.default_rng(seed)
    symbols = random.random(random.integers(2, 90)) < random.uniform(0.05, 0.95)
    reference, _ = neurokit2.complexity_lempelziv(symbols.astype(int), symbolize=None)
    assert lempel_ziv_complexity(symbols) == pytest.approx(reference)


def ordered_and_shuffled() -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    ordered = 0.8 + 0.05 * np.sin(2 * np.pi * np.arange(80) / 16.3)
    return ordered, np.random.default_rng(1).permutation(ordered)


@pytest.mark.parametrize("name", ["SampEn", "FuzzyEn", "HFD", "LZC"])
def test_disorder_is_complex(name: str) -> None:
    ordered, shuffled = (complexity(series)[name] for series in ordered_and_shuffled())
    assert shuffled > 1.3 * ordered


def test_entropy_of_lengths_counts_milliseconds() -> None:
    intervals = np.tile([0.8, 0.9, 0.8, 1.0], 8)
    assert complexity(intervals)["ShanEn"] == pytest.approx(1.5)
    # What refining adds to the peaks' times is no information about the lengths.
    refined = intervals + 1e-4 * np.random.default_rng(0).standard_normal(32)
    assert complexity(refined)["ShanEn"] == pytest.approx(1.5)


@pytest.mark.parametrize("intervals", [[], [0.8, 0.9] * 5, [0.8] * 60])
def test_too_few_or_even_intervals_give_nan(intervals: list[float]) -> None:
    assert np.isnan(list(complexity(np.array(intervals)).values())).all()
