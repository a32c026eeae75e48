"""DMER: mixed emotions from short films; EEG cap, wristband (GSR, PPG) and a webcam.

Yang, Liu, Liu, Shu, Ji, Ren, Sheng, Yu, Yi, Zhang and Liu (2024): A multimodal dataset for mixed
emotion recognition. Scientific Data 11, 847. https://doi.org/10.1038/s41597-024-03676-4

Read here are the raw files of the 73 valid participants, a folder `Raw_data/N` each:

- `subN/1_raw.edf`: DSI-24 dry EEG cap, 300 Hz, and the trigger of every event;
- `N/raw_gsr.csv` (4 Hz) and `N/raw_ppg.csv` (100 Hz) of the wristband: a row a sample, with the
  time at which a packet came (on its first row only), the value, and the trigger if one fell there;
- `N/*_panas.csv`: a row a film, with its number and ten scores from 1 to 5;
- `N/camera.csv` and the video `N/*.mp4`, where they are there (see `model.datasets.dmer_face`).

Films 0 to 7 are pleasant, 8 to 15 unpleasant, 16 to 31 mixed. A trigger is the film's number plus
10 at its start and plus 100 at its end; 40 stands for three minutes of rest before the first film.

Certain, because the authors' programs for recording and for splitting say so: names and columns of
the files, rates, triggers, kinds of films, order of the ten items, that participant 26's scores are
stored with 10 added, that of the cap's 21 electrodes A1, A2 and the reference Pz are left out (the
other 18 are those of the rig `dmer`), and that a film's signals are aligned at its end. Inferred:
the unit of GSR, which no file states (microsiemens are assumed), and that the trigger lies in a
channel of that name or else in the annotations, which readers of the data tell differently.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import ClassVar

import edfio
import numpy as np
import pandas as pd
from numpy.typing import NDArray

from model.datasets.base import Dataset, Session, Trial
from model.datasets.dmer_face import EVENTS, film_frames, read_face, video_of
from model.datasets.edf import open_edf
from model.labels import PANAS10, LabelSet
from realtime.errors import InputError
from realtime.recording import RecordedStream, Recording, StreamInfo

PARTICIPANTS = (1, 2, *range(5, 13), 14, 15, *range(18, 27), *range(28, 31), *range(32, 81))
"""Numbers of the 73 whose data are valid."""

FILMS = 32
REST = 40
START, STOP = 10, 100
"""What the trigger adds to the number of a film."""

CITATION = "https://doi.org/10.1038/s41597-024-03676-4 (DMER; on request, research use)"

SHIFTED = 26
"""The participant whose scores are stored with 10 added."""

_WRISTBAND = {
    "GSR": ("raw_gsr.csv", "GSR", 4.0, "uS"),
    "PPG": ("raw_ppg.csv", "PPG", 100.0, "a.u."),
}
"""File, stream type, rate in 1/s and unit."""

Marks = Sequence[tuple[float, int]]
"""When each trigger came (in seconds, or in rows of a table), in order."""

Stretches = Mapping[int, tuple[float, float]]
"""Start and stop of each film, by number."""


class Dmer(Dataset):
    """Loader of the raw files."""

    name: ClassVar[str] = "dmer"
    folder: ClassVar[str] = "dmer"
    source: ClassVar[str] = CITATION
    rig: ClassVar[str] = "dmer"
    labels: ClassVar[LabelSet] = PANAS10
    note: ClassVar[str] = (
        "DMER has no condition of plain stress. No file states the unit of GSR; it is taken for uS."
    )

    def sessions(self, root: Path) -> tuple[Session, ...]:
        """List one recording a participant."""
        base = root / "Raw_data" if (root / "Raw_data").is_dir() else root
        return tuple(_session(base / str(number), number) for number in participants(base))


def participants(base: Path) -> list[int]:
    """Return the numbers of the participants whose folders are there.

    Raises
    ------
    InputError
        If there is none, or one that is not valid.
    """
    found = sorted(int(one.name) for one in base.iterdir() if one.is_dir() and one.name.isdecimal())
    if not found:
        raise InputError(f"no folder 1, 2, 5 ... in {str(base)!r}: give DMER's own folder")
    unknown = [number for number in found if number not in PARTICIPANTS]
    if unknown:
        raise InputError(
            f"{str(base)!r} has the participant {unknown[0]}, who is not among the 73 valid ones "
            "of DMER: take that folder away"
        )
    return found


def kind_of(film: int) -> str:
    """Return what a film was chosen for: positive, negative or mixed emotion."""
    return "positive" if film < 8 else "negative" if film < 16 else "mixed"


def _session(folder: Path, number: int) -> Session:
    edf = folder / f"sub{number}" / "1_raw.edf"
    tables = folder / str(number)
    files = (edf, *(tables / file for file, *_ in _WRISTBAND.values()))
    for path in files:
        if not path.is_file():
            raise InputError(
                f"participant {number} lacks the file {str(path)!r}: restore it from DMER"
            )
    stretches = _stretches(_eeg_marks(open_edf(edf), edf))
    films = sorted((film for film in stretches if film != REST), key=lambda film: stretches[film])
    if not films:
        raise InputError(f"{str(edf)!r} has no trigger of any film: restore it from DMER")
    ratings = read_ratings(tables, number)
    unanswered = dict.fromkeys(PANAS10.emotions, float("nan"))
    video = video_of(tables)
    return Session(
        participant=str(number),
        name=str(number),
        trials=tuple(
            Trial(f"film {film}", kind_of(film), *stretches[film], ratings.get(film, unanswered))
            for film in films
        ),
        baseline=stretches.get(REST),
        files=files if video is None else (*files, tables / EVENTS, video),
        read=functools.partial(read_participant, edf, tables),
    )


def read_ratings(folder: Path, number: int) -> dict[int, dict[str, float]]:
    """Return a participant's ten scores by film; InputError if the file is not as published."""
    found = sorted(folder.glob("*_panas.csv"))
    if len(found) != 1:
        raise InputError(
            f"{str(folder)!r} has {len(found)} files *_panas.csv instead of one: restore it"
        )
    table = _numbers(found[0], 1 + len(PANAS10))
    if not np.isfinite(table[:, 0]).all():
        raise InputError(f"{str(found[0])!r} has a row without a film: restore it")
    scores = table[:, 1:]
    if number == SHIFTED and (scores > PANAS10.scale[1]).all():
        scores = scores - 10
    return {
        int(film): dict(zip(PANAS10.emotions, map(float, row), strict=True))
        for film, row in zip(table[:, 0], scores, strict=True)
        if film < FILMS  # the film for practice has a number of its own
    }


