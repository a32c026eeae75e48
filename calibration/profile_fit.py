"""Whether a profile fits a checkpoint and a rig: another one's would only seem to work."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from realtime.errors import InputError
from realtime.features import feature_set
from realtime.rig import Rig

if TYPE_CHECKING:
    from calibration.profile import Profile
    from model.checkpoint import Checkpoint


def check(profile: Profile, checkpoint: Checkpoint, rig: Rig) -> None:
    """Refuse a checkpoint or a rig that a profile was not made with.

    Raises
    ------
    InputError
        Naming the first difference.
    """
    start = f"the profile {profile.id!r} does not fit "
    if profile.rig != rig.name:
        raise InputError(
            f"{start}the rig {rig.name!r}: it was made with {profile.rig!r}; choose that rig, or "
            "calibrate the person anew"
        )
    if profile.checkpoint != checkpoint.hash:
        raise InputError(
            f"{start}the checkpoint {checkpoint.hash[:12]!r} ({checkpoint.labels.name}): it was "
            f"made with {profile.checkpoint[:12]!r} ({profile.labels.name}); choose that "
            "checkpoint, or calibrate the person anew"
        )
    given = measured(rig, [one.name for one in checkpoint.modalities])
    for key in sorted({*profile.setup, *given}):
        had, has = profile.setup.get(key), given.get(key)
        if had != has:
            raise InputError(
                f"{start}the rig {rig.name!r} as it is now: {key} was {repr(had)[:200]} and is "
                f"{repr(has)[:200]}; "
                "undo that, or calibrate the person anew"
            )
    try:
        _check_fit(profile, checkpoint)
    except ValueError as error:
        raise InputError(f"{start}its checkpoint ({error}): calibrate the person anew") from error


def measured(rig: Rig, modalities: Sequence[str]) -> dict[str, Any]:
    """Describe what the features of some modalities depend on, as plain values by dotted names.

    Names that devices go by and limits of what is accepted are left out: they may change while the
    features stay what they were.
    """
    described: dict[str, Any] = {}
    for one in rig.modalities:
        if one.name not in modalities:
            continue
        values = {
            "features": one.features,
            "version": feature_set(one.features).version,
            "channels": one.channel_names,
            "unit": one.unit,
            "rate": one.rate,
            "window": one.window,
            **{f"filter.{k}": v for k, v in dataclasses.asdict(one.filter).items()},
            **{f"options.{key}": value for key, value in one.options},
        }
        described |= {f"{one.name}.{key}": value for key, value in values.items()}
    # As it comes back from disk: lists for tuples.
    return dict(json.loads(json.dumps(described, allow_nan=False)))


def _check_fit(profile: Profile, checkpoint: Checkpoint) -> None:
    """Refuse arrays that do not fit the networks."""
    if profile.labels != checkpoint.labels:
        raise ValueError("the emotions are not the same")
    sizes = {one.name: len(one.features) for one in checkpoint.modalities}
    rest = {} if profile.baseline is None else profile.baseline.mean
    for what, arrays in (("centre", profile.model.centre), ("baseline", rest)):
        for name, values in arrays.items():
            if values.shape != (sizes.get(name),):
                raise ValueError(f"{what} of {name} is {values.shape}")
    lacking = sorted(set(sizes) - set(rest)) if profile.baseline is not None else []
    if lacking:
        raise ValueError(f"the baseline lacks {', '.join(lacking)}")
    for trial in profile.trials:
        if trial.batch.sizes != sizes:
            raise ValueError(f"trial {trial.trial!r} has features {trial.batch.sizes}")
    profile.model.networks(checkpoint.ensemble)  # which checks the weights
