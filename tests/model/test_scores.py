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
    rows = pd.DataFrame({"model": "a", "person": [f"P{i}" for i in range(60)], "kl": values})
    rows = rows.assign(seed=0, k=0, adaptation="")
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


def rows_of(*models: str, k: int = 0, adaptation: str = "", gain: float = 0.0) -> pd.DataFrame:
    """Rows of several systems; the later ones and those with a gain are better."""
    table = synthetic_table()
    rows = scores.fold_rows(table, pieces_of(table), "calibrated-k")
    return pd.concat(
        [
            rows.assign(model=model, k=k, adaptation=adaptation, kl=rows["kl"] - gain - 1e-4 * i)
            for i, model in enumerate(models)
        ],
        ignore_index=True,
    )


def test_comparisons_follow_the_models() -> None:
    found = scores.comparisons(rows_of("mpcl", "trees", "clock", "train-mean"), has_stress=True)
    assert found == [
        ("mpcl", "trees", "stress_auc"),
        ("mpcl", "trees", "kl"),
        ("mpcl", "clock", "stress_auc"),
        ("mpcl", "train-mean", "kl"),
        ("trees", "clock", "stress_auc"),
        ("trees", "train-mean", "kl"),
    ]
    quiet = scores.comparisons(rows_of("mpcl", "helo", "without PRD", "clock"), has_stress=False)
    assert quiet == [("mpcl", "helo", "kl"), ("mpcl", "without PRD", "kl")]
    assert scores.comparisons(rows_of("clock", "uniform"), has_stress=True) == []


def test_calibrated_rows_have_labels_pairs_and_the_people_they_harm() -> None:
    models = ("trees", "train-mean", "place")
    none = rows_of(*models, k=4, adaptation="none")
    moved = rows_of(*models, k=4, adaptation="shrinkage", gain=0.001)
    moved.loc[(moved["model"] == "trees") & (moved["person"] == "P2"), "kl"] += 0.01
    rows = pd.concat([rows_of(*models), none, moved], ignore_index=True)
    summary = scores.summarise(rows)
    assert list(summary)[:3] == ["trees", "trees, k = 4, none", "trees, k = 4, shrinkage"]
    assert summary["trees, k = 4, shrinkage"]["worse_than_none"] == 1
    assert summary["place, k = 4, shrinkage"]["worse_than_none"] == 0
    assert math.isnan(summary["place, k = 4, none"]["worse_than_none"])
    assert math.isnan(summary["place"]["worse_than_none"])
    gone = (rows["person"] == "P2") & (rows["adaptation"] == "shrinkage")
    assert scores.summarise(rows[~gone])["trees, k = 4, shrinkage"]["worse_than_none"] == 0
    pairs = scores.comparisons(rows, has_stress=False)
    assert pairs[1:] == [
        ("trees, k = 4, shrinkage", "train-mean, k = 4, shrinkage", "kl"),
        ("trees, k = 4, shrinkage", "place, k = 4, shrinkage", "kl"),
    ]
    # Another adaptation is compared with the same of the references, and with their shrinkage; the
    # AUC with that of the same system before.
    better = rows_of(*models, k=4, adaptation="calibrated")
    pairs = scores.comparisons(pd.concat([rows, better], ignore_index=True), has_stress=True)
    own = "trees, k = 4, calibrated"
    assert [pair[1:] for pair in pairs if pair[0] == own] == [
        ("train-mean, k = 4, calibrated", "kl"),
        ("place, k = 4, calibrated", "kl"),
        ("train-mean, k = 4, shrinkage", "kl"),
        ("place, k = 4, shrinkage", "kl"),
        ("trees, k = 4, none", "stress_auc"),
    ]
    gap = scores.paired(rows, "place", "train-mean", "kl")
    assert gap.mean == pytest.approx(-1e-4)
    for name in summary:
        assert scores.model_of(name) == name.split(",")[0]
    assert scores.model_of("scales 0.5, 1, k = 4, none") == "scales 0.5, 1"
    ranks = [summary[label]["rank"] for label in summary if summary[label]["kl"].mean]
    assert min(ranks) == 1
    assert max(ranks) <= 3


def test_a_persons_folds_are_one_person() -> None:
    table = synthetic_table()
    whole = pieces_of(table)
    halves = [
        Piece(
            p.model,
            f"{p.person}, part {i}",
            0,
            1,
            p.rows[i::2],
            p.prediction[i::2],
            p.train_mean,
            0.0,
            p.person,
        )
        for p in whole
        for i in (0, 1)
    ]
    one, two = (scores.fold_rows(table, pieces, "trial-sd") for pieces in (whole, halves))
    assert len(two) == 2 * len(one)
    assert len(scores.by_person(two)) == len(table.people)
    first, second = (scores.summarise(rows)["guess"]["kl"] for rows in (one, two))
    assert second.mean == pytest.approx(first.mean)
    assert second.low == pytest.approx(first.low)
    # The radius of a part is that of all parts of the other people.
    np.testing.assert_allclose(two["radius"][::2], two["radius"][1::2])


def test_one_person_has_no_interval() -> None:
    table = synthetic_table(people=1)
    rows = scores.fold_rows(table, pieces_of(table), "paper-sd")
    assert rows["radius"].isna().all()
    one = scores.summarise(rows)["guess"]
    assert one["kl"].mean == pytest.approx(rows["kl"][0])
    assert math.isnan(one["kl"].low)
    assert str(one["kl"]) == f"{rows['kl'][0]:.3f}"
    assert str(one["coverage"]) == "-"
    assert scores.plain({"guess": one})["guess"]["kl"]["low"] is None
