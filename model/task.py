"""One task of an evaluation: fit a system once, adapt it, and predict what that fit can answer."""

from __future__ import annotations

import time
import traceback
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

from model.adaptation import Adaptation, Evidence
from model.batch import Batch, concatenate, concatenate_labels
from model.datasets.table import Rows, Table, normalised, population_of
from model.metrics import are_distributions
from model.pieces import UNADAPTED, Piece
from model.plan import Plan
from model.protocols import Fold, every_tenth, trials_in
from model.systems import PERSON, PLACE, System


@dataclass(frozen=True, slots=True)
class Ask:
    """One piece that is wanted.

    Attributes
    ----------
    fold : Fold
    adaptation : str
        Its name; `UNADAPTED` for the system as it is although trials are given, and empty where
        none are.
    """

    fold: Fold
    adaptation: str = ""


@dataclass(frozen=True, slots=True)
class Task:
    """Pieces that one fit serves.

    Attributes
    ----------
    model : str
    asks : tuple of Ask
        Their folds have the same training rows, population and seed.
    """

    model: str
    asks: tuple[Ask, ...]


@dataclass(frozen=True, slots=True)
class Failure:
    """A piece that could not be made.

    Attributes
    ----------
    model, fold, person : str
    seed : int
    error : str
        In one line.
    trace : str
        Where it happened.
    """

    model: str
    fold: str
    person: str
    seed: int
    error: str
    trace: str = ""

    def __str__(self) -> str:
        return f"{self.model}, {self.fold}, seed {self.seed}: {self.error}"


@dataclass(frozen=True)
class Work:
    """Everything that tasks share; sent to a worker once.

    Attributes
    ----------
    table : Table
    also : tuple of Table
        Further data to train on.
    plan : Plan
    adaptations : tuple of Adaptation
    tasks : tuple of Task
    """

    table: Table
    also: tuple[Table, ...]
    plan: Plan
    adaptations: tuple[Adaptation, ...]
    tasks: tuple[Task, ...]


Results = list[Piece | Failure]


def run_task(work: Work, number: int) -> Results:
    """Do one task; return a piece or a failure for each of its asks, in their order."""
    task = work.tasks[number]
    try:
        fitted = _fit(work, task)
    except Exception as error:
        # Whatever a system may raise: the other systems and folds go on, and the report says it.
        return [failed(task.model, ask, error) for ask in task.asks]
    results: Results = []
    for ask in task.asks:
        try:
            results.append(_answer(work, task, fitted, ask))
        except Exception as error:
            results.append(failed(task.model, ask, error))
    return results


def failed(model: str, ask: Ask, error: BaseException) -> Failure:
    """Return what is kept of an error."""
    text = " ".join(f"{type(error).__name__}: {error}".split())
    trace = "".join(traceback.format_exception(error))
    fold = ask.fold
    adapted = f", {ask.adaptation}" if ask.adaptation else ""
    return Failure(model, fold.name + adapted, fold.person, fold.seed, text, trace)


@dataclass(frozen=True)
class _Fitted:
    """A fitted system and what it was fitted to; `batch` is as long as the table."""

    system: System
    batch: Batch
    population: Evidence
    train_mean: NDArray[np.float64]
    seconds: float


def _fit(work: Work, task: Task) -> _Fitted:
    began = time.perf_counter()
    table, plan, fold = work.table, work.plan, task.asks[0].fold
    entry = plan.entry(task.model)
    system = entry.build(plan.options(task.model, fold.seed, table.roles))
    if entry.looks_at in (PERSON, PLACE):
        batch = _codes(table, entry.looks_at)
        own = fold.train
        known = np.isin(table.person[fold.test], np.unique(table.person[own])).all()
        if entry.looks_at == PERSON and not known:
            # The oracle: it is told the mean of what is tested.
            own = fold.test
        train = Evidence(batch[own], table.targets(own), table.person[own], table.trial[own])
    elif entry.module == "references" or entry.looks_at == "clock":
        # Nothing is normalised for those that look at no sensor.
        batch = _codes(table, "nothing")
        train = _joined(table, work.also, fold, batch, [_codes(x, "nothing") for x in work.also])
    else:
        batch, train = _evidence(table, work.also, fold)
        if plan.inputs(task.model):
            batch, train = (
                batch.only(plan.inputs(task.model)),
                _with(train, train.batch.only(plan.inputs(task.model))),
            )
        missing = plan.missing(task.model)
        if missing:
            batch, train = batch.without(missing), _with(train, train.batch.without(missing))
    with _one_thread(entry.network):
        system.fit(train.batch, train.labels, train.groups)
    mean = table.distribution[fold.train].mean(axis=0)
    return _Fitted(system, batch, train, mean, time.perf_counter() - began)


