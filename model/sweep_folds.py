"""Which windows a sweep may look at: inner folds of the training part of a protocol's folds."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from model.datasets.table import Table
from model.protocols import EVERY, Fold, protocol
from realtime.errors import InputError

PARTS = 5
"""Inner parts of one person's training windows or trials."""

GROUPS = 4
"""Inner groups of the people who are searched on."""


@dataclass(frozen=True)
class Ground:
    """What a search may look at, and what it is tested on when it is over.

    Attributes
    ----------
    rounds : tuple of tuple of Fold
        Inner folds, in the order in which a trial goes through them; all lie in `outer`'s training
        rows.
    outer : tuple of Fold
        Folds whose test rows the search never sees.
    about : str
        One sentence for the report.
    """

    rounds: tuple[tuple[Fold, ...], ...]
    outer: tuple[Fold, ...]
    about: str


def ground(table: Table, name: str, seed: int) -> Ground:
    """Return inner and outer folds of a protocol.

    Raises
    ------
    InputError
        If there is no such protocol, or too few people, trials or windows to split further.
    """
    chosen = protocol(name)
    if chosen.trains_on_tested_people:
        by: Literal["window", "trial"] = "trial" if name == "trial-sd" else "window"
        # One part a person: the parts' tested trials are each other's training trials.
        first: dict[str, Fold] = {}
        for fold in chosen.split(table, seed):
            first.setdefault(fold.person, fold)
        outer = tuple(first.values())
        inner = [inner_folds(table, fold, by, PARTS, seed) for fold in outer]
        inner = [folds for folds in inner if folds]
        if not inner:
            raise InputError(
                f"a sweep under {name!r} needs two {by}s to train on in each fold, "
                f"{table.dataset!r} has fewer: use another protocol or add data"
            )
        count = max(len(folds) for folds in inner)
        about = (
            f"Searched on {count} parts of the training {by}s of each person's first fold of "
            f"{name}, seed {seed}; "
            "another seed's folds may test what was searched on"
        )
        if table.split is not None and name == "paper-sd":
            about = f"Searched on {count} parts of the published training windows"
    else:
        chosen.split(table, seed)  # says itself what a table lacks
        people = [person for person in table.people if len(table.rows([person]))]
        if len(people) < GROUPS:
            raise InputError(
                f"a sweep under {name!r} needs at least {GROUPS} people, {table.dataset!r} has "
                f"{len(people)}: add people or use another protocol"
            )
        order = np.random.default_rng([seed, len(people)]).permutation(people)
        kept = sorted(str(person) for person in order[: max(1, len(people) // 4)])
        searched = [person for person in people if person not in kept]
        outer = tuple(
            Fold(
                name=person,
                person=person,
                seed=seed,
                train=np.concatenate([table.rows([other])[::EVERY] for other in searched]),
                test=table.rows([person]),
                population=table.rows(searched),
            )
            for person in kept
        )
        inner = [inner_folds(table, outer[0], "person", GROUPS, seed)]
        about = (
            f"Searched on {len(inner[0])} groups of {len(searched)} people; kept out of the "
            f"search: {', '.join(kept)}. Figures of the others with these settings are selected"
        )
    rounds = tuple(
        tuple(folds[number] for folds in inner if number < len(folds))
        for number in range(max(len(folds) for folds in inner))
    )
    return Ground(rounds, outer, about)


def inner_folds(
    table: Table, outer: Fold, by: Literal["window", "trial", "person"], parts: int, seed: int
) -> tuple[Fold, ...]:
    """Deal the training part of a fold to parts at random; return a fold for each part.

    Parameters
    ----------
    table : Table
    outer : Fold
    by : str
        What stays together: nothing (``window``), the windows of a trial, or those of a person.
    parts : int
        At most so many, and not more than there are units.
    seed : int

    Returns
    -------
    tuple of Fold
        Trained on the other parts' rows of `outer.train`, tested on a part of `outer.population`;
        empty with fewer than two units.
    """
    rows = np.union1d(outer.train, outer.population)
    names = {
        "window": rows.astype(str),
        "trial": np.char.add(np.char.add(table.person[rows], "/"), table.trial[rows]),
        "person": table.person[rows],
    }[by]
    unit = np.full(len(table), -1)
    unit[rows] = np.unique(names, return_inverse=True)[1]
    count = int(unit.max()) + 1
    parts = min(parts, count)
    if parts < 2:
        return ()
    part = np.empty(count, dtype=int)
    part[np.random.default_rng([seed, count]).permutation(count)] = np.arange(count) % parts
    folds = []
    for number in range(parts):
        held = np.flatnonzero((unit >= 0) & (part[unit] == number))
        folds.append(
            Fold(
                name=f"{outer.name}, inner {number + 1}",
                person=outer.person,
                seed=seed,
                train=np.setdiff1d(outer.train, held),
                test=np.intersect1d(outer.population, held),
                population=np.setdiff1d(outer.population, held),
            )
        )
    return tuple(folds)
