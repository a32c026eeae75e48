"""Buffers and their reduction to pixels."""

from __future__ import annotations

import numpy as np
import pytest

from apps.dashboard.traces import Trace, envelope


def test_envelope_keeps_every_extreme() -> None:
    rng = np.random.default_rng(1)
    times = np.arange(10_000) / 100
    values = rng.normal(size=(10_000, 3)).astype(np.float32)
    moments, reduced = envelope(times, values, 20)
    assert len(moments) == len(reduced) <= 2 * 500
    assert (np.diff(moments) > 0).all()
    np.testing.assert_array_equal(reduced.min(axis=0), values.min(axis=0))
    np.testing.assert_array_equal(reduced.max(axis=0), values.max(axis=0))


def test_envelope_leaves_few_samples_alone() -> None:
    times, values = np.arange(800.0), np.ones((800, 1), np.float32)
    moments, reduced = envelope(times, values, 2)
    assert moments is times and reduced is values
    empty, none = envelope(np.empty(0), np.empty((0, 2), np.float32), 9)
    assert len(empty) == 0 and none.shape == (0, 2)
    few, _ = envelope(times[:5], values[:5], 9, offset=4)
    assert len(few) == 5


def test_envelope_passes_over_nan_but_keeps_gaps() -> None:
    values = np.arange(1000, dtype=np.float32)[:, None].copy()
    values[5] = np.nan
    values[300:500] = np.nan
    moments, reduced = envelope(np.arange(1000.0), values, 10)
    assert np.isfinite(reduced[moments < 290]).all()
    assert np.isnan(reduced[(moments >= 310) & (moments < 490)]).all()


def test_a_sample_stays_in_its_group_while_the_plot_scrolls() -> None:
    rng = np.random.default_rng(2)
    trace = Trace(1, 4000, gap=1.0)
    drawn: list[dict[float, float]] = []
    for step in range(6000):
        trace.append(np.array([step / 100]), rng.normal(size=(1, 1)).astype(np.float32))
        if step >= 5000 and step % 7 == 0:
            times, values = trace.view(step / 100 - 20, 200)
            settled = times < step / 100 - 0.2
            drawn.append(dict(zip(times[settled], values[settled, 0], strict=True)))
    for earlier, later in zip(drawn, drawn[1:], strict=False):
        shared = sorted(set(earlier) & set(later))[1:]
        assert len(shared) > 350
        assert [earlier[t] for t in shared] == [later[t] for t in shared]


@pytest.mark.parametrize("size", [1, 7, 64, 5000])
def test_trace_is_bounded_and_ordered_for_any_chunks(size: int) -> None:
    trace = Trace(2, 1000, gap=1.0)
    times = np.arange(10_000) / 100
    values = np.stack([times, -times], axis=1).astype(np.float32)
    for start in range(0, len(times), size):
        trace.append(times[start : start + size], values[start : start + size])
    kept, rows = trace.view(-np.inf, 10**6)
    np.testing.assert_array_equal(kept, times[-1000:])
    np.testing.assert_array_equal(rows, values[-1000:])
    assert trace.newest == times[-1]


def test_gap_breaks_the_curve_and_a_step_back_clears_it() -> None:
    trace = Trace(1, 100, gap=0.5)
    one = np.ones((1, 1), np.float32)
    trace.append(np.array([1.0]), one)
    trace.append(np.array([5.0]), one)
    times, values = trace.view(0.0, 100)
    assert times.tolist() == [1.0, 1.25, 5.0] and np.isnan(values[1, 0])
    trace.append(np.array([2.0]), one)
    assert trace.view(0.0, 100)[0].tolist() == [2.0]
    trace.clear()
    assert trace.newest == -np.inf
