"""EmoPairCompete: pairs who compete in puzzles, with a wristband (no accelerometer).

Das, Lund, Ramos Gonzalez and Clemmensen (2024): EmoPairCompete, physiological signals dataset for
emotion and frustration assessment under team and competitive behaviors. Twelve recordings a person:
four rounds of three phases (before, during and after a puzzle), each rated at its end.
"""

from __future__ import annotations

import functools
from pathlib import Path
from typing import ClassVar

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from model.datasets.base import Dataset, Session, Trial
from model.labels import IPANAS_SF, LabelSet
from realtime.errors import InputError
from realtime.recording import RecordedStream, Recording, StreamInfo

SIGNALS = {
    "BVP": ("PPG", 64.0, "a.u."),
    "EDA": ("EDA", 4.0, "uS"),
    "TEMP": ("Temperature", 4.0, "degC"),
}
"""Stream type, nominal rate in 1/s, and unit, by table name."""

BASELINE_SECONDS = 180.0
"""The first three minutes of a person's first recording, before any puzzle, are the baseline."""


class EmoPairCompete(Dataset):
    """Loader of `dataset/D*/ID_*/round_*/phase*/`, tables plain or gzipped."""

    name: ClassVar[str] = "emopaircompete"
    folder: ClassVar[str] = "emopaircompete"
    source: ClassVar[str] = "the authors of EmoPairCompete (research use)"
    labels: ClassVar[LabelSet] = IPANAS_SF
    note: ClassVar[str] = "EmoPairCompete has no accelerometer and no condition of plain stress."

    def sessions(self, root: Path) -> tuple[Session, ...]:
        """List the recordings, twelve a person, in order of time."""
        base = root / "dataset" if (root / "dataset").is_dir() else root
        people = sorted(base.glob("D*/ID_*"))
        if not people:
            raise InputError(
                f"no folder dataset/D*/ID_* in {str(root)!r}: give EmoPairCompete's own folder"
            )
        return tuple(session for folder in people for session in _sessions(folder))


def _sessions(person: Path) -> list[Session]:
    phases = sorted(person.glob("round_*/phase*"))
    if not phases:
        raise InputError(f"no folder round_*/phase* in {str(person)!r}: restore it")
    spans = {phase: _stamps(_table(phase, "EDA"), "EDA")[[0, -1]] for phase in phases}
    # Whole minutes, so that the slightly different first stamps of the signals stay above 0.
    origin = np.floor(min(span[0] for span in spans.values()) / 60) * 60
    participant = f"{person.parent.name}-{person.name}"
    sessions = []
    for number, phase in enumerate(sorted(phases, key=lambda p: spans[p][0])):
        # Seconds since 1970 are exact to a quarter of a microsecond only.
        start, stop = (round(float(edge - origin), 6) for edge in spans[phase])
        name = f"{phase.parent.name}/{phase.name}"
        trial = Trial(name, phase.name, start, stop, _ratings(phase / "response.csv"))
        sessions.append(
            Session(
                participant=participant,
                name=f"{participant}/{name}",
                trials=(trial,),
                baseline=(start, min(start + BASELINE_SECONDS, stop)) if number == 0 else None,
                files=tuple(_table(phase, signal) for signal in SIGNALS),
                read=functools.partial(read_phase, phase, float(origin)),
            )
        )
    return sessions


def read_phase(phase: Path, origin: float) -> Recording:
    """Read the signals of one phase as a recording.

    Parameters
    ----------
    phase : Path
        Folder with BVP, EDA and TEMP tables.
    origin : float
        What counts as 0, in seconds since 1970 of the tables' own clock.
    """
    streams = []
    for signal, (kind, rate, unit) in SIGNALS.items():
        path = _table(phase, signal)
        times = _stamps(path, signal, origin)
        values = pd.to_numeric(pd.read_csv(path)[signal], errors="coerce")
        info = StreamInfo(
            key=signal,
            name=f"Empatica E4 {signal}",
            type=kind,
            rate=rate,
            labels=(signal,),
            units=(unit,),
            source_id=f"{phase.parent.name}-{phase.name}-{signal}",
        )
        streams.append(RecordedStream(info, times, values.to_numpy(np.float64)[:, None]))
    start = float(min(stream.times[0] for stream in streams))
    return Recording(path=str(phase), streams=tuple(streams), start=start)


def _table(phase: Path, signal: str) -> Path:
    for name in (f"{signal}.csv", f"{signal}.csv.gz"):
        if (phase / name).is_file():
            return phase / name
    raise InputError(f"{str(phase)!r} lacks {signal}.csv (or {signal}.csv.gz): restore it")


def _stamps(path: Path, signal: str, origin: float = 0.0) -> NDArray[np.float64]:
    """Return a table's times in seconds since `origin`, itself in seconds since 1970.

    The tables do not name their time zone; it is taken for UTC.
    """
    try:
        table = pd.read_csv(path)
        stamps = pd.to_datetime(table["time"], format="ISO8601")
        table[signal]
    except (OSError, EOFError, ValueError, KeyError) as error:
        raise InputError(
            f"cannot read {str(path)!r} ({str(error).splitlines()[0]}): it needs the columns "
            f"{signal} and time (ISO 8601)"
        ) from error
    if not len(stamps):
        raise InputError(f"{str(path)!r} has no samples: restore it")
    since = (stamps - pd.Timestamp(origin, unit="s")) / pd.Timedelta(seconds=1)
    return np.asarray(since, dtype=np.float64)


def _ratings(path: Path) -> dict[str, float]:
    if not path.is_file():
        raise InputError(f"no file {str(path)!r}: restore the ratings of this phase")
    table = pd.read_csv(path)
    missing = [item for item in IPANAS_SF.emotions if item not in table.columns]
    if missing or len(table) != 1:
        what = f"no column {missing[0]!r}" if missing else f"{len(table)} rows instead of one"
        raise InputError(f"{str(path)!r} has {what}: restore it")
    row = table.iloc[0]
    return {item: float(pd.to_numeric(row[item], errors="coerce")) for item in IPANAS_SF.emotions}
