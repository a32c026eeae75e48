"""A profile as files: ``profile.json``, and two safetensors files that it names by their content.

Nothing is pickled, and nothing that is read is trusted.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import re
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.numpy import load, save

from calibration.personal import PersonalModel
from calibration.profile import Calibration, Profile
from calibration.ratings import Rating
from calibration.trials import RatedTrial
from model.batch import Batch
from model.labels import LabelSet
from realtime.baseline import Rest

DESCRIPTION = "profile.json"
FORMAT = "profile-1"
SESSIONS = "sessions"
"""Folder of the person's guided sessions, beside the profile's files."""

LIMITS = {DESCRIPTION: 32 << 20, "model": 256 << 20, "trials": 512 << 20}
"""Greatest size of each file in bytes: hundreds of sessions of a person stay below."""

ARRAYS = re.compile(r"(model|trials)-[0-9a-f]{16}\.safetensors")
"""Name of a file of arrays, with the beginning of its SHA-256."""

Read = Callable[[str, int], bytes]
"""Gives a file's content by its name; refuses one of more bytes than the number."""

FAULTS = (
    *(SafetensorError, ValueError, KeyError, TypeError),
    *(AttributeError, IndexError, OverflowError, RecursionError),
)
"""What a file that is no profile raises while it is parsed."""


def encoded(profile: Profile) -> dict[str, bytes]:
    """Return the files of a profile by name, ``profile.json`` last; the same for the same."""
    model = profile.model
    arrays: dict[str, NDArray[Any]] = {"shift": model.shift}
    arrays |= {f"centre/{name}": values for name, values in model.centre.items()}
    arrays |= {f"weights/{name}": values for name, values in model.weights.items()}
    if profile.baseline is not None:
        for kind in ("seconds", "mean", "variance"):
            parts = getattr(profile.baseline, kind)
            arrays |= {f"baseline/{kind}/{name}": values for name, values in parts.items()}
    windows: dict[str, NDArray[Any]] = {}
    for number, trial in enumerate(profile.trials):
        windows[f"{number}/elapsed"] = trial.batch.elapsed
        for name, values in trial.batch.features.items():
            windows[f"{number}/features/{name}"] = values
            windows[f"{number}/mask/{name}"] = trial.batch.mask[name]
    files = {}
    hashes = {}
    for kind, tensors in (("model", arrays), ("trials", windows)):
        content = save({name: np.ascontiguousarray(values) for name, values in tensors.items()})
        digest = hashlib.sha256(content).hexdigest()
        files[f"{kind}-{digest[:16]}.safetensors"] = content
        hashes[kind] = digest
    description = {
        "format": FORMAT,
        "id": profile.id,
        "created": profile.created,
        "rig": profile.rig,
        "setup": dict(profile.setup),
        "checkpoint": profile.checkpoint,
        "labels": dataclasses.asdict(profile.labels),
        "steps": list(profile.steps),
        "model": {
            "step": model.step,
            "trials": int(model.trials),
            "keep": float(model.keep),
            "radius": float(model.radius),
            "centre": list(model.centre),
            "weights": list(model.weights),
        },
        "baseline": None if profile.baseline is None else list(profile.baseline.mean),
        "trials": [_described(trial) for trial in profile.trials],
        "history": [_entry(one) for one in profile.history],
        "files": hashes,
    }
    text = json.dumps(description, ensure_ascii=False, allow_nan=False, indent=1) + "\n"
    return {**files, DESCRIPTION: text.encode("utf-8")}


