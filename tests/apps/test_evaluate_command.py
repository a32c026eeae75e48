"""``affectstream evaluate`` and ``train``: from a dataset's folder to a table and a checkpoint."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy.io import loadmat, savemat

from apps.cli.data import time_left
from apps.cli.main import main
from apps.cli.options import preset_of
from model import systems
from model.checkpoint import load_checkpoint
from model.datasets import dataset
from model.evaluation import Plan, applicable, run
from model.protocols import PROTOCOLS
from tests.model.datasets.writers import write_dmer_sample
from tests.model.people import TINY

CALM = "1;1;3;2;1;3;1;1;1;2;2;2;2;1;4;3;4;4;2;2;2;1;2;1"
TENSE = "3;4;2;1;4;3;1;4;1;2;1;4;1;1;3;5;3;4;2;4;3;3;2;1;3;1"


def write_wesad(root: Path, people: int = 4) -> Path:
    """Write people with 60 s of rest and 60 s of stress, in WESAD's layout."""
    rows = ["subject,condition,e4_start_s,e4_end_s"]
    rng = np.random.default_rng(0)
    for number in range(2, 2 + people):
        name = f"S{number}"
        folder = root / name / f"{name}_E4_Data"
        folder.mkdir(parents=True)
        seconds = np.arange(130 * 64) / 64
        tense = seconds >= 65
        pulse = np.sin(2 * np.pi * np.cumsum(np.where(tense, 1.6, 1.1)) / 64)
        signals = {
            "BVP": (64, 50 * pulse[:, None]),
            "EDA": (4, (1 + tense[::16])[:, None] + 0.01 * rng.normal(size=(520, 1))),
            "TEMP": (4, 33 + 0.01 * rng.normal(size=(520, 1))),
            "ACC": (32, np.tile([1, 2, 63], (4160, 1)) + rng.normal(size=(4160, 3))),
        }
        for file, (rate, values) in signals.items():
            head = [[1.5e9] * values.shape[1], [rate] * values.shape[1]]
            np.savetxt(folder / f"{file}.csv", np.vstack([head, values]), "%.6f", ",")
        (root / name / f"{name}_quest.csv").write_text(
            f"# ORDER;Base;TSST\n# PANAS;{CALM}\n# PANAS;{TENSE}\n"
        )
        rows += [f"{name},Base,5,65", f"{name},TSST,66,128"]
    (root / "segments.csv").write_text("\n".join(rows) + "\n")
    return root


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr("model.datasets.wesad.BASELINE_SECONDS", 20.0)
    monkeypatch.setattr("model.datasets.convert.cache_folder", lambda: tmp_path / "cache")
    monkeypatch.setitem(systems.PRESETS, "tiny", lambda: TINY)
    return write_wesad(tmp_path / "wesad")


