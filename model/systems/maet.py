"""MAET: a Transformer over modalities that may be missing, which is not to know whose they are.

Jiang, Liu, Zheng and Lu (2023): Multimodal adaptive emotion transformer with flexible modality
inputs on a novel dataset with continuous labels. ACM Multimedia; the authors' program is at
github.com/935963004/MAET. Sizes, schedules of the reversed gradient and of the smoothing of
people's labels are from there.

What differs:

- Any number of modalities instead of EEG and eye movements.
- Modalities that are missing are not attended to and have no part in the fusion. The authors' heads
  of single modalities are left out: fusion of one modality is that modality.
- The person is told from the fused token. The authors take the class token of EEG, which is not
  always there. With one training person nothing is told.
- The task loss is KL(truth || prediction).
- The authors' program names no batch size, rate or number of epochs: batches of 64, the rest ours.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn.functional import cross_entropy, scaled_dot_product_attention

from model.batch import Batch, Labels
from model.objectives import task_loss
from model.systems.base import complete
from model.systems.deep import DeepSystem, Inputs, Recipe
from model.systems.layers import presence, reverse_gradient
from model.systems.stacked import StackedLinear, StackedNorm

WIDTH = 32
TOKENS = 5
"""Tokens a modality; the class token comes on top."""
HEADS = 4
HIDDEN = 128
BLOCKS = 3
SEPARATE = 2
"""Blocks whose feed-forward is each modality's own; in the others it is common."""
SCALE = 0.1
"""What the part that a block adds is first multiplied with (Touvron et al. 2021)."""
SPREAD = 0.02
"""Standard deviation of the first weights."""


class Maet(DeepSystem):
    """MAET, batches of 64."""

    recipe = Recipe(batch_size=64)
    _seen, _total = 0, 1

    def fit(self, batch: Batch, labels: Labels, groups: NDArray[np.str_]) -> None:
        """Train; see `DeepSystem`."""
        self._seen, self._total = 0, int(complete(labels).sum()) * self.chosen.epochs
        super().fit(batch, labels, groups)

    def build(self, sizes: Mapping[str, int], emotions: int, people: int) -> nn.Module:
        """Return an untrained network."""
        return _Network(sizes, emotions, people)

    def loss(self, network: nn.Module, inputs: Inputs, target: Tensor, weights: Tensor) -> Tensor:
        """Return the task loss plus that of telling the person, whose gradient is reversed."""
        progress = self._seen / self._total
        self._seen += len(target)
        output: Output = network(inputs)
        total = task_loss(output.logs, target, weights=weights)
        people = int(network.people)  # type: ignore[arg-type]
        if people > 1:
            told = network.tell(reverse_gradient(output.fused, reversal(progress)))  # type: ignore[operator]
            smoothing = (people - 1) / people * progress
            each = cross_entropy(told, inputs.person, reduction="none", label_smoothing=smoothing)
            total = total + (weights * each).mean()
        return total


def reversal(progress: float) -> float:
    """Return the strength of the reversed gradient, from 0 at the start to nearly 1 at the end.

    Ganin and Lempitsky 2015.
    """
    return 2 / (1 + math.exp(-10 * progress)) - 1


class Output(NamedTuple):
    """What the network makes of N windows: logarithm of the distribution, and the fused token."""

    logs: Tensor
    fused: Tensor


class _Views(nn.Module):
    """One modality's tokens: one linear map of it, gated in `TOKENS` ways."""

    def __init__(self, size: int) -> None:
        super().__init__()
        self.value = nn.Linear(size, WIDTH)
        self.gate = nn.Linear(size, WIDTH * TOKENS)
        self.norm = nn.BatchNorm1d(WIDTH)

    def forward(self, values: Tensor, present: Tensor) -> Tensor:
        """Return tokens, shape (N, TOKENS, WIDTH); 0 where the modality is missing."""
        # Only what is there may shift the means of the batch normalisation.
        values = values[present]
        gates = self.gate(values).sigmoid().view(-1, TOKENS, WIDTH)
        tokens = self.value(values)[:, None] * gates
        if len(values):
            tokens = self.norm(tokens.transpose(1, 2)).transpose(1, 2)
        whole = tokens.new_zeros(len(present), TOKENS, WIDTH)
        whole[present] = tokens
        return whole


