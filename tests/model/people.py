"""Made-up people for the tests of networks: windows, labels, and a teacher that relates them."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from model.batch import Batch, Labels
from model.settings import MpclSettings

ROLES = {
    "ppg": "primary",
    "eda": "auxiliary",
    "temperature": "auxiliary",
    "acc": "behavioural",
}
SIZES = {"ppg": 5, "eda": 4, "temperature": 3, "acc": 4}
EMOTIONS = 4

TINY = MpclSettings(
    width=8,
    tokens=2,
    heads=2,
    prototypes=6,
    slots=(6, 4),
    lambda_prd=0.01,
    lambda_pcl=0.01,
    batch_size=32,
    epochs=3,
    patience=2,
)


def windows(count: int, seed: int = 0, sizes: dict[str, int] | None = None) -> Batch:
    """Return windows of random features, all modalities present."""
    draw = np.random.default_rng(seed)
    sizes = SIZES if sizes is None else sizes
    return Batch(
        {n: draw.standard_normal((count, size)).astype(np.float32) for n, size in sizes.items()},
        {n: np.ones(count, dtype=bool) for n in sizes},
        np.arange(count, dtype=np.float64),
    )


def teacher(batch: Batch) -> Labels:
    """Label windows by a fixed linear softmax of their features."""
    draw = np.random.default_rng(99)
    values = np.concatenate(list(batch.features.values()), axis=1).astype(np.float64)
    logits = values @ draw.standard_normal((values.shape[1], EMOTIONS)) * 0.4
    shares = np.exp(logits)
    strength = 1 / (1 + np.exp(-values[:, 0]))
    return Labels(shares / shares.sum(axis=1, keepdims=True), strength)


def people(count: int, of: int = 4) -> NDArray[np.str_]:
    """Return a person for each window, in turns."""
    return np.array([f"p{index % of}" for index in range(count)])
