"""Made-up profiles: of a small untrained checkpoint for the wrist rig, with random trials."""

from __future__ import annotations

import dataclasses
import functools

import numpy as np

from calibration.personal import PersonalModel
from calibration.profile import Profile, begin, calibrated
from calibration.ratings import Rating
from calibration.trials import RatedTrial
from model.checkpoint import Checkpoint
from realtime.baseline import Rest
from realtime.rig import load_rig
from tests.model.people import windows
from tests.model.test_checkpoint import make_checkpoint

RIG = load_rig("wrist")
DATE = "2026-03-04T05:06:07+00:00"


@functools.cache
def checkpoint() -> Checkpoint:
    return dataclasses.replace(make_checkpoint(1), hash="ab" * 32)


def sizes() -> dict[str, int]:
    return {one.name: len(one.features) for one in checkpoint().modalities}


def trial(number: int) -> RatedTrial:
    """Return a trial of three windows, one of them without its first modality."""
    draw = np.random.default_rng(number)
    batch = windows(3, seed=number, sizes=sizes())
    batch.mask[batch.modalities[0]][1] = False
    emotions = checkpoint().labels.emotions
    items = {emotions[place]: float(draw.integers(1, 6)) for place in draw.permutation(10)}
    items["upset"] = None
    return RatedTrial(
        trial=str(number),
        condition="recall, glad" if number % 2 else "",
        start=10.0 * number,
        stop=10.0 * number + 3,
        date=DATE if number else "",
        batch=batch,
        rating=Rating("panas10", items, (1.0, 5.0), str(number), "P1"),
    )


def personal(count: int, seed: int = 0) -> PersonalModel:
    """Return a model in which everything differs from the checkpoint's."""
    draw = np.random.default_rng(seed)
    shift = draw.normal(size=10) * 0.01
    name, weight = "head.weight", checkpoint().ensemble.members[0].head.weight
    rows, columns = weight.shape
    return PersonalModel(
        step="adapters",
        trials=count,
        shift=shift - shift.mean(),
        keep=0.4,
        centre={n: draw.normal(size=s).astype(np.float32) for n, s in sizes().items()},
        weights={
            f"member0/{name}/down": draw.normal(size=(2, columns)).astype(np.float32),
            f"member0/{name}/up": draw.normal(size=(rows, 2)).astype(np.float32),
        },
        radius=0.31,
    )


def made(name: str = "P1", count: int = 3, seed: int = 0) -> Profile:
    """Return a profile after one calibration with so many trials."""
    draw = np.random.default_rng(seed)
    rest = Rest(
        *({n: draw.random(s) + 1 for n, s in sizes().items()} for _ in range(3)),
    )
    return calibrated(
        begin(name, checkpoint(), RIG),
        personal(count, seed),
        [trial(number) for number in range(count)],
        {"kl": 0.2, "tv": 0.3},
        {"kl": 0.1, "tv": 0.25},
        rest,
    )
