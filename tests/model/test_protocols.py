"""Protocols: who trains, who is tested, and what never is."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from model.protocols import (
    PROTOCOLS,
    calibrated,
    default_shots,
    leave_one_subject_out,
    protocol,
    protocol_notes,
    random_trials,
    random_windows,
)
from realtime.errors import InputError
from tests.model.tables import BASELINE, CONDITIONS, SECONDS, synthetic_table


def test_loso_never_trains_on_the_tested_person() -> None:
    table = synthetic_table()
    folds = leave_one_subject_out(table, 0)
    assert [fold.name for fold in folds] == ["P0", "P1", "P2", "P3"]
    for fold in folds:
        assert set(table.person[fold.test]) == {fold.name}
        assert set(table.person[fold.train]) == set(table.people) - {fold.name}
        assert set(table.person[fold.population]) == set(table.people) - {fold.name}


def test_loso_tests_every_second_and_trains_on_every_tenth() -> None:
    table = synthetic_table()
    rated_a_person = len(CONDITIONS) * SECONDS - BASELINE
    for fold in leave_one_subject_out(table, 0):
        assert len(fold.test) == rated_a_person
        assert len(fold.train) == 3 * np.ceil(rated_a_person / 10)
        for person in set(table.person[fold.train]):
            own = fold.train[table.person[fold.train] == person]
            assert np.diff(own).min() >= 10


@pytest.mark.parametrize("name", PROTOCOLS)
def test_baseline_and_unrated_windows_are_in_no_fold(name: str) -> None:
    table = synthetic_table()
    for fold in protocol(name).split(table, 0):
        for rows in (fold.train, fold.test, fold.given, fold.population):
            assert not table.is_baseline[rows].any()
            assert np.isfinite(table.distribution[rows]).all()
        assert not set(fold.train) & set(fold.test)
        assert not set(fold.population) & set(fold.test)


def test_random_windows_are_80_to_20_within_each_person_and_follow_the_seed() -> None:
    table = synthetic_table()
    folds = random_windows(table, 0)
    for fold in folds:
        assert set(table.person[fold.train]) == set(table.person[fold.test]) == {fold.name}
        both = np.sort(np.concatenate([fold.train, fold.test]))
        np.testing.assert_array_equal(both, table.rows([fold.name]))
        assert len(fold.train) == round(0.8 * len(both))
    again, other = random_windows(table, 0), random_windows(table, 1)
    np.testing.assert_array_equal(folds[2].test, again[2].test)
    assert set(folds[2].test) != set(other[2].test)


def test_random_windows_leak_and_the_protocol_says_so() -> None:
    table = synthetic_table()
    fold = random_windows(table, 0)[0]
    gap = np.abs(table.time[fold.test][:, None] - table.time[fold.train][None]).min(axis=1)
    assert np.median(gap) <= 1.0
    assert "LEAKS" in PROTOCOLS["paper-sd"].about


def test_too_few_people_are_refused() -> None:
    with pytest.raises(InputError, match="needs at least 3 people.*has 1"):
        leave_one_subject_out(synthetic_table(people=1), 0)


def test_people_without_ratings_do_not_count() -> None:
    table = synthetic_table(people=3)
    shares = table.distribution.copy()
    shares[table.person == "P1"] = np.nan
    with pytest.raises(InputError, match="has 2"):
        leave_one_subject_out(dataclasses.replace(table, distribution=shares), 0)


def test_nothing_rated_is_refused_by_random_windows() -> None:
    table = synthetic_table(people=1)
    nothing = dataclasses.replace(table, distribution=np.full_like(table.distribution, np.nan))
    with pytest.raises(InputError, match="has none"):
        random_windows(nothing, 0)


def test_unknown_protocol() -> None:
    with pytest.raises(InputError, match="'kfold'.*loso"):
        protocol("kfold")


def test_a_published_split_is_the_fold_of_every_seed() -> None:
    table = synthetic_table(people=1)
    halves = np.where(np.arange(len(table)) % 3, "train", "test")
    published = dataclasses.replace(table, split=halves)
    first, second = random_windows(published, 0)[0], random_windows(published, 1)[0]
    np.testing.assert_array_equal(first.train, second.train)
    np.testing.assert_array_equal(first.test, second.test)
    assert set(halves[first.train]) == {"train"}
    assert set(halves[first.test]) == {"test"}
    assert len(first.train) + len(first.test) == table.rated.sum()
    assert "a split of its own" in protocol_notes(published, "paper-sd")[0]
    assert not protocol_notes(table, "paper-sd")
    with pytest.raises(InputError, match="0 test windows of 'P0'"):
        random_windows(dataclasses.replace(table, split=np.full(len(table), "train")), 0)


def test_trial_sd_holds_whole_trials_out() -> None:
    table = synthetic_table()
    folds = random_trials(table, 0)
    for person in table.people:
        own = [fold for fold in folds if fold.person == person]
        assert len(own) == 5
        tested = np.sort(np.concatenate([fold.test for fold in own]))
        np.testing.assert_array_equal(tested, table.rows([person]))
    for fold in folds:
        assert not set(table.trial[fold.train]) & set(table.trial[fold.test])
        assert set(table.person[fold.population]) == {fold.person}
        np.testing.assert_array_equal(fold.train, fold.population)
    assert len({(fold.name) for fold in folds}) == len(folds)


def test_trial_sd_deals_many_trials_to_five_parts_by_the_seed() -> None:
    table = synthetic_table(people=1)
    halves = np.where(table.trial == "", "", np.char.add(table.trial, (table.time % 2).astype(str)))
    table = dataclasses.replace(table, trial=halves)
    parts = [
        {frozenset(table.trial[fold.test]) for fold in random_trials(table, s)} for s in (0, 1)
    ]
    assert all(len(part) == 5 and all(len(one) == 2 for one in part) for part in parts)
    assert parts[0] != parts[1]


def test_trial_sd_trains_on_every_tenth_window_of_long_sessions() -> None:
    long = synthetic_table(people=1, seconds=410)
    assert len(long.rows(["P0"])) > 2000
    for fold in random_trials(long, 0):
        assert len(fold.train) == np.ceil(len(fold.population) / 10)
    assert "every tenth" in protocol_notes(long, "trial-sd")[0]
    assert "every window" in protocol_notes(synthetic_table(), "trial-sd")[0]


def test_trial_sd_needs_two_trials() -> None:
    table = synthetic_table(people=2)
    single = dataclasses.replace(table, trial=np.where(table.trial == "", "", "one"))
    with pytest.raises(InputError, match="at least 2 rated trials"):
        random_trials(single, 0)


def test_calibrated_gives_the_first_trials_and_tests_the_rest() -> None:
    table = synthetic_table()
    strangers = {fold.person: fold for fold in leave_one_subject_out(table, 0)}
    folds = calibrated(table, 0)
    assert [fold.k for fold in folds] == [0, 1, 2, 3] * 4
    for fold in folds:
        np.testing.assert_array_equal(fold.train, strangers[fold.person].train)
        np.testing.assert_array_equal(fold.population, strangers[fold.person].population)
        both = np.concatenate([fold.given, fold.test])
        np.testing.assert_array_equal(both, table.rows([fold.person]))
        assert len(set(table.trial[fold.given])) == fold.k
        assert not set(table.trial[fold.given]) & set(table.trial[fold.test])


def test_numbers_of_given_trials() -> None:
    table = synthetic_table(people=3)
    assert default_shots(table) == (0, 1, 2, 3)
    many = np.where(
        table.trial == "", "", np.char.add(table.trial, (table.time % 2).astype(int).astype(str))
    )
    assert default_shots(dataclasses.replace(table, trial=many)) == (0, 1, 2, 4, 6, 8)
    assert [fold.k for fold in calibrated(table, 0, (4,))] == [4, 4, 4]
    with pytest.raises(InputError, match="5 given trials leave none.*more than 5"):
        calibrated(table, 0, (0, 5))
    with pytest.raises(InputError, match="'calibrated-k' needs at least 3 people"):
        calibrated(synthetic_table(people=2), 0)


def test_people_with_too_few_trials_are_left_out_of_a_k_and_named() -> None:
    table = synthetic_table()
    shares = table.distribution.copy()
    shares[(table.person == "P2") & np.isin(table.trial, ("TSST", "Medi 1", "Medi 2"))] = np.nan
    short = dataclasses.replace(table, distribution=shares)
    folds = calibrated(short, 0, (0, 1, 2))
    assert [fold.k for fold in folds if fold.person == "P2"] == [0, 1]
    assert [fold.k for fold in folds if fold.person == "P3"] == [0, 1, 2]
    # Most people's number counts, not the smallest: WESAD has one person with a trial unrated.
    assert default_shots(short) == (0, 1, 2, 3)
    said = " ".join(protocol_notes(short, "calibrated-k", (0, 1, 2)))
    assert "Left out at k = 2, with no trial to test after it: P2." in said
    assert "k = 1," not in said
