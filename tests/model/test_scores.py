"""Scores: rows, intervals, pairs and conformal radii against plain computations."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import roc_auc_score

from model import scores
from model.datasets.table import Table
from model.pieces import Piece
from tests.model.tables import synthetic_table


def pieces_of(table: Table, model: str = "guess", noise: float = 0.3, seed: int = 0) -> list[Piece]:
    """Truth with noise, a piece a person."""
    rng = np.random.default_rng(seed)
    pieces = []
    for person in table.people:
        rows = table.rows([person])
        guess = table.distribution[rows] * np.exp(rng.normal(0, noise, (len(rows), 10)))
        guess /= guess.sum(1, keepdims=True)
        mean = np.full(10, 0.1)
        pieces.append(Piece(model, person, seed, 50, rows, guess, mean, 1.5, person))
    return pieces


def test_rows_hold_each_folds_own_means() -> None:
    table = synthetic_table()
    pieces = pieces_of(table)
    rows = scores.fold_rows(table, pieces, "loso")
    assert list(rows["fold"]) == ["P0", "P1", "P2", "P3"]
    piece, row = pieces[2], rows.iloc[2]
    truth = table.distribution[piece.rows]
    kl = (truth * np.log(truth / piece.prediction)).sum(1).mean()
    reference = (truth * np.log(truth / 0.1)).sum(1).mean()
    assert row["kl"] == pytest.approx(kl)
    assert row["kl_train_mean"] == pytest.approx(reference)
    assert row["skill"] == pytest.approx(1 - kl / reference)
    negative = piece.prediction[:, 5:].sum(1)
    stress = table.condition[piece.rows] == "TSST"
    assert row["stress_auc"] == pytest.approx(roc_auc_score(stress, negative))
    assert row["n_test"] == len(piece.rows)
    assert row["seconds"] == 1.5


def test_summary_averages_seeds_then_people() -> None:
    table = synthetic_table()
    rows = pd.concat(
        [scores.fold_rows(table, pieces_of(table, seed=s, noise=0.1 + s), "loso") for s in (0, 1)]
    )
    one = scores.summarise(rows)["guess"]
    expected = rows.groupby("fold")["kl"].mean()
    assert one["kl"].mean == pytest.approx(expected.mean())
    assert one["kl"].low < one["kl"].mean < one["kl"].high
    assert expected.min() <= one["kl"].low
    assert one["kl"].high <= expected.max()
    ratio = 1 - expected.mean() / rows["kl_train_mean"].mean()
    assert one["skill"].mean == pytest.approx(ratio)


def test_interval_agrees_with_the_normal_approximation() -> None:
    rng = np.random.default_rng(0)
    values = rng.normal(0.9, 0.05, 60)
    rows = pd.DataFrame({"model": "a", "fold": [f"P{i}" for i in range(60)], "kl": values})
    for name in ("chebyshev", "clark", "canberra", "cosine", "intersection"):
        rows[name] = values
    for name in ("stress_auc", "order", "kl_train_mean", "coverage", "radius"):
        rows[name] = values
    interval = scores.summarise(rows)["a"]["stress_auc"]
    half = 1.96 * values.std() / math.sqrt(60)
    assert interval.low == pytest.approx(values.mean() - half, abs=0.1 * half)
    assert interval.high == pytest.approx(values.mean() + half, abs=0.1 * half)


def test_pairing_removes_what_differs_between_people() -> None:
    table = synthetic_table(people=6)
    rows = scores.fold_rows(table, pieces_of(table), "loso")
    better = rows.assign(model="better", kl=rows["kl"] - 0.001)
    both = pd.concat([rows, better])
    interval = scores.paired(both, "better", "guess", "kl")
    for edge in (interval.mean, interval.low, interval.high):
        assert edge == pytest.approx(-0.001)
    summary = scores.summarise(both)
    assert summary["better"]["rank"] < summary["guess"]["rank"]


def test_people_without_a_value_are_left_out() -> None:
    table = synthetic_table()
    rows = scores.fold_rows(table, pieces_of(table), "loso")
    rows.loc[0, "order"] = math.nan
    rows["stress_auc"] = math.nan
    one = scores.summarise(rows)["guess"]
    assert one["order"].mean == pytest.approx(rows["order"][1:].mean())
    assert math.isnan(one["stress_auc"].mean)
    assert scores.plain({"guess": one})["guess"]["stress_auc"] is None


def test_radius_is_the_quantile_of_the_other_peoples_trials() -> None:
    # Each trial has one error, so that weights play no part: 3 others with 5 trials each.
    table = synthetic_table()
    pieces = []
    errors = {}
    rng = np.random.default_rng(0)
    for person in table.people:
        rows = table.rows([person])
        guess = table.distribution[rows].copy()
        for trial in np.unique(table.trial[rows]):
            step = rng.uniform(0, 0.05)
            errors[person, trial] = step
            own = table.trial[rows] == trial
            guess[own, 0] += step
            guess[own, 9] -= step
        pieces.append(Piece("m", person, 0, 1, rows, guess, np.full(10, 0.1), 0.0, person))
    radii = scores.conformal_radii(table, pieces)
    for person, radius in zip(table.people, radii, strict=True):
        others = sorted(e for (name, _), e in errors.items() if name != person)
        # ceil(0.9 * 16) = 15th smallest of 15.
        assert radius == pytest.approx(others[14], abs=1e-9)


def test_coverage_is_near_its_level_for_exchangeable_people() -> None:
    table = synthetic_table(people=20)
    rng = np.random.default_rng(1)
    pieces = []
    for person in table.people:
        rows = table.rows([person])
        _, trials = np.unique(table.trial[rows], return_inverse=True)
        noise = rng.normal(0, 0.4, (5, 10))[trials]
        guess = table.distribution[rows] * np.exp(noise)
        guess /= guess.sum(1, keepdims=True)
        pieces.append(Piece("m", person, 0, 1, rows, guess, np.full(10, 0.1), 0.0, person))
    rows = scores.fold_rows(table, pieces, "loso")
    assert rows["coverage"].mean() == pytest.approx(0.9, abs=0.03)


def test_too_few_other_trials_give_a_set_of_everything() -> None:
    table = synthetic_table(people=2)
    rows = scores.fold_rows(table, pieces_of(table), "loso")
    assert (rows["radius"] == 1).all()
    assert (rows["coverage"] == 1).all()


def test_comparisons_follow_the_models() -> None:
    models = ("mpcl", "trees", "clock", "train-mean")
    found = scores.comparisons(models, has_stress=True)
    assert ("mpcl", "clock", "stress_auc") in found
    assert ("trees", "clock", "stress_auc") in found
    assert ("mpcl", "trees", "stress_auc") in found
    assert not [pair for pair in found if "movement" in pair]
    quiet = scores.comparisons(models, has_stress=False)
    assert all(metric == "kl" for _, _, metric in quiet)
    assert scores.comparisons(("clock", "uniform"), has_stress=True) == []
