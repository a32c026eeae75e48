"""MISA learns a known teacher; its losses against what they must be."""

from __future__ import annotations

import numpy as np
import torch

from model.systems.deep import Inputs
from model.systems.misa import central_moment_discrepancy, difference, overlap, similarity
from tests.model.systems.taught import check_any_sensors, check_repeats, skill, untrained


def test_learns_a_linear_teacher() -> None:
    assert skill(untrained("misa", epochs=10), count=256) > 0.6


def test_any_sensors() -> None:
    check_any_sensors("misa")


def test_repeats_with_the_seed() -> None:
    check_repeats("misa")


def test_moments_against_numpy() -> None:
    draw = np.random.default_rng(0)
    one, other = draw.random((50, 3)), draw.random((40, 3)) ** 2
    expected = np.linalg.norm(one.mean(0) - other.mean(0))
    for order in range(2, 6):
        moments = [((side - side.mean(0)) ** order).mean(0) for side in (one, other)]
        expected += np.linalg.norm(moments[0] - moments[1])
    found = central_moment_discrepancy(torch.from_numpy(one), torch.from_numpy(other))
    np.testing.assert_allclose(found, expected, rtol=1e-6)


def test_discrepancy_of_the_same_is_nothing_and_has_a_gradient() -> None:
    values = torch.rand(20, 3, requires_grad=True)
    distance = central_moment_discrepancy(values, values.detach().clone())
    assert distance < 1e-4
    distance.backward()
    assert torch.isfinite(values.grad).all()


def test_overlap_is_nothing_where_features_are_orthogonal() -> None:
    phase = torch.arange(64) * 2 * torch.pi / 64
    one = torch.stack([phase.sin(), phase.cos()], dim=1)
    other = torch.stack([(2 * phase).sin(), (2 * phase).cos()], dim=1)
    assert overlap(one, other) < 1e-9
    np.testing.assert_allclose(overlap(one, one), 32**2 / 2, rtol=1e-5)


def test_windows_without_a_modality_are_left_out_of_its_losses() -> None:
    torch.manual_seed(0)
    shared, private = torch.rand(2, 30, 4), torch.rand(2, 30, 4)
    there = torch.arange(30) < 20
    present = [torch.ones(30, dtype=torch.bool), there]
    found = similarity(shared, present), difference(shared, private, present)
    spoilt_shared, spoilt_private = shared.clone(), private.clone()
    spoilt_shared[1, 20:] = spoilt_private[1, 20:] = 9
    torch.testing.assert_close(similarity(spoilt_shared, present), found[0])
    torch.testing.assert_close(difference(spoilt_shared, spoilt_private, present), found[1])
    assert similarity(shared, [present[0], ~present[0]]) == 0


def test_a_missing_modality_plays_no_part() -> None:
    torch.manual_seed(0)
    network = untrained("misa").build({"ppg": 3, "acc": 2}, 4, 1).eval()
    mask = {"ppg": torch.ones(5, dtype=torch.bool), "acc": torch.arange(5) > 1}
    features = {"ppg": torch.randn(5, 3), "acc": torch.randn(5, 2)}
    inputs = Inputs(features, mask, torch.zeros(5, dtype=torch.int64))
    other = inputs._replace(features={**features, "acc": features["acc"] + 3})
    first, second = network(inputs).logs, network(other).logs
    torch.testing.assert_close(first[:2], second[:2])
    assert (first[2:] - second[2:]).abs().max() > 1e-4
