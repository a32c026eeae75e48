"""Opening recordings of any kind."""

from __future__ import annotations

from pathlib import Path

import pytest

from realtime.errors import InputError
from realtime.files import open_recording
from realtime.recording import StreamInfo
from realtime.xdf_writer import XdfWriter
from tests.realtime.test_e4 import write_e4


def test_opens_a_folder_and_a_file(tmp_path: Path) -> None:
    write_e4(tmp_path / "e4")
    assert len(open_recording(tmp_path / "e4").streams) == 4
    # The content decides, not the name.
    with XdfWriter(tmp_path / "recording.dat") as writer:
        writer.add_stream(StreamInfo("s", "s", "T", 1.0, ("",), ("",)))
    assert [s.info.name for s in open_recording(str(tmp_path / "recording.dat")).streams] == ["s"]


def test_all_else_is_an_input_error(tmp_path: Path) -> None:
    write_e4(tmp_path / "e4")
    (tmp_path / "notes.xdf").write_text("hello")
    (tmp_path / "empty").mkdir()
    cases = {
        "absent.xdf": "there is no recording",
        "notes.xdf": "not an XDF file",
        "empty": "no E4 recording",
        "e4/BVP.csv": "give the E4 folder",
        "a\0b": "recording",
        "x" * 5000: "recording",
    }
    for name, words in cases.items():
        with pytest.raises(InputError, match=words):
            open_recording(tmp_path / name)
