"""A feature window, and what a predictor makes of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class Window:
    """Features of all modalities of one participant at one moment.

    Attributes
    ----------
    participant : str
    time : float
        End of the window (exclusive), in seconds of the session's clock; a whole number of hops.
    features : mapping of str to ndarray of float32, shape (n_features,)
        Raw features by modality, for every modality of the rig; all NaN where `mask` is False.
    normalised : mapping of str to ndarray of float32, shape (n_features,)
        Causal z-scores of the same, NaN replaced by 0; equal to `features` (NaN as 0) when the
        engine has no population statistics.
    mask : mapping of str to bool
        True where the modality is present and good enough to use.
    valid : mapping of str to float
        Share of valid samples, 0 to 1.
    quality : mapping of str to float
        The modality's own quality index, 0 to 1.
    age : mapping of str to float
        Seconds from the newest sample before the window's end to that end; inf when none.
    warm_up : bool
        Some modality does not fill its window yet.
    baseline : str
        What normalisation rests on: ``"none"``, ``"running"``, ``"profile"``, ``"stated"``.
    arrived : float
        Wall time (`time.perf_counter`) at which the sample that completed the window arrived;
        NaN when played from a recording.
    """

    participant: str
    time: float
    features: Mapping[str, NDArray[np.float32]]
    normalised: Mapping[str, NDArray[np.float32]]
    mask: Mapping[str, bool]
    valid: Mapping[str, float]
    quality: Mapping[str, float]
    age: Mapping[str, float]
    warm_up: bool
    baseline: str
    arrived: float = float("nan")


@dataclass(frozen=True, slots=True)
class Prediction:
    """What a predictor says of a batch of N windows.

    Attributes
    ----------
    distributions : ndarray of float64, shape (N, C)
        Non-negative rows that sum to 1.
    radius : ndarray of float64, shape (N,)
        Conformal radius in total variation; each emotion's band is p ± radius, cut to [0, 1].
    intensity : ndarray of float64, shape (N,)
        Mean rating on its scale, 0 to 1.
    """

    distributions: NDArray[np.float64]
    radius: NDArray[np.float64]
    intensity: NDArray[np.float64]


class Predictor(Protocol):
    """Anything that turns windows into distributions."""

    @property
    def emotions(self) -> tuple[str, ...]:
        """Names of the C emotions."""
        ...

    def __call__(self, windows: Sequence[Window]) -> Prediction:
        """Predict a batch of windows."""
        ...
