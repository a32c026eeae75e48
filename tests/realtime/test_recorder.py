"""Recording sessions."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np
import pytest

from realtime import recorder as module
from realtime.chunk import Chunk
from realtime.errors import InputError
from realtime.recorder import Recorder
from realtime.recording import Marker, StreamInfo
from realtime.xdf import read_xdf

ROOT = Path(__file__).parents[2]
PPG = StreamInfo("wrist ppg", "Wrist", "PPG", 64.0, ("BVP",), ("a.u.",), source_id="e4-1")
TASK = StreamInfo("task", "PsychoPy", "Markers", 0.0, ("",), ("",), format="string")


def chunk(begin: int, count: int = 10) -> Chunk:
    index = np.arange(begin, begin + count, dtype=np.float64)
    return Chunk(PPG.key, 100 + index / 64, index[:, None])


def test_a_session_on_disk(tmp_path: Path) -> None:
    with Recorder(tmp_path / "new", "P-01_x", {"rig": "wrist", "path": tmp_path}) as recorder:
        assert recorder.folder == tmp_path / "new" / "sub-P-01_x" / "ses-1"
        early = json.loads((recorder.folder / "session.json").read_text("utf-8"))
        recorder.add_stream(PPG)
        recorder.add_stream(TASK)
        recorder.add_stream(PPG)
        for begin in range(0, 100, 10):
            recorder.write(chunk(begin))
        recorder.clock_offset(PPG.key, time=102.0, offset=2.0)
        recorder.marker(Marker(101.5, "a\tb\nc\\", "task"), raw_time=99.5)
        recorder.marker(Marker(101.75, '{"affectstream": 1, "event": "note"}'))
        recorder.close({"checkpoint": "abc"})
        recorder.write(chunk(100))

    assert early["rig"] == "wrist"
    assert early["path"] == str(tmp_path)
    assert early["stopped"] is None
    late = json.loads((recorder.folder / "session.json").read_text("utf-8"))
    assert (late["participant"], late["session"], late["checkpoint"]) == ("P-01_x", "1", "abc")
    assert late["samples"] == {"wrist ppg": 100, "task": 1, "affectstream markers": 1}
    assert late["stopped"] > late["started"] == early["started"]
    assert (late["dropped"], late["fault"], recorder.fault) == ({}, "", "")
    assert recorder.dropped == {"wrist ppg": 10}

    lines = (recorder.folder / "events.tsv").read_text("utf-8").split("\n")
    assert lines == [
        "onset\ttext\tstream",
        "101.5\ta\\tb\\nc\\\\\ttask",
        '101.75\t{"affectstream": 1, "event": "note"}\t',
        "",
    ]
    recording = read_xdf(recorder.folder / "recording.xdf")
    (ppg,) = recording.streams
    np.testing.assert_array_equal(ppg.samples[:, 0], np.arange(100))
    np.testing.assert_allclose(ppg.times, 102 + np.arange(100) / 64, atol=1e-9)
    assert [m.text for m in recording.markers] == [
        "a\tb\nc\\",
        '{"affectstream": 1, "event": "note"}',
    ]
    assert recording.markers[0].time == 99.5
    assert sorted(p.name for p in recorder.folder.iterdir()) == [
        "events.tsv",
        "recording.xdf",
        "session.json",
    ]


def test_sessions_are_numbered_and_never_overwritten(tmp_path: Path) -> None:
    names = []
    for session in (None, None, "pilot", None):
        with Recorder(tmp_path, "P1", session=session) as recorder:
            names.append(recorder.folder.name)
    assert names == ["ses-1", "ses-2", "ses-pilot", "ses-3"]
    with pytest.raises(InputError, match="'pilot'"):
        Recorder(tmp_path, "P1", session="pilot")


@pytest.mark.parametrize("name", ["", "a b", "../x", "a/b", "Jörg", "x" * 65, "a\n", "."])
def test_names_that_are_no_pseudonyms_are_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(InputError, match="cannot name a folder"):
        Recorder(tmp_path, name)
    with pytest.raises(InputError, match="cannot name a folder"):
        Recorder(tmp_path, "P1", session=name)
    assert not list(tmp_path.glob("**/recording.xdf"))


def test_a_folder_that_cannot_be_written_is_an_input_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    with pytest.raises(InputError, match="cannot record"):
        Recorder(tmp_path / "file", "P1")


def test_a_full_queue_drops_and_counts_but_keeps_headers_and_markers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "CAPACITY", 8)
    recorder = Recorder(tmp_path, "P1")
    stalled, go_on = threading.Event(), threading.Event()

    def stall() -> None:
        stalled.set()
        go_on.wait(30)

    recorder._put(module._Job(stall, "", 0), 16)
    assert stalled.wait(30)
    recorder.add_stream(PPG)
    for begin in range(0, 200, 10):
        recorder.write(chunk(begin))
    recorder.marker(Marker(1.0, "kept"))
    assert recorder.dropped == {PPG.key: 130}
    go_on.set()
    recorder.close()
    recording = read_xdf(recorder.folder / "recording.xdf")
    assert len(recording.streams[0].times) == 70
    assert [m.text for m in recording.markers] == ["kept"]
    session = json.loads((recorder.folder / "session.json").read_text("utf-8"))
    assert session["dropped"] == {PPG.key: 130}


def test_chunks_that_do_not_fit_cost_only_themselves(tmp_path: Path) -> None:
    with Recorder(tmp_path, "P1") as recorder:
        recorder.write(Chunk("unknown", np.zeros(1), np.zeros((1, 1))))
        recorder.add_stream(PPG)
        recorder.write(Chunk(PPG.key, np.zeros(3), np.zeros((3, 2))))
        recorder.write(chunk(0))
    assert recorder.dropped == {"unknown": 1, PPG.key: 3}
    assert "'unknown'" in recorder.fault
    assert len(read_xdf(recorder.folder / "recording.xdf").streams[0].times) == 10


def test_buffers_may_be_used_again_at_once(tmp_path: Path) -> None:
    with Recorder(tmp_path, "P1") as recorder:
        recorder.add_stream(PPG)
        times, samples = np.arange(10.0), np.ones((10, 1))
        for _ in range(50):
            samples[:] = 1.0
            recorder.write(Chunk(PPG.key, times, samples))
            samples[:] = -1.0
    assert np.all(read_xdf(recorder.folder / "recording.xdf").streams[0].samples == 1.0)


def test_a_removed_folder_is_a_fault_and_nothing_is_raised(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if os.name == "nt":
        pytest.skip("Windows does not remove open files")
    monkeypatch.setattr("realtime.xdf_writer.CHECK_SECONDS", 0.0)
    recorder = Recorder(tmp_path, "P1")
    recorder.add_stream(PPG)
    for path in recorder.folder.iterdir():
        path.unlink()
    recorder.folder.rmdir()
    deadline = time.monotonic() + 30
    while not recorder.fault and time.monotonic() < deadline:
        time.sleep(0.01)
    recorder.write(chunk(0))
    recorder.close()
    assert "removed" in recorder.fault
    assert recorder.dropped[PPG.key] == 10


KILLED = """
import sys, numpy as np, time
from realtime.chunk import Chunk
from realtime.recorder import Recorder
from realtime.recording import Marker, StreamInfo
recorder = Recorder(sys.argv[1], "P1", {"rig": "wrist"})
recorder.add_stream(StreamInfo("s", "s", "PPG", 64.0, ("a",), ("",), format="double64"))
for i in range(10**9):
    index = np.arange(10.0 * i, 10.0 * i + 10)
    recorder.write(Chunk("s", index / 64, index[:, None]))
    recorder.marker(Marker(i, f"event {i}"))
    time.sleep(0.001)
    if i % 10 == 0:
        print(i, flush=True)
"""


def test_a_killed_process_leaves_files_that_open(tmp_path: Path) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", KILLED, str(tmp_path)], cwd=ROOT, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        for _ in range(15):
            process.stdout.readline()
        process.kill()
    folder = tmp_path / "sub-P1" / "ses-1"
    (stream,) = read_xdf(folder / "recording.xdf").streams
    assert len(stream.times) > 100
    np.testing.assert_array_equal(stream.samples[:, 0], np.arange(len(stream.times)))
    assert json.loads((folder / "session.json").read_text("utf-8"))["rig"] == "wrist"
    events = (folder / "events.tsv").read_text("utf-8").split("\n")
    assert events[:2] == ["onset\ttext\tstream", "0.0\tevent 0\t"]
    assert len(events) > 10
