"""Frames through the whole program: simulated people before a camera that sends pictures."""

from __future__ import annotations

import json
from dataclasses import replace
from importlib import resources
from pathlib import Path

import numpy as np
import pandas
import pytest

from realtime.offline import bind_recording, windows_of
from realtime.rig import load_rig
from realtime.xdf import read_xdf
from tests.apps.commands import environment, result_of, running, start

# Two simulators and two engines start in turn, on whatever machine this is.
pytestmark = pytest.mark.timeout(300)

FRAMES = 128 * 128


@pytest.fixture(scope="module")
def rig(tmp_path_factory):
    """A rig file: the wristband, and the webcam of the dmer rig."""
    files = resources.files("realtime") / "rigs"
    wrist, dmer = ((files / f"{name}.toml").read_text("utf-8") for name in ("wrist", "dmer"))
    path = tmp_path_factory.mktemp("rig") / "wrist-face.toml"
    path.write_text(
        wrist.replace('"wrist"', '"wrist-face"').replace("warm_up = 10.0", "warm_up = 3.0")
        + dmer[dmer.index("[modalities.face]") :]
    )
    return path


@pytest.fixture(scope="module")
def sessions(rig, tmp_path_factory):
    """Two recordings of one person: with frames, and as it is by default."""
    folder = tmp_path_factory.mktemp("recordings")
    env = {**environment(), "AFFECTSTREAM_ENGINES": str(folder / "engines")}
    checkpoint = str(resources.files("model") / "zoo" / "wrist.safetensors")
    camera = ["simulate", "--layout", "dmer-frames"]
    for sensor in ("eeg", "ppg", "gsr"):
        camera += ["--drop", sensor]
    arguments = ["run", "--rig", rig, "--checkpoint", checkpoint, "--json", "--wait", "60"]
    arguments += ["--seconds", "11"]
    with running(["simulate"], env), running(camera, env):
        children = {
            name: start([*arguments, "--record", folder / name, "--link", name, *options], env)
            for name, options in (("frames", ["--record-frames"]), ("default", []))
        }
        summaries = {name: result_of(child, 120) for name, child in children.items()}
    return {name: (summary["recording"], summary) for name, summary in summaries.items()}


def by_type(folder):
    recording = read_xdf(f"{folder}/recording.xdf")
    return {stream.info.type: stream for stream in recording.streams}


def test_by_default_counts_are_recorded_and_no_frame(sessions):
    folder, summary = sessions["default"]
    streams = by_type(folder)
    assert "VideoRaw" not in streams
    texture = streams["FaceTexture"]
    assert texture.info.format == "int16" and texture.samples.shape[1] == 768
    row = next(row for row in summary["streams"] if row["modality"] == "face")
    assert len(texture.times) == pytest.approx(row["samples"], abs=30) and len(texture.times) > 200
    # Nothing in the file is as large as a picture, and the metadata do not say that there is one.
    size = sum(len(s.times) * s.info.channel_count * 8 for s in streams.values())
    assert size < 300 * FRAMES
    assert json.loads(Path(folder, "session.json").read_text())["record_frames"] is False


def test_frames_are_recorded_as_they_came_when_asked_for(sessions):
    folder, summary = sessions["frames"]
    streams = by_type(folder)
    video, texture = streams["VideoRaw"], streams["FaceTexture"]
    assert video.frames is not None and len(video.times) > 200
    assert video.info.source_id == texture.info.source_id
    assert (video.info.channel_count, video.info.format) == (FRAMES, "int8")
    np.testing.assert_allclose(np.diff(video.times), 1 / 30, atol=1e-6)
    picture = video.frames[100:101].view(np.uint8).reshape(128, 128)
    assert picture.std() > 10, f"a picture of grey levels around {picture.mean():.0f}"
    assert json.loads(Path(folder, "session.json").read_text())["record_frames"] is True
    assert summary["dropped"] == 0


def test_frames_and_counts_of_one_recording_give_the_features_of_the_live_session(sessions, rig):
    folder, _ = sessions["frames"]
    live = pandas.read_parquet(f"{folder}/features.parquet").set_index("time")
    columns = [column for column in live.columns if column.startswith("face.")]
    assert len(columns) == 768
    live = live[columns].dropna()
    recording = read_xdf(f"{folder}/recording.xdf")
    for left_out in ("VideoRaw", "FaceTexture"):
        streams = tuple(s for s in recording.streams if s.info.type != left_out)
        windows = windows_of(replace(recording, streams=streams), load_rig(rig))
        read = {round(w.time, 6): w.features["face"] for w in windows if w.mask["face"]}
        shared = [moment for moment in live.index if round(moment, 6) in read]
        assert len(shared) >= 3
        for moment in shared:
            np.testing.assert_allclose(
                read[round(moment, 6)], live.loc[moment], atol=1e-6, err_msg=f"without {left_out}"
            )
    # Both are there: the counts that the features came from are taken, and frames left alone.
    (binding,) = (
        b for b in bind_recording(recording, load_rig(rig)).bindings if b.modality == "face"
    )
    assert binding.sources[0].stream == by_type(folder)["FaceTexture"].info.key
