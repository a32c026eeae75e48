"""AA-BP: a network of three layers whose outputs sum to 1, on squared error (Geng 2016).

Written on torch: python-ldl's network takes ten times as long, and with its plain gradient descent
has hardly left its start after 1000 steps. What is ours:

- Steps are those of Adam, over all windows at once.
- 64 sigmoid units, as in the library; 300 steps at a rate of 0.01, after which the teacher of the
  tests is learned; no part of the windows is kept for stopping early.
"""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from model.device import one_thread
from model.systems.base import SideBySide

HIDDEN = 64
STEPS = 300
RATE = 0.01


class AaBp(SideBySide):
    """A network of three layers with softmax."""

    def learn(self, x: NDArray[np.float64], shares: NDArray[np.float64]) -> None:
        """Train on all windows at once."""
        inputs = torch.from_numpy(x.astype(np.float32))
        target = torch.from_numpy(shares.astype(np.float32))
        with one_thread(), torch.random.fork_rng([]):
            torch.manual_seed(self.seed)
            layers = nn.Linear(x.shape[1], HIDDEN), nn.Linear(HIDDEN, shares.shape[1])
            self._network = nn.Sequential(layers[0], nn.Sigmoid(), layers[1], nn.Softmax(dim=1))
            optimiser = torch.optim.Adam(self._network.parameters(), lr=RATE)
            for _ in range(STEPS):
                optimiser.zero_grad()
                loss = nn.functional.mse_loss(self._network(inputs), target)
                loss.backward()
                optimiser.step()

    def infer(self, x: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the network's distributions, shape (N, C)."""
        with one_thread(), torch.inference_mode():
            shares = self._network(torch.from_numpy(x.astype(np.float32)))
        return np.asarray(shares.double().numpy())
