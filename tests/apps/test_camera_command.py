"""``affectstream camera`` in a process of its own; this one receives its streams."""

from __future__ import annotations

import json
import logging
import os
import uuid
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import pylsl
import pytest

from apps.cli.camera import _people
from apps.cli.main import main
from apps.link import LinkClient, running_engines
from realtime.choices import assign_participants, subject_of
from realtime.errors import InputError
from realtime.features.lbp_top import LABELS, PIXELS, SIZE
from realtime.fit import Fit, fit
from realtime.metadata import stream_info
from realtime.recording import StreamInfo
from realtime.rig import load_rig
from realtime.video import frame_format
from tests.apps.commands import running, until
from tests.data import data_folder

SMILE = "pyfeat__single_face.mp4"


@pytest.fixture(autouse=True)
def _logging() -> Iterator[None]:
    """Take back the handler that the command sets: its stream closes with the test."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    root.handlers[:] = handlers
    root.setLevel(level)


@pytest.fixture
def env(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """Return an environment in this process's LSL session, with an engine folder of their own."""
    monkeypatch.setenv("AFFECTSTREAM_ENGINES", str(tmp_path / "engines"))
    return {**os.environ, "OMP_NUM_THREADS": "1"}


def receive(prop: str, value: str, samples: int) -> tuple[StreamInfo, np.ndarray, np.ndarray]:
    """Wait for a stream and for its samples; return its description, stamps and samples."""
    (handle,) = until(lambda: pylsl.resolve_byprop(prop, value, 1, 1.0), 60)
    inlet = pylsl.StreamInlet(handle, recover=False)
    info = stream_info(inlet.info(10.0).as_xml(), "face")
    stamps: list[float] = []
    rows: list[np.ndarray] = []

    def enough() -> bool:
        chunk, times = inlet.pull_chunk(timeout=0.1, as_numpy=True)
        if len(times):
            rows.append(np.array(chunk))
            stamps.extend(times)
        return len(stamps) >= samples

    until(enough, 60)
    inlet.close_stream()
    return info, np.array(stamps), np.concatenate(rows)


def test_a_video_becomes_a_texture_stream(env: dict[str, str]) -> None:
    video = data_folder("face") / SMILE
    arguments = ["camera", "--source", video, "--loop", "--participants", "anna", "--preview"]
    with running(arguments, env):
        info, stamps, counts = receive("name", "face anna", 45)
        # Whoever attaches sees the picture; nobody takes the camera for an engine.
        assert running_engines() == []
        client = LinkClient.connect("camera", 20.0)
        messages: list[dict] = []
        until(lambda: messages.extend(client.poll()) or any(m["boxes"] for m in messages))
        client.close()
    assert info.type == "FaceTexture" and info.rate == 30.0 and info.format == "int16"
    assert info.labels == LABELS
    assert subject_of(info) == "anna" and assign_participants([info], ["anna"])["anna"] == [info]
    assert "<can_drop_samples>true</can_drop_samples>" in info.description
    face = next(m for m in load_rig("dmer").modalities if m.name == "face")
    fitted = fit(info, face)
    assert isinstance(fitted, Fit) and fitted.columns == tuple(range(768))
    steps = np.diff(stamps) * 30
    np.testing.assert_allclose(steps, np.round(steps), atol=1e-4)
    sums = counts.reshape(-1, 3, 256).sum(axis=2)
    assert (np.isin(sums, (0, PIXELS))).all() and (sums[:, 0] == PIXELS).any()
    shown = next(m for m in messages if m["boxes"])
    assert (shown["t"], shown["participant"]) == ("preview", "anna")
    assert len(shown["frame"]) == shown["width"] * shown["height"]
    assert len(shown["crop"]) == SIZE * SIZE
    x, y, width, height, who = shown["boxes"][0]
    assert who == "anna" and height > width
    assert 0 < x < x + width < shown["width"] and y < shown["height"]


def test_a_folder_becomes_a_stream_of_crops_for_each_of_two(
    env: dict[str, str], tmp_path: Path
) -> None:
    capture = cv2.VideoCapture(str(data_folder("face") / SMILE))
    folder = tmp_path / f"pictures-{uuid.uuid4().hex[:6]}"
    folder.mkdir()
    for number in range(20):
        small = cv2.resize(capture.read()[1], (320, 180), interpolation=cv2.INTER_AREA)
        cv2.imwrite(str(folder / f"{number:02}.png"), np.hstack([small, small[:, ::-1]]))
    arguments = ["camera", "--source", folder, "--stream", "frames", "--faces", 2, "--loop"]
    with running([*arguments, "--fps", 15], env):
        pictures = {}
        for person in ("P1", "P2"):
            info, _, samples = receive("name", f"face {person}", 15)
            frames = frame_format(info)
            assert frames.face_crop and frames.can_drop
            assert (frames.width, frames.height, frames.pixel_format) == (SIZE, SIZE, "gray8")
            assert subject_of(info) == person and info.source_id.endswith(f"-{person}-frames")
            pictures[person] = samples.astype(np.int8).view(np.uint8).reshape(-1, SIZE, SIZE)
    found = {person: seen[seen.any(axis=(1, 2))] for person, seen in pictures.items()}
    assert len(found["P1"]) and len(found["P2"])
    left, right = (seen[-1].astype(float)[24:104, 24:104] for seen in found.values())
    # The same face, one of them in the mirror.
    alike = np.corrcoef(left[:, ::-1].ravel(), right.ravel())[0, 1]
    assert alike > 0.7, f"correlation {alike:.2f}"


def test_the_summary_of_a_whole_video(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["camera", "--source", str(data_folder("face") / SMILE), "--json"]) == 0
    captured = capsys.readouterr()
    result = json.loads(captured.out)
    assert "P1: face found" in captured.err
    (stream,) = result["streams"]
    assert result["stream"] == "counts" and result["lost"] == 0 and result["dark"] == 0
    # A computer that is too slow leaves frames out, as a camera would.
    assert result["frames"] + result["dropped"] >= 72
    assert stream["found"] == 1.0
    assert stream["participant"] == "P1" and stream["type"] == "FaceTexture"
    assert stream["samples"] <= 64
    if not result["dropped"]:
        assert stream["samples"] == 64 and result["fps"] == pytest.approx(30.0)


def test_a_camera_that_is_not_there_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["camera", "--source", "96", "--seconds", "0.5"]) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert "camera 96 gave no frame" in captured.err.splitlines()[-1]


@pytest.mark.parametrize(
    ("words", "quoted"),
    [
        (["--stream", "video"], "'video'"),
        (["--faces", "0"], "--faces 0"),
        (["--faces", "9"], "--faces 9"),
        (["--participants", "anna,anna"], "'anna,anna'"),
        (["--participants", "anna,"], "'anna,'"),
        (["--participants", "anna,ben", "--faces", "3"], "--faces 3"),
        (["--participants", "[/red]"], "'[/red]'"),
        (["--seconds", "0"], "--seconds 0"),
        (["--source", "no-such.mp4"], "'no-such.mp4'"),
    ],
)
def test_bad_options_are_one_sentence(
    words: list[str], quoted: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["camera", *words]) == 2
    captured = capsys.readouterr()
    assert captured.out == "" and quoted in captured.err.splitlines()[-1]


def test_people_are_named_from_left_to_right() -> None:
    assert _people(None, None) == ["P1"]
    assert _people(3, None) == ["P1", "P2", "P3"]
    assert _people(2, "anna, ben") == ["anna", "ben"]
    with pytest.raises(InputError):
        _people(None, "")
