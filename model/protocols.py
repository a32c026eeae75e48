"""Protocols: which windows a system learns from, and which it is tested on."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from model.datasets.feature_table import NO_RIG
from model.datasets.table import Rows, Table
from realtime.errors import InputError

EVERY = 10
"""Training takes every tenth window: neighbours of a second nearly repeat each other."""

TRAIN_SHARE = 0.8
"""Share of a person's windows that the published split trains on."""

LEAST = 10
"""Rated windows below which a person is left out of `paper-sd`."""

PARTS = 5
"""Into how many parts a person's trials are dealt at most."""

DENSE = 2000
"""A person with fewer rated windows than this trains on each of them, not on every tenth."""

SHOTS = (0, 1, 2, 4, 6, 8)
"""Trials given where everybody has more than eight."""


@dataclass(frozen=True)
class Fold:
    """One division of a table.

    Attributes
    ----------
    name : str
        Unique among the folds of a seed: the person, and which part of the person is tested.
    person : str
        The person, or the group of people, who is tested; intervals resample these.
    seed : int
    train, test : ndarray of int
        Rows of the table.
    population : ndarray of int
        Rows that population statistics are fitted to: every rated window, not every tenth, of the
        training people.
    k : int
        How many rated trials of the tested person are given to an adaptation.
    given : ndarray of int
        Rows of these trials; neither in `train` nor in `test`.
    """

    name: str
    person: str
    seed: int
    train: Rows
    test: Rows
    population: Rows
    k: int = 0
    given: Rows = field(default_factory=lambda: np.zeros(0, dtype=np.intp))


@dataclass(frozen=True, slots=True)
class Protocol:
    """A way to divide a table.

    Attributes
    ----------
    name : str
    about : str
        What the split is, and what may be claimed from it.
    split : callable
        Gives the folds of a table for a seed.
    trains_on_tested_people : bool
    """

    name: str
    about: str
    split: Callable[[Table, int], tuple[Fold, ...]]
    trains_on_tested_people: bool


def every_tenth(table: Table) -> Rows:
    """Return every tenth rated window of each person."""
    return np.concatenate([table.rows([person])[::EVERY] for person in table.people])


def leave_one_subject_out(table: Table, seed: int) -> tuple[Fold, ...]:
    """Return a fold a person: trained on everybody else, tested on every window of that person.

    Raises
    ------
    InputError
        If fewer than three people have rated windows: one is tested, and of those who train one
        stops the training.
    """
    people = _several(table, "loso")
    folds = []
    for tested, rows in people.items():
        train, population = _others(people, tested)
        folds.append(Fold(tested, tested, seed, train, rows, population))
    return tuple(folds)


def people_in_groups(table: Table, groups: int, seed: int) -> tuple[Fold, ...]:
    """Return a fold a group of people: trained on all other groups, tested on this one.

    People are dealt to the groups at random.
    """
    people = _rated(table)
    names = list(people)
    order = np.random.default_rng(seed).permutation(len(names))
    folds = []
    for number in range(groups):
        tested = [names[i] for i in sorted(order[number::groups])]
        train, population = _others(people, *tested)
        folds.append(
            Fold(
                name=f"group {number + 1}",
                person=f"group {number + 1}",
                seed=seed,
                train=train,
                test=np.concatenate([people[one] for one in tested]),
                population=population,
            )
        )
    return tuple(folds)


def random_windows(table: Table, seed: int) -> tuple[Fold, ...]:
    """Return a fold a person: a random 80 % of the person's windows train, the others test.

    Where the dataset was published with a split of its own, that is the fold for every seed.
    """
    folds = []
    for number, (person, rows) in enumerate(_own_rows(table).items()):
        if len(rows) < LEAST:
            continue
        if table.split is not None:
            train, test = (rows[table.split[rows] == half] for half in ("train", "test"))
            if not len(train) or not len(test):
                raise InputError(
                    f"the published split of {table.dataset!r} has {len(train)} training and "
                    f"{len(test)} test windows of {person!r}: restore the file"
                )
        else:
            order = np.random.default_rng([seed, number]).permutation(rows)
            cut = round(TRAIN_SHARE * len(rows))
            train, test = np.sort(order[:cut]), np.sort(order[cut:])
        folds.append(Fold(person, person, seed, train, test, population=train))
    if not folds:
        raise InputError(
            f"protocol 'paper-sd' needs people with at least {LEAST} rated windows, "
            f"{table.dataset!r} has none: check its ratings"
        )
    return tuple(folds)


