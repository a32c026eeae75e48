"""Systems by name, and what each is allowed to look at."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from model.settings import MpclSettings
from model.systems.base import System
from model.systems.references import PERSON, NearestOnClock, SubjectMean, TrainMean, Uniform
from model.systems.trees import Clock, Movement, Trees
from realtime.errors import InputError


@dataclass(frozen=True, slots=True)
class Options:
    """How a system is made.

    Attributes
    ----------
    seed : int
    device : str
        ``auto``, ``cpu`` or ``cuda``; only networks look at it.
    preset : str
        Recipe of a network: ``small`` or ``full``.
    roles : mapping of str to str
        Role of each modality; only networks look at it.
    """

    seed: int = 0
    device: str = "cpu"
    preset: str = "small"
    roles: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Entry:
    """A system of the registry.

    Attributes
    ----------
    about : str
        One line for the legend of a table.
    build : callable
        Makes an unfitted system.
    learns_from_sensors : bool
        Its rows depend on which modalities are used.
    knows_person : bool
        Takes the person's number instead of features; an oracle where it was not trained on them.
    network : bool
        Computes with torch.
    """

    about: str
    build: Callable[[Options], System]
    learns_from_sensors: bool = False
    knows_person: bool = False
    network: bool = False


PRESETS = {
    **{"small": MpclSettings.small, "full": MpclSettings.full},
    **{"demonstration": MpclSettings.demonstration},
}
"""Recipes of MPCL by name."""


def preset(name: str) -> MpclSettings:
    """Return a recipe by name; InputError if there is none such."""
    if name not in PRESETS:
        raise InputError(f"no preset {name!r}: use one of {', '.join(PRESETS)}")
    return PRESETS[name]()


def _mpcl(options: Options) -> System:
    settings = preset(options.preset)
    # Imported here: torch takes seconds to load, and the references do without it.
    from model.training import MpclSystem

    return MpclSystem(options.roles, settings, seed=options.seed, device=options.device)


SYSTEMS: dict[str, Entry] = {
    "mpcl": Entry("MPCL network", _mpcl, learns_from_sensors=True, network=True),
    "trees": Entry("extremely randomised trees on the features", lambda o: Trees(o.seed), True),
    "clock": Entry("reference: trees on elapsed time alone", lambda o: Clock(o.seed)),
    "movement": Entry("reference: trees on ACC alone", lambda o: Movement(o.seed)),
    "nearest-clock": Entry(
        "reference: label of the nearest training window in time", lambda o: NearestOnClock()
    ),
    "train-mean": Entry("reference: mean training label", lambda o: TrainMean()),
    "subject-mean": Entry(
        "reference: the person's own mean label", lambda o: SubjectMean(), knows_person=True
    ),
    "uniform": Entry("reference: equal shares", lambda o: Uniform()),
}

__all__ = ["PERSON", "PRESETS", "SYSTEMS", "Entry", "Options", "System", "names", "preset"]


def names(text: str) -> tuple[str, ...]:
    """Read a list of systems, ``a,b`` or ``all``.

    Raises
    ------
    InputError
        If one is unknown or the list is empty.
    """
    if text.strip() == "all":
        return tuple(SYSTEMS)
    chosen = tuple(dict.fromkeys(name.strip() for name in text.split(",") if name.strip()))
    for name in chosen:
        if name not in SYSTEMS:
            raise InputError(f"no model {name!r}: use {', '.join(SYSTEMS)} or all")
    if not chosen:
        raise InputError(f"no model in {text!r}: use {', '.join(SYSTEMS)} or all")
    return chosen