class _Block(nn.Module):
    """Attention among all tokens, then a feed-forward for each modality or for all of them."""

    def __init__(self, stacks: int) -> None:
        super().__init__()
        self.stacks = stacks
        self.norm = nn.LayerNorm(WIDTH)
        self.attend = nn.Linear(WIDTH, 3 * WIDTH)
        self.mix = nn.Linear(WIDTH, WIDTH)
        self.feed = nn.Sequential(
            StackedNorm(stacks, WIDTH),
            StackedLinear(stacks, WIDTH, HIDDEN),
            nn.GELU(),
            StackedLinear(stacks, HIDDEN, WIDTH),
        )
        self.scales = nn.Parameter(torch.full((2, WIDTH), SCALE))

    def forward(self, tokens: Tensor, attended: Tensor) -> Tensor:
        """Return tokens (N, M, T, WIDTH); `attended`, shape (N, 1, 1, M T), may be looked at."""
        count, modalities, length, _ = tokens.shape
        flat = tokens.flatten(1, 2)
        parts = self.attend(self.norm(flat)).unflatten(2, (3, HEADS, -1))
        query, key, value = parts.permute(2, 0, 3, 1, 4)
        found = scaled_dot_product_attention(query, key, value, attn_mask=attended)
        flat = flat + self.scales[0] * self.mix(found.transpose(1, 2).flatten(2))
        rows = flat.view(count, self.stacks, -1, WIDTH).transpose(0, 1)
        fed = self.feed(rows.flatten(1, 2)).view(rows.shape)
        result: Tensor = (rows + self.scales[1] * fed).transpose(0, 1)
        return result.reshape(count, modalities, length, WIDTH)


class _Network(nn.Module):
    def __init__(self, sizes: Mapping[str, int], emotions: int, people: int) -> None:
        super().__init__()
        self.people = people
        modalities = len(sizes)
        self.views = nn.ModuleDict({name: _Views(size) for name, size in sizes.items()})
        self.first = nn.Parameter(torch.zeros(modalities, 1, WIDTH))
        self.positions = nn.Parameter(torch.zeros(modalities, 1 + TOKENS, WIDTH))
        self.kinds = nn.Parameter(torch.zeros(modalities, 1, WIDTH))
        self.blocks = nn.ModuleList(
            _Block(modalities if number < SEPARATE else 1) for number in range(BLOCKS)
        )
        self.norm = nn.LayerNorm(WIDTH)
        self.head = nn.Linear(WIDTH, emotions)
        self.tell = nn.Sequential(
            nn.Linear(WIDTH, WIDTH), nn.GELU(), nn.Linear(WIDTH, max(people, 1))
        )
        for layer in self.modules():
            if isinstance(layer, nn.Linear | StackedLinear):
                nn.init.trunc_normal_(layer.weight, std=SPREAD)
                nn.init.zeros_(layer.bias)
        for learned in (self.first, self.positions, self.kinds):
            nn.init.trunc_normal_(learned, std=SPREAD)
        self.weigh = nn.Parameter(torch.randn(WIDTH))

    def forward(self, inputs: Inputs) -> Output:
        present = presence(inputs.mask)
        count = len(present)
        views = [
            view(inputs.features[name], present[:, number])
            for number, (name, view) in enumerate(self.views.items())
        ]
        first = self.first.expand(count, -1, -1, -1)
        tokens = torch.cat([first, torch.stack(views, dim=1)], dim=2)
        tokens = tokens + self.positions + self.kinds
        attended = present.repeat_interleave(1 + TOKENS, dim=1)[:, None, None]
        for block in self.blocks:
            tokens = block(tokens, attended)
        classes = self.norm(tokens[:, :, 0])
        scores = (classes @ self.weigh).masked_fill(~present, -torch.inf)
        fused = (torch.softmax(scores, dim=1)[..., None] * classes).sum(dim=1)
        return Output(torch.log_softmax(self.head(fused), dim=-1), fused)
