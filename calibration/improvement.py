"""A profile gets better: new rated trials join those it has, and the model is fitted again."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from calibration import held
from calibration.adaptation import Calibration, calibrate
from calibration.ladder import Progress
from calibration.profile import Profile, calibrated
from calibration.trials import RatedTrial, merged, usable
from model.checkpoint import Checkpoint
from realtime.baseline import Rest
from realtime.errors import InputError


@dataclass(frozen=True)
class Improvement:
    """What new trials made of a profile.

    Attributes
    ----------
    profile : Profile
        Not saved yet.
    trials : tuple of RatedTrial
        What the model rests on.
    left_out : tuple of str
        Trials that cannot be used, a sentence each.
    calibration : Calibration
    """

    profile: Profile
    trials: tuple[RatedTrial, ...]
    left_out: tuple[str, ...]
    calibration: Calibration


def improve(
    profile: Profile,
    checkpoint: Checkpoint,
    new: Sequence[RatedTrial],
    rest: Rest | None = None,
    progress: Progress | None = None,
) -> Improvement:
    """Fit a checkpoint to all trials of a person, those of the profile and new ones.

    Parameters
    ----------
    profile : Profile
    checkpoint : Checkpoint
        The one that the profile is for.
    new : sequence of RatedTrial
    rest : Rest, optional
        The person's features at rest, if they were recorded again.
    progress : callable, optional

    Raises
    ------
    InputError
        If no trial has a complete rating.
    """
    trials = merged(profile.trials, new)
    kept, left_out = usable(trials, checkpoint.labels)
    if not kept:
        raise InputError(
            f"no trial of {profile.id!r} has a complete rating ({'; '.join(left_out)}): the model "
            f"needs a score of each of {', '.join(checkpoint.emotions)}"
        )
    found = calibrate(checkpoint, kept, progress, profile.steps)
    before = held.figures(found.held, held.BEFORE)
    after = held.figures(found.held, found.model.step)
    better = calibrated(profile, found.model, trials, before, after, rest)
    return Improvement(better, tuple(kept), tuple(left_out), found)
