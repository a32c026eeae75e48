"""Protocols: who trains, who is tested, and what never is."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from model.protocols import PROTOCOLS, leave_one_subject_out, protocol, random_windows
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
        for rows in (fold.train, fold.test):
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
