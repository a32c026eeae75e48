"""Fine-tuning a few weights of the networks to one person's rated trials."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from model.device import one_thread
from model.ensemble import Ensemble
from model.mpcl import Mpcl

RANK = 2
"""Of the adapters."""

_STEPS = 15
_RATE = 1e-2
_PULL = 0.03  # weight of the squared distance from where the weights started


@dataclass(frozen=True)
class Lesson:
    """What the networks are taught.

    Attributes
    ----------
    table : ndarray of float32, shape (N, columns)
        The person's windows, as `Ensemble.pack` returns them.
    target : ndarray of float64, shape (N, C)
        What each should give.
    weight : ndarray of float64, shape (N,)
        Sums to 1.
    replay : ndarray of float32, shape (R, columns), or None
        Windows of the training people, for which the networks should go on giving what they do.
    """

    table: NDArray[np.float32]
    target: NDArray[np.float64]
    weight: NDArray[np.float64]
    replay: NDArray[np.float32] | None = None


def tune(
    ensemble: Ensemble, lesson: Lesson, adapters: bool, seed: int = 0
) -> dict[str, NDArray[np.float32]]:
    """Re-estimate head and prototypes, and with `adapters` low-rank changes of the encoders.

    Fifteen steps of Adam on the person's windows, the weights held near those of the population by
    a quadratic penalty (L2-SP; Li, Grandvalet and Davoine 2018), which is shrinkage. The encoders'
    matrices get a low-rank product added (LoRA; Hu et al. 2022), while what the networks say of
    the replayed windows is kept (learning without forgetting; Li and Hoiem 2016).

    Returns
    -------
    dict
        Changed weights, named as in `calibration.personal.PersonalModel.weights`.
    """
    changed: dict[str, NDArray[np.float32]] = {}
    with one_thread():
        for number, member in enumerate(ensemble.members):
            assert isinstance(member, Mpcl)
            generator = torch.Generator().manual_seed(seed + number)
            found = _tune_member(ensemble, member, lesson, adapters, generator)
            changed |= {f"member{number}/{name}": value for name, value in found.items()}
    return changed


def encoder_matrices(member: Mpcl) -> tuple[str, ...]:
    """Return the names of the matrices that adapters are added to."""
    return tuple(
        name
        for name, _ in member.named_parameters()
        if name.endswith("encoder.project.weight")
        or (name.startswith("auxiliary_encoders.") and name.endswith(".project.weight"))
    )


def _tune_member(
    ensemble: Ensemble, member: Mpcl, lesson: Lesson, adapters: bool, generator: torch.Generator
) -> dict[str, NDArray[np.float32]]:
    weights = {name: value.detach() for name, value in member.named_parameters()}
    free = {
        name: weights[name].clone().requires_grad_()
        for name in weights
        if name == "head.weight" or name.startswith(("bank.", "behavioural_bank."))
    }
    low_rank = {}
    for name in encoder_matrices(member) if adapters else ():
        rows, columns = weights[name].shape
        down = torch.randn(RANK, columns, generator=generator) / columns**0.5
        low_rank[f"{name}/down"] = down.requires_grad_()
        low_rank[f"{name}/up"] = torch.zeros(rows, RANK, requires_grad=True)
    start = {name: value.detach().clone() for name, value in (free | low_rank).items()}
    own = ensemble.unpack(torch.from_numpy(lesson.table))
    target = torch.from_numpy(lesson.target).float()
    share = torch.from_numpy(lesson.weight).float()
    kept: tuple[dict[str, Tensor], dict[str, Tensor]] | None = None
    if adapters and lesson.replay is not None:
        kept = ensemble.unpack(torch.from_numpy(lesson.replay))
        with torch.no_grad():
            before = member(*kept).log_distribution.exp()
    optimiser = torch.optim.Adam([*free.values(), *low_rank.values()], lr=_RATE)
    for _ in range(_STEPS):
        merged = merge(weights, free | low_rank)
        guess = torch.func.functional_call(member, merged, own).log_distribution
        loss = (share * _divergence(target, guess)).sum()
        if kept is not None:
            again = torch.func.functional_call(member, merged, kept).log_distribution
            loss = loss + _divergence(before, again).mean()
        for name, value in (free | low_rank).items():
            loss = loss + _PULL * (value - start[name]).square().sum()
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    return {name: value.detach().numpy().copy() for name, value in (free | low_rank).items()}


def merge(weights: Mapping[str, Tensor], changed: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return a network's weights with the changed ones in place and low-rank products added."""
    merged = dict(weights)
    for name, value in changed.items():
        if name.endswith("/up"):
            base = name.removesuffix("/up")
            merged[base] = weights[base] + value @ changed[f"{base}/down"]
        elif not name.endswith("/down"):
            merged[name] = value
    return merged


def _divergence(target: Tensor, log_guess: Tensor) -> Tensor:
    """Return KL(target || guess) of each row, shape (N,)."""
    return (torch.xlogy(target, target) - target * log_guess).sum(dim=1)