def test_from_folder_to_table_and_checkpoint(
    root: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("model.systems.trees.TREES", 20)
    out = tmp_path / "out"
    words = ["evaluate", "--dataset", "wesad-wrist", "--root", str(root), "--out", str(out)]
    models = ["--models", "mpcl,trees,nearest-clock,train-mean", "--preset", "tiny", "--seeds", "1"]
    assert main([*words, *models, "--json"]) == 0
    result = json.loads(capsys.readouterr().out)
    assert result["subjects"] == 4
    # All four had rest first, so the clock alone knows.
    assert result["models"]["nearest-clock"]["stress_auc"]["mean"] > 0.9
    assert result["models"]["train-mean"]["stress_auc"]["mean"] == 0.5
    assert result["protocol"] == "loso"
    rows = pd.read_csv(out / "results.csv")
    assert len(rows) == 4 * 4
    assert "| mpcl |" in (out / "table.md").read_text(encoding="utf-8")
    assert (out / "report.html").read_text(encoding="utf-8").startswith("<!DOCTYPE html>")

    # A part of it again, for a person to read, from what is there.
    before = sorted((path, path.stat().st_mtime_ns) for path in (out / "folds").iterdir())
    models = ["--models", "nearest-clock,train-mean", "--preset", "tiny", "--seeds", "1"]
    assert main([*words, *models]) == 0
    assert "leave one subject out" in " ".join(capsys.readouterr().out.split())
    assert before == sorted((path, path.stat().st_mtime_ns) for path in (out / "folds").iterdir())

    file = tmp_path / "model.safetensors"
    words = ["train", "--dataset", "wesad-wrist", "--root", str(root), "--out", str(file)]
    assert main([*words, "--preset", "tiny", "--json"]) == 0
    result = json.loads(capsys.readouterr().out)
    checkpoint = load_checkpoint(file)
    assert result["hash"] == checkpoint.hash
    assert result["emotions"] == list(checkpoint.emotions)
    assert checkpoint.data["people"] == ["S2", "S3", "S4", "S5"]
    assert not file.with_name(file.name + ".work").exists()


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--dataset", "wesad"], "no dataset 'wesad'"),
        (["--protocol", "kfold"], "no protocol 'kfold'"),
        (["--models", "forest"], "no model 'forest'"),
        (["--modalities", "eeg"], "no modality 'eeg'"),
        (["--preset", "huge"], "no preset 'huge'"),
        (["--settings", "none.toml"], "'none.toml' cannot be read"),
        (["--protocol", "calibrated-k", "--shots", "1,few"], "'1,few' are no numbers of trials"),
        (["--adaptations", "prior,magic"], "no adaptation 'magic': use shrinkage, calibrated"),
        (["--rig", "finger"], "no rig 'finger'"),
        (["--also", "wesad-wrist"], "names 'wesad-wrist' twice"),
    ],
)
def test_bad_words_end_before_any_work(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], words: list[str], message: str
) -> None:
    given = ["evaluate", "--dataset", "wesad-wrist", "--root", str(tmp_path / "no")]
    assert main([*given, "--out", str(tmp_path / "out"), *words]) == 2
    captured = capsys.readouterr()
    assert message in captured.err
    assert not captured.out
    assert not (tmp_path / "out").exists()


