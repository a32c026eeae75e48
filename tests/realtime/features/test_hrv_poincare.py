"""Poincaré indices against NeuroKit2, and on series whose asymmetry is known."""

from __future__ import annotations

import neurokit2
import numpy as np
import pytest

from realtime.features import hrv, hrv_poincare
from tests.realtime.features.test_hrv import peaks_of, rhythm


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("seed", range(3))
def test_indices_are_neurokits(seed: int) -> None:
    intervals = rhythm(seed)
    reference = neurokit2.hrv_nonlinear(peaks_of(intervals), sampling_rate=1000).iloc[0]
    plot = hrv.poincare(intervals)
    ellipse = hrv_poincare.ellipse(plot["SD1"], plot["SD2"])
    asymmetry = hrv_poincare.asymmetry(intervals)
    assert list(ellipse) == list(hrv_poincare.ELLIPSE)
    assert list(asymmetry) == list(hrv_poincare.ASYMMETRY)
    for name, value in (ellipse | asymmetry).items():
        assert value == pytest.approx(reference[f"HRV_{name}"], rel=1e-9), name


@pytest.mark.filterwarnings("ignore")
def test_a_missing_interval_is_as_in_neurokit() -> None:
    intervals = rhythm(1)
    times = np.cumsum(intervals)
    holed = intervals.copy()
    holed[20:23] = np.nan
    known = ~np.isnan(holed)
    given = {"RRI": 1000 * intervals[known], "RRI_Time": times[known]}
    reference = neurokit2.hrv_nonlinear(given).iloc[0]
    for name, value in hrv_poincare.asymmetry(holed).items():
        assert value == pytest.approx(reference[f"HRV_{name}"], rel=1e-9), name


def test_slow_rises_and_steep_falls_are_asymmetric() -> None:
    # Two steps up for one of double size down.
    intervals = np.tile([0.8, 0.85, 0.9], 20)
    indices = hrv_poincare.asymmetry(intervals)
    assert indices["PI"] == pytest.approx(100 * 19 / 59)
    assert indices["C1a"] == pytest.approx(19 * 0.1**2 / (19 * 0.1**2 + 40 * 0.05**2))
    mirrored = hrv_poincare.asymmetry(intervals[::-1])
    assert mirrored["C1d"] == pytest.approx(indices["C1a"])
    assert mirrored["GI"] == pytest.approx(100 - indices["GI"])


@pytest.mark.parametrize("count", [0, 1, 3, 40])
def test_too_few_or_even_intervals_give_nan(count: int) -> None:
    intervals = np.full(count, 0.8)
    indices = hrv_poincare.asymmetry(intervals) | hrv_poincare.ellipse(0.0, 0.0)
    assert np.isnan(list(indices.values())).all()