def _answer(work: Work, task: Task, fitted: _Fitted, ask: Ask) -> Piece:
    began = time.perf_counter()
    fold, table = ask.fold, work.table
    test = fitted.batch[fold.test]
    inside: Mapping[str, NDArray[np.floating]] = {}
    with _one_thread(work.plan.entry(task.model).network):
        if ask.adaptation in ("", UNADAPTED):
            prediction = fitted.system.predict(test)
            if not ask.adaptation and hasattr(fitted.system, "inside"):
                inside = fitted.system.inside(test)
        else:
            adapt = next(one for one in work.adaptations if one.name == ask.adaptation)
            own = Evidence(
                fitted.batch[fold.given],
                table.targets(fold.given),
                table.person[fold.given],
                table.trial[fold.given],
            )
            prediction = adapt(fitted.system, fitted.population, own).predict(test)
    shares = np.asarray(prediction, dtype=np.float64)
    if shares.shape != (len(fold.test), len(table.labels)) or not are_distributions(shares):
        raise ValueError(
            f"predictions of shape {shares.shape}, {int((~np.isfinite(shares)).sum())} not finite, "
            f"{int((shares < 0).sum())} below 0, sums from {shares.sum(axis=1).min():g} to "
            f"{shares.sum(axis=1).max():g}: {len(fold.test)} distributions of "
            f"{len(table.labels)} were wanted"
        )
    return Piece(
        model=task.model,
        fold=fold.name,
        person=fold.person,
        seed=fold.seed,
        k=fold.k,
        adaptation=ask.adaptation,
        n_train=len(fitted.population.labels),
        rows=fold.test,
        prediction=shares,
        train_mean=fitted.train_mean,
        # What several pieces share counts in equal parts, so that their sum is the time spent.
        seconds=fitted.seconds / len(task.asks) + time.perf_counter() - began,
        inside=inside,
    )


def _one_thread(network: bool) -> threadpool_limits:
    """Limit linear algebra to one thread.

    Sums are then added in the same order however many processes and cores there are.
    """
    if network:
        import torch

        torch.set_num_threads(1)
    return threadpool_limits(1)


def _with(evidence: Evidence, batch: Batch) -> Evidence:
    return Evidence(batch, evidence.labels, evidence.groups, evidence.trials)


def _codes(table: Table, of: str) -> Batch:
    """Return a batch of a number for each window: its person's, its trial's place, or 0."""
    codes = np.zeros(len(table), dtype=np.float32)
    if of != "nothing":
        _, first, person = np.unique(table.person, return_index=True, return_inverse=True)
        numbers = np.argsort(np.argsort(first))[person]
        codes[:] = numbers
        for number in range(len(first)) if of == PLACE else ():
            rows = np.flatnonzero(table.rated & (numbers == number))
            places = {name: place for place, name in enumerate(trials_in(table, rows))}
            codes[rows] = [places[name] for name in table.trial[rows].tolist()]
    return Batch({of: codes[:, None]}, {of: np.ones(len(table), dtype=bool)}, table.elapsed)


def _joined(
    table: Table, also: Sequence[Table], fold: Fold, batch: Batch, others: Sequence[Batch]
) -> Evidence:
    """Return what is trained on: a fold's training windows, and every tenth of further data."""
    rows = [fold.train, *(every_tenth(one) for one in also)]
    tables = [table, *also]
    return Evidence(
        concatenate([one[own] for one, own in zip([batch, *others], rows, strict=True)]),
        concatenate_labels(
            [one.targets(own, table.labels) for one, own in zip(tables, rows, strict=True)]
        ),
        np.concatenate([one.person[own] for one, own in zip(tables, rows, strict=True)]),
        np.concatenate([one.trial[own] for one, own in zip(tables, rows, strict=True)]),
    )


@dataclass(frozen=True)
class _Prepared:
    """Normalised windows of a fold, and what they were made from."""

    table: Table
    also: tuple[Table, ...]
    train: Rows
    population: Rows
    people: tuple[str, ...]
    batch: Batch
    evidence: Evidence

    def fits(self, table: Table, also: Sequence[Table], fold: Fold, people: Sequence[str]) -> bool:
        return (
            self.table is table
            and len(self.also) == len(also)
            and all(one is other for one, other in zip(self.also, also, strict=True))
            and self.people == tuple(people)
            and np.array_equal(self.train, fold.train)
            and np.array_equal(self.population, fold.population)
        )


_latest: list[_Prepared] = []


def _evidence(table: Table, also: tuple[Table, ...], fold: Fold) -> tuple[Batch, Evidence]:
    """Return normalised windows, as long as the table, and those to train on with their labels.

    The last fold's are kept for the next system.
    """
    rows = np.concatenate([fold.train, fold.test, fold.given])
    people = tuple(np.unique(table.person[rows]).tolist())
    if not (_latest and _latest[0].fits(table, also, fold, people)):
        everyone = [(table, fold.population), *((one, one.rows(one.people)) for one in also)]
        population = population_of(everyone)
        batch = normalised(table, population, people)
        others = [normalised(one, population, one.people) for one in also]
        evidence = _joined(table, also, fold, batch, others)
        _latest[:] = [_Prepared(table, also, fold.train, fold.population, people, batch, evidence)]
    return _latest[0].batch, _latest[0].evidence
