"""WESAD, wrist: a wristband in rest, stress, amusement and meditation; WESAD's questionnaires.

Schmidt, Reiss, Duerichen, Marberger and Van Laerhoven (2018): Introducing WESAD, a multimodal
dataset for wearable stress and affect detection. ICMI.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Callable
from pathlib import Path
from typing import ClassVar

import pandas as pd

from model.datasets.base import Dataset, Session, Trial
from model.datasets.wesad_pickle import CONDITIONS, read_conditions, read_wrist
from model.labels import PANAS10, LabelSet
from realtime.e4 import read_e4
from realtime.errors import InputError
from realtime.recording import Recording

PANAS_ITEMS = (
    *("active", "distressed", "interested", "inspired", "annoyed", "strong", "guilty", "scared"),
    *("hostile", "excited", "proud", "irritable", "enthusiastic", "ashamed", "alert", "nervous"),
    *("determined", "attentive", "jittery", "afraid", "stressed", "frustrated", "happy", "sad"),
)
"""Order of the answers in SX_quest.csv after every condition but the stress test."""

PANAS_ITEMS_STRESS = (*PANAS_ITEMS[:-1], "angry", "irritated", "sad")
"""Order of the 26 answers after the stress test."""

STANDS_FOR = {"annoyed": "upset"}
"""WESAD did not ask for *upset*; *annoyed* stands in."""

BASELINE_SECONDS = 300.0
"""The first five minutes of the rest condition are the person's baseline."""

SIGNALS = ("BVP.csv", "EDA.csv", "TEMP.csv", "ACC.csv")


SOURCE = "https://archive.ics.uci.edu/dataset/465 (WESAD; research use)"

NOTE = "WESAD has no item *upset*; *annoyed* stands in for it."


class WesadWrist(Dataset):
    """Loader of WESAD's own folders, from the E4's files or from `SX.pkl`.

    The E4's files `SX/SX_E4_Data/*.csv` are taken where `segments.csv` says when the conditions
    were: it has the columns subject, condition, e4_start_s and e4_end_s, in seconds from the start
    of the E4 recording. For anybody else the wrist signals and conditions of `SX/SX.pkl` are.
    """

    name: ClassVar[str] = "wesad-wrist"
    folder: ClassVar[str] = "wesad_wrist"
    source: ClassVar[str] = SOURCE
    labels: ClassVar[LabelSet] = PANAS10
    stress: ClassVar[frozenset[str]] = frozenset({"TSST"})
    note: ClassVar[str] = NOTE

    def sessions(self, root: Path) -> tuple[Session, ...]:
        """List one recording a person; the folders SX of `root`."""
        people = person_folders(root)
        times = root / "segments.csv"
        pickled = [
            folder
            for folder in people
            if pickle_of(folder).is_file()
            and not (times.is_file() and (folder / f"{folder.name}_E4_Data").is_dir())
        ]
        segments = _segments(times) if len(pickled) < len(people) else pd.DataFrame()
        return tuple(
            pickle_session(folder, read_wrist) if folder in pickled else _session(folder, segments)
            for folder in people
        )


def person_folders(root: Path) -> list[Path]:
    """Return the folders S2, S3 ... of WESAD; InputError if there is none."""
    people = sorted(
        (p for p in root.iterdir() if p.is_dir() and re.fullmatch(r"S\d+", p.name)),
        key=lambda p: int(p.name[1:]),
    )
    if not people:
        raise InputError(f"no folder S2, S3 ... in {str(root)!r}: give WESAD's own folder")
    return people


def pickle_of(folder: Path) -> Path:
    """Return where a person's `SX.pkl` lies, or would."""
    return folder / f"{folder.name}.pkl"


def pickle_session(folder: Path, read: Callable[[Path], Recording]) -> Session:
    """Return a person's session from `SX.pkl`, whose labels say when each condition was.

    Parameters
    ----------
    folder : Path
    read : callable
        Takes one device's signals from the file.

    Raises
    ------
    InputError
        If a file is absent or damaged, or labels and questionnaire tell different sessions.
    """
    path, questionnaire = pickle_of(folder), folder / f"{folder.name}_quest.csv"
    for needed in (path, questionnaire):
        if not needed.is_file():
            raise InputError(f"{folder.name} lacks the file {str(needed)!r}: restore it from WESAD")
    ratings = read_panas(questionnaire)
    labelled = read_conditions(path)
    # The questionnaire counts the two meditations, the labels do not.
    told = [condition.split()[0] for condition in ratings]
    found = [CONDITIONS[code] for code, _, _ in labelled]
    if told != found:
        raise InputError(
            f"{folder.name}: its labels tell {', '.join(found)}, its questionnaire "
            f"{', '.join(told)}: restore both from WESAD"
        )
    trials = tuple(
        Trial(condition, condition, start, stop, ten_items(answers))
        for (condition, answers), (_, start, stop) in zip(ratings.items(), labelled, strict=True)
    )
    return Session(
        participant=folder.name,
        name=folder.name,
        trials=trials,
        baseline=_rest(trials, questionnaire),
        files=(path,),
        read=functools.partial(read, path),
    )


