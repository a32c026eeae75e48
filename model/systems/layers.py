"""Layers that several of the compared networks use."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor


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
