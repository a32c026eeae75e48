"""Causal normalisation."""

from __future__ import annotations

import numpy as np
import pytest

from realtime.baseline import Normaliser, Population, fit_population, normalise

RNG = np.random.default_rng(0)
POPULATION = Population(
    {"eda": np.array([1.0, 5.0]), "ppg": np.array([70.0])},
    {"eda": np.array([2.0, 1.0]), "ppg": np.array([10.0])},
    floor=0.25,
    clip=5.0,
    prior_seconds=30.0,
)


def features(n):
    return {
        "eda": RNG.normal(3, 2, (n, 2)).astype(np.float32),
        "ppg": RNG.normal(80, 5, (n, 1)).astype(np.float32),
    }


def test_formula_of_a_stated_baseline():
    data = features(200)
    times = np.arange(1.0, 201.0)
    scores = normalise(times, data, POPULATION, (0.0, 60.0))
    rest = data["ppg"][:60, 0].astype(float)
    weight = 60 / 90
    centre = 70 + weight * (rest.mean() - 70)
    variance = max(100 + weight * (rest.var() - 100), 25)
    expected = (data["ppg"][60:, 0] - centre) / np.sqrt(variance)
    np.testing.assert_allclose(scores["ppg"][60:, 0], np.clip(expected, -5, 5), rtol=1e-5)


def test_running_estimate_sees_only_the_past():
    data = features(100)
    times = np.arange(100.0)
    whole = normalise(times, data, POPULATION)
    first = normalise(times[:50], {m: v[:50] for m, v in data.items()}, POPULATION)
    for modality in whole:
        np.testing.assert_array_equal(whole[modality][:50], first[modality])


def test_kind_is_said():
    normaliser = Normaliser(POPULATION, stretch=(10.0, 20.0))
    kinds = [
        normaliser.update(t, {m: v[0] for m, v in features(1).items()})[1]
        for t in (5.0, 10.0, 11.0, 30.0)
    ]
    assert kinds == ["running", "running", "stated", "stated"]
    plain = Normaliser(None)
    values, kind = plain.update(0.0, {"eda": np.array([np.nan, 2], np.float32)})
    assert kind == "none"
    np.testing.assert_array_equal(values["eda"], [0, 2])


def test_missing_becomes_zero_and_does_not_spoil_the_baseline():
    data = features(100)
    data["eda"][20:40] = np.nan
    scores = normalise(np.arange(100.0), data, POPULATION)
    assert (scores["eda"][20:40] == 0).all()
    assert np.isfinite(scores["eda"]).all()


def test_clip_and_floor():
    data = {"eda": np.full((50, 2), 2.0, np.float32), "ppg": np.full((50, 1), 1e9, np.float32)}
    data["ppg"][:30] = 60
    scores = normalise(np.arange(1.0, 51.0), data, POPULATION, (0.0, 30.0))
    assert scores["ppg"][-1, 0] == 5
    assert np.isfinite(scores["eda"]).all()


def test_baseline_by_button_can_be_restated():
    normaliser = Normaliser(POPULATION)
    one = {"eda": np.array([0, 0], np.float32), "ppg": np.array([60], np.float32)}
    two = {"eda": np.array([0, 0], np.float32), "ppg": np.array([100], np.float32)}
    for t in range(20):
        normaliser.update(float(t), one)
    normaliser.state_baseline(19.5)
    for t in range(20, 400):
        normaliser.update(float(t), two)
    normaliser.state_baseline(19.5, 399.0)
    scores, kind = normaliser.update(400.0, two)
    assert kind == "stated"
    assert abs(scores["ppg"][0]) < 0.5
    assert normaliser.stretch == (19.5, 399.0)


def test_population_weighs_people_alike_and_measures_inside_them():
    people = [
        {"ppg": np.array([[60.0], [62.0]], np.float32)},
        {"ppg": np.tile(np.array([[80.0], [84.0]], np.float32), (50, 1))},
    ]
    population = fit_population(people)
    assert population.mean["ppg"][0] == pytest.approx(71.5)
    assert population.std["ppg"][0] == pytest.approx(np.sqrt((1 + 4) / 2))


def test_population_of_a_feature_that_nobody_has():
    population = fit_population([{"ppg": np.full((5, 1), np.nan, np.float32)}])
    assert population.mean["ppg"][0] == 0 and population.std["ppg"][0] == 1
