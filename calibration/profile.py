"""A person's profile: what calibration learned of them, from which trials, and for which model."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import numpy as np

from calibration.personal import STEPS, PersonalModel
from calibration.profile_checks import profile_id, require_sound
from calibration.profile_fit import check, measured
from calibration.trials import RatedTrial
from model.labels import LabelSet
from realtime.baseline import Rest
from realtime.rig import Rig

if TYPE_CHECKING:
    from model.checkpoint import Checkpoint

__all__ = [
    "Calibration",
    "Profile",
    "begin",
    "calibrated",
    "check",
    "now",
    "profile_id",
]


@dataclass(frozen=True, slots=True)
class Calibration:
    """One calibration in a profile's history.

    Attributes
    ----------
    date : str
        ISO 8601, in UTC.
    trials : int
        How many rated trials it rested on.
    step : str
        The step of the ladder that was kept.
    before, after : mapping of str to float
        Figures on held-out trials, such as ``kl``, with the checkpoint alone and with that step;
        empty where there were too few trials to hold one out.
    radius : float
        In total variation, at 90 %.
    """

    date: str
    trials: int
    step: str
    before: Mapping[str, float]
    after: Mapping[str, float]
    radius: float


@dataclass(frozen=True)
class Profile:
    """All that is kept of one person; see `calibration.profile_files` for how.

    Raises ValueError for anything that does not fit together.

    Attributes
    ----------
    id : str
        Pseudonym, which also names the profile's folder.
    rig : str
        Name of the rig.
    setup : mapping of str to object
        What that rig measured, as `measured` describes it.
    checkpoint : str
        SHA-256 of the checkpoint that the model changes.
    labels : LabelSet
        Of that checkpoint; C emotions.
    model : PersonalModel
    baseline : Rest or None
        None where no rest was recorded.
    trials : tuple of RatedTrial
        All that was ever rated, oldest first.
    history : tuple of Calibration
        Oldest first.
    created : str
        ISO 8601, in UTC.
    steps : tuple of str
        Those of `calibration.personal.STEPS` that calibration may take.
    hash : str
        SHA-256 of its description on disk; empty before the first save.
    """

    id: str
    rig: str
    setup: Mapping[str, Any]
    checkpoint: str
    labels: LabelSet
    model: PersonalModel
    baseline: Rest | None
    trials: tuple[RatedTrial, ...]
    history: tuple[Calibration, ...]
    created: str
    steps: tuple[str, ...] = STEPS
    hash: str = ""

    def __post_init__(self) -> None:
        require_sound(self)


def begin(name: str, checkpoint: Checkpoint, rig: Rig) -> Profile:
    """Return the profile of a person of whom nothing is known yet.

    Raises
    ------
    InputError
        If `name` is no `profile_id`.
    """
    model = PersonalModel("none", 0, np.zeros(len(checkpoint.labels)), radius=checkpoint.radius)
    return Profile(
        id=profile_id(name),
        rig=rig.name,
        setup=measured(rig, [one.name for one in checkpoint.modalities]),
        checkpoint=checkpoint.hash,
        labels=checkpoint.labels,
        model=model,
        baseline=None,
        trials=(),
        history=(),
        created=now(),
    )


def calibrated(
    profile: Profile,
    model: PersonalModel,
    trials: Sequence[RatedTrial],
    before: Mapping[str, float],
    after: Mapping[str, float],
    baseline: Rest | None = None,
) -> Profile:
    """Return a profile after a calibration, with one more entry in its history.

    Parameters
    ----------
    profile : Profile
    model : PersonalModel
        What came of it.
    trials : sequence of RatedTrial
        All rated trials, those of the profile among them.
    before, after : mapping of str to float
        As in `Calibration`.
    baseline : Rest, optional
        A new one; left out, the profile's stays.
    """
    entry = Calibration(now(), model.trials, model.step, dict(before), dict(after), model.radius)
    return dataclasses.replace(
        profile,
        model=model,
        baseline=profile.baseline if baseline is None else baseline,
        trials=tuple(trials),
        history=(*profile.history, entry),
    )


def now() -> str:
    """Return the date and time, ISO 8601 in UTC, to the second."""
    return datetime.now(UTC).isoformat(timespec="seconds")
