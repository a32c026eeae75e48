"""MPCL behind the two calls that all systems share."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from model.batch import Batch, Labels
from model.fitting import LOSSES
from model.settings import MpclSettings
from model.training import TrainedModel, train


@dataclass
class MpclSystem:
    """MPCL, trained as its settings say.

    Attributes
    ----------
    roles : mapping of str to str
        Role of each modality (`realtime.rig.ROLES`).
    settings : MpclSettings
    seed : int
    device : str
    model : TrainedModel or None
        What `fit` made.
    """

    roles: Mapping[str, str]
    settings: MpclSettings = field(default_factory=MpclSettings.small)
    seed: int = 0
    device: str = "cpu"
    model: TrainedModel | None = None

    def fit(self, batch: Batch, labels: Labels, groups: NDArray[np.str_]) -> TrainedModel:
        """Train on N rated windows of the people in `groups` (N,)."""
        self.model = train(
            self.settings,
            batch,
            labels,
            groups,
            self.roles,
            seed=self.seed,
            device=self.device,
        )
        return self.model

    def predict(self, batch: Batch) -> NDArray[np.float64]:
        """Return distributions, shape (N, C)."""
        return self._trained().predict(batch)

    def inside(self, batch: Batch) -> dict[str, NDArray[np.float32]]:
        """Return what a report shows of the network.

        Parameters
        ----------
        batch : Batch
            N windows.

        Returns
        -------
        dict
            ``address``, shape (N, K): how strongly each window addresses each physiological
            prototype of the ensemble's first network. ``losses``, shape (epochs, 5): task, PRD,
            PCL, intensity and total loss of each epoch, averaged over the members that
            came as far; with early stopping not all do.
        """
        model = self._trained()
        longest = max(entry["epoch"] for entry in model.history)
        losses = np.zeros((longest, len(LOSSES)))
        came = np.zeros(longest)
        for entry in model.history:
            losses[entry["epoch"] - 1] += [entry[name] for name in LOSSES]
            came[entry["epoch"] - 1] += 1
        return {
            "address": model.ensemble.address(batch),
            "losses": (losses / came[:, None]).astype(np.float32),
        }

    def _trained(self) -> TrainedModel:
        if self.model is None:
            raise RuntimeError("fit was not called")
        return self.model
