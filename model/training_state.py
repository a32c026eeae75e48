"""The file that an interrupted training goes on from: safetensors with a JSON header."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from model.batch import Batch, Labels
from realtime.errors import InputError

_FORMAT = "affectstream-training-1"


@dataclass
class TrainingState:
    """Where a training stands at the end of an epoch.

    Attributes
    ----------
    member, epoch : int
        Member under training, and its finished epochs.
    best : float or None
        Its lowest held-out loss so far.
    stale : int
        Epochs since then.
    history : list of dict
        One entry an epoch, over all members.
    finished : list of mapping of str to Tensor
        Weights of the members before.
    current, kept, optimiser : mapping of str to Tensor
        The member's weights, the best ones so far, and the optimiser's moments.
    """

    member: int = 0
    epoch: int = 0
    best: float | None = None
    stale: int = 0
    history: list[dict[str, Any]] = field(default_factory=list)
    finished: list[dict[str, Tensor]] = field(default_factory=list)
    current: dict[str, Tensor] = field(default_factory=dict)
    kept: dict[str, Tensor] = field(default_factory=dict)
    optimiser: dict[str, Tensor] = field(default_factory=dict)

    def save(self, path: Path, fingerprint: str) -> None:
        """Write the state in one step: a crash leaves the old file or the new one."""
        tensors = {}
        groups = {"current": self.current, "kept": self.kept, "optimiser": self.optimiser}
        groups |= {f"finished{index}": one for index, one in enumerate(self.finished)}
        for group, members in groups.items():
            for name, tensor in members.items():
                tensors[f"{group}/{name}"] = tensor.detach().cpu().clone().contiguous()
        information = {
            "member": self.member,
            "epoch": self.epoch,
            "best": self.best,
            "stale": self.stale,
            "history": self.history,
            "finished": len(self.finished),
        }
        header = {
            "format": _FORMAT,
            "fingerprint": fingerprint,
            "state": json.dumps(information),
        }
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary = path.with_name(path.name + ".part")
        save_file(tensors, temporary, metadata=header)
        os.replace(temporary, path)

    @classmethod
    def load(cls, path: Path, fingerprint: str) -> TrainingState:
        """Read a state.

        Raises
        ------
        InputError
            If the file is damaged, or belongs to other data, settings or another seed.
        """
        try:
            with safe_open(path, framework="pt") as file:
                header = file.metadata() or {}
                tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        except (SafetensorError, OSError) as error:
            raise InputError(
                f"cannot read the training state {str(path)!r} ({error}): delete it to start anew"
            ) from error
        if header.get("format") != _FORMAT or header.get("fingerprint") != fingerprint:
            raise InputError(
                f"the training state {str(path)!r} belongs to other data, settings or another "
                "seed: delete it, or name another file"
            )
        information = json.loads(header["state"])
        finished: list[dict[str, Tensor]] = [{} for _ in range(information.pop("finished"))]
        state = cls(**information, finished=finished)
        for name, tensor in tensors.items():
            group, _, key = name.partition("/")
            if group.startswith("finished"):
                finished[int(group.removeprefix("finished"))][key] = tensor
            else:
                getattr(state, group)[key] = tensor
        return state


def fingerprint(
    batch: Batch, labels: Labels, groups: np.ndarray, description: Mapping[str, Any]
) -> str:
    """Return a hash of everything that a training's result depends on."""
    digest = hashlib.sha256(json.dumps(description, sort_keys=True).encode())
    for name in sorted(batch.features):
        digest.update(f"{name}{batch.features[name].shape}".encode())
        digest.update(np.ascontiguousarray(batch.features[name]).tobytes())
        digest.update(np.ascontiguousarray(batch.mask[name]).tobytes())
    digest.update(np.ascontiguousarray(labels.distribution).tobytes())
    digest.update(np.ascontiguousarray(labels.intensity).tobytes())
    if labels.items is not None:
        digest.update(np.ascontiguousarray(labels.items).tobytes())
    digest.update("\0".join(map(str, groups)).encode())
    return digest.hexdigest()
