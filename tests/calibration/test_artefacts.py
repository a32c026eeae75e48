"""Artefact filters: what they take out and leave, which montage they serve, their files."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from safetensors.numpy import save_file

from calibration.artefact_files import load_artefacts, save_artefacts
from calibration.artefacts import cut_stretch, fit_components, fit_subspace, power_kept
from realtime.engine import Engine
from realtime.errors import InputError
from realtime.features import feature_set
from realtime.features.artefacts import ComponentRemoval, Montage
from realtime.offline import windows_of
from realtime.rig import load_rig
from tests.calibration.brain import DMER, NAMES, RATE, parts, recording

FP = [NAMES.index("Fp1"), NAMES.index("Fp2")]
BACK = [NAMES.index(name) for name in ("C3", "Cz", "C4", "P3", "P4", "O1", "O2")]
ALL = np.ones(18, dtype=bool)
EEG_ONLY = dataclasses.replace(DMER, modalities=(DMER.modality("eeg"),))


def seconds_of(samples):
    """Filter samples as the engine does, and cut them into seconds: (n, 18, 300)."""
    stretch = cut_stretch(recording(samples), DMER, (0, len(samples) / RATE))
    count = len(stretch.samples) // RATE
    return stretch.samples[: count * RATE].reshape(count, RATE, 18).transpose(0, 2, 1)


def amplitude(signals, of):
    """How much of `of` is in signals, as features see them: regression under the Hann window."""
    window = np.hanning(RATE)
    return float((window**2 * signals * of).sum() / (window**2 * of * of).sum())


@pytest.fixture(scope="module")
def calibration():
    """A stretch with blinks and a tense jaw."""
    return cut_stretch(recording(sum(parts(45))), DMER, (0, 45))


@pytest.fixture(scope="module")
def rest():
    """A stretch with few blinks."""
    brain, eyes, _ = parts(45, every=20.0)
    return cut_stretch(recording(brain + eyes), DMER, (0, 45))


@pytest.fixture(scope="module")
def later():
    """Brain and artefacts of the same head, later: its parts and their sum, as seconds."""
    brain, eyes, muscle = parts(40, height=200.0)
    # What is filtered to nothing at all would not count as measured.
    trace = 1e-9 * brain
    return {
        "brain": seconds_of(brain),
        "eyes": seconds_of(eyes + trace),
        "muscle": seconds_of(muscle + trace),
    }


@pytest.fixture(scope="module")
def ica(calibration):
    return fit_components(calibration)


@pytest.fixture(scope="module")
def asr(rest):
    return fit_subspace(rest)


def test_components_of_eyes_and_muscles_are_found(ica, calibration):
    _, components = ica
    removed = {c.kind: c for c in components if c.removed}
    assert set(removed) == {"blink", "muscle"}
    assert len([c for c in components if c.removed]) == 2
    assert removed["blink"].strongest in ("Fp1", "Fp2") and removed["blink"].number == 0
    assert removed["muscle"].strongest == "T3"
    assert sum(c.share for c in components) == pytest.approx(1)
    again = fit_components(calibration)[1]
    assert again == components


def test_component_removal_takes_blinks_and_leaves_brain(ica, later):
    artefacts, _ = ica
    blink = artefacts.clean(later["eyes"], ALL)[:, FP]
    left = amplitude(blink, later["eyes"][:, FP])
    assert abs(left) < 0.05, f"{left:.1%} of the blinks is left"
    jaw = NAMES.index("T3")
    left = amplitude(artefacts.clean(later["muscle"], ALL)[:, jaw], later["muscle"][:, jaw])
    assert abs(left) < 0.2, f"{left:.1%} of the muscle is left"
    changed = artefacts.clean(later["brain"], ALL) - later["brain"]
    share = (changed[:, BACK] ** 2).sum() / (later["brain"][:, BACK] ** 2).sum()
    assert share < 0.02, f"{share:.1%} of the brain's power behind the forehead is changed"


def test_subspace_reconstruction_takes_blinks_and_leaves_brain(asr, later):
    mixed = later["brain"] + later["eyes"]
    cleaned = asr.clean(mixed, ALL)
    blinking = np.abs(later["eyes"][:, FP[0], 60:240]).max(axis=1) > 100
    assert blinking.sum() >= 5
    left = amplitude((cleaned - later["brain"])[blinking][:, FP], later["eyes"][blinking][:, FP])
    assert abs(left) < 0.2, f"{left:.1%} of the blinks is left"
    pairs = zip(cleaned[blinking][:, BACK], later["brain"][blinking][:, BACK], strict=True)
    kept = np.mean([np.corrcoef(a, b)[0, 1] for one in pairs for a, b in zip(*one, strict=True)])
    assert kept > 0.9, f"correlation with the brain behind the forehead {kept:.2f}"
    quiet = np.abs(later["eyes"]).max(axis=(1, 2)) < 1.0
    assert quiet.sum() >= 5
    untouched = np.abs(cleaned - mixed)[quiet].max(axis=(1, 2)) < 1e-9
    assert untouched.mean() >= 0.9, f"{untouched.mean():.0%} of the seconds without blinks"


def test_power_that_is_left_is_told(ica, calibration):
    kept = power_kept(calibration, ica[0])
    assert (kept[FP] < 0.3).all() and (kept[BACK] > 0.9).all()


@pytest.mark.parametrize("method", ["ica", "asr"])
def test_features_follow_the_brain_and_not_the_chunks(method, ica, asr):
    """The real path: blinks of 300 µV move Fp1's delta by over 1 nat, and with a filter by less."""
    artefacts = ica[0] if method == "ica" else asr
    brain, eyes, _ = parts(40, height=300.0)

    def features(samples, filter_, **options):
        windows = list(windows_of(recording(samples), EEG_ONLY, artefacts=filter_, **options))
        return np.array([w.features["eeg"] for w in windows]).reshape(-1, 18, 5)

    clean, blinked = features(brain, None), features(brain + eyes, None)
    cleaned = features(brain + eyes, artefacts)
    blinking = np.abs(blinked - clean)[:, FP[0], 0] > 1.0
    assert blinking.sum() >= 5
    before = np.abs(blinked - clean)[blinking][:, FP, 0].mean()
    after = np.abs(cleaned - clean)[blinking][:, FP, 0].mean()
    assert after < before / 2, f"error of frontal delta {before:.2f}, filtered {after:.2f} nats"
    alpha = np.abs(cleaned - clean)[blinking][:, NAMES.index("O1"), 2].mean()
    assert alpha < 0.25, f"error of occipital alpha {alpha:.2f} nats"
    short = (brain + eyes)[: 14 * RATE]
    for chunk in (0.013, np.inf):
        other = features(short, artefacts, chunk_seconds=chunk)
        assert other.tobytes() == cleaned[: len(other)].tobytes() and len(other) == 5


