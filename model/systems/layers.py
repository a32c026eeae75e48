"""Layers that several of the compared networks use."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from model.systems.deep import Inputs


class _Reversal(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, values: Tensor, strength: float) -> Tensor:
        ctx.strength = strength
        return values.view_as(values)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None]:  # type: ignore[override]
        return -ctx.strength * gradient, None


def reverse_gradient(values: Tensor, strength: float = 1.0) -> Tensor:
    """Return the values as they are; gradients come back with their sign turned.

    Ganin and Lempitsky 2015, Unsupervised domain adaptation by backpropagation.
    """
    result: Tensor = _Reversal.apply(values, strength)  # type: ignore[no-untyped-call]
    return result


def presence(mask: Mapping[str, Tensor]) -> Tensor:
    """Return which modalities a network attends to, bool, shape (N, M), in the mask's order.

    A window without any counts as having all: features of 0 then stand for "nothing is known",
    and attention has something to divide by.
    """
    present = torch.stack(list(mask.values()), dim=1)
    return present | ~present.any(dim=1, keepdim=True)


class ConcatenationNetwork(nn.Module):
    """All features side by side, two layers of 256 parametric rectified units, log-softmax.

    Half of the units of each hidden layer are dropped in training. A missing modality is 0.

    Parameters
    ----------
    size, emotions : int
        Number of features of all modalities, and C.
    """

    def __init__(self, size: int, emotions: int) -> None:
        super().__init__()
        self.stack = nn.Sequential(
            *(nn.Linear(size, 256), nn.PReLU(256), nn.Dropout(0.5)),
            *(nn.Linear(256, 256), nn.PReLU(256), nn.Dropout(0.5)),
            nn.Linear(256, emotions),
        )

    def forward(self, inputs: Inputs) -> Tensor:
        """Return the logarithm of the distribution, shape (N, C)."""
        features = torch.cat(list(inputs.features.values()), dim=-1)
        return torch.log_softmax(self.stack(features), dim=-1)


class ModalityLinear(nn.Module):
    """One linear layer a modality, all computed at once.

    Parameters
    ----------
    modalities : int
        M.
    before, after : int
        Width of what comes in and of what goes out.
    """

    def __init__(self, modalities: int, before: int, after: int) -> None:
        super().__init__()
        bound = before**-0.5
        self.weight = nn.Parameter(torch.empty(modalities, before, after).uniform_(-bound, bound))
        self.bias = nn.Parameter(torch.empty(modalities, 1, after).uniform_(-bound, bound))

    def forward(self, values: Tensor) -> Tensor:
        """Map values (M, ..., before) to (M, ..., after)."""
        flat = torch.baddbmm(self.bias, values.flatten(1, -2), self.weight)
        return flat.unflatten(1, values.shape[1:-1])


class ModalityTransformers(nn.Module):
    """A feature vector to T tokens and a Transformer over them, one of each a modality.

    All modalities are computed at once: on windows this small most of the time of separate
    Transformers goes into starting operations. Normalisation comes after each residual, as in the
    Transformer's first form (Vaswani et al. 2017), and has no scale of its own.

    Parameters
    ----------
    sizes : mapping of str to int
        Number of features of each of M modalities.
    tokens, width, layers, heads : int
    dropout : float
    """

    def __init__(
        self,
        sizes: Mapping[str, int],
        tokens: int,
        width: int,
        layers: int,
        heads: int,
        dropout: float,
    ) -> None:
        super().__init__()
        self.shape = (tokens, width)
        self.project = nn.ModuleList(nn.Linear(size, tokens * width) for size in sizes.values())
        self.position = nn.Parameter(torch.randn(len(sizes), 1, tokens, width) * 0.02)
        self.missing = nn.Parameter(torch.randn(len(sizes), 1, tokens, width) * 0.02)
        self.layers = nn.ModuleList(
            _ModalityLayer(len(sizes), width, heads, dropout) for _ in range(layers)
        )

    def forward(self, features: Mapping[str, Tensor], present: Tensor) -> Tensor:
        """Return tokens (M, N, T, d); where `present` (M, N) is False, they know no feature."""
        found = torch.stack(
            [part(values) for part, values in zip(self.project, features.values(), strict=True)]
        )
        tokens = normalised(found.unflatten(-1, self.shape))
        tokens = torch.where(present[:, :, None, None], tokens, self.missing) + self.position
        for layer in self.layers:
            tokens = layer(tokens)
        return tokens


class _ModalityLayer(nn.Module):
    def __init__(self, modalities: int, width: int, heads: int, dropout: float) -> None:
        super().__init__()
        self.heads = heads
        self.split = ModalityLinear(modalities, width, 3 * width)
        self.merge = ModalityLinear(modalities, width, width)
        self.widen = ModalityLinear(modalities, width, 2 * width)
        self.narrow = ModalityLinear(modalities, 2 * width, width)
        self.dropout = nn.Dropout(dropout)

    def forward(self, tokens: Tensor) -> Tensor:
        parts = self.split(tokens).unflatten(-1, (3, self.heads, -1))
        query, key, value = parts.permute(3, 0, 1, 4, 2, 5).flatten(1, 2)
        read = nn.functional.scaled_dot_product_attention(query, key, value)
        read = read.transpose(1, 2).reshape(tokens.shape)
        tokens = normalised(tokens + self.dropout(self.merge(read)))
        changed = self.narrow(nn.functional.gelu(self.widen(tokens)))
        return normalised(tokens + self.dropout(changed))


def normalised(values: Tensor) -> Tensor:
    """Return values (..., d) with mean 0 and variance 1 over the last axis."""
    return nn.functional.layer_norm(values, values.shape[-1:])
