"""Hierarchical semantic compression: tokens to ever fewer slots, the last one an emotion each."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from model.hopfield import retrieve


class SelfAttention(nn.Module):
    """Multi-head self-attention with residual and layer normalisation, (N, S, d) to (N, S, d)."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.project = nn.Linear(width, 3 * width)
        self.output = nn.Linear(width, width)
        self.norm = nn.LayerNorm(width)

    def forward(self, tokens: Tensor) -> Tensor:
        """Mix tokens (N, S, d) with each other."""
        parts = self.project(tokens).unflatten(-1, (3, self.heads, -1))
        query, key, value = parts.permute(2, 0, 3, 1, 4)
        # Attention is retrieval. torch's fused kernel takes twice as long on heads this narrow.
        mixed, _ = retrieve(query, key, value, query.shape[-1] ** -0.5)
        mixed = self.output(mixed.transpose(1, 2).flatten(-2))
        return torch.as_tensor(self.norm(tokens + mixed))


class CompressionBlock(nn.Module):
    """Learned slots gather what they stand for, and then attend to each other.

    Parameters
    ----------
    slots : Tensor, shape (S, d)
        What the slots start as; copied.
    heads : int
    """

    def __init__(self, slots: Tensor, heads: int) -> None:
        super().__init__()
        self.slots = nn.Parameter(slots.detach().clone())
        self.attention = SelfAttention(slots.shape[1], heads)

    def forward(self, tokens: Tensor, present: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Compress tokens (N, L, d); `present` (N, L) is False for tokens that do not exist.

        Returns
        -------
        slots : Tensor, shape (N, S, d)
        weights : Tensor, shape (N, S, L)
            How strongly each slot drew on each token.
        """
        mask = None if present is None else present[:, None, :]
        beta = self.slots.shape[1] ** -0.5
        gathered, weights = retrieve(self.slots, tokens, tokens, beta, mask)
        return self.attention(gathered), weights
