"""CARAT: what each modality says of each label, restored from prototypes and shuffled.

Peng, Chen, Shou and Chen (2024): CARAT: contrastive feature reconstruction and aggregation for
multi-modal multi-label emotion recognition. AAAI (arXiv 2312.10201); the authors' program is
github.com/chengzju/CARAT.

A Transformer a modality; attention of each label over its tokens; a code of each of these in a
space where supervised contrast sets modality, label and presence of the label apart, and where a
moving average keeps a prototype of each. Every modality is restored from the others' features and
its own prototypes, twice; scores are the largest over modalities, averaged with those of an
aggregation whose training also sees features of labels shuffled over windows and modalities.

What differs:

- A distribution is predicted. Where the paper has binary cross-entropy stands KL divergence of
  the softmax, with the weights of the authors' program; shuffled labels take their shares along,
  divided by their sum. Labels are present where their share is above 1/C, for prototypes and
  contrast. The two predictions are averaged as distributions, theirs as scores.
- The predictions' losses weigh ten times as much: the divergence of ratings from their mean is
  about a tenth of the cross-entropy of a binary label, and restoration and contrast drown it
  (with 1, nothing but the mean label was learned). What is restored is held fixed in its loss.
- Any number of modalities. Those that a window lacks are known by learned tokens only, restored
  like the others, and take no part in prototypes, contrast, and scores.
- One window's features have no time: a linear layer makes the four tokens of a modality.
- Width 16 and codes of 8, instead of 256 and 64, for a hundred features instead of sequences of
  text, sound and picture; depth, momentum and temperature as published.
- The contrast is among 512 codes drawn from the batch; theirs is of all codes, and with a queue of
  8192 earlier ones, here a matrix of 7680 by 15872 a step. A prototype moves by a batch at a time.
- Adam at 1e-3 for 60 epochs of batches of 64; theirs is 5e-5 for 20 epochs of 16 thousand clips,
  which on 700 windows is 220 small steps.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn.functional import normalize

from model.objectives import task_loss
from model.systems.deep import DeepSystem, Inputs, Recipe
from model.systems.layers import ModalityLinear, ModalityTransformers, presence

TOKENS = 4
WIDTH = 16
CODE = 8
LAYERS = 3
HEADS = 4
MOMENTUM = 0.99
"""What a window leaves of a prototype."""
TEMPERATURE = 0.07
"""Of the contrast."""
CODES = 512
"""How many codes of a batch are contrasted."""
LABEL_WISE, RESTORED, SHUFFLED = 0.01, 0.1, 0.1
"""Weights among the predictions' losses of those before restoration, after the first, and from
shuffled labels; others weigh 1."""
TASK = 10.0
"""Weight of the predictions' losses beside restoration and contrast."""


class Carat(DeepSystem):
    """CARAT for distributions."""

    recipe: ClassVar[Recipe] = Recipe(epochs=60, batch_size=64)
    # Several predictions are taught, each by itself; what is shown is made of them.
    starts_from_mean: ClassVar[bool] = False

    def build(self, sizes: Mapping[str, int], emotions: int, people: int) -> nn.Module:
        """Return an untrained network."""
        return Network(sizes, emotions)

    def loss(self, network: nn.Module, inputs: Inputs, target: Tensor, weights: Tensor) -> Tensor:
        """Return the sum of predictions', restorations' and contrast's losses; move prototypes."""
        assert isinstance(network, Network)
        output: Output = network(inputs)
        named = target > 1 / target.shape[1]
        held = output.present
        parts = zip((LABEL_WISE, RESTORED, 1.0), output.largest, strict=True)
        task = sum(weight * task_loss(logs, target, weights=weights) for weight, logs in parts)
        logs, truth = output.joint[held], target.expand(len(held), -1, -1)[held]
        task = task + task_loss(logs, truth, weights=weights.expand(len(held), -1)[held])
        task = task + SHUFFLED * network.shuffled(output.second, target)
        total = TASK * task
        for version in (output.decoded, output.first):
            error = (version - output.label_wise.detach()).square().mean(dim=(2, 3))
            total = total + (error * held).sum() / error.shape[1]
        present = held[:, :, None].expand_as(output.codes[0][..., 0])
        total = total + contrast(output.codes, classes(named, len(held)), present)
        network.move_prototypes(output.codes[0].detach(), named, held)
        return total


