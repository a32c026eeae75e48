"""Open a recording, whatever kind it is."""

from __future__ import annotations

from pathlib import Path

from realtime.e4 import SENSORS, read_e4
from realtime.errors import InputError
from realtime.recording import Recording
from realtime.xdf import read_xdf


def open_recording(path: str | Path) -> Recording:
    """Read an XDF file or an Empatica E4 folder.

    Raises
    ------
    InputError
        If there is nothing at `path`, or it is neither, or it cannot be read.
    """
    path = Path(path)
    try:
        if path.is_dir():
            return read_e4(path)
        exists, is_file = path.exists(), path.is_file()
    except (OSError, ValueError) as error:  # a name too long, or with a NUL in it
        raise InputError(f"cannot open the recording {str(path)!r}: {error}") from error
    if not exists:
        raise InputError(
            f"there is no recording {str(path)!r}: give the path of an XDF file or an E4 folder"
        )
    if not is_file:
        raise InputError(f"{str(path)!r} is no file: give an XDF file or an E4 folder")
    stem = path.name.split(".")[0]
    if ".csv" in path.suffixes and stem in {sensor.file for sensor in SENSORS}:
        raise InputError(
            f"{str(path)!r} is one sensor's file: give the E4 folder {str(path.parent)!r}"
        )
    return read_xdf(path)
