"""Causal normalisation."""

from __future__ import annotations

import numpy as np
import pytest

from realtime.baseline import Normaliser, Population, Rest, fit_population, normalise

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


def resting(data, hop=1.0):
    """Return the rest that windows make up."""
    present = {m: np.isfinite(values) for m, values in data.items()}
    values = {m: np.where(present[m], v, 0.0).astype(np.float64) for m, v in data.items()}
    count = {m: np.maximum(there.sum(axis=0), 1) for m, there in present.items()}
    mean = {m: v.sum(axis=0) / count[m] for m, v in values.items()}
    variance = {
        m: np.where(present[m], (v - mean[m]) ** 2, 0.0).sum(axis=0) / count[m]
        for m, v in values.items()
    }
    return Rest({m: there.sum(axis=0) * hop for m, there in present.items()}, mean, variance)


@pytest.mark.parametrize("hop", [1.0, 0.5])
def test_the_rest_of_an_earlier_session_counts_as_if_it_had_been_here(hop):
    data = features(80)
    data["eda"][:10, 0] = np.nan
    data["eda"][:40, 1] = np.nan  # which was never there at rest
    early = {m: values[:40] for m, values in data.items()}
    here = Normaliser(POPULATION, hop, stretch=(-1.0, 39.0))
    later = Normaliser(POPULATION, hop, rest=resting(early, hop))
    for row in range(80):
        one = {m: values[row] for m, values in data.items()}
        expected, kind = here.update(float(row), one)
        assert kind == "stated"
        if row >= 40:
            found, kind = later.update(float(row), one)
            assert kind == "profile"
            for modality in expected:
                np.testing.assert_allclose(found[modality], expected[modality], atol=1e-5)
    # What it says its rest was is what an earlier session would have kept.
    for kind in ("seconds", "mean", "variance"):
        for modality, values in getattr(resting(early, hop), kind).items():
            np.testing.assert_allclose(getattr(here.rest, kind)[modality], values, rtol=1e-9)
    assert later.rest is None
    # Of what was never there the population tells all.
    assert found["eda"][1] == pytest.approx(np.clip(data["eda"][-1, 1] - 5.0, -5, 5), abs=1e-5)


def test_a_stated_baseline_replaces_the_earlier_rest_wholly():
    data, earlier = features(40), resting(features(50))
    known = Normaliser(POPULATION, stretch=(9.5, 29.5), rest=earlier)
    fresh = Normaliser(POPULATION, stretch=(9.5, 29.5))
    kinds = []
    for row in range(40):
        one = {m: values[row] for m, values in data.items()}
        (found, kind), (expected, _) = known.update(row, one), fresh.update(row, one)
        kinds.append(kind)
        same = all((found[m] == expected[m]).all() for m in found)
        assert same is (kind == "stated")
    assert kinds == ["profile"] * 10 + ["stated"] * 30


def test_a_baseline_that_was_stated_and_has_no_window_leaves_the_earlier_rest():
    normaliser = Normaliser(POPULATION, rest=resting(features(50)))
    one = {m: values[0] for m, values in features(1).items()}
    normaliser.state_baseline(0.2, 0.8)
    assert normaliser.update(1.0, one)[1] == "profile"
    # Once rest is stated while it lasts, it counts from its first window on.
    normaliser.state_baseline(1.5)
    assert normaliser.update(2.0, one)[1] == "stated"


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
