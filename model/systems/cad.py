"""CAD: the network of DLDL, trained on the distance of cumulative distributions.

Wen, Zhang, Yao and Yang (2023): Ordinal label distribution learning. ICCV. No public code: the
loss is from the paper's description.

The loss is a distance of earth movers on a line: moving share to a neighbouring label is cheap,
to a far one expensive. **It depends on the order of the labels**, which ages have and the items of
PANAS have not. Here it is the order of the label set (`model.labels`): sensible as far as the
negative items stand together there, arbitrary inside each group. So a good or bad figure of this
system says little about the loss on data for which it is made.

What differs:

- The paper trains networks that see pictures; here it is the network of DLDL on features, on
  DLDL's recipe, so that both differ in the loss alone.
"""

from __future__ import annotations

from collections.abc import Mapping

from torch import Tensor, nn

from model.systems.deep import DeepSystem, Inputs
from model.systems.layers import ConcatenationNetwork


class Cad(DeepSystem):
    """Two hidden layers and cumulative absolute distance."""

    def build(self, sizes: Mapping[str, int], emotions: int, people: int) -> nn.Module:
        """Return an untrained network."""
        return ConcatenationNetwork(sum(sizes.values()), emotions)

    def loss(self, network: nn.Module, inputs: Inputs, target: Tensor, weights: Tensor) -> Tensor:
        """Return the weighted mean of the windows' distances."""
        distance = cumulative_distance(network(inputs).exp(), target)
        return (weights * distance).mean()


def cumulative_distance(prediction: Tensor, target: Tensor) -> Tensor:
    """Return the sum of |F(c) - G(c)| over labels c, F and G cumulative shares, shape (N,).

    Parameters
    ----------
    prediction, target : Tensor, shape (N, C)
        Distributions over ordered labels.
    """
    return (prediction - target).cumsum(dim=-1).abs().sum(dim=-1)
