"""MPCL as a system: what it shows of itself."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import torch

from model.systems.mpcl import MpclSystem
from tests.model.people import ROLES, TINY, people, teacher, windows


def _fitted(**changes: object) -> MpclSystem:
    batch = windows(40)
    system = MpclSystem(ROLES, dataclasses.replace(TINY, **changes))
    system.fit(batch, teacher(batch), people(40))
    return system


def test_the_address_is_that_of_the_first_network() -> None:
    system = _fitted(members=2, epochs=1)
    batch = windows(300, seed=1)  # more than go through the network at once
    batch.mask["eda"][:5] = False
    address = system.inside(batch)["address"]
    assert system.model is not None
    first = system.model.ensemble.members[0]
    with torch.inference_mode():
        output = first(
            {name: torch.from_numpy(values) for name, values in batch.features.items()},
            {name: torch.from_numpy(values) for name, values in batch.mask.items()},
        )
    assert (address.shape, address.dtype) == ((300, TINY.prototypes), np.float32)
    np.testing.assert_allclose(address, output.physiological_address.numpy(), atol=1e-6)
    np.testing.assert_allclose(address.sum(axis=1), 1, atol=1e-5)


def test_losses_are_those_of_the_training_whose_members_may_stop_early() -> None:
    system = _fitted(members=3, epochs=30, patience=1, learning_rate=0.05)
    assert system.model is not None
    losses = system.inside(windows(3))["losses"]
    lengths = [
        sum(entry["member"] == member for entry in system.model.history) for member in range(3)
    ]
    assert len(set(lengths)) > 1  # else the test shows nothing
    assert losses.shape == (max(lengths), 5)
    for epoch in (1, max(lengths)):
        entries = [entry for entry in system.model.history if entry["epoch"] == epoch]
        for column, name in enumerate(("task", "prd", "pcl", "intensity", "total")):
            expected = np.mean([entry[name] for entry in entries])
            assert losses[epoch - 1, column] == pytest.approx(expected, rel=1e-5)
