"""Muscle activity: known signals, scipy and NeuroKit2 on the same signal, invariances."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
from scipy import signal

from realtime.errors import InputError
from realtime.features.base import Segment
from realtime.features.emg import ENVELOPE, EmgFeatures
from realtime.filters import CausalFilter, design
from realtime.rig import load_rig
from tests.data import data_folder

RIG = load_rig("chest").modality("emg")
RATE = RIG.rate
NAMES = [feature.name for feature in EmgFeatures.features]
SPECTRAL = ("EMG_Frequency_Mean", "EMG_Frequency_Median", "EMG_Frequency_Peak", "EMG_Energy")


def band_pass(raw: np.ndarray) -> np.ndarray:
    return CausalFilter(RIG.filter, RATE, 1).apply(np.arange(len(raw)), raw[:, None])[:, 0]


def contractions(onsets: list[float], seconds: float = 60.0, seed: int = 1) -> np.ndarray:
    """Muscle noise of 0.02 mV that rises tenfold for 1.5 s at each onset."""
    rng = np.random.default_rng(seed)
    t = np.arange(round(seconds * RATE)) / RATE
    gain = np.full(len(t), 0.02)
    for onset in onsets:
        gain += 0.2 * np.sin(np.pi * np.clip((t - onset) / 1.5, 0.0, 1.0)) ** 2
    return gain * rng.standard_normal(len(t))


def segment(raw: np.ndarray, filtered: np.ndarray | None = None, start: int = 0) -> Segment:
    filtered = band_pass(raw) if filtered is None else filtered
    return Segment(start, RATE, raw[:, None], filtered[:, None])


def values(whole: Segment) -> dict[str, float]:
    features = EmgFeatures.for_modality(RIG)
    features.update(whole)
    return dict(zip(NAMES, features.extract(whole).tolist(), strict=True))


def settled(raw: np.ndarray) -> np.ndarray:
    """The filter's output over 60 s, after its settling."""
    return band_pass(np.concatenate([raw[: round(RATE)], raw]))[round(RATE) :]


def test_amplitude_entries_are_those_of_numpy() -> None:
    x = settled(contractions([5.0, 20.0, 44.0])) + 0.003
    got = values(segment(x, x))
    assert got["EMG_Mean"] == pytest.approx(x.mean(), rel=1e-5)
    assert got["EMG_SD"] == pytest.approx(x.std(), rel=1e-5)
    assert got["EMG_Range"] == pytest.approx(np.ptp(x), rel=1e-5)
    assert got["EMG_Integral"] == pytest.approx(np.abs(x).sum() / RATE, rel=1e-5)
    assert got["EMG_Median"] == pytest.approx(np.median(x), rel=1e-6)


@pytest.mark.parametrize("n", [7_001, 42_000])
@pytest.mark.parametrize("kind", ["normal", "exponential", "two values", "outlier"])
def test_the_median_is_exact_for_any_distribution(kind: str, n: int) -> None:
    rng = np.random.default_rng(2)
    x = {
        "normal": rng.standard_normal(n),
        "exponential": rng.exponential(size=n) - 5,
        "two values": rng.integers(0, 2, n).astype(float),
        "outlier": np.append(rng.standard_normal(n - 1), 1e6),
    }[kind]
    got = values(segment(x, x))["EMG_Median"]
    assert got == np.float32(np.median(x))
    # Every 16th value is not like the others.
    x[::16] += 50.0
    assert values(segment(x, x))["EMG_Median"] == np.float32(np.median(x))


def test_spectral_entries_are_those_of_scipys_welch() -> None:
    x = settled(contractions([5.0, 20.0, 44.0]))
    got = values(segment(x, x))
    frequencies, density = signal.welch(
        x, RATE, window="hann", nperseg=700, noverlap=0, detrend=False
    )
    total = density.sum()
    assert got["EMG_Frequency_Mean"] == pytest.approx((frequencies * density).sum() / total)
    assert got["EMG_Frequency_Peak"] == frequencies[density.argmax()]
    assert got["EMG_Energy"] == pytest.approx(total * 60.0, rel=1e-5)
    edges = np.arange(len(density) + 1) - 0.5
    half = np.interp(total / 2, np.append(0.0, np.cumsum(density)), edges)
    assert got["EMG_Frequency_Median"] == pytest.approx(half, rel=1e-5)
    # Parseval: the energy is the mean square times the window's length.
    assert got["EMG_Energy"] == pytest.approx((x**2).mean() * 60.0, rel=0.02)


