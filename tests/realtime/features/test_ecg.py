"""ECG features: their names, what they are worth on waves that are known, and NeuroKit2's."""

from __future__ import annotations

import dataclasses

import neurokit2
import numpy as np
import pytest
from numpy.typing import NDArray

from realtime.errors import InputError
from realtime.features import entries, feature_set, hrv
from realtime.features.base import Segment
from realtime.features.beats import Beats
from realtime.features.ecg import EcgFeatures
from realtime.features.hrv_spectrum import FREQUENCY_DOMAIN
from realtime.features.rpeaks import RPeakDetector
from realtime.rig import load_rig
from tests.realtime.features.heart import ecg_wave, filtered, read_signal
from tests.realtime.features.pulse import beat_times

RATE = 250.0
NAMES = [feature.name for feature in EcgFeatures.features]
NOT_IN_A_MINUTE = {
    *(f"HRV_{name}{minutes}" for name in ("SDANN", "SDNNI") for minutes in (1, 2, 5)),
    *(f"HRV_{name}" for name in ("ULF", "VLF", "MSE", "CMSE", "RCMSE")),
}


def window_of(
    raw: NDArray[np.float64],
    ecg: NDArray[np.float64],
    stop: int | None = None,
    rate: float = RATE,
    seconds: float = 60.0,
) -> Segment:
    stop = len(raw) if stop is None else stop
    start = max(0, stop - round(seconds * rate))
    return Segment(start, rate, raw[start:stop, None], ecg[start:stop, None])


def run(
    raw: NDArray[np.float64],
    ecg: NDArray[np.float64] | None = None,
    block: int | None = None,
    rate: float = RATE,
    seconds: float = 60.0,
) -> tuple[dict[str, float], float, bytes]:
    """Features, quality and bytes of the last window of a signal."""
    ecg = filtered(raw, rate) if ecg is None else ecg
    features = EcgFeatures(rate, 1, seconds)
    size = block or max(1, len(raw))
    for i in range(0, len(raw), size):
        rows = slice(i, i + size)
        features.update(Segment(i, rate, raw[rows, None], ecg[rows, None]))
    window = window_of(raw, ecg, rate=rate, seconds=seconds)
    vector = features.extract(window)
    return (
        dict(zip(NAMES, vector.tolist(), strict=True)),
        features.quality(window),
        vector.tobytes(),
    )


def wave(seconds: float = 70.0, interval: float = 0.8, rate: float = RATE) -> NDArray[np.float64]:
    clean = ecg_wave(beat_times(seconds, interval=interval), rate, seconds)
    return clean + 0.02 * np.random.default_rng(7).standard_normal(len(clean))


@pytest.mark.filterwarnings("ignore")
def test_the_73_features_of_the_chest_rig() -> None:
    rig = load_rig("chest")
    (settings,) = (m for m in rig.modalities if m.name == "ecg")
    assert feature_set(settings.features) is EcgFeatures
    assert len(NAMES) == len(set(NAMES)) == len(entries(settings)) == 73
    assert NAMES[:4] == ["ECG_Rate_Mean", "HRV_MeanNN", "HRV_SDNN", "HRV_SDANN1"]
    assert NAMES[-1] == "HRV_LZC"
    longer = {feature.name for feature in EcgFeatures.features if feature.seconds > 60.0}
    assert longer == NOT_IN_A_MINUTE
    assert len(NOT_IN_A_MINUTE) == 11
    # The names are NeuroKit2's, but for the multiscale entropies and the four companions of
    # DFA_alpha1: there, it renamed the former and redefined the latter in 0.2.
    known = neurokit2.hrv(np.cumsum(800 + np.arange(80) % 7), sampling_rate=1000)
    old = {n for n in NAMES if "MSE" in n or "DFA_alpha1_" in n}
    assert set(NAMES[1:]) - old <= set(known.columns)


