"""Writing XDF files, verified with pyxdf and with our own reader."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import pyxdf

from realtime.errors import InputError
from realtime.metadata import description_xml
from realtime.recording import Replay, StreamInfo
from realtime.xdf import read_xdf
from realtime.xdf_chunks import BOUNDARY, CLOCK_OFFSET, SAMPLES, STREAM_FOOTER, walk
from realtime.xdf_writer import XdfWriter

ROOT = Path(__file__).parents[2]
NUMERIC = ("float32", "double64", "int8", "int16", "int32", "int64")


def stream(name: str, channel_format: str = "float32", channels: int = 2) -> StreamInfo:
    labels = tuple(f"C{i}" for i in range(channels))
    return StreamInfo(
        key=name,
        name=name,
        type="T",
        rate=0.0 if channel_format == "string" else 10.0,
        labels=labels,
        units=("uV",) * channels,
        source_id=f"id of {name}",
        format=channel_format,
        hostname="lab",
        created_at=12.5,
    )


def test_every_format_reads_back_the_same_in_both_readers(tmp_path: Path) -> None:
    path = tmp_path / "r.xdf"
    times = 100 + np.arange(7) / 10
    samples = np.array([[-128.0, 127.0], [0, 1], [2, 3], [4, 5], [6, 7], [8, 9], [10, 11]])
    texts = [["ü", ""], ["a\tb", "x" * 300], ["", "\n"]]
    with XdfWriter(path) as writer:
        numbers = [writer.add_stream(stream(name, name)) for name in (*NUMERIC, "string")]
        for number in numbers[:-1]:
            writer.write(number, times[:3], samples[:3])
            writer.write(number, times[3:], samples[3:])
        writer.write(numbers[-1], times[:3], texts)

    reference, _ = pyxdf.load_xdf(path, dejitter_timestamps=False)
    assert [s["info"]["name"][0] for s in reference] == [*NUMERIC, "string"]
    for other in reference[:-1]:
        np.testing.assert_array_equal(other["time_series"], samples)
        np.testing.assert_array_equal(other["time_stamps"], times)
        assert other["footer"]["info"]["sample_count"] == ["7"]
    assert reference[-1]["time_series"] == texts

    recording = read_xdf(path)
    assert recording.faults == ()
    for ours in recording.streams:
        np.testing.assert_array_equal(ours.samples, samples)
        np.testing.assert_array_equal(ours.times, times)
        assert ours.faults == ()
    assert [m.text.split("\t", 1)[0] for m in recording.markers] == ["ü", "a", ""]


def test_metadata_survives(tmp_path: Path) -> None:
    path = tmp_path / "r.xdf"
    plain = stream("plain")
    described = StreamInfo(
        key="d",
        name="name with <&> and \x07",
        type="EDA",
        rate=4.0,
        labels=("EDA",),
        units=("uS",),
        description=description_xml(["EDA"], ["uS"], "EDA", manufacturer="Empatica"),
        simulated=True,
        replay=Replay(3600.0, 4.0),
    )
    with XdfWriter(path) as writer:
        writer.add_stream(plain)
        writer.add_stream(described)
    first, second = (s.info for s in read_xdf(path).streams)
    assert (first.labels, first.units) == (plain.labels, plain.units)
    assert (first.source_id, first.hostname, first.created_at) == (plain.source_id, "lab", 12.5)
    assert second.name == "name with <&> and"
    assert second.simulated
    assert second.replay == Replay(3600.0, 4.0)
    assert "Empatica" in second.description


def test_missing_values_and_stamps_survive(tmp_path: Path) -> None:
    path = tmp_path / "r.xdf"
    times = np.array([1.0, np.nan, 3.0])
    samples = np.array([[np.nan], [1.0], [np.inf]])
    with XdfWriter(path) as writer:
        writer.write(writer.add_stream(stream("s", "double64", 1)), times, samples)
    (ours,) = read_xdf(path).streams
    np.testing.assert_array_equal(ours.times, times)
    np.testing.assert_array_equal(ours.samples, samples)
    assert ours.faults == ("1 samples have no time stamp",)


@pytest.mark.parametrize("value", [np.nan, np.inf, 128.0, -129.0])
def test_numbers_that_an_integer_format_lacks_are_refused(tmp_path: Path, value: float) -> None:
    with XdfWriter(tmp_path / "r.xdf") as writer:
        number = writer.add_stream(stream("s", "int8", 1))
        with pytest.raises(ValueError, match="int8"):
            writer.write(number, [1.0], np.array([[value]]))
        writer.write(number, [2.0], np.array([[-128.0]]))
    (ours,) = read_xdf(tmp_path / "r.xdf").streams
    np.testing.assert_array_equal(ours.samples, [[-128.0]])


def test_shapes_that_do_not_fit_are_refused(tmp_path: Path) -> None:
    with XdfWriter(tmp_path / "r.xdf") as writer:
        number, text = writer.add_stream(stream("s")), writer.add_stream(stream("t", "string"))
        with pytest.raises(ValueError, match=r"\(3, 2\)"):
            writer.write(number, [1.0, 2.0], np.zeros((3, 2)))
        with pytest.raises(ValueError, match="1 texts"):
            writer.write(text, [1.0], ["one"])


def test_clock_offsets_bring_the_stream_onto_the_recorders_clock(tmp_path: Path) -> None:
    path = tmp_path / "r.xdf"
    own = 5000.0 + np.arange(300) / 10
    with XdfWriter(path) as writer:
        number = writer.add_stream(stream("s", "double64", 1))
        for i in range(0, 300, 50):
            writer.write(number, own[i : i + 50], own[i : i + 50, None])
            writer.clock_offset(number, time=own[i] - 4000.0, offset=-4000.0)
    recording = read_xdf(path)
    np.testing.assert_allclose(recording.streams[0].times, own - 4000, atol=1e-9)
    assert recording.start == pytest.approx(1000.0, abs=1e-9)
    (other,), _ = pyxdf.load_xdf(path, dejitter_timestamps=False)
    np.testing.assert_allclose(other["time_stamps"], own - 4000, atol=1e-6)
    assert len(other["footer"]["info"]["clock_offsets"][0]["offset"]) == 6


def test_boundaries_come_every_ten_seconds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    now = [0.0]
    monkeypatch.setattr("realtime.xdf_writer.time.monotonic", lambda: now[0])
    path = tmp_path / "r.xdf"
    with XdfWriter(path) as writer:
        number = writer.add_stream(stream("s"))
        for second in range(35):
            now[0] = float(second)
            writer.write(number, [now[0]], np.zeros((1, 2)))
    tags = [chunk.tag for chunk in walk(path.read_bytes())]
    assert tags.count(BOUNDARY) == 3
    assert tags.count(SAMPLES) == 35
    assert tags[-1] == STREAM_FOOTER
    assert CLOCK_OFFSET not in tags


def test_large_writes_become_several_chunks(tmp_path: Path) -> None:
    path = tmp_path / "r.xdf"
    samples = np.arange(2**21, dtype=np.float64)[:, None]
    with XdfWriter(path) as writer:
        writer.write(writer.add_stream(stream("s", "int32", 1)), samples[:, 0], samples)
    assert [chunk.tag for chunk in walk(path.read_bytes())].count(SAMPLES) == 2
    np.testing.assert_array_equal(read_xdf(path).streams[0].samples, samples)


def test_older_files_are_kept(tmp_path: Path) -> None:
    path = tmp_path / "r.xdf"
    for name in ("first", "second", "third"):
        with XdfWriter(path) as writer:
            writer.add_stream(stream(name))
    names = {p.name: read_xdf(p).streams[0].info.name for p in tmp_path.iterdir()}
    assert names == {"r_old1.xdf": "first", "r_old2.xdf": "second", "r.xdf": "third"}


def test_a_path_that_cannot_be_written_is_an_input_error(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no-such-folder"):
        XdfWriter(tmp_path / "no-such-folder" / "r.xdf")


def test_a_removed_folder_is_one_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    if os.name == "nt":
        pytest.skip("Windows does not remove open files")
    monkeypatch.setattr("realtime.xdf_writer.CHECK_SECONDS", 0.0)
    path = tmp_path / "gone" / "r.xdf"
    path.parent.mkdir()
    writer = XdfWriter(path)
    number = writer.add_stream(stream("s"))
    path.unlink()
    path.parent.rmdir()
    with pytest.raises(OSError, match="removed"):
        writer.write(number, [1.0], np.zeros((1, 2)))
    writer.write(number, [2.0], np.zeros((1, 2)))
    writer.close()
    assert "removed" in writer.fault


FULL_DISK = """
import resource, sys, numpy as np
from realtime.recording import StreamInfo
from realtime.xdf_writer import XdfWriter
resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))
writer = XdfWriter(sys.argv[1])
number = writer.add_stream(StreamInfo("s", "s", "T", 10.0, ("a",), ("",)))
errors = 0
for i in range(400):
    try:
        writer.write(number, np.arange(10.0) + 10 * i, np.arange(10.0)[:, None] + 10 * i)
    except OSError as error:
        errors += 1
        assert str(error.strerror) == writer.fault