class Output(NamedTuple):
    """What the network makes of N windows, M modalities and C labels.

    Attributes
    ----------
    logs : Tensor, shape (N, C)
        Logarithm of the distribution.
    largest : tuple of three Tensor, shape (N, C)
        Logarithm of the distributions from the largest scores over modalities, of features as
        found, restored once, and restored twice.
    joint : Tensor, shape (M, N, C)
        Logarithm of the distributions from all labels' features of a modality.
    label_wise, decoded, first, second : Tensor, shape (M, N, C, WIDTH)
        Features as found, decoded from their codes, restored once, restored twice.
    codes : Tensor, shape (3, M, N, C, CODE)
        Unit codes of the features as found, restored once, restored twice; empty unless training.
    present : Tensor of bool, shape (M, N)
    """

    logs: Tensor
    largest: tuple[Tensor, Tensor, Tensor]
    joint: Tensor
    label_wise: Tensor
    decoded: Tensor
    first: Tensor
    second: Tensor
    codes: Tensor
    present: Tensor


class Network(nn.Module):
    """CARAT's network.

    Parameters
    ----------
    sizes : mapping of str to int
        Number of features of each modality.
    emotions : int
        C.
    """

    prototypes: Tensor
    """Of absent and present labels, shape (2, M, C, CODE)."""

    def __init__(self, sizes: Mapping[str, int], emotions: int) -> None:
        super().__init__()
        count = len(sizes)
        self.encoders = ModalityTransformers(sizes, TOKENS, WIDTH, LAYERS, HEADS, dropout=0.1)
        self.attention = ModalityLinear(count, WIDTH, emotions)
        self.encode = _two_layers(count, WIDTH, WIDTH // 2, CODE)
        self.decode = _two_layers(count, CODE, WIDTH // 2, WIDTH)
        self.restore = ModalityLinear(count, count * WIDTH, WIDTH)
        self.scores = nn.Parameter(torch.randn(count, emotions, WIDTH) * WIDTH**-0.5)
        self.aggregate = nn.Sequential(
            nn.Linear(emotions * WIDTH, WIDTH), nn.ReLU(), nn.Linear(WIDTH, emotions)
        )
        self.register_buffer("prototypes", torch.zeros(2, count, emotions, CODE))

    def forward(self, inputs: Inputs) -> Output:
        """Return what is known of the windows."""
        present = presence(inputs.mask).T
        tokens = self.encoders(inputs.features, present)
        weights = torch.softmax(self.attention(tokens), dim=2)
        found = weights.transpose(2, 3) @ tokens
        code = self.encode(found)
        decoded = self.decode(code)
        first = self._restored(decoded, self.decode(self.recalled(code)))
        second = self._restored(first, first)
        largest = (
            self._largest(found, present),
            self._largest(first, present),
            self._largest(second, present),
        )
        joint = torch.log_softmax(self.aggregate(second.flatten(2)), dim=-1)
        share = present / present.sum(dim=0)
        mean = (joint.exp() * share[:, :, None]).sum(dim=0)
        codes = code.new_zeros(0)
        if self.training:
            codes = torch.stack([code, self.encode(first), self.encode(second)])
            codes = normalize(codes, dim=-1)
        logs = ((largest[2].exp() + mean) / 2).log()
        return Output(logs, largest, joint, found, decoded, first, second, codes, present)

    def recalled(self, code: Tensor) -> Tensor:
        """Return what stands for codes (M, N, C, CODE) when their modality is restored.

        In training, both prototypes of each label by their likeness; otherwise the one more alike.
        """
        likeness = torch.einsum("mncd,kmcd->mnck", normalize(code, dim=-1), self.prototypes)
        if self.training:
            weights = torch.softmax(likeness, dim=-1)
        else:
            weights = nn.functional.one_hot(likeness.argmax(dim=-1), 2).to(code.dtype)
        return torch.einsum("mnck,kmcd->mncd", weights, self.prototypes)

    def _restored(self, others: Tensor, own: Tensor) -> Tensor:
        """Return each modality's features from the others' and its own, all (M, N, C, WIDTH)."""
        count = len(others)
        same = torch.eye(count, dtype=torch.bool, device=others.device)[:, :, None, None, None]
        parts = torch.where(same, own[None], others[None])
        return torch.as_tensor(self.restore(parts.permute(0, 2, 3, 1, 4).flatten(3)))

    def _largest(self, features: Tensor, present: Tensor) -> Tensor:
        """Return the log-softmax, (N, C), of the largest scores over present modalities."""
        scores = torch.einsum("mncd,mcd->mnc", features, self.scores)
        scores = scores.masked_fill(~present[:, :, None], -torch.inf)
        return torch.log_softmax(scores.amax(dim=0), dim=-1)

    def shuffled(self, features: Tensor, target: Tensor) -> Tensor:
        """Return the loss of aggregating features whose labels come from several windows.

        Every label's features are dealt out anew, to another window and, inside a window, to
        another modality; the truth follows the features.

        Parameters
        ----------
        features : Tensor, shape (M, N, C, WIDTH)
        target : Tensor, shape (N, C)
        """
        shape = features.shape[:3]
        window = torch.rand(shape, device=features.device).argsort(dim=1)
        modality = torch.rand(shape, device=features.device).argsort(dim=0)
        label = torch.arange(shape[2], device=features.device)
        truth = target[window, label]
        # Chance may collect labels that all have a share of 0.
        truth = truth + 1e-6
        truth = truth / truth.sum(dim=-1, keepdim=True)
        logs = torch.log_softmax(self.aggregate(features[modality, window, label].flatten(2)), -1)
        return task_loss(logs.flatten(0, 1), truth.flatten(0, 1))

    @torch.no_grad()
    def move_prototypes(self, codes: Tensor, named: Tensor, present: Tensor) -> None:
        """Move prototypes towards the mean code of the windows that have, or lack, a label.

        Parameters
        ----------
        codes : Tensor, shape (M, N, C, CODE)
            Of unit length.
        named : Tensor of bool, shape (N, C)
            Which labels are present.
        present : Tensor of bool, shape (M, N)
            Which modalities are.
        """
        sides = torch.stack([~named, named])[:, None]
        chosen = (present[:, :, None] & sides).to(codes.dtype)
        count = chosen.sum(dim=2)[..., None]
        mean = torch.einsum("mncd,kmnc->kmcd", codes, chosen) / count.clamp(min=1)
        kept = MOMENTUM**count
        # A new tensor: the gradient of this batch still needs the old one.
        self.prototypes = kept * self.prototypes + (1 - kept) * mean


def _two_layers(modalities: int, before: int, between: int, after: int) -> nn.Sequential:
    return nn.Sequential(
        ModalityLinear(modalities, before, between),
        nn.ReLU(),
        ModalityLinear(modalities, between, after),
    )


def classes(named: Tensor, modalities: int) -> Tensor:
    """Return the class of each code, shape (M, N, C): modality, label, and whether it is present.

    Parameters
    ----------
    named : Tensor of bool, shape (N, C)
    modalities : int
        M.
    """
    labels = named.shape[1]
    kind = torch.arange(modalities * labels, device=named.device).reshape(modalities, 1, labels)
    return 2 * kind + named


def contrast(codes: Tensor, kinds: Tensor, present: Tensor) -> Tensor:
    """Return the supervised contrastive loss of some of the codes; scalar.

    Khosla et al. 2020, equation 2: mean over pairs of a class of -log softmax of their likeness.

    Parameters
    ----------
    codes : Tensor, shape (V, M, N, C, CODE)
        Of unit length, in V versions.
    kinds : Tensor, shape (M, N, C)
        Class of each.
    present : Tensor of bool, shape (M, N, C)
        Which may be drawn.
    """
    versions = len(codes)
    rows = present.expand(versions, *present.shape).flatten().nonzero()[:, 0]
    rows = rows[torch.randperm(len(rows), device=rows.device)[:CODES]]
    drawn = codes.flatten(0, 3)[rows]
    kind = kinds.expand(versions, *kinds.shape).flatten()[rows]
    own = torch.eye(len(rows), dtype=torch.bool, device=rows.device)
    alike = ((kind[:, None] == kind) & ~own).to(drawn.dtype)
    likeness = (drawn @ drawn.T / TEMPERATURE).masked_fill(own, -1e9)
    pairs = alike.sum(dim=1)
    each = -(alike * torch.log_softmax(likeness, dim=1)).sum(dim=1) / pairs.clamp(min=1)
    return each.sum() / (pairs > 0).sum().clamp(min=1)
