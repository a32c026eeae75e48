"""Evaluation: fits every system on every fold, in one process or many, and keeps what is done."""

from __future__ import annotations

import contextlib
import hashlib
import inspect
import json
import logging
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from model.adaptation import Adaptation, LabelShrinkage
from model.datasets.table import Rows, Table
from model.fanout import cluster
from model.pieces import UNADAPTED, Piece, code_digest, data_digest, read_piece, write_piece
from model.plan import Plan, applicable, check, notes
from model.protocols import Fold
from model.systems import PERSON
from model.task import Ask, Failure, Results, Task, Work, failed, run_task

log = logging.getLogger(__name__)

__all__ = [
    "Failure",
    "Outcome",
    "Plan",
    "Progress",
    "applicable",
    "check",
    "notes",
    "run",
    "run_folds",
]

Progress = Callable[[str, int, int, float | None], None]
"""Called with what was finished, how many pieces are done, how many there are, and how many seconds
are left (None where nothing is known); once before the first, with an empty text."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What an evaluation gave.

    Attributes
    ----------
    pieces : tuple of Piece
        In the order of models, folds and adaptations.
    failures : tuple of Failure
        What could not be done; a second run tries these again.
    """

    pieces: tuple[Piece, ...]
    failures: tuple[Failure, ...] = ()


def run(
    table: Table,
    plan: Plan,
    out: Path,
    also: Sequence[Table] = (),
    workers: int = 1,
    address: str | None = None,
    progress: Progress | None = None,
    adaptations: Sequence[Adaptation] = (LabelShrinkage(),),
) -> Outcome:
    """Run a plan.

    The result is the same, to the byte on the CPU, for any number of workers, and however often it
    was interrupted. A system that fails on a fold is a failure of that fold alone.

    Parameters
    ----------
    table : Table
    plan : Plan
    out : Path
        Every finished piece is kept below it; a second run with the same data, settings and code
        takes it from there.
    also : sequence of Table
        Further data to train on; never tested.
    workers : int
        Local processes; 1 stays in this one.
    address : str, optional
        Address of a Dask scheduler to use instead.
    progress : callable, optional
    adaptations : sequence of Adaptation
        What the given trials of a person are given to.

    Raises
    ------
    InputError
        If the plan does not fit the data; nothing has been trained then.
    """
    check(table, plan)
    folds = plan.folds(table)
    return run_folds(table, plan, folds, out, also, workers, address, progress, adaptations)


def run_folds(
    table: Table,
    plan: Plan,
    folds: Sequence[Fold],
    out: Path,
    also: Sequence[Table] = (),
    workers: int = 1,
    address: str | None = None,
    progress: Progress | None = None,
    adaptations: Sequence[Adaptation] = (LabelShrinkage(),),
) -> Outcome:
    """Run a plan's models on given folds; parameters and result as in `run`."""
    names = [one.name for one in adaptations]
    if len({*names, UNADAPTED, ""}) < len(names) + 2:
        raise ValueError(f"adaptations {names}: names must differ, and none is {UNADAPTED!r}")
    digests = [_digest(fold.train, fold.population) for fold in folds]
    wanted = [
        (model, place, Ask(fold, adaptation))
        for model in plan.models
        for place, fold in enumerate(folds)
        for adaptation in _adapted(plan, model, fold, names)
    ]
    name_of = _Names(table, plan, also, adaptations)
    paths = [out / "folds" / name_of(model, ask, digests[place]) for model, place, ask in wanted]
    results: list[Piece | Failure | None] = [read_piece(path) for path in paths]
    missing = [index for index, piece in enumerate(results) if piece is None]
    kept = len(wanted) - len(missing)
    if kept:
        log.info("%d of %d pieces are there already, in %s", kept, len(wanted), out)

    # What one fit can answer is one task.
    groups: dict[tuple[str, ...], list[int]] = defaultdict(list)
    for index in missing:
        model, place, ask = wanted[index]
        fold = ask.fold
        alone = fold.name if plan.entry(model).looks_at == PERSON else ""
        groups[model, str(fold.seed), fold.person, digests[place], alone].append(index)
    parallel = bool(missing) and (workers > 1 or address is not None)
    indices = sorted(groups.values(), key=lambda group: _turn(plan, wanted[group[0]], parallel))
    tasks = tuple(
        Task(wanted[group[0]][0], tuple(wanted[index][2] for index in group)) for group in indices
    )
    work = Work(table, tuple(also), plan, tuple(adaptations), tasks)
    pace = _Pace([wanted[index][0] for index in missing], results)
    if progress is not None:
        progress("", kept, len(wanted), None)
    with _runner(work, workers, address) if parallel else _serial(work) as finished:
        for number, made in finished:
            for index, one in zip(indices[number], made, strict=True):
                results[index] = one
                if isinstance(one, Piece):
                    write_piece(paths[index], one)
                else:
                    log.warning("failed: %s", one)
                    log.debug("%s", one.trace)
            kept += len(made)
            left = pace.left(tasks[number].model, made)
            if progress is not None:
                fold = tasks[number].asks[0].fold
                what = f"{tasks[number].model}, {fold.person}, seed {fold.seed}"
                progress(what, kept, len(wanted), left)
    return Outcome(
        tuple(one for one in results if isinstance(one, Piece)),
        tuple(one for one in results if isinstance(one, Failure)),
    )


