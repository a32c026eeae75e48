"""Classical and linear systems, on data whose best predictor is known."""

from __future__ import annotations

import os
import random
import sys
from functools import cache

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from scipy.special import softmax
from sklearn.neighbors import NearestNeighbors

from model.batch import Batch, Labels
from model.metrics import kl_divergence
from model.systems import SYSTEMS, Options, classical, sa_iis, tlr_ldl
from model.systems.base import with_ones
from model.systems.classical import AaKnn, LdlLrr, PtBayes, SaBfgs
from model.systems.edl_lrl import EdlLrl
from model.systems.sa_iis import SaIis
from model.systems.tlr_ldl import TlrLdl
from realtime.errors import InputError

NAMES = [name for name, entry in SYSTEMS.items() if entry.kind in ("linear", "classical")]

LIMITS = {
    "ldl-lrr": 0.01,
    "edl-lrl": 0.05,
    "sa-bfgs": 0.001,
    "sa-iis": 0.01,
    "pt-svm": 0.15,
    "aa-bp": 0.2,
    "tlr-ldl": 0.3,
    "sa-cpnn": 0.5,
    "pt-bayes": 0.6,
    "aa-knn": 0.6,
}
"""Largest KL divergence on other windows of the teacher, as a share of the training mean's."""


def batch_of(x: NDArray) -> Batch:
    """Two modalities side by side, all present."""
    there = np.ones(len(x), dtype=bool)
    values = x.astype(np.float32)
    features = {"eda": values[:, :3], "ppg": values[:, 3:]}
    return Batch(features, {"eda": there, "ppg": there}, np.arange(float(len(x))))


def labels_of(shares: NDArray) -> Labels:
    return Labels(shares, np.full(len(shares), 0.5))


def teacher(count: int, seed: int, features: int = 8, emotions: int = 5) -> tuple[Batch, Labels]:
    """Distributions that are a softmax of a linear map; the mean label is not equal shares."""
    x = np.random.default_rng(seed).normal(size=(count, features)).astype(np.float32)
    fixed = np.random.default_rng(99)
    weights, bias = fixed.normal(0, 0.4, (features, emotions)), fixed.normal(size=emotions)
    return batch_of(x), labels_of(softmax(x @ weights + bias, axis=1))


TRAIN, TEST = teacher(300, 0), teacher(200, 1)
PEOPLE = np.repeat(["a", "b"], 150)


@cache
def fitted(name: str, seed: int = 0):
    """Fitted to the teacher, once for all tests."""
    return fitted_anew(name, seed)


def fitted_anew(name: str, seed: int = 0):
    system = SYSTEMS[name].build(Options(seed=seed))
    system.fit(*TRAIN, PEOPLE)
    return system


def error(prediction: NDArray, labels: Labels = TEST[1]) -> float:
    return float(kl_divergence(labels.distribution, prediction).mean())


def of_mean() -> float:
    return error(np.tile(TRAIN[1].distribution.mean(axis=0), (len(TEST[1]), 1)))


@pytest.mark.parametrize("name", NAMES)
def test_learns_a_linear_teacher_and_repeats_to_the_last_bit(name: str) -> None:
    system = fitted(name)
    prediction = system.predict(TEST[0])
    assert prediction.shape == TEST[1].distribution.shape and (prediction >= 0).all()
    np.testing.assert_allclose(prediction.sum(axis=1), 1, atol=1e-12)
    assert error(prediction) < LIMITS[name] * of_mean()
    assert fitted_anew(name).predict(TEST[0]).tobytes() == prediction.tobytes()
    # What a masked modality holds plays no part.
    masked = {**TEST[0].mask, "ppg": np.zeros(len(TEST[0]), dtype=bool)}
    held = Batch(TEST[0].features, masked, TEST[0].elapsed)
    np.testing.assert_array_equal(system.predict(held), system.predict(TEST[0].without(["ppg"])))
    assert np.abs(system.predict(held) - prediction).max() > 1e-3


def test_global_generators_are_put_back_and_do_not_matter() -> None:
    before = random.getstate(), np.random.get_state()[1].copy(), torch.get_rng_state()  # noqa: NPY002
    one = fitted_anew("ldl-lrr").predict(TEST[0])
    after = random.getstate(), np.random.get_state()[1], torch.get_rng_state()  # noqa: NPY002
    assert before[0] == after[0]
    np.testing.assert_array_equal(before[1], after[1])
    assert torch.equal(before[2], after[2])
    torch.rand(3)
    np.random.random(5)  # noqa: NPY002
    np.testing.assert_array_equal(fitted("ldl-lrr").predict(TEST[0]), one)


