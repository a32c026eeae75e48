"""Reading Empatica E4 folders."""

from __future__ import annotations

import gzip
from pathlib import Path

import numpy as np
import pytest

from realtime.e4 import read_e4
from realtime.errors import InputError
from realtime.recording import Marker
from tests.data import data_folder

START = 1_495_437_325.0


def write_e4(folder: Path, seconds: int = 10) -> Path:
    """A small E4 folder: every sensor counts its samples; EDA starts 2 s late."""
    folder.mkdir(parents=True)

    def table(start: float, rate: int, columns: int) -> str:
        rows = [f"{start:.6f}", f"{rate:.6f}"] + [str(i) for i in range(rate * seconds)]
        return "".join(", ".join([row] * columns) + "\n" for row in rows)

    (folder / "BVP.csv").write_text(table(START, 64, 1))
    (folder / "EDA.csv").write_text(table(START + 2, 4, 1))
    (folder / "TEMP.csv").write_text(table(START, 4, 1))
    (folder / "ACC.csv").write_text(table(START, 32, 3))
    (folder / "HR.csv").write_text(table(START + 10, 1, 1))
    (folder / "IBI.csv").write_text(f"{START}, IBI\n1.5,0.8\n")
    (folder / "tags.csv").write_text(f"{START + 3.25:.2f}\n{START + 7:.2f}\n")
    return folder


def test_reads_every_sensor(tmp_path: Path) -> None:
    recording = read_e4(write_e4(tmp_path / "e4"))
    by_key = {stream.info.key: stream for stream in recording.streams}
    assert list(by_key) == ["BVP", "EDA", "TEMP", "ACC"]
    assert [s.info.type for s in recording.streams] == ["PPG", "EDA", "Temperature", "ACC"]
    assert [s.info.rate for s in recording.streams] == [64.0, 4.0, 4.0, 32.0]
    assert [s.info.units[0] for s in recording.streams] == ["a.u.", "uS", "degC", "g"]
    assert by_key["ACC"].info.labels == ("X", "Y", "Z")
    np.testing.assert_array_equal(by_key["BVP"].samples[:, 0], np.arange(640))
    np.testing.assert_array_equal(by_key["BVP"].times, np.arange(640) / 64)
    np.testing.assert_array_equal(by_key["EDA"].times, 2 + np.arange(40) / 4)
    np.testing.assert_array_equal(by_key["ACC"].samples[64], [1.0, 1.0, 1.0])
    assert by_key["EDA"].info.created_at == START + 2
    assert by_key["EDA"].info.source_id == "e4:EDA"
    assert "Empatica" in by_key["EDA"].info.description
    assert recording.markers == (Marker(3.25, "tag", "tags"), Marker(7.0, "tag", "tags"))
    assert recording.start == 0.0
    assert recording.faults == ()


def test_gzipped_files_and_windows_line_ends_read_the_same(tmp_path: Path) -> None:
    plain = read_e4(write_e4(tmp_path / "plain"))
    folder = write_e4(tmp_path / "packed")
    for path in list(folder.iterdir()):
        content = path.read_bytes().replace(b"\n", b"\r\n")
        (folder / f"{path.name}.gz").write_bytes(gzip.compress(content))
        path.unlink()
    packed = read_e4(folder)
    assert packed.markers == plain.markers
    for ours, other in zip(packed.streams, plain.streams, strict=True):
        np.testing.assert_array_equal(ours.samples, other.samples)
        np.testing.assert_array_equal(ours.times, other.times)


def test_folder_with_one_e4_folder_in_it(tmp_path: Path) -> None:
    inner = write_e4(tmp_path / "S2" / "S2_E4_Data")
    (tmp_path / "S2" / "S2_quest.csv").write_text("x")
    assert read_e4(tmp_path / "S2").path == str(inner)
    write_e4(tmp_path / "S2" / "another")
    with pytest.raises(InputError, match="2 E4 recordings"):
        read_e4(tmp_path / "S2")


def test_missing_and_broken_sensors_are_stated(tmp_path: Path) -> None:
    folder = write_e4(tmp_path / "e4")
    (folder / "EDA.csv").unlink()
    (folder / "TEMP.csv").write_text("timestamp,value\n1,2\n")
    (folder / "ACC.csv").write_bytes(b"")
    (folder / "tags.csv").unlink()
    recording = read_e4(folder)
    assert [s.info.key for s in recording.streams] == ["BVP"]
    assert recording.marker_streams == ()
    for name in ("EDA", "TEMP", "ACC"):
        assert any(fault.startswith(f"{name}.csv") for fault in recording.faults)


def test_truncated_gzip_is_a_missing_sensor(tmp_path: Path) -> None:
    folder = write_e4(tmp_path / "e4")
    content = gzip.compress((folder / "BVP.csv").read_bytes())
    (folder / "BVP.csv").unlink()
    (folder / "BVP.csv.gz").write_bytes(content[: len(content) // 2])
    recording = read_e4(folder)
    assert [s.info.key for s in recording.streams] == ["EDA", "TEMP", "ACC"]
    assert "BVP.csv.gz cannot be read" in recording.faults[0]


@pytest.mark.parametrize("bad", ["", "oops", "1,2", "1 2"])
def test_lines_that_are_no_samples_are_missing_and_shift_nothing(tmp_path: Path, bad: str) -> None:
    folder = write_e4(tmp_path / "e4")
    lines = (folder / "BVP.csv").read_text().splitlines()
    lines[102] = bad
    (folder / "BVP.csv").write_text("\n".join(lines) + "\n")
    bvp = read_e4(folder).streams[0]
    expected = np.arange(640.0)
    expected[100] = np.nan
    np.testing.assert_array_equal(bvp.samples[:, 0], expected)
    assert bvp.faults == ("1 lines of BVP.csv are no samples, taken as missing",)


def test_line_that_breaks_off(tmp_path: Path) -> None:
    folder = write_e4(tmp_path / "e4")
    (folder / "ACC.csv").write_text((folder / "ACC.csv").read_text()[:-10])
    acc = read_e4(folder).streams[-1]
    assert len(acc.samples) == 320
    assert np.all(np.isnan(acc.samples[-1]))
    assert np.all(np.isfinite(acc.samples[:-1]))


def test_sensor_without_samples(tmp_path: Path) -> None:
    folder = write_e4(tmp_path / "e4")
    (folder / "ACC.csv").write_text(f"{START}, {START}, {START}\n32.0, 32.0, 32.0\n")
    assert read_e4(folder).streams[-1].samples.shape == (0, 3)


def test_what_is_no_e4_recording(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="not a folder"):
        read_e4(tmp_path / "absent")
    with pytest.raises(InputError, match="no E4 recording"):
        read_e4(tmp_path)
    (tmp_path / "BVP.csv").write_text("time,value\n2020-01-01,3\n")
    with pytest.raises(InputError, match="no start in Unix seconds"):
        read_e4(tmp_path)


def test_real_recording() -> None:
    recording = read_e4(data_folder("wesad_wrist") / "S2")
    shapes = {s.info.key: s.samples.shape for s in recording.streams}
    assert shapes == {
        "BVP": (503943, 1),
        "EDA": (31494, 1),
        "TEMP": (31496, 1),
        "ACC": (251970, 3),
    }
    acc = recording.streams[-1].samples
    assert np.median(np.linalg.norm(acc, axis=1)) == pytest.approx(1.0, abs=0.05)
    assert recording.faults == ()


def test_ten_folders_of_another_dataset_are_refused() -> None:
    with pytest.raises(InputError):
        read_e4(data_folder("emopaircompete") / "dataset" / "D1_1" / "ID_1" / "round_1")