def _adapted(plan: Plan, model: str, fold: Fold, names: Sequence[str]) -> tuple[str, ...]:
    """Return which adaptations a system gets on a fold; an oracle knows the person already."""
    if fold.k == 0:
        return ("",)
    return (UNADAPTED,) if plan.entry(model).looks_at == PERSON else (UNADAPTED, *names)


def _turn(plan: Plan, first: tuple[str, int, Ask], parallel: bool) -> tuple[bool, int, int]:
    """Return when a task is begun: folds in turn, so that a fold's windows are prepared once.

    With several processes networks come first, since the longest should not be the last.
    """
    model, place, _ = first
    late = parallel and not plan.entry(model).network
    return late, place, plan.models.index(model)


@contextlib.contextmanager
def _serial(work: Work) -> Iterator[Iterator[tuple[int, Results]]]:
    yield ((number, run_task(work, number)) for number in range(len(work.tasks)))


@contextlib.contextmanager
def _runner(
    work: Work, workers: int, address: str | None
) -> Iterator[Iterator[tuple[int, Results]]]:
    """Yield each task's number and results, as they are finished by the processes of a cluster."""
    from distributed import as_completed

    # It subclasses what takes a second to import.
    from model.carrier import Carrier, run_carried

    with cluster(workers, address) as client:

        def finished() -> Iterator[tuple[int, Results]]:
            client.register_plugin(Carrier(work))
            futures = {
                client.submit(run_carried, number, pure=False): number
                for number in range(len(work.tasks))
            }
            for future in as_completed(list(futures)):
                number = futures.pop(future)
                try:
                    results = future.result()
                except Exception as error:
                    # A process that dies again and again, of memory mostly, takes its task along.
                    task = work.tasks[number]
                    results = [failed(task.model, ask, error) for ask in task.asks]
                future.release()
                yield number, results

        yield finished()


class _Pace:
    """How long the rest takes, from what each model's pieces took so far.

    Parameters
    ----------
    missing : sequence of str
        The model of each piece that is not there yet.
    found : sequence
        Pieces that are, from an earlier run.
    """

    def __init__(self, missing: Sequence[str], found: Sequence[Piece | Failure | None]) -> None:
        self._began = time.perf_counter()
        self._missing = dict(Counter(missing))
        self._taken: dict[str, list[float]] = defaultdict(list)
        for one in found:
            if isinstance(one, Piece):
                self._taken[one.model].append(one.seconds)
        self._done = 0.0

    def left(self, model: str, made: Results) -> float | None:
        """Count the results of a task; return the seconds left, None while nothing is known."""
        self._missing[model] -= len(made)
        seconds = [one.seconds for one in made if isinstance(one, Piece)]
        self._taken[model] += seconds
        self._done += sum(seconds)
        means = {name: sum(taken) / len(taken) for name, taken in self._taken.items() if taken}
        if not self._done:
            return None
        typical = sum(means.values()) / len(means)
        rest = sum(count * means.get(name, typical) for name, count in self._missing.items())
        # Work done in a second of this run, by however many processes.
        return rest * (time.perf_counter() - self._began) / self._done


class _Names:
    """Names of the files of pieces: they change with everything that the piece depends on."""

    def __init__(
        self, table: Table, plan: Plan, also: Sequence[Table], adaptations: Sequence[Adaptation]
    ) -> None:
        self._plan = plan
        self._data = data_digest(table, also)
        self._code = {model: code_digest(plan.entry(model)) for model in plan.models}
        self._adaptation = {one.name: _source(one) for one in adaptations}

    def __call__(self, model: str, ask: Ask, trained_on: str) -> str:
        """Return the name of the file of a piece; `trained_on` is a digest of the rows."""
        plan, fold = self._plan, ask.fold
        own = [plan.protocol, model, fold.name, fold.seed, self._data + self._code[model]]
        if plan.entry(model).learns_from_sensors:
            own += [list(plan.inputs(model)), list(plan.missing(model)), plan.device, plan.preset]
            settings = plan.options(model, fold.seed, {}).settings
            own += [settings.to_dict()] if settings and plan.entry(model).module == "mpcl" else []
        own += [trained_on, _digest(fold.test, fold.given), ask.adaptation]
        own += [self._adaptation.get(ask.adaptation, "")]
        digest = hashlib.sha256(json.dumps(own).encode()).hexdigest()[:16]
        words = [model, fold.name, *([ask.adaptation] if ask.adaptation else [])]
        readable = ["".join(c if c.isalnum() else "-" for c in word) for word in words]
        return f"{'-'.join(readable)}-{fold.seed}-{digest}.npz"


def _digest(*rows: Rows) -> str:
    """Return a digest of arrays of rows."""
    digest = hashlib.sha256()
    for one in rows:
        digest.update(one.tobytes() + b"|")
    return digest.hexdigest()


def _source(adaptation: Adaptation) -> str:
    """Return a text that changes with an adaptation's settings and the code that it is made of.

    That is its module, and those of ours from which the module takes something.
    """
    module = inspect.getmodule(type(adaptation))
    if module is None:
        return repr(adaptation)
    taken = {inspect.getmodule(value) for value in vars(module).values()} | {module}
    ours = {
        one.__name__: one
        for one in taken
        if one is not None and one.__name__.partition(".")[0] == module.__name__.partition(".")[0]
    }
    return "\n".join([repr(adaptation), *(inspect.getsource(ours[name]) for name in sorted(ours))])