def random_trials(table: Table, seed: int) -> tuple[Fold, ...]:
    """Return a fold for each part of a person's trials, trained on the person's other trials.

    Trials are dealt to five parts at random, or to as many as there are trials. A person with
    fewer than `DENSE` rated windows trains on all of them, anybody else on every tenth.

    Raises
    ------
    InputError
        If nobody has two rated trials.
    """
    folds = []
    for number, (person, rows) in enumerate(_own_rows(table).items()):
        trials = trials_in(table, rows)
        if len(trials) < 2:
            continue
        order = np.random.default_rng([seed, number]).permutation(len(trials))
        parts = min(PARTS, len(trials))
        step = 1 if len(rows) < DENSE else EVERY
        for part in range(parts):
            tested = np.isin(table.trial[rows], [trials[i] for i in order[part::parts]])
            others = rows[~tested]
            folds.append(
                Fold(
                    name=f"{person}, part {part + 1}",
                    person=person,
                    seed=seed,
                    train=others[::step],
                    test=rows[tested],
                    population=others,
                )
            )
    if not folds:
        raise InputError(
            f"protocol 'trial-sd' needs a person with at least 2 rated trials, {table.dataset!r} "
            "has none: use loso or paper-sd"
        )
    return tuple(folds)


def calibrated(table: Table, seed: int, shots: Sequence[int] = ()) -> tuple[Fold, ...]:
    """Return a fold for each person and each number of that person's trials that are given.

    Trained on everybody else; the person's first k rated trials in order of time are given to an
    adaptation, and all later ones are tested.

    Parameters
    ----------
    table : Table
    seed : int
    shots : sequence of int
        The numbers k; left out, `SHOTS` where everybody has more than eight trials, else 0 to two
        fewer than the fewest that anybody has (people with less than three not counted).

    Raises
    ------
    InputError
        If fewer than three people have rated windows, or nobody a trial to test after k given.
    """
    people = _several(table, "calibrated-k")
    trials = {person: trials_in(table, rows) for person, rows in people.items()}
    most = max(len(own) for own in trials.values())
    chosen = tuple(shots) or default_shots(table)
    for k in chosen:
        if k >= most:
            raise InputError(
                f"{k} given trials leave none to test: nobody in {table.dataset!r} has more than "
                f"{most} rated trials"
            )
    folds = []
    for person, rows in people.items():
        train, population = _others(people, person)
        for k in chosen:
            if k >= len(trials[person]):
                continue
            first = np.isin(table.trial[rows], trials[person][:k])
            folds.append(
                Fold(
                    name=f"{person}, k = {k}",
                    person=person,
                    seed=seed,
                    train=train,
                    test=rows[~first],
                    population=population,
                    k=k,
                    given=rows[first],
                )
            )
    return tuple(folds)


def default_shots(table: Table) -> tuple[int, ...]:
    """Return how many trials `calibrated` gives where it is not told.

    As most people's number of trials allows; who has fewer is left out of the last ones.
    """
    counts = [len(trials_in(table, rows)) for rows in _rated(table).values()]
    typical = int(np.median(counts))
    if typical > max(SHOTS):
        return SHOTS
    if typical < 3:
        raise InputError(
            f"protocol 'calibrated-k' needs people with at least 3 rated trials, most of "
            f"{table.dataset!r} have {typical}: use loso"
        )
    return tuple(range(typical - 1))


def trials_in(table: Table, rows: Rows) -> tuple[str, ...]:
    """Return the names of the trials of a person's windows, in order of time."""
    return tuple(dict.fromkeys(table.trial[rows].tolist()))