def test_energy_agrees_with_neurokit_on_the_same_signal() -> None:
    """NeuroKit2 integrates its own Welch spectrum over the band (`signal_power`)."""
    nk = pytest.importorskip("neurokit2")
    x = settled(contractions([5.0, 20.0, 44.0]))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        power = nk.signal_power(
            x, frequency_band=[(0.5, 349.5)], sampling_rate=700, method="welch", normalize=False
        )
    theirs = float(power.iloc[0, 0]) * 60.0
    assert values(segment(x, x))["EMG_Energy"] == pytest.approx(theirs, rel=0.03)


def test_frequencies_of_band_limited_noise_are_known() -> None:
    """White noise between 100 and 200 Hz: mean and median frequency 150 Hz."""
    rng = np.random.default_rng(3)
    sos = signal.butter(20, [100.0, 200.0], "bandpass", fs=RATE, output="sos")
    x = signal.sosfilt(sos, rng.standard_normal(43_000))[1000:]
    got = values(segment(x, x))
    assert got["EMG_Frequency_Mean"] == pytest.approx(150.0, abs=1.5)
    assert got["EMG_Frequency_Median"] == pytest.approx(150.0, abs=1.5)
    tone = np.sin(2 * np.pi * 80.0 * np.arange(42_000) / RATE)
    assert values(segment(tone, tone))["EMG_Frequency_Peak"] == 80.0


def test_every_contraction_is_one_peak() -> None:
    got = values(segment(contractions([5.0, 12.0, 20.0, 31.0, 50.0])))
    assert got["EMG_Peaks_N"] == 5
    # The mean of the modulus of a normal variable is 0.8 of its deviation; the low-passes of
    # 300 Hz and 5 Hz take their part.
    assert 0.1 < got["EMG_Peaks_Amplitude_Mean"] < 0.2
    assert got["EMG_Peaks_Amplitude_SD"] < 0.3 * got["EMG_Peaks_Amplitude_Mean"]
    total = 5 * got["EMG_Peaks_Amplitude_Mean"]
    assert got["EMG_Peaks_Amplitude_Sum"] == pytest.approx(total, rel=1e-5)
    covered = 60.0 - RIG.filter.settle - ENVELOPE.settle
    assert got["EMG_Peaks_Amplitude_SumNorm"] == pytest.approx(total / covered, rel=1e-3)


@pytest.mark.parametrize("seed", range(4))
def test_steady_activity_has_no_peak(seed: int) -> None:
    got = values(segment(contractions([], seed=seed)))
    assert got["EMG_Peaks_N"] == got["EMG_Peaks_Amplitude_Sum"] == 0
    assert got["EMG_Peaks_Amplitude_SumNorm"] == 0
    assert np.isnan(got["EMG_Peaks_Amplitude_Mean"])
    assert np.isnan(got["EMG_Peaks_Amplitude_SD"])


def test_neurokit_sees_the_same_contractions() -> None:
    """On NeuroKit2's own simulated EMG: as many bursts as it made, each in one of ours' peaks."""
    nk = pytest.importorskip("neurokit2")
    raw = nk.emg_simulate(
        duration=60, sampling_rate=700, burst_number=5, burst_duration=1.5, random_state=4
    )
    x = band_pass(raw)
    features = EmgFeatures.for_modality(RIG)
    whole = segment(raw, x)
    features.update(whole)
    heights = features.peaks(features.envelope(whole))
    assert len(heights) == 5
    amplitude = nk.emg_amplitude(np.nan_to_num(x))
    _, info = nk.emg_activation(
        emg_amplitude=amplitude, sampling_rate=700, method="threshold", duration_min=0.5
    )
    assert len(info["EMG_Onsets"]) == len(heights), f"NeuroKit2 has {len(info['EMG_Onsets'])}"


def test_the_envelope_follows_the_mean_of_the_modulus() -> None:
    x = settled(contractions([]))
    features = EmgFeatures.for_modality(RIG)
    whole = segment(x, x)
    features.update(whole)
    envelope = features.envelope(whole)
    assert len(envelope) == 1500
    sos = design(ENVELOPE, RATE)
    want = signal.sosfilt(sos, np.abs(x), zi=signal.sosfilt_zi(sos) * abs(x[0]))[0][::28]
    assert np.isnan(envelope[:8]).all()
    np.testing.assert_allclose(envelope[8:], want[8:], rtol=1e-9)


