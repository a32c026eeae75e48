"""What makes a profile sound: bounded, finite, and of shapes that fit each other.

It is checked whenever a profile is made, so that what is saved can be loaded, and what was loaded,
from whomever it came, can be used.
"""

from __future__ import annotations

import re
from datetime import datetime
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from calibration.personal import STEPS, PersonalModel
from calibration.trials import RatedTrial
from realtime.errors import InputError
from realtime.metadata import clean

if TYPE_CHECKING:
    from calibration.profile import Calibration, Profile
    from realtime.baseline import Rest

MAX_TRIALS = 4096
MAX_HISTORY = 4096
MAX_FIGURES = 256
MAX_SETUP = 4096
MAX_TEXT = 4096
"""Characters of a name that a marker, a protocol or an archive gave."""

WEIGHT = re.compile(r"member(\d{1,3})/([A-Za-z0-9_.]{1,200})(/down|/up)?")
"""Name of a changed weight: the network, the weight in it, and which half of a product it is."""

_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}")
_HASH = re.compile(r"[0-9a-f]{64}")
# Devices of Windows, which no file or folder can be called there.
_RESERVED = frozenset(
    ["con", "prn", "aux", "nul", *(f"{port}{n}" for port in ("com", "lpt") for n in range(10))]
)


def profile_id(text: str) -> str:
    """Return a pseudonym if it can name a profile's folder on every system.

    Raises
    ------
    InputError
        If it does not consist of 1 to 64 letters, digits, - and _, the first a letter or a digit,
        or is a name that Windows keeps for devices.
    """
    if not _ID.fullmatch(text):
        raise InputError(
            f"profile id {text[:80]!r} cannot be used: give 1 to 64 letters, digits, - and _, a "
            "letter or digit first, and no real name"
        )
    if text.lower() in _RESERVED:
        raise InputError(
            f"profile id {text!r} is a device's name on Windows: give another, such as '{text}-1'"
        )
    return text


def require_sound(profile: Profile) -> None:
    """Refuse a profile that is not what it must be.

    Raises
    ------
    ValueError
        Naming the first fault.
    """
    profile_id(profile.id)
    _text("rig", profile.rig)
    if not _HASH.fullmatch(profile.checkpoint):
        raise ValueError(f"checkpoint {profile.checkpoint!r} is no SHA-256: save it first")
    _date("created", profile.created)
    _bounded("properties of the rig", profile.setup, MAX_SETUP)
    for key in profile.setup:
        _text("a property of the rig", key)
    for text in (profile.labels.name, profile.labels.instrument, *profile.labels.emotions):
        _text("label", text)
    for step in profile.steps:
        if step not in STEPS:
            raise ValueError(f"step {str(step)[:80]!r} is none of {', '.join(STEPS)}")
    _bounded("rated trials", profile.trials, MAX_TRIALS)
    _bounded("calibrations", profile.history, MAX_HISTORY)
    sizes: dict[str, int] = {}
    _check_model(profile.model, len(profile.labels), sizes)
    if profile.baseline is not None:
        _check_baseline(profile.baseline, sizes)
    for trial in profile.trials:
        _check_trial(trial, sizes)
    for entry in profile.history:
        _check_entry(entry)


def _check_model(model: PersonalModel, emotions: int, sizes: dict[str, int]) -> None:
    _text("step", model.step)
    if not 0 <= model.trials <= MAX_TRIALS:
        raise ValueError(f"the model rests on {model.trials} trials")
    for name, value in (("keep", model.keep), ("radius", model.radius)):
        if not 0 <= value <= 1:
            raise ValueError(f"{name} {value} is not within 0 and 1")
    for name, values in model.centre.items():
        _sized(f"centre of {name}", name, values, np.float32, sizes)
    _array("shift", model.shift, np.float64, 1)
    if model.shift.shape != (emotions,) or abs(float(model.shift.sum())) > 1e-6:
        raise ValueError(f"shift is {model.shift.shape}, needs ({emotions},), with the sum 0")
    for name, values in model.weights.items():
        if not WEIGHT.fullmatch(name):
            raise ValueError(f"{name[:80]!r} names no weight")
        _array(name, values, np.float32)


def _check_baseline(baseline: Rest, sizes: dict[str, int]) -> None:
    if not set(baseline.seconds) == set(baseline.mean) == set(baseline.variance):
        raise ValueError("the baseline lacks a part of a modality")
    for kind in ("seconds", "mean", "variance"):
        for name, values in getattr(baseline, kind).items():
            _sized(f"baseline {kind} of {name}", name, values, np.float64, sizes)
            if kind != "mean" and (values < 0).any():
                raise ValueError(f"baseline {kind} of {name} is below 0")


def _check_trial(trial: RatedTrial, sizes: dict[str, int]) -> None:
    what = f"trial {trial.trial[:80]!r}"
    _text("trial", trial.trial)
    _text("condition", trial.condition)
    if trial.date:  # not every recording says when it was made
        _date(what, trial.date)
    if not (np.isfinite([trial.start, trial.stop]).all() and trial.start <= trial.stop):
        raise ValueError(f"{what} goes from {trial.start} to {trial.stop}")
    if not len(trial.batch):
        raise ValueError(f"{what} has no windows")
    _array(f"elapsed of {what}", trial.batch.elapsed, np.float64, 1)
    for name, values in trial.batch.features.items():
        _sized(f"{name} of {what}", name, values, np.float32, sizes, 2)
        if trial.batch.mask[name].dtype != np.bool_:
            raise ValueError(f"mask of {name} of {what} is {trial.batch.mask[name].dtype}")


def _check_entry(entry: Calibration) -> None:
    _date("calibration", entry.date)
    _text("step", entry.step)
    if not 0 <= entry.trials <= MAX_TRIALS or not 0 <= entry.radius <= 1:
        raise ValueError(f"calibration of {entry.trials} trials with radius {entry.radius}")
    for figures in (entry.before, entry.after):
        _bounded("figures", figures, MAX_FIGURES)
        for name, value in figures.items():
            _text("figure", name)
            if not np.isfinite(value):
                raise ValueError(f"figure {name!r} is {value}")


def _sized(
    what: str,
    modality: str,
    values: NDArray[Any],
    kind: type[np.generic],
    sizes: dict[str, int],
    dimensions: int = 1,
) -> None:
    """Check an array of features; `sizes` remembers how many each modality has."""
    _text("modality", modality)
    _array(what, values, kind, dimensions)
    if sizes.setdefault(modality, values.shape[-1]) != values.shape[-1]:
        raise ValueError(f"{what} has {values.shape[-1]} features, others {sizes[modality]}")


def _array(
    what: str, values: NDArray[Any], kind: type[np.generic], dimensions: int | None = None
) -> None:
    if values.dtype != kind or not np.isfinite(values).all():
        raise ValueError(f"{what} is not finite {np.dtype(kind).name}")
    if dimensions is not None and values.ndim != dimensions:
        raise ValueError(f"{what} has {values.ndim} dimensions, needs {dimensions}")


def _text(what: str, text: str) -> None:
    if not isinstance(text, str) or clean(text, MAX_TEXT) != text:
        raise ValueError(f"{what} {text[:80]!r} is too long, or has characters that do not show")


def _date(what: str, text: str) -> None:
    if len(text) > 40 or datetime.fromisoformat(text).tzinfo is None:
        raise ValueError(f"{what} has the date {text[:40]!r}: needs ISO 8601 with its time zone")


def _bounded(what: str, values: Any, limit: int) -> None:
    if len(values) > limit:
        raise ValueError(f"{len(values)} {what}: at most {limit} are kept")
