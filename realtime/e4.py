"""Read an Empatica E4 recording: a folder with a CSV file a sensor.

Each file's first line is the start of that sensor in Unix seconds (UTC), the second its rate, then
come samples. HR and IBI are computed by the device from BVP, partly with hindsight: they are left
out.
"""

from __future__ import annotations

import gzip
import zlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from realtime.errors import InputError
from realtime.metadata import clean, description_xml
from realtime.recording import Marker, RecordedStream, Recording, StreamInfo

MAX_BYTES = 2**30  # of one file, unpacked; 36 h of BVP are 0.1 GB
TAGS = "tags"


@dataclass(frozen=True, slots=True)
class _Sensor:
    """One of the wristband's files."""

    file: str
    type: str
    labels: tuple[str, ...]
    unit: str
    scale: float = 1.0


SENSORS = (
    _Sensor("BVP", "PPG", ("BVP",), "a.u."),
    _Sensor("EDA", "EDA", ("EDA",), "uS"),
    _Sensor("TEMP", "Temperature", ("TEMP",), "degC"),
    _Sensor("ACC", "ACC", ("X", "Y", "Z"), "g", 1 / 64),  # the E4 counts 1/64 g
)


def is_e4_folder(folder: Path) -> bool:
    """Tell whether a folder holds any of the wristband's sensor files."""
    return any(_find(folder, sensor.file) is not None for sensor in SENSORS)


def read_e4(folder: str | Path) -> Recording:
    """Read an Empatica E4 folder.

    Parameters
    ----------
    folder : str or Path
        The folder with ``BVP.csv``, ``EDA.csv``, ``TEMP.csv``, ``ACC.csv`` and ``tags.csv``, each
        plain or as ``.csv.gz``; or a folder with exactly one such folder in it. Any sensor may be
        missing.

    Returns
    -------
    Recording
        Its clock counts seconds from the start of the earliest sensor. `StreamInfo.created_at` is
        each sensor's start in Unix seconds. Button presses (``tags.csv``) are markers.

    Raises
    ------
    InputError
        If the folder is no E4 recording, or none of its files can be read.
    """
    folder = _locate(Path(folder))
    faults: list[str] = []
    loaded: list[tuple[_Sensor, float, float, NDArray[np.float64], tuple[str, ...]]] = []
    for sensor in SENSORS:
        path = _find(folder, sensor.file)
        if path is None:
            faults.append(f"{sensor.file}.csv is missing: no {sensor.type}")
            continue
        try:
            loaded.append((sensor, *_read_sensor(path, len(sensor.labels))))
        except (InputError, OSError, EOFError, zlib.error) as error:
            faults.append(f"{path.name} cannot be read: no {sensor.type} ({error})")
    if not loaded:
        raise InputError(
            f"the folder {str(folder)!r} is no E4 recording that can be read "
            f"({'; '.join(faults)}): give an Empatica E4 folder"
        )
    zero = min(start for _, start, _, _, _ in loaded)
    streams = []
    for sensor, start, rate, samples, problems in loaded:
        info = StreamInfo(
            key=sensor.file,
            name=f"E4 {sensor.file}",
            type=sensor.type,
            rate=rate,
            labels=sensor.labels,
            units=(sensor.unit,) * len(sensor.labels),
            source_id=clean(f"{folder.resolve().name}:{sensor.file}"),
            # The files hold decimal text: float32 on the way through a replay would change it.
            format="double64",
            description=description_xml(
                sensor.labels,
                (sensor.unit,) * len(sensor.labels),
                sensor.type,
                manufacturer="Empatica",
                model="E4",
            ),
            created_at=start,
        )
        times = (start - zero) + np.arange(len(samples)) / rate
        if start - zero > 3600:
            problems += (f"it starts {start - zero:.0f} s after the first sensor",)
        streams.append(RecordedStream(info, times, samples * sensor.scale, problems))
    tags = StreamInfo(
        key=TAGS,
        name="E4 tags",
        type="Markers",
        rate=0.0,
        labels=("",),
        units=("",),
        format="string",
    )
    markers, tag_faults = _read_tags(folder, zero)
    return Recording(
        path=str(folder),
        streams=tuple(streams),
        markers=markers,
        marker_streams=(tags,) if _find(folder, TAGS) is not None else (),
        start=0.0,
        faults=(*faults, *tag_faults),
    )


