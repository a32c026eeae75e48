"""WESAD's `SX.pkl`: both devices' signals on one clock, and which condition they belong to.

The file is a pickle of Python 2: `signal` holds `chest` (RespiBAN, 700 Hz: ACC, ECG, EMG, EDA,
Temp, Resp) and `wrist` (Empatica E4: ACC 32 Hz, BVP 64, EDA 4, TEMP 4), `label` the condition at
700 Hz, `subject` the person. All signals start together. Rates and units are those of the dataset's
readme.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from model.datasets.pickles import read_pickle
from realtime.errors import InputError
from realtime.recording import RecordedStream, Recording, StreamInfo

LABEL_RATE = 700.0
"""Labels a second."""

CONDITIONS = {1: "Base", 2: "TSST", 3: "Fun", 4: "Medi"}
"""What the labels mean; 0 is between conditions, 5 to 7 are to be ignored."""


@dataclass(frozen=True, slots=True)
class _Signal:
    """One signal of a device, and the stream that it becomes."""

    key: str
    type: str
    labels: tuple[str, ...]
    rate: float
    unit: str
    scale: float = 1.0


_AXES = ("X", "Y", "Z")

CHEST = (
    _Signal("ECG", "ECG", ("ECG",), 700.0, "mV"),
    _Signal("EDA", "EDA", ("EDA",), 700.0, "uS"),
    _Signal("EMG", "EMG", ("EMG",), 700.0, "mV"),
    _Signal("ACC", "ACC", _AXES, 700.0, "g"),
)

WRIST = (
    _Signal("BVP", "PPG", ("BVP",), 64.0, "a.u."),
    _Signal("EDA", "EDA", ("EDA",), 4.0, "uS"),
    _Signal("TEMP", "Temperature", ("TEMP",), 4.0, "degC"),
    _Signal("ACC", "ACC", _AXES, 32.0, "g", 1 / 64),  # the E4 counts 1/64 g
)


def read_conditions(path: Path) -> tuple[tuple[int, float, float], ...]:
    """Return label, start and stop of each condition in order of time, in seconds.

    Raises
    ------
    InputError
        If the file is not WESAD's, or no condition is labelled in it.
    """
    label = np.asarray(_part(_read(path), path, "label"))
    if label.ndim != 1 or label.dtype.kind not in "iu":
        raise InputError(f"{str(path)!r} has labels of shape {label.shape}: restore it from WESAD")
    edges = np.concatenate([[0], np.flatnonzero(np.diff(label)) + 1, [len(label)]])
    found: list[tuple[int, float, float]] = []
    for first, last in zip(edges[:-1], edges[1:], strict=True):
        code = int(label[first]) if len(label) else 0
        if code not in CONDITIONS:
            continue
        start, stop = float(first / LABEL_RATE), float(last / LABEL_RATE)
        # A condition that was interrupted is one still: no condition follows itself.
        if found and found[-1][0] == code:
            start = found.pop()[1]
        found.append((code, start, stop))
    if not found:
        raise InputError(f"{str(path)!r} labels no condition: restore it from WESAD")
    return tuple(found)


def read_chest(path: Path) -> Recording:
    """Read the chest device's ECG, EDA, EMG and ACC as a recording; InputError as above."""
    return _recording(path, "chest", "RespiBAN", CHEST)


def read_wrist(path: Path) -> Recording:
    """Read the wristband's BVP, EDA, TEMP and ACC as a recording; InputError as above."""
    return _recording(path, "wrist", "Empatica E4", WRIST)


def _recording(path: Path, device: str, model: str, signals: tuple[_Signal, ...]) -> Recording:
    given = _part(_part(_read(path), path, "signal"), path, device)
    streams = []
    for signal in signals:
        samples = _samples(_part(given, path, signal.key), len(signal.labels), path, signal.key)
        info = StreamInfo(
            key=signal.key,
            name=f"{model} {signal.key}",
            type=signal.type,
            rate=signal.rate,
            labels=signal.labels,
            units=(signal.unit,) * len(signal.labels),
            source_id=f"{path.stem}-{device}-{signal.key}",
            format="double64",
        )
        times = np.arange(len(samples)) / signal.rate
        streams.append(RecordedStream(info, times, samples * signal.scale))
    return Recording(path=str(path), streams=tuple(streams), start=0.0)


def _read(path: Path) -> Any:
    if not path.is_file():
        raise InputError(f"no file {str(path)!r}: restore it from WESAD")
    return read_pickle(path)


def _part(content: Any, path: Path, key: str) -> Any:
    if not isinstance(content, Mapping) or key not in content:
        raise InputError(f"{str(path)!r} has no {key!r} where WESAD has it: restore it from WESAD")
    return content[key]


def _samples(values: Any, columns: int, path: Path, key: str) -> NDArray[np.float64]:
    shape = np.shape(values)
    if len(shape) != 2 or shape[1] != columns or shape[0] == 0:
        raise InputError(
            f"{str(path)!r} has {key} of shape {shape}, needs (samples, {columns}): "
            "restore it from WESAD"
        )
    return np.asarray(values, dtype=np.float64)
