"""CAD: its distance is the earth mover's on a line, and it teaches the network of DLDL."""

from __future__ import annotations

import numpy as np
import torch
from scipy.stats import wasserstein_distance

from model.systems.cad import cumulative_distance
from tests.model.systems.taught import check_any_sensors, check_repeats, skill, untrained


def test_distance_is_that_of_earth_movers() -> None:
    draw = np.random.default_rng(0)
    first, second = draw.dirichlet(np.ones(6), 20), draw.dirichlet(np.ones(6), 20)
    places = np.arange(6)
    expected = [
        wasserstein_distance(places, places, u, v) for u, v in zip(first, second, strict=True)
    ]
    distance = cumulative_distance(torch.from_numpy(first), torch.from_numpy(second))
    np.testing.assert_allclose(distance.numpy(), expected, atol=1e-12)


def test_distance_depends_on_the_order_of_labels() -> None:
    truth = torch.tensor([[1.0, 0.0, 0.0]])
    near, far = torch.tensor([[0.0, 1.0, 0.0]]), torch.tensor([[0.0, 0.0, 1.0]])
    assert float(cumulative_distance(near, truth)) == 1
    assert float(cumulative_distance(far, truth)) == 2


def test_learns_a_linear_teacher() -> None:
    quick = untrained("cad", epochs=10, learning_rate=3e-3)
    assert skill(quick, count=256) > 0.85


def test_any_sensors() -> None:
    check_any_sensors("cad")


def test_repeats_with_the_seed() -> None:
    check_repeats("cad")
