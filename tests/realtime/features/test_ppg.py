"""PPG features: what they are worth on waves that are known, and on real wrists."""

from __future__ import annotations

import csv

import neurokit2
import numpy as np
import pytest
from numpy.typing import NDArray

from realtime.features import hrv
from realtime.features.base import Segment
from realtime.features.ppg import PpgFeatures
from tests.data import data_folder
from tests.realtime.features.pulse import BLOCKS, band_pass, beat_times, pulse_wave, read_e4

RATE = 64.0
NAMES = [feature.name for feature in PpgFeatures.features]


def window_of(
    raw: NDArray[np.float64],
    filtered: NDArray[np.float64],
    stop: int | None = None,
    seconds: float = 60.0,
    rate: float = RATE,
) -> Segment:
    stop = len(raw) if stop is None else stop
    start = max(0, stop - round(seconds * rate))
    rows = slice(start, stop)
    return Segment(start, rate, raw[rows, None], filtered[rows, None])


def run(
    raw: NDArray[np.float64],
    filtered: NDArray[np.float64] | None = None,
    block: int | None = None,
    rate: float = RATE,
) -> tuple[dict[str, float], float, bytes]:
    """Features, quality and bytes of the last 60 s of a signal."""
    filtered = band_pass(raw, rate) if filtered is None else filtered
    features = PpgFeatures(rate, 1, 60.0)
    size = block or max(1, len(raw))
    for i in range(0, len(raw), size):
        rows = slice(i, i + size)
        features.update(Segment(i, rate, raw[rows, None], filtered[rows, None]))
    window = window_of(raw, filtered, rate=rate)
    vector = features.extract(window)
    return (
        dict(zip(NAMES, vector.tolist(), strict=True)),
        features.quality(window),
        vector.tobytes(),
    )


def wave(seconds: float = 70.0, seed: int = 0, interval: float = 0.8) -> NDArray[np.float64]:
    return pulse_wave(beat_times(seconds, seed, interval), RATE, seconds)


@pytest.mark.parametrize("interval", [0.5, 0.8, 1.2])
def test_clean_wave(interval: float) -> None:
    true = beat_times(70, interval=interval)
    values, quality, _ = run(wave(interval=interval))
    intervals = np.diff(true[true > 10.0])
    assert values["heart_rate"] == pytest.approx(60 / np.median(intervals), rel=0.01)
    reference = hrv.time_domain(intervals)
    for name, share in (("MeanNN", 0.005), ("SDNN", 0.1), ("RMSSD", 0.15)):
        assert values[name] == pytest.approx(reference[name], rel=share), name
    assert quality == pytest.approx(values["clean"], rel=1e-6)
    assert quality > 0.9
    assert values["regularity"] > 0.95
    assert values["amplitude_spread"] < 0.2
    assert values["HFn"] > values["LFn"], "the breathing at 0.25 Hz"
    assert np.isfinite(list(values.values())).all()


def test_amplitude_is_logarithmic() -> None:
    small, _, _ = run(wave())
    large, _, _ = run(8.0 * wave())
    assert large["amplitude"] - small["amplitude"] == pytest.approx(np.log(8.0), abs=1e-4)
    for name in ("heart_rate", "SDNN", "clean", "amplitude_spread"):
        assert large[name] == pytest.approx(small[name], rel=1e-5), name


@pytest.mark.parametrize("holes", [False, True])
def test_block_size_changes_no_byte(holes: bool) -> None:
    random = np.random.default_rng(5)
    raw = wave() + 0.1 * random.standard_normal(round(70 * RATE))
    filtered = band_pass(raw, RATE)
    filtered[: round(3 * RATE)] = np.nan
    if holes:
        for start in random.integers(0, len(raw), 5):
            raw[start : start + 40] = filtered[start : start + 40] = np.nan
    results = [run(raw, filtered, block) for block in BLOCKS]
    assert len({result[2] for result in results}) == 1
    assert len({result[1] for result in results}) == 1


