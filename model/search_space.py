"""What a sweep may change of MPCL's recipe, and how far: around the recipe that it starts from.

| setting | range |
|---|---|
| width d, tokens T, batch size | half, the same, or double |
| prototypes K | half, the same, or double; the slots of the blocks keep their ratio to K |
| relation temperature tau | 0.02 to 0.5, on a logarithmic scale |
| retrieval beta | 2 to 32, logarithmic |
| weights of PRD, PCL and intensity | 0, 0.001, 0.01, 0.1 or 1 |
| weight decay | 0, 0.001, 0.01 or 0.1 |
| learning rate | a fifth to five times, logarithmic |
| epochs | a third to double, logarithmic |
| noise | 0 to 1.5 |
| dropout, modality dropout | 0 to 0.5 |

Every range is widened to hold the recipe's own value. Scales and the number of blocks are an
ablation's question: they change what the network is.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from model.settings import MpclSettings

HALF_TO_DOUBLE = ("width", "tokens", "prototypes", "batch_size")

GRIDS: Mapping[str, tuple[float, ...]] = {
    "lambda_prd": (0.0, 0.001, 0.01, 0.1, 1.0),
    "lambda_pcl": (0.0, 0.001, 0.01, 0.1, 1.0),
    "lambda_intensity": (0.0, 0.001, 0.01, 0.1, 1.0),
    "weight_decay": (0.0, 0.001, 0.01, 0.1),
}
"""Steps of a factor of ten, and none at all, which a logarithmic scale cannot hold."""

LINEAR = {"noise": (0.0, 1.5), "dropout": (0.0, 0.5), "modality_dropout": (0.0, 0.5)}

LOGARITHMIC = {"relation_temperature": (0.02, 0.5), "retrieval": (2.0, 32.0)}


@dataclass(frozen=True, slots=True)
class Choices:
    """One of some values."""

    values: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class Between:
    """A number between two, both included.

    Attributes
    ----------
    low, high : float
    logarithmic : bool
    whole : bool
        Whole numbers alone.
    """

    low: float
    high: float
    logarithmic: bool = False
    whole: bool = False


def space(start: MpclSettings) -> dict[str, Choices | Between]:
    """Return what is searched around a recipe, by setting, in a fixed order."""
    ranges: dict[str, Choices | Between] = {}
    for name in HALF_TO_DOUBLE:
        own = getattr(start, name)
        values = {max(1, own // 2), own, own * 2}
        if name == "width":
            values = {value for value in values if value % start.heads == 0}
        ranges[name] = Choices(tuple(sorted(values)))
    for name, grid in GRIDS.items():
        ranges[name] = Choices(tuple(sorted({*grid, getattr(start, name)})))
    for name, (low, high) in LINEAR.items():
        own = getattr(start, name)
        ranges[name] = Between(min(low, own), max(high, own))
    for name, (low, high) in LOGARITHMIC.items():
        own = getattr(start, name)
        ranges[name] = Between(min(low, own), max(high, own), logarithmic=True)
    rate, epochs = start.learning_rate, start.epochs
    ranges["learning_rate"] = Between(rate / 5, rate * 5, logarithmic=True)
    ranges["epochs"] = Between(max(1, epochs // 3), epochs * 2, logarithmic=True, whole=True)
    return ranges


def point_of(settings: MpclSettings, ranges: Mapping[str, Choices | Between]) -> dict[str, Any]:
    """Return where a recipe lies in the space."""
    return {name: getattr(settings, name) for name in ranges}


def settings_at(point: Mapping[str, Any], start: MpclSettings) -> MpclSettings:
    """Return the recipe at a point of the space around `start`."""
    changed = {name: type(getattr(start, name))(value) for name, value in point.items()}
    ratio = changed["prototypes"] / start.prototypes
    slots = tuple(max(1, round(count * ratio)) for count in start.slots)
    return dataclasses.replace(start, **changed, slots=slots)
