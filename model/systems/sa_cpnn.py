"""SA-CPNN: the conditional probability neural network (Geng, Yin and Zhou 2013).

A network of three layers takes the features and the number of an emotion, and gives the logarithm
of that emotion's share up to a constant; the KL divergence is minimised by resilient propagation.
Written from the paper's description, since the library's needs minutes to converge. What is ours:

- The number of an emotion, whose order means nothing here, is scaled to -1 ... 1 like a feature.
- 64 hidden units, as in the library, where the paper has 400 for 70 ages.
- 200 steps over all windows; no part of them is kept for stopping early. With a hundred noisy
  features it learns its windows by heart, and tells others worse than the mean label does.
"""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from model.device import one_thread
from model.systems.base import SideBySide

HIDDEN = 64
STEPS = 200


class ConditionalNetwork(nn.Module):
    """Logarithms of shares from features and the number of an emotion.

    Parameters
    ----------
    features, emotions : int
    """

    numbers: Tensor

    def __init__(self, features: int, emotions: int) -> None:
        super().__init__()
        self.hidden = nn.Linear(features + 1, HIDDEN)
        self.output = nn.Linear(HIDDEN, 1, bias=False)
        self.register_buffer("numbers", torch.linspace(-1, 1, emotions)[:, None])

    def forward(self, x: Tensor) -> Tensor:
        """Return logarithms, shape (N, C), of features, shape (N, D)."""
        # The linear layer of (features, number), without copying the features for each emotion.
        weight = self.hidden.weight
        of_features = nn.functional.linear(x, weight[:, :-1], self.hidden.bias)
        of_numbers = nn.functional.linear(self.numbers, weight[:, -1:])
        active = torch.sigmoid(of_features[:, None, :] + of_numbers)
        return torch.log_softmax(self.output(active)[..., 0], dim=1)


class SaCpnn(SideBySide):
    """The conditional probability neural network."""

    def learn(self, x: NDArray[np.float64], shares: NDArray[np.float64]) -> None:
        """Train on all windows at once."""
        inputs = torch.from_numpy(x.astype(np.float32))
        target = torch.from_numpy(shares.astype(np.float32))
        with one_thread(), torch.random.fork_rng([]):
            torch.manual_seed(self.seed)
            self._network = ConditionalNetwork(x.shape[1], shares.shape[1])
            optimiser = torch.optim.Rprop(self._network.parameters(), lr=1e-3)
            for _ in range(STEPS):
                optimiser.zero_grad()
                loss = -(target * self._network(inputs)).sum(dim=1).mean()
                loss.backward()  # type: ignore[no-untyped-call]
                optimiser.step()

    def infer(self, x: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the network's distributions, shape (N, C)."""
        with one_thread(), torch.inference_mode():
            logs = self._network(torch.from_numpy(x.astype(np.float32))).double()
        return np.exp(logs.numpy())
