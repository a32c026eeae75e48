"""EmotionDict: a window is a weighted sum over a learned, orthogonal dictionary of emotions.

Liu, Yang, Shu, Yan, Zhang and Liu (2024): Emotion dictionary learning with modality attentions for
mixed emotion exploration. IEEE Transactions on Affective Computing. Layers and sizes are those of
its Table 2.

What differs, or was left open:

- The paper has 5 bands of 18 electrodes, and pads every other modality to rows of 18. Here any
  modality of D features makes ceil(D / 18) tokens of 18, padded with zeros, the features dealt out
  in turn; for EEG stored electrode by electrode these are the paper's bands.
- Modalities that are missing are not attended to. The read-out is the last token, as in the
  authors' program (github.com/shinyfang/EmotionDict); missing or not, it asks the others.
- The auxiliary distance is KL(softmax h || softmax h_k), which the paper does not normalise; the
  authors' program leaves the softmax out and holds h fixed. A window counts in it for the
  modalities that it has.
- One task loss, KL(truth || prediction), and the paper's weights of 1. The authors' program has a
  second one, weighs the auxiliary ones with 0.1, and trains three times as long.
- Dropout is 0.1 on what each layer adds, none inside attention; the paper names none.
- Without a primary modality the first auxiliary loss is left out, as the paper does on EDL.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn.functional import pad

from model.objectives import task_loss
from model.systems.deep import DeepSystem, Inputs
from model.systems.layers import presence
from model.systems.stacked import StackedEncoderLayer, StackedLinear

TOKEN = 18
"""Features a token: the electrodes of the paper's cap."""
WIDTH = 24
HEADS = 4
HIDDEN = 32
LAYERS = 3
ELEMENTS = 32
"""Basic emotions in the dictionary."""
LATENT = 128
"""Length of each."""


class EmotionDict(DeepSystem):
    """EmotionDict on the published recipe: Adam at 1e-3, batches of 32, 100 epochs."""

    def build(self, sizes: Mapping[str, int], emotions: int, people: int) -> nn.Module:
        """Return an untrained network."""
        primary = [name for name in sizes if self.roles[name] == "primary"]
        return _Network(sizes, primary, emotions)

    def loss(self, network: nn.Module, inputs: Inputs, target: Tensor, weights: Tensor) -> Tensor:
        """Return the task loss plus both auxiliary ones."""
        output: Output = network(inputs)
        total = task_loss(output.logs, target, weights=weights)
        for latent, present in output.auxiliary:
            teacher = torch.log_softmax(output.latent, dim=-1)
            student = torch.log_softmax(latent, dim=-1)
            divergence = (teacher.exp() * (teacher - student)).sum(dim=-1)
            total = total + (weights * present * divergence).mean()
        return total


class Output(NamedTuple):
    """What the network makes of N windows.

    Attributes
    ----------
    logs : Tensor, shape (N, C)
        Logarithm of the distribution.
    latent : Tensor, shape (N, LATENT)
        h of all modalities together.
    auxiliary : tuple of (Tensor of shape (N, LATENT), Tensor of bool of shape (N,))
        h of the primary modality, and the sum of h over the others, each with the windows that
        have it; empty unless training.
    """

    logs: Tensor
    latent: Tensor
    auxiliary: tuple[tuple[Tensor, Tensor], ...]


