"""What every system is fitted to and asked about: a batch of feature windows, and its labels."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from realtime.errors import InputError
from realtime.window import Window


@dataclass(frozen=True, slots=True)
class Batch:
    """N feature windows of any number of people, as arrays.

    Attributes
    ----------
    features : mapping of str to ndarray of float32, shape (N, D)
        Normalised features by modality; finite (what does not exist is 0).
    mask : mapping of str to ndarray of bool, shape (N,)
        True where the modality is present and good enough to use; the same keys as `features`.
    elapsed : ndarray of float64, shape (N,)
        Seconds from the start of each window's session to its end. For the clock reference only;
        no other system may look at it.
    """

    features: Mapping[str, NDArray[np.float32]]
    mask: Mapping[str, NDArray[np.bool_]]
    elapsed: NDArray[np.float64]

    def __post_init__(self) -> None:
        if not self.features or set(self.features) != set(self.mask):
            raise ValueError(
                f"features of {sorted(self.features)} and masks of {sorted(self.mask)}: "
                "need the same modalities, at least one"
            )
        if self.elapsed.ndim != 1:
            raise ValueError(f"elapsed of shape {self.elapsed.shape}: needs (N,)")
        count = len(self.elapsed)
        for name, values in self.features.items():
            if values.ndim != 2 or len(values) != count or self.mask[name].shape != (count,):
                raise ValueError(
                    f"{name}: features of shape {values.shape} and mask of shape "
                    f"{self.mask[name].shape} do not fit {count} windows: need (N, D) and (N,)"
                )

    def __len__(self) -> int:
        return len(self.elapsed)

    def __getitem__(self, rows: NDArray[np.integer] | NDArray[np.bool_] | slice) -> Batch:
        """Return the windows at `rows` (an array of indices, of booleans, or a slice)."""
        return Batch(
            {name: values[rows] for name, values in self.features.items()},
            {name: values[rows] for name, values in self.mask.items()},
            self.elapsed[rows],
        )

    @property
    def modalities(self) -> tuple[str, ...]:
        """Names of the modalities, in order."""
        return tuple(self.features)

    @property
    def sizes(self) -> dict[str, int]:
        """Number of features of each modality."""
        return {name: values.shape[1] for name, values in self.features.items()}

    def only(self, modalities: Sequence[str]) -> Batch:
        """Return the batch with just these modalities, as though no other had been worn.

        Raises
        ------
        InputError
            If one of them is not in the batch.
        """
        for name in modalities:
            if name not in self.features:
                raise InputError(
                    f"no modality {name!r} in the data: use one of {', '.join(self.features)}"
                )
        return Batch(
            {name: self.features[name] for name in modalities},
            {name: self.mask[name] for name in modalities},
            self.elapsed,
        )

    def without(self, modalities: Sequence[str]) -> Batch:
        """Return the batch with these modalities marked as missing (0, and masked)."""
        return Batch(
            {n: np.zeros_like(v) if n in modalities else v for n, v in self.features.items()},
            {n: np.zeros_like(m) if n in modalities else m for n, m in self.mask.items()},
            self.elapsed,
        )


@dataclass(frozen=True, slots=True)
class Labels:
    """What N windows were rated as.

    Attributes
    ----------
    distribution : ndarray of float64, shape (N, C)
        Non-negative shares of the C emotions that sum to 1 over the rated ones; 0 elsewhere.
    intensity : ndarray of float64, shape (N,)
        Mean rating on its scale, 0 to 1; NaN where unknown.
    items : ndarray of bool, shape (N, C), or None
        True where an emotion was rated; None when all were.
    """

    distribution: NDArray[np.float64]
    intensity: NDArray[np.float64]
    items: NDArray[np.bool_] | None = None

    def __post_init__(self) -> None:
        shape = self.distribution.shape
        if len(shape) != 2 or self.intensity.shape != shape[:1]:
            raise ValueError(
                f"distribution of shape {shape} does not fit intensity of shape "
                f"{self.intensity.shape}: need (N, C) and (N,)"
            )
        if self.items is not None and self.items.shape != shape:
            raise ValueError(f"items of shape {self.items.shape}: need {shape}")

    def __len__(self) -> int:
        return len(self.distribution)

    def __getitem__(self, rows: NDArray[np.integer] | NDArray[np.bool_] | slice) -> Labels:
        """Return the labels at `rows` (an array of indices, of booleans, or a slice)."""
        return Labels(
            self.distribution[rows],
            self.intensity[rows],
            None if self.items is None else self.items[rows],
        )


def concatenate(batches: Sequence[Batch]) -> Batch:
    """Join batches of the same modalities, one after the other."""
    first = batches[0]
    return Batch(
        {n: np.concatenate([b.features[n] for b in batches]) for n in first.modalities},
        {n: np.concatenate([b.mask[n] for b in batches]) for n in first.modalities},
        np.concatenate([b.elapsed for b in batches]),
    )


def concatenate_labels(labels: Sequence[Labels]) -> Labels:
    """Join labels of the same emotions, one after the other."""
    items = None
    if any(one.items is not None for one in labels):
        items = np.concatenate(
            [np.ones(x.distribution.shape, bool) if x.items is None else x.items for x in labels]
        )
    return Labels(
        np.concatenate([one.distribution for one in labels]),
        np.concatenate([one.intensity for one in labels]),
        items,
    )


def some(batch: Batch, most: int) -> Batch:
    """Return at most `most` windows of a batch, evenly spread over it."""
    count = min(most, len(batch))
    return batch[np.linspace(0, len(batch) - 1, count).round().astype(int)]


def from_windows(windows: Sequence[Window], modalities: Sequence[str], start: float = 0.0) -> Batch:
    """Stack the engine's windows to a batch.

    Parameters
    ----------
    windows : sequence of Window
    modalities : sequence of str
        Which to take, in this order; every window must have them.
    start : float
        When the session started, on the windows' clock, in seconds.
    """
    features = {}
    mask = {}
    for name in modalities:
        mask[name] = np.array([bool(window.mask[name]) for window in windows], dtype=bool)
        stacked = np.array([window.normalised[name] for window in windows], dtype=np.float32)
        # A masked modality's numbers are of no use; 0 keeps them out of every system alike.
        features[name] = np.where(mask[name][:, None], np.nan_to_num(stacked), np.float32(0))
    times = np.array([window.time for window in windows], dtype=np.float64)
    return Batch(features, mask, times - start)
