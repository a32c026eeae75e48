"""Training of one network, an epoch at a time, from and to a state that can be put on disk."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from model.batch import Batch, Labels
from model.ensemble import Ensemble
from model.mpcl import Mpcl
from model.objectives import task_loss, total_loss
from model.settings import MpclSettings
from model.targets import mean_distribution, mean_intensity, person_weights, shape_labels
from model.training_state import TrainingState

LOSSES = ("task", "prd", "pcl", "intensity", "total")
"""Names of the losses in a training's history, `model.objectives.Losses`."""


def fit_member(
    settings: MpclSettings,
    batch: Batch,
    labels: Labels,
    groups: NDArray[np.str_],
    roles: Mapping[str, str],
    held: NDArray[np.bool_],
    state: TrainingState,
    seed: int,
    device: torch.device,
    advance: Callable[[Mapping[str, Any]], None],
) -> None:
    """Train the network number `state.member` to its end, and move `state` to the next one.

    Parameters
    ----------
    settings, batch, labels, groups, roles, seed
        As in `model.training.train`.
    held : ndarray of bool, shape (N,)
        True for the windows of held-out people.
    state : TrainingState
        Changed in place.
    device : torch.device
    advance : callable
        Called after each epoch, when `state` is complete, with the epoch's losses.
    """
    weights = np.ones(len(groups))
    if settings.equal_people:
        for part in (held, ~held):
            if part.any():
                weights[part] = person_weights(groups[part])
    mean = mean_distribution(labels[~held], weights[~held])
    strength = mean_intensity(labels[~held], weights[~held])
    shaped = shape_labels(labels, groups, mean, strength, settings.centring, settings.smoothing)

    # Initial weights and every epoch's randomness are seeded by their place alone, so that a
    # training goes on from a file just as it would have without the interruption.
    with torch.random.fork_rng(_cuda_devices(device)):
        torch.manual_seed(_seed(seed, state.member, 0))
        network = Mpcl(settings, batch.sizes, roles, labels.distribution.shape[1])
        if settings.prior:
            network.start_from(torch.from_numpy(mean), strength)
        network.to(device)
        view = Ensemble([network])
        optimiser = torch.optim.AdamW(
            network.parameters(),
            lr=settings.learning_rate,
            weight_decay=settings.weight_decay,
            fused=True,
        )
        if state.epoch:
            network.load_state_dict(state.current)
            _restore(optimiser, state.optimiser)

        table = torch.from_numpy(view.pack(batch)).to(device)
        truth = _Truth(shaped, weights, device)
        while not _finished(settings, state):
            place = _seed(seed, state.member, state.epoch + 1)
            torch.manual_seed(place)
            order = np.random.default_rng(place).permutation(np.flatnonzero(~held))
            losses = _epoch(settings, network, view, optimiser, table, truth, order)
            held_out = _evaluate(view, table, truth, np.flatnonzero(held)) if held.any() else None
            entry = {"member": state.member, "epoch": state.epoch + 1, **losses}
            _record(settings, state, network, optimiser, {**entry, "held_out": held_out})
            advance(state.history[-1])
    best = state.kept if settings.patience and state.kept else state.current
    state.finished.append({name: tensor.detach().cpu() for name, tensor in best.items()})
    state.member += 1
    state.epoch, state.stale, state.best = 0, 0, None
    state.current, state.kept, state.optimiser = {}, {}, {}


class _Truth:
    """Labels on the device."""

    def __init__(self, labels: Labels, weights: NDArray[np.float64], device: torch.device) -> None:
        def move(values: NDArray[np.float64]) -> Tensor:
            return torch.from_numpy(values.astype(np.float32)).to(device)

        self.distribution = move(labels.distribution)
        self.intensity = move(labels.intensity)
        self.weights = move(weights)
        self.items = None if labels.items is None else torch.from_numpy(labels.items).to(device)

    def at(self, rows: Tensor) -> tuple[Tensor, Tensor, Tensor | None, Tensor]:
        """Return distribution, intensity, items and weights of `rows`."""
        items = None if self.items is None else self.items[rows]
        return self.distribution[rows], self.intensity[rows], items, self.weights[rows]


def _epoch(
    settings: MpclSettings,
    network: Mpcl,
    view: Ensemble,
    optimiser: torch.optim.Optimizer,
    table: Tensor,
    truth: _Truth,
    order: NDArray[np.intp],
) -> dict[str, float]:
    """Take one pass over the training windows, and return the mean losses."""
    network.train()
    sums = torch.zeros(len(LOSSES), device=table.device)
    for start in range(0, len(order), settings.batch_size):
        rows = torch.from_numpy(order[start : start + settings.batch_size]).to(table.device)
        output = network(*view.unpack(table[rows]))
        losses = total_loss(network, output, *truth.at(rows))
        optimiser.zero_grad(set_to_none=True)
        losses.total.backward()  # type: ignore[no-untyped-call]
        optimiser.step()
        sums += len(rows) * torch.stack([getattr(losses, name) for name in LOSSES]).detach()
    network.eval()
    return dict(zip(LOSSES, (sums / len(order)).tolist(), strict=True))


def _evaluate(view: Ensemble, table: Tensor, truth: _Truth, rows: NDArray[np.intp]) -> float:
    """Return the weighted mean KL of held-out windows."""
    total = 0.0
    with torch.inference_mode():
        for start in range(0, len(rows), 256):
            part = torch.from_numpy(rows[start : start + 256]).to(table.device)
            target, _, items, weights = truth.at(part)
            logs = torch.log(view(table[part])[:, :-1])
            total += task_loss(logs, target, items, weights).item() * len(part)
    return total / len(rows)


def _record(
    settings: MpclSettings,
    state: TrainingState,
    network: Mpcl,
    optimiser: torch.optim.Optimizer,
    entry: dict[str, Any],
) -> None:
    """Bring the state up to the end of an epoch."""
    state.epoch += 1
    state.history.append(entry)
    state.current = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    held_out = entry["held_out"]
    if held_out is not None and settings.patience:
        if state.best is None or held_out < state.best:
            state.best, state.stale, state.kept = held_out, 0, state.current
        else:
            state.stale += 1
    moments = optimiser.state_dict()["state"]
    state.optimiser = {
        f"{index}/{name}": tensor.clone()
        for index, entries in moments.items()
        for name, tensor in entries.items()
    }


def _restore(optimiser: torch.optim.Optimizer, tensors: Mapping[str, Tensor]) -> None:
    """Give a fresh optimiser the moments of an earlier one."""
    moments: dict[int, dict[str, Tensor]] = {}
    for key, tensor in tensors.items():
        index, _, name = key.partition("/")
        moments.setdefault(int(index), {})[name] = tensor
    groups = optimiser.state_dict()["param_groups"]
    optimiser.load_state_dict({"state": moments, "param_groups": groups})


def _finished(settings: MpclSettings, state: TrainingState) -> bool:
    stopped = settings.patience and state.stale >= settings.patience
    return bool(stopped) or state.epoch >= settings.epochs


def _seed(*place: int) -> int:
    return int(np.random.SeedSequence(place).generate_state(1)[0])


def _cuda_devices(device: torch.device) -> list[int]:
    return [torch.cuda.current_device()] if device.type == "cuda" else []