def read_participant(edf: Path, tables: Path) -> Recording:
    """Read all devices as a recording on the clock of the EEG, in seconds from its start."""
    file = open_edf(edf)
    marks = _eeg_marks(file, edf)
    used = [signal for signal in file.signals if not _is_event(signal.label)]
    rates = {signal.sampling_frequency for signal in used}
    if len(rates) != 1:
        raise InputError(f"{str(edf)!r} has signals of {len(rates)} rates: restore it from DMER")
    samples = np.stack([signal.data for signal in used], axis=1).astype(np.float64)
    rate = rates.pop()
    info = StreamInfo(
        key="EEG",
        name="DSI-24",
        type="EEG",
        rate=rate,
        labels=tuple(signal.label for signal in used),
        units=tuple(signal.physical_dimension for signal in used),
        source_id=f"{tables.name}-EEG",
    )
    streams = [RecordedStream(info, np.arange(len(samples)) / rate, samples)]
    for key, (name, kind, pace, unit) in _WRISTBAND.items():
        path = tables / name
        table = _numbers(path, 3)
        own = [(float(row), int(table[row, 2])) for row in np.flatnonzero(table[:, 2] > 0)]
        if not _stretches(own):
            raise InputError(f"{str(path)!r} has no trigger of any film: restore it from DMER")
        times, values = _placed(table[:, 1], pace, _stretches(own), _stretches(marks))
        band = StreamInfo(
            key=key,
            name=f"wristband {key}",
            type=kind,
            rate=pace,
            labels=(key,),
            units=(unit,),
            source_id=f"{tables.name}-{key}",
        )
        streams.append(RecordedStream(band, times, values[:, None]))
    video = video_of(tables)
    if video is not None:
        path = tables / EVENTS
        rows = _numbers(path, 3)
        if not np.isfinite(rows).all():
            raise InputError(
                f"{str(path)!r} has an event without film, trigger or time: restore it"
            )
        events = [(int(film), int(trigger), float(time)) for film, trigger, time in rows]
        frames = film_frames(path, events, START, STOP)
        streams.append(read_face(video, frames, _stretches(marks)))
    return Recording(path=str(edf.parent.parent), streams=tuple(streams), start=0.0)


