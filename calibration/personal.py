"""What adaptation makes of a checkpoint's model for one person: a few arrays, and their use."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from model.adaptation import shifted
from model.batch import Batch

if TYPE_CHECKING:
    import torch

    from model.ensemble import Ensemble
    from model.mpcl import Mpcl


STEPS = ("prior", "baseline", "head", "adapters")
"""What calibration can change, in the order of the ladder; each can be switched off."""


@dataclass(frozen=True)
class PersonalModel:
    """How one person's model differs from the checkpoint's.

    A prediction is the changed networks', asked about the features minus `centre`, plus `shift`.

    Attributes
    ----------
    step : str
        The step of the ladder that the guard kept; ``none`` leaves the checkpoint as it is.
    trials : int
        How many rated trials it rests on.
    shift : ndarray of float64, shape (C,)
        What is added to every prediction; sums to 0.
    keep : float
        No share falls below this share of what it was; 0 to 1.
    centre : mapping of str to ndarray of float32, shape (D,)
        By modality, what is taken off the normalised features; absent modalities stay.
    weights : mapping of str to ndarray of float32
        Changed weights of the networks, as ``member0/head.weight``; a pair ``.../down`` and
        ``.../up`` stands for the low-rank product that is added.
    radius : float
        Conformal radius of the person's predictions in total variation, at 90 %.
    """

    step: str
    trials: int
    shift: NDArray[np.float64]
    keep: float = 1.0
    centre: Mapping[str, NDArray[np.float32]] = field(default_factory=dict)
    weights: Mapping[str, NDArray[np.float32]] = field(default_factory=dict)
    radius: float = 1.0

    def networks(self, ensemble: Ensemble) -> Ensemble:
        """Return the person's networks; the given ones stay as they are.

        Raises
        ------
        ValueError
            If the changed weights are not of these networks.
        """
        if not self.weights:
            return ensemble
        # A list of profiles needs no networks, and torch takes seconds to import.
        import torch

        from calibration.tuning import merge
        from model.ensemble import Ensemble
        from model.mpcl import Mpcl

        changed: dict[int, dict[str, torch.Tensor]] = {}
        for name, value in self.weights.items():
            owner, _, own = name.partition("/")
            number = int(owner.removeprefix("member"))
            changed.setdefault(number, {})[own] = torch.from_numpy(np.asarray(value))
        members: list[Mpcl] = []
        for number, member in enumerate(ensemble.members):
            assert isinstance(member, Mpcl)
            own_weights = dict(member.named_parameters())
            mine = changed.pop(number, {})
            _check(number, own_weights, mine)
            network = copy.deepcopy(member)
            network.load_state_dict(
                merge({n: w.detach() for n, w in own_weights.items()}, mine), strict=False
            )
            members.append(network)
        if changed:
            raise ValueError(f"weights of network {min(changed)}, of {len(members)}")
        return Ensemble(members)

    def centred(self, batch: Batch) -> Batch:
        """Return windows with the person's centre taken off where a modality is present."""
        if not self.centre:
            return batch
        features = dict(batch.features)
        for name, centre in self.centre.items():
            if name in features:
                there = batch.mask[name][:, None]
                features[name] = np.where(there, features[name] - centre, features[name])
        return Batch(features, batch.mask, batch.elapsed)

    def moved(self, shares: NDArray[np.floating]) -> NDArray[np.float64]:
        """Return distributions (N, C) of the person's networks, shifted to what they report."""
        return shifted(shares, self.shift, self.keep)


def _check(
    number: int, own: Mapping[str, torch.Tensor], changed: Mapping[str, torch.Tensor]
) -> None:
    """Refuse weights that are not those of a network."""
    for name, value in changed.items():
        base, _, part = name.partition("/")
        if base not in own:
            raise ValueError(f"network {number} has no weight {base!r}")
        shape = tuple(own[base].shape)
        if part:
            other = changed.get(f"{base}/{'up' if part == 'down' else 'down'}")
            if part not in ("up", "down") or other is None or len(shape) != 2:
                raise ValueError(f"{name!r} is no half of a low-rank product")
            rank = value.shape[0] if part == "down" else value.shape[-1]
            shape = (rank, shape[1]) if part == "down" else (shape[0], rank)
            if rank not in (other.shape[0], other.shape[-1]):
                raise ValueError(f"{name!r} has rank {rank}, its other half another")
        if tuple(value.shape) != shape:
            raise ValueError(f"{name!r} is {tuple(value.shape)}, needs {shape}")
