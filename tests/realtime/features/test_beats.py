"""Pulse detection: timing, invariances, gaps, and real wrists."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from realtime.features.beats import PulseDetector
from tests.data import data_folder
from tests.realtime.features.pulse import BLOCKS, band_pass, beat_times, pulse_wave, read_e4

EVER = 2**40


def detect(
    wave: NDArray[np.float64], rate: float, block: int | None = None, start: int = 0
) -> PulseDetector:
    detector = PulseDetector(rate, seconds=1e6)
    size = block or len(wave)
    for i in range(0, len(wave), size):
        detector.update(start + i, wave[i : i + size])
    return detector


def all_bytes(detector: PulseDetector, start: int = 0) -> tuple[bytes, bytes, bytes]:
    beats = detector.beats(start, EVER)
    assert len(beats.times)
    return beats.times.tobytes(), beats.amplitudes.tobytes(), beats.intervals.tobytes()


@pytest.mark.parametrize("rate", [20.0, 25.0, 64.0, 100.0, 333.0])
@pytest.mark.parametrize("interval", [0.45, 0.8, 1.3])
def test_beats_are_found_at_any_rate(rate: float, interval: float) -> None:
    true = beat_times(60, interval=interval)
    beats = detect(band_pass(pulse_wave(true, rate, 62), rate), rate).beats(0, EVER)
    true = true[3:-1]
    nearest = np.abs(true[:, None] - beats.times).argmin(axis=1)
    assert (np.diff(nearest) == 1).all(), "a beat was missed, or found twice"
    errors = beats.intervals[nearest[:-1]] - np.diff(true)
    assert np.abs(errors).max() < 0.02
    assert np.median(np.abs(errors)) < 0.005


@pytest.mark.parametrize("holes", [False, True])
def test_block_size_changes_no_byte(holes: bool) -> None:
    random = np.random.default_rng(3)
    wave = band_pass(pulse_wave(beat_times(40), 64.0, 40), 64.0)
    wave += 0.05 * random.standard_normal(len(wave))
    if holes:
        for start in random.integers(0, len(wave), 12):
            wave[start : start + random.integers(1, 100)] = np.nan
    results = {all_bytes(detect(wave, 64.0, block)) for block in BLOCKS}
    assert len(results) == 1


def test_time_origin_changes_no_byte() -> None:
    wave = band_pass(pulse_wave(beat_times(20), 64.0, 20), 64.0)
    far = 10**9 + 7
    assert all_bytes(detect(wave, 64.0)) == all_bytes(detect(wave, 64.0, start=far), far)


def test_empty_block_changes_nothing() -> None:
    wave = band_pass(pulse_wave(beat_times(20), 64.0, 20), 64.0)
    detector = PulseDetector(64.0, 60.0)
    detector.update(0, wave[:0])
    detector.update(0, wave[:500])
    detector.update(500, wave[:0])
    detector.update(500, wave[500:])
    assert all_bytes(detector) == all_bytes(detect(wave, 64.0))


def test_no_beat_comes_from_the_future() -> None:
    wave = band_pass(pulse_wave(beat_times(20), 64.0, 20), 64.0)
    whole = detect(wave, 64.0).beats(0, EVER).times
    detector = PulseDetector(64.0, 60.0)
    for i in range(0, len(wave), 16):
        detector.update(i, wave[i : i + 16])
        known = detector.beats(0, EVER).times
        np.testing.assert_array_equal(known, whole[: len(known)])
        now = (i + 16) / 64.0
        assert (known < now).all()
        assert len(known) >= np.count_nonzero(whole < now - 1.0), "more than a second late"


def test_no_interval_spans_a_gap_and_nothing_later_changes() -> None:
    wave = band_pass(pulse_wave(beat_times(60), 64.0, 60), 64.0)
    holed = wave.copy()
    gap = slice(20 * 64, 20 * 64 + 10)
    holed[gap] = np.nan
    whole, part = detect(wave, 64.0).beats(0, EVER), detect(holed, 64.0).beats(0, EVER)
    broken = np.flatnonzero(np.isnan(part.intervals))
    assert len(broken) == 1
    assert part.times[broken[0]] < 20.0 < part.times[broken[0] + 1]
    for lasting in (lambda t: t < 19.0, lambda t: t > 21.0):
        np.testing.assert_array_equal(
            part.times[lasting(part.times)], whole.times[lasting(whole.times)]
        )


def test_pulse_after_a_movement_is_found_soon() -> None:
    true = beat_times(60)
    raw = pulse_wave(true, 64.0, 60)
    moving = slice(20 * 64, 25 * 64)
    raw[moving] += 10 * np.random.default_rng(0).standard_normal(5 * 64)
    times = detect(band_pass(raw, 64.0), 64.0).beats(0, EVER).times
    expected = true[(true > 29) & (true < 58)]
    assert np.count_nonzero((times > 29) & (times < 58)) == pytest.approx(len(expected), abs=1)


def test_amplitude_is_from_trough_to_peak() -> None:
    time = np.arange(64 * 20) / 64.0
    beats = detect(3.0 * np.sin(2 * np.pi * 1.25 * time), 64.0).beats(0, EVER)
    np.testing.assert_allclose(beats.amplitudes[1:], 6.0, rtol=0.02)
    np.testing.assert_allclose(beats.intervals, 0.8, atol=1e-3)


@pytest.mark.parametrize("value", [0.0, 5.0, np.nan])
def test_flat_or_missing_signal_has_no_beats(value: float) -> None:
    beats = detect(np.full(64 * 20, value), 64.0).beats(0, EVER)
    assert len(beats.times) == len(beats.amplitudes) == len(beats.intervals) == 0


def test_old_beats_are_forgotten() -> None:
    wave = band_pass(pulse_wave(beat_times(60), 64.0, 60), 64.0)
    detector = PulseDetector(64.0, 10.0)
    for i in range(0, len(wave), 64):
        detector.update(i, wave[i : i + 64])
    assert detector.beats(0, EVER).times.min() >= 50.0
    last = detector.beats(50 * 64, EVER)
    np.testing.assert_array_equal(last.times, detect(wave, 64.0).beats(50 * 64, EVER).times)


def test_skipped_samples_are_refused() -> None:
    detector = PulseDetector(64.0, 60.0)
    detector.update(0, np.zeros(64))
    with pytest.raises(ValueError, match="index 70 on do not follow on from 64"):
        detector.update(70, np.zeros(64))


def test_rate_that_is_too_low_is_refused() -> None:
    with pytest.raises(ValueError, match=r"19\.5"):
        PulseDetector(19.5, 60.0)


def test_resting_pulses_are_those_that_neurokit_counts() -> None:
    path = data_folder("biosignal") / "neurokit__bio_resting_5min_100hz.csv"
    raw = np.loadtxt(path, delimiter=",", skiprows=1, usecols=1)
    found = len(detect(band_pass(raw, 100.0), 100.0).beats(0, EVER).times)
    assert found == pytest.approx(432, rel=0.02)


WRISTS = ("S2", "S4", "S5", "S6", "S7", "S8", "S10", "S11", "S13", "S14", "S15", "S17")


@pytest.mark.parametrize("person", WRISTS)
def test_intervals_are_those_of_the_wristband(person: str) -> None:
    folder = data_folder("wesad_wrist") / person / f"{person}_E4_Data"
    _, rate, raw = read_e4(folder / "BVP.csv")
    ends, lengths = np.loadtxt(folder / "IBI.csv", delimiter=",", skiprows=1).T
    beats = detect(band_pass(raw, rate), rate).beats(0, EVER)

    def nearest(times: NDArray[np.float64]) -> NDArray[np.int64]:
        after = np.clip(np.searchsorted(beats.times, times), 1, len(beats.times) - 1)
        return after - (times - beats.times[after - 1] < beats.times[after] - times)

    # The device marks another point of the wave: its beats lie a constant lag away from ours.
    lags = np.arange(-0.5, 0.5, 0.02)
    hits = [np.mean(np.abs(beats.times[nearest(ends + x)] - ends - x) < 0.08) for x in lags]
    lag = lags[int(np.argmax(hits))]
    stop, start = nearest(ends + lag), nearest(ends - lengths + lag)
    both = (
        (np.abs(beats.times[stop] - ends - lag) < 0.15)
        & (np.abs(beats.times[start] - ends + lengths - lag) < 0.15)
        & (stop - start == 1)
    )
    assert both.mean() > 0.5
    errors = np.abs(beats.intervals[start[both]] - lengths[both])
    assert np.median(errors) <= 0.025
