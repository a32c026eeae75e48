"""Evaluation: fits every system on every fold, in one process or many, and keeps what is done."""

from __future__ import annotations

import contextlib
import hashlib
import json
import logging
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from model.batch import Batch, concatenate, concatenate_labels
from model.datasets.table import Rows, Table, normalised, population_of
from model.fanout import cluster
from model.pieces import Piece, code_digest, data_digest, read_piece, write_piece
from model.protocols import EVERY, Fold, protocol
from model.settings import MpclSettings, Variant
from model.systems import PERSON, PLACE, SYSTEMS, Entry, Options
from model.systems import preset as find_preset
from realtime.errors import InputError

log = logging.getLogger(__name__)

Progress = Callable[[str, int, int], None]
"""Called with what was finished, how many are done, and how many there are."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What to evaluate.

    Attributes
    ----------
    protocol : str
    models : tuple of str
        Keys of `SYSTEMS`.
    seeds : tuple of int
    modalities : tuple of str
        What the systems that learn from sensors may use; empty for all.
    device, preset : str
        As in `Options`.
    settings : MpclSettings, optional
        What MPCL takes instead of its preset's.
    variants : mapping of str to Variant
        Changed forms of MPCL that stand in `models` by these names, for ablations.
    shots : tuple of int
        How many rated trials of the tested person are given, for ``calibrated-k``; empty for the
        protocol's own choice.
    """

    protocol: str
    models: tuple[str, ...]
    seeds: tuple[int, ...] = (0, 1, 2)
    modalities: tuple[str, ...] = ()
    device: str = "cpu"
    preset: str = "small"
    settings: MpclSettings | None = None
    variants: Mapping[str, Variant] = field(default_factory=dict)
    shots: tuple[int, ...] = ()

    def entry(self, model: str) -> Entry:
        """Return the registry's entry of a model; a variant has MPCL's."""
        return SYSTEMS["mpcl" if model in self.variants else model]

    def options(self, model: str, seed: int, roles: Mapping[str, str]) -> Options:
        """Return how a model is made."""
        settings = self.settings
        if model in self.variants:
            settings = self.variants[model].of(settings or find_preset(self.preset))
        return Options(seed, self.device, self.preset, roles, settings)

    def inputs(self, model: str) -> tuple[str, ...]:
        """Return which modalities a model that learns from sensors may use; empty for all."""
        return (
            self.variants[model].modalities or self.modalities
            if model in self.variants
            else self.modalities
        )


def run(
    table: Table,
    plan: Plan,
    out: Path,
    also: Sequence[Table] = (),
    workers: int = 1,
    address: str | None = None,
    progress: Progress | None = None,
) -> list[Piece]:
    """Run a plan and return all pieces, in the order of models, folds and seeds.

    The result is the same for any number of workers.

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

    Raises
    ------
    InputError
        If the plan does not fit the data; nothing has been trained then.
    """
    check(table, plan)
    folds = [fold for seed in plan.seeds for fold in protocol(plan.protocol).split(table, seed)]
    return run_folds(table, plan, folds, out, also, workers, address, progress)


def run_folds(
    table: Table,
    plan: Plan,
    folds: Sequence[Fold],
    out: Path,
    also: Sequence[Table] = (),
    workers: int = 1,
    address: str | None = None,
    progress: Progress | None = None,
) -> list[Piece]:
    """Run a plan's models on given folds; parameters and result as in `run`."""
    jobs = [(fold, model) for fold in folds for model in plan.models]
    data = data_digest(table, also)
    code = {model: code_digest(plan.entry(model)) for model in plan.models}
    paths = [_path(out, plan, fold, model, data + code[model]) for fold, model in jobs]
    pieces = [read_piece(path) for path in paths]
    missing = [index for index, piece in enumerate(pieces) if piece is None]
    kept = len(jobs) - len(missing)
    if kept:
        log.info("%d of %d folds are there already, in %s", kept, len(jobs), out)
    with _runner(table, tuple(also), plan, workers if missing else 1, address) as submit:
        for done, (index, piece) in enumerate(submit([(i, *jobs[i]) for i in missing]), start=1):
            write_piece(paths[index], piece)
            pieces[index] = piece
            if progress is not None:
                label = f"{piece.model}, {piece.fold}, seed {piece.seed}"
                progress(label, kept + done, len(jobs))
    finished = [piece for piece in pieces if piece is not None]
    order = {model: place for place, model in enumerate(plan.models)}
    return sorted(finished, key=lambda piece: order[piece.model])


