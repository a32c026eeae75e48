import dataclasses
import hashlib
import json
import math
import struct
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from model.checkpoint import (
    DEMONSTRATION,
    REPLAYED,
    Checkpoint,
    check_rig,
    load_checkpoint,
    modality_inputs,
    save_checkpoint,
)
from model.ensemble import Ensemble
from model.labels import PANAS10
from model.mpcl import Mpcl
from model.people import PeopleStatistics
from model.serial import SerialVariance
from realtime.baseline import Population
from realtime.errors import InputError
from realtime.rig import load_rig
from tests.model.people import TINY, windows

RIG = load_rig("wrist")


def make_checkpoint(members: int = 2) -> Checkpoint:
    """Return an untrained checkpoint for the wrist rig."""
    inputs = modality_inputs(RIG)
    sizes = {one.name: len(one.features) for one in inputs}
    roles = {one.name: one.role for one in inputs}
    torch.manual_seed(0)
    networks = [Mpcl(TINY, sizes, roles, len(PANAS10)) for _ in range(members)]
    draw = np.random.default_rng(0)
    return Checkpoint(
        ensemble=Ensemble(networks),
        settings=TINY,
        rig=RIG.name,
        modalities=inputs,
        labels=PANAS10,
        population=Population(
            {name: draw.standard_normal(size) for name, size in sizes.items()},
            {name: 1 / 3 + draw.random(size) for name, size in sizes.items()},
            floor=0.2,
        ),
        mean=np.full(len(PANAS10), 0.1),
        radius=0.123,
        trained_on="simulated",
        data={"dataset": "made up", "people": ["a", "b"]},
        metrics={"stress_auc": 0.5},
        seed=7,
    )


def _sizes(checkpoint: Checkpoint) -> dict[str, int]:
    return {one.name: len(one.features) for one in checkpoint.modalities}


def test_an_ablated_model_is_no_checkpoint() -> None:
    settings = dataclasses.replace(TINY, compression="transformer")
    with pytest.raises(InputError, match="compression is 'transformer'.*make it 'hierarchical'"):
        dataclasses.replace(make_checkpoint(), settings=settings)


def test_a_round_trip_changes_nothing(tmp_path: Path) -> None:
    path = tmp_path / "new" / "model.safetensors"
    written = make_checkpoint()
    saved = save_checkpoint(written, path)
    read = load_checkpoint(path)
    assert read.hash == saved.hash == hashlib.sha256(path.read_bytes()).hexdigest()
    for key in ("settings", "rig", "modalities", "labels", "radius", "trained_on", "seed"):
        assert getattr(read, key) == getattr(written, key), key
    assert read.data == written.data
    assert read.metrics == written.metrics
    assert read.versions["torch"] == torch.__version__
    assert (read.population.floor, read.population.clip) == (0.2, written.population.clip)
    for name, values in written.population.std.items():
        np.testing.assert_array_equal(read.population.std[name], values)
        np.testing.assert_array_equal(read.population.mean[name], written.population.mean[name])
    batch = windows(5, sizes=_sizes(written))
    for first, second in zip(
        written.ensemble.predict(batch), read.ensemble.predict(batch), strict=True
    ):
        np.testing.assert_array_equal(first, second)
    again = save_checkpoint(read, tmp_path / "again.safetensors")
    assert again.hash == read.hash


def test_what_calibration_needs_survives_and_is_checked(tmp_path: Path) -> None:
    path = tmp_path / "model.safetensors"
    plain = make_checkpoint(1)
    save_checkpoint(plain, path)
    assert load_checkpoint(path).replay is None
    assert load_checkpoint(path).people == PeopleStatistics()
    known = PeopleStatistics(
        SerialVariance(person=0.1, drift=0.2, memory=0.5, noise=0.3, trials=9),
        spread=(math.nan, 0.1),
        radius=(0.3, 0.2),
    )
    replay = plain.ensemble.pack(windows(REPLAYED, 1, _sizes(plain)))
    save_checkpoint(dataclasses.replace(plain, people=known, replay=replay), path)
    read = load_checkpoint(path)
    assert read.people.serial == known.serial
    assert read.people.radius == known.radius
    np.testing.assert_array_equal(read.people.spread, known.spread)
    assert read.replay is not None
    np.testing.assert_array_equal(read.replay, replay)
    # A person's own ratings, as variable as others', get the radius for two trials.
    own = np.full((2, 10), 0.1)
    own[0, :2] += 0.05, -0.05
    own[1, :2] -= 0.05, -0.05
    assert read.people.personal_radius(own, 0.5) == pytest.approx(0.2)
    for wrong in (np.vstack([replay, replay]), replay[:, :-1], np.full_like(replay, np.nan)):
        save_checkpoint(dataclasses.replace(plain, replay=wrong), path)
        with pytest.raises(InputError, match="replay is"):
            load_checkpoint(path)


def test_what_simulated_people_trained_says_so(tmp_path: Path) -> None:
    path = tmp_path / "model.safetensors"
    save_checkpoint(make_checkpoint(1), path)
    read = load_checkpoint(path)
    assert read.demonstration
    assert read.notice == "demonstration weights: not trained on people"
    content = path.read_bytes()
    assert b'\\"demonstration\\": true' in content
    assert DEMONSTRATION.encode() in content
    save_checkpoint(dataclasses.replace(read, trained_on="people"), path)
    read = load_checkpoint(path)
    assert not read.demonstration and read.notice is None
    assert b"demonstration" not in path.read_bytes()


