"""Training that the compared networks share: seeded, on one thread, on a published recipe.

A compared network is one short module here: its layers, its loss, its source, and a list of what
differs from the source. What all of them do alike stands in this one.
"""

from __future__ import annotations

import dataclasses
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from model.batch import Batch, Labels
from model.device import one_thread, resolve_device
from model.systems.base import check_labels, complete
from model.targets import mean_distribution, mean_intensity, person_weights, shape_labels


@dataclass(frozen=True, slots=True)
class Recipe:
    """How a compared network is trained.

    Attributes
    ----------
    epochs, batch_size : int
    learning_rate, weight_decay : float
        Of Adam, the decay decoupled.
    noise : float
        Standard deviation of Gaussian noise on the normalised features.
    centring : float
        As in `MpclSettings`: how much of what distinguishes people is taken out of the labels.
    equal_people : bool
        Each person weighs the same, instead of each window.
    prior : bool
        Shares are learned relative to the training mean, near which an untrained network then
        predicts; without it, it predicts near equal shares.
    """

    epochs: int = 100
    batch_size: int = 32
    learning_rate: float = 1e-3
    weight_decay: float = 0.0
    noise: float = 0.0
    centring: float = 0.0
    equal_people: bool = False
    prior: bool = False

    def for_strangers(self) -> Recipe:
        """Return the recipe for a handful of training people and a tested stranger.

        What the preset ``small`` of MPCL does to data and labels, its start from the training
        mean, and about as many steps: the published number of epochs learns the training people
        by heart, and takes hours. Rates and layers stay as published.
        """
        return dataclasses.replace(
            self,
            epochs=8,
            batch_size=128,
            noise=1.0,
            centring=1.0,
            equal_people=True,
            prior=True,
        )


class Inputs(NamedTuple):
    """N windows on the device.

    Attributes
    ----------
    features : dict of str to Tensor of float32, shape (N, D)
        Normalised; 0 where masked.
    mask : dict of str to Tensor of bool, shape (N,)
    person : Tensor of int64, shape (N,)
        Number of the training person; 0 for everybody when predicting.
    """

    features: dict[str, Tensor]
    mask: dict[str, Tensor]
    person: Tensor


