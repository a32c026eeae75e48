"""The rows that the papers printed, with what is wrong with them.

They stand beside ours where protocol and kind of data are the same. Nothing is corrected: a number
that cannot be, or contradicts another, is marked. A mean of windows obeys what every window obeys
where that is linear or convex, so these hold for every printed row, up to the digits that rounding
hides:

- Chebyshev <= 1 - intersection: the largest difference is at most half the sum of all differences,
  and 1 - intersection is that half.
- KL >= 2 (1 - intersection)²: Pinsker's inequality, and Jensen's for the mean.
- Clark <= Canberra <= sqrt(C) Clark: norms of the same C terms.
- A rank is one more than how many systems are better; an average rank is the mean of six.
- One system on the same data has the same numbers in every table of a paper.
"""

from __future__ import annotations

import math
import tomllib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from importlib import resources
from typing import Any

import numpy as np

from model import metrics
from model.report.grid import HEADINGS, Grid, heading, number

SOURCES = {
    "mpcl": "MPCL (arXiv 2602.20530)",
    "emotiondict": "EmotionDict (IEEE Transactions on Affective Computing 15(3), 2024)",
}
"""The papers."""

SUBJECTS = {
    "comparison": "systems compared",
    "modules": "modules left out",
    "modalities": "modalities left out",
    "designs": "other designs",
    "scales": "scale sets of the fusion",
}
"""What a printed table is about."""

DATA = {
    "dmer": "dmer",
    "dmer-sample": "dmer",
    "dmer-features": "dmer",
    "wesad-wrist": "wesad",
    "wesad-chest": "wesad",
    "edl": "edl",
}
"""Which of the papers' data a dataset is a form of."""

NAMES = {"dmer": "DMER", "wesad": "WESAD", "edl": "EDL"}
"""What the papers call them."""

EMOTIONS = {"dmer": 10, "wesad": 10, "edl": 7}
"""Number of emotions."""

PROTOCOLS = {"paper-sd": "subject-dependent", "loso": "subject-independent"}
"""What the papers call a protocol of ours; they have none of the others."""

HALF = 5e-5
"""A printed number of four decimals stands for anything this close to it."""


@dataclass(frozen=True, slots=True)
class PublishedRow:
    """One system in one printed table.

    Attributes
    ----------
    name : str
    values : mapping of str to float
        The six metrics.
    ranks : mapping of str to int
        As printed; empty where none are.
    average : float
        The average rank as printed; NaN where none is.
    place : int
        The rank of that, as printed; 0 where none is.
    faults : tuple of str
        What is wrong with the row, a sentence each.
    """

    name: str
    values: Mapping[str, float]
    ranks: Mapping[str, int]
    average: float
    place: int
    faults: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class PublishedTable:
    """One printed table, or the part of it about one dataset and protocol.

    Attributes
    ----------
    source, subject : str
        Keys of `SOURCES` and `SUBJECTS`.
    number : str
        Of the table in the paper.
    data, protocol : str
        Keys of `NAMES`; values of `PROTOCOLS`.
    people : int
        Whose mean is printed.
    rows : tuple of PublishedRow
    note : str
        What must be known of the transcript.
    """

    source: str
    number: str
    subject: str
    data: str
    protocol: str
    people: int
    rows: tuple[PublishedRow, ...]
    note: str = ""


@cache
def tables() -> tuple[PublishedTable, ...]:
    """Return every table of both papers, with the faults that were found."""
    text = (resources.files("model.report") / "published.toml").read_text("utf-8")
    read = [_table(entry) for entry in tomllib.loads(text)["tables"]]
    conflicts = list(_conflicts(read))
    return tuple(
        replace(
            table,
            rows=tuple(
                replace(
                    row,
                    faults=(
                        *impossible(row.values, EMOTIONS[table.data]),
                        *_wrong_ranks(row, table.rows),
                        *(
                            text
                            for where, name, text in conflicts
                            if (where, name) == (at, row.name)
                        ),
                        *row.faults,
                    ),
                )
                for row in table.rows
            ),
        )
        for at, table in enumerate(read)
    )


def beside(dataset: str, protocol: str, subject: str = "comparison") -> tuple[PublishedTable, ...]:
    """Return the printed tables of the same kind of data, protocol and subject."""
    data, name = DATA.get(dataset), PROTOCOLS.get(protocol)
    return tuple(
        table
        for table in tables()
        if (table.data, table.protocol, table.subject) == (data, name, subject)
    )


