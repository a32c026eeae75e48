"""Differential entropy of EEG: theory, scipy, real rhythms, missing electrodes."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest
from scipy.signal import periodogram, welch

from realtime.errors import InputError
from realtime.features import entries, feature_set
from realtime.features.base import Segment
from realtime.features.eeg import BANDS
from realtime.files import open_recording
from realtime.offline import windows_of
from realtime.recording import RecordedStream, Recording, StreamInfo
from realtime.rig import load_rig, parse_rig
from tests.data import data_folder

DMER = load_rig("dmer")
EEG = DMER.modality("eeg")
RATE = 300

RIG = """
name = "lab"
description = "one electrode"
hop = 1.0
warm_up = 10.0
lateness = 1.5
[modalities.eeg]
role = "primary"
features = "eeg"
types = ["EEG"]
channels = { E1 = ["EEG"] }
unit = "uV"
rate = 125.0
rate_range = [120.0, 130.0]
window = 1.0
filter = { low = 1.0, high = 50.0, settle = 2.0 }
[modalities.eeg.options]
reference = "none"
"""


def with_options(settings=EEG, **options):
    return dataclasses.replace(settings, options=tuple(sorted(options.items())))


def built(settings=EEG):
    return feature_set("eeg").for_modality(settings)


def segment(samples, rate=float(RATE)):
    """Return samples that the filter has passed unchanged."""
    return Segment(0, rate, samples, samples)


def by_name(features, vector):
    return {f.name: float(v) for f, v in zip(features.features, vector, strict=True)}


def noise(seconds=1, channels=18, sigma=10.0, seed=0):
    return np.random.default_rng(seed).normal(0, sigma, (seconds * RATE, channels))


def test_names_of_the_dmer_rig():
    names = [feature.name for feature in entries(EEG)]
    assert len(names) == 90 == len(set(names))
    assert names[:6] == [
        "Fp1.delta",
        "Fp1.theta",
        "Fp1.alpha",
        "Fp1.beta",
        "Fp1.gamma",
        "Fp2.delta",
    ]
    assert names[-1] == "O2.gamma"
    assert {f.seconds for f in entries(EEG)} == {1.0}


@pytest.mark.parametrize("bands", ["duan", "emotiondict"])
def test_white_noise_has_the_entropy_of_theory(bands):
    """Of σ² = 100 µV² white noise, a band of K lines holds 2 σ² K / rate.

    One second's power scatters like a χ² of few degrees of freedom, so that the mean of its
    logarithm lies below the logarithm of its mean (by 0.1 to 0.3 in the narrow bands). Theory is
    about the power: powers are averaged over 400 s × 18 channels, then turned into an entropy.
    """
    features = built(with_options(bands=bands, reference="none"))
    samples = noise(400)
    vectors = [features.compute(segment(second)) for second in np.split(samples, 400)]
    entropy = np.array(vectors).reshape(400, 18, 5)
    power = np.exp(2 * entropy).mean(axis=(0, 1)) / (2 * np.pi * np.e)
    measured = 0.5 * np.log(2 * np.pi * np.e * power)
    lines = np.array([high - low + 1 for low, high in BANDS[bands].values()])
    theory = 0.5 * np.log(2 * np.pi * np.e * 100.0 * 2 * lines / RATE)
    np.testing.assert_allclose(measured, theory, atol=0.02)
    assert (entropy.mean(axis=(0, 1)) < measured).all()


@pytest.mark.parametrize("rate", [128, 250, 256, 300, 500])
def test_bands_are_those_of_scipy(rate):
    settings = dataclasses.replace(with_options(reference="none"), rate=float(rate))
    samples = np.random.default_rng(rate).normal(0, 10, (rate, 18))
    vector = built(settings).compute(segment(samples, float(rate))).reshape(18, 5)
    frequencies, density = periodogram(samples.T, rate, "hann", detrend=False)
    for band, (low, high) in enumerate([(1, 3), (4, 7), (8, 13), (14, 30), (31, 50)]):
        inside = (frequencies >= low) & (frequencies <= high)
        power = density[:, inside].sum(axis=1)
        np.testing.assert_allclose(vector[:, band], 0.5 * np.log(2 * np.pi * np.e * power))


def test_longer_windows_average_seconds():
    settings = dataclasses.replace(with_options(reference="none"), window=4.0)
    samples = noise(4)
    vector = built(settings).compute(segment(samples)).reshape(18, 5)
    _, density = welch(samples.T, RATE, "hann", RATE, RATE // 2, detrend=False)
    power = density[:, 8:14].sum(axis=1)
    np.testing.assert_allclose(vector[:, 2], 0.5 * np.log(2 * np.pi * np.e * power))


def test_a_lost_sample_costs_its_seconds_only():
    settings = dataclasses.replace(EEG, window=4.0)
    samples = noise(4)
    samples[10, 3] = np.nan
    vector = built(settings).compute(segment(samples)).reshape(18, 5)
    assert np.isfinite(vector).all()
    samples[:900, 3] = np.nan
    vector = built(settings).compute(segment(samples)).reshape(18, 5)
    assert np.isnan(vector[3]).all() and np.isfinite(np.delete(vector, 3, axis=0)).all()


def test_a_band_is_where_a_tone_is():
    time = np.arange(RATE) / RATE
    for band, hertz in (("delta", 2), ("theta", 5), ("alpha", 10), ("beta", 20), ("gamma", 40)):
        samples = noise(sigma=1.0)
        samples[:, 0] += 20 * np.sin(2 * np.pi * hertz * time)
        features = built()
        values = by_name(features, features.extract(segment(samples)))
        own = {b: values[f"Fp1.{b}"] - values[f"Cz.{b}"] for b in BANDS["duan"]}
        assert max(own, key=own.get) == band
        # All 20² / 2 µV² of it, less the share that the reference takes.
        power = np.exp(2 * values[f"Fp1.{band}"]) / (2 * np.pi * np.e)
        assert power == pytest.approx(200 * (17 / 18) ** 2, rel=0.05)


def test_the_reference_takes_out_what_all_share():
    samples = noise()
    common = 500 * np.sin(2 * np.pi * 9 * np.arange(RATE) / RATE)[:, None]
    average, none = built(), built(with_options(reference="none"))
    np.testing.assert_allclose(
        average.compute(segment(samples + common)), average.compute(segment(samples)), atol=1e-9
    )
    assert (none.compute(segment(samples + common)) != none.compute(segment(samples))).any()


@pytest.mark.parametrize("fault", ["absent", "one sample", "flat", "infinite"])
def test_an_electrode_that_does_not_measure_is_nan_and_counts_nowhere(fault):
    samples = noise()
    bad = samples.copy()
    if fault == "flat":
        bad[:, 4] = 187500.0
    elif fault == "one sample":
        bad[77, 4] = np.nan
    else:
        bad[:, 4] = np.nan if fault == "absent" else np.inf
    features = built()
    vector = features.extract(segment(bad)).reshape(18, 5)
    assert np.isnan(vector[4]).all()
    # The others are as if the rig had never had it.
    rest = dataclasses.replace(EEG, channels=EEG.channels[:4] + EEG.channels[5:])
    expected = built(rest).extract(segment(np.delete(samples, 4, axis=1))).reshape(17, 5)
    np.testing.assert_array_equal(np.delete(vector, 4, axis=0), expected)
    assert features.quality(segment(bad)) == pytest.approx(17 / 18)


def test_nothing_measured_is_all_nan():
    features = built()
    for samples in (np.full((RATE, 18), np.nan), np.zeros((RATE, 18)), np.zeros((0, 18))):
        assert np.isnan(features.extract(segment(samples))).all()
        assert features.quality(segment(samples)) == 0.0
    assert np.isnan(features.extract(segment(noise()[:200]))).all()


def test_quality_counts_electrodes_that_measure():
    features = built()
    samples = noise()
    assert features.quality(segment(samples)) == 1.0
    samples[:, 0] *= 40
    samples[:, 1] *= 0.02
    samples[:, 2] = np.clip(samples[:, 2], -1e3, 9.0)
    # Steps of the coarsest amplifiers are no clipping.
    samples[:, 3] = np.rint(0.3 * samples[:, 3] / 0.5) * 0.5
    assert features.quality(segment(samples)) == pytest.approx(15 / 18)


def test_a_grid_that_is_too_slow_for_a_band_does_without_it():
    settings = dataclasses.replace(EEG, rate=80.0)
    names = [f.name for f in entries(settings)]
    assert len(names) == 72 and not any("gamma" in name for name in names)
    samples = np.random.default_rng(1).normal(size=(80, 18))
    assert np.isfinite(built(settings).extract(segment(samples, 80.0))).all()
    assert len(entries(dataclasses.replace(EEG, rate=100.0))) == 90
    with pytest.raises(InputError, match="is 5 Hz, must be at least 100 Hz"):
        entries(dataclasses.replace(EEG, rate=5.0))


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        (with_options(bands="broad"), "options.bands is 'broad', must be 'duan' or 'emotiondict'"),
        (with_options(bands=(1, 4)), r"options.bands is \(1, 4\)"),
        (with_options(reference="linked"), "options.reference is 'linked'"),
        (with_options(notch=50), "no option 'notch': use bands or reference"),
        (dataclasses.replace(EEG, unit="mV"), "the unit of EEG is 'mV', must be 'uV'"),
        (dataclasses.replace(EEG, channels=EEG.channels[:1]), 'reference = "none"'),
    ],
)
def test_a_wish_that_cannot_be_granted_is_refused(settings, words):
    for ask in (entries, built):
        with pytest.raises(InputError, match=words):
            ask(settings)


def eyes(state, seconds=None):
    """One of BioSPPy's pair of recordings at 125 Hz, as a stream."""
    samples = np.loadtxt(data_folder("biosignal") / f"biosppy__eeg_{state}.txt")
    samples = samples[: None if seconds is None else seconds * 125]
    info = StreamInfo("eeg", "amplifier", "EEG", 125.0, ("EEG",), ("uV",))
    stream = RecordedStream(info, np.arange(len(samples)) / 125.0, samples[:, None])
    return Recording(state, (stream,))