def test_loading_leaves_the_callers_randomness_alone(tmp_path: Path) -> None:
    path = tmp_path / "model"
    save_checkpoint(make_checkpoint(1), path)
    before = torch.get_rng_state()
    load_checkpoint(path)
    assert torch.equal(torch.get_rng_state(), before)


@pytest.mark.parametrize(
    "content",
    [b"", b"no tensors here, just text", b"\x80\x04\x95pickle.", struct.pack("<Q", 1 << 60)],
    ids=["empty", "text", "pickle", "huge header"],
)
def test_other_files_are_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "model.safetensors"
    path.write_bytes(content)
    with pytest.raises(InputError, match="no usable checkpoint"):
        load_checkpoint(path)


def test_absent_and_cut_files_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "model.safetensors"
    with pytest.raises(InputError, match="cannot read the checkpoint"):
        load_checkpoint(path)
    with pytest.raises(InputError, match="cannot read the checkpoint"):
        load_checkpoint(tmp_path)
    save_checkpoint(make_checkpoint(1), path)
    whole = path.read_bytes()
    for length in (4, 100, len(whole) // 2, len(whole) - 1):
        path.write_bytes(whole[:length])
        with pytest.raises(InputError, match="no usable checkpoint"):
            load_checkpoint(path)


def _rewrite(path: Path, tensors: dict[str, Any] | None, **changes: Any) -> None:
    """Write a checkpoint anew with other tensors, or other entries of its description."""
    content = path.read_bytes()
    length = int.from_bytes(content[:8], "little")
    header = json.loads(content[8 : 8 + length])["__metadata__"]
    description = json.loads(header["affectstream"])
    for key, value in changes.items():
        if value is None:
            del description[key]
        else:
            description[key] = value
    header["affectstream"] = json.dumps(description)
    save_file(load_file(path) if tensors is None else tensors, path, metadata=header)


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"settings": None}, "settings"),
        ({"settings": {"width": 8, "depth": 3}}, "depth"),
        ({"settings": {"width": 16}}, "needs"),
        ({"modalities": [{"name": "ppg"}]}, "features"),
        ({"modalities": 5}, "int"),
        ({"labels": {"name": "x"}}, "instrument"),
        ({"population": {"floor": "low"}}, "low"),
        ({"radius": 3.0}, "radius"),
        ({"trained_on": "hearsay"}, "hearsay"),
        ({"members": 0}, "no network"),
        ({"members": 2}, "member1"),
    ],
)
def test_descriptions_that_do_not_fit_are_refused(
    tmp_path: Path, changes: dict[str, Any], reason: str
) -> None:
    path = tmp_path / "model.safetensors"
    save_checkpoint(make_checkpoint(1), path)
    _rewrite(path, None, **changes)
    with pytest.raises(InputError, match=reason):
        load_checkpoint(path)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("member0/head.weight", None),
        ("member0/head.weight", torch.zeros(1, 3)),
        ("member0/head.weight", torch.full((1, 8), float("nan"))),
        ("member0/head.weight", torch.zeros(1, 8, dtype=torch.float64)),
        ("population/mean/eda", torch.zeros(2, dtype=torch.float64)),
        ("population/std/eda", None),
        ("mean", torch.full((10,), 0.2, dtype=torch.float64)),
    ],
)
def test_tensors_that_do_not_fit_are_refused(
    tmp_path: Path, name: str, value: torch.Tensor | None
) -> None:
    path = tmp_path / "model.safetensors"
    save_checkpoint(make_checkpoint(1), path)
    tensors = load_file(path)
    if value is None:
        del tensors[name]
    else:
        tensors[name] = value
    _rewrite(path, tensors)
    with pytest.raises(InputError, match="no usable checkpoint"):
        load_checkpoint(path)


def test_a_rig_that_gives_the_features_is_accepted() -> None:
    check_rig(make_checkpoint(1), dataclasses.replace(RIG, name="mine", hop=0.5))


def test_a_rig_that_lacks_something_is_refused_by_name() -> None:
    checkpoint = make_checkpoint(1)
    short = dataclasses.replace(RIG, modalities=RIG.modalities[:-1])
    with pytest.raises(InputError, match="needs the modality 'acc'"):
        check_rig(checkpoint, short)
    other = dataclasses.replace(RIG.modalities[0], window=30.0)
    with pytest.raises(InputError, match=r"ppg needs a window in seconds of 60.0.* 30.0"):
        check_rig(checkpoint, dataclasses.replace(RIG, modalities=(other, *RIG.modalities[1:])))

    def with_first(**changes: Any) -> Checkpoint:
        first = dataclasses.replace(checkpoint.modalities[0], **changes)
        return dataclasses.replace(checkpoint, modalities=(first, *checkpoint.modalities[1:]))

    with pytest.raises(InputError, match="ppg needs the feature version 99"):
        check_rig(with_first(version=99), RIG)
    names = checkpoint.modalities[0].features
    with pytest.raises(InputError, match="lacks moonlight"):
        check_rig(with_first(features=(*names, "moonlight")), RIG)
    with pytest.raises(InputError, match="another order"):
        check_rig(with_first(features=names[::-1]), RIG)
    unknown = dataclasses.replace(RIG.modalities[0], features="sonar")
    with pytest.raises(InputError, match="sonar"):
        check_rig(checkpoint, dataclasses.replace(RIG, modalities=(unknown, *RIG.modalities[1:])))
