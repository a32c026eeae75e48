"""Evaluation: the same result however it is run, and none of it done twice."""

from __future__ import annotations

import dataclasses
import multiprocessing
import os
import signal
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from model.batch import Batch, Labels
from model.datasets.feature_table import NO_RIG
from model.datasets.table import Table, normalised, population_of
from model.evaluation import Plan, applicable, notes, run
from model.labels import IPANAS_SF, align
from model.pieces import Piece
from model.protocols import leave_one_subject_out
from model.systems.references import TrainMean
from realtime.errors import InputError
from tests.model.people import TINY
from tests.model.tables import synthetic_table

PLAN = Plan("loso", ("nearest-clock", "train-mean", "subject-mean"), seeds=(0, 1))


def same(first: Sequence[Piece], second: Sequence[Piece]) -> bool:
    """All pieces are the same to the byte, but for the time that they took."""
    return len(first) == len(second) and all(
        (a.model, a.fold, a.seed, a.n_train) == (b.model, b.fold, b.seed, b.n_train)
        and a.prediction.tobytes() == b.prediction.tobytes()
        and a.rows.tobytes() == b.rows.tobytes()
        and a.train_mean.tobytes() == b.train_mean.tobytes()
        for a, b in zip(first, second, strict=True)
    )


@pytest.fixture
def few_trees(monkeypatch: pytest.MonkeyPatch) -> None:
    """Smaller forests, for tests that run in this process and ask nothing of their quality."""
    monkeypatch.setattr("model.systems.trees.TREES", 20)


@pytest.fixture(scope="module")
def table() -> Table:
    return synthetic_table(people=3)


@pytest.fixture(scope="module")
def finished(table: Table, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[Piece]]:
    out = tmp_path_factory.mktemp("out")
    return out, list(run(table, PLAN, out).pieces)


def test_every_model_fold_and_seed_is_there_in_order(finished: tuple[Path, list[Piece]]) -> None:
    _, pieces = finished
    expected = [(m, f, s) for m in PLAN.models for s in (0, 1) for f in ("P0", "P1", "P2")]
    assert [(p.model, p.fold, p.seed) for p in pieces] == expected
    for piece in pieces:
        np.testing.assert_allclose(piece.prediction.sum(1), 1)


def test_a_second_run_does_only_what_is_missing(
    table: Table, finished: tuple[Path, list[Piece]]
) -> None:
    out, pieces = finished
    files = sorted((out / "folds").iterdir())
    assert len(files) == len(pieces)
    gone, damaged = files[0], files[-1]
    before = {path: path.stat().st_mtime_ns for path in files}
    gone.unlink()
    damaged.write_bytes(damaged.read_bytes()[:200])
    done = []
    again = run(table, PLAN, out, progress=lambda what, now, total, left: done.append((now, left)))
    assert [now for now, _ in done] == [len(pieces) - 2, len(pieces) - 1, len(pieces)]
    assert done[0][1] is None
    assert done[1][1] > 0 == done[2][1]
    assert same(pieces, again.pieces)
    after = {path: path.stat().st_mtime_ns for path in files}
    assert {path for path in files if before[path] != after[path]} == {gone, damaged}


@pytest.mark.usefixtures("few_trees")
def test_other_data_or_settings_are_done_afresh(
    table: Table, finished: tuple[Path, list[Piece]]
) -> None:
    out, _ = finished
    changed = dict(table.features)
    changed["eda"] = changed["eda"] + np.float32(1e-3)
    started: list[str] = []
    small = dataclasses.replace(PLAN, models=("trees",), seeds=(0,))

    def note(what: str, now: int, total: int, left: float | None) -> None:
        started.extend([what] if what else [])

    run(table, small, out, progress=note)
    run(dataclasses.replace(table, features=changed), small, out, progress=note)
    assert len(started) == 6
    run(table, dataclasses.replace(small, modalities=("ppg",)), out, progress=note)
    assert len(started) == 9
    run(table, small, out, progress=note)
    assert len(started) == 9