def features_of(recording, rig, **options):
    return np.array([w.features["eeg"] for w in windows_of(recording, rig, **options)])


def test_alpha_is_higher_with_closed_eyes():
    """BioSPPy's pair through the engine, by more than chance allows."""
    rig = parse_rig(RIG, "lab.toml")
    closed, opened = (features_of(eyes(state), rig)[:, 2] for state in ("ec", "eo"))
    closed, opened = closed[np.isfinite(closed)], opened[np.isfinite(opened)]
    assert len(closed) > 290 and len(opened) > 225
    difference = closed.mean() - opened.mean()
    error = np.hypot(closed.std() / np.sqrt(len(closed)), opened.std() / np.sqrt(len(opened)))
    said = f"alpha with eyes closed: {difference:+.3f} nats, standard error {error:.3f}"
    assert difference > 0.2 and difference > 5 * error, said


@pytest.mark.parametrize("seconds", [0.011, 0.7, np.inf])
def test_chunk_size_changes_no_byte(seconds):
    rig = parse_rig(RIG, "lab.toml")
    reference = features_of(eyes("ec", 30), rig)
    assert np.isfinite(reference).all() and len(reference) == 21
    chunked = features_of(eyes("ec", 30), rig, chunk_seconds=seconds)
    assert chunked.tobytes() == reference.tobytes()


def test_the_documented_muse_rig_takes_a_muse_recording():
    rig = load_rig(Path(__file__).parents[3] / "docs" / "rigs" / "muse.toml")
    names = [feature.name for feature in entries(rig.modality("eeg"))]
    assert len(names) == 20 and names[0] == "TP9.delta" and names[-1] == "TP10.gamma"
    recording = open_recording(data_folder("xdf") / "muse_eeg_ppg_acc_gyro_p001.xdf")
    windows = list(windows_of(recording, rig))
    assert len(windows) >= 14 and all(all(w.mask.values()) for w in windows)
    entropy = np.array([w.features["eeg"] for w in windows])
    assert np.isfinite(entropy).all()
    # Scalp EEG has 1 to 200 µV in a band, and AF7 of this recording much muscle.
    assert (entropy > 0).all() and (entropy < 0.5 * np.log(2 * np.pi * np.e * 300**2)).all()
