"""EDLConv: convolutions over a map of features and time.

Shu, Yang, Liu, Zhang, Zhao and Liu (2023): Emotion distribution learning based on peripheral
physiological signals. IEEE Transactions on Affective Computing 14(3). No public code: this is from
the paper's description, a network of convolutions that looks along the features, whose
correlations it uses, and along time, ends in a softmax, and is trained on KL divergence.

What differs, or was left open:

- The paper's map has a row for each of several stretches of time. A system here gets one window's
  features, so there is no time: **the modalities stand where the stretches stood**, as rows of one
  map, and the convolution along time goes across modalities. So nothing of the paper's second
  source of information is left.
- Modalities differ in their number of features; a linear layer each makes rows of 32. A missing
  modality is a row of zeros.
- Numbers of layers, channels and kernels, and the optimisation (Adam at 1e-3, batches of 32, 100
  epochs) are ours.
- No selection of features before the training (the paper eliminates recursively).
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from model.objectives import task_loss
from model.systems.deep import DeepSystem, Inputs
from model.systems.layers import presence

COLUMNS = 32
"""Columns of the map."""
CHANNELS = 16


class EdlConv(DeepSystem):
    """Convolutions along the features, then across the modalities."""

    def build(self, sizes: Mapping[str, int], emotions: int, people: int) -> nn.Module:
        """Return an untrained network."""
        return _Network(sizes, emotions)

    def loss(self, network: nn.Module, inputs: Inputs, target: Tensor, weights: Tensor) -> Tensor:
        """Return the mean of KL(truth || prediction)."""
        return task_loss(network(inputs), target, weights=weights)


class _Network(nn.Module):
    def __init__(self, sizes: Mapping[str, int], emotions: int) -> None:
        super().__init__()
        self.rows = nn.ModuleList(nn.Linear(size, COLUMNS) for size in sizes.values())
        self.along_features = nn.Sequential(
            *_convolution(1, CHANNELS, (1, 3)),
            *_convolution(CHANNELS, CHANNELS, (1, 3)),
            nn.MaxPool2d((1, 2)),
        )
        self.across_modalities = nn.Sequential(
            *_convolution(CHANNELS, 2 * CHANNELS, (3, 1)),
            nn.MaxPool2d((1, 2)),
        )
        self.head = nn.Sequential(
            nn.Linear(2 * CHANNELS * len(sizes) * (COLUMNS // 4), 64),
            nn.ReLU(),
            nn.Dropout(0.5),
            nn.Linear(64, emotions),
        )

    def map(self, inputs: Inputs) -> Tensor:
        """Return the map of each window, shape (N, M, COLUMNS)."""
        values = inputs.features.values()
        rows = [layer(part) for layer, part in zip(self.rows, values, strict=True)]
        return torch.stack(rows, dim=1) * presence(inputs.mask)[:, :, None]

    def forward(self, inputs: Inputs) -> Tensor:
        """Return the logarithm of the distribution, shape (N, C)."""
        found = self.along_features(self.map(inputs)[:, None])
        found = self.across_modalities(found)
        return torch.log_softmax(self.head(found.flatten(1)), dim=-1)


def _convolution(before: int, after: int, kernel: tuple[int, int]) -> tuple[nn.Module, ...]:
    """Return a convolution that keeps the map's size, with batch normalisation and rectifier."""
    padding = (kernel[0] // 2, kernel[1] // 2)
    layer = nn.Conv2d(before, after, kernel, padding=padding)
    return layer, nn.BatchNorm2d(after), nn.ReLU()
