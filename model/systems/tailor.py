"""TAILOR: common and private features of the modalities, and a decoder that asks for each label.

Zhang, Chen, Shen and Wang (2022): Tailor versatile multi-modal learning for multi-label emotion
recognition. AAAI (arXiv 2201.05834); the authors' program is github.com/kniter1/TAILOR.

A Transformer a modality; a private and a common view of its tokens. A discriminator tells the
modality from private views, and, its gradient reversed, must not from common ones; views are held
orthogonal. Private views are fused first, then with the strongest modality, then with the common
view, each time by a Transformer; a decoder asks the result with an embedding of each label.

What differs:

- A distribution is predicted: the softmax of the labels' scores, on KL divergence instead of
  binary cross-entropy; the same for the head on the common view, with its published weight of 0.5.
- Any set of modalities. All but the primary one are fused first (there: sound and picture), then
  the primary one (there: text), then the common view; stages with nothing to fuse are left out.
- A modality that a window lacks is known by learned tokens only, and takes no part in the common
  view, the discriminator and the orthogonality.
- One window's features have no time: a linear layer makes the two tokens of a modality.
- Width 16 instead of 256, for a hundred features instead of sequences of text, sound and picture.
- Two layers a modality and one a stage, instead of four to six and three: cut so that a training
  on 700 windows stays under a minute of a processor core.
- Adam at 1e-3 for 50 epochs of batches of 64; theirs is 5e-5 for 30 epochs of 16 thousand clips,
  which on 700 windows are too few and too small steps.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar, NamedTuple

import torch
from torch import Tensor, nn

from model.objectives import task_loss
from model.systems.deep import DeepSystem, Inputs, Recipe
from model.systems.layers import (
    ModalityLinear,
    ModalityTransformers,
    normalised,
    presence,
    reverse_gradient,
)

TOKENS = 2
WIDTH = 16
HEADS = 4
LAYERS = 2
"""Of each modality's Transformer."""
FUSION_LAYERS = 1
"""Of each stage of the fusion."""
ADVERSARIAL, ORTHOGONAL, COMMON = 0.01, 5e-6, 0.5
"""Weights of the discriminator's loss, of the orthogonality, and of the head on the common view."""


class Tailor(DeepSystem):
    """TAILOR for distributions."""

    recipe: ClassVar[Recipe] = Recipe(epochs=50, batch_size=64)

    def build(self, sizes: Mapping[str, int], emotions: int, people: int) -> nn.Module:
        """Return an untrained network."""
        primary = [name for name in sizes if self.roles[name] == "primary"]
        return Network(sizes, primary, emotions)

    def loss(self, network: nn.Module, inputs: Inputs, target: Tensor, weights: Tensor) -> Tensor:
        """Return both task losses, the discriminator's, and the orthogonality."""
        output: Output = network(inputs)
        total = task_loss(output.logs, target, weights=weights)
        total = total + COMMON * task_loss(output.common_logs, target, weights=weights)
        for guess in (output.private_guess, output.common_guess):
            total = total + ADVERSARIAL * told_apart(guess, output.present)
        return total + ORTHOGONAL * overlap(output.private, output.common, output.present)


class Output(NamedTuple):
    """What the network makes of N windows with M modalities.

    Attributes
    ----------
    logs : Tensor, shape (N, C)
        Logarithm of the distribution.
    common_logs : Tensor, shape (N, C)
        Logarithm of the distribution from the common view alone.
    private, common : Tensor, shape (M, N, TOKENS, WIDTH)
        Both views of each modality.
    private_guess, common_guess : Tensor, shape (M, N, TOKENS, M)
        Scores of the modality that a token came from; gradients of the common view's come back
        with their sign turned.
    present : Tensor of bool, shape (M, N)
    """

    logs: Tensor
    common_logs: Tensor
    private: Tensor
    common: Tensor
    private_guess: Tensor
    common_guess: Tensor
    present: Tensor