writer.close()
print(errors, writer.fault)
"""


def test_a_full_disk_is_one_error_and_leaves_a_sound_file(tmp_path: Path) -> None:
    if os.name == "nt":
        pytest.skip("no file size limit to stand for a full disk")
    path = tmp_path / "r.xdf"
    result = subprocess.run(
        [sys.executable, "-c", FULL_DISK, str(path)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )
    assert result.stdout.startswith("1 recording to")
    recording = read_xdf(path)
    assert recording.faults == ()
    samples = recording.streams[0].samples[:, 0]
    assert 1000 < len(samples) < 2000
    np.testing.assert_array_equal(samples, np.arange(len(samples)))


ENDLESS = """
import sys, numpy as np
from realtime.recording import StreamInfo
from realtime.xdf_writer import XdfWriter
writer = XdfWriter(sys.argv[1])
number = writer.add_stream(StreamInfo("s", "s", "T", 10.0, ("a",), ("",), format="double64"))
i = 0
while True:
    writer.write(number, np.arange(10.0) + 10 * i, np.arange(10.0)[:, None] + 10 * i)
    i += 1
    if i % 50 == 0:
        print(10 * i, flush=True)
"""


def test_a_killed_process_leaves_all_that_it_wrote(tmp_path: Path) -> None:
    path = tmp_path / "r.xdf"
    with subprocess.Popen(
        [sys.executable, "-c", ENDLESS, str(path)], cwd=ROOT, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        for _ in range(20):
            written = int(process.stdout.readline())
        process.kill()
    (ours,) = read_xdf(path).streams
    assert len(ours.times) >= written >= 10_000
    np.testing.assert_array_equal(ours.samples[:, 0], np.arange(len(ours.times)))
    (other,), _ = pyxdf.load_xdf(path, dejitter_timestamps=False)
    assert len(other["time_stamps"]) >= written
