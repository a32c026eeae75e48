"""Brain rhythms: differential entropy of each electrode in five frequency bands."""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar, Self

import numpy as np
from numpy.typing import NDArray

from realtime.errors import InputError
from realtime.features.artefacts import ArtefactFilter
from realtime.features.base import Feature, FeatureSet, Segment
from realtime.features.spectrum import power_density
from realtime.rig import ModalitySettings
from realtime.units import converter

BANDS: dict[str, dict[str, tuple[float, float]]] = {
    "duan": {
        **{"delta": (1.0, 3.0), "theta": (4.0, 7.0), "alpha": (8.0, 13.0)},
        **{"beta": (14.0, 30.0), "gamma": (31.0, 50.0)},
    },
    "emotiondict": {
        **{"delta": (1.0, 4.0), "theta": (4.0, 8.0), "alpha": (8.0, 14.0)},
        **{"beta": (14.0, 31.0), "gamma": (31.0, 45.0)},
    },
}
"""Hz, both edges included: Duan et al. 2013, and the bands of EmotionDict, where a line on an edge
belongs to both bands."""

REFERENCES = ("average", "none")

QUIET = 0.5
"""µV, root mean square: amplifiers alone have as much noise, so no scalp is behind it."""

LOUD = 200.0
"""µV, root mean square over the window: a blink reaches 200 µV for a fifth of a second, and only
loose electrodes and movement keep more up."""

RAILED = 0.1
"""Share of samples at the window's highest or lowest value from which a channel is clipped. Steps
of 0.5 µV, the coarsest in use, put some 2 % of a quiet signal there."""


