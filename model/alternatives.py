"""What stands in for modules of MPCL in its ablations: standard designs, or nothing.

None of these is part of MPCL. They take and give what the modules they replace do, so that the
rest of the network stays as it is, and they are of torch's own layers wherever torch has them.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

_FEED_FORWARD = 2
"""Width of a Transformer layer's feed-forward part, in token widths. With it a fusion has 8 d^2
weights, and multi-scale fusion at three scales 6 d^2; four widths, as is usual, would give 12."""


class CrossAttentionFusion(nn.Module):
    """A Transformer's cross-attention block in place of `model.encoders.MultiScaleFusion`.

    The primary modality's tokens are the queries, the auxiliary's are keys and values: multi-head
    attention, then feed-forward, each with residual and layer normalisation.

    Parameters
    ----------
    width : int
        Token width d.
    heads : int
    """

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.attention = nn.MultiheadAttention(width, heads, batch_first=True)
        self.norm = nn.LayerNorm(width)
        self.feed_forward = nn.Sequential(
            nn.Linear(width, _FEED_FORWARD * width),
            nn.GELU(),
            nn.Linear(_FEED_FORWARD * width, width),
        )
        self.last_norm = nn.LayerNorm(width)

    def forward(self, primary: Tensor, auxiliary: Tensor, present: Tensor) -> Tensor:
        """Fuse (N, T, d) with (N, T, d); where `present` (N,) is False, the primary alone."""
        drawn, _ = self.attention(primary, auxiliary, auxiliary, need_weights=False)
        gained = torch.where(present[:, None, None], drawn, 0.0)
        tokens = self.norm(primary + gained)
        return torch.as_tensor(self.last_norm(tokens + self.feed_forward(tokens)))


class AddedFusion(nn.Module):
    """Nothing in place of multi-scale fusion: LN(X_e + X_m), token by token.

    Parameters
    ----------
    width : int
        Token width d.
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(width)

    def forward(self, primary: Tensor, auxiliary: Tensor, present: Tensor) -> Tensor:
        """Add (N, T, d) and (N, T, d); where `present` (N,) is False, the primary alone."""
        gained = torch.where(present[:, None, None], auxiliary, 0.0)
        return torch.as_tensor(self.norm(primary + gained))


class PooledEncoder(nn.Module):
    """Transformer encoder layers, then the mean of the tokens, in place of compression.

    Parameters
    ----------
    width : int
        Token width d.
    heads : int
    layers : int
        0 for the mean of the tokens as they come.
    """

    def __init__(self, width: int, heads: int, layers: int) -> None:
        super().__init__()
        self.layers = nn.ModuleList(
            nn.TransformerEncoderLayer(
                width,
                heads,
                dim_feedforward=_FEED_FORWARD * width,
                dropout=0.0,
                activation="gelu",
                batch_first=True,
            )
            for _ in range(layers)
        )

    def forward(self, tokens: Tensor, present: Tensor) -> Tensor:
        """Summarise tokens (N, L, d), of which `present` (N, L) are there, as (N, d)."""
        for layer in self.layers:
            tokens = layer(tokens, src_key_padding_mask=~present)
        weight = present.to(tokens.dtype)[..., None]
        # Not a product alone: a layer may leave anything where no token is.
        total = torch.where(present[..., None], tokens, 0.0).sum(dim=1)
        return total / weight.sum(dim=1)
