"""The causal filter: chunks, gaps, settling."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.signal import sosfilt, sosfilt_zi

from realtime.filters import CausalFilter, design
from realtime.rig import FilterSettings

SETTINGS = FilterSettings(low=0.5, high=8.0, order=2, settle=1.0, bridge=0.25)


def feed(settings, indices, values, size):
    causal = CausalFilter(settings, 64.0, values.shape[1])
    return np.concatenate(
        [
            causal.apply(indices[i : i + size], values[i : i + size])
            for i in range(0, len(indices), size)
        ]
    )


def test_equals_scipy_once_settled():
    rng = np.random.default_rng(0)
    values = rng.normal(size=(1000, 2))
    result = feed(SETTINGS, np.arange(1000), values, 1000)
    sos = design(SETTINGS, 64.0)
    for column in range(2):
        expected, _ = sosfilt(sos, values[:, column], zi=sosfilt_zi(sos) * values[0, column])
        np.testing.assert_array_equal(result[64:, column], expected[64:])
    assert np.isnan(result[:64]).all()


@pytest.mark.parametrize("size", [1, 7, 64])
def test_chunk_size_changes_no_byte(size):
    rng = np.random.default_rng(1)
    indices = np.delete(np.arange(2000), np.r_[300:310, 900:1000])
    values = rng.normal(size=(len(indices), 3))
    values[200:205, 1] = np.nan
    values[1200:1300] = np.nan
    values[1500, 2] = np.inf
    whole = feed(SETTINGS, indices, values, 10**6)
    assert feed(SETTINGS, indices, values, size).tobytes() == whole.tobytes()


def test_missing_stays_missing_and_a_short_gap_harms_little():
    indices = np.arange(2000)
    values = np.sin(2 * np.pi * 1.2 * indices / 64)[:, None]
    broken = values.copy()
    broken[1000:1008] = np.nan
    result = feed(SETTINGS, indices, broken, 50)
    clean = feed(SETTINGS, indices, values, 50)
    assert np.isnan(result[1000:1008]).all()
    assert np.isfinite(result[1008:]).all()
    assert np.abs(result[1008:] - clean[1008:]).max() < 0.25


def test_long_gap_restarts_and_nothing_later_is_touched():
    indices = np.arange(3000)
    values = np.sin(2 * np.pi * 1.2 * indices / 64)[:, None]
    broken = values.copy()
    broken[1000:1100] = np.nan
    result = feed(SETTINGS, indices, broken, 50)
    assert np.isnan(result[1000 : 1100 + 64]).all()
    assert np.isfinite(result[1100 + 64 :]).all()
    clean = feed(SETTINGS, indices, values, 50)
    assert np.abs(result[1500:] - clean[1500:]).max() < 1e-3


def test_no_band_passes_values_through():
    values = np.array([[1.0], [np.inf], [3.0]])
    result = CausalFilter(FilterSettings(), 4.0, 1).apply(np.arange(3), values)
    np.testing.assert_array_equal(result, [[1.0], [np.nan], [3.0]])


def test_empty_call_changes_nothing():
    causal = CausalFilter(SETTINGS, 64.0, 1)
    assert causal.apply(np.empty(0, int), np.empty((0, 1))).shape == (0, 1)


def test_the_notch_takes_the_mains_out_and_leaves_the_rest():
    times = np.arange(3000) / 300
    mains, alpha = (np.sin(2 * np.pi * f * times) for f in (50.0, 10.0))
    settings = FilterSettings(low=1.0, high=60.0, notch=50.0, settle=2.0)
    causal = CausalFilter(settings, 300.0, 2)
    result = causal.apply(np.arange(3000), np.column_stack([mains, alpha]))[1500:]
    assert np.abs(result[:, 0]).max() < 0.01
    assert abs(np.abs(result[:, 1]).max() - 1.0) < 0.05


def test_a_channel_that_a_device_has_not_changes_nothing_for_the_others():
    rng = np.random.default_rng(2)
    values = rng.normal(size=(500, 3))
    alone = feed(SETTINGS, np.arange(500), values, 20)
    padded = np.insert(values, 1, np.nan, axis=1)
    result = feed(SETTINGS, np.arange(500), padded, 20)
    assert np.isnan(result[:, 1]).all()
    assert np.delete(result, 1, axis=1).tobytes() == alone.tobytes()
