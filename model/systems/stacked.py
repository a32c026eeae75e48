"""Layers of one shape that are computed together.

A window is so small that a call costs more than its sums: five Transformers of the same shape, one
after the other, take five times as long as all of them in one product of stacked matrices.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn.functional import dropout, layer_norm, relu, scaled_dot_product_attention


class StackedLinear(nn.Module):
    """G linear layers, each with its own weights.

    Takes values of shape (G, R, inputs), and returns (G, R, outputs).
    """

    def __init__(self, stacks: int, inputs: int, outputs: int) -> None:
        super().__init__()
        bound = 1 / math.sqrt(inputs)
        self.weight = nn.Parameter(torch.empty(stacks, inputs, outputs).uniform_(-bound, bound))
        self.bias = nn.Parameter(torch.empty(stacks, 1, outputs).uniform_(-bound, bound))

    def forward(self, values: Tensor) -> Tensor:
        """Return each stack times its weights."""
        return torch.baddbmm(self.bias, values, self.weight)


class StackedNorm(nn.Module):
    """G layer normalisations over the last axis, of values of shape (G, R, width)."""

    def __init__(self, stacks: int, width: int) -> None:
        super().__init__()
        self.scale = nn.Parameter(torch.ones(stacks, 1, width))
        self.shift = nn.Parameter(torch.zeros(stacks, 1, width))

    def forward(self, values: Tensor) -> Tensor:
        """Return each stack normalised, scaled and shifted."""
        return torch.addcmul(self.shift, layer_norm(values, values.shape[-1:]), self.scale)


class StackedEncoderLayer(nn.Module):
    """G Transformer encoder layers, normalised after each addition (Vaswani et al. 2017, 3.1).

    Parameters
    ----------
    stacks, width, heads, hidden : int
        Number of layers side by side; width of a token; heads; width inside the feed-forward.
    rate : float
        Dropout, of what is added. Attention itself has none: without, its kernel is many times
        as fast.
    """

    def __init__(self, stacks: int, width: int, heads: int, hidden: int, rate: float = 0.1) -> None:
        super().__init__()
        self.heads = heads
        self.rate = rate
        self.attend = StackedLinear(stacks, width, 3 * width)
        self.mix = StackedLinear(stacks, width, width)
        self.widen = StackedLinear(stacks, width, hidden)
        self.narrow = StackedLinear(stacks, hidden, width)
        self.first = StackedNorm(stacks, width)
        self.second = StackedNorm(stacks, width)

    def forward(self, tokens: Tensor, attended: Tensor, last: bool = False) -> Tensor:
        """Encode tokens.

        Parameters
        ----------
        tokens : Tensor, shape (G, N, T, width)
        attended : Tensor of bool, shape (G, N, T)
            Which tokens may be looked at; at least one a window.
        last : bool
            Compute the last token alone.

        Returns
        -------
        Tensor, shape (G, N, T, width), or (G, N, 1, width)
        """
        stacks, count, length, width = tokens.shape
        flat = tokens.flatten(1, 2)
        parts = self.attend(flat).view(stacks * count, length, 3, self.heads, -1)
        query, key, value = parts.permute(2, 0, 3, 1, 4)
        if last:
            query, flat = query[:, :, -1:], tokens[:, :, -1]
        mask = attended.reshape(stacks * count, 1, 1, length)
        found = scaled_dot_product_attention(query, key, value, attn_mask=mask)
        mixed = self.mix(found.transpose(1, 2).reshape(flat.shape))
        flat = self.first(flat + dropout(mixed, self.rate, self.training))
        wide = dropout(relu(self.widen(flat)), self.rate, self.training)
        flat = self.second(flat + dropout(self.narrow(wide), self.rate, self.training))
        return flat.view(stacks, count, -1, width)