@pytest.mark.usefixtures("few_trees")
def test_modalities_hide_the_others(table: Table, tmp_path: Path) -> None:
    plan = Plan("loso", ("trees", "movement"), seeds=(0,), modalities=("ppg",))
    first = run(table, plan, tmp_path / "a").pieces
    rng = np.random.default_rng(0)
    noisy = dict(table.features)
    noisy["eda"] = rng.normal(size=noisy["eda"].shape).astype(np.float32)
    second = run(dataclasses.replace(table, features=noisy), plan, tmp_path / "b").pieces
    assert same(first, second)


@pytest.mark.usefixtures("few_trees")
def test_the_tested_persons_labels_reach_only_the_oracle(table: Table, tmp_path: Path) -> None:
    models = ("trees", "train-mean", "subject-mean")
    plan = Plan("loso", models, seeds=(0,))
    shares = table.distribution.copy()
    own = table.person == "P1"
    shares[own] = shares[own][:, ::-1]
    first = {p.model: p for p in run(table, plan, tmp_path / "a").pieces if p.fold == "P1"}
    other = dataclasses.replace(table, distribution=shares)
    second = {p.model: p for p in run(other, plan, tmp_path / "b").pieces if p.fold == "P1"}
    for model in models:
        equal = np.array_equal(first[model].prediction, second[model].prediction)
        assert equal == (model != "subject-mean")


def test_the_tested_persons_features_reach_no_training(table: Table) -> None:
    fold = leave_one_subject_out(table, 0)[1]
    changed = {name: values.copy() for name, values in table.features.items()}
    for values in changed.values():
        values[table.person == fold.name] += 100
    first = population_of([(table, fold.population)])
    second = population_of([(dataclasses.replace(table, features=changed), fold.population)])
    for name in first.mean:
        np.testing.assert_array_equal(first.mean[name], second.mean[name])
        np.testing.assert_array_equal(first.std[name], second.std[name])


def test_normalisation_is_that_of_a_whole_session(table: Table) -> None:
    """Leaving out the windows between trials changes no rated window; masked ones are 0."""
    population = population_of([(table, table.rows(["P1", "P2"]))])
    batch = normalised(table, population, ["P0"])
    from realtime.baseline import normalise

    own = np.flatnonzero(table.person == "P0")
    whole = normalise(
        table.time[own],
        {name: values[own] for name, values in table.features.items()},
        population,
        table.stretches["P0"],
    )
    rated = table.rated[own]
    for name in table.features:
        present = rated & table.mask[name][own]
        np.testing.assert_array_equal(batch.features[name][own][present], whole[name][present])
    assert (batch.features["eda"][~table.mask["eda"]] == 0).all()
    assert (batch.features["eda"][table.person != "P0"] == 0).all()


def test_a_running_baseline_sees_the_windows_between_trials(table: Table) -> None:
    running = dataclasses.replace(table, stretches=dict.fromkeys(table.people))
    population = population_of([(running, running.rows(["P1", "P2"]))])
    gaps = ~running.rated & ~running.is_baseline & (running.person == "P0")
    changed = {name: values.copy() for name, values in running.features.items()}
    changed["ppg"][gaps] += 3
    first = normalised(running, population, ["P0"])
    second = normalised(dataclasses.replace(running, features=changed), population, ["P0"])
    last = running.rows(["P0"])[-1]
    assert not np.array_equal(first.features["ppg"][last], second.features["ppg"][last])


