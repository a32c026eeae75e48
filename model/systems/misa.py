"""MISA: what modalities share, and what each has for itself, in separate spaces.

Hazarika, Zimmermann and Poria (2020): MISA: modality-invariant and -specific representations for
multimodal sentiment analysis. ACM Multimedia. Width, dropout and weights of the losses are those
published for its data set MOSI.

What differs:

- A window is one vector a modality, not a sequence: the recurrent networks in front are left out.
- The feed-forward of the Transformer is 256 wide; the paper names no width.
- The task loss is KL(truth || prediction), as in the comparisons of EmotionDict.
- Modalities that are missing are not attended to, count as 0 in the fused vector, and are left out
  of the other losses, which average over the pairs of modalities that a window has.
- 100 epochs of Adam at 1e-3; the paper stops early on validation data.
"""

from __future__ import annotations

from collections.abc import Mapping
from itertools import combinations
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn.functional import normalize

from model.objectives import task_loss
from model.systems.deep import DeepSystem, Inputs, Recipe
from model.systems.layers import presence
from model.systems.stacked import StackedLinear

WIDTH = 128
HEADS = 2
HIDDEN = 256
DROPOUT = 0.5
MOMENTS = 5
SIMILARITY = 1.0
DIFFERENCE = 0.3
RECONSTRUCTION = 1.0


class Misa(DeepSystem):
    """MISA, batches of 64."""

    recipe = Recipe(batch_size=64)

    def build(self, sizes: Mapping[str, int], emotions: int, people: int) -> nn.Module:
        """Return an untrained network."""
        return _Network(sizes, emotions)

    def loss(self, network: nn.Module, inputs: Inputs, target: Tensor, weights: Tensor) -> Tensor:
        """Return task loss, similarity, difference and reconstruction, weighted."""
        output: Output = network(inputs)
        present = list(inputs.mask.values())
        return (
            task_loss(output.logs, target, weights=weights)
            + SIMILARITY * similarity(output.shared, present)
            + DIFFERENCE * difference(output.shared, output.private, present)
            + RECONSTRUCTION * _reconstruction(output, torch.stack(present))
        )


class Output(NamedTuple):
    """What the network makes of N windows; M modalities in the order of the inputs.

    Attributes
    ----------
    logs : Tensor, shape (N, C)
        Logarithm of the distribution.
    entered : Tensor, shape (M, N, WIDTH)
        Each modality, brought to one width.
    shared, private : Tensor, shape (M, N, WIDTH)
        Parts of it that all modalities have, and that it has for itself.
    rebuilt : Tensor, shape (M, N, WIDTH)
        `entered`, out of their sum.
    """

    logs: Tensor
    entered: Tensor
    shared: Tensor
    private: Tensor
    rebuilt: Tensor


def central_moment_discrepancy(one: Tensor, other: Tensor) -> Tensor:
    """Return the distance of means and of central moments 2 to `MOMENTS`, scalar.

    Zellinger et al. 2017, for values between 0 and 1.

    Parameters
    ----------
    one, other : Tensor, shape (N, D)
    """
    means = one.mean(dim=0), other.mean(dim=0)
    distance = _length(means[0] - means[1])
    centred = one - means[0], other - means[1]
    powers = list(centred)
    for _ in range(2, MOMENTS + 1):
        powers = [power * side for power, side in zip(powers, centred, strict=True)]
        distance = distance + _length(powers[0].mean(dim=0) - powers[1].mean(dim=0))
    return distance


def overlap(one: Tensor, other: Tensor) -> Tensor:
    """Return the mean square of the products of two sets of features over windows, scalar.

    0 where they are orthogonal. Features are centred, and windows brought to length 1.

    Parameters
    ----------
    one, other : Tensor, shape (N, D)
    """
    sides = [normalize(side - side.mean(dim=0), dim=1) for side in (one, other)]
    return (sides[0].T @ sides[1]).square().mean()


def similarity(shared: Tensor, present: list[Tensor]) -> Tensor:
    """Return the mean discrepancy of the shared parts (M, N, D) over pairs of modalities."""
    values = [
        central_moment_discrepancy(shared[one][both], shared[other][both])
        for one, other in combinations(range(len(present)), 2)
        if (both := present[one] & present[other]).any()
    ]
    return torch.stack(values).mean() if values else shared.new_zeros(())


def difference(shared: Tensor, private: Tensor, present: list[Tensor]) -> Tensor:
    """Return the overlap of private parts (M, N, D) with the shared and with each other, summed."""
    total = shared.new_zeros(())
    for number, mask in enumerate(present):
        if mask.any():
            total = total + overlap(private[number][mask], shared[number][mask])
    for one, other in combinations(range(len(present)), 2):
        both = present[one] & present[other]
        if both.any():
            total = total + overlap(private[one][both], private[other][both])
    return total


def _reconstruction(output: Output, present: Tensor) -> Tensor:
    error = (output.rebuilt - output.entered).square().mean(dim=-1)
    return (error * present).sum() / present.sum().clamp(min=1)


def _length(values: Tensor) -> Tensor:
    # The root has no gradient at 0, where two modalities agree.
    return (values.square().sum() + 1e-12).sqrt()


class _Network(nn.Module):
    def __init__(self, sizes: Mapping[str, int], emotions: int) -> None:
        super().__init__()
        count = len(sizes)
        self.enter = nn.ModuleDict(
            {
                name: nn.Sequential(nn.Linear(size, WIDTH), nn.ReLU(), nn.LayerNorm(WIDTH))
                for name, size in sizes.items()
            }
        )
        self.private = StackedLinear(count, WIDTH, WIDTH)
        self.shared = nn.Linear(WIDTH, WIDTH)
        self.rebuild = StackedLinear(count, WIDTH, WIDTH)
        self.fuse = nn.TransformerEncoderLayer(WIDTH, HEADS, HIDDEN, batch_first=True)
        self.head = nn.Sequential(
            nn.Linear(2 * count * WIDTH, count * WIDTH),
            nn.Dropout(DROPOUT),
            nn.ReLU(),
            nn.Linear(count * WIDTH, emotions),
        )

    def forward(self, inputs: Inputs) -> Output:
        entered = torch.stack([enter(inputs.features[name]) for name, enter in self.enter.items()])
        private = self.private(entered).sigmoid()
        shared = self.shared(entered).sigmoid()
        rebuilt = self.rebuild(private + shared)
        present = presence(inputs.mask).repeat(1, 2)
        tokens = torch.cat([private, shared]).transpose(0, 1)
        fused = self.fuse(tokens, src_key_padding_mask=~present) * present[..., None]
        logs = torch.log_softmax(self.head(fused.flatten(1)), dim=-1)
        return Output(logs, entered, shared, private, rebuilt)