def test_time_origin_changes_no_byte() -> None:
    raw = wave(60.0)
    filtered = band_pass(raw, RATE)
    vectors = set()
    for origin in (0, 64 * 86400 * 30 + 5):
        features = PpgFeatures(RATE, 1, 60.0)
        segment = Segment(origin, RATE, raw[:, None], filtered[:, None])
        features.update(segment)
        vectors.add(features.extract(segment).tobytes())
    assert len(vectors) == 1


def test_empty_block_and_empty_window() -> None:
    raw = wave()
    filtered = band_pass(raw, RATE)
    features = PpgFeatures(RATE, 1, 60.0)
    empty = Segment(0, RATE, raw[:0, None], filtered[:0, None])
    features.update(empty)
    assert np.isnan(features.extract(empty)).all()
    assert features.quality(empty) == 0.0
    features.update(Segment(0, RATE, raw[:, None], filtered[:, None]))
    features.update(Segment(len(raw), RATE, raw[:0, None], filtered[:0, None]))
    assert features.extract(window_of(raw, filtered)).tobytes() == run(raw)[2]


def test_the_same_span_is_judged_anew_after_more_samples() -> None:
    raw = wave()
    filtered = band_pass(raw, RATE)
    features = PpgFeatures(RATE, 1, 60.0)
    # Stop just after a peak, which is then in the window, but not known yet.
    stop = 30 * 64 + int(filtered[30 * 64 : 31 * 64].argmax()) + 2
    window = window_of(raw, filtered, stop)
    features.update(Segment(0, RATE, raw[:stop, None], filtered[:stop, None]))
    before = features.quality(window)
    rows = slice(stop, stop + 120)
    features.update(Segment(stop, RATE, raw[rows, None], filtered[rows, None]))
    assert features.quality(window) > before


def test_warm_up_gives_what_its_length_supports() -> None:
    raw = wave(25.0)
    values, _, _ = run(raw)
    assert np.isfinite([values[name] for name in ("heart_rate", "RMSSD", "amplitude")]).all()
    assert np.isnan([values[name] for name in ("LF", "HF", "SD1", "HTI")]).all()
    values, _, _ = run(raw[: round(11 * RATE)])
    assert values["heart_rate"] == pytest.approx(75, abs=3)
    assert np.isnan(values["RMSSD"])
    values, _, _ = run(raw[: round(6 * RATE)])
    assert np.isnan(list(values.values())).all()


@pytest.mark.parametrize("level", [0.0, 1e5, np.nan])
def test_flat_or_missing_signal_gives_nothing(level: float) -> None:
    # What a filter makes of a constant is a long, tiny ringing, and then rounding.
    raw = np.full(round(90 * RATE), level)
    ringing = np.where(np.isnan(raw), raw, 1e-9 * wave(90.0))
    values, quality, _ = run(raw, ringing)
    assert np.isnan(list(values.values())).all()
    assert quality == 0.0


def test_sensor_that_goes_dead_gives_no_beats_after() -> None:
    raw = wave(120.0) + 1000.0
    raw[round(70 * RATE) :] = raw[round(70 * RATE)]
    values, quality, _ = run(raw)
    assert quality < 0.2
    assert np.isnan(values["LF"])
    values, quality, _ = run(np.concatenate((raw, np.full(round(20 * RATE), raw[-1]))))
    assert np.isnan(list(values.values())).all()
    assert quality == 0.0


def test_gap_costs_what_it_covers() -> None:
    raw = wave()
    filtered = band_pass(raw, RATE)
    whole, clean, _ = run(raw, filtered)
    rows = slice(round(30 * RATE), round(36 * RATE))
    raw[rows] = filtered[rows] = np.nan
    values, quality, _ = run(raw, filtered)
    assert clean - 0.16 < quality < clean - 0.08
    for name, share in (("heart_rate", 0.01), ("MeanNN", 0.01), ("SDNN", 0.1), ("RMSSD", 0.1)):
        assert values[name] == pytest.approx(whole[name], rel=share), name