def impossible(values: Mapping[str, float], emotions: int) -> tuple[str, ...]:
    """Return a sentence for every bound that printed means of the six metrics break.

    Parameters
    ----------
    values : mapping of str to float
        Rounded to four decimals.
    emotions : int
        Their number C.
    """
    found = []
    chebyshev, clark, canberra = (values[name] for name in ("chebyshev", "clark", "canberra"))
    apart = 1 - values["intersection"]
    if chebyshev - HALF > apart + HALF:
        found.append(
            f"Chebyshev {chebyshev:.4f} lies above 1 - intersection = {apart:.4f}, which cannot be"
        )
    if values["kl"] + HALF < 2 * max(0.0, apart - HALF) ** 2:
        found.append(
            f"KL {values['kl']:.4f} lies below Pinsker's bound 2 (1 - intersection)² = "
            f"{2 * apart**2:.4f}"
        )
    if clark - HALF > canberra + HALF:
        found.append(f"Clark {clark:.4f} lies above Canberra {canberra:.4f}, which cannot be")
    if canberra - HALF > math.sqrt(emotions) * (clark + HALF):
        found.append(
            f"Canberra {canberra:.4f} lies above √{emotions} Clark = "
            f"{math.sqrt(emotions) * clark:.4f}, which cannot be"
        )
    return tuple(found)


def published_grid(table: PublishedTable, ours: str) -> Grid:
    """Return a printed table as a grid, its faults marked and explained below it.

    Parameters
    ----------
    table : PublishedTable
    ours : str
        What ours is a mean of, "1 person of dmer-sample".
    """
    rows: list[tuple[str, ...]] = []
    notes: list[str] = []
    for row in table.rows:
        mark = ""
        if row.faults:
            notes.append(f"({len(notes) + 1}) {row.name}: {'; '.join(row.faults)}.")
            mark = f" ({len(notes)})"
        cells = [
            number(row.values[name]) + (f" ({row.ranks[name]})" if row.ranks else "")
            for name in metrics.METRICS
        ]
        if table.subject == "comparison":
            cells.append(f"{number(row.average, 2)} ({row.place})")
        rows.append((row.name + mark, *cells))
    last = ("average rank ↓",) if table.subject == "comparison" else ()
    return Grid(
        part="published",
        title=f"Printed: {SOURCES[table.source]}, table {table.number}, {NAMES[table.data]}, "
        f"{table.protocol}, {SUBJECTS[table.subject]}",
        header=("system", *(heading(name) for name in metrics.METRICS), *last),
        rows=tuple(rows),
        about=" ".join(
            (f"As printed there, means of {table.people} people; above stands {ours}.", table.note)
        ).strip(),
        notes=tuple(notes),
    )


def _table(entry: Mapping[str, Any]) -> PublishedTable:
    given = {key: value for key, value in entry.items() if key != "rows"}
    rows = [
        PublishedRow(
            name=row["name"],
            values=dict(zip(metrics.METRICS, row["values"], strict=True)),
            ranks=dict(zip(metrics.METRICS, row["ranks"], strict=True)) if "ranks" in row else {},
            average=float(row.get("average", math.nan)),
            place=row.get("place", 0),
            faults=tuple(row.get("notes", ())),
        )
        for row in entry["rows"]
    ]
    return PublishedTable(**given, rows=tuple(rows))


def _wrong_ranks(row: PublishedRow, rows: Sequence[PublishedRow]) -> Iterable[str]:
    """Yield a sentence for each printed rank that the printed numbers do not give."""
    if not row.ranks:
        return
    values = np.array([[one.values[name] for name in metrics.METRICS] for one in rows])
    ranks = metrics.ranks(values)[rows.index(row)]
    for name, rank in zip(metrics.METRICS, ranks, strict=True):
        if row.ranks[name] != rank:
            yield (
                f"rank {row.ranks[name]} is printed for {HEADINGS[name]}, the printed numbers "
                f"give {rank:.0f}"
            )
    mean = sum(row.ranks.values()) / len(row.ranks)
    # The papers cut the second decimal, or round it.
    if abs(row.average - mean) > 0.0101:
        yield f"the average rank {row.average:.2f} is not the mean of its printed ranks, {mean:.2f}"


def _conflicts(read: Sequence[PublishedTable]) -> Iterable[tuple[int, str, str]]:
    """Yield table, row and a sentence where a paper prints other numbers of the same elsewhere.

    Compared are the systems that papers present, which stand in every table of theirs.
    """
    whole = {"mpcl": "MPCL", "emotiondict": "EmotionDict"}
    first: dict[tuple[str, ...], tuple[PublishedTable, PublishedRow]] = {}
    for at, table in enumerate(read):
        for row in table.rows:
            if row.name != whole[table.source]:
                continue
            other, same = first.setdefault((table.source, table.data, table.protocol), (table, row))
            for name in metrics.METRICS:
                if row.values[name] != same.values[name]:
                    yield (
                        *(at, row.name),
                        f"{HEADINGS[name]} {row.values[name]:.4f} is {same.values[name]:.4f} in "
                        f"table {other.number}",
                    )
