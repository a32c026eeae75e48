"""Sweep: it never sees what is tested, and neither interruption nor workers change it."""

from __future__ import annotations

import dataclasses
import tomllib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from model import sweep as module
from model.datasets.table import Table
from model.evaluation import Failure, Outcome, Plan
from model.protocols import Fold
from model.search_space import Between, Choices, point_of, settings_at, space
from model.settings import MpclSettings
from model.sweep import Found, sweep
from model.sweep_folds import ground
from realtime.errors import InputError
from tests.model.people import TINY
from tests.model.tables import synthetic_table

START = dataclasses.replace(TINY, epochs=2)
PLAN = Plan("loso", ("mpcl",), seeds=(0,), settings=START)
RECIPES = [START, MpclSettings.small(), MpclSettings.person(), MpclSettings.full()]


@pytest.fixture(scope="module", autouse=True)
def pairs() -> Iterator[None]:
    """Two settings at a time instead of four."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "BATCH", 2)
        yield


@pytest.fixture(scope="module")
def table() -> Table:
    return synthetic_table(people=4, seconds=20)


@pytest.fixture(scope="module")
def finished(table: Table, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Found]:
    out = tmp_path_factory.mktemp("sweep")
    return out, sweep(table, PLAN, 3, out)


def test_the_start_is_tried_first_and_the_best_is_never_worse(
    finished: tuple[Path, Found],
) -> None:
    out, found = finished
    rows = pd.read_csv(out / "trials.csv")
    assert len(rows) == 3
    assert rows.loc[0, list(point_of(START, space(START)))].to_dict() == pytest.approx(
        point_of(START, space(START))
    )
    done = rows[rows["state"] == "done"]
    assert found.start_kl == pytest.approx(done["kl"][0])
    assert found.best_kl == pytest.approx(done["kl"].min())
    assert done["kl"].nunique() > 1
    # The file is what `evaluate --settings` reads.
    written = tomllib.loads((out / "best.toml").read_text(encoding="utf-8"))
    assert MpclSettings.from_dict(written["mpcl"]) == found.best
    assert not (out / "work").exists()


def test_a_finished_search_is_not_done_again(
    table: Table, finished: tuple[Path, Found], monkeypatch: pytest.MonkeyPatch
) -> None:
    out, found = finished
    monkeypatch.setattr(module._Search, "_batch", lambda *given: pytest.fail("drawn again"))
    again = sweep(table, PLAN, 3, out)
    assert (again.best, again.best_tested) == (found.best, found.best_tested)


def test_an_interrupted_search_ends_as_if_it_had_not_been(
    table: Table, finished: tuple[Path, Found], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = module.run_folds
    for calls in (1, 2):  # inside the first pair of settings, then inside the second
        left = [calls]

        def interrupted(*given: Any, left: list[int] = left, **named: Any) -> Outcome:
            if not left[0]:
                raise KeyboardInterrupt
            left[0] -= 1
            return real(*given, **named)

        monkeypatch.setattr(module, "run_folds", interrupted)
        with pytest.raises(KeyboardInterrupt):
            sweep(table, PLAN, 3, tmp_path)
    monkeypatch.setattr(module, "run_folds", real)
    sweep(table, PLAN, 3, tmp_path)
    out, _ = finished
    for name in ("trials.csv", "best.toml"):
        assert (tmp_path / name).read_bytes() == (out / name).read_bytes()


def test_what_is_tested_has_no_influence_on_the_search(
    table: Table, finished: tuple[Path, Found], tmp_path: Path
) -> None:
    _, found = finished
    tested = np.concatenate([fold.test for fold in ground(table, "loso", 0).outer])
    shares, features = table.distribution.copy(), dict(table.features)
    shares[tested] = np.where(np.arange(10) == 9, 0.91, 0.01)
    features["eda"] = features["eda"].copy()
    features["eda"][tested] += 5
    changed = dataclasses.replace(table, distribution=shares, features=features)
    other = sweep(changed, PLAN, 3, tmp_path)
    pd.testing.assert_frame_equal(other.trials, found.trials)
    assert other.best_tested > 5 * found.best_tested


def test_another_search_in_the_same_folder_is_refused(
    table: Table, finished: tuple[Path, Found]
) -> None:
    out, _ = finished
    with pytest.raises(InputError, match="holds another search"):
        sweep(table, dataclasses.replace(PLAN, seeds=(1,)), 3, out)


def test_a_failing_trial_does_not_lose_the_others(
    table: Table, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = module.run_folds

    def failing(given: Table, plan: Plan, *others: Any, **named: Any) -> Outcome:
        healthy = tuple(model for model in plan.models if model != "trial 1")
        outcome = real(given, dataclasses.replace(plan, models=healthy), *others, **named)
        lost = () if len(healthy) == len(plan.models) else (FAILURE,)
        return dataclasses.replace(outcome, failures=lost)

    monkeypatch.setattr(module, "run_folds", failing)
    rows = sweep(table, PLAN, 3, tmp_path).trials
    assert rows["state"].tolist() == ["done", "failed", "done"]
    assert rows["error"].tolist() == ["", "ValueError: too wide", ""]


FAILURE = Failure("trial 1", "P0", "P0", 0, "ValueError: too wide", "")


def test_hopeless_settings_end_early(
    table: Table, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "STARTUP", 1)
    calls: list[tuple[int, int]] = []
    real = module.run_folds

    def counted(
        given: Table, plan: Plan, folds: Sequence[Fold], *others: Any, **named: Any
    ) -> Outcome:
        calls.append((len(plan.models), len(folds)))
        return real(given, plan, folds, *others, **named)

    monkeypatch.setattr(module, "run_folds", counted)
    wild = dataclasses.replace(START, learning_rate=0.1)
    plan = dataclasses.replace(PLAN, seeds=(2,), settings=wild)
    rows = sweep(table, plan, 4, tmp_path).trials
    early = rows.index[rows["state"] == "ended early"]
    # The first pair has nothing to be compared with; of the second, some did worse.
    assert 0 < len(early) <= 2 and early.min() >= 2
    trained = sum(models * folds for models, folds in calls[:-1])
    assert trained == 4 * 3 - 2 * len(early)


@pytest.mark.parametrize("name", ["loso", "calibrated-k", "paper-sd", "trial-sd"])
def test_inner_folds_lie_in_the_training_part(table: Table, name: str) -> None:
    where = ground(table, name, 0)
    strangers = name in ("loso", "calibrated-k")
    tested = np.concatenate([fold.test for fold in where.outer])
    for fold in (fold for folds in where.rounds for fold in folds):
        outer = [
            one
            for one in where.outer
            if np.isin(fold.train, one.train).all() and np.isin(fold.test, one.population).all()
        ]
        assert outer
        assert not np.intersect1d(fold.test, fold.train).size
        assert not np.intersect1d(fold.test, fold.population).size
        assert len(fold.train) and len(fold.test)
        people, held = set(table.person[fold.train]), set(table.person[fold.test])
        assert people.isdisjoint(held) == strangers
        assert not np.isin(np.concatenate([fold.train, fold.test]), tested).any()
        if name == "trial-sd":
            assert set(table.trial[fold.train]).isdisjoint(table.trial[fold.test])
    # Together they validate on the whole training part, each window once for each outer fold.
    validated = np.concatenate([fold.test for folds in where.rounds for fold in folds])
    searched = where.outer[:1] if strangers else where.outer
    population = np.concatenate([one.population for one in searched])
    np.testing.assert_array_equal(np.sort(validated), np.sort(population))


def test_too_few_people_to_search_are_refused() -> None:
    with pytest.raises(InputError, match="at least 4 people"):
        ground(synthetic_table(people=3), "loso", 0)


@pytest.mark.parametrize("start", RECIPES)
def test_every_corner_of_the_space_is_a_recipe(start: MpclSettings) -> None:
    ranges = space(start)
    assert settings_at(point_of(start, ranges), start) == start
    lowest, highest = {}, {}
    for name, one in ranges.items():
        ends = one.values if isinstance(one, Choices) else (one.low, one.high)
        assert ends[0] <= getattr(start, name) <= ends[-1]
        lowest[name], highest[name] = ends[0], ends[-1]
        assert not (isinstance(one, Between) and one.logarithmic and one.low <= 0)
    for point in (lowest, highest):
        made = settings_at(point, start)
        assert made.slots[0] <= made.prototypes
        assert MpclSettings.from_dict(made.to_dict()) == made
    assert settings_at(highest, start).slots[0] == 2 * start.slots[0]
