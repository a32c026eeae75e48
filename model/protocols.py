"""Protocols: which windows a system learns from, and which it is tested on."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from model.datasets.table import Rows, Table
from realtime.errors import InputError

EVERY = 10
"""Training takes every tenth window: neighbours of a second nearly repeat each other."""

TRAIN_SHARE = 0.8
"""Share of a person's windows that the published split trains on."""


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


def leave_one_subject_out(table: Table, seed: int) -> tuple[Fold, ...]:
    """Return a fold a person: trained on everybody else, tested on every window of that person.

    Raises
    ------
    InputError
        If fewer than three people have rated windows: one is tested, and of those who train one
        stops the training.
    """
    people = [person for person in table.people if len(table.rows([person]))]
    if len(people) < 3:
        raise InputError(
            f"protocol 'loso' needs at least 3 people with rated windows, {table.dataset!r} has "
            f"{len(people)}: add people or use paper-sd"
        )
    return tuple(
        Fold(
            name=tested,
            person=tested,
            seed=seed,
            train=np.concatenate(
                [table.rows([person])[::EVERY] for person in people if person != tested]
            ),
            test=table.rows([tested]),
            population=table.rows([person for person in people if person != tested]),
        )
        for tested in people
    )


def people_in_groups(table: Table, groups: int, seed: int) -> tuple[Fold, ...]:
    """Return a fold a group of people: trained on all other groups, tested on this one.

    People are dealt to the groups at random.
    """
    people = [person for person in table.people if len(table.rows([person]))]
    order = np.random.default_rng(seed).permutation(len(people))
    folds = []
    for number in range(groups):
        tested = [people[i] for i in sorted(order[number::groups])]
        others = [person for person in people if person not in tested]
        folds.append(
            Fold(
                name=f"group {number + 1}",
                person=f"group {number + 1}",
                seed=seed,
                train=np.concatenate([table.rows([person])[::EVERY] for person in others]),
                test=table.rows(tested),
                population=table.rows(others),
            )
        )
    return tuple(folds)


def random_windows(table: Table, seed: int) -> tuple[Fold, ...]:
    """Return a fold a person: a random 80 % of the person's windows train, the others test."""
    folds = []
    for number, person in enumerate(table.people):
        rows = table.rows([person])
        if len(rows) < 10:
            continue
        order = np.random.default_rng([seed, number]).permutation(rows)
        cut = round(TRAIN_SHARE * len(rows))
        train, test = np.sort(order[:cut]), np.sort(order[cut:])
        folds.append(Fold(person, person, seed, train, test, population=train))
    if not folds:
        raise InputError(
            f"protocol 'paper-sd' needs people with at least 10 rated windows, {table.dataset!r} "
            "has none: check its ratings"
        )
    return tuple(folds)


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