def protocol_notes(table: Table, name: str, shots: Sequence[int] = ()) -> tuple[str, ...]:
    """Return what must be said of a protocol on this table, in whole sentences."""
    rows = _rated(table)
    trials = {one: len(trials_in(table, own)) for one, own in rows.items()}
    found = []
    if name == "paper-sd" and table.split is not None:
        found.append(
            "The dataset was published with a split of its own, by windows; it is the split of "
            "every seed here, and seeds differ in the models alone."
        )
    if name == "paper-sd" and table.split is None:
        few = [one for one, own in rows.items() if len(own) < LEAST]
        if few:
            found.append(f"Left out, with fewer than {LEAST} rated windows: {', '.join(few)}.")
    if name == "trial-sd":
        dense = [one for one, own in rows.items() if len(own) < DENSE]
        how = {0: "every tenth window", len(rows): "every window"}.get(
            len(dense), f"every tenth window, of {', '.join(dense)} every one"
        )
        found.append(f"Trained on {how} of a person's other trials.")
        single = [one for one in rows if trials[one] < 2]
        if single:
            found.append(f"Left out, with one rated trial only: {', '.join(single)}.")
    if name == "calibrated-k":
        chosen = tuple(shots) or default_shots(table)
        found.append(f"Given trials k: {', '.join(map(str, chosen))}; tested are all later ones.")
        for k in chosen:
            short = [one for one in rows if trials[one] <= k]
            if short:
                found.append(
                    f"Left out at k = {k}, with no trial to test after it: {', '.join(short)}."
                )
        if table.rig == NO_RIG:
            found.append("Times were not published: trials are given in the order of the file.")
    return tuple(found)


def _own_rows(table: Table) -> dict[str, Rows]:
    """Return each person's rated windows, in order of the people; of some there may be none."""
    names, first, numbers = np.unique(table.person, return_index=True, return_inverse=True)
    rated = table.rated
    return {
        str(names[number]): np.flatnonzero(rated & (numbers == number))
        for number in np.argsort(first)
    }


def _rated(table: Table) -> dict[str, Rows]:
    return {person: rows for person, rows in _own_rows(table).items() if len(rows)}


def _several(table: Table, name: str) -> dict[str, Rows]:
    people = _rated(table)
    if len(people) < 3:
        raise InputError(
            f"protocol {name!r} needs at least 3 people with rated windows, {table.dataset!r} has "
            f"{len(people)}: add people, or use trial-sd, which holds out trials"
        )
    return people


def _others(people: Mapping[str, Rows], *tested: str) -> tuple[Rows, Rows]:
    """Return every tenth window, and every window, of all people but the tested ones."""
    rows = [own for person, own in people.items() if person not in tested]
    return np.concatenate([own[::EVERY] for own in rows]), np.concatenate(rows)


PROTOCOLS = {
    one.name: one
    for one in (
        Protocol(
            "loso",
            "leave one subject out: trained on every tenth window of all other people, tested on "
            "every window of a person whom the model has never seen",
            leave_one_subject_out,
            trains_on_tested_people=False,
        ),
        Protocol(
            "calibrated-k",
            "leave one subject out, then the tested person's first k rated trials are given to an "
            "adaptation and all later ones tested; k = 0 is the model without calibration, and "
            "'none' the same model on the windows that are tested at k",
            calibrated,
            trains_on_tested_people=False,
        ),
        Protocol(
            "trial-sd",
            "each subject's whole trials dealt to five parts at random (or as many as there are "
            "trials), a model a subject and part, trained on the other parts; no window of a "
            "tested trial was trained on",
            random_trials,
            trains_on_tested_people=True,
        ),
        Protocol(
            "paper-sd",
            "each subject's windows split 80/20 at random, a model a subject. THIS SPLIT LEAKS: "
            "neighbouring windows overlap and share their label, so the row nearest-clock, which "
            "uses no sensor at all, is all but perfect. For comparison with published tables "
            "only; no claim rests on it",
            random_windows,
            trains_on_tested_people=True,
        ),
    )
}


def protocol(name: str) -> Protocol:
    """Return a protocol by name; InputError if there is none such."""
    if name not in PROTOCOLS:
        raise InputError(f"no protocol {name!r}: use one of {', '.join(PROTOCOLS)}")
    return PROTOCOLS[name]
