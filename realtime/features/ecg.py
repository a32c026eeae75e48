"""Electrocardiogram: heart rate, and 72 indices of heart rate variability."""

from __future__ import annotations

from typing import ClassVar, NamedTuple

import numpy as np
from numpy.typing import NDArray

from realtime.errors import InputError
from realtime.features import (
    hrv,
    hrv_complexity,
    hrv_dfa,
    hrv_fragmentation,
    hrv_poincare,
    hrv_spectrum,
)
from realtime.features.base import Feature, FeatureSet, Segment
from realtime.features.beats import Beats
from realtime.features.rpeaks import SLOWEST_RATE, RPeakDetector
from realtime.rig import ModalitySettings

INDICES = """
    MeanNN SDNN SDANN1 SDNNI1 SDANN2 SDNNI2 SDANN5 SDNNI5 RMSSD SDSD CVNN CVSD MedianNN MadNN MCVNN
    IQRNN pNN50 pNN20 HTI TINN
    ULF VLF LF HF VHF LFHF LFn HFn LnHF
    SD1 SD2 SD1SD2 S CSI CVI CSI_Modified
    PIP IALS PSS PAS
    GI SI AI PI C1d C1a SD1d SD1a C2d C2a SD2d SD2a Cd Ca SDNNd SDNNa
    DFA_alpha1 DFA_alpha1_ExpRange DFA_alpha1_ExpMean DFA_alpha1_DimRange DFA_alpha1_DimMean
    ApEn SampEn ShanEn FuzzyEn MSE CMSE RCMSE CD HFD KFD LZC
""".split()
"""The HRV indices in the order of the feature vector."""

MULTISCALE = {"MSE": "1", "CMSE": "1", "RCMSE": "1"}
"""Multiscale entropies keep their places in the vector, and are always NaN: at the coarser scales
they need thousands of beats (Costa et al. 2002), more than any window holds."""

FEWEST = 5
"""Intervals without which there is no heart rate; 10 s of the slowest resting hearts."""

FEWEST_HRV = 12
"""Intervals without which there is no heart rate variability."""

FEWEST_NONLINEAR = 30
"""Intervals without which there is no complexity: a minute of the slowest resting hearts. Segments
of 11 intervals that overlap by half are then three at least."""

COVERED = 0.5
"""Share of the window that normal intervals must fill for their spectrum and complexity to exist.
"""

REGULAR = 0.2
"""Share by which neighbours among regular intervals differ at most (Malik et al. 1989)."""

FLAT = 0.2
"""Seconds without any change after which there is no signal."""

ROUNDING = 1e-9
"""Share of a signal's size below which its changes are rounding; converters have 24 bits at most,
six in 10⁸."""

NEAR = 0.06
"""Seconds around a beat in which the signal must move: about half a QRS complex."""

_UNITS = {
    **hrv.TIME_DOMAIN,
    **hrv.LONG_TERM,
    **dict.fromkeys(hrv_spectrum.BANDS, "1"),
    **hrv_spectrum.FREQUENCY_DOMAIN,
    **hrv.POINCARE,
    **hrv_poincare.ELLIPSE,
    **hrv_poincare.ASYMMETRY,
    **hrv_fragmentation.FRAGMENTATION,
    **hrv_dfa.DFA,
    **hrv_complexity.ENTROPIES,
    **hrv_complexity.DIMENSIONS,
    **MULTISCALE,
}
# Shortest stretch in s. HF needs ten of its waves and LF six (Task Force 1996 asks for 60 s and
# 120 s); VLF and ULF four of their slowest; SDANN and SDNNI three segments.
_NEEDS = {
    **dict.fromkeys(_UNITS, 60.0),
    **dict.fromkeys(hrv.TIME_DOMAIN, 20.0),
    **dict.fromkeys(("HTI", "TINN", "HF", "LnHF"), 30.0),
    **dict.fromkeys((*hrv.POINCARE, *hrv_poincare.ELLIPSE, *hrv_poincare.ASYMMETRY), 30.0),
    **{name: 180.0 * int(name[-1]) for name in hrv.LONG_TERM},
    "VLF": 300.0,
    "ULF": 1800.0,
    **dict.fromkeys(MULTISCALE, 3600.0),
}


class _Rhythm(NamedTuple):
    """What a window's beats come to: intervals' ends, normal intervals, share of stuck signal."""

    times: NDArray[np.float64]
    normal: NDArray[np.float64]
    stuck: float