def check(table: Table, plan: Plan) -> None:
    """Refuse a plan that does not fit the data, before anything is trained."""
    protocol(plan.protocol)
    for model in plan.models:
        if model not in SYSTEMS and model not in plan.variants:
            raise InputError(f"no model {model!r}: use {', '.join(SYSTEMS)}")
        plan.entry(model).check()
    if not plan.models or not plan.seeds:
        raise InputError(f"models {plan.models} and seeds {plan.seeds}: give at least one of each")
    for name in plan.modalities:
        if name not in table.features:
            raise InputError(f"no modality {name!r} in the rig: use {', '.join(table.features)}")
    used = plan.modalities or tuple(table.features)
    if any(plan.entry(model).network for model in plan.models) and not any(
        table.roles[name] == "primary" for name in used
    ):
        primary = next(name for name, role in table.roles.items() if role == "primary")
        raise InputError(
            f"modalities {', '.join(used)} lack the primary one, without which a network cannot "
            f"be trained: add {primary}"
        )
    if "movement" in plan.models and "acc" not in table.features:
        raise InputError("model 'movement' needs the modality 'acc': leave it out for this rig")
    rated = table.rated
    if not rated.any():
        raise InputError(
            f"dataset {table.dataset!r} has no window with a complete rating (all labels are NaN): "
            "check its ratings"
        )
    shares = table.distribution[rated]
    if (shares < 0).any() or np.abs(shares.sum(axis=1) - 1).max() > 1e-6:
        raise InputError(f"dataset {table.dataset!r} has labels that are no distributions")


@contextlib.contextmanager
def _runner(
    table: Table, also: tuple[Table, ...], plan: Plan, workers: int, address: str | None
) -> Iterator[Callable[[list[tuple[int, Fold, str]]], Iterator[tuple[int, Piece]]]]:
    """Yield a function that works off jobs and yields each finished piece with its index."""
    if workers <= 1 and address is None:

        def serial(jobs: list[tuple[int, Fold, str]]) -> Iterator[tuple[int, Piece]]:
            for index, fold, model in jobs:
                yield index, run_piece(table, also, plan, fold, model)

        yield serial
        return
    from distributed import as_completed

    with cluster(workers, address) as client:

        def parallel(jobs: list[tuple[int, Fold, str]]) -> Iterator[tuple[int, Piece]]:
            data = client.scatter((table, also), broadcast=True)
            futures = {
                client.submit(_remote_piece, data, plan, fold, model, pure=False): index
                for index, fold, model in jobs
            }
            for future in as_completed(futures):
                yield futures[future], future.result()

        yield parallel


def _remote_piece(
    data: tuple[Table, tuple[Table, ...]], plan: Plan, fold: Fold, model: str
) -> Piece:
    return run_piece(*data, plan, fold, model)


