"""From a modality's feature vector to tokens, and the multi-scale fusion of two modalities."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from model.hopfield import retrieve


class TokenEncoder(nn.Module):
    """Feature vector (N, D) to tokens (N, T, d), with learned tokens for what is missing.

    Parameters
    ----------
    size : int
        Number of features D.
    tokens, width : int
        T and d.
    dropout : float
    """

    def __init__(self, size: int, tokens: int, width: int, dropout: float) -> None:
        super().__init__()
        self.shape = (tokens, width)
        self.project = nn.Linear(size, tokens * width)
        self.norm = nn.LayerNorm(width)
        self.position = nn.Parameter(torch.randn(tokens, width) * 0.02)
        self.missing = nn.Parameter(torch.randn(tokens, width) * 0.02)
        self.dropout = nn.Dropout(dropout)

    def forward(self, features: Tensor, present: Tensor) -> Tensor:
        """Encode features (N, D); rows where `present` (N,) is False give the null tokens."""
        tokens = nn.functional.gelu(self.project(features).unflatten(-1, self.shape))
        tokens = self.norm(tokens)
        tokens = torch.where(present[:, None, None], tokens, self.missing)
        return torch.as_tensor(self.dropout(tokens + self.position))


class MultiScaleFusion(nn.Module):
    """Associate the primary modality's tokens with one auxiliary modality's, at several scales.

    Parameters
    ----------
    width : int
        Token width d.
    scales : tuple of float
        Inverse temperatures in units of 1/sqrt(d).
    """

    def __init__(self, width: int, scales: tuple[float, ...]) -> None:
        super().__init__()
        self.query = nn.Linear(width, width, bias=False)
        self.key = nn.Linear(width, width, bias=False)
        self.value = nn.Linear(width, width, bias=False)
        self.output = nn.Linear(len(scales) * width, width)
        self.norm = nn.LayerNorm(width)
        self.betas: Tensor
        betas = torch.tensor(scales).reshape(-1, 1, 1) * width**-0.5
        self.register_buffer("betas", betas, persistent=False)

    def forward(self, primary: Tensor, auxiliary: Tensor, present: Tensor) -> Tensor:
        """Fuse (N, T, d) with (N, T, d); where `present` (N,) is False, the primary alone."""
        # One product of queries and keys serves all scales: (N, 1, T, T) times (S, 1, 1).
        retrieved, _ = retrieve(
            self.query(primary)[:, None],
            self.key(auxiliary)[:, None],
            self.value(auxiliary)[:, None],
            self.betas,
        )
        joined = retrieved.transpose(1, 2).flatten(-2)
        gained = torch.where(present[:, None, None], self.output(joined), 0.0)
        return torch.as_tensor(self.norm(primary + gained))
