"""``affectstream score``: tables, bytes, resumption, refusals."""

from __future__ import annotations

import dataclasses
import json
import shutil
from importlib import resources

import numpy as np
import pandas as pd
import pytest

from model.checkpoint import load_checkpoint, save_checkpoint
from model.zoo import shipped_checkpoint
from realtime.files import open_recording
from realtime.rig import load_rig
from realtime.simulator.person import Person
from realtime.xdf_writer import XdfWriter
from tests.apps.commands import run, run_here
from tests.data import data_folder


def write_xdf(recording, path):
    """Save a recording as LabRecorder would."""
    with XdfWriter(path) as writer:
        for stream in recording.streams:
            writer.write(writer.add_stream(stream.info), stream.times, stream.samples)
        for info in recording.marker_streams:
            markers = [m for m in recording.markers if m.stream == info.key]
            number = writer.add_stream(info)
            writer.write(number, [m.time for m in markers], [[m.text] for m in markers])


@pytest.fixture(scope="module")
def recording(tmp_path_factory):
    path = tmp_path_factory.mktemp("recording") / "person.xdf"
    write_xdf(Person(3).to_recording(75), path)
    return path


@pytest.fixture(scope="module")
def scored(recording, tmp_path_factory):
    out = tmp_path_factory.mktemp("scored") / "out"
    status, text, errors = run(["score", recording, "--features", "--out", out, "--json"])
    assert status == 0, errors
    return out, json.loads(text)["recordings"][0]


def test_tables_are_what_they_say(recording, scored):
    out, summary = scored
    predictions = pd.read_parquet(out / "predictions.parquet")
    features = pd.read_parquet(out / "features.parquet")
    assert len(predictions) == len(features) == summary["windows"]
    start = open_recording(recording).start
    assert predictions["time"].iloc[-1] <= start + 75
    assert (np.diff(predictions["time"]) == 1).all()
    shares = predictions[summary["emotions"]].to_numpy()
    assert (shares >= 0).all()
    np.testing.assert_allclose(shares.sum(axis=1), 1, atol=1e-6)
    assert {"participant", "radius", "intensity", "mask.ppg", "mask.acc"} <= set(predictions)
    assert {"ppg.heart_rate", "eda.scr_count", "temperature.slope"} <= set(features)
    rate = features["ppg.heart_rate"].dropna()
    assert rate.between(40, 130).all()
    assert (predictions["time"] == features["time"]).all()
    assert summary["baseline"] == "stated"


@pytest.mark.parametrize("chunk", [0.05, 7.3])
def test_chunk_size_changes_no_byte_of_the_features(recording, scored, tmp_path, chunk, capsys):
    arguments = ["score", recording, "--features", "--out", tmp_path / "o", "--chunk", chunk]
    assert run_here(capsys, *arguments)[0] == 0
    first = (scored[0] / "features.parquet").read_bytes()
    assert (tmp_path / "o" / "features.parquet").read_bytes() == first
    tables = [pd.read_parquet(p / "predictions.parquet") for p in (scored[0], tmp_path / "o")]
    emotions = scored[1]["emotions"]
    np.testing.assert_allclose(tables[0][emotions], tables[1][emotions], atol=1e-5)


def test_the_same_command_again_keeps_what_is_done(recording, scored, capsys):
    out, summary = scored
    before = (out / "predictions.parquet").stat().st_mtime_ns
    status, text, _ = run_here(capsys, "score", recording, "--features", "--out", out, "--json")
    assert status == 0
    assert json.loads(text)["recordings"] == [summary]
    assert (out / "predictions.parquet").stat().st_mtime_ns == before


def test_another_result_is_never_overwritten(recording, scored, capsys):
    out, _ = scored
    before = (out / "predictions.parquet").read_bytes()
    words = ("score", recording, "--baseline", "0:20", "--out", out)
    status, text, errors = run_here(capsys, *words)
    assert (status, text) == (2, "")
    assert "give another --out" in errors
    assert (out / "predictions.parquet").read_bytes() == before


