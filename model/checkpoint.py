"""Checkpoints: a trained model with all that is needed to use it, in one safetensors file.

Weights and arrays are tensors; everything else is JSON in the file's header. Nothing is pickled.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import os
import platform
from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.torch import load, save
from torch import Tensor

from model.ensemble import Ensemble
from model.labels import LabelSet
from model.mpcl import Mpcl
from model.people import PeopleStatistics
from model.settings import CHOICES, MpclSettings
from realtime.baseline import Population
from realtime.errors import InputError
from realtime.features import entries, feature_set
from realtime.rig import ROLES, Rig

DEMONSTRATION = "demonstration weights: not trained on people"
"""What is said wherever a model shows itself that simulated people trained."""

REPLAYED = 32
"""Windows of the training people that a checkpoint may keep, for adaptation to remember them by."""

_KEY = "affectstream"
_FORMAT = "checkpoint-1"


@dataclass(frozen=True, slots=True)
class ModalityInput:
    """What a model expects of one modality.

    Attributes
    ----------
    name : str
    role : str
        ``primary``, ``auxiliary`` or ``behavioural``.
    feature_set : str
        Name in `realtime.features.FEATURE_SETS`.
    version : int
        Version of that feature set.
    window : float
        Window length in seconds.
    features : tuple of str
        Names of the features, in order.
    """

    name: str
    role: str
    feature_set: str
    version: int
    window: float
    features: tuple[str, ...]


@dataclass(frozen=True)
class Checkpoint:
    """A trained model and what it rests on.

    Raises InputError for settings of an ablation.

    Attributes
    ----------
    ensemble : Ensemble
        The networks, on the CPU, in evaluation mode.
    settings : MpclSettings
        How they were built and trained.
    rig : str
        Name of the rig that the training features came from.
    modalities : tuple of ModalityInput
    labels : LabelSet
    population : Population
        Statistics for causal normalisation.
    mean : ndarray of float64, shape (C,)
        Mean distribution of the training people.
    radius : float
        Conformal radius in total variation, at 90 %.
    trained_on : str
        ``"people"`` or ``"simulated"``: the latter if any of the training data are.
    people : PeopleStatistics
        How the training people's ratings vary, and how far calibrated predictions were off.
    replay : ndarray of float32, shape (R, columns), or None
        A few of their windows, as `Ensemble.pack` returns them; None in one that was not made
        with them, as those that ship.
    data : mapping
        Description of the training data, as plain values.
    metrics : mapping
        What was measured, as plain values.
    seed : int
    versions : mapping of str to str
        Software that it was made with.
    hash : str
        SHA-256 of the file; empty before the first `save_checkpoint`.
    """

    ensemble: Ensemble
    settings: MpclSettings
    rig: str
    modalities: tuple[ModalityInput, ...]
    labels: LabelSet
    population: Population
    mean: NDArray[np.float64]
    radius: float
    trained_on: str
    people: PeopleStatistics = field(default_factory=PeopleStatistics)
    replay: NDArray[np.float32] | None = None
    data: Mapping[str, Any] = field(default_factory=dict)
    metrics: Mapping[str, Any] = field(default_factory=dict)
    seed: int = 0
    versions: Mapping[str, str] = field(default_factory=lambda: software_versions())
    hash: str = ""

    def __post_init__(self) -> None:
        require_complete(self.settings)

    @property
    def demonstration(self) -> bool:
        """Whether it only shows that a rig works: simulated people trained it."""
        return self.trained_on == "simulated"

    @property
    def notice(self) -> str | None:
        """What users must be told wherever it predicts, or None."""
        return DEMONSTRATION if self.demonstration else None

    @property
    def emotions(self) -> tuple[str, ...]:
        """Names of the C emotions."""
        return self.labels.emotions

    @property
    def roles(self) -> dict[str, str]:
        """Role of each modality."""
        return {modality.name: modality.role for modality in self.modalities}


def require_complete(settings: MpclSettings) -> None:
    """Refuse settings of an ablation: such a model cannot say what it draws on."""
    for name, choices in CHOICES.items():
        value = getattr(settings, name)
        if value != choices[0]:
            raise InputError(
                f"setting {name} is {value!r}, which is for ablations: a checkpoint holds the "
                f"complete model, so make it {choices[0]!r}"
            )


def software_versions() -> dict[str, str]:
    """Return versions of what a checkpoint's weights depend on."""
    versions = {"python": platform.python_version()}
    for name in ("affectstream", "torch", "numpy", "scipy"):
        try:
            versions[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return versions


def modality_inputs(rig: Rig) -> tuple[ModalityInput, ...]:
    """Return what a rig gives, in the form in which a checkpoint states what it needs."""
    given = []
    for modality in rig.modalities:
        features = feature_set(modality.features)
        given.append(
            ModalityInput(
                name=modality.name,
                role=modality.role,
                feature_set=modality.features,
                version=features.version,
                window=modality.window,
                features=tuple(feature.name for feature in entries(modality)),
            )
        )
    return tuple(given)


def check_rig(checkpoint: Checkpoint, rig: Rig) -> None:
    """Refuse a rig that does not give the features which a checkpoint needs.

    Raises
    ------
    InputError
        Naming the first thing that is missing.
    """
    given = {modality.name: modality for modality in modality_inputs(rig)}
    for need in checkpoint.modalities:
        start = f"the checkpoint (rig {checkpoint.rig!r}) does not fit the rig {rig.name!r}: "
        has = given.get(need.name)
        if has is None:
            raise InputError(
                f"{start}it needs the modality {need.name!r}; add it to the rig, or choose a "
                "checkpoint without it"
            )
        # In this order, so that the most telling difference is the one that is named.
        checks = (
            ("the feature set", need.feature_set, has.feature_set),
            ("the feature version", need.version, has.version),
            ("a window in seconds of", need.window, has.window),
        )
        for what, wanted, found in checks:
            if wanted != found:
                raise InputError(
                    f"{start}{need.name} needs {what} {wanted!r}, the rig has {found!r}; change "
                    "the rig or choose another checkpoint"
                )
        missing = [name for name in need.features if name not in has.features]
        if missing or need.features != has.features:
            what = f"lacks {', '.join(missing)}" if missing else "has them in another order"
            raise InputError(
                f"{start}it needs the features of {need.name} that the model was trained on, the "
                f"rig {what}; choose a checkpoint of this version"
            )


def save_checkpoint(checkpoint: Checkpoint, path: Path) -> Checkpoint:
    """Write a checkpoint in one step, and return it with its hash."""
    tensors: dict[str, Tensor] = {"mean": torch.from_numpy(checkpoint.mean.copy())}
    for index, member in enumerate(checkpoint.ensemble.members):
        for name, tensor in member.state_dict().items():
            tensors[f"member{index}/{name}"] = tensor.detach().cpu().clone().contiguous()
    if checkpoint.replay is not None:
        tensors["replay"] = torch.from_numpy(checkpoint.replay.copy())
    population = checkpoint.population
    for name in population.mean:
        for kind, values in (("mean", population.mean), ("std", population.std)):
            array = np.ascontiguousarray(values[name], dtype=np.float64)
            tensors[f"population/{kind}/{name}"] = torch.from_numpy(array.copy())
    description = {
        "settings": checkpoint.settings.to_dict(),
        "members": len(checkpoint.ensemble.members),
        "rig": checkpoint.rig,
        "modalities": [dataclasses.asdict(modality) for modality in checkpoint.modalities],
        "labels": dataclasses.asdict(checkpoint.labels),
        "population": {
            "floor": population.floor,
            "clip": population.clip,
            "prior_seconds": population.prior_seconds,
        },
        "radius": checkpoint.radius,
        "people": checkpoint.people.to_dict(),
        "trained_on": checkpoint.trained_on,
        **({"demonstration": True, "notice": DEMONSTRATION} if checkpoint.demonstration else {}),
        "data": dict(checkpoint.data),
        "metrics": dict(checkpoint.metrics),
        "seed": checkpoint.seed,
        "versions": dict(checkpoint.versions),
    }
    # One entry: safetensors writes several in an order that changes from run to run, and the
    # same checkpoint must have the same hash.
    header = {_KEY: json.dumps({"format": _FORMAT, **description}, sort_keys=True)}
    content = save(tensors, metadata=header)
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(path.name + ".part")
    temporary.write_bytes(content)
    os.replace(temporary, path)
    return dataclasses.replace(checkpoint, hash=hashlib.sha256(content).hexdigest())


def load_checkpoint(path: Path) -> Checkpoint:
    """Read a checkpoint.

    Raises
    ------
    InputError
        If there is no such file, or it is damaged, no checkpoint, or does not fit together.
    """
    try:
        content = path.read_bytes()
    except OSError as error:
        raise InputError(
            f"cannot read the checkpoint {str(path)!r} ({error.strerror}): give the path of a "
            ".safetensors file that affectstream train wrote"
        ) from error
    try:
        tensors = load(content)
        description = _description(content)
        checkpoint = _build(description, tensors)
    except InputError as error:
        raise _refusal(path, str(error)) from error
    except (
        SafetensorError,
        ValueError,
        KeyError,
        TypeError,
        AttributeError,
        RuntimeError,
    ) as error:
        reason = f"{error} is missing" if isinstance(error, KeyError) else str(error)
        raise _refusal(path, reason) from error
    return dataclasses.replace(checkpoint, hash=hashlib.sha256(content).hexdigest())


def _refusal(path: Path, reason: str) -> InputError:
    short = " ".join(reason.split())[:300]
    return InputError(
        f"{str(path)!r} is no usable checkpoint ({short}): get the file again, or train a new one"
    )


def _description(content: bytes) -> dict[str, Any]:
    """Return the JSON of a file that safetensors has already found sound."""
    length = int.from_bytes(content[:8], "little")
    header = json.loads(content[8 : 8 + length]).get("__metadata__", {})
    description = dict(json.loads(header.get(_KEY, "{}")))
    if description.get("format") != _FORMAT:
        raise ValueError(f"its format is {description.get('format')!r}, not {_FORMAT!r}")
    return description


def _build(description: Mapping[str, Any], tensors: Mapping[str, Tensor]) -> Checkpoint:
    settings = MpclSettings.from_dict(description["settings"])
    modalities = tuple(
        ModalityInput(**{**entry, "features": tuple(entry["features"])})
        for entry in description["modalities"]
    )
    raw = description["labels"]
    labels = LabelSet(
        name=raw["name"],
        instrument=raw["instrument"],
        emotions=tuple(raw["emotions"]),
        valence=tuple(raw["valence"]),
        scale=(float(raw["scale"][0]), float(raw["scale"][1])),
    )
    for modality in modalities:
        if modality.role not in ROLES:
            raise ValueError(f"role {modality.role!r} of {modality.name}")
    sizes = {modality.name: len(modality.features) for modality in modalities}
    roles = {modality.name: modality.role for modality in modalities}
    members = [
        _member(index, settings, sizes, roles, len(labels), tensors)
        for index in range(description["members"])
    ]
    if not members:
        raise ValueError("it holds no network")
    statistics = {
        kind: {name: _array(tensors, f"population/{kind}/{name}", (sizes[name],)) for name in sizes}
        for kind in ("mean", "std")
    }
    if any((values <= 0).any() for values in statistics["std"].values()):
        raise ValueError("a population spread is not above 0")
    mean = _array(tensors, "mean", (len(labels),))
    if (mean < 0).any() or abs(mean.sum() - 1) > 1e-6:
        raise ValueError("the training mean is no distribution")
    radius = float(description["radius"])
    if not 0 <= radius <= 1:
        raise ValueError(f"radius {radius} is not within 0 and 1")
    if description["trained_on"] not in ("people", "simulated"):
        raise ValueError(f"trained_on is {description['trained_on']!r}")
    ensemble = Ensemble(members)
    replay = None
    if "replay" in tensors:
        replay = tensors["replay"].numpy()
        columns = ensemble.columns
        if replay.shape != (min(len(replay), REPLAYED), columns) or not np.isfinite(replay).all():
            raise ValueError(f"replay is {replay.shape}, needs up to {REPLAYED} rows of {columns}")
    known = description.get("people")
    return Checkpoint(
        ensemble=ensemble,
        settings=settings,
        rig=str(description["rig"]),
        modalities=modalities,
        labels=labels,
        population=Population(
            statistics["mean"],
            statistics["std"],
            **{key: float(value) for key, value in description["population"].items()},
        ),
        mean=mean,
        radius=radius,
        trained_on=description["trained_on"],
        people=PeopleStatistics() if known is None else PeopleStatistics.from_dict(known),
        replay=replay,
        data=description["data"],
        metrics=description["metrics"],
        seed=int(description["seed"]),
        versions=description["versions"],
    )


def _member(
    index: int,
    settings: MpclSettings,
    sizes: Mapping[str, int],
    roles: Mapping[str, str],
    emotions: int,
    tensors: Mapping[str, Tensor],
) -> Mpcl:
    with torch.random.fork_rng([]):  # initial weights are drawn, and thrown away
        network = Mpcl(settings, sizes, roles, emotions)
    weights = {}
    for name, own in network.state_dict().items():
        tensor = tensors[f"member{index}/{name}"]
        if tensor.shape != own.shape or tensor.dtype != own.dtype:
            raise ValueError(
                f"{name} is {tuple(tensor.shape)} {tensor.dtype}, needs {tuple(own.shape)}"
            )
        if not torch.isfinite(tensor).all():
            raise ValueError(f"{name} is not finite")
        weights[name] = tensor
    network.load_state_dict(weights)
    return network


def _array(tensors: Mapping[str, Tensor], name: str, shape: tuple[int, ...]) -> NDArray[np.float64]:
    tensor = tensors[name]
    if tuple(tensor.shape) != shape or not torch.isfinite(tensor).all():
        raise ValueError(f"{name} is {tuple(tensor.shape)}, needs {shape}, all finite")
    return np.asarray(tensor.numpy(), dtype=np.float64)
