"""Placing and resampling onto the grid."""

from __future__ import annotations

import numpy as np
import pytest

from realtime.clock import StreamClock
from realtime.grid import Placer, Resampler


def feed(gridder, times, values, size=10**9, rate=64.0):
    clock = StreamClock(rate)
    indices, cells = [], []
    for i in range(0, len(times), size):
        stamps = clock.take(times[i : i + size])
        a, b = gridder.take(stamps.times, stamps.breaks, values[i : i + size][stamps.kept])
        indices.append(a)
        cells.append(b)
    return np.concatenate(indices), np.concatenate(cells)


def test_placer_ignores_microseconds():
    rng = np.random.default_rng(1)
    times = 7.0 + np.arange(1000) / 64
    values = np.arange(1000.0)[:, None]
    clean = feed(Placer(7.0, 64.0), times, values)
    noisy = feed(Placer(7.0, 64.0), times + rng.normal(0, 5e-5, 1000), values)
    np.testing.assert_array_equal(clean[0], np.arange(1000))
    np.testing.assert_array_equal(noisy[0], clean[0])
    np.testing.assert_array_equal(noisy[1], clean[1])


def test_placer_leaves_a_hole_for_a_gap():
    times = np.delete(np.arange(1000) / 64, slice(300, 340))
    indices, _ = feed(Placer(0.0, 64.0), times, np.zeros((960, 1)))
    np.testing.assert_array_equal(np.setdiff1d(np.arange(1000), indices), np.arange(300, 340))


def test_placer_follows_a_slow_clock_by_single_holes():
    times = np.arange(6000) / 63.9
    indices, _ = feed(Placer(0.0, 64.0), times, np.zeros((6000, 1)))
    assert (np.diff(indices) >= 1).all()
    assert abs(indices[-1] - times[-1] * 64) <= 1
    assert np.diff(indices).max() == 2


def test_placer_drops_and_counts_collisions_of_a_fast_clock():
    placer = Placer(0.0, 64.0)
    indices, _ = feed(placer, np.arange(6400) / 65.0, np.zeros((6400, 1)))
    assert (np.diff(indices) >= 1).all()
    assert placer.collisions == pytest.approx(6400 / 65, abs=2)


@pytest.mark.parametrize("stream_rate", [25.0, 55.0, 91.0, 130.0, 1000.0])
def test_resampler_keeps_a_slow_sine(stream_rate):
    times = 3.0 + np.arange(int(20 * stream_rate)) / stream_rate
    values = np.sin(2 * np.pi * 1.0 * times)[:, None]
    indices, cells = feed(Resampler(3.0, 64.0, stream_rate, 1), times, values, rate=stream_rate)
    np.testing.assert_array_equal(np.diff(indices), 1)
    at = 3.0 + indices / 64.0
    later = at > 5
    # The anti-alias filter delays; a linear interpolation at 25 Hz flattens by under 1 %.
    delays = np.linspace(0, 0.05, 501)
    errors = [np.abs(cells[later, 0] - np.sin(2 * np.pi * (at[later] - d))).max() for d in delays]
    assert min(errors) < 0.012
    if stream_rate < 64:
        assert errors[0] < 0.012


def test_resampler_removes_what_would_alias():
    times = np.arange(20000) / 1000
    values = np.sin(2 * np.pi * 60.0 * times)[:, None]
    _, cells = feed(Resampler(0.0, 64.0, 1000.0, 1), times, values, rate=1000.0)
    assert np.abs(cells[200:]).max() < 0.05


@pytest.mark.parametrize("stream_rate", [25.0, 130.0])
@pytest.mark.parametrize("size", [1, 7, 100])
def test_resampler_is_independent_of_chunks(stream_rate, size):
    rng = np.random.default_rng(2)
    times = np.delete(np.arange(1500) / stream_rate, slice(700, 730))
    values = rng.normal(size=(len(times), 2))
    whole = feed(Resampler(0.0, 64.0, stream_rate, 2), times, values, rate=stream_rate)
    cut = feed(Resampler(0.0, 64.0, stream_rate, 2), times, values, size, rate=stream_rate)
    assert whole[0].tobytes() == cut[0].tobytes()
    assert whole[1].tobytes() == cut[1].tobytes()


def test_resampler_does_not_cross_gaps():
    times = np.r_[np.arange(100) / 25, 10 + np.arange(100) / 25]
    indices, _ = feed(Resampler(0.0, 64.0, 25.0, 1), times, np.zeros((200, 1)), rate=25.0)
    at = indices / 64
    assert not ((at > 99 / 25 + 1e-3) & (at < 10 - 1e-3)).any()