def test_a_file_in_the_way_of_the_results_is_left_alone(
    sample: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    taken = tmp_path / "taken"
    taken.write_text("mine")
    for out in (taken, taken / "below"):
        assert main(words_for(sample, out, "--models", "uniform")) == 2
        assert "is no folder that can be written to" in capsys.readouterr().err
    assert taken.read_text() == "mine"


def test_no_cuda_is_said_before_any_training(
    sample: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    out = tmp_path / "out"
    assert main(words_for(sample, out, "--models", "mpcl", "--device", "cuda")) == 2
    assert "no CUDA device" in capsys.readouterr().err
    assert not out.exists()


def test_absent_data_says_where_to_get_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("AFFECTSTREAM_DATA", raising=False)
    assert main(["evaluate", "--dataset", "wesad-wrist"]) == 2
    assert "get it from https://archive.ics.uci.edu" in capsys.readouterr().err
    words = ["train", "--dataset", "wesad-wrist", "--root", str(tmp_path / "gone")]
    assert main([*words, "--out", str(tmp_path / "a.safetensors")]) == 2
    assert "no folder" in capsys.readouterr().err
    assert main([*words, "--out", str(tmp_path / "a.pt")]) == 2
    assert "ends .safetensors" in capsys.readouterr().err


def test_one_person_is_too_few(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("model.datasets.convert.cache_folder", lambda: tmp_path / "cache")
    root = write_wesad(tmp_path / "wesad", people=1)
    words = ["--dataset", "wesad-wrist", "--root", str(root), "--models", "uniform"]
    assert main(["evaluate", *words, "--out", str(tmp_path / "out")]) == 2
    assert "needs at least 3 people" in capsys.readouterr().err


@pytest.fixture
def sample(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Published features of one person, small, and a recipe that trains in a moment."""
    monkeypatch.setitem(systems.PRESETS, "tiny", lambda: TINY)
    write_dmer_sample(tmp_path / "sample")
    return tmp_path / "sample"


def words_for(sample: Path, out: Path, *more: str) -> list[str]:
    given = ["evaluate", "--dataset", "dmer-sample", "--root", str(sample), "--seeds", "1"]
    return [*given, "--protocol", "paper-sd", "--out", str(out), *more]


@pytest.mark.parametrize(
    ("variable", "value", "message"),
    [
        ("train_eeg", np.nan, "not finite"),
        ("test_video", np.inf, "not finite"),
        ("test_label", 0.9, "no shares"),
    ],
)
def test_damaged_features_and_labels_end_before_any_training(
    sample: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    variable: str,
    value: float,
    message: str,
) -> None:
    file = sample / "data_feature_sample.mat"
    content = {k: v for k, v in loadmat(file).items() if not k.startswith("__")}
    content[variable].flat[3] = value
    savemat(file, content)
    assert main(words_for(sample, tmp_path / "out", "--models", "mpcl,train-mean")) == 2
    assert message in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_a_failing_system_does_not_lose_the_others(
    sample: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    words = words_for(sample, tmp_path / "out", "--models", "trees,train-mean", "--json")
    with monkeypatch.context() as patch:
        patch.setattr("model.systems.trees.TREES", "many")
        assert main(words) == 1
    captured = capsys.readouterr()
    assert list(json.loads(captured.out)["models"]) == ["train-mean"]
    assert "trees" in captured.err and "seed 0" in captured.err
    assert "same command again" in captured.err
    # It does what is missing, and nothing else.
    monkeypatch.setattr("model.systems.trees.TREES", 5)
    started: list[str] = []
    plan = Plan("paper-sd", ("trees", "train-mean"), seeds=(0,), preset="person")
    again = run(
        dataset("dmer-sample").table(sample),
        plan,
        tmp_path / "out",
        progress=lambda what, now, total, left: started.append(what),
    )
    assert [one.partition(",")[0] for one in started] == ["", "trees"]
    assert [piece.model for piece in again.pieces] == ["trees", "train-mean"]


def test_single_numbers_of_the_recipe_can_be_changed(
    sample: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "mine.toml"
    words = words_for(sample, tmp_path / "out", "--models", "mpcl", "--preset", "tiny")
    file.write_text("[mpcl]\nepochs = 2\n")
    assert main([*words, "--settings", str(file), "--json"]) == 0
    result = json.loads(capsys.readouterr().out)
    assert result["models"]["mpcl"]["kl"]
    assert (result["subjects"], result["windows"]) == (1, 75)
    assert result["rig"] == "none, published features"
    (piece,) = (tmp_path / "out" / "folds").glob("*.npz")
    with np.load(piece) as stored:
        assert stored["inside_losses"].shape == (2, 5)
    for text, message in [
        ("[mpcl]\nepoch = 3\n", "unknown setting 'epoch'"),
        ("epochs = 3\n", "must have the table [mpcl]"),
        ("[mpcl]\nwidth = 0\n", "width is 0, must be 1 or more"),
        ("[mpcl\n", "cannot be read"),
    ]:
        file.write_text(text)
        assert main([*words, "--settings", str(file)]) == 2
        assert message in " ".join(capsys.readouterr().err.split())


def test_all_is_what_the_data_can_serve(tmp_path: Path, sample: Path) -> None:
    # Published features have no clock and no accelerometer; every network and all else is there.
    table = dataset("dmer-sample").table(sample)
    found = applicable(table, systems.names("all"))
    assert {"mpcl", "helo", "sa-cpnn", "trees", "uniform"} <= set(found)
    assert not {"clock", "movement", "nearest-clock", "place"} & set(found)


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(None, ""), (5.4, "5 s left"), (300, "5 min left"), (9000, "2.5 h left")],
)
def test_time_left_in_words(seconds: float | None, words: str) -> None:
    assert time_left(seconds) == words


def test_each_protocol_has_its_recipe() -> None:
    assert [preset_of(name, "") for name in PROTOCOLS] == [
        "person" if one.trains_on_tested_people else "small" for one in PROTOCOLS.values()
    ]
    assert preset_of("paper-sd", "full") == "full"
