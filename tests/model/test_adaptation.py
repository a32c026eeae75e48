"""Adaptation: label shrinkage against closed forms, and its weight against known variances."""

from __future__ import annotations

import math

import numpy as np
import pytest

from model.adaptation import DEFAULT_RATIO, Evidence, LabelShrinkage, Shifted, variance_ratio
from model.batch import Batch, Labels
from model.systems.references import TrainMean

EMOTIONS = 4


def evidence(
    people: int, trials: int, between: float, within: float, seed: int, windows: int = 3
) -> Evidence:
    """Return people whose labels differ by known variances; windows of a trial share their label.

    The shifts sum to 0 over emotions and are small, so that labels stay distributions.
    """
    rng = np.random.default_rng(seed)
    shares, groups, names = [], [], []
    for person in range(people):
        centre = _shift(rng, between)
        for trial in range(trials):
            label = np.full(EMOTIONS, 1 / EMOTIONS) + centre + _shift(rng, within)
            shares += [label] * windows
            groups += [f"P{person}"] * windows
            names += [f"T{trial}"] * windows
    count = len(shares)
    batch = Batch(
        {"one": np.arange(count, dtype=np.float32)[:, None]},
        {"one": np.ones(count, dtype=bool)},
        np.arange(count, dtype=float),
    )
    labels = Labels(np.array(shares), np.full(count, np.nan))
    return Evidence(batch, labels, np.array(groups), np.array(names))


def _shift(rng: np.random.Generator, scale: float) -> np.ndarray:
    draw = rng.normal(0, scale, EMOTIONS)
    return draw - draw.mean()


class Line:
    """Predicts a share that follows the one feature."""

    def fit(self, batch: Batch, labels: Labels, groups: np.ndarray) -> None:
        """Nothing to learn."""

    def predict(self, batch: Batch) -> np.ndarray:
        first = 0.001 + 0.9 * batch.features["one"][:, 0] / 100
        rest = (1 - first) / (EMOTIONS - 1)
        return np.column_stack([first, *[rest] * (EMOTIONS - 1)])


def test_ratio_is_that_of_the_known_variances() -> None:
    ratios = [_ratio(evidence(300, 6, 0.01, 0.02, seed)) for seed in range(5)]
    assert np.mean(ratios) == pytest.approx(4.0, rel=0.1)
    assert _ratio(evidence(300, 6, 0.02, 0.01, 0)) == pytest.approx(0.25, rel=0.15)


def test_ratio_does_not_count_windows_or_unequal_numbers_of_trials() -> None:
    few, many = (evidence(40, 5, 0.01, 0.02, 0, windows=w) for w in (1, 7))
    assert _ratio(few) == pytest.approx(_ratio(many))
    one = evidence(300, 8, 0.01, 0.02, 1)
    number = np.array([int(name[1:]) for name in one.groups])
    kept = np.array([int(name[1:]) for name in one.trials]) < 2 + number % 7
    unequal = variance_ratio(one.labels.distribution[kept], one.groups[kept], one.trials[kept])
    assert unequal == pytest.approx(4.0, rel=0.25)


def test_ratio_where_people_are_alike_or_nothing_can_be_told() -> None:
    shares = np.tile([[0.6, 0.4], [0.4, 0.6]], (3, 1))
    people = np.repeat(["A", "B", "C"], 2)
    trials = np.tile(["1", "2"], 3)
    assert variance_ratio(shares, people, trials) == math.inf
    assert variance_ratio(shares[:2], people[:2], trials[:2]) == DEFAULT_RATIO
    assert variance_ratio(shares[::2], people[::2], trials[::2]) == DEFAULT_RATIO


@pytest.mark.parametrize("count", [1, 4])
def test_constant_predictions_become_the_weighted_mean(count: int) -> None:
    population = evidence(20, 6, 0.02, 0.02, 0)
    person = evidence(1, count, 0.05, 0.02, 7)
    system = TrainMean()
    system.fit(population.batch, population.labels, population.groups)
    weight = count / (count + _ratio(population))
    own = person.labels.distribution[::3].mean(axis=0)
    expected = (1 - weight) * population.labels.distribution.mean(axis=0) + weight * own
    found = LabelShrinkage()(system, population, person).predict(person.batch)
    np.testing.assert_allclose(found, np.tile(expected, (len(person.batch), 1)), atol=1e-12)


def test_long_trials_weigh_no_more_than_short_ones() -> None:
    population, person = evidence(20, 6, 0.02, 0.02, 0), evidence(1, 2, 0.05, 0.02, 7)
    system = TrainMean()
    system.fit(population.batch, population.labels, population.groups)
    longer = np.array([0, 0, 0, 0, 1, 2, 3, 4, 5])
    uneven = Evidence(
        person.batch[longer], person.labels[longer], person.groups[longer], person.trials[longer]
    )
    first, second = (
        LabelShrinkage()(system, population, one).predict(person.batch) for one in (person, uneven)
    )
    np.testing.assert_allclose(first, second, atol=1e-12)


def test_what_a_system_sees_stays_and_its_bias_goes() -> None:
    """Many given trials: the mean prediction on them is then nearly the mean report."""
    population, person = evidence(20, 6, 0.02, 0.02, 0), evidence(1, 30, 0.02, 0.02, 3)
    adapted = LabelShrinkage()(Line(), population, person)
    before, after = Line().predict(person.batch), adapted.predict(person.batch)
    truth = person.labels.distribution.mean(axis=0)
    far, near = (np.abs(one.mean(axis=0) - truth).sum() for one in (before, after))
    assert near < 0.2 * far
    assert np.corrcoef(before[:, 0], after[:, 0])[0, 1] > 0.99


def test_no_share_reaches_zero() -> None:
    system = Line()
    batch = evidence(1, 2, 0, 0, 0).batch
    shift = np.array([-0.5, 0.5, 0, 0])
    before, after = system.predict(batch), Shifted(system, shift, 0.3).predict(batch)
    np.testing.assert_allclose(after.sum(axis=1), 1)
    assert (after > 0).all()
    ratio = after[:, 0] / after[:, 2]
    np.testing.assert_allclose(ratio, 0.3 * before[:, 0] / before[:, 2])


def _ratio(one: Evidence) -> float:
    return variance_ratio(one.labels.distribution, one.groups, one.trials)
