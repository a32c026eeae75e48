"""HeLo: physiology fused by attention, tied to behaviour by optimal transport, read by emotions.

Zheng, Tian, Wen, Zhang and Zhu (2025): HeLo: heterogeneous multi-modal fusion with label
correlation for emotion distribution learning. ACM Multimedia (arXiv 2507.06821).

There is no public program. This follows the order of steps that the abstract names; every size and
formula where it names none is ours:

- Each modality makes `TOKENS` tokens of `WIDTH`. The primary one asks the auxiliary ones by
  attention, and they ask it; without both kinds, physiology is left as it is.
- Transport is between the windows' physiological and behavioural tokens, of equal weight, at the
  cost 1 - cosine, with entropy (Cuturi 2013). Each side gets what the plan brings it from the
  other, and its difference from that. Without both sides, as in a window where one is missing,
  nothing is brought.
- Each emotion has an embedding. The mean square difference between their cosines and the
  correlation of the training labels is a loss of weight 1.
- The emotions ask the tokens; the scores of correlated emotions are mixed, by the same cosines. One
  number of what an emotion finds is its logit.
- The task loss is KL(truth || prediction); Adam at 1e-3, batches of 32, 100 epochs.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn.functional import normalize

from model.objectives import task_loss
from model.systems.deep import DeepSystem, Inputs
from model.systems.layers import presence

WIDTH = 64
TOKENS = 4
HEADS = 4
ENTROPY = 0.1
ROUNDS = 20
ALIGNMENT = 1.0
DROPOUT = 0.1


class Helo(DeepSystem):
    """HeLo, from the description."""

    def build(self, sizes: Mapping[str, int], emotions: int, people: int) -> nn.Module:
        """Return an untrained network."""
        return _Network(sizes, {name: self.roles[name] for name in sizes}, emotions)

    def loss(self, network: nn.Module, inputs: Inputs, target: Tensor, weights: Tensor) -> Tensor:
        """Return the task loss plus that of the emotions' correlation."""
        output: Output = network(inputs)
        correlation = network.seen.add(target)  # type: ignore[operator, union-attr]
        off = ~torch.eye(len(correlation), dtype=torch.bool, device=correlation.device)
        alignment = (output.relations - correlation)[off].square().mean()
        return task_loss(output.logs, target, weights=weights) + ALIGNMENT * alignment


class Output(NamedTuple):
    """Logarithm of the distribution, shape (N, C); cosines of the emotions, shape (C, C)."""

    logs: Tensor
    relations: Tensor


class Correlation(nn.Module):
    """Correlation of all labels shown so far."""

    count: Tensor
    total: Tensor
    products: Tensor

    def __init__(self, emotions: int) -> None:
        super().__init__()
        # Differences of large sums: single precision would not do.
        self.register_buffer("count", torch.zeros((), dtype=torch.float64))
        self.register_buffer("total", torch.zeros(emotions, dtype=torch.float64))
        self.register_buffer("products", torch.zeros(emotions, emotions, dtype=torch.float64))

    def add(self, labels: Tensor) -> Tensor:
        """Count labels (N, C) in and return the correlation, shape (C, C).

        That of an emotion which has not varied is 0.
        """
        labels = labels.detach().double()
        self.count += len(labels)
        self.total += labels.sum(dim=0)
        self.products += labels.T @ labels
        mean = self.total / self.count
        covariance = self.products / self.count - torch.outer(mean, mean)
        spread = covariance.diagonal().clamp(min=0).sqrt()
        varied = torch.where(spread > 1e-6, 1 / spread.clamp(min=1e-6), 0.0)
        return (covariance * torch.outer(varied, varied)).float()


def transport(cost: Tensor, rows: Tensor, columns: Tensor) -> Tensor:
    """Return entropic transport plans (Cuturi 2013), shape (N, R, S).

    Parameters
    ----------
    cost : Tensor, shape (N, R, S)
        Not above about 10 times `ENTROPY` apart, or single precision gives out.
    rows, columns : Tensor, shape (N, R), shape (N, S)
        Mass to bring away from each row and to each column; each window's sum to 1.
    """
    kernel = torch.exp(-cost / ENTROPY)
    right = torch.ones_like(columns)
    for _ in range(ROUNDS):
        left = rows / (kernel @ right[..., None]).squeeze(-1)
        right = columns / (left[:, None] @ kernel).squeeze(1)
    return left[..., None] * kernel * right[:, None]


class _Exchange(nn.Module):
    """Attention of one group of tokens to another, added to it and normalised."""

    def __init__(self) -> None:
        super().__init__()
        self.attend = nn.MultiheadAttention(WIDTH, HEADS, dropout=DROPOUT, batch_first=True)
        self.norm = nn.LayerNorm(WIDTH)

    def forward(self, tokens: Tensor, others: Tensor, present: Tensor) -> Tensor:
        """Let tokens (N, R, WIDTH) ask others (N, S, WIDTH), of which (N, S) are present."""
        some = present.any(dim=1)
        # A window that has none of the others asks all of them, and the answer is dropped.
        hidden = ~(present | ~some[:, None])
        found, _ = self.attend(tokens, others, others, key_padding_mask=hidden, need_weights=False)
        result: Tensor = self.norm(tokens + found * some[:, None, None])
        return result