@pytest.mark.parametrize("interval", [0.5, 0.8, 1.2])
def test_clean_wave(interval: float) -> None:
    true = beat_times(70, interval=interval)
    values, quality, _ = run(wave(interval=interval))
    intervals = np.diff(true[true > 10.0])
    assert values["ECG_Rate_Mean"] == pytest.approx(60 / intervals.mean(), rel=0.005)
    reference = hrv.time_domain(intervals)
    for name, share in (("MeanNN", 0.005), ("SDNN", 0.05), ("RMSSD", 0.05)):
        assert values[f"HRV_{name}"] == pytest.approx(reference[name], rel=share), name
    assert quality > 0.97
    assert values["HRV_HFn"] > values["HRV_LFn"], "the breathing at 0.25 Hz"
    missing = {name for name, value in values.items() if np.isnan(value)}
    assert missing == NOT_IN_A_MINUTE


@pytest.mark.parametrize("holes", [False, True])
def test_block_size_changes_no_byte(holes: bool) -> None:
    raw = wave(35.0, rate=130.0)
    ecg = filtered(raw, 130.0)
    ecg[:260] = np.nan
    if holes:
        for start in np.random.default_rng(5).integers(0, len(raw), 5):
            raw[start : start + 20] = ecg[start : start + 20] = np.nan
    results = [run(raw, ecg, block, rate=130.0, seconds=30.0) for block in (1, 7, 64, None)]
    assert np.isfinite(results[0][0]["HRV_RMSSD"])
    assert len({result[2] for result in results}) == 1
    assert len({result[1] for result in results}) == 1


def test_time_origin_and_sign_change_no_byte() -> None:
    raw = wave(60.0)
    ecg = filtered(raw, RATE)
    vectors = set()
    for origin, sign in ((0, 1), (250 * 86400 * 30 + 5, 1), (0, -1)):
        features = EcgFeatures(RATE, 1, 60.0)
        segment = Segment(origin, RATE, sign * raw[:, None], sign * ecg[:, None])
        features.update(segment)
        vectors.add(features.extract(segment).tobytes())
    assert len(vectors) == 1


def test_empty_block_and_empty_window() -> None:
    raw = wave()
    ecg = filtered(raw, RATE)
    features = EcgFeatures(RATE, 1, 60.0)
    empty = Segment(0, RATE, raw[:0, None], ecg[:0, None])
    features.update(empty)
    assert np.isnan(features.extract(empty)).all()
    assert features.quality(empty) == 0.0
    features.update(Segment(0, RATE, raw[:, None], ecg[:, None]))
    features.update(Segment(len(raw), RATE, raw[:0, None], ecg[:0, None]))
    assert features.extract(window_of(raw, ecg)).tobytes() == run(raw)[2]


def test_warm_up_gives_what_its_length_supports() -> None:
    values, _, _ = run(wave(45.0))
    here = ("ECG_Rate_Mean", "HRV_RMSSD", "HRV_SD1", "HRV_HF", "HRV_GI")
    assert np.isfinite([values[name] for name in here]).all()
    assert np.isnan([values[f"HRV_{name}"] for name in ("LF", "DFA_alpha1", "SampEn")]).all()
    values, _, _ = run(wave(12.0))
    assert values["ECG_Rate_Mean"] == pytest.approx(75, abs=2)
    assert np.isnan(values["HRV_RMSSD"])
    values, _, _ = run(wave(6.0))
    assert np.isnan(list(values.values())).all()


def test_longer_windows_have_more() -> None:
    values, _, _ = run(wave(320.0, rate=130.0), rate=130.0, seconds=300.0)
    assert np.isfinite([values[f"HRV_{name}"] for name in ("VLF", "SDANN1", "SDNNI1")]).all()
    assert np.isnan([values[f"HRV_{name}"] for name in ("ULF", "SDANN2", "MSE")]).all()


