"""Artefact filters on disk: a safetensors file that names the montage they were fitted on."""

from __future__ import annotations

import dataclasses
import json
import os
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.numpy import load, save

from realtime.errors import InputError
from realtime.features.artefacts import (
    ArtefactFilter,
    ComponentRemoval,
    Montage,
    SubspaceReconstruction,
)
from realtime.rig import FilterSettings

_KEY = "affectstream"
_FORMAT = "artefacts-1"


def save_artefacts(artefacts: ArtefactFilter, participant: str, path: Path) -> None:
    """Write a filter; `participant` is the pseudonym of the person to whom it was fitted.

    Raises
    ------
    InputError
        If the file cannot be written.
    """
    tensors = {"mixing": np.ascontiguousarray(artefacts.mixing)}
    description: dict[str, Any] = {
        "format": _FORMAT,
        "method": artefacts.method,
        "participant": participant,
        "montage": dataclasses.asdict(artefacts.montage),
    }
    if isinstance(artefacts, ComponentRemoval):
        description["removed"] = list(artefacts.removed)
    if isinstance(artefacts, SubspaceReconstruction):
        tensors["thresholds"] = np.ascontiguousarray(artefacts.thresholds)
        tensors["shaping"] = np.ascontiguousarray(artefacts.shaping)
    content = save(tensors, metadata={_KEY: json.dumps(description, sort_keys=True)})
    temporary = path.with_name(path.name + ".part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary.write_bytes(content)
        os.replace(temporary, path)
    except OSError as error:
        raise InputError(
            f"cannot write {str(path)!r} ({error.strerror}): give another --out"
        ) from error


def load_artefacts(path: Path) -> tuple[ArtefactFilter, str]:
    """Read a filter, and the pseudonym of the person to whom it was fitted.

    Raises
    ------
    InputError
        If there is no such file, or it is damaged, no artefact filter, or does not fit together.
    """
    try:
        content = path.read_bytes()
    except OSError as error:
        raise InputError(
            f"cannot read the artefact filter {str(path)!r} ({error.strerror}): give the path of "
            "a file that `affectstream artefacts` wrote"
        ) from error
    try:
        tensors = load(content)
        length = int.from_bytes(content[:8], "little")
        header = json.loads(content[8 : 8 + length]).get("__metadata__", {})
        description = dict(json.loads(header.get(_KEY, "{}")))
        if description.get("format") != _FORMAT:
            raise ValueError(f"its format is {description.get('format')!r}, not {_FORMAT!r}")
        return _build(description, tensors), str(description["participant"])
    except (
        *(SafetensorError, ValueError, OverflowError),
        *(KeyError, TypeError, AttributeError),
    ) as error:
        reason = f"{error} is missing" if isinstance(error, KeyError) else str(error)
        raise InputError(
            f"{str(path)!r} is no usable artefact filter ({' '.join(reason.split())[:300]}): fit "
            "one with `affectstream artefacts`"
        ) from error


def _build(description: dict[str, Any], tensors: dict[str, NDArray[Any]]) -> ArtefactFilter:
    raw = description["montage"]
    montage = Montage(
        rig=str(raw["rig"]),
        modality=str(raw["modality"]),
        channels=tuple(str(name) for name in raw["channels"]),
        fitted=tuple(bool(value) for value in raw["fitted"]),
        rate=float(raw["rate"]),
        filter=FilterSettings(**raw["filter"]),
    )
    if len(montage.fitted) != len(montage.channels):
        raise ValueError("it does not say of each channel whether it was fitted")
    for name, tensor in tensors.items():
        if tensor.dtype != np.float64 or not np.isfinite(tensor).all():
            raise ValueError(f"{name} is not finite float64")
    count = sum(montage.fitted)
    mixing = tensors["mixing"]
    if mixing.ndim != 2 or mixing.shape[0] != count or not 0 < mixing.shape[1] <= count:
        raise ValueError(f"mixing is {mixing.shape} for {count} channels")
    if description["method"] == ComponentRemoval.method:
        removed = tuple(int(number) for number in description["removed"])
        if not all(0 <= number < mixing.shape[1] for number in removed):
            raise ValueError(f"no components {removed}")
        return ComponentRemoval(montage, mixing, removed)
    if description["method"] == SubspaceReconstruction.method:
        lines = round(montage.rate) // 2 + 1
        wanted = {"mixing": (count, count), "thresholds": (count, count), "shaping": (lines,)}
        for name, shape in wanted.items():
            if tensors[name].shape != shape:
                raise ValueError(f"{name} is {tensors[name].shape}, needs {shape}")
        return SubspaceReconstruction(montage, mixing, tensors["thresholds"], tensors["shaping"])
    raise ValueError(f"its method is {description['method']!r}")
