"""MPCL behind the two calls that all systems share."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from model.batch import Batch, Labels
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
        if self.model is None:
            raise RuntimeError("predict was called before fit")
        return self.model.predict(batch)
