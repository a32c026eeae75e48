"""``affectstream artefacts``, and ``score --artefacts`` with what it writes."""

from __future__ import annotations

import dataclasses
import functools
import json
from importlib import resources

import numpy as np
import pandas as pd
import pytest
import torch

from apps.cli.run import session_settings
from model.checkpoint import Checkpoint, modality_inputs, save_checkpoint
from model.ensemble import Ensemble
from model.labels import PANAS10
from model.mpcl import Mpcl
from realtime.baseline import Population
from realtime.errors import InputError
from realtime.markers import Event, format_marker
from realtime.recording import Marker, StreamInfo
from realtime.rig import load_rig
from tests.apps.commands import environment, run, run_here, running
from tests.apps.test_score_command import write_xdf
from tests.calibration.brain import parts, recording
from tests.model.people import TINY


@pytest.fixture(scope="module")
def lab(tmp_path_factory):
    """A folder with a rig of EEG alone, an untrained checkpoint for it, and a recording."""
    folder = tmp_path_factory.mktemp("lab")
    text = (resources.files("realtime") / "rigs" / "dmer.toml").read_text("utf-8")
    # Live, the first window shall not be long in coming.
    text = text[: text.index("[modalities.ppg]")].replace("warm_up = 10.0", "warm_up = 2.0")
    (folder / "cap.toml").write_text(text, "utf-8")
    rig = load_rig(folder / "cap.toml")
    (inputs,) = modality_inputs(rig)
    sizes = {inputs.name: len(inputs.features)}
    torch.manual_seed(0)
    network = Mpcl(TINY, sizes, {inputs.name: inputs.role}, len(PANAS10))
    checkpoint = Checkpoint(
        ensemble=Ensemble([network]),
        settings=TINY,
        rig=rig.name,
        modalities=(inputs,),
        labels=PANAS10,
        population=Population({"eeg": np.full(90, 2.0)}, {"eeg": np.ones(90)}),
        mean=np.full(len(PANAS10), 0.1),
        radius=0.2,
        trained_on="simulated",
        data={},
        metrics={},
        seed=0,
    )
    save_checkpoint(checkpoint, folder / "cap.safetensors")
    brain, eyes, muscle = parts(45, height=300.0)
    write_xdf(recording(brain + eyes + muscle), folder / "person.xdf")
    return folder


@pytest.fixture
def fit(lab, capsys):
    def fit(*words):
        base = ("artefacts", lab / "person.xdf", "--rig", lab / "cap.toml")
        return run_here(capsys, *base, *words)

    return fit


@pytest.fixture
def score(lab, capsys, tmp_path):
    def score(name, *words, rig="cap.toml"):
        base = ("score", lab / "person.xdf", "--rig", lab / rig, "--features", "--json")
        return run_here(
            capsys, *base, "--checkpoint", lab / "cap.safetensors", "--out", tmp_path / name, *words
        )

    return score


def test_a_filter_is_fitted_and_used(fit, score, lab, tmp_path):
    path = tmp_path / "anna.safetensors"
    status, out, err = fit(
        *("--baseline", "0:45", "--participant", "anna", "--out", path, "--json")
    )
    assert status == 0, err
    result = json.loads(out)
    removed = sorted(c["kind"] for c in result["components"] if c["removed"])
    assert removed == ["blink", "muscle"]
    assert result["seconds"] > 40 and result["absent"] == []
    assert result["power_kept"]["Fp1"] < 0.3 and result["power_kept"]["O1"] > 0.9

    assert score("plain")[0] == 0
    status, out, err = score("other", "--artefacts", path)
    assert status == 2 and "is for 'anna'" in err and not (tmp_path / "other").exists()
    status, out, err = score("clean", "--artefacts", f"P1={path}")
    assert status == 0, err
    (summary,) = json.loads(out)["recordings"]
    assert any("artefacts" in note for note in summary["notes"])
    plain, clean = (pd.read_parquet(tmp_path / n / "features.parquet") for n in ("plain", "clean"))
    assert {"eeg.Fp1.delta", "eeg.O2.gamma"} <= set(clean)
    blinking = plain["eeg.Fp1.delta"] > 4.5
    assert blinking.sum() >= 5
    fall = {f: (plain[f] - clean[f])[blinking].mean() for f in ("eeg.Fp1.delta", "eeg.O1.alpha")}
    assert fall["eeg.Fp1.delta"] > 1.0 and abs(fall["eeg.O1.alpha"]) < 0.25, fall
    # The same folder with another filter is another result.
    assert (
        fit("--baseline", "0:40", "--remove", "none", "--out", tmp_path / "n.safetensors")[0] == 0
    )
    status, out, err = score("clean", "--artefacts", tmp_path / "n.safetensors")
    assert status == 2 and "other settings" in err


def test_a_person_reads_tables(fit, tmp_path):
    status, out, err = fit(
        "--baseline", "0:40", "--remove", "3,0", "--out", tmp_path / "f.safetensors"
    )
    assert status == 0, err
    assert "blink" in out and "Power that is left" in out
    assert [line.split()[1] for line in out.splitlines() if "yes" in line] == ["0", "3"]