class DeepSystem(ABC):
    """A network behind the two calls that all systems share.

    The network takes `Inputs` and returns the logarithm of the distribution, shape (N, C), or a
    named tuple whose first entry that is.

    Parameters
    ----------
    roles : mapping of str to str
        Role of each modality (`realtime.rig.ROLES`).
    preset : str
        ``small`` takes the recipe for strangers, every other one the published recipe.
    seed : int
    device : str
        ``auto``, ``cpu`` or ``cuda``.
    """

    recipe: ClassVar[Recipe] = Recipe()
    """The published recipe."""

    starts_from_mean: ClassVar[bool] = True
    """Whether `Recipe.prior` can be kept: the loss looks at the network's first output."""

    def __init__(
        self, roles: Mapping[str, str], preset: str = "small", seed: int = 0, device: str = "cpu"
    ) -> None:
        self.roles = dict(roles)
        self.seed = seed
        self.device = device
        self.chosen = self.recipe.for_strangers() if preset == "small" else self.recipe
        self.network: nn.Module | None = None

    @abstractmethod
    def build(self, sizes: Mapping[str, int], emotions: int, people: int) -> nn.Module:
        """Return an untrained network.

        Parameters
        ----------
        sizes : mapping of str to int
            Number of features of each modality.
        emotions : int
        people : int
            How many people are trained on.
        """

    @abstractmethod
    def loss(self, network: nn.Module, inputs: Inputs, target: Tensor, weights: Tensor) -> Tensor:
        """Return the loss of a training batch.

        Parameters
        ----------
        network : Module
            What `build` made, in training mode.
        inputs : Inputs
        target : Tensor, shape (N, C)
            True distributions.
        weights : Tensor, shape (N,)
            Of the windows; mean 1 over all.
        """

    def fit(self, batch: Batch, labels: Labels, groups: NDArray[np.str_]) -> None:
        """Train on the completely rated of N windows of the people in `groups` (N,)."""
        check_labels(labels)
        rows = complete(labels)
        batch, labels, groups = batch[rows], labels[rows], groups[rows]
        recipe, device = self.chosen, resolve_device(self.device)
        weights = person_weights(groups) if recipe.equal_people else np.ones(len(groups))
        mean = mean_distribution(labels, weights)
        shaped = shape_labels(
            labels, groups, mean, mean_intensity(labels, weights), recipe.centring, smoothing=0.0
        )
        people, numbers = np.unique(groups, return_inverse=True)
        cuda = [torch.cuda.current_device()] if device.type == "cuda" else []
        with one_thread(), torch.random.fork_rng(cuda):
            torch.manual_seed(self.seed)
            network = self.build(batch.sizes, labels.distribution.shape[1], len(people))
            network.to(device)
            if recipe.prior and self.starts_from_mean:
                _learn_relative_to(network, mean)
            # Fused: these networks are many small tensors, and most of a step would be overhead.
            optimiser = torch.optim.AdamW(
                network.parameters(),
                lr=recipe.learning_rate,
                weight_decay=recipe.weight_decay,
                fused=True,
            )
            inputs = _inputs(batch, numbers, device)
            target = torch.from_numpy(shaped.distribution.astype(np.float32)).to(device)
            weight = torch.from_numpy(weights.astype(np.float32)).to(device)
            draw = np.random.default_rng(self.seed)
            network.train()
            for _ in range(recipe.epochs):
                for part in _parts(draw.permutation(len(batch)), recipe.batch_size):
                    chosen = torch.from_numpy(part).to(device)
                    piece = _noisy(_at(inputs, chosen), recipe.noise)
                    value = self.loss(network, piece, target[chosen], weight[chosen])
                    optimiser.zero_grad(set_to_none=True)
                    value.backward()  # type: ignore[no-untyped-call]
                    optimiser.step()
            self.network = network.eval()

    def predict(self, batch: Batch) -> NDArray[np.float64]:
        """Return distributions, shape (N, C)."""
        if self.network is None:
            raise RuntimeError("predict was called before fit")
        device = next(self.network.parameters()).device
        inputs = _inputs(batch, np.zeros(len(batch), dtype=np.int64), device)
        shares = []
        with one_thread(), torch.inference_mode():
            for start in range(0, len(batch), 512):
                rows = torch.arange(start, min(start + 512, len(batch)), device=device)
                output = self.network(_at(inputs, rows))
                logs = output if isinstance(output, Tensor) else output[0]
                shares.append(torch.softmax(logs.double(), dim=-1).cpu().numpy())
        return np.concatenate(shares)


def _learn_relative_to(network: nn.Module, mean: NDArray[np.float64]) -> None:
    """Make a network's output, from now on, its own times `mean` (C,), renormalised."""
    prior = torch.from_numpy(np.log(np.maximum(mean, 1e-6)).astype(np.float32))

    def shifted(module: nn.Module, given: object, output: Any) -> Any:
        logs = output if isinstance(output, Tensor) else output[0]
        moved = torch.log_softmax(logs + prior.to(logs.device), dim=-1)
        return moved if isinstance(output, Tensor) else type(output)(moved, *output[1:])

    network.register_forward_hook(shifted)


def _inputs(batch: Batch, numbers: NDArray[np.integer], device: torch.device) -> Inputs:
    features, mask = {}, {}
    for name, values in batch.features.items():
        present = batch.mask[name]
        clean = np.where(present[:, None], values, np.float32(0))
        features[name] = torch.from_numpy(clean).to(device)
        mask[name] = torch.from_numpy(present).to(device)
    return Inputs(features, mask, torch.from_numpy(numbers.astype(np.int64)).to(device))


def _at(inputs: Inputs, rows: Tensor) -> Inputs:
    return Inputs(
        {name: values[rows] for name, values in inputs.features.items()},
        {name: values[rows] for name, values in inputs.mask.items()},
        inputs.person[rows],
    )


def _noisy(inputs: Inputs, noise: float) -> Inputs:
    if not noise:
        return inputs
    features = {
        name: values + noise * torch.randn_like(values) * inputs.mask[name][:, None]
        for name, values in inputs.features.items()
    }
    return inputs._replace(features=features)


def _parts(order: NDArray[np.intp], size: int) -> list[NDArray[np.intp]]:
    """Cut into batches; a last one of a single window, which cannot be normalised, is left out."""
    parts = [order[start : start + size] for start in range(0, len(order), size)]
    return parts[:-1] if len(parts) > 1 and len(parts[-1]) == 1 else parts