def holed(seconds: float = 90.0) -> Segment:
    raw = contractions([4.0, 20.0, 33.0, 48.0, 66.0, 80.0], seconds)
    raw[20_000:20_050] = np.nan
    raw[30_000:31_500] = np.nan
    return segment(raw)


def test_every_window_is_the_same_for_any_blocks() -> None:
    whole = holed()

    def run(sizes: list[int]) -> list[bytes]:
        features, out, at, turn = EmgFeatures.for_modality(RIG), [], 0, 0
        for end in range(28_000, 63_001, 5_000):
            while at < end:
                stop = min(at + sizes[turn % len(sizes)], end)
                turn += 1
                features.update(Segment(at, RATE, whole.raw[at:stop], whole.filtered[at:stop]))
                at = stop
            start = max(0, end - 42_000)
            part = Segment(start, RATE, whole.raw[start:end], whole.filtered[start:end])
            out.append(features.extract(part).tobytes())
        return out

    assert run([5_000]) == run([1, 27, 28, 29, 700]) == run([37])


def test_one_sample_at_a_time_and_empty_blocks_change_nothing() -> None:
    whole = segment(contractions([3.0], 10.0))
    once, piecewise = EmgFeatures(RATE, 1, 10.0), EmgFeatures(RATE, 1, 10.0)
    once.update(whole)
    empty = np.empty((0, 1))
    piecewise.update(Segment(0, RATE, empty, empty))
    for at in range(7_000):
        piecewise.update(Segment(at, RATE, whole.raw[at : at + 1], whole.filtered[at : at + 1]))
    piecewise.update(Segment(7_000, RATE, empty, empty))
    assert piecewise.extract(whole).tobytes() == once.extract(whole).tobytes()
    assert np.isfinite(once.extract(whole)).all()


def test_samples_that_come_late_are_not_lost() -> None:
    """A window that goes out without its last second leaves nothing behind in the next one."""
    raw = contractions([4.0, 30.0], 61.0)
    whole = segment(raw)
    late, once = EmgFeatures.for_modality(RIG), EmgFeatures.for_modality(RIG)
    n = 42_000
    lagging = whole.filtered.copy()
    lagging[n - 900 :] = np.nan
    late.update(Segment(0, RATE, whole.raw[: n - 900], lagging[: n - 900]))
    late.extract(Segment(0, RATE, whole.raw[:n], lagging[:n]))
    rest = Segment(n - 900, RATE, whole.raw[n - 900 :], whole.filtered[n - 900 :])
    late.update(rest)
    once.update(whole)
    window = Segment(700, RATE, whole.raw[700:], whole.filtered[700:])
    assert late.extract(window).tobytes() == once.extract(window).tobytes()


def test_time_origin_changes_nothing() -> None:
    raw = contractions([4.0, 30.0])
    whole = segment(raw)
    moved = Segment(1_000_003, RATE, whole.raw, whole.filtered)
    here, there = EmgFeatures.for_modality(RIG), EmgFeatures.for_modality(RIG)
    here.update(whole)
    there.update(moved)
    assert here.extract(whole).tobytes() == there.extract(moved).tobytes()


def test_holes_are_left_out() -> None:
    x = settled(contractions([5.0, 20.0, 44.0]))
    whole = values(segment(x, x))
    part = x.copy()
    part[30_000:31_500] = np.nan  # 0.15 s after the third contraction began
    got = values(segment(part, part))
    assert got["EMG_SD"] == pytest.approx(np.nanstd(part), rel=1e-5)
    assert got["EMG_Integral"] == pytest.approx(60 * np.nanmean(np.abs(part)), rel=1e-5)
    rows = part.reshape(60, 700)
    kept = rows[np.isfinite(rows).all(axis=1)]
    _, density = signal.welch(kept.ravel(), RATE, nperseg=700, noverlap=0, detrend=False)
    assert got["EMG_Energy"] == pytest.approx(density.sum() * 60.0, rel=1e-5)
    assert whole["EMG_Peaks_N"] == 3