@pytest.mark.usefixtures("few_trees")
def test_more_training_data_with_other_items(table: Table, tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    shares = np.where(
        np.isfinite(table.distribution), rng.dirichlet(np.ones(10), len(table)), np.nan
    )
    also = dataclasses.replace(table, dataset="other", labels=IPANAS_SF, distribution=shares)
    labels = also.targets(also.rows(["P0"]), to=table.labels)
    aligned, items = align(shares[also.rows(["P0"])], IPANAS_SF, table.labels)
    np.testing.assert_array_equal(labels.distribution, aligned)
    assert labels.items is not None
    np.testing.assert_array_equal(labels.items[0], items)
    plan = Plan("loso", ("trees", "train-mean"), seeds=(0,))
    pieces = run(table, plan, tmp_path, also=[also]).pieces
    alone = run(table, plan, tmp_path).pieces
    assert pieces[0].n_train > alone[0].n_train
    np.testing.assert_array_equal(pieces[-1].prediction, alone[-1].prediction)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"protocol": "kfold"}, "no protocol 'kfold'"),
        ({"models": ("forest",)}, "no model 'forest'"),
        ({"models": ()}, "at least one of each"),
        ({"modalities": ("eeg",)}, "no modality 'eeg'"),
        ({"models": ("mpcl",), "modalities": ("eda", "acc")}, "lack the primary one.*add ppg"),
        ({"models": ("uniform", "uniform")}, "models uniform, uniform: name each once"),
        ({"seeds": (0, -1)}, "seed -1: must be 0 or more"),
        ({"preset": "tiny"}, "no preset 'tiny'"),
        ({"device": "gpu"}, "device 'gpu' is unknown"),
        ({"shots": (1,)}, "'loso' gives no trials"),
        ({"protocol": "calibrated-k", "shots": (9,)}, "9 given trials leave none"),
        ({"protocol": "calibrated-k", "shots": (-2,)}, "number of given trials -2"),
    ],
)
def test_plans_that_do_not_fit_end_before_training(
    table: Table, tmp_path: Path, change: dict[str, object], message: str
) -> None:
    with pytest.raises(InputError, match=message):
        run(table, dataclasses.replace(PLAN, **change), tmp_path)
    assert not list(tmp_path.iterdir())


def test_data_that_does_not_fit_ends_before_training(table: Table, tmp_path: Path) -> None:
    nothing = dataclasses.replace(table, distribution=np.full_like(table.distribution, np.nan))
    with pytest.raises(InputError, match="no window with a complete rating"):
        run(nothing, PLAN, tmp_path)
    doubled = dataclasses.replace(table, distribution=table.distribution * 2)
    with pytest.raises(InputError, match="one sums to 2: divide"):
        run(doubled, PLAN, tmp_path)
    shares = table.distribution.copy()
    shares[table.rows(["P1"])[3], :2] += [-1, 1]
    with pytest.raises(InputError, match=r"a share of -0\.\d+: none may be below 0"):
        run(dataclasses.replace(table, distribution=shares), PLAN, tmp_path)
    wild = {name: values.copy() for name, values in table.features.items()}
    wild["eda"][7, 0] = np.inf
    with pytest.raises(InputError, match="eda has 1 infinite values.*in c of 'P0'"):
        run(dataclasses.replace(table, features=wild), PLAN, tmp_path)
    silent = dataclasses.replace(table, mask={**table.mask, "eda": np.zeros(len(table), bool)})
    with pytest.raises(InputError, match="'eda' has no value in any rated window.*leave it out"):
        run(silent, dataclasses.replace(PLAN, modalities=("eda",)), tmp_path)
    with pytest.raises(InputError, match="at least 3 people"):
        run(synthetic_table(people=1), PLAN, tmp_path)
    still = {name: values for name, values in table.features.items() if name != "acc"}
    with pytest.raises(InputError, match="'movement' needs the modality 'acc'"):
        run(
            dataclasses.replace(table, features=still),
            dataclasses.replace(PLAN, models=("movement",)),
            tmp_path,
        )
    assert not list(tmp_path.iterdir())


def quick() -> Plan:
    """An oracle, a network of the smallest size, and a system of scikit-learn, on every fold."""
    settings = dataclasses.replace(TINY, epochs=5)
    return Plan("loso", ("subject-mean", "mpcl", "clock"), seeds=(0,), settings=settings)


def _run_quick(out: Path) -> None:
    run(synthetic_table(people=3), quick(), out)


def test_a_killed_run_goes_on_in_this_process_to_the_bytes_of_two_others(
    table: Table, tmp_path: Path
) -> None:
    context = multiprocessing.get_context("spawn")
    process = context.Process(target=_run_quick, args=(tmp_path / "killed",))
    process.start()
    assert process.pid is not None
    folds = tmp_path / "killed" / "folds"
    deadline = time.monotonic() + 120
    while not list(folds.glob("mpcl*.npz")):
        assert time.monotonic() < deadline
        assert process.is_alive()
        time.sleep(0.005)
    os.kill(process.pid, signal.SIGTERM)
    process.join()
    left = len(list(folds.glob("*.npz")))
    assert left < 9, "killed too late to show anything"
    done: list[int] = []
    again = run(
        table,
        quick(),
        tmp_path / "killed",
        progress=lambda what, now, total, rest: done.append(now),
    )
    assert done[0] == left
    whole = run(table, quick(), tmp_path / "whole", workers=2)
    assert len(whole.pieces) == 9
    assert same(again.pieces, whole.pieces)