class EegFeatures(FeatureSet):
    """Differential entropy of electrodes in frequency bands (Duan, Zhu and Lu 2013).

    DE = ½ ln(2πe Σ PSD Δf) over the band's lines, in nats of µV, which for band-limited Gaussian
    noise is ½ ln(2πe σ²). The power spectral density is one-sided, of a second under a Hann window;
    longer windows average the seconds that half overlap (Welch 1967). Before it, artefacts are
    taken out, if a filter is given (`take_out`), and then the mean of all electrodes that
    measure, if the rig's option ``reference`` is ``"average"``, as it is unless set to ``"none"``.

    An electrode is NaN that is absent, lacks a sample in half of the seconds or more, or does not
    change. A band that reaches beyond half the grid's rate is left out of the features.
    """

    name: ClassVar[str] = "eeg"
    version: ClassVar[int] = 1

    def __init__(self, settings: ModalitySettings) -> None:
        super().__init__(settings.rate, len(settings.channels), settings.window)
        options = _options(settings)
        self.features = self.entries(settings)
        self.artefacts: ArtefactFilter | None = None
        self._average = options["reference"] == "average"
        self._length = round(settings.rate)
        # The lines of a second lie at 1 Hz, or next to it where the rate is no whole number.
        hertz = np.rint(np.arange(self._length // 2 + 1) * (settings.rate / self._length))
        self._lines = np.column_stack(
            [(low <= hertz) & (hertz <= high) for low, high in _bands(settings, options).values()]
        ).astype(np.float64)

    @classmethod
    def for_modality(cls, settings: ModalitySettings) -> Self:
        """Return the feature set as a rig wants it.

        Raises
        ------
        InputError
            If an option is unknown, the unit is not µV, or the rate too low for any band.
        """
        return cls(settings)

    @classmethod
    def entries(cls, settings: ModalitySettings) -> tuple[Feature, ...]:
        """Return the features: the bands of the first channel, of the second, and so on."""
        bands = _bands(settings, _options(settings))
        return tuple(
            Feature(f"{channel}.{band}", "ln(uV)", 1.0)
            for channel in settings.channel_names
            for band in bands
        )

    def take_out(self, artefacts: ArtefactFilter) -> None:
        """Take artefacts out of every window from now on."""
        self.artefacts = artefacts

    def update(self, block: Segment) -> None:
        """Do nothing: the features need no more than the window itself."""

    def compute(self, window: Segment) -> NDArray[np.float64]:
        """Return the features of a window."""
        bands = self._lines.shape[1]
        signals = self._seconds(window.filtered)
        raw = self._seconds(window.raw)
        # One that never changes is not measured, and must not weigh in the average.
        present = np.isfinite(signals).all(axis=2) & (raw.max(axis=2) > raw.min(axis=2))
        if self.artefacts is not None:
            present &= self.artefacts.fitted
        power = np.zeros((self.channels, bands))
        for here, rows in _patterns(present):
            part = signals[rows][:, here]
            if self.artefacts is not None:
                part = self.artefacts.clean(part, here)
            if self._average:
                part = part - part.mean(axis=1, keepdims=True)
            _, density = power_density(part, window.rate)
            power[here] += (density @ self._lines).sum(axis=0)
        count = present.sum(axis=0)
        resolution = window.rate / self._length
        with np.errstate(divide="ignore", invalid="ignore"):
            power *= (resolution / count)[:, None]
            entropy = 0.5 * np.log(2.0 * np.pi * np.e * power)
        entropy[2 * count <= len(present)] = np.nan
        entropy[~np.isfinite(entropy)] = np.nan
        return entropy.ravel()

    def quality(self, window: Segment) -> float:
        """Return the share of the rig's channels that measure EEG.

        Such a channel has all samples, a root mean square between `QUIET` and `LOUD` after the
        filter, and fewer samples than the share `RAILED` at its highest and at its lowest value.
        """
        raw, filtered = window.raw, window.filtered
        if not len(raw):
            return 0.0
        with np.errstate(invalid="ignore"):
            level = np.sqrt(np.einsum("ij,ij->j", filtered, filtered) / len(filtered))
            good = (level >= QUIET) & (level <= LOUD)
            for extreme in (raw.max(axis=0), raw.min(axis=0)):
                good &= (raw == extreme).mean(axis=0) < RAILED
        return float(good.mean())

    def _seconds(self, cells: NDArray[np.float64]) -> NDArray[np.float64]:
        """Cut cells into seconds that half overlap, the last at the end: (seconds, channels, n)."""
        step = max(1, self._length // 2)
        stops = range(len(cells), self._length - 1, -step)
        if not stops:
            return np.empty((0, self.channels, self._length))
        return np.array([cells[stop - self._length : stop].T for stop in stops])


def _patterns(
    present: NDArray[np.bool_],
) -> Iterator[tuple[NDArray[np.bool_], NDArray[np.bool_]]]:
    """Yield each set of channels that occurs, and the seconds in which it does."""
    left = present.any(axis=1)
    while left.any():
        here = present[left.argmax()]
        rows = left & (present == here).all(axis=1)
        left &= ~rows
        yield here, rows


def _options(settings: ModalitySettings) -> dict[str, str]:
    """Return the rig's choices, checked."""
    known = {"bands": tuple(BANDS), "reference": REFERENCES}
    chosen = {"bands": "duan", "reference": "average"}
    where = f"modality {settings.name!r}: "
    for key, value in settings.options:
        if key not in known:
            raise InputError(
                f"{where}the feature set 'eeg' has no option {key!r}: use {' or '.join(known)}"
            )
        if value not in known[key]:
            raise InputError(
                f"{where}options.{key} is {value!r}, must be {' or '.join(map(repr, known[key]))}"
            )
        chosen[key] = value
    conversion = converter(settings.unit, "uV")
    if conversion is None or not conversion.is_identity:
        raise InputError(f"{where}the unit of EEG is {settings.unit!r}, must be 'uV'")
    if chosen["reference"] == "average" and len(settings.channels) == 1:
        raise InputError(
            f'{where}one channel less its own average is nothing: add options.reference = "none"'
        )
    return chosen


def _bands(settings: ModalitySettings, options: dict[str, str]) -> dict[str, tuple[float, float]]:
    """Return the bands that a rig's grid can show."""
    bands = {
        name: edges
        for name, edges in BANDS[options["bands"]].items()
        if edges[1] <= settings.rate / 2
    }
    if not bands:
        raise InputError(
            f"modality {settings.name!r}: the rate of EEG is {settings.rate:g} Hz, must be at "
            "least 100 Hz for all bands"
        )
    return bands
