"""Artefacts of EEG taken out by one matrix product: what was fitted to a person, applied.

`calibration.artefacts` fits these filters to a stretch of a person's recording.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from realtime.errors import InputError
from realtime.features.spectrum import hann
from realtime.rig import FilterSettings, ModalitySettings, Rig

REJECTED_SHARE = 0.66
"""Greatest share of directions that subspace reconstruction may take out of a second of EEG (Kothe
and Jung 2016)."""


@dataclass(frozen=True, slots=True)
class Montage:
    """What a filter was fitted on; it serves nothing else.

    Attributes
    ----------
    rig, modality : str
    channels : tuple of str
        The rig's names of all its channels, in order.
    fitted : tuple of bool
        Which of them the cap had at calibration. The others stay out of the features.
    rate : float
        Grid rate in 1/s.
    filter : FilterSettings
        The rig's filter, which the signal has passed.
    """

    rig: str
    modality: str
    channels: tuple[str, ...]
    fitted: tuple[bool, ...]
    rate: float
    filter: FilterSettings

    @classmethod
    def of(cls, rig: Rig, settings: ModalitySettings, fitted: tuple[bool, ...]) -> Montage:
        """Return the montage of a rig's modality."""
        return cls(
            rig.name, settings.name, settings.channel_names, fitted, settings.rate, settings.filter
        )

    def check(self, rig: Rig) -> None:
        """Refuse a rig with another montage.

        Raises
        ------
        InputError
            If the rig has other channels, another rate or another filter.
        """
        settings = next((m for m in rig.modalities if m.name == self.modality), None)
        facts: list[tuple[str, object, object]] = [("modality", self.modality, None)]
        if settings is not None:
            facts = [
                ("channels", ", ".join(self.channels), ", ".join(settings.channel_names)),
                ("rate", self.rate, settings.rate),
                ("filter", self.filter, settings.filter),
            ]
        for what, own, other in facts:
            if own != other:
                raise InputError(
                    f"the artefact filter was fitted for the rig {self.rig!r} with {what} {own}, "
                    f"and the rig {rig.name!r} has {other or 'none such'}: fit one for this rig "
                    "with `affectstream artefacts`"
                )


class ArtefactFilter(ABC):
    """Takes artefacts out of whole seconds of EEG.

    Parameters
    ----------
    montage : Montage
    mixing : ndarray of float64, shape (n_fitted, n_components)
        Of the fitted channels only.
    """

    method: ClassVar[str]

    def __init__(self, montage: Montage, mixing: NDArray[np.float64]) -> None:
        self.montage = montage
        self.fitted = np.array(montage.fitted, dtype=bool)
        self.mixing = mixing

    @abstractmethod
    def clean(
        self, signals: NDArray[np.float64], present: NDArray[np.bool_]
    ) -> NDArray[np.float64]:
        """Return signals without artefacts.

        Parameters
        ----------
        signals : ndarray of float64, shape (n_segments, n_present, n_samples)
            A second each, filtered, not yet referenced, without NaN.
        present : ndarray of bool, shape (n_channels,)
            Which of the rig's channels the rows are; fitted ones only.

        Returns
        -------
        ndarray of float64, shape (n_segments, n_present, n_samples)
        """


class ComponentRemoval(ArtefactFilter):
    """Independent components taken out by a fixed matrix.

    With all fitted channels it is I - A_r W_r, where the columns of A_r are the removed components'
    topographies and the rows of W_r their weights. With fewer, W is the pseudo-inverse of those
    rows of A that are left: the linear estimate of unit-variance sources with the least error.

    Parameters
    ----------
    montage : Montage
    mixing : ndarray of float64, shape (n_fitted, n_components)
        A, for sources of unit variance.
    removed : tuple of int
        Components to take out, from 0.
    """

    method: ClassVar[str] = "ica"

    def __init__(
        self, montage: Montage, mixing: NDArray[np.float64], removed: tuple[int, ...]
    ) -> None:
        super().__init__(montage, mixing)
        self.removed = removed
        self._matrices: dict[bytes, NDArray[np.float64]] = {}

    def clean(
        self, signals: NDArray[np.float64], present: NDArray[np.bool_]
    ) -> NDArray[np.float64]:
        """Return signals without the removed components."""
        return self.matrix(present) @ signals

    def matrix(self, present: NDArray[np.bool_]) -> NDArray[np.float64]:
        """Return the matrix for some of the channels, shape (n_present, n_present)."""
        key = present.tobytes()
        if key not in self._matrices:
            mixing = self.mixing[present[self.fitted]]
            chosen = list(self.removed)
            taken = mixing[:, chosen] @ np.linalg.pinv(mixing)[chosen]
            self._matrices[key] = np.eye(len(mixing)) - taken
        return self._matrices[key]


