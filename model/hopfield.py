"""Continuous modern Hopfield retrieval, the one memory operator of MPCL.

Ramsauer et al. 2021, "Hopfield Networks is All You Need", equations 1 and 3.
"""

from __future__ import annotations

import torch
from torch import Tensor


def association(
    queries: Tensor, keys: Tensor, beta: float | Tensor, present: Tensor | None = None
) -> Tensor:
    """Return how strongly each query addresses each stored pattern: softmax(beta Q K^T).

    Parameters
    ----------
    queries : Tensor, shape (..., Q, d)
        State patterns.
    keys : Tensor, shape (..., S, d)
        Stored patterns.
    beta : float or Tensor
        Inverse temperature; a tensor is broadcast against (..., Q, S).
    present : Tensor of bool, broadcast against (..., Q, S), optional
        False for stored patterns that do not exist; at least one must.

    Returns
    -------
    Tensor, shape (..., Q, S)
        Non-negative; each row sums to 1.
    """
    if queries.ndim < keys.ndim:
        # Queries that all rows share: one product over all rows, not one product a row.
        overlap = (keys @ queries.transpose(-2, -1)).transpose(-2, -1)
    else:
        overlap = queries @ keys.transpose(-2, -1)
    energy = beta * overlap
    if present is not None:
        energy = energy.masked_fill(~present, -torch.inf)
    return torch.softmax(energy, dim=-1)


def retrieve(
    queries: Tensor,
    keys: Tensor,
    values: Tensor,
    beta: float | Tensor,
    present: Tensor | None = None,
) -> tuple[Tensor, Tensor]:
    """Return Hop(Q, K, V; beta) = softmax(beta Q K^T) V, and the association weights.

    Parameters are those of `association`; `values` has shape (..., S, v).

    Returns
    -------
    retrieved : Tensor, shape (..., Q, v)
    weights : Tensor, shape (..., Q, S)
    """
    weights = association(queries, keys, beta, present)
    return weights @ values, weights


def energy(state: Tensor, stored: Tensor, beta: float) -> Tensor:
    """Return the energy that retrieval lowers, without its constant.

    E(xi) = -1/beta log sum_i exp(beta x_i . xi) + 1/2 xi . xi

    Parameters
    ----------
    state : Tensor, shape (..., d)
    stored : Tensor, shape (S, d)
    beta : float

    Returns
    -------
    Tensor, shape (...)
    """
    overlap = beta * (state @ stored.transpose(-2, -1))
    return -torch.logsumexp(overlap, dim=-1) / beta + 0.5 * (state * state).sum(dim=-1)
