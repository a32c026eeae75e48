"""DLDL: a plain network, softmax, and the divergence from the true distribution.

Gao, Xing, Xie, Wu and Geng (2017): Deep label distribution learning with label ambiguity. IEEE
Transactions on Image Processing 26(6); the authors' program is github.com/gaobb/DLDL.

What differs:

- The paper's networks see pictures (ZF-Net, VGG). For features, what is left of them is their
  end: two fully connected layers of parametric rectified units, each with half of its units
  dropped, and the softmax; 256 units a layer instead of 4096, over all modalities side by side.
- A missing modality is 0, the mean of its normalised features.
- Adam at 1e-3 for 100 epochs of batches of 32 instead of stochastic gradient descent for 20
  epochs of 128: that was for tens of thousands of pictures, and is 110 steps on 700 windows.
"""

from __future__ import annotations

from collections.abc import Mapping

from torch import Tensor, nn

from model.objectives import task_loss
from model.systems.deep import DeepSystem, Inputs
from model.systems.layers import ConcatenationNetwork


class Dldl(DeepSystem):
    """Two hidden layers and KL divergence."""

    def build(self, sizes: Mapping[str, int], emotions: int, people: int) -> nn.Module:
        """Return an untrained network."""
        return ConcatenationNetwork(sum(sizes.values()), emotions)

    def loss(self, network: nn.Module, inputs: Inputs, target: Tensor, weights: Tensor) -> Tensor:
        """Return the mean of KL(truth || prediction)."""
        return task_loss(network(inputs), target, weights=weights)