def test_movement_moves_quality_but_not_heart_rate() -> None:
    raw = wave()
    still, clean, _ = run(raw)
    moved = raw.copy()
    rows = slice(round(25 * RATE), round(43 * RATE))
    moved[rows] += 5 * np.random.default_rng(2).standard_normal(rows.stop - rows.start)
    values, quality, _ = run(moved)
    assert quality < clean - 0.2
    assert values["heart_rate"] == pytest.approx(still["heart_rate"], rel=0.05)
    assert values["RMSSD"] < 2 * still["RMSSD"]


def test_noise_is_no_clean_pulse() -> None:
    noise = np.random.default_rng(1).standard_normal(round(70 * RATE))
    values, quality, _ = run(noise)
    assert quality < 0.3
    assert np.isnan(values["LF"])


def test_two_channels_are_refused() -> None:
    with pytest.raises(ValueError, match="2 channels"):
        PpgFeatures(RATE, 2, 60.0)


def test_resting_hrv_is_that_of_neurokits_own_peaks() -> None:
    path = data_folder("biosignal") / "neurokit__bio_resting_5min_100hz.csv"
    raw = np.loadtxt(path, delimiter=",", skiprows=1, usecols=1)
    filtered = band_pass(raw, 100.0)
    peaks = neurokit2.ppg_findpeaks(filtered, sampling_rate=100)["PPG_Peaks"]
    features = PpgFeatures(100.0, 1, 60.0)
    compared = 0
    for stop in range(0, len(raw) + 1, 6000):
        rows = slice(max(stop - 6000, 0), stop)
        features.update(Segment(rows.start, 100.0, raw[rows, None], filtered[rows, None]))
        if not stop:
            continue
        window = window_of(raw, filtered, stop, rate=100.0)
        values = dict(zip(NAMES, features.extract(window).tolist(), strict=True))
        if values["clean"] < 0.975:  # some interval was rejected
            continue
        compared += 1
        inside = peaks[(peaks >= rows.start) & (peaks < stop - 40)]
        reference = neurokit2.hrv_time(inside, sampling_rate=100).iloc[0]
        # Its peaks are whole samples, 10 ms apart, which adds noise to the differences.
        for name, share in (("MeanNN", 0.002), ("SDNN", 0.01), ("RMSSD", 0.05)):
            assert values[name] == pytest.approx(reference[f"HRV_{name}"], rel=share), name
    assert compared == 3


def segments_of(person: str) -> list[tuple[str, float, float]]:
    with (data_folder("wesad_wrist") / "segments.csv").open(newline="", encoding="utf-8") as file:
        return [
            (row["condition"], float(row["e4_start_s"]), float(row["e4_end_s"]))
            for row in csv.DictReader(file)
            if row["subject"] == person
        ]


@pytest.mark.parametrize("person", ["S4", "S7", "S14"])
def test_heart_rate_of_real_wrists(person: str) -> None:
    folder = data_folder("wesad_wrist") / person / f"{person}_E4_Data"
    begin, rate, raw = read_e4(folder / "BVP.csv")
    own_begin, _, own = read_e4(folder / "HR.csv")
    own_times = own_begin - begin + np.arange(len(own))
    filtered = band_pass(raw, rate)
    features = PpgFeatures(rate, 1, 60.0)
    rates: dict[bool, list[float]] = {True: [], False: []}
    errors = []
    second = round(rate)
    segments = segments_of(person)
    for stop in range(30, len(raw) // second + 1, 30):
        rows = slice((stop - 30) * second, stop * second)
        features.update(Segment(rows.start, rate, raw[rows, None], filtered[rows, None]))
        inside = [name for name, start, end in segments if start <= stop - 60 and stop <= end]
        if not inside:
            continue
        window = window_of(raw, filtered, stop * second, rate=rate)
        heart_rate = float(features.extract(window)[0])
        rates[inside[0] == "TSST"].append(heart_rate)
        errors.append(abs(heart_rate - own[(own_times > stop - 60) & (own_times <= stop)].mean()))
    assert np.median(rates[True]) > np.median(rates[False]) + 10
    assert np.median(errors) < 4