class EcgFeatures(FeatureSet):
    """Features of one lead of an electrocardiogram, upright or inverted.

    Names and definitions are NeuroKit2's. `ECG_Rate_Mean` is the mean heart rate over time, 60 s
    over the mean normal interval. The HRV indices are those of the normal intervals between the R
    peaks of the window; see `realtime.features.hrv` for the intervals that are rejected. Successive
    differences are taken only between true neighbours; complexity is that of the normal intervals
    one after another.

    `SDANN*`, `SDNNI*`, `VLF` and `ULF` need windows of 3 minutes to half an hour; the multiscale
    entropies do not exist on any window.
    """

    name: ClassVar[str] = "ecg"
    version: ClassVar[int] = 1
    features: tuple[Feature, ...] = (
        Feature("ECG_Rate_Mean", "1/min", 10.0),
        *(Feature(f"HRV_{name}", _UNITS[name], _NEEDS[name]) for name in INDICES),
    )

    def __init__(self, rate: float, channels: int, window: float) -> None:
        super().__init__(rate, channels, window)
        if channels != 1:
            raise ValueError(f"ECG with {channels!r} channels: needs 1")
        self._detector = RPeakDetector(rate, window)
        self._span: tuple[int, int] | None = None
        self._rhythm: _Rhythm | None = None

    @classmethod
    def entries(cls, settings: ModalitySettings) -> tuple[Feature, ...]:
        """Return the 73 features.

        Raises
        ------
        InputError
            If the rig's rate is too low to see R peaks, or it names several leads.
        """
        where = f"modality {settings.name!r}: the feature set {cls.name!r}"
        if not settings.rate >= SLOWEST_RATE:
            raise InputError(
                f"{where} needs {SLOWEST_RATE:g} samples/s, and the rig's rate is "
                f"{settings.rate!r}: raise it"
            )
        if len(settings.channels) != 1:
            given = ", ".join(settings.channel_names)
            raise InputError(f"{where} takes one lead, and the rig names {given}: keep one")
        return super().entries(settings)

    def update(self, block: Segment) -> None:
        """Look for R peaks in the next samples."""
        self._detector.update(block.start, block.filtered[:, 0])
        self._span = None

    def compute(self, window: Segment) -> NDArray[np.float64]:
        """Return the 73 features of a window."""
        out = np.full(len(self.features), np.nan)
        rhythm = self._analyse(window)
        if rhythm is None:
            return out
        times, normal = rhythm.times, rhythm.normal
        present = normal[normal == normal]
        if len(present) < FEWEST:
            return out
        out[0] = 60.0 * len(present) / present.sum()
        if len(present) < FEWEST_HRV:
            return out
        indices = hrv.time_domain(normal) | hrv.long_term(times, normal) | hrv.poincare(normal)
        indices |= hrv_poincare.ellipse(indices["SD1"], indices["SD2"])
        indices |= hrv_poincare.asymmetry(normal)
        indices |= hrv_fragmentation.fragmentation(normal)
        if present.sum() >= COVERED * window.seconds:
            powers = hrv_spectrum.band_powers(times, normal)
            indices |= powers | hrv_spectrum.relative_powers(powers)
            if len(present) >= FEWEST_NONLINEAR:
                indices |= hrv_dfa.dfa(present) | hrv_complexity.complexity(present)
        out[1:] = [indices.get(name, np.nan) for name in INDICES]
        return out

    def quality(self, window: Segment) -> float:
        """Return the share of the window that regular intervals fill, less flat or clipped signal.

        Regular intervals are normal ones of which three in a row are alike: noise has few of them.
        The window is taken to end half an interval after its last beat, and to begin likewise.
        """
        rhythm = self._analyse(window)
        if rhythm is None:
            return 0.0
        clean = rhythm.normal[hrv.regular(rhythm.normal, REGULAR)]
        if not len(clean):
            return 0.0
        filled = float(clean.sum()) * (1.0 + 1.0 / len(clean)) / window.seconds
        return min(1.0, filled) * (1.0 - rhythm.stuck)

    def _analyse(self, window: Segment) -> _Rhythm | None:
        """Judge the window's beats, once for `compute` and `quality`; None for a flat signal."""
        span = (window.start, window.stop)
        if self._span != span:
            self._span = span
            self._rhythm = None
            raw = np.ascontiguousarray(window.raw[:, 0])
            low, high = _limits(raw)
            # Of a signal that does not move, resampling and the filter make rounding noise, which
            # has peaks too.
            still = ROUNDING * max(abs(low), abs(high))
            if high - low > still:
                beats = self._detector.beats(*span)
                intervals = self._without_flat(beats, raw, still)
                self._rhythm = _Rhythm(
                    beats.times[1:] - beats.times[:1],
                    hrv.reject_artefacts(intervals),
                    _stuck_share(raw, low, high, FLAT * self.rate),
                )
        return self._rhythm

    def _without_flat(
        self, beats: Beats, raw: NDArray[np.float64], still: float
    ) -> NDArray[np.float64]:
        """Intervals between beats; NaN from or to one around which the signal does not move."""
        reach = max(1, round(NEAR * self.rate))
        at = np.rint(beats.times * self.rate).astype(np.int64)
        around = at[:, None] + np.linspace(-reach, reach, 9).astype(np.int64)
        near = raw[np.minimum(np.maximum(around, 0), len(raw) - 1)]
        moves = np.any(np.abs(near - near[:, :1]) > still, axis=1)
        return np.where(moves[1:] & moves[:-1], beats.intervals, np.nan)


def _limits(raw: NDArray[np.float64]) -> tuple[float, float]:
    """Smallest and largest present value; NaN of none."""
    if not len(raw):
        return float("nan"), float("nan")
    low, high = raw.min(), raw.max()
    if low != low:
        low, high = np.fmin.reduce(raw), np.fmax.reduce(raw)
    return float(low), float(high)


def _stuck_share(raw: NDArray[np.float64], low: float, high: float, longest: float) -> float:
    """Share of samples in a flat stretch, or clipped: three or more at one of the signal's limits.

    Parameters
    ----------
    raw : ndarray of float64, shape (n_samples,)
    low, high : float
        The limits.
    longest : float
        Equal samples of which more make a flat stretch.
    """
    equal = raw[1:] == raw[:-1]
    if not (equal[1:] & equal[:-1]).any():
        return 0.0
    ends = np.append(np.flatnonzero(~equal), len(raw) - 1)
    runs = np.diff(ends, prepend=-1)
    several = np.flatnonzero(runs > 2)
    held, runs = raw[ends[several]], runs[several]
    stuck = (runs > longest) | (held == low) | (held == high)
    return float(runs[stuck].sum()) / len(raw)