def _rest(trials: tuple[Trial, ...], questionnaire: Path) -> tuple[float, float]:
    """Return the stated stretch of rest."""
    rest = next((trial for trial in trials if trial.condition == "Base"), None)
    if rest is None:
        raise InputError(f"{str(questionnaire)!r} has no condition 'Base': a baseline is needed")
    return rest.start, min(rest.start + BASELINE_SECONDS, rest.stop)


def _segments(path: Path) -> pd.DataFrame:
    if not path.is_file():
        raise InputError(
            f"no {path.name!r} in {str(path.parent)!r}: add it, with the columns subject, "
            "condition, e4_start_s, e4_end_s, or add everybody's SX.pkl"
        )
    table = pd.read_csv(path)
    missing = {"subject", "condition", "e4_start_s", "e4_end_s"} - set(table.columns)
    if missing:
        raise InputError(f"{str(path)!r} lacks the column {sorted(missing)[0]!r}: add it")
    return table


def _session(folder: Path, segments: pd.DataFrame) -> Session:
    person = folder.name
    recording = folder / f"{person}_E4_Data"
    files = tuple(recording / name for name in SIGNALS)
    questionnaire = folder / f"{person}_quest.csv"
    for path in (*files, questionnaire):
        if not path.is_file():
            raise InputError(f"{person} lacks the file {str(path)!r}: restore it from WESAD")
    ratings = read_panas(questionnaire)
    own = segments[segments["subject"] == person].sort_values("e4_start_s")
    absent = sorted(set(ratings) - set(own["condition"]))
    if absent:
        raise InputError(f"segments.csv has no row {person!r}, {absent[0]!r}: add its times")
    trials = tuple(
        Trial(condition, condition, float(start), float(stop), ten_items(ratings[condition]))
        for condition, start, stop in zip(
            own["condition"].astype(str), own["e4_start_s"], own["e4_end_s"], strict=True
        )
        if condition in ratings
    )
    return Session(
        participant=person,
        name=person,
        trials=trials,
        baseline=_rest(trials, questionnaire),
        files=files,
        read=functools.partial(read_e4, recording),
    )


def read_panas(path: Path) -> dict[str, dict[str, float]]:
    """Read every PANAS answer of a person from SX_quest.csv.

    Returns
    -------
    dict of str to dict of str to float
        Scores by item, by condition, in order of the session; NaN where there is no answer.

    Raises
    ------
    InputError
        If the lines of the file are not those of WESAD.
    """
    lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
    rows = [[cell.strip() for cell in line.split(";")] for line in lines]
    order = next((row[1:] for row in rows if row[0] == "# ORDER"), None)
    answers = [row[1:] for row in rows if row[0] == "# PANAS"]
    if order is None or not answers:
        raise InputError(f"{str(path)!r} has no lines '# ORDER' and '# PANAS': not a WESAD file")
    result = {}
    # Conditions without a questionnaire (the reading tasks) come last in the order.
    for condition, cells in zip(order, answers, strict=False):
        while cells and not cells[-1]:
            cells = cells[:-1]
        by_count = {len(PANAS_ITEMS): PANAS_ITEMS, len(PANAS_ITEMS_STRESS): PANAS_ITEMS_STRESS}
        items = by_count.get(len(cells))
        if items is None:
            raise InputError(
                f"{str(path)!r}: {condition!r} has {len(cells)} PANAS answers, needs 24 or 26"
            )
        result[condition] = {
            item: _score(cell, path) for item, cell in zip(items, cells, strict=True)
        }
    return result


def _score(cell: str, path: Path) -> float:
    if cell.lower() in ("", "nan"):
        return float("nan")
    try:
        return float(cell)
    except ValueError:
        raise InputError(f"{str(path)!r} has the PANAS answer {cell!r}: need a number") from None


def ten_items(answers: dict[str, float]) -> dict[str, float]:
    """Return the ten DMER items of a person's answers."""
    named = {STANDS_FOR.get(item, item): score for item, score in answers.items()}
    return {item: named[item] for item in PANAS10.emotions}
