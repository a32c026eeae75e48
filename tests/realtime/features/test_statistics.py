"""Statistics of pulse wave and skin conductance: the formulas, holes, quality."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import signal

from realtime.features.base import Segment
from realtime.features.statistics import GsrStatistics, PpgStatistics, SignalStatistics
from realtime.rig import load_rig
from tests.data import data_folder

DMER = load_rig("dmer")
PPG = PpgStatistics.for_modality(DMER.modality("ppg"))
GSR = GsrStatistics.for_modality(DMER.modality("gsr"))


def window(features: SignalStatistics, x: np.ndarray, start: int = 0) -> Segment:
    return Segment(start, features.rate, x[:, None], x[:, None])


def values(features: SignalStatistics, x: np.ndarray) -> dict[str, float]:
    got = features.extract(window(features, x)).tolist()
    return dict(zip([f.name for f in features.features], got, strict=True))


def expected(x: np.ndarray) -> dict[str, float]:
    """The definition, in plain numpy, for a window without holes."""
    out = {}
    for name, series in (("x", x), ("dx", np.diff(x)), ("ddx", np.diff(x, 2))):
        out[f"{name}_median"] = np.median(series)
        out[f"{name}_mean"] = np.mean(series)
        out[f"{name}_std"] = np.std(series)
        out[f"{name}_min"] = np.min(series)
        out[f"{name}_max"] = np.max(series)
        out[f"{name}_min_share"] = np.mean(series == series.min())
        out[f"{name}_max_share"] = np.mean(series == series.max())
    modulus = np.abs(np.fft.fft(x))
    out["fft_median"] = np.median(modulus)
    out["fft_mean"] = np.mean(modulus)
    out["fft_std"] = np.std(modulus)
    out["fft_min"] = np.min(modulus)
    out["fft_max"] = np.max(modulus)
    out["fft_range"] = np.ptp(modulus)
    return out


@pytest.mark.parametrize("n", [500, 501])
def test_the_27_of_a_pulse_wave_are_those_of_the_definition(n: int) -> None:
    x = np.random.default_rng(1).standard_normal(n) * 30
    features = PpgStatistics(n / 5, 1, 5.0)
    got = values(features, x)
    want = expected(x)
    assert list(got) == list(want)
    assert len(got) == 27
    for name in want:
        assert got[name] == pytest.approx(want[name], rel=1e-6, abs=1e-6), name


@pytest.mark.parametrize(("rate", "n"), [(4.0, 20), (4.2, 21), (100.0, 500), (128.0, 640)])
def test_the_28_of_skin_conductance_end_in_the_mean_of_scipys_welch_spectrum(
    rate: float, n: int
) -> None:
    x = 2.0 + np.random.default_rng(2).standard_normal(n).cumsum() * 0.01
    got = values(GsrStatistics(rate, 1, n / rate), x)
    want = expected(x)
    _, density = signal.welch(x, rate, nperseg=min(256, n))
    want["psd_mean"] = density.mean()
    assert list(got) == list(want)
    assert len(got) == 28
    for name in want:
        assert got[name] == pytest.approx(want[name], rel=1e-5, abs=1e-8), name


def test_shares_count_every_sample_at_the_edge() -> None:
    x = np.tile([3.0, 1.0, 2.0, 1.0, 0.0], 100)
    got = values(PPG, x)
    assert got["x_min_share"] == pytest.approx(0.2)
    assert got["x_max_share"] == pytest.approx(0.2)
    # Steps run -2, 1, -1, -1, 3 over and over; the last of them needs a sample after the window.
    assert got["dx_min_share"] == pytest.approx(100 / 499)
    assert got["dx_max_share"] == pytest.approx(99 / 499)


def test_differences_reach_across_no_hole() -> None:
    x = np.arange(500.0)
    x[100:] += 1000.0
    x[100:130] = np.nan
    got = values(PPG, x)
    assert got["dx_min"] == got["dx_max"] == 1.0
    assert got["ddx_min"] == got["ddx_max"] == 0.0
    assert got["x_mean"] == pytest.approx(np.nanmean(x))
    assert got["x_min_share"] == pytest.approx(1 / 470)


def test_a_short_hole_is_bridged_for_the_spectrum_a_long_one_hides_it() -> None:
    rng = np.random.default_rng(3)
    x = rng.standard_normal(500)
    x[[0, 499]] = np.nan
    x[200:250] = np.nan
    filled = np.interp(np.arange(500), np.flatnonzero(x == x), x[x == x])
    got = values(PPG, x)
    want = expected(filled)
    for name in want:
        if name.startswith("fft"):
            assert got[name] == pytest.approx(want[name], rel=1e-5), name
    x[250] = np.nan
    got = values(PPG, x)
    assert all(np.isnan(got[name]) == name.startswith("fft") for name in got)
    gsr = np.linspace(1, 2, 20)
    gsr[5:7] = np.nan
    assert np.isfinite(list(values(GSR, gsr).values())).all()
    gsr[7] = np.nan
    assert np.isnan(values(GSR, gsr)["psd_mean"])


def test_a_window_that_is_not_full_has_no_spectrum() -> None:
    x = np.random.default_rng(4).standard_normal(499)
    got = values(PPG, x)
    assert all(np.isnan(got[name]) == name.startswith("fft") for name in got)
    assert np.isnan(values(PPG, x[:50])["x_mean"])


def test_nothing_gives_nothing() -> None:
    for features in (PPG, GSR):
        for n in (0, 1, round(5 * features.rate)):
            blank = np.full(n, np.nan)
            assert np.isnan(features.extract(window(features, blank))).all()
            assert features.quality(window(features, blank)) == 0.0
    # A window that is no longer than a hole that would be bridged.
    brief = PpgStatistics(DMER.modality("ppg").rate, 1, 0.2)
    assert np.isnan(brief.extract(window(brief, np.full(round(0.2 * brief.rate), np.nan)))).all()


def test_time_origin_and_memory_layout_change_nothing() -> None:
    x = np.random.default_rng(5).standard_normal(500)
    once = PPG.extract(window(PPG, x)).tobytes()
    assert PPG.extract(window(PPG, x, start=7_000_001)).tobytes() == once
    cells = np.column_stack([x, x, x])[:, 1:2]
    assert PPG.extract(Segment(0, 100.0, cells, cells)).tobytes() == once


def test_quality_of_a_pulse_wave_knows_holes_flat_lines_and_clipping() -> None:
    rng = np.random.default_rng(6)
    wave = np.sin(2 * np.pi * 1.2 * np.arange(500) / 100) + 0.01 * rng.standard_normal(500)

    def quality(x: np.ndarray) -> float:
        return PPG.quality(window(PPG, x))

    assert quality(wave) == 1.0
    holes = wave.copy()
    holes[:125] = np.nan
    assert quality(holes) == pytest.approx(0.75)
    flat = wave.copy()
    flat[300:400] = 0.5
    assert quality(flat) == pytest.approx(0.8)
    clipped = np.clip(wave, -0.8, 0.8)
    assert quality(clipped) == pytest.approx(1 - np.mean(np.abs(wave) >= 0.8), abs=0.02)
    assert quality(np.zeros(500)) == 0.0


def test_quality_of_skin_conductance_knows_its_range() -> None:
    level = 2.0 + 0.01 * np.random.default_rng(7).standard_normal(20)
    assert GSR.quality(window(GSR, level)) == 1.0
    assert GSR.quality(window(GSR, 1000 * level)) == 0.0
    assert GSR.quality(window(GSR, np.full(20, 2.0))) == 0.0


def test_two_channels_are_refused() -> None:
    with pytest.raises(ValueError, match="ppg_statistics with 2 channels: needs 1"):
        PpgStatistics(100.0, 2, 5.0)


def test_a_real_pulse_shows_in_its_spectrum() -> None:
    """BioSPPy's PPG, 95 beats a minute: the largest line carries more than noise could."""
    raw = np.loadtxt(data_folder("biosignal") / "biosppy__ppg.txt")
    x = signal.resample_poly(raw, 1, 10)
    sos = signal.butter(2, [0.01, 49.0], "bandpass", fs=100, output="sos")
    filtered, _ = signal.sosfilt(sos, x, zi=signal.sosfilt_zi(sos) * x[0])
    got = values(PPG, filtered[1000:1500])
    assert np.isfinite(list(got.values())).all()
    ratio = got["fft_max"] / got["fft_median"]
    assert ratio > 50, f"largest line is {ratio:.0f} times the median one"