@pytest.mark.parametrize("level", [0.0, 1e5, np.nan])
def test_flat_or_missing_signal_gives_nothing(level: float) -> None:
    raw = np.full(round(90 * RATE), level)
    # What a filter makes of a constant is a long, tiny ringing, and then rounding.
    ringing = np.where(np.isnan(raw), raw, 1e-12 * wave(90.0))
    values, quality, _ = run(raw, ringing)
    assert np.isnan(list(values.values())).all()
    assert quality == 0.0


def test_rounding_of_a_flat_lead_is_no_heart() -> None:
    # A lead that is off, at its rail, resampled: the last bits move.
    raw = -1.5 * (1.0 + 1e-15 * np.random.default_rng(1).integers(-1, 2, round(90 * RATE)))
    values, quality, _ = run(raw, 1e-15 * wave(90.0))
    assert np.isnan(list(values.values())).all()
    assert quality == 0.0


def test_lead_that_comes_off_gives_no_beats_after() -> None:
    raw = wave(120.0)
    raw[round(70 * RATE) :] = 2.5
    ecg = filtered(raw, RATE) + 1e-12 * wave(120.0)
    values, quality, _ = run(raw, ecg)
    assert quality < 0.2
    # The 10 s of heart that are left.
    assert values["ECG_Rate_Mean"] == pytest.approx(75, abs=2)
    assert np.isnan(values["HRV_LF"])


def test_clipping_lowers_quality() -> None:
    # A drifting amplifier spends a third of the time at its limit.
    raw = wave() + 2.0 * np.sin(2 * np.pi * 0.05 * np.arange(round(70 * RATE)) / RATE)
    clipped = np.minimum(raw, 1.0)
    assert run(raw)[1] > 0.97
    assert run(clipped)[1] < 0.7


@pytest.mark.parametrize("seed", range(3))
def test_noise_is_no_heart(seed: int) -> None:
    noise = np.random.default_rng(seed).standard_normal(round(70 * RATE))
    assert run(noise)[1] < 0.3


def test_gap_costs_what_it_covers() -> None:
    raw = wave()
    ecg = filtered(raw, RATE)
    whole, clean, _ = run(raw, ecg)
    rows = slice(round(30 * RATE), round(36 * RATE))
    raw[rows] = ecg[rows] = np.nan
    values, quality, _ = run(raw, ecg)
    assert clean - 0.14 < quality < clean - 0.08
    for name, share in (("MeanNN", 0.01), ("SDNN", 0.15), ("RMSSD", 0.1), ("SampEn", 0.3)):
        assert values[f"HRV_{name}"] == pytest.approx(whole[f"HRV_{name}"], rel=share), name


def test_an_extra_beat_is_rejected() -> None:
    true = beat_times(70)
    ectopic = np.sort(np.append(true, true[40] + 0.35))
    values, _, _ = run(ecg_wave(ectopic, RATE, 70))
    reference, _, _ = run(ecg_wave(true, RATE, 70))
    for name in ("MeanNN", "SDNN", "RMSSD"):
        assert values[f"HRV_{name}"] == pytest.approx(reference[f"HRV_{name}"], rel=0.1), name


def test_rigs_that_it_cannot_serve_are_refused() -> None:
    (settings,) = (m for m in load_rig("chest").modalities if m.name == "ecg")
    with pytest.raises(InputError, match=r"'ecg'.*50\.0"):
        entries(dataclasses.replace(settings, rate=50.0))
    leads = settings.channels * 2
    with pytest.raises(InputError, match="one lead"):
        entries(dataclasses.replace(settings, channels=leads))
    with pytest.raises(ValueError, match="2 channels"):
        EcgFeatures(RATE, 2, 60.0)


RECORDINGS = (("S16", 53.0), ("ecg_1000hz", 50.0), ("bio_resting_8min_100hz", 60.0))


