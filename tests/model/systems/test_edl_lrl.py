"""EDL-LRL: what the trace norm does, and that its optimisation ends where it should."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.special import softmax
from sklearn.cluster import KMeans

from model.systems import edl_lrl
from model.systems.base import with_ones
from model.systems.edl_lrl import EdlLrl, low_rank


def clustered() -> tuple[NDArray, NDArray]:
    """Three clusters of windows whose labels follow one direction each, and noise."""
    rng = np.random.default_rng(0)
    kind = np.repeat([0, 1, 2], 60)
    x = rng.normal(size=(180, 6)) + 6 * np.eye(3, 6)[kind]
    direction = rng.normal(size=(3, 5))[kind]
    logits = direction * (1 + 0.5 * x[:, 5:]) + rng.normal(0, 0.5, (180, 5))
    return x, softmax(logits, axis=1)


def test_low_rank_is_the_proximal_step_of_the_trace_norm() -> None:
    values = np.random.default_rng(1).normal(size=(7, 4))
    near = low_rank(values, 0.5)

    def objective(z: NDArray) -> float:
        return float(((z - values) ** 2).sum() / 2 + 0.5 * np.linalg.norm(z, "nuc"))

    rng = np.random.default_rng(2)
    for _ in range(50):
        assert objective(near + rng.normal(0, 0.05, near.shape)) > objective(near)
    np.testing.assert_allclose(low_rank(values, 0.0), values, atol=1e-12)


def test_without_trace_norm_it_is_regularised_softmax_regression() -> None:
    x, shares = clustered()
    system = EdlLrl(trace=0.0)
    system.learn(x, shares)
    # At the optimum the gradient of KL divergence and squared weights is 0.
    gradient = with_ones(x).T @ (system.infer(x) - shares) + edl_lrl.RIDGE * system._weights
    assert np.abs(gradient).max() < 0.02


@pytest.mark.parametrize("trace", [1.0, 3.0])
def test_trace_norm_inside_clusters_falls_and_the_objective_with_it(
    monkeypatch: pytest.MonkeyPatch, trace: float
) -> None:
    monkeypatch.setattr(edl_lrl, "CLUSTERS", 3)
    x, shares = clustered()
    cluster = KMeans(3, n_init=10, random_state=0).fit_predict(x)

    def norms(predicted: NDArray) -> float:
        return sum(np.linalg.norm(predicted[cluster == one], "nuc") for one in range(3))

    def objective(system: EdlLrl) -> float:
        predicted = system.infer(x)
        divergence = (shares * np.log(shares / predicted)).sum()
        ridge = edl_lrl.RIDGE / 2 * (system._weights**2).sum()
        return float(divergence + ridge + trace * norms(predicted))

    plain, system = EdlLrl(trace=0.0), EdlLrl(trace=trace)
    plain.learn(x, shares)
    system.learn(x, shares)
    assert norms(system.infer(x)) < 0.98 * norms(plain.infer(x))
    assert objective(system) < objective(plain)
    # A local minimum: no small step from there is better by more than the steps' tolerance.
    best = objective(system)
    rng = np.random.default_rng(5)
    kept = system._weights
    for _ in range(20):
        system._weights = kept + rng.normal(0, 0.02, kept.shape)
        assert objective(system) > best - 0.01