@pytest.mark.parametrize("method", ["ica", "asr"])
def test_lost_electrodes_do_not_spoil_the_others(method, ica, asr, later):
    artefacts = ica[0] if method == "ica" else asr
    mixed = later["brain"] + later["eyes"]
    present = ALL.copy()
    present[[NAMES.index("T6"), NAMES.index("Fz")]] = False
    cleaned = artefacts.clean(mixed[:, present], present)
    assert cleaned.shape == (len(mixed), 16, RATE) and np.isfinite(cleaned).all()
    blinking = np.abs(later["eyes"][:, FP[0], 60:240]).max(axis=1) > 100
    residue = (cleaned - later["brain"][:, present])[blinking][:, FP]
    left = amplitude(residue, later["eyes"][blinking][:, FP])
    assert abs(left) < 0.25, f"{left:.1%} of the blinks is left"


def test_electrodes_that_calibration_lacked_stay_out():
    samples = sum(parts(60, seed=3))
    lacking = recording(np.delete(samples, [4, 17], axis=1), np.delete(NAMES, [4, 17]))
    stretch = cut_stretch(lacking, DMER, (0, 60))
    assert stretch.channels == tuple(np.delete(NAMES, [4, 17]))
    artefacts, _ = fit_components(stretch)
    windows = list(windows_of(recording(samples[: 15 * RATE]), EEG_ONLY, artefacts=artefacts))
    measured = np.isfinite(windows[-1].features["eeg"]).reshape(18, 5).all(axis=1)
    assert [n for n, here in zip(NAMES, measured, strict=True) if not here] == ["Fz", "O2"]


def test_bridged_electrodes_give_fewer_components(calibration):
    samples = calibration.samples[: 40 * RATE].copy()
    samples[:, 9] = samples[:, 10]
    artefacts, components = fit_components(dataclasses.replace(calibration, samples=samples))
    assert len(components) == 17 and artefacts.mixing.shape == (18, 17)
    assert [c.kind for c in components if c.removed].count("blink") == 1


