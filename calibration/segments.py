"""Trials and ratings of an Empatica E4 recording, from two tables in its folder.

``segments.csv`` has a row a trial::

    trial,condition,start,stop
    baseline,,0,180
    1,film,200,320
    2,speech,340,460

``start`` and ``stop`` are seconds from the start of the recording (the first line of the earliest
sensor's file), or Unix seconds, as in the wristband's own files. The row of the trial ``baseline``
states the person's rest, and needs no rating. ``condition`` may be empty.

``ratings.csv`` has a row a trial, and a column an item, with raw scores on the questionnaire's
scale; an empty field is an item that was not answered::

    trial,inspired,alert,excited,enthusiastic,determined,afraid,upset,nervous,scared,distressed
    1,2,3,2,3,2,1,1,1,1,1
    2,1,4,1,,3,2,2,5,3,4

Items are those of one questionnaire: what the model predicts, or one that ships
(`calibration.instruments`) and has all of that. Both files are UTF-8, with commas
between fields; or with semicolons, and then with commas or points in numbers.
"""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from calibration.instruments import INSTRUMENTS, load_instrument
from calibration.runs import Timed, named
from model.labels import LabelSet
from realtime.errors import InputError
from realtime.markers import Event
from realtime.metadata import clean

SEGMENTS, RATINGS = "segments.csv", "ratings.csv"
COLUMNS = ("trial", "condition", "start", "stop")
BASELINE = "baseline"

MAX_BYTES = 2**20
MAX_ROWS = 5000
_UNIX = 1e8  # s; no recording lasts three years


@dataclass(frozen=True, slots=True)
class _Form:
    """What columns of ratings may be called, and what may stand in them."""

    name: str
    items: tuple[str, ...]
    scale: tuple[float, float]


@dataclass(frozen=True, slots=True)
class _Row:
    """One row: its place in the file, for messages, and its fields by lower-case column."""

    place: str
    fields: Mapping[str, str]


def has_tables(folder: Path) -> bool:
    """Tell whether a folder holds either table."""
    return (folder / SEGMENTS).is_file() or (folder / RATINGS).is_file()


def read_tables(
    folder: Path,
    zero: float,
    length: float,
    labels: LabelSet,
) -> list[Timed]:
    """Read both tables as the events that markers would have given.

    Parameters
    ----------
    folder : Path
        That holds the tables.
    zero : float
        Unix time at which the recording's clock is 0, in seconds.
    length : float
        When the recording ends, on its clock, in seconds.
    labels : LabelSet
        What the model predicts; ratings must ask for all of it.

    Raises
    ------
    InputError
        If a table is missing, cannot be read, or does not fit the other, the recording or the
        questionnaires. Trials without a rating are no error.
    """
    for name in (SEGMENTS, RATINGS):
        if not (folder / name).is_file():
            raise InputError(
                f"{str(folder)!r} has no {name!r}: trials need both {SEGMENTS!r} (columns "
                f"{', '.join(COLUMNS)}) and {RATINGS!r} (trial, then a column an item)"
            )
    stops: dict[str, float] = {}
    events: list[Timed] = []
    for trial, condition, start, stop in _segments(folder / SEGMENTS, zero, length):
        stops[trial] = stop
        if trial == BASELINE:
            events += [(start, Event("baseline_start")), (stop, Event("baseline_stop"))]
            continue
        events.append((start, Event("trial_start", trial=trial, condition=condition)))
        events.append((stop, Event("trial_stop", trial=trial, condition=condition)))
    columns, rows = _read(folder / RATINGS)
    form, items = _form(columns, labels)
    for row in rows:
        trial = row.fields["trial"]
        if trial not in stops or trial == BASELINE:
            raise InputError(
                f"{row.place} rates the trial {named(trial)}, which {SEGMENTS!r} does not have: "
                f"it has {', '.join(named(one) for one in list(stops)[:20])}"
            )
        scores = {items[c]: _score(row, c, form) for c in columns if c in items}
        given = {name: score for name, score in scores.items() if score is not None}
        event = Event(
            "rating",
            trial=trial,
            instrument=form.name,
            items=given,
            scale=form.scale,
            order=tuple(scores),
        )
        events.append((stops[trial], event))
    return events


def read_rest(folder: Path, zero: float, length: float) -> tuple[float, float] | None:
    """Return start and stop of the row ``baseline``, on the recording's clock; None without one.

    Parameters and errors are those of `read_tables`; ratings are not looked at.
    """
    if not (folder / SEGMENTS).is_file():
        return None
    rows = _segments(folder / SEGMENTS, zero, length)
    return next(((start, stop) for trial, _, start, stop in rows if trial == BASELINE), None)