@pytest.mark.parametrize("name", ["aa-bp", "sa-cpnn", "pt-bayes", "tlr-ldl"])
def test_what_is_random_follows_the_seed(name: str) -> None:
    assert np.abs(fitted(name, 1).predict(TEST[0]) - fitted(name, 0).predict(TEST[0])).max() > 1e-6


def test_keras_is_imported_without_a_trace(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KERAS_BACKEND", "jax")
    monkeypatch.delenv("KERAS_HOME", raising=False)
    assert classical.keras().backend.backend() == "torch"
    assert os.environ["KERAS_BACKEND"] == "jax" and "KERAS_HOME" not in os.environ


@pytest.mark.parametrize("name", ["sa-bfgs", "pt-svm"])
def test_partly_rated_windows_are_left_out(name: str) -> None:
    batch, labels = TRAIN
    items = np.ones(labels.distribution.shape, dtype=bool)
    items[200:, 1] = False
    shares = np.where(items, labels.distribution, 0)
    partly = Labels(shares / shares.sum(axis=1, keepdims=True), labels.intensity, items)
    with_others, alone = (SYSTEMS[name].build(Options()) for _ in range(2))
    with_others.fit(batch, partly, PEOPLE)
    alone.fit(batch[:200], labels[:200], PEOPLE[:200])
    # Equal memory at other addresses may be added up in another order.
    np.testing.assert_allclose(with_others.predict(batch), alone.predict(batch), atol=1e-12)
    with pytest.raises(InputError, match="none of 100 rated windows has all 5 emotions"):
        alone.fit(batch[200:], partly[200:], PEOPLE[200:])


def test_neighbours_are_averaged() -> None:
    system = AaKnn()
    system.fit(*TRAIN, PEOPLE)
    near = NearestNeighbors(n_neighbors=5).fit(system.inputs(TRAIN[0]))
    rows = near.kneighbors(system.inputs(TEST[0]), return_distance=False)
    expected = TRAIN[1].distribution[rows].mean(axis=1)
    np.testing.assert_allclose(system.predict(TEST[0]), expected, atol=1e-12)
    system.fit(TRAIN[0][:3], TRAIN[1][:3], PEOPLE[:3])
    expected = np.tile(TRAIN[1].distribution[:3].mean(axis=0), (len(TEST[0]), 1))
    np.testing.assert_allclose(system.predict(TEST[0]), expected, atol=1e-12)


def test_bayes_finds_the_posterior_of_gaussian_clusters_and_knows_rare_emotions() -> None:
    rng = np.random.default_rng(0)
    centres = np.array([[1.5, 0, 0, 0], [-1.5, 0, 0, 0], [0, 1.5, 0, 0]])
    kind = rng.choice(3, 900, p=[0.5, 0.3, 0.2])
    x = centres[kind] + rng.normal(size=(900, 4))
    # A fourth emotion has a share of 1 in 1000, and a fifth none at all.
    shares = np.column_stack([np.eye(3)[kind] * 0.999, np.full(900, 0.001), np.zeros(900)])
    system = PtBayes()
    system.fit(batch_of(x), labels_of(shares), np.repeat("a", 900))
    away = ((x[:, None, :] - centres) ** 2).sum(axis=2)
    # The library adds a tenth of the features' largest variance to each.
    variance = 1 + 0.1 * x.var(axis=0).max()
    posterior = softmax(np.log([0.5, 0.3, 0.2]) - away / (2 * variance), axis=1) * 0.999
    prediction = system.predict(batch_of(x))
    assert np.abs(prediction[:, :3] - posterior).mean() < 0.03
    np.testing.assert_allclose(prediction[:, 3:], np.tile([0.001, 0], (900, 1)), atol=1e-12)


def test_svm_gives_the_mean_of_an_emotion_that_cannot_be_told() -> None:
    batch, labels = TRAIN
    shares = np.column_stack([labels.distribution, np.zeros(len(labels))])
    system = SYSTEMS["pt-svm"].build(Options())
    system.fit(batch, labels_of(shares), PEOPLE)
    prediction = system.predict(TEST[0])
    assert (prediction[:, 5] == 0).all()
    np.testing.assert_allclose(prediction[:, :5], fitted("pt-svm").predict(TEST[0]), atol=1e-12)


def noisy(seed: int) -> tuple[Batch, Labels]:
    """The teacher's windows, with labels that no linear map can follow."""
    batch, labels = teacher(200, seed)
    noise = np.random.default_rng(seed + 50).normal(0, 0.7, labels.distribution.shape)
    return batch, labels_of(softmax(np.log(labels.distribution) + noise, axis=1))


def test_iterative_scaling_and_bfgs_reach_the_same_optimum() -> None:
    batch, labels = noisy(3)
    # The problem is convex: whoever minimises it ends at the same predictions.
    one, other = SaIis(), SaBfgs()
    one.fit(batch, labels, PEOPLE[:200])
    other.fit(batch, labels, PEOPLE[:200])
    assert error(one.predict(batch), labels) > 0.05
    assert np.abs(one.predict(TEST[0]) - other.predict(TEST[0])).max() < 2e-3
    # At the optimum, each feature's mean is the same under the labels and under the model.
    x = with_ones(one.inputs(batch))
    gap = x.T @ (one.predict(batch) - labels.distribution) / len(x)
    assert np.abs(gap).max() < 1e-3


def test_a_step_of_iterative_scaling_solves_its_equations() -> None:
    rng = np.random.default_rng(0)
    x, p = rng.normal(size=(40, 6)), rng.dirichlet(np.ones(3), 40)
    d = softmax(np.log(p) + rng.normal(0, 0.05, p.shape), axis=1)
    size = np.abs(x).sum(axis=1, keepdims=True)
    reach = size.max()
    series = sa_iis._series(x.T, np.abs(x.T), p, (size / reach) ** np.arange(sa_iis.ORDER + 1))
    series[0] -= x.T @ d
    step = sa_iis._roots(series) / reach
    assert 0.01 < np.abs(step * reach).max() < 1
    for k in range(6):
        for j in range(3):
            told = p[:, j] * x[:, k] * np.exp(step[k, j] * np.sign(x[:, k]) * size[:, 0])
            assert told.sum() == pytest.approx((d[:, j] * x[:, k]).sum(), abs=1e-4)


def order_agreement(prediction: NDArray, labels: Labels) -> float:
    """Share of pairs of emotions that are in the labels' order, by the squared difference."""
    truth = labels.distribution
    true = truth[:, :, None] - truth[:, None, :]
    found = prediction[:, :, None] - prediction[:, None, :]
    return float(((true * found > 0) * true**2).sum() / (true**2).sum())


def test_the_ranking_loss_improves_order_and_without_it_lrr_is_bfgs() -> None:
    batch, labels = noisy(4)
    predictions = {}
    for ranking in (0.0, 1.0):
        system = LdlLrr(0, ranking)
        system.fit(batch, labels, PEOPLE[:200])
        predictions[ranking] = system.predict(batch)
    plain = SaBfgs()
    plain.fit(batch, labels, PEOPLE[:200])
    assert np.abs(predictions[0.0] - plain.predict(batch)).max() < 2e-3
    agreement = {key: order_agreement(value, labels) for key, value in predictions.items()}
    assert agreement[1.0] > agreement[0.0] + 0.005


def test_low_rank_label_learning_makes_the_librarys_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    x = np.random.default_rng(0).normal(size=(60, 9))
    shares = np.random.default_rng(1).dirichlet(np.full(6, 3.0), 60)
    own = TlrLdl(seed=7)
    own.learn(x, shares)
    start = np.random.default_rng(7).random((60, 60)) / 60
    monkeypatch.setattr(np.random, "random", lambda shape: start)
    library = classical.algorithms().TLRLDL()
    library.fit(with_ones(x), shares, max_iterations=tlr_ldl.STEPS, stopping_criterion=None)
    np.testing.assert_allclose(with_ones(x) @ own._weights, with_ones(x) @ library._W, atol=1e-8)
    expected = np.maximum(library.predict(with_ones(x)), 1e-3)
    np.testing.assert_allclose(own.infer(x), expected, atol=1e-8)


def test_logical_labels_are_the_largest_shares_that_make_a_half() -> None:
    shares = np.array([[0.1, 0.6, 0.3], [0.4, 0.25, 0.35], [0.5, 0.2, 0.3]])
    expected = [[0, 1, 0], [1, 0, 1], [1, 0, 0]]
    np.testing.assert_array_equal(tlr_ldl.logical_labels(shares), expected)


def test_without_the_library_it_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("model.systems.find_spec", lambda name: None)
    with pytest.raises(InputError, match=r"not installed.*affectstream\[papers\]"):
        SYSTEMS["aa-knn"].build(Options())
    SYSTEMS["sa-iis"].build(Options())
    monkeypatch.setitem(sys.modules, "pyldl.algorithms", None)
    with pytest.raises(InputError, match=r"affectstream\[papers\]"):
        AaKnn().fit(*TRAIN, PEOPLE)


def test_a_method_that_diverges_is_no_prediction() -> None:
    system = fitted_anew("sa-iis")
    system._weights = np.full_like(system._weights, np.nan)
    with pytest.raises(FloatingPointError, match="200 of 200 predictions are not finite"):
        system.predict(TEST[0])
    with pytest.raises(RuntimeError, match="before fit"):
        EdlLrl().predict(TEST[0])