class SubspaceReconstruction(ArtefactFilter):
    """Artefact subspace reconstruction (Mullen et al. 2015; Kothe and Jung 2016), second by second.

    Directions of a second's covariance in which the power exceeds what calibration allows are taken
    out, and filled in from the other directions by the covariance of clean EEG. The covariance is
    that under the Hann window, as the features see the second, and is shaped by frequency as at
    calibration.

    Parameters
    ----------
    montage : Montage
    mixing : ndarray of float64, shape (n_fitted, n_fitted)
        Square root of the covariance of clean EEG.
    thresholds : ndarray of float64, shape (n_fitted, n_fitted)
        T: the direction v may have the root mean square ``|T v|``.
    shaping : ndarray of float64, shape (n_lines,)
        Gain at each line of a second's spectrum.
    """

    method: ClassVar[str] = "asr"

    def __init__(
        self,
        montage: Montage,
        mixing: NDArray[np.float64],
        thresholds: NDArray[np.float64],
        shaping: NDArray[np.float64],
    ) -> None:
        super().__init__(montage, mixing)
        self.thresholds = thresholds
        self.shaping = shaping
        self._mixings: dict[bytes, NDArray[np.float64]] = {}

    def clean(
        self, signals: NDArray[np.float64], present: NDArray[np.bool_]
    ) -> NDArray[np.float64]:
        """Return signals with artefact directions filled in from the others."""
        return np.array([self.matrix(signal, present) @ signal for signal in signals])

    def matrix(
        self, signal: NDArray[np.float64], present: NDArray[np.bool_]
    ) -> NDArray[np.float64]:
        """Return the matrix for one second, shape (n_present, n_present)."""
        count = len(signal)
        powers, directions = np.linalg.eigh(self._covariance(signal))
        allowed = ((self.thresholds[:, present[self.fitted]] @ directions) ** 2).sum(axis=0)
        keep = powers < allowed
        # The weakest directions stay in any case: something must be left to fill in from.
        keep[: max(0, count - int(REJECTED_SHARE * count + 0.5) - 1)] = True
        if keep.all():
            return np.eye(count)
        mixing = self._mixing(present)
        kept = (directions.T @ mixing) * keep[:, None]
        result: NDArray[np.float64] = mixing @ np.linalg.pinv(kept) @ directions.T
        return result

    def _covariance(self, signal: NDArray[np.float64]) -> NDArray[np.float64]:
        count = signal.shape[1]
        window = hann(count)
        spectrum = np.fft.rfft(signal * window)
        # One-sided; by Parseval's theorem the sum over lines is the variance under the window.
        weights = self.shaping**2 * (2.0 / (count * float(window @ window)))
        weights[0] *= 0.5
        if count % 2 == 0:
            weights[-1] *= 0.5
        spectrum *= np.sqrt(weights)
        parts = np.concatenate((spectrum.real, spectrum.imag), axis=1)
        covariance: NDArray[np.float64] = parts @ parts.T
        return covariance

    def _mixing(self, present: NDArray[np.bool_]) -> NDArray[np.float64]:
        """Return the square root of the clean covariance of the channels that are there."""
        rows = present[self.fitted]
        if rows.all():
            return self.mixing
        key = present.tobytes()
        if key not in self._mixings:
            part = self.mixing[rows]
            powers, directions = np.linalg.eigh(part @ part.T)
            roots = np.sqrt(np.maximum(powers, 0.0))
            self._mixings[key] = (directions * roots) @ directions.T
        return self._mixings[key]
