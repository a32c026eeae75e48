"""Lessons that every compared network must pass: a known teacher, and incomplete sensors."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import torch

from model.batch import Batch, Labels
from model.metrics import kl_divergence
from model.systems import SYSTEMS, Options
from model.systems.deep import DeepSystem, Inputs
from tests.model.people import ROLES, people, teacher, windows

CHEST = {"ecg": "primary", "eda": "auxiliary", "emg": "auxiliary"}
"""Roles of a rig without a behavioural modality."""


def untrained(name: str, roles: dict[str, str] = ROLES, **recipe: Any) -> DeepSystem:
    """Return a system with its published recipe, but for the entries given."""
    system = SYSTEMS[name].build(Options(seed=1, preset="person", roles=roles))
    assert isinstance(system, DeepSystem)
    system.chosen = dataclasses.replace(system.chosen, **recipe)
    return system


def lesson(count: int, seed: int, missing: float = 0.0) -> tuple[Batch, Labels]:
    """Return windows labelled by the teacher; a share of EDA and ACC is masked after that."""
    batch = windows(count, seed)
    labels = teacher(batch)
    draw = np.random.default_rng(seed + 100)
    mask = {
        name: draw.random(count) >= (missing if name in ("eda", "acc") else 0.0)
        for name in batch.modalities
    }
    return Batch(batch.features, mask, batch.elapsed), labels


def skill(system: DeepSystem, missing: float = 0.0, count: int = 384) -> float:
    """Return 1 - KL / KL of the training mean on new windows of the same teacher."""
    train, labels = lesson(count, 0, missing)
    test, truth = lesson(200, 1, missing)
    system.fit(train, labels, people(count))
    mean = np.tile(labels.distribution.mean(axis=0), (200, 1))
    reached = kl_divergence(truth.distribution, system.predict(test)).mean()
    return float(1 - reached / kl_divergence(truth.distribution, mean).mean())


def check_any_sensors(name: str) -> None:
    """Fit to one modality, to no behavioural one, and to no primary one, with masked windows."""
    for roles in ({"ecg": "primary"}, CHEST, {"eda": "auxiliary", "acc": "behavioural"}):
        sizes = {modality: 2 + place for place, modality in enumerate(roles)}
        batch = windows(24, 3, sizes)
        for modality in roles:
            batch.mask[modality][::3] = False
        batch.mask["ecg" if "ecg" in roles else "eda"][:] = False
        labels = teacher(batch)
        system = untrained(name, roles, epochs=1, batch_size=24)
        system.fit(batch, labels, people(24))
        shares = system.predict(batch)
        np.testing.assert_allclose(shares.sum(axis=1), 1, atol=1e-9)
        assert (shares > 0).all()
        # What lies under a mask is not looked at: not a number is worse than any number.
        spoilt = {
            modality: np.where(batch.mask[modality][:, None], values, np.float32(np.nan))
            for modality, values in batch.features.items()
        }
        np.testing.assert_array_equal(
            system.predict(Batch(spoilt, batch.mask, batch.elapsed)), shares
        )


def check_repeats(name: str) -> None:
    """Train twice with a seed, and once with another; the network differs only in the latter."""
    train, labels = lesson(32, 0)
    predicted = []
    for seed in (1, 1, 2):
        system = untrained(name, epochs=1, batch_size=16)
        system.seed = seed
        system.fit(train, labels, people(32))
        predicted.append(system.predict(train).tobytes())
    assert predicted[0] == predicted[1] != predicted[2]


def random_inputs(sizes: dict[str, int], count: int = 6) -> Inputs:
    """Return random windows of EEG, GSR and more; GSR is missing in the first."""
    generator = torch.Generator().manual_seed(1)
    mask = {name: torch.ones(count, dtype=torch.bool) for name in sizes}
    mask["gsr"][0] = False
    features = {name: torch.randn(count, size, generator=generator) for name, size in sizes.items()}
    return Inputs(features, mask, torch.zeros(count, dtype=torch.int64))
