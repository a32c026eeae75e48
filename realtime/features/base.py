"""What every feature set is: named entries, carried state, one vector a window."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import ClassVar, Self

import numpy as np
from numpy.typing import NDArray

from realtime.errors import InputError
from realtime.features.artefacts import ArtefactFilter
from realtime.rig import ModalitySettings


@dataclass(frozen=True, slots=True)
class Feature:
    """One entry of a feature vector.

    Attributes
    ----------
    name : str
        Stable name, without the modality (``heart_rate``).
    unit : str
        SI or field unit; ``"1"`` for a pure number.
    seconds : float
        The shortest stretch of data on which it exists; NaN before.
    """

    name: str
    unit: str
    seconds: float


@dataclass(frozen=True, slots=True)
class Segment:
    """Consecutive samples of one modality on its grid.

    Attributes
    ----------
    start : int
        Grid index of the first row. Row i was taken at ``(start + i) / rate`` seconds after the
        stream's first sample.
    rate : float
        Grid rate in 1/s.
    raw : ndarray of float64, shape (n_samples, n_channels)
        In the rig's unit; NaN where missing.
    filtered : ndarray of float64, shape (n_samples, n_channels)
        After the rig's causal filter; NaN where missing or not settled.
    """

    start: int
    rate: float
    raw: NDArray[np.float64]
    filtered: NDArray[np.float64]

    @property
    def stop(self) -> int:
        """Grid index one past the last row."""
        return self.start + len(self.raw)

    @property
    def seconds(self) -> float:
        """Length in seconds."""
        return len(self.raw) / self.rate


class FeatureSet(ABC):
    """Features of one modality, with the detector state that they need.

    The engine calls `update` once for every sample, in order, in blocks of any size, and
    `extract` at the end of each window; everything that `update` saw lies before that end. Neither
    may depend on how samples were cut into blocks, nor on the time origin.

    Parameters
    ----------
    rate : float
        Grid rate in 1/s.
    channels : int
        Number of channels.
    window : float
        Window length in seconds; how far back detector events must be kept.
    """

    name: ClassVar[str]
    version: ClassVar[int]
    features: tuple[Feature, ...]

    def __init__(self, rate: float, channels: int, window: float) -> None:
        self.rate = rate
        self.channels = channels
        self.window = window

    @classmethod
    def for_modality(cls, settings: ModalitySettings) -> Self:
        """Return the feature set as a rig wants it.

        Raises
        ------
        InputError
            If the rig asks for something that the feature set does not offer.
        """
        _refuse_options(cls.name, settings)
        return cls(settings.rate, len(settings.channels), settings.window)

    @classmethod
    def entries(cls, settings: ModalitySettings) -> tuple[Feature, ...]:
        """Return the features that a rig's modality gives: `features`, unless they depend on it."""
        _refuse_options(cls.name, settings)
        return cls.features

    def take_out(self, artefacts: ArtefactFilter) -> None:
        """Take artefacts out of every window from now on.

        Raises
        ------
        InputError
            If the feature set knows no artefacts.
        """
        raise InputError(
            f"an artefact filter is for EEG, and {artefacts.montage.modality!r} gives {self.name!r}"
        )

    @abstractmethod
    def update(self, block: Segment) -> None:
        """Advance the carried state over the next samples."""

    @abstractmethod
    def compute(self, window: Segment) -> NDArray[np.float64]:
        """Return all features of a window, in the order of `features`; NaN where undefined.

        During warm-up the segment holds only the rows since the stream's first sample.
        """

    @abstractmethod
    def quality(self, window: Segment) -> float:
        """Return the modality's own quality index of a window, 0 (useless) to 1 (clean)."""

    def extract(self, window: Segment) -> NDArray[np.float32]:
        """Return the feature vector, float32, with entries that need more data set to NaN."""
        with np.errstate(all="ignore"):
            values = np.asarray(self.compute(window), dtype=np.float64)
        if values.shape != (len(self.features),):
            raise ValueError(
                f"{self.name} gave shape {values.shape}, needs ({len(self.features)},)"
            )
        needs = np.array([feature.seconds for feature in self.features])
        values[needs > window.seconds + 0.5 / self.rate] = np.nan
        values[~np.isfinite(values)] = np.nan
        return values.astype(np.float32)


def _refuse_options(name: str, settings: ModalitySettings) -> None:
    if settings.options:
        given = ", ".join(key for key, _ in settings.options)
        raise InputError(
            f"modality {settings.name!r}: the feature set {name!r} has no options, and the rig "
            f"gives {given}: remove them"
        )
