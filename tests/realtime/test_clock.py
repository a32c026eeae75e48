"""The stream clock: jitter, drift, gaps, strays, resets."""

from __future__ import annotations

import numpy as np
import pytest

from realtime.clock import StreamClock

RATE = 64.0
TIMES = 100.0 + np.arange(3000) / RATE


def run(times, size=10**9, rate=RATE):
    """Feed stamps in chunks; return smoothed times, kept mask, break mask and the clock."""
    clock = StreamClock(rate)
    smooth, kept, breaks = [], [], []
    for i in range(0, len(times), size):
        stamps = clock.take(times[i : i + size])
        if stamps.restarted:
            smooth, breaks, kept = [], [], [np.zeros(i, bool)]
        smooth.append(stamps.times)
        kept.append(stamps.kept)
        breaks.append(stamps.breaks)
    return np.concatenate(smooth), np.concatenate(kept), np.concatenate(breaks), clock


def scenes():
    """Every kind of trouble with stamps that was seen in real recordings."""
    rng = np.random.default_rng(0)
    return {
        "clean": TIMES,
        "microseconds of noise": TIMES + rng.normal(0, 2e-5, len(TIMES)),
        "jitter": TIMES + rng.normal(0, 4e-3, len(TIMES)),
        "bursts": TIMES[::12].repeat(12),
        "gap": np.delete(TIMES, slice(1000, 1010)),
        "pause of 94 s": np.r_[TIMES[:1000], TIMES[1000:] + 94],
        "backward step": np.r_[TIMES[:1000], TIMES[990:]],
        "epoch strays": np.r_[TIMES[:1000], 1.6e9, TIMES[1000:]],
        "alternating epochs": np.column_stack([TIMES, TIMES + 1.6e9]).ravel(),
        "strays first": np.r_[1.6e9, 1.6e9, TIMES],
        "not a number": np.r_[TIMES[:500], np.nan, np.inf, TIMES[500:]],
        "drift": 100 + np.arange(3000) / 63.0,
    }


@pytest.mark.parametrize("scene", scenes())
def test_chunk_size_changes_nothing(scene):
    times = scenes()[scene]
    # One by one is slow, and every trouble comes before the 1500th sample.
    for given, sizes in ((times, (7, 64)), (times[:1500], (1,))):
        whole = run(given)
        for size in sizes:
            cut = run(given, size)
            for a, b in zip(whole[:3], cut[:3], strict=True):
                assert a.tobytes() == b.tobytes()
            assert whole[3].counts == cut[3].counts


def test_empty_chunk_changes_nothing():
    clock = StreamClock(RATE)
    clock.take(TIMES[:10])
    stamps = clock.take(np.empty(0))
    assert len(stamps.times) == 0
    assert clock.take(TIMES[10:20]).kept.all()


def test_clean_stamps_pass_unchanged():
    smooth, kept, breaks, clock = run(TIMES)
    assert kept.all()
    assert breaks.sum() == 1 and breaks[0]
    np.testing.assert_allclose(smooth, TIMES, atol=1e-9)
    assert clock.counts.gaps == 0


def test_jitter_is_smoothed():
    noisy = scenes()["jitter"]
    smooth, kept, _, _ = run(noisy)
    before = np.std(noisy[kept][1000:] - TIMES[kept][1000:])
    after = np.std(smooth[1000:] - TIMES[kept][1000:])
    assert after < before / 4


def test_drift_is_followed():
    times = scenes()["drift"]
    smooth, kept, _, clock = run(times)
    assert kept.all() and clock.counts.gaps == 0
    assert np.abs(smooth[1500:] - times[1500:]).max() < 0.2 / RATE


def test_gap_is_found_and_measured():
    _, kept, breaks, clock = run(scenes()["gap"])
    assert kept.all()
    assert np.flatnonzero(breaks).tolist() == [0, 1000]
    assert clock.counts.gaps == 1
    assert clock.counts.missing == pytest.approx(10 / RATE)


def test_one_lost_sample_is_a_gap():
    _, _, breaks, clock = run(np.delete(TIMES, 500))
    assert np.flatnonzero(breaks).tolist() == [0, 500]
    assert clock.counts.missing == pytest.approx(1 / RATE)


def test_backward_samples_are_left_out_and_counted():
    smooth, kept, _, clock = run(scenes()["backward step"])
    assert (np.diff(smooth) > 0).all()
    assert clock.counts.backward == (~kept).sum() >= 9


def test_strays_of_another_clock_are_left_out():
    smooth, kept, _, clock = run(scenes()["epoch strays"])
    assert np.flatnonzero(~kept).tolist() == [1000]
    assert clock.counts.jumped == 1
    assert smooth.max() < 200


def test_alternating_clocks_keep_the_first():
    smooth, kept, _, clock = run(scenes()["alternating epochs"])
    assert kept[::2].all() and not kept[1::2].any()
    assert clock.counts.jumped == len(TIMES)
    assert smooth.max() < 200


def test_stray_beginning_is_forgotten():
    smooth, _, breaks, clock = run(scenes()["strays first"])
    assert clock.counts.restarts == 1
    assert smooth[0] < 102 and breaks[0]


def test_long_pause_costs_a_second_and_no_more():
    smooth, kept, breaks, clock = run(scenes()["pause of 94 s"])
    assert clock.counts.gaps == 1
    assert (~kept).sum() == pytest.approx(RATE, abs=1)
    assert breaks.sum() == 2
    assert smooth[-1] == pytest.approx(TIMES[-1] + 94, abs=1e-6)


def test_bursts_lose_nothing():
    _, kept, _, clock = run(scenes()["bursts"])
    assert kept.all()
    assert clock.counts.gaps < 10


def test_rate_must_be_positive():
    with pytest.raises(ValueError, match="rate 0"):
        StreamClock(0)