def test_several_recordings_in_processes(recording, tmp_path, capsys):
    other = tmp_path / "other.xdf"
    shutil.copy(recording, other)
    broken = tmp_path / "broken.xdf"
    broken.write_bytes(b"no recording at all")
    out = tmp_path / "out"
    words = ("score", recording, other, broken, "--out", out, "--workers", 2)
    status, _, errors = run_here(capsys, *words)
    assert status == 2
    assert "broken.xdf" in errors and "the others are done" in errors
    tables = [pd.read_parquet(out / n / "predictions.parquet") for n in ("person", "other")]
    pd.testing.assert_frame_equal(*tables)


def test_wesad_person(tmp_path, capsys):
    folder = data_folder("wesad_wrist") / "S15" / "S15_E4_Data"
    words = ("score", folder, "--baseline", "1417:1717", "--out", tmp_path / "o", "--json")
    status, text, errors = run_here(capsys, *words)
    assert status == 0, errors
    summary = json.loads(text)["recordings"][0]
    table = pd.read_parquet(tmp_path / "o" / "predictions.parquet")
    assert table["time"].iloc[0] == 10.0
    assert summary["baseline"] == "stated"
    assert summary["windows"] == len(table) > 6500
    negative = table[["afraid", "upset", "nervous", "scared", "distressed"]].sum(axis=1)
    stress = table["time"].between(4406 + 60, 5092)
    rest = table["time"].between(5990 + 60, 6387)
    assert negative[stress].mean() > negative[rest].mean()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--baseline", "9:3"], "'9:3'"),
        (["--bind", "ppg"], "'ppg'"),
        (["--bind", "heart=x"], "'heart'"),
        (["--rig", "foot"], "'foot'"),
        (["--device", "tpu"], "'tpu'"),
        (["--chunk", "0"], "--chunk"),
        (["--participant", "[/x]"], "participant '[/x]' cannot name a folder"),
    ],
)
def test_wrong_arguments(recording, tmp_path, arguments, words, capsys):
    given = ("score", recording, "--out", tmp_path / "o", *arguments)
    status, text, errors = run_here(capsys, *given)
    assert (status, text) == (2, "")
    assert words in errors
    assert not (tmp_path / "o").exists()


def test_wrong_recordings(tmp_path, capsys):
    (tmp_path / "folder").mkdir()
    cut = tmp_path / "cut.xdf"
    cut.write_bytes(b"XDF:\x01")
    for path in (tmp_path / "absent.xdf", tmp_path / "folder", cut):
        status, _, errors = run_here(capsys, "score", path, "--out", tmp_path / "o")
        assert status == 2
        assert path.name in errors


def test_rig_and_checkpoint_must_fit(recording, tmp_path, capsys):
    words = ("score", recording, "--out", tmp_path / "o")
    text = (resources.files("realtime") / "rigs" / "wrist.toml").read_text()
    short = tmp_path / "short.toml"
    short.write_text(text.replace("window = 60.0", "window = 30.0"))
    status, _, errors = run_here(capsys, *words, "--rig", short)
    assert status == 2
    assert "30" in errors or "short.toml" in errors or "checkpoint" in errors
    odd = tmp_path / "odd.toml"
    odd.write_text(text + "\ncolour = 3\n")
    status, _, errors = run_here(capsys, *words, "--rig", odd)
    assert status == 2
    assert "colour" in errors
    damaged = tmp_path / "damaged.safetensors"
    damaged.write_bytes(b"\x10\x00")
    status, _, errors = run_here(capsys, *words, "--checkpoint", damaged)
    assert status == 2
    assert "damaged.safetensors" in errors


def test_demonstration_weights_are_named_in_summary_and_on_standard_error(
    recording, tmp_path, capsys
):
    weights = tmp_path / "demonstration.safetensors"
    shipped = load_checkpoint(shipped_checkpoint(load_rig("wrist")))
    save_checkpoint(dataclasses.replace(shipped, trained_on="simulated"), weights)
    words = ("score", recording, "--checkpoint", weights, "--out", tmp_path / "out", "--json")
    status, text, errors = run_here(capsys, *words)
    assert status == 0, errors
    (summary,) = json.loads(text)["recordings"]
    notice = "demonstration weights: not trained on people"
    assert summary["demonstration"] is True and summary["notice"] == notice
    assert notice in errors
    kept = json.loads((tmp_path / "out" / "score.json").read_text())
    assert kept["notice"] == notice