class Moody(TrainMean):
    """Fails where P1 is not trained on."""

    def fit(self, batch: Batch, labels: Labels, groups: np.ndarray) -> None:
        if "P1" not in groups:
            raise ValueError("no\nP1")
        super().fit(batch, labels, groups)


def test_one_failure_loses_nothing_else_and_is_tried_again(
    table: Table, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plan = Plan("loso", ("train-mean", "uniform"), seeds=(0,))
    with monkeypatch.context() as patch:
        patch.setattr("model.systems.references.TrainMean", Moody)
        first = run(table, plan, tmp_path)
    assert [(one.model, one.person) for one in first.failures] == [("train-mean", "P1")]
    assert str(first.failures[0]) == "train-mean, P1, seed 0: ValueError: no P1"
    assert "Moody" not in first.failures[0].error
    assert "raise ValueError" in first.failures[0].trace
    assert len(first.pieces) == 5
    started: list[str] = []
    second = run(
        table, plan, tmp_path, progress=lambda what, now, total, left: started.append(what)
    )
    assert started == ["", "train-mean, P1, seed 0"]
    assert not second.failures
    assert len(second.pieces) == 6


def test_calibration_fits_once_and_keeps_the_first_trials_out_of_the_test(
    table: Table, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fits = []

    class Counted(TrainMean):
        def fit(self, batch: Batch, labels: Labels, groups: np.ndarray) -> None:
            fits.append(sorted(set(groups.tolist())))
            super().fit(batch, labels, groups)

    monkeypatch.setattr("model.systems.references.TrainMean", Counted)
    # Each person has a favourite emotion, so that a stranger's few labels are worth something.
    number = [int(name[1:]) for name in table.person]
    shares = 0.6 * table.distribution + 0.4 * np.eye(10)[number]
    table = dataclasses.replace(table, distribution=shares)
    plan = Plan("calibrated-k", ("train-mean", "place", "subject-mean"), seeds=(0,), shots=(0, 2))
    outcome = run(table, plan, tmp_path)
    assert not outcome.failures
    assert fits == [["P1", "P2"], ["P0", "P2"], ["P0", "P1"]]
    kinds = {(p.model, p.k, p.adaptation) for p in outcome.pieces}
    both = {(m, 2, a) for m in ("train-mean", "place") for a in ("none", "shrinkage")}
    assert kinds == both | {(m, 0, "") for m in plan.models} | {("subject-mean", 2, "none")}
    by = {(p.model, p.person, p.k, p.adaptation): p for p in outcome.pieces}
    for person in table.people:
        start, none, moved = (
            by["train-mean", person, *kind] for kind in ((0, ""), (2, "none"), (2, "shrinkage"))
        )
        np.testing.assert_array_equal(none.rows, moved.rows)
        np.testing.assert_array_equal(start.prediction[-1], none.prediction[-1])
        given = np.setdiff1d(start.rows, none.rows)
        trials = [
            table.distribution[given[table.trial[given] == name]][0]
            for name in dict.fromkeys(table.trial[given].tolist())
        ]
        assert len(trials) == 2
        step = moved.prediction[0] - none.prediction[0]
        aim = np.mean(trials, axis=0) - none.prediction[0]
        weight = step @ aim / (aim @ aim)
        assert 0.5 < weight < 1
        np.testing.assert_allclose(step, weight * aim, atol=1e-12)


def test_what_all_means_for_a_table(table: Table) -> None:
    assert "movement" in applicable(table)
    still = {name: values for name, values in table.features.items() if name != "acc"}
    assert "movement" not in applicable(dataclasses.replace(table, features=still))
    silent = dataclasses.replace(table, mask={**table.mask, "acc": np.zeros(len(table), bool)})
    assert "movement" not in applicable(silent)
    assert notes(silent, PLAN) == ("acc has no value in any rated window, and counts as missing.",)
    published = applicable(dataclasses.replace(table, rig=NO_RIG))
    assert not {"clock", "nearest-clock", "place"} & set(published)
    assert {"mpcl", "trees", "train-mean", "subject-mean"} <= set(published)