def test_components_can_be_chosen(calibration, ica):
    artefacts, components = fit_components(calibration, (2, 5, 2))
    assert artefacts.removed == (2, 5)
    assert [c.number for c in components if c.removed] == [2, 5]
    assert [c.kind for c in components] == [c.kind for c in ica[1]]
    none = ComponentRemoval(artefacts.montage, artefacts.mixing, ())
    np.testing.assert_array_equal(none.matrix(ALL), np.eye(18))
    with pytest.raises(InputError, match="no component 18: the stretch has 0 to 17"):
        fit_components(calibration, (0, 18))


@pytest.mark.parametrize("method", ["ica", "asr"])
def test_a_file_holds_all_of_it(method, ica, asr, later, tmp_path):
    artefacts = ica[0] if method == "ica" else asr
    path = tmp_path / "new" / "anna.safetensors"
    save_artefacts(artefacts, "anna", path)
    read, participant = load_artefacts(path)
    assert participant == "anna" and type(read) is type(artefacts)
    assert read.montage == artefacts.montage
    mixed = later["brain"] + later["eyes"]
    assert read.clean(mixed, ALL).tobytes() == artefacts.clean(mixed, ALL).tobytes()


def test_a_file_that_is_no_filter_is_refused(ica, asr, tmp_path):
    path = tmp_path / "f.safetensors"
    with pytest.raises(InputError, match="cannot read the artefact filter"):
        load_artefacts(path)
    save_artefacts(ica[0], "P1", path)
    content = path.read_bytes()
    for spoilt in (
        b"",
        content[:50],
        content[:-8],
        b"\x80\x04pickle",
        content.replace(b"ica", b"abc"),
    ):
        path.write_bytes(spoilt)
        with pytest.raises(InputError, match="no usable artefact filter"):
            load_artefacts(path)
    save_artefacts(asr, "P1", path)
    path.write_bytes(path.read_bytes().replace(b"300.0", b"1e999"))  # infinity, to JSON
    with pytest.raises(InputError, match="no usable artefact filter"):
        load_artefacts(path)
    save_file({"mixing": np.eye(18)}, path)
    with pytest.raises(InputError, match="its format is None"):
        load_artefacts(path)
    montage = ica[0].montage
    for wrong in (np.eye(17), np.full((18, 18), np.nan), np.eye(18, dtype=np.float32), np.ones(18)):
        save_artefacts(ComponentRemoval(montage, wrong, (0,)), "P1", path)
        with pytest.raises(InputError, match="mixing is"):
            load_artefacts(path)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"rate": 250.0}, "with rate 300.0, and the rig 'dmer' has 250.0"),
        ({"channels": DMER.modality("eeg").channels[::-1]}, "with channels Fp1, Fp2, .* has O2"),
        ({"name": "brain"}, "with modality eeg, and the rig 'dmer' has none such"),
    ],
)
def test_another_montage_is_refused(changes, words, ica):
    settings = dataclasses.replace(DMER.modality("eeg"), **changes)
    other = dataclasses.replace(DMER, modalities=(settings,))
    with pytest.raises(InputError, match=words):
        Engine(other, artefacts={"P1": ica[0]})
    notch = dataclasses.replace(DMER.modality("eeg").filter, notch=60.0)
    settings = dataclasses.replace(DMER.modality("eeg"), filter=notch)
    with pytest.raises(InputError, match="with filter"):
        Engine(dataclasses.replace(DMER, modalities=(settings,)), artefacts={"P1": ica[0]})


def test_a_filter_on_what_is_no_eeg_is_refused(ica):
    wrist = load_rig("wrist")
    settings = wrist.modality("eda")
    odd = Montage.of(wrist, settings, (True,))
    features = feature_set("eda").for_modality(settings)
    with pytest.raises(InputError, match="for EEG, and 'eda' gives 'eda'"):
        features.take_out(ComponentRemoval(odd, np.eye(1), (0,)))


@pytest.mark.parametrize(
    ("seconds", "stretch", "words"),
    [(40, (0, 20), "18.0 s in which 18 electrodes"), (40, (500, 900), "0.0 s in which 0")],
)
def test_a_stretch_that_is_too_short_is_refused(seconds, stretch, words):
    samples = sum(parts(seconds))
    with pytest.raises(InputError, match=words):
        cut_stretch(recording(samples), DMER, stretch)


def test_a_recording_or_rig_without_eeg_is_refused():
    with pytest.raises(InputError, match="'wrist' has no EEG"):
        cut_stretch(recording(sum(parts(10))), load_rig("wrist"), (0, 10))
    with pytest.raises(InputError, match="no stream that the rig 'dmer' can use"):
        cut_stretch(recording(sum(parts(10)), [f"A{i}" for i in range(18)]), DMER, (0, 10))
