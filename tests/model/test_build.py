"""Building a checkpoint: figures from strangers only, and a file that predicts."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest

from model.build import GROUPS, build_checkpoint
from model.checkpoint import REPLAYED, load_checkpoint, save_checkpoint
from model.datasets.table import Table
from model.protocols import people_in_groups
from realtime.errors import InputError
from realtime.features import FEATURE_SETS
from realtime.rig import load_rig
from tests.model.people import TINY
from tests.model.tables import synthetic_table

RIG = load_rig("wrist")


def wrist_table(people: int) -> Table:
    """A synthetic table with the entries of the wrist rig."""
    table = synthetic_table(people)
    rng = np.random.default_rng(0)
    features, mask, names = {}, {}, {}
    for modality in RIG.modalities:
        entries = FEATURE_SETS[modality.features].features
        values = rng.normal(size=(len(table), len(entries))).astype(np.float32)
        values[:, 0] += 2 * (table.condition == "TSST")
        features[modality.name] = values
        mask[modality.name] = np.ones(len(table), dtype=bool)
        names[modality.name] = tuple(entry.name for entry in entries)
    return dataclasses.replace(
        table,
        features=features,
        mask=mask,
        names=names,
        roles={modality.name: modality.role for modality in RIG.modalities},
    )


def test_a_checkpoint_holds_what_it_was_made_from(tmp_path: Path) -> None:
    table = wrist_table(5)
    epochs: list[object] = []
    groups: list[str] = []
    checkpoint = build_checkpoint(
        table,
        RIG,
        tmp_path / "work",
        settings=TINY,
        progress=lambda what, *of: groups.append(what),
        report=epochs.append,
    )
    saved = save_checkpoint(checkpoint, tmp_path / "model.safetensors")
    loaded = load_checkpoint(tmp_path / "model.safetensors")
    assert loaded.hash == saved.hash
    assert loaded.labels == table.labels
    assert loaded.data["people"] == ["P0", "P1", "P2", "P3", "P4"]
    assert loaded.replay is not None
    assert loaded.replay.shape == (REPLAYED, loaded.ensemble.columns)
    assert loaded.data["trials"] == 25
    assert loaded.metrics["kl"]["low"] <= loaded.metrics["kl"]["mean"]
    assert 0 < loaded.radius < 1
    assert loaded.metrics["radius_90"] == loaded.radius
    assert not loaded.demonstration
    assert len([what for what in groups if what]) == GROUPS
    assert 1 <= len(epochs) <= TINY.epochs * TINY.members
    np.testing.assert_allclose(loaded.mean.sum(), 1)


def test_any_simulated_training_data_make_a_demonstration(tmp_path: Path) -> None:
    real = wrist_table(4)
    made_up = dataclasses.replace(real, dataset="made-up", simulated=True)
    work = tmp_path / "work"
    checkpoint = build_checkpoint(real, RIG, work, (made_up,), settings=TINY, replay=False)
    assert checkpoint.demonstration
    assert checkpoint.replay is None


def test_each_group_is_a_stranger_to_its_model() -> None:
    table = synthetic_table(people=6)
    folds = people_in_groups(table, GROUPS, 0)
    tested = [set(table.person[fold.test]) for fold in folds]
    assert sorted(name for group in tested for name in group) == sorted(table.people)
    for fold, group in zip(folds, tested, strict=True):
        assert not group & set(table.person[fold.train])
        assert not group & set(table.person[fold.population])


def test_too_few_people_end_before_training(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="at least 4 people.*has 3"):
        build_checkpoint(wrist_table(3), RIG, tmp_path / "work", settings=TINY)
    assert not (tmp_path / "work").exists()