def run_piece(table: Table, also: tuple[Table, ...], plan: Plan, fold: Fold, model: str) -> Piece:
    """Fit one system on one fold and predict its test windows."""
    began = time.perf_counter()
    entry = plan.entry(model)
    if entry.network:
        # One thread, so that sums are added in the same order however many processes there are.
        import torch

        torch.set_num_threads(1)
    system = entry.build(plan.options(model, fold.seed, table.roles))
    labels = table.targets(fold.train)
    train_mean = labels.distribution.mean(axis=0)
    groups = table.person[fold.train]
    own = fold.train
    if entry.looks_at in (PERSON, PLACE):
        batch = _codes(table, entry.looks_at)
        if entry.looks_at == PERSON and not np.isin(table.person[fold.test], groups).all():
            own = fold.test
        system.fit(batch[own], table.targets(own), table.person[own])
        prediction = system.predict(batch[fold.test])
    else:
        train, test = _fold_batches(table, also, fold)
        if also:
            labels = concatenate_labels(
                [labels, *(one.targets(every_tenth(one), table.labels) for one in also)]
            )
            groups = np.concatenate([groups, *(one.person[every_tenth(one)] for one in also)])
        if entry.learns_from_sensors and plan.inputs(model):
            train, test = train.only(plan.inputs(model)), test.only(plan.inputs(model))
        system.fit(train, labels, groups)
        prediction = system.predict(test)
    return Piece(
        model=model,
        fold=fold.name,
        person=fold.person,
        seed=fold.seed,
        k=fold.k,
        adaptation="",
        n_train=len(own) if entry.looks_at in (PERSON, PLACE) else len(labels),
        rows=fold.test,
        prediction=np.asarray(prediction, dtype=np.float64),
        train_mean=train_mean,
        seconds=time.perf_counter() - began,
    )


def _codes(table: Table, of: str) -> Batch:
    """Return a batch of a number for each window's person, or its trial's place."""
    codes = np.zeros(len(table), dtype=np.float32)
    for number, person in enumerate(table.people):
        rows = table.rows([person])
        codes[table.person == person] = number
        if of == PLACE:
            trials = {name: place for place, name in enumerate(dict.fromkeys(table.trial[rows]))}
            codes[rows] = [trials[name] for name in table.trial[rows]]
    return Batch({of: codes[:, None]}, {of: np.ones(len(table), dtype=bool)}, table.elapsed)


def every_tenth(table: Table) -> Rows:
    """Return every tenth rated window of each person."""
    return np.concatenate([table.rows([person])[::EVERY] for person in table.people])


@dataclass(frozen=True)
class _Prepared:
    """Normalised windows of a fold, and what they were made from."""

    table: Table
    also: tuple[Table, ...]
    fold: Fold
    train: Batch
    test: Batch

    def fits(self, table: Table, also: tuple[Table, ...], fold: Fold) -> bool:
        return (
            self.table is table
            and len(self.also) == len(also)
            and all(one is other for one, other in zip(self.also, also, strict=True))
            and np.array_equal(self.fold.train, fold.train)
            and np.array_equal(self.fold.test, fold.test)
        )


_latest: list[_Prepared] = []


def _fold_batches(table: Table, also: tuple[Table, ...], fold: Fold) -> tuple[Batch, Batch]:
    """Return normalised training and test windows; the last fold's are kept for the next model."""
    if not (_latest and _latest[0].fits(table, also, fold)):
        everyone = [(table, fold.population), *((one, one.rows(one.people)) for one in also)]
        population = population_of(everyone)
        rows = np.concatenate([fold.train, fold.test])
        batch = normalised(table, population, list(dict.fromkeys(table.person[rows].tolist())))
        parts = [batch[fold.train]]
        parts += [normalised(one, population, one.people)[every_tenth(one)] for one in also]
        _latest[:] = [_Prepared(table, also, fold, concatenate(parts), batch[fold.test])]
    return _latest[0].train, _latest[0].test


def _path(out: Path, plan: Plan, fold: Fold, model: str, data: str) -> Path:
    own = [plan.protocol, model, fold.name, fold.seed, data]
    if plan.entry(model).learns_from_sensors:
        own += [list(plan.inputs(model)), plan.device, plan.preset]
        settings = plan.options(model, fold.seed, {}).settings
        own += [settings.to_dict()] if settings and plan.entry(model).module == "mpcl" else []
    digest = hashlib.sha256(json.dumps(own).encode())
    digest.update(fold.train.tobytes() + b"|" + fold.test.tobytes())
    person = "".join(c if c.isalnum() else "-" for c in fold.name)
    return out / "folds" / f"{model}-{person}-{fold.seed}-{digest.hexdigest()[:16]}.npz"
