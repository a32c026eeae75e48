"""Evaluation: the same result however it is run, and none of it done twice."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest

from model.datasets.table import Table, normalised, population_of
from model.evaluation import Plan, run
from model.labels import IPANAS_SF, align
from model.pieces import Piece
from model.protocols import leave_one_subject_out
from realtime.errors import InputError
from tests.model.tables import synthetic_table

PLAN = Plan("loso", ("nearest-clock", "train-mean", "subject-mean"), seeds=(0, 1))


def same(first: list[Piece], second: list[Piece]) -> bool:
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
    return out, run(table, PLAN, out)


def test_every_model_fold_and_seed_is_there_in_order(finished: tuple[Path, list[Piece]]) -> None:
    _, pieces = finished
    expected = [(m, f, s) for m in PLAN.models for s in (0, 1) for f in ("P0", "P1", "P2")]
    assert [(p.model, p.fold, p.seed) for p in pieces] == expected
    for piece in pieces:
        np.testing.assert_allclose(piece.prediction.sum(1), 1)


def test_two_processes_give_the_same_bytes(table: Table, tmp_path: Path) -> None:
    plan = Plan("loso", ("clock", "subject-mean"), seeds=(0,))
    serial = run(table, plan, tmp_path / "serial")
    assert same(serial, run(table, plan, tmp_path / "parallel", workers=2))


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
    again = run(table, PLAN, out, progress=lambda what, now, total: done.append((now, total)))
    assert done == [(len(pieces) - 1, len(pieces)), (len(pieces), len(pieces))]
    assert same(pieces, again)
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

    def note(what: str, now: int, total: int) -> None:
        started.append(what)

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
    first = run(table, plan, tmp_path / "a")
    rng = np.random.default_rng(0)
    noisy = dict(table.features)
    noisy["eda"] = rng.normal(size=noisy["eda"].shape).astype(np.float32)
    second = run(dataclasses.replace(table, features=noisy), plan, tmp_path / "b")
    assert same(first, second)


@pytest.mark.usefixtures("few_trees")
def test_the_tested_persons_labels_reach_only_the_oracle(table: Table, tmp_path: Path) -> None:
    models = ("trees", "train-mean", "subject-mean")
    plan = Plan("loso", models, seeds=(0,))
    shares = table.distribution.copy()
    own = table.person == "P1"
    shares[own] = shares[own][:, ::-1]
    first = {p.model: p for p in run(table, plan, tmp_path / "a") if p.fold == "P1"}
    other = dataclasses.replace(table, distribution=shares)
    second = {p.model: p for p in run(other, plan, tmp_path / "b") if p.fold == "P1"}
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
    pieces = run(table, plan, tmp_path, also=[also])
    alone = run(table, plan, tmp_path)
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
    with pytest.raises(InputError, match="no distributions"):
        run(doubled, PLAN, tmp_path)
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
