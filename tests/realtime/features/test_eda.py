"""Skin conductance features: known signals, NeuroKit2, real people, and invariances."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import signal

from realtime.features.base import Segment
from realtime.features.eda import REVERSAL, SETTLE, THRESHOLD, EdaFeatures
from tests.data import data_folder

RATE = 4.0
NAMES = [feature.name for feature in EdaFeatures.features]


def low_pass(raw: np.ndarray, rate: float = RATE) -> np.ndarray:
    sos = signal.butter(2, 1.0, fs=rate, output="sos")
    return signal.sosfilt(sos, raw, zi=signal.sosfilt_zi(sos) * raw[0])[0]


def segment(raw: np.ndarray, start: int = 0, stop: int | None = None) -> Segment:
    filtered = low_pass(raw)[:, None]
    rows = slice(start, stop)
    return Segment(start, RATE, raw[rows, None], filtered[rows])


def bateman(
    seconds: float, onsets: list[float], amplitude: float, rate: float = RATE
) -> np.ndarray:
    """Level of 2 uS with responses of known peak height (rise 0.75 s, decay 2 s)."""
    t = np.arange(int(seconds * rate)) / rate
    top = (np.log(2.0 / 0.75)) / (1 / 0.75 - 1 / 2.0)
    scale = np.exp(-top / 2.0) - np.exp(-top / 0.75)
    wave = np.full(len(t), 2.0)
    for onset in onsets:
        since = np.maximum(t - onset, 0.0)
        wave += amplitude * (np.exp(-since / 2.0) - np.exp(-since / 0.75)) / scale
    return wave


def values(features: EdaFeatures, window: Segment) -> dict[str, float]:
    return dict(zip(NAMES, features.extract(window).tolist(), strict=True))


def test_constant_level_has_no_responses_and_no_slope() -> None:
    features = EdaFeatures(RATE, 1, 60.0)
    whole = segment(np.full(240, 3.0))
    features.update(whole)
    got = values(features, whole)
    assert got["mean"] == got["min"] == got["max"] == got["tonic_mean"] == pytest.approx(3.0)
    assert got["log_mean"] == pytest.approx(np.log(4.0))
    assert got["scr_count"] == got["scr_rate"] == got["scr_amplitude_sum"] == 0.0
    for name in ("slope", "recent_slope", "tonic_slope", "phasic_mean", "std"):
        assert got[name] == pytest.approx(0.0, abs=1e-9)
    for name in ("scr_amplitude_mean", "scr_rise_mean", "scr_half_recovery_mean"):
        assert np.isnan(got[name])


def test_known_responses_are_found_with_their_times_and_sizes() -> None:
    onsets = [10.0, 22.0, 33.0, 47.0]
    raw = bateman(60.0, onsets, 0.4)
    features = EdaFeatures(RATE, 1, 60.0)
    whole = segment(raw)
    features.update(whole)
    got = values(features, whole)
    assert got["scr_count"] == 4
    assert got["scr_rate"] == pytest.approx(4 * 60 / (60 - SETTLE))
    found = [response.onset / RATE for response in features.responses]
    # The 1-Hz low-pass delays by about a quarter of a second.
    assert np.allclose(found, onsets, atol=0.75)
    assert got["scr_amplitude_mean"] == pytest.approx(0.4, rel=0.05)
    assert got["scr_amplitude_sum"] == pytest.approx(4 * got["scr_amplitude_mean"], rel=1e-5)
    assert 0.75 <= got["scr_rise_mean"] <= 2.0
    assert 0.75 <= got["scr_half_recovery_mean"] <= 3.0


def test_rises_below_the_threshold_are_no_responses() -> None:
    features = EdaFeatures(RATE, 1, 60.0)
    whole = segment(bateman(60.0, [10.0, 30.0], THRESHOLD / 2))
    features.update(whole)
    assert values(features, whole)["scr_count"] == 0


def test_a_response_is_unknown_before_its_peak_has_passed() -> None:
    raw = bateman(60.0, [20.0], 0.4)
    features = EdaFeatures(RATE, 1, 60.0)
    features.update(segment(raw, 0, 82))
    assert not features.responses
    features.update(segment(raw, 82, 100))
    assert len(features.responses) == 1


def test_responses_leave_with_the_window() -> None:
    raw = bateman(120.0, [10.0, 80.0], 0.4)
    features = EdaFeatures(RATE, 1, 60.0)
    features.update(segment(raw))
    got = values(features, segment(raw, 240, 480))
    assert got["scr_count"] == 1
    assert [round(r.onset / RATE) for r in features.responses] == [80]


def test_linear_rise_gives_its_slope() -> None:
    raw = 1.0 + 0.01 * np.arange(400) / RATE
    features = EdaFeatures(RATE, 1, 60.0)
    features.update(segment(raw))
    got = values(features, segment(raw, 160, 400))
    for name in ("slope", "recent_slope", "tonic_slope"):
        assert got[name] == pytest.approx(0.01, rel=0.01)


def noisy(seconds: float, seed: int = 3) -> np.ndarray:
    rng = np.random.default_rng(seed)
    onsets = np.sort(rng.uniform(0, seconds, int(seconds / 7))).tolist()
    return bateman(seconds, onsets, 0.2) + 0.003 * rng.standard_normal(int(seconds * RATE))


def with_gap(raw: np.ndarray) -> Segment:
    whole = segment(raw)
    filtered = whole.filtered.copy()
    filtered[300:330] = np.nan
    hidden = whole.raw.copy()
    hidden[300:326] = np.nan
    return Segment(0, RATE, hidden, filtered)


def test_every_window_is_the_same_for_any_blocks() -> None:
    whole = with_gap(noisy(150.0))

    def run(sizes: list[int]) -> list[bytes]:
        features, out, at, turn = EdaFeatures(RATE, 1, 60.0), [], 0, 0
        for end in range(40, 601, 20):
            while at < end:
                stop = min(at + sizes[turn % len(sizes)], end)
                turn += 1
                features.update(Segment(at, RATE, whole.raw[at:stop], whole.filtered[at:stop]))
                at = stop
            start = max(0, end - 240)
            rows = slice(start, end)
            out.append(
                features.extract(
                    Segment(start, RATE, whole.raw[rows], whole.filtered[rows])
                ).tobytes()
            )
        return out

    assert run([1]) == run([7, 2, 5]) == run([40])


def test_an_empty_block_changes_nothing() -> None:
    whole = segment(noisy(60.0))
    features = EdaFeatures(RATE, 1, 60.0)
    empty = np.empty((0, 1))
    features.update(Segment(0, RATE, whole.raw[:100], whole.filtered[:100]))
    features.update(Segment(100, RATE, empty, empty))
    features.update(Segment(100, RATE, whole.raw[100:], whole.filtered[100:]))
    once = EdaFeatures(RATE, 1, 60.0)
    once.update(whole)
    assert features.extract(whole).tobytes() == once.extract(whole).tobytes()


def test_time_origin_changes_nothing() -> None:
    whole = segment(noisy(60.0))
    moved = Segment(1_000_003, RATE, whole.raw, whole.filtered)
    here, there = EdaFeatures(RATE, 1, 60.0), EdaFeatures(RATE, 1, 60.0)
    here.update(whole)
    there.update(moved)
    assert here.extract(whole).tobytes() == there.extract(moved).tobytes()


def test_a_gap_hides_tonic_for_the_settling_time_and_nothing_more() -> None:
    whole = with_gap(noisy(150.0))
    features = EdaFeatures(RATE, 1, 60.0)
    features.update(whole)
    window = Segment(240, RATE, whole.raw[240:480], whole.filtered[240:480])
    missing = np.flatnonzero(
        np.isnan(EdaFeatures.tonic(features, Segment(360, RATE, *_rows(whole, 360, 600))))
    )
    assert len(missing) == 0
    again = EdaFeatures(RATE, 1, 60.0)
    again.update(Segment(0, RATE, whole.raw[:480], whole.filtered[:480]))
    hidden = np.flatnonzero(np.isnan(again.tonic(window))) + 240
    assert hidden.tolist() == list(range(300, 330 + round(SETTLE * RATE)))
    assert np.isfinite(again.extract(window)[NAMES.index("scr_rate")])


def _rows(whole: Segment, start: int, stop: int) -> tuple[np.ndarray, np.ndarray]:
    return whole.raw[start:stop], whole.filtered[start:stop]


def test_nothing_but_gaps_gives_nothing() -> None:
    blank = np.full((240, 1), np.nan)
    features = EdaFeatures(RATE, 1, 60.0)
    window = Segment(0, RATE, blank, blank)
    features.update(window)
    assert np.isnan(features.extract(window)).all()
    assert features.quality(window) == 0.0


def test_short_windows_hold_what_they_can() -> None:
    whole = segment(noisy(12.0))
    features = EdaFeatures(RATE, 1, 60.0)
    features.update(whole)
    got = values(features, whole)
    for name in ("mean", "phasic_std"):
        assert np.isfinite(got[name])
    for name in ("scr_count", "scr_rate", "tonic_slope"):
        assert np.isnan(got[name])


def test_quality_counts_out_of_range_flat_and_jumps() -> None:
    features = EdaFeatures(RATE, 1, 60.0)

    def quality(raw: np.ndarray) -> float:
        return features.quality(Segment(0, RATE, raw[:, None], raw[:, None]))

    clean = noisy(60.0)
    assert quality(clean) == 1.0
    unplugged = clean.copy()
    unplugged[:60] = 0.0
    assert quality(unplugged) == pytest.approx(0.75, abs=0.02)
    flat = clean.copy()
    flat[100:160] = 2.5
    assert quality(flat) == pytest.approx(0.75, abs=0.02)
    jumps = clean.copy()
    jumps[[50, 150]] += 9.0
    assert quality(jumps) == pytest.approx(1 - 6 / 240)
    assert quality(np.full(240, 150.0)) == 0.0


def test_blocks_out_of_order_are_refused() -> None:
    features = EdaFeatures(RATE, 1, 60.0)
    whole = segment(noisy(60.0))
    features.update(Segment(0, RATE, whole.raw[:10], whole.filtered[:10]))
    with pytest.raises(ValueError, match="starts at row 12, needs 10"):
        features.update(Segment(12, RATE, whole.raw[12:20], whole.filtered[12:20]))


def real_eda(name: str) -> np.ndarray:
    folder = data_folder("biosignal")
    if name == "biosppy":
        # 12-bit BITalino counts to uS by its data sheet: counts / 4096 * 3.3 / 0.12.
        raw = np.loadtxt(folder / "biosppy__eda.txt") / 4096 * 3.3 / 0.12
        return signal.resample_poly(raw, 1, 250)
    raw = np.genfromtxt(folder / f"neurokit__bio_{name}_100hz.csv", delimiter=",", names=True)[
        "EDA"
    ]
    return signal.resample_poly(raw, 1, 25)


@pytest.mark.parametrize(("name", "count"), [("biosppy", 6), ("eventrelated", 10)])
def test_neurokit_finds_the_same_peaks_on_the_same_signal(name: str, count: int) -> None:
    """NeuroKit2 finds exactly our responses, with the same amplitudes and rise times."""
    nk = pytest.importorskip("neurokit2")
    raw = real_eda(name)
    features = EdaFeatures(RATE, 1, 1e4)
    whole = segment(raw)
    features.update(whole)
    first = round(SETTLE * RATE)
    level = whole.filtered[first:, 0]
    phasic = level - features.tonic(whole)[first:]
    searched = np.append(0.0, np.minimum(np.diff(phasic), np.diff(level)).cumsum())
    _, info = nk.eda_peaks(searched, sampling_rate=4, method="neurokit", amplitude_min=0.0)
    ours = {response.peak - first: response for response in features.responses}
    theirs = {
        int(peak): (float(amplitude), float(rise))
        for peak, amplitude, rise in zip(
            info["SCR_Peaks"], info["SCR_Amplitude"], info["SCR_RiseTime"], strict=True
        )
        if amplitude >= THRESHOLD
    }
    assert len(ours) == count
    assert set(theirs) == set(ours)
    for peak, (amplitude, rise) in theirs.items():
        response = ours[peak]
        assert response.amplitude == pytest.approx(amplitude, abs=REVERSAL)
        assert (response.peak - response.onset) / RATE == pytest.approx(rise)


def test_stress_of_real_people_raises_the_response_rate() -> None:
    """WESAD, first minutes of each condition: more SCRs a minute under stress than at rest."""
    folder = data_folder("wesad_wrist")
    rows = np.genfromtxt(
        folder / "segments.csv", delimiter=",", names=True, dtype=None, encoding="utf-8"
    )
    rates: dict[tuple[str, str], float] = {}
    for row in rows:
        subject, condition = str(row["subject"]), str(row["condition"])
        if subject not in ("S2", "S7", "S15") or condition not in ("Base", "TSST"):
            continue
        raw = np.loadtxt(folder / subject / f"{subject}_E4_Data" / "EDA.csv", skiprows=2)
        start = int(float(row["e4_start_s"]) * RATE)
        stop = start + 8 * 240
        features = EdaFeatures(RATE, 1, 480.0)
        filtered = low_pass(raw)[:, None]
        window = Segment(start, RATE, raw[start:stop, None], filtered[start:stop])
        features.update(window)
        rates[subject, condition] = float(features.extract(window)[NAMES.index("scr_rate")])
        assert features.quality(window) == 1.0
    for subject in ("S2", "S7", "S15"):
        assert rates[subject, "TSST"] > 1.2 * rates[subject, "Base"]
