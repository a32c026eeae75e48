"""MAET learns a known teacher; it forgets whose the windows are, and does without modalities."""

from __future__ import annotations

import numpy as np
import torch

from model.systems.deep import Inputs
from model.systems.maet import reversal
from tests.model.systems.taught import check_any_sensors, check_repeats, skill, untrained


def test_learns_a_linear_teacher() -> None:
    assert skill(untrained("maet", epochs=15), count=256) > 0.5


def test_any_sensors() -> None:
    check_any_sensors("maet")


def test_repeats_with_the_seed() -> None:
    check_repeats("maet")


def test_schedule_of_the_reversal() -> None:
    assert reversal(0) == 0
    np.testing.assert_allclose(reversal(0.1), np.tanh(0.5))
    assert 0.999 < reversal(1) < 1


def inputs_of(count: int, people: int) -> Inputs:
    torch.manual_seed(0)
    return Inputs(
        {"ppg": torch.randn(count, 3), "acc": torch.randn(count, 2)},
        {"ppg": torch.ones(count, dtype=torch.bool), "acc": torch.arange(count) % 3 > 0},
        torch.arange(count) % people,
    )


def test_the_features_are_turned_against_telling_the_person() -> None:
    """After one step of the network alone, telling is worse; after one of the head, better."""
    inputs = inputs_of(60, 3)
    inputs.features["ppg"][:, 0] += 2 * inputs.person
    target, weights = torch.full((60, 4), 0.25), torch.ones(60)
    system = untrained("maet")
    system._seen, system._total = 90, 100

    def telling(network: torch.nn.Module) -> float:
        told = network.tell(network(inputs).fused)
        return torch.nn.functional.cross_entropy(told, inputs.person).item()

    change = {}
    for part in ("head", "body"):
        torch.manual_seed(1)
        network = system.build({"ppg": 3, "acc": 2}, 4, 3)
        adversary = torch.optim.Adam(network.tell.parameters(), lr=0.01)
        for _ in range(40):  # a head that can tell, so that there is something to unlearn
            value = torch.nn.functional.cross_entropy(
                network.tell(network(inputs).fused.detach()), inputs.person
            )
            adversary.zero_grad()
            value.backward()
            adversary.step()
        before = telling(network)
        network.zero_grad()
        system.loss(network, inputs, target, weights).backward()
        head = {id(one) for one in network.tell.parameters()}
        with torch.no_grad():
            for one in network.parameters():
                if one.grad is not None and (id(one) in head) == (part == "head"):
                    one -= 0.02 * one.grad
        change[part] = telling(network) - before
    assert change["body"] > 0
    assert change["body"] > change["head"]


def test_one_person_is_not_told() -> None:
    inputs = inputs_of(12, 1)
    system = untrained("maet")
    network = system.build({"ppg": 3, "acc": 2}, 4, 1)
    system.loss(network, inputs, torch.full((12, 4), 0.25), torch.ones(12)).backward()
    assert all(one.grad is None for one in network.tell.parameters())


def test_a_missing_modality_plays_no_part() -> None:
    inputs = inputs_of(9, 1)
    network = untrained("maet").build({"ppg": 3, "acc": 2}, 4, 1).eval()
    features = {**inputs.features, "acc": inputs.features["acc"] + 3}
    first, second = network(inputs).logs, network(inputs._replace(features=features)).logs
    missing = ~inputs.mask["acc"]
    torch.testing.assert_close(first[missing], second[missing])
    assert (first[~missing] - second[~missing]).abs().max() > 1e-6