class Network(nn.Module):
    """TAILOR's network.

    Parameters
    ----------
    sizes : mapping of str to int
        Number of features of each modality.
    primary : list of str
        Those that are fused after the others.
    emotions : int
        C.
    """

    def __init__(self, sizes: Mapping[str, int], primary: list[str], emotions: int) -> None:
        super().__init__()
        count = len(sizes)
        self.last = [number for number, name in enumerate(sizes) if name in primary]
        self.others = [number for number in range(count) if number not in self.last]
        self.encoders = ModalityTransformers(sizes, TOKENS, WIDTH, LAYERS, HEADS, dropout=0.1)
        self.private = nn.Sequential(
            ModalityLinear(count, WIDTH, WIDTH), nn.Dropout(0.1), nn.Tanh()
        )
        self.common = nn.Sequential(nn.Linear(WIDTH, WIDTH), nn.Dropout(0.3), nn.Tanh())
        self.common_head = nn.Linear(WIDTH, emotions)
        self.discriminator = nn.Sequential(
            nn.Linear(WIDTH, WIDTH // 2), nn.Dropout(0.1), nn.ReLU(), nn.Linear(WIDTH // 2, count)
        )
        self.first_stage = _Stage(len(self.others)) if len(self.others) > 1 else None
        self.second_stage = _Stage(2) if self.others and self.last else None
        self.third_stage = _Stage(2)
        self.labels = nn.Parameter(torch.randn(emotions, WIDTH) * WIDTH**-0.5)
        self.decoder = nn.TransformerDecoderLayer(
            WIDTH, HEADS, 2 * WIDTH, 0.1, "gelu", batch_first=True
        )
        self.score = nn.Linear(WIDTH, 1)

    def forward(self, inputs: Inputs) -> Output:
        """Return what is known of the windows."""
        present = presence(inputs.mask).T
        tokens = self.encoders(inputs.features, present)
        private = self.private(tokens)
        common = self.common(tokens)
        shared = (common * present[:, :, None, None]).sum(dim=0)
        fused = self._fused(private, shared)
        asked = self.decoder(self.labels.expand(len(fused), -1, -1), fused)
        return Output(
            torch.log_softmax(self.score(asked)[..., 0], dim=-1),
            torch.log_softmax(self.common_head(shared[:, 0]), dim=-1),
            private,
            common,
            self.discriminator(private),
            self.discriminator(reverse_gradient(common)),
            present,
        )

    def _fused(self, private: Tensor, shared: Tensor) -> Tensor:
        """Return the tokens (N, (M + 1) TOKENS, WIDTH) after all stages that there are."""
        others = [private[number] for number in self.others]
        parts = [private[number] for number in self.last]
        if self.first_stage is not None:
            others = [self.first_stage(others)]
        if self.second_stage is not None:
            parts = [self.second_stage([torch.cat(parts, dim=1), *others])]
        else:
            parts += others
        return torch.as_tensor(self.third_stage([torch.cat(parts, dim=1), shared]))


class _Stage(nn.Module):
    """Transformer over the tokens of several parts, each marked by what part it is of."""

    def __init__(self, parts: int) -> None:
        super().__init__()
        self.part = nn.Parameter(torch.randn(parts, WIDTH) * 0.02)
        self.layers = nn.ModuleList(
            nn.TransformerEncoderLayer(WIDTH, HEADS, 2 * WIDTH, 0.1, "gelu", batch_first=True)
            for _ in range(FUSION_LAYERS)
        )

    def forward(self, parts: list[Tensor]) -> Tensor:
        """Fuse parts (N, T, WIDTH) of any T."""
        marked = [values + mark for values, mark in zip(parts, self.part, strict=True)]
        tokens = normalised(torch.cat(marked, dim=1))
        for layer in self.layers:
            tokens = layer(tokens)
        return tokens


def told_apart(guess: Tensor, present: Tensor) -> Tensor:
    """Return the discriminator's cross-entropy, summed over modalities; scalar.

    Parameters
    ----------
    guess : Tensor, shape (M, N, T, M)
        Scores of the modality of each token.
    present : Tensor of bool, shape (M, N)
        Absent modalities count nothing.
    """
    count = len(guess)
    logs = torch.log_softmax(guess, dim=-1).mean(dim=2)
    right = logs[torch.arange(count), :, torch.arange(count)]
    return -((right * present).sum(dim=1) / present.sum(dim=1).clamp(min=1)).sum()


def overlap(private: Tensor, common: Tensor, present: Tensor) -> Tensor:
    """Return how far the views are from orthogonal; scalar, 0 if they are.

    The sum of squared inner products of tokens, between private views of two modalities and
    between both views of one, averaged over windows.

    Parameters
    ----------
    private, common : Tensor, shape (M, N, T, d)
    present : Tensor of bool, shape (M, N)
        Absent modalities count nothing.
    """
    held = present[:, :, None, None]
    private, common = private * held, common * held
    own = (private @ common.transpose(2, 3)).square().sum()
    among = torch.einsum("mntd,knsd->mknts", private, private).square().sum(dim=(2, 3, 4))
    # Each pair stands twice in the square of modalities.
    pairs = (among.sum() - among.diagonal().sum()) / 2
    return (own + pairs) / private.shape[1]