def test_a_window_that_is_not_full_counts_no_peaks() -> None:
    got = values(segment(contractions([5.0], 20.0)))
    for name in ("EMG_Peaks_N", "EMG_Peaks_Amplitude_Sum"):
        assert np.isnan(got[name])
    assert got["EMG_Peaks_Amplitude_Mean"] > 0.1
    short = values(segment(contractions([0.5], 3.0)))
    assert np.isfinite(short["EMG_SD"])
    assert all(np.isnan(short[name]) for name in SPECTRAL)


def test_nothing_gives_nothing_and_silence_has_no_spectrum() -> None:
    blank = np.full(42_000, np.nan)
    assert all(np.isnan(value) for value in values(segment(blank, blank)).values())
    silent = values(segment(np.zeros(42_000), np.zeros(42_000)))
    assert silent["EMG_SD"] == silent["EMG_Energy"] == silent["EMG_Peaks_N"] == 0
    for name in SPECTRAL[:3]:
        assert np.isnan(silent[name])
    features = EmgFeatures.for_modality(RIG)
    assert features.quality(segment(blank, blank)) == 0.0
    assert features.quality(segment(blank[:0], blank[:0])) == 0.0


def test_quality_knows_holes_flat_lines_and_clipping() -> None:
    features = EmgFeatures.for_modality(RIG)

    def quality(raw: np.ndarray) -> float:
        return features.quality(segment(raw, raw))

    raw = contractions([5.0, 20.0])
    assert quality(raw) == 1.0
    holes = raw.copy()
    holes[:10_500] = np.nan
    assert quality(holes) == pytest.approx(0.75)
    flat = raw.copy()
    flat[10_500:] = 0.01
    assert quality(flat) == pytest.approx(0.25, abs=0.01)
    tone = 2.0 * np.sin(2 * np.pi * 20.0 * np.arange(42_000) / RATE)
    clipped = np.clip(tone, -1.0, 1.0)
    # Two thirds of it lie beyond the rails; the first of each stretch of a dozen counts as good.
    assert quality(clipped) == pytest.approx(1 / 3 + 2 / 35, abs=0.03)


def test_what_it_cannot_serve_is_refused() -> None:
    with pytest.raises(InputError, match="EMG with 2 channels: name one"):
        EmgFeatures(RATE, 2, 60.0)
    with pytest.raises(InputError, match="EMG at 50.0 Hz: set a rate above 50 Hz"):
        EmgFeatures(50.0, 1, 60.0)
    features = EmgFeatures.for_modality(RIG)
    whole = segment(contractions([], 2.0))
    features.update(whole)
    with pytest.raises(ValueError, match="starts at row 0, needs 1400"):
        features.update(whole)


def test_real_contractions_are_counted() -> None:
    """BioSPPy's EMG, near its converter's noise: one weak contraction of 7 s, and a twitch."""
    raw = np.loadtxt(data_folder("biosignal") / "biosppy__emg.txt")
    raw = signal.resample_poly(raw - raw.mean(), 7, 10)
    x = band_pass(raw)
    features = EmgFeatures(RATE, 1, len(raw) / RATE)
    whole = segment(raw, x)
    features.update(whole)
    envelope = features.envelope(whole)
    found = np.flatnonzero(np.isin(envelope, features.peaks(envelope))) / 25.0
    power = np.nan_to_num(x[: len(x) // 175 * 175]).reshape(-1, 175).std(axis=1)
    loud = np.flatnonzero(power > 2 * np.median(power)) / 4.0
    assert len(found) == 2, f"peaks at {found} s"
    for time in found:
        assert np.abs(loud - time).min() < 0.5, f"peak at {time} s, loud at {loud} s"
    for time in loud:
        assert np.abs(found - time).min() < 5.5, f"loud at {time} s, peaks at {found} s"


def test_a_real_chest_at_rest_has_no_contraction() -> None:
    """WESAD S16, RespiBAN: 53 s at rest."""
    raw = np.load(data_folder("chest") / "S16_chest_excerpt.npz")["EMG"][:, 0]
    whole = segment(raw)
    got = values(whole)
    assert got["EMG_Peaks_Amplitude_SumNorm"] == 0
    assert 20 < got["EMG_Frequency_Median"] < 300
    assert EmgFeatures.for_modality(RIG).quality(whole) > 0.99