def _locate(folder: Path) -> Path:
    """Return the E4 folder that was meant."""
    try:
        if not folder.is_dir():
            raise InputError(
                f"{str(folder)!r} is not a folder: give the Empatica E4 folder with its CSV files"
            )
        if is_e4_folder(folder):
            return folder
        inside = sorted(child for child in folder.iterdir() if child.is_dir())
        found = [child for child in inside if is_e4_folder(child)]
    except OSError as error:
        raise InputError(
            f"cannot read the folder {str(folder)!r} ({error.strerror or error}): "
            "check its permissions"
        ) from error
    if not found:
        raise InputError(
            f"the folder {str(folder)!r} is no E4 recording (it has none of "
            f"{', '.join(f'{sensor.file}.csv' for sensor in SENSORS)}): give an Empatica E4 folder"
        )
    if len(found) > 1:
        raise InputError(
            f"the folder {str(folder)!r} holds {len(found)} E4 recordings "
            f"({', '.join(child.name for child in found[:5])}, ...): give one of them"
        )
    return found[0]


def _find(folder: Path, name: str) -> Path | None:
    for suffix in (".csv", ".csv.gz"):
        path = folder / f"{name}{suffix}"
        if path.is_file():
            return path
    return None


def _read_bytes(path: Path) -> bytes:
    opener = gzip.open if path.suffix == ".gz" else open
    with opener(path, "rb") as file:
        data: bytes = file.read(MAX_BYTES + 1)
    if len(data) > MAX_BYTES:
        raise InputError(f"{path.name} is longer than {MAX_BYTES} bytes: split it")
    return data


def _read_sensor(
    path: Path, columns: int
) -> tuple[float, float, NDArray[np.float64], tuple[str, ...]]:
    """Return start, rate, samples of shape (n_samples, columns), and faults."""
    lines = _read_bytes(path).split(b"\n", 2)
    start, rate = (_first_number(line) for line in (*lines, b"", b"")[:2])
    if not 0 < start < 1e11:
        raise InputError(f"its first line {_quote(lines[0])} is no start in Unix seconds: mend it")
    if not 0 < rate <= 1e5:
        line = lines[1] if len(lines) > 1 else b""
        raise InputError(f"its second line {_quote(line)} is no rate in Hz: mend it")
    body = lines[2] if len(lines) > 2 else b""
    samples = _parse_fast(body, columns)
    if samples is not None:
        return start, rate, samples, ()
    samples, bad = _parse_slowly(body, columns)
    return start, rate, samples, (f"{bad} lines of {path.name} are no samples, taken as missing",)


def _parse_fast(body: bytes, columns: int) -> NDArray[np.float64] | None:
    """Parse rows of numbers at once; None if anything about them is odd."""
    body = body.replace(b"\r", b"").strip()
    if not body:
        return np.empty((0, columns))
    rows = body.count(b"\n") + 1
    if body.count(b",") != rows * (columns - 1):
        return None
    try:
        # Half the time of loadtxt for three columns.
        values = np.array(body.replace(b",", b" ").split(), dtype=np.float64)
    except ValueError:
        return None
    # A blank line or field would shift all that follow.
    return values.reshape(rows, columns) if len(values) == rows * columns else None


def _parse_slowly(body: bytes, columns: int) -> tuple[NDArray[np.float64], int]:
    """Parse line by line; a line that is no sample becomes NaN, and is counted."""
    lines = body.replace(b"\r", b"").rstrip().split(b"\n")
    samples = np.full((len(lines), columns), np.nan)
    bad = 0
    for row, line in enumerate(lines):
        fields = line.split(b",")
        try:
            if len(fields) != columns:
                raise ValueError
            samples[row] = [float(text) for text in fields]
        except ValueError:
            bad += 1
    return samples, bad


def _read_tags(folder: Path, zero: float) -> tuple[tuple[Marker, ...], list[str]]:
    path = _find(folder, TAGS)
    if path is None:
        return (), []
    try:
        lines = _read_bytes(path).split()
    except (InputError, OSError, EOFError, zlib.error) as error:
        return (), [f"{path.name} cannot be read: no markers ({error})"]
    times = [_first_number(line) for line in lines]
    good = [time for time in times if 0 < time < 1e11]
    faults = [f"{len(times) - len(good)} lines of {path.name} are no times"] * (times != good)
    return tuple(Marker(time - zero, "tag", TAGS) for time in good), faults


def _first_number(line: bytes) -> float:
    try:
        return float(line.split(b",", 1)[0])
    except ValueError:
        return float("nan")


def _quote(line: bytes) -> str:
    return repr(clean(line[:60].decode("utf-8", "replace"), 40))
