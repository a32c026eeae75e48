"""A bank of emotion prototypes: addresses to find them by, contents to rebuild tokens from."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from model.hopfield import retrieve


class PrototypeBank(nn.Module):
    """K prototypes that tokens address by content.

    Parameters
    ----------
    prototypes : int
        K.
    width : int
        Token width d.
    beta : float
        Inverse temperature of addressing.
    """

    def __init__(self, prototypes: int, width: int, beta: float) -> None:
        super().__init__()
        self.beta = beta
        self.addresses = nn.Parameter(torch.randn(prototypes, width))
        self.contents = nn.Parameter(torch.randn(prototypes, width))

    def forward(self, tokens: Tensor) -> tuple[Tensor, Tensor]:
        """Rebuild tokens (..., T, d) from prototypes.

        Returns
        -------
        rebuilt : Tensor, shape (..., T, d)
        weights : Tensor, shape (..., T, K)
            How strongly each token addresses each prototype.
        """
        return retrieve(tokens, self.addresses, self.contents, self.beta)

    def relations(self, temperature: float) -> Tensor:
        """Return softmax(C C^T / temperature) of the unit-length contents C, shape (K, K)."""
        unit = nn.functional.normalize(self.contents, dim=-1)
        return torch.softmax(unit @ unit.transpose(0, 1) / temperature, dim=-1)