def test_markers_say_where_rest_was(lab, tmp_path, capsys):
    info = StreamInfo("m", "m", "Markers", 0.0, ("",), ("",), format="string")
    marked = recording(parts(45)[0])
    marks = [("baseline_start", 8.0), ("baseline_stop", 44.0)]
    marked = with_marks(marked, info, marks)
    write_xdf(marked, tmp_path / "marked.xdf")
    words = ("--rig", lab / "cap.toml", "--out", tmp_path / "f.safetensors", "--json")
    status, out, err = run_here(capsys, "artefacts", tmp_path / "marked.xdf", *words)
    assert status == 0, err
    result = json.loads(out)
    assert result["baseline"] == pytest.approx([3.0, 39.0], abs=1e-3)
    assert result["seconds"] == pytest.approx(36.0, abs=0.1)
    assert "changes nothing" in err
    assert list(result["power_kept"].values()) == pytest.approx([1.0] * 18)


def with_marks(made, info, marks):
    markers = tuple(Marker(time, format_marker(Event(name)), info.key) for name, time in marks)
    return dataclasses.replace(made, markers=markers, marker_streams=(info,))


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--method", "pca"), "no method 'pca': give one of ica, asr"),
        (("--method", "asr", "--remove", "1"), "--remove '1' chooses components"),
        (("--remove", "one"), "'one' are no component numbers"),
        (("--remove", "77"), "no component 77"),
        (("--baseline", "0:20"), "a fit needs 30 s"),
        (("--rig", "wrist"), "'wrist' has no EEG"),
        (("--participant", "<b>"), "participant '<b>' cannot name a folder"),
        (("--out", "filter.npz"), "'filter.npz' is no filter"),
        ((), "no baseline markers"),
    ],
)
def test_what_cannot_be_done_is_said_in_one_line(words, said, fit, tmp_path):
    path = tmp_path / "f.safetensors"
    words = words if "--out" in words else (*words, "--out", path)
    words = words if "--baseline" in words or not words[:-2] else (*words, "--baseline", "0:40")
    status, out, err = fit(*words)
    assert (status, out) == (2, "")
    assert said in err and not path.exists()


def test_a_filter_for_another_rig_is_refused(lab, fit, score, tmp_path):
    path = tmp_path / "f.safetensors"
    assert fit("--baseline", "0:40", "--remove", "0", "--out", path)[0] == 0
    other = (lab / "cap.toml").read_text("utf-8").replace("notch = 50.0", "notch = 60.0")
    (lab / "other.toml").write_text(other, "utf-8")
    status, _, err = score("o", "--artefacts", path, rig="other.toml")
    assert status == 2 and "was fitted for the rig 'dmer' with filter" in err
    status, _, err = score("o", "--artefacts", lab / "cap.safetensors")
    assert status == 2 and "no usable artefact filter" in err
    status, _, err = score("o", "--artefacts", "absent.safetensors")
    assert status == 2 and "cannot read the artefact filter" in err


def test_a_filter_for_nobody_is_refused(lab, fit, tmp_path):
    path = tmp_path / "f.safetensors"
    assert fit("--baseline", "0:40", "--remove", "0", "--out", path)[0] == 0
    watch = functools.partial(
        session_settings,
        str(lab / "cap.toml"),
        checkpoint=str(lab / "cap.safetensors"),
        device="cpu",
    )
    both = [f"P1={path}", f"bob={path}"]
    settings = watch(participants=["P1", "bob"], artefacts=both)
    assert {name: a.method for name, a in settings.artefacts.items()} == {"P1": "ica", "bob": "ica"}
    with pytest.raises(InputError, match="is for 'bob', who is not watched"):
        watch(participants=["P1"], artefacts=both)
    with pytest.raises(InputError, match="the second filter for 'P1'"):
        watch(artefacts=[str(path), str(path)])


@pytest.mark.timeout(300)  # three processes, of which two load torch
def test_a_live_session_takes_filters_and_names_whom_none_serves(lab, fit, tmp_path):
    path = tmp_path / "f.safetensors"
    assert fit("--baseline", "0:40", "--remove", "0", "--out", path)[0] == 0
    own = environment()
    base = ("run", "--rig", lab / "cap.toml", "--checkpoint", lab / "cap.safetensors")
    filters = ("--artefacts", f"P1={path}", "--artefacts", f"bob={path}")
    with running(["simulate", "--layout", "dmer"], own):
        words = (*base, *filters, "--seconds", 5, "--wait", 40, "--record", tmp_path, "--json")
        status, out, err = run(words, own, timeout=240)
    assert status == 0, err
    summary = json.loads(out)
    assert summary["windows"] >= 2 and summary["last"]["mask"]["eeg"]
    assert "the artefact filter for 'bob' serves nobody so far: watched is P1" in err
    (session,) = tmp_path.rglob("session.json")
    assert json.loads(session.read_text("utf-8"))["artefacts"] == {"P1": "ica", "bob": "ica"}