def cut(values: Tensor) -> Tensor:
    """Deal (N, D) features out to tokens, shape (N, ceil(D / TOKEN), TOKEN), padded with zeros."""
    count = -(-values.shape[1] // TOKEN)
    filled = pad(values, (0, count * TOKEN - values.shape[1]))
    return filled.unflatten(1, (TOKEN, count)).transpose(1, 2)


class Dictionary(nn.Module):
    """Orthonormal basic emotions: the QR decomposition of a free matrix."""

    def __init__(self) -> None:
        super().__init__()
        self.free = nn.Parameter(torch.randn(LATENT, ELEMENTS))

    def elements(self) -> Tensor:
        """Return the basic emotions, shape (ELEMENTS, LATENT); rows are orthonormal."""
        return torch.linalg.qr(self.free).Q.T


class _Encoders(nn.Module):
    """Transformers over different tokens; each makes weights of the basic emotions.

    Parameters
    ----------
    counts : sequence of int
        Tokens of each. All are padded in front to the longest.
    """

    positions: Tensor
    real: Tensor

    def __init__(self, counts: Sequence[int]) -> None:
        super().__init__()
        stacks, longest = len(counts), max(counts)
        self.enter = StackedLinear(stacks, TOKEN, WIDTH)
        self.layers = nn.ModuleList(
            StackedEncoderLayer(stacks, WIDTH, HEADS, HIDDEN) for _ in range(LAYERS)
        )
        self.leave = StackedLinear(stacks, WIDTH, ELEMENTS)
        codes = [pad(sinusoids(count, WIDTH), (0, 0, longest - count, 0)) for count in counts]
        real = [torch.arange(longest) >= longest - count for count in counts]
        self.register_buffer("positions", torch.stack(codes)[:, None], persistent=False)
        self.register_buffer("real", torch.stack(real)[:, None], persistent=False)

    def forward(self, tokens: Sequence[Tensor], hidden: Tensor | None = None) -> Tensor:
        """Encode.

        Parameters
        ----------
        tokens : sequence of Tensor, shape (N, T, TOKEN)
            Of each Transformer.
        hidden : Tensor of bool, shape (N, T), optional
            True at tokens that are not attended to, if all Transformers have T tokens.

        Returns
        -------
        Tensor, shape (G, N, ELEMENTS)
        """
        longest = self.positions.shape[2]
        stacked = torch.stack([pad(one, (0, 0, longest - one.shape[1], 0)) for one in tokens])
        stacks, windows = stacked.shape[:2]
        entered = self.enter(stacked.flatten(1, 2)).view(stacks, windows, longest, WIDTH)
        values = entered * math.sqrt(WIDTH) + self.positions
        attended = self.real.expand(stacks, windows, longest)
        if hidden is not None:
            attended = attended & ~hidden
        for number, layer in enumerate(self.layers, start=1):
            values = layer(values, attended, last=number == LAYERS)
        result: Tensor = self.leave(values[:, :, -1])
        return result


def sinusoids(count: int, width: int) -> Tensor:
    """Return position codes, shape (count, width) (Vaswani et al. 2017, 3.5)."""
    rates = torch.exp(-math.log(10000.0) * torch.arange(0, width, 2) / width)
    angles = torch.arange(count)[:, None] * rates
    return torch.stack([angles.sin(), angles.cos()], dim=-1).flatten(1)


class _Network(nn.Module):
    def __init__(self, sizes: Mapping[str, int], primary: Sequence[str], emotions: int) -> None:
        super().__init__()
        self.primary = [name in primary for name in sizes]
        self.counts = [-(-size // TOKEN) for size in sizes.values()]
        self.joint = _Encoders([sum(self.counts)])
        self.single = _Encoders(self.counts)
        self.dictionary = Dictionary()
        self.first = _lbl(LATENT, LATENT)
        self.gate = nn.Sequential(_lbl(LATENT, 64), _lbl(64, LATENT), nn.Sigmoid())
        self.head = nn.Linear(LATENT, emotions)

    def forward(self, inputs: Inputs) -> Output:
        tokens = [cut(values) for values in inputs.features.values()]
        counts = torch.tensor(self.counts, device=inputs.person.device)
        hidden = ~presence(inputs.mask).repeat_interleave(counts, dim=1)
        elements = self.dictionary.elements()
        latent = self.joint([torch.cat(tokens, dim=1)], hidden)[0] @ elements
        first = self.first(latent)
        logs = torch.log_softmax(self.head(first * self.gate(first)), dim=-1)
        auxiliary = self._auxiliary(tokens, inputs.mask, elements) if self.training else ()
        return Output(logs, latent, auxiliary)

    def _auxiliary(
        self, tokens: Sequence[Tensor], mask: Mapping[str, Tensor], elements: Tensor
    ) -> tuple[tuple[Tensor, Tensor], ...]:
        weights, present = self.single(tokens), torch.stack(list(mask.values()))
        sides = []
        for side in (True, False):
            chosen = [number for number, one in enumerate(self.primary) if one is side]
            if chosen:
                summed = (weights[chosen] * present[chosen][..., None]).sum(dim=0)
                sides.append((summed @ elements, present[chosen].any(dim=0)))
        return tuple(sides)


def _lbl(inputs: int, outputs: int) -> nn.Sequential:
    return nn.Sequential(nn.Linear(inputs, outputs), nn.BatchNorm1d(outputs), nn.LeakyReLU())