class _Network(nn.Module):
    def __init__(self, sizes: Mapping[str, int], roles: Mapping[str, str], emotions: int) -> None:
        super().__init__()
        self.places = {
            role: [number for number, name in enumerate(sizes) if roles[name] == role]
            for role in ("primary", "auxiliary", "behavioural")
        }
        self.enter = nn.ModuleDict(
            {name: nn.Linear(size, TOKENS * WIDTH) for name, size in sizes.items()}
        )
        self.positions = nn.Parameter(0.02 * torch.randn(len(sizes), TOKENS, WIDTH))
        self.norm = nn.LayerNorm(WIDTH)
        self.asking = _Exchange()
        self.answering = _Exchange()
        self.merge = nn.Linear(3 * WIDTH, WIDTH)
        self.merged = nn.LayerNorm(WIDTH)
        self.emotions = nn.Parameter(torch.randn(emotions, WIDTH))
        self.query = nn.Linear(WIDTH, WIDTH)
        self.key = nn.Linear(WIDTH, WIDTH)
        self.value = nn.Linear(WIDTH, WIDTH)
        self.read = nn.Sequential(
            nn.LayerNorm(WIDTH), nn.Linear(WIDTH, WIDTH), nn.GELU(), nn.Dropout(DROPOUT)
        )
        self.heads = nn.Parameter(torch.randn(emotions, WIDTH) / math.sqrt(WIDTH))
        self.bias = nn.Parameter(torch.zeros(emotions))
        self.seen = Correlation(emotions)

    def forward(self, inputs: Inputs) -> Output:
        entered = [enter(inputs.features[name]) for name, enter in self.enter.items()]
        tokens = torch.stack(entered, dim=1).unflatten(2, (TOKENS, WIDTH))
        tokens = self.norm(nn.functional.gelu(tokens + self.positions))
        present = presence(inputs.mask)
        physiology, known = self._physiology(tokens, present)
        behaviour, shown = self._of("behavioural", tokens, present)
        tokens, attended = self._transported(physiology, known, behaviour, shown)
        relations = normalize(self.emotions, dim=1)
        relations = relations @ relations.T
        scores = self.query(self.emotions) @ self.key(tokens).transpose(1, 2) / math.sqrt(WIDTH)
        scores = relations / relations.abs().sum(dim=1, keepdim=True) @ scores
        shares = torch.softmax(scores.masked_fill(~attended[:, None], -torch.inf), dim=-1)
        found = self.read(shares @ self.value(tokens) + self.emotions)
        logits = (found * self.heads).sum(dim=-1) + self.bias
        return Output(torch.log_softmax(logits, dim=-1), relations)

    def _of(self, role: str, tokens: Tensor, present: Tensor) -> tuple[Tensor, Tensor]:
        """Return a role's tokens, shape (N, R, WIDTH), and which of them are there."""
        places = self.places[role]
        return tokens[:, places].flatten(1, 2), present[:, places].repeat_interleave(TOKENS, 1)

    def _physiology(self, tokens: Tensor, present: Tensor) -> tuple[Tensor, Tensor]:
        primary, has_primary = self._of("primary", tokens, present)
        others, has_others = self._of("auxiliary", tokens, present)
        if self.places["primary"] and self.places["auxiliary"]:
            asked = self.asking(primary, others, has_others)
            others = self.answering(others, primary, has_primary)
            primary = asked
        return torch.cat([primary, others], dim=1), torch.cat([has_primary, has_others], dim=1)

    def _transported(
        self, left: Tensor, has_left: Tensor, right: Tensor, has_right: Tensor
    ) -> tuple[Tensor, Tensor]:
        tokens, present = torch.cat([left, right], dim=1), torch.cat([has_left, has_right], dim=1)
        brought = torch.zeros_like(tokens)
        both = (has_left.any(dim=1) & has_right.any(dim=1))[:, None, None]
        if left.shape[1] and right.shape[1]:
            cost = 1 - normalize(left, dim=-1) @ normalize(right, dim=-1).transpose(1, 2)
            # Windows with an empty side are given a full one, and their plan is not used.
            rows, columns = (
                mask / mask.sum(dim=1, keepdim=True)
                for mask in ((one | ~both[:, :, 0]).float() for one in (has_left, has_right))
            )
            plan = transport(cost, rows, columns)
            # Divided by a token's mass, the plan gives means of the other side's tokens.
            to_left = plan @ right / rows[..., None].clamp(min=1e-6)
            to_right = plan.transpose(1, 2) @ left / columns[..., None].clamp(min=1e-6)
            brought = torch.cat([to_left, to_right], dim=1) * both
        apart = (tokens - brought) * both
        return self.merged(tokens + self.merge(torch.cat([tokens, brought, apart], -1))), present