def _segments(path: Path, zero: float, length: float) -> Iterator[tuple[str, str, float, float]]:
    """Yield trial, condition, start and stop on the recording's clock."""
    columns, rows = _read(path)
    missing = [name for name in COLUMNS if name not in columns]
    extra = [name for name in columns if name not in COLUMNS]
    if missing or extra:
        wrong = f"lacks {', '.join(missing)}" if missing else f"has {', '.join(map(repr, extra))}"
        raise InputError(
            f"{str(path)!r} must have the columns {', '.join(COLUMNS)} and no other: it {wrong}"
        )
    for row in rows:
        start, stop = (_number(row, name) for name in ("start", "stop"))
        if start is None or stop is None:
            raise InputError(f"{row.place} lacks a start or a stop: give both, in seconds")
        # What lies on the recording's clock may begin before it a little, and end after it.
        if start > _UNIX and stop > _UNIX:
            start, stop = start - zero, stop - zero
        if not start < stop:
            raise InputError(
                f"{row.place} stops at {row.fields['stop']!r}, which is not after its start at "
                f"{row.fields['start']!r}: swap or correct them"
            )
        if start >= length or stop <= 0:
            raise InputError(
                f"{row.place} ({row.fields['start']} to {row.fields['stop']}) lies outside the "
                f"recording, which has seconds 0 to {length:.0f}, or {zero:.0f} to "
                f"{zero + length:.0f} in Unix time: correct the row"
            )
        yield row.fields["trial"], row.fields["condition"], start, stop


def _form(columns: Sequence[str], labels: LabelSet) -> tuple[_Form, dict[str, str]]:
    """Return the questionnaire that has all columns, and each column's item."""
    asked = [column for column in columns if column != "trial"]
    shipped = [load_instrument(name) for name in INSTRUMENTS]
    known = [_Form(labels.name, labels.emotions, labels.scale)]
    known += [_Form(one.name, one.names, one.scale) for one in shipped]
    known.sort(key=lambda one: len(one.items))
    for one in known:
        items = {name.casefold(): name for name in one.items}
        if asked and all(column in items for column in asked):
            absent = [name for name in labels.emotions if name.casefold() not in asked]
            if absent:
                raise InputError(
                    f"{RATINGS!r} has no column {', '.join(map(repr, absent))}: the model predicts "
                    f"{', '.join(labels.emotions)} ({labels.instrument}), and needs a score of each"
                )
            return one, {column: items[column] for column in asked}
    everything = {name.casefold() for one in known for name in one.items}
    strange = [column for column in asked if column not in everything]
    if strange:
        raise InputError(
            f"{RATINGS!r} has the unknown item {', '.join(map(repr, strange[:20]))}: the model "
            f"predicts {', '.join(labels.emotions)}"
        )
    raise InputError(
        f"{RATINGS!r} has {'items of several questionnaires' if asked else 'no items'}: give a "
        f"column for each of {', '.join(labels.emotions)}"
    )


def _score(row: _Row, column: str, form: _Form) -> float | None:
    score = _number(row, column)
    low, high = form.scale
    if score is not None and not low <= score <= high:
        raise InputError(
            f"{row.place} gives {column!r} {row.fields[column]!r}, outside the scale of {low:g} to "
            f"{high:g}: correct it, or leave the field empty"
        )
    return score


def _number(row: _Row, column: str) -> float | None:
    """Return a field as a number; None where it is empty."""
    text = row.fields[column]
    if not text:
        return None
    try:
        number = float(text.replace(",", "."))
    except ValueError:
        number = math.nan
    if not math.isfinite(number):
        raise InputError(f"{row.place} has {text!r} under {column!r}: give a number")
    return number


def _read(path: Path) -> tuple[list[str], list[_Row]]:
    """Return a table's columns, in lower case, and its rows, each of another trial."""
    try:
        with path.open("rb") as file:
            content = file.read(MAX_BYTES + 1)
        text = content.decode("utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"cannot read {str(path)!r} ({error}): save it as CSV in UTF-8") from error
    if len(content) > MAX_BYTES:
        raise InputError(f"{str(path)!r} is longer than {MAX_BYTES} bytes: it holds a row a trial")
    first = text.split("\n", 1)[0]
    delimiter = ";" if ";" in first else ","
    try:
        lines = list(csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True))
    except csv.Error as error:
        raise InputError(f"{str(path)!r} is no CSV table ({error}): save it again") from error
    columns = [clean(name, 64).casefold() for name in (lines[0] if lines else [])]
    if "trial" not in columns or len(set(columns)) < len(columns):
        raise InputError(
            f"{str(path)!r} must begin with a line of different columns, 'trial' among them, "
            f"not {clean(first, 80)!r}"
        )
    rows: list[_Row] = []
    seen: set[str] = set()
    for number, line in enumerate(lines[1:], 2):
        fields = [clean(field, 256) for field in line]
        if not any(fields):
            continue
        place = f"row {number} of {path.name!r}"
        if len(fields) != len(columns):
            raise InputError(f"{place} has {len(fields)} fields, must have {len(columns)}: mend it")
        row = _Row(place, dict(zip(columns, fields, strict=True)))
        trial = row.fields["trial"]
        if not trial or trial in seen:
            reason = f"is the second of the trial {named(trial)}" if trial else "names no trial"
            raise InputError(f"{place} {reason}: give each trial one row and its own name")
        seen.add(trial)
        rows.append(row)
        if len(rows) > MAX_ROWS:
            raise InputError(f"{str(path)!r} has more than {MAX_ROWS} rows: give a row a trial")
    if not rows:
        raise InputError(f"{str(path)!r} has no rows: give one a trial")
    return columns, rows