def described(name: str, seconds: float) -> tuple[dict[str, float], Beats, NDArray[np.float64]]:
    """Features of a recording's first window, its beats, and the filtered signal."""
    raw, rate = read_signal(name)
    ecg = filtered(raw, rate)
    features = EcgFeatures(rate, 1, seconds)
    rows = slice(0, round(seconds * rate))
    segment = Segment(0, rate, raw[rows, None], ecg[rows, None])
    features.update(segment)
    with np.errstate(all="ignore"):
        values = dict(zip(NAMES, features.compute(segment).tolist(), strict=True))
    detector = RPeakDetector(rate, seconds)
    detector.update(0, ecg[rows])
    return values, detector.beats(0, rows.stop), ecg[rows]


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(("name", "seconds"), RECORDINGS)
def test_indices_of_a_recording_are_neurokits_of_the_same_beats(name: str, seconds: float) -> None:
    values, beats, _ = described(name, seconds)
    assert np.isfinite(hrv.reject_artefacts(beats.intervals)).all()
    given = {"RRI": 1000 * beats.intervals, "RRI_Time": beats.times[1:]}
    reference = {
        **neurokit2.hrv_time(given).iloc[0],
        **neurokit2.hrv_frequency(given).iloc[0],
        **neurokit2.hrv_nonlinear(given).iloc[0],
    }
    # The intervals are finer than whole milliseconds, to which ours are rounded for this one.
    reference["HRV_ShanEn"] = neurokit2.entropy_shannon(np.rint(given["RRI"]))[0]
    compared = [n for n in NAMES[1:] if n not in NOT_IN_A_MINUTE and "alpha1_" not in n]
    assert len(compared) == 57
    for index in compared:
        # NeuroKit2 interpolates to 100 Hz before the spectrum, we to a little over 4 Hz.
        spectral = index.removeprefix("HRV_") in {*FREQUENCY_DOMAIN, "VHF"}
        share = 0.02 if spectral else 1e-6
        assert values[index] == pytest.approx(reference[index], rel=share), index


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(("name", "seconds"), RECORDINGS[:2])
def test_indices_are_those_of_neurokits_own_peaks(name: str, seconds: float) -> None:
    values, beats, ecg = described(name, seconds)
    rate = round(read_signal(name)[1])
    peaks = neurokit2.ecg_peaks(ecg, sampling_rate=rate)[1]["ECG_R_Peaks"]
    # Both ends of the window count among its peaks, or not, as they lie: compared from the first
    # that both have to the last.
    peaks = peaks[(peaks >= beats.times[0] * rate - 5) & (peaks <= beats.times[-1] * rate + 5)]
    assert len(peaks) == len(beats.times)
    heart_rate = neurokit2.ecg_rate(peaks, sampling_rate=rate, desired_length=len(ecg))
    reference = neurokit2.hrv_time(peaks, sampling_rate=rate).iloc[0]
    worst = abs(values["ECG_Rate_Mean"] / heart_rate[peaks[0] : peaks[-1]].mean() - 1)
    assert worst < 0.01
    for index in ("MeanNN", "SDNN", "RMSSD", "SDSD", "CVNN", "CVSD", "MedianNN", "MadNN", "MCVNN"):
        assert values[f"HRV_{index}"] == pytest.approx(reference[f"HRV_{index}"], rel=0.01), index
    reference = {
        **neurokit2.hrv_frequency(peaks, sampling_rate=rate).iloc[0],
        **neurokit2.hrv_nonlinear(peaks, sampling_rate=rate).iloc[0],
    }
    # Its peaks are whole samples. That moves what counts or orders intervals by whole steps (TINN,
    # PIP, PSS, PAS, PI, the entropies but for the fuzzy one, CD), or says of two nearly equal ones
    # which is longer (C2d and its like): those are compared on the same beats only.
    for index in (
        *("LF", "HF", "LFHF", "LFn", "HFn", "LnHF", "SD1", "SD2", "SD1SD2", "S", "CSI", "CVI"),
        *("CSI_Modified", "GI", "SI", "AI", "C1d", "C1a", "SD1d", "SD1a", "DFA_alpha1", "FuzzyEn"),
        *("HFD", "KFD"),
    ):
        assert values[f"HRV_{index}"] == pytest.approx(reference[f"HRV_{index}"], rel=0.02), index
