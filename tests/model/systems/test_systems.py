"""Systems: each learns what it may look at, and nothing else."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from model.batch import Batch, Labels
from model.systems import PERSON, PLACE, SYSTEMS, Options, names
from model.systems.references import NearestOnClock, SubjectMean, TrainMean, Uniform
from model.systems.trees import Clock, Movement, Trees
from realtime.errors import InputError


def windows(count: int = 300, seed: int = 0) -> tuple[Batch, Labels, np.ndarray]:
    """Windows whose label follows EDA; ACC and the clock know half of it."""
    rng = np.random.default_rng(seed)
    state = rng.random(count)
    eda = np.column_stack([state, rng.normal(size=count)]).astype(np.float32)
    acc = (state + rng.normal(0, 0.5, count)).astype(np.float32)[:, None]
    present = np.ones(count, dtype=bool)
    batch = Batch(
        {"eda": eda, "acc": acc},
        {"eda": present, "acc": present},
        state * 100 + rng.normal(0, 50, count),
    )
    shares = np.column_stack([0.2 + 0.6 * state, 0.5 - 0.4 * state, 0.3 - 0.2 * state])
    labels = Labels(shares / shares.sum(1, keepdims=True), state)
    return batch, labels, np.repeat(["a", "b", "c"], count // 3)


SENSORLESS = [name for name, entry in SYSTEMS.items() if entry.kind in ("trees", "reference")]


@pytest.mark.parametrize("name", SENSORLESS)
def test_predictions_are_distributions_and_repeat_with_the_seed(name: str) -> None:
    batch, labels, groups = windows()
    if SYSTEMS[name].looks_at in (PERSON, PLACE):
        codes = np.unique(groups, return_inverse=True)[1].astype(np.float32)[:, None]
        of = SYSTEMS[name].looks_at
        batch = Batch({of: codes}, {of: np.ones(len(codes), bool)}, batch.elapsed)
    twice = []
    for _ in range(2):
        system = SYSTEMS[name].build(Options(seed=3))
        system.fit(batch, labels, groups)
        twice.append(np.asarray(system.predict(batch)))
    assert twice[0].shape == (300, 3)
    assert (twice[0] >= 0).all()
    np.testing.assert_allclose(twice[0].sum(axis=1), 1, atol=1e-9)
    assert twice[0].tobytes() == twice[1].tobytes()


def error(system, train: tuple, test: tuple) -> float:
    """Mean absolute error after fitting."""
    system.fit(*train)
    return float(np.abs(system.predict(test[0]) - test[1].distribution).mean())


def test_trees_beat_clock_and_movement_and_these_beat_the_mean() -> None:
    train, test = windows(seed=0), windows(seed=1)
    errors = {
        kind.__name__: error(kind(), train, test) for kind in (Trees, Clock, Movement, TrainMean)
    }
    assert errors["Trees"] < 0.5 * errors["Movement"]
    assert errors["Trees"] < 0.5 * errors["Clock"]
    assert errors["Movement"] < errors["TrainMean"]
    assert errors["Clock"] < errors["TrainMean"]


def test_clock_and_movement_look_at_nothing_else() -> None:
    batch, labels, groups = windows()
    rng = np.random.default_rng(9)
    noise = {n: rng.normal(size=v.shape).astype(np.float32) for n, v in batch.features.items()}
    clock = Clock()
    clock.fit(batch, labels, groups)
    other = Batch(noise, batch.mask, batch.elapsed)
    np.testing.assert_array_equal(clock.predict(batch), clock.predict(other))
    movement = Movement()
    movement.fit(batch, labels, groups)
    other = Batch({**noise, "acc": batch.features["acc"]}, batch.mask, rng.normal(size=len(batch)))
    np.testing.assert_array_equal(movement.predict(batch), movement.predict(other))
    trees = Trees()
    trees.fit(batch, labels, groups)
    other = Batch(batch.features, batch.mask, rng.normal(size=len(batch)))
    np.testing.assert_array_equal(trees.predict(batch), trees.predict(other))


def test_means() -> None:
    batch, labels, groups = windows()
    mean = TrainMean()
    mean.fit(batch, labels, groups)
    np.testing.assert_allclose(mean.predict(batch[:2])[0], labels.distribution.mean(0))
    uniform = Uniform()
    uniform.fit(batch, labels, groups)
    np.testing.assert_allclose(uniform.predict(batch[:2]), 1 / 3)


def test_subject_mean_tells_people_apart() -> None:
    batch, labels, groups = windows()
    codes = np.unique(groups, return_inverse=True)[1].astype(np.float32)[:, None]
    people = Batch({PERSON: codes}, {PERSON: np.ones(len(codes), bool)}, batch.elapsed)
    system = SubjectMean()
    system.fit(people, labels, groups)
    prediction = system.predict(people)
    for name in "abc":
        expected = labels.distribution[groups == name].mean(0)
        np.testing.assert_allclose(prediction[groups == name], np.tile(expected, (100, 1)))


def test_nearest_on_clock_against_a_loop() -> None:
    batch, labels, groups = windows()
    system = NearestOnClock()
    system.fit(batch[:200], labels[:200], groups[:200])
    prediction = system.predict(batch[200:])
    for row in range(100):
        distance = np.abs(batch.elapsed[:200] - batch.elapsed[200 + row])
        np.testing.assert_array_equal(prediction[row], labels.distribution[distance.argmin()])
    system.fit(batch[:1], labels[:1], groups[:1])
    np.testing.assert_array_equal(system.predict(batch[5:6])[0], labels.distribution[0])


@pytest.mark.parametrize("kind", [Trees, TrainMean])
def test_partly_rated_windows_are_not_used_by_systems_that_need_all(kind: type) -> None:
    batch, labels, groups = windows()
    items = np.ones(labels.distribution.shape, dtype=bool)
    items[150:, 1] = False
    shares = labels.distribution.copy()
    shares[150:, 1] = 0
    shares[150:] /= shares[150:].sum(1, keepdims=True)
    with_others, alone = kind(), kind()
    with_others.fit(batch, Labels(shares, labels.intensity, items), groups)
    alone.fit(batch[:150], labels[:150], groups[:150])
    np.testing.assert_array_equal(with_others.predict(batch), alone.predict(batch))


@pytest.mark.parametrize("name", SENSORLESS)
def test_labels_that_are_none_are_refused_before_training(name: str) -> None:
    batch, labels, groups = windows()
    bad = labels.distribution.copy()
    bad[7] = np.nan
    with pytest.raises(InputError, match="1 training labels are not finite"):
        SYSTEMS[name].build(Options()).fit(batch, Labels(bad, labels.intensity), groups)
    with pytest.raises(InputError, match="no distribution"):
        SYSTEMS[name].build(Options()).fit(
            batch, Labels(labels.distribution * 2, labels.intensity), groups
        )
    with pytest.raises(InputError, match="0 rated windows"):
        SYSTEMS[name].build(Options()).fit(batch[:0], labels[:0], groups[:0])


def test_movement_without_an_accelerometer() -> None:
    batch, labels, groups = windows()
    with pytest.raises(InputError, match="'acc'"):
        Movement().fit(batch.only(["eda"]), labels, groups)


def test_lists_of_names() -> None:
    assert names("trees, clock,trees") == ("trees", "clock")
    assert names("all") == tuple(SYSTEMS)
    with pytest.raises(InputError, match="'forest'.*trees"):
        names("trees,forest")
    with pytest.raises(InputError, match="no model in ','"):
        names(",")


def test_unknown_preset() -> None:
    with pytest.raises(InputError, match="'huge'.*small"):
        SYSTEMS["mpcl"].build(Options(preset="huge"))


def test_under_small_a_network_starts_from_the_training_mean() -> None:
    batch, labels, groups = windows()
    far = Labels(np.tile([0.9, 0.09, 0.01], (300, 1)), labels.intensity)
    system = SYSTEMS["dldl"].build(Options(roles={"eda": "primary", "acc": "auxiliary"}))
    system.chosen = dataclasses.replace(system.chosen, epochs=0)
    system.fit(batch, far, groups)
    started = system.predict(batch)
    assert np.abs(started.mean(axis=0) - [0.9, 0.09, 0.01]).max() < 0.05
    system.chosen = dataclasses.replace(system.chosen, prior=False)
    system.fit(batch, far, groups)
    assert system.predict(batch).mean(axis=0)[0] < 0.6


def test_all_stands_alone() -> None:
    with pytest.raises(InputError, match="'all,dldl': all stands alone"):
        names("all,dldl")
