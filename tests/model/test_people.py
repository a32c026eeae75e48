"""What training people tell of calibration: radii that keep their promise to new people."""

from __future__ import annotations

import numpy as np
import pytest

from model.adaptation import shifted
from model.people import PeopleStatistics, people_statistics
from model.serial import in_order
from model.uncertainty import total_variation
from tests.model.test_serial import people


def strangers(count: int, seed: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return people of whom every third rates three times as variably as the others."""
    parts = [
        people(1, 8, 0.001, 0.001, 0.6, 0.018 if number % 3 == 0 else 0.002, seed + number)
        for number in range(count)
    ]
    groups = np.concatenate([np.full(8, f"P{number:03}") for number in range(count)])
    return (
        np.abs(np.concatenate([one[0] for one in parts])),
        groups,
        np.concatenate([one[2] for one in parts]),
    )


def test_new_people_are_covered_and_variable_ones_get_wider_sets() -> None:
    shares, groups, trials = strangers(60, 0)
    shares /= shares.sum(axis=1, keepdims=True)
    known = people_statistics(shares, np.full_like(shares, 0.25), groups, trials)
    assert len(known.radius) == len(known.spread) == 7
    truth, owner, names = strangers(60, 1000)
    truth /= truth.sum(axis=1, keepdims=True)
    covered, width = [], {True: [], False: []}
    for number, one in enumerate(dict.fromkeys(owner.tolist())):
        _, own = in_order(truth[owner == one], names[owner == one])
        radius = known.personal_radius(own[:4], 0.5)
        shift, keep = known.serial.shift(own[:4], np.full((4, 4), 0.25))
        guess = shifted(np.full((4, 4), 0.25), shift, keep)
        covered.append((total_variation(own[4:], guess) <= radius).mean())
        width[number % 3 == 0].append(radius)
    assert 0.87 < np.mean(covered) < 0.97
    assert np.mean(width[True]) > 1.2 * np.mean(width[False])


def test_few_people_tell_no_radius() -> None:
    shares, groups, trials = strangers(8, 0)
    shares /= shares.sum(axis=1, keepdims=True)
    known = people_statistics(shares, np.full_like(shares, 0.25), groups, trials)
    assert known.radius == ()
    assert known.personal_radius(shares[:3], 0.3) == 0.3
    assert PeopleStatistics().personal_radius(shares[:0], 0.3) == 0.3


def test_statistics_survive_being_written_and_nonsense_does_not() -> None:
    shares, groups, trials = strangers(12, 0)
    shares /= shares.sum(axis=1, keepdims=True)
    known = people_statistics(shares, np.full_like(shares, 0.25), groups, trials)
    again = PeopleStatistics.from_dict(known.to_dict())
    assert again.serial == known.serial
    assert again.radius == known.radius
    np.testing.assert_array_equal(again.spread, known.spread)
    with pytest.raises(ValueError, match="radius"):
        PeopleStatistics.from_dict({**known.to_dict(), "radius": [2.0] * len(known.radius)})
    with pytest.raises(ValueError, match="spreads"):
        PeopleStatistics.from_dict({**known.to_dict(), "radius": []})