def decoded(read: Read) -> Profile:
    """Build a profile from its files, trusting none of them.

    Raises
    ------
    OSError
        What `read` raises.
    Exception
        One of `FAULTS`, if it is no profile, or not a sound one.
    """
    content = read(DESCRIPTION, LIMITS[DESCRIPTION])
    raw = json.loads(content.decode("utf-8"))
    if raw["format"] != FORMAT:
        raise ValueError(f"its format is {str(raw['format'])[:80]!r}, not {FORMAT!r}")
    tensors = {}
    for kind in ("model", "trials"):
        digest = str(raw["files"][kind])
        name = f"{kind}-{digest[:16]}.safetensors"
        if not ARRAYS.fullmatch(name):
            raise ValueError(f"files names {digest[:80]!r}")
        arrays = read(name, LIMITS[kind])
        if hashlib.sha256(arrays).hexdigest() != digest:
            raise ValueError(f"{name} is not what was written")
        tensors[kind] = load(arrays)
    arrays, windows = tensors["model"], tensors["trials"]
    labels = raw["labels"]
    model = raw["model"]
    names = raw["baseline"]
    return Profile(
        id=raw["id"],
        rig=raw["rig"],
        setup=dict(raw["setup"]),
        checkpoint=raw["checkpoint"],
        labels=LabelSet(
            name=str(labels["name"]),
            instrument=str(labels["instrument"]),
            emotions=tuple(str(name) for name in labels["emotions"]),
            valence=tuple(int(sign) for sign in labels["valence"]),
            scale=(float(labels["scale"][0]), float(labels["scale"][1])),
        ),
        model=PersonalModel(
            step=model["step"],
            trials=int(model["trials"]),
            centre={name: arrays[f"centre/{name}"] for name in model["centre"]},
            shift=arrays["shift"],
            keep=float(model["keep"]),
            weights={name: arrays[f"weights/{name}"] for name in model["weights"]},
            radius=float(model["radius"]),
        ),
        baseline=None
        if names is None
        else Rest(
            **{
                kind: {name: arrays[f"baseline/{kind}/{name}"] for name in names}
                for kind in ("seconds", "mean", "variance")
            }
        ),
        trials=tuple(
            _trial(number, one, windows, raw["id"]) for number, one in enumerate(raw["trials"])
        ),
        history=tuple(
            Calibration(
                date=one["date"],
                trials=int(one["trials"]),
                step=one["step"],
                before={name: float(value) for name, value in one["before"].items()},
                after={name: float(value) for name, value in one["after"].items()},
                radius=float(one["radius"]),
            )
            for one in raw["history"]
        ),
        created=raw["created"],
        steps=tuple(raw["steps"]),
        hash=hashlib.sha256(content).hexdigest(),
    )


def reason_of(error: Exception) -> str:
    """Return one of `FAULTS` in words."""
    return f"{error} is missing" if isinstance(error, KeyError) else str(error)


def _described(trial: RatedTrial) -> dict[str, Any]:
    rating = trial.rating
    return {
        "trial": trial.trial,
        "condition": trial.condition,
        "start": float(trial.start),
        "stop": float(trial.stop),
        "date": trial.date,
        "windows": len(trial.batch),
        "modalities": list(trial.batch.modalities),
        # Whose rating it is, the profile says: renamed, it must not keep the former name.
        "rating": {
            "instrument": rating.instrument,
            "trial": rating.trial,
            "scale": [float(edge) for edge in rating.scale],
            # In shown order; None is not answered.
            "items": [
                [name, None if score is None else float(score)]
                for name, score in rating.items.items()
            ],
        },
    }


def _trial(
    number: int, raw: Mapping[str, Any], windows: Mapping[str, NDArray[Any]], participant: str
) -> RatedTrial:
    names = raw["modalities"]
    rating = raw["rating"]
    items = [(name, None if score is None else float(score)) for name, score in rating["items"]]
    if len(dict(items)) != len(items):
        raise ValueError(f"trial {number} has an item twice")
    return RatedTrial(
        trial=raw["trial"],
        condition=raw["condition"],
        start=float(raw["start"]),
        stop=float(raw["stop"]),
        date=raw["date"],
        batch=Batch(
            {name: windows[f"{number}/features/{name}"] for name in names},
            {name: windows[f"{number}/mask/{name}"] for name in names},
            windows[f"{number}/elapsed"],
        ),
        rating=Rating(
            instrument=rating["instrument"],
            items=dict(items),
            scale=(float(rating["scale"][0]), float(rating["scale"][1])),
            trial=rating["trial"],
            participant=participant,
        ),
    )


def _entry(one: Calibration) -> dict[str, Any]:
    return {
        "date": one.date,
        "trials": int(one.trials),
        "step": one.step,
        "before": {name: float(value) for name, value in one.before.items()},
        "after": {name: float(value) for name, value in one.after.items()},
        "radius": float(one.radius),
    }


def kind_of(name: str) -> str:
    """Return under which key of `LIMITS` a file of a profile comes."""
    return name.partition("-")[0]
