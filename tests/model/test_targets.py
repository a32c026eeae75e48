import numpy as np
import pytest

from model.batch import Labels
from model.targets import mean_distribution, mean_intensity, person_weights, shape_labels


def test_people_weigh_the_same() -> None:
    groups = np.array(["a", "a", "a", "b"])
    weights = person_weights(groups)
    assert weights.mean() == pytest.approx(1)
    assert weights[groups == "a"].sum() == pytest.approx(weights[groups == "b"].sum())


def test_the_mean_of_complete_labels_is_the_plain_one() -> None:
    shares = np.random.default_rng(0).dirichlet(np.ones(4), 9)
    labels = Labels(shares, np.full(9, np.nan))
    np.testing.assert_allclose(mean_distribution(labels), shares.mean(axis=0))
    assert mean_intensity(labels) == 0.5


def test_partial_labels_do_not_move_the_proportions_of_what_they_lack() -> None:
    full = np.array([0.4, 0.3, 0.2, 0.1])
    items = np.array([[True] * 4, [True, True, False, False], [False, True, True, True]])
    shares = np.where(items, full, 0.0)
    labels = Labels(shares / shares.sum(axis=1, keepdims=True), np.array([0.0, np.nan, 1.0]), items)
    np.testing.assert_allclose(mean_distribution(labels), full, atol=1e-6)
    assert mean_intensity(labels) == 0.5


def test_centring_takes_out_who_somebody_is_and_keeps_what_changes() -> None:
    change = np.array([0.1, -0.1, 0.0])
    styles = np.array([[0.2, 0.3, 0.5], [0.5, 0.3, 0.2]])
    shares = np.concatenate([[style + change, style - change] for style in styles])
    labels = Labels(shares, np.array([0.1, 0.3, 0.7, 0.9]))
    groups = np.array(["a", "a", "b", "b"])
    mean = shares.mean(axis=0)
    shaped = shape_labels(labels, groups, mean, 0.5, centring=1.0, smoothing=0.0)
    np.testing.assert_allclose(shaped.distribution, [mean + change, mean - change] * 2)
    np.testing.assert_allclose(shaped.intensity, [0.4, 0.6, 0.4, 0.6])
    same = shape_labels(labels, groups, mean, 0.5, centring=0.0, smoothing=0.0)
    np.testing.assert_allclose(same.distribution, shares)


def test_smoothing_and_items() -> None:
    items = np.array([[True, True, False]])
    labels = Labels(np.array([[1.0, 0.0, 0.0]]), np.array([np.nan]), items)
    mean = np.array([0.25, 0.25, 0.5])
    groups = np.array(["a"])
    shaped = shape_labels(labels, groups, mean, 0.5, centring=0.0, smoothing=0.2)
    np.testing.assert_allclose(shaped.distribution, [[0.9, 0.1, 0.0]])
    assert np.isnan(shaped.intensity[0])