def _placed(
    values: NDArray[np.float64], rate: float, rows: Stretches, times: Stretches
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Put a table on the clock of the EEG, by the triggers that both have.

    From one trigger to the next, samples count back at their rate from the later one, as the
    authors align them; what would lie before the earlier one is dropped.
    """
    both = [film for film in rows if film in times]
    anchors = sorted((times[film][edge], rows[film][edge]) for film in both for edge in (0, 1))
    placed, kept = [np.empty(0)], [np.empty(0)]
    for (begin, first), (end, last) in zip(anchors[:-1], anchors[1:], strict=True):
        part = values[int(first) : int(last)]
        stamps = end - np.arange(len(part), 0, -1) / rate
        inside = stamps >= begin
        placed.append(stamps[inside])
        kept.append(part[inside])
    return np.concatenate(placed), np.concatenate(kept)


def _eeg_marks(file: edfio.Edf, path: Path) -> Marks:
    """Return the triggers: every sample of their channel above 0, else the numbers annotated."""
    for signal in file.signals:
        if signal.label.casefold().startswith("trigger"):
            codes = np.rint(signal.data).astype(int)
            where = np.flatnonzero(codes > 0)
            if len(where):
                return [(float(at / signal.sampling_frequency), int(codes[at])) for at in where]
    marks = [(note.onset, int(note.text)) for note in file.annotations if note.text.isdecimal()]
    if not marks:
        raise InputError(f"{str(path)!r} has no trigger: restore it from DMER")
    return marks


def _stretches(marks: Marks) -> Stretches:
    """Return the films of which a start is followed at once by its own stop.

    A trigger may last several samples: a film reaches from the last of its start to the first of
    its stop. One that was begun anew counts from there.
    """
    return {
        first - START: (begin, end)
        for (begin, first), (end, second) in zip(marks[:-1], marks[1:], strict=True)
        if second - first == STOP - START and (0 <= first - START < FILMS or first - START == REST)
    }


def _is_event(label: str) -> bool:
    return label.casefold().startswith(("trigger", "event"))


def _numbers(path: Path, columns: int) -> NDArray[np.float64]:
    """Read a table of numbers without a head; empty cells are NaN."""
    try:
        # One column more than there may be, to tell a table that has it.
        table = pd.read_csv(
            path, header=None, names=range(columns + 1), index_col=False, dtype=np.float64
        ).to_numpy()
        if not len(table) or np.isfinite(table[:, columns]).any():
            raise ValueError(f"{len(table)} rows, some of more than {columns} columns")
    except (OSError, ValueError) as error:
        raise InputError(
            f"cannot read {str(path)!r} ({str(error).splitlines()[0]}): it needs {columns} columns "
            "of numbers"
        ) from error
    return np.asarray(table[:, :columns])
