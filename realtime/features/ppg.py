"""Pulse wave: heart rate, heart rate variability, pulse amplitude, share of clean pulse."""

from __future__ import annotations

from typing import ClassVar, NamedTuple

import numpy as np
from numpy.typing import NDArray

from realtime.features import hrv, hrv_spectrum
from realtime.features.base import Feature, FeatureSet, Segment
from realtime.features.beats import Beats, PulseDetector

REGULAR = 0.15
"""Largest difference, as a share of the shorter, between neighbours of three intervals that follow
each other regularly. Breathing moves neighbours by less in most adults; movement seldom leaves
three alike. Without this rule the movement of WESAD's stress task raises RMSSD there (area under
the curve 0.82 against the other conditions); with it RMSSD falls (0.33), as it should."""

AMPLITUDES = (0.4, 2.5)
"""A clean pulse's amplitude lies between these multiples of the window's median."""

FEWEST = 5
"""Intervals without which there is no heart rate; 10 s of the slowest resting hearts."""

FEWEST_HRV = 12
"""Intervals without which there is no heart rate variability."""

COVERED = 0.5
"""Share of the window that clean pulses must fill for the intervals' spectrum to exist."""

_NEEDS = {
    **dict.fromkeys(hrv.TIME_DOMAIN, 20.0),
    **dict.fromkeys(("HTI", "TINN"), 30.0),
    **dict.fromkeys(hrv.POINCARE, 30.0),
    **dict.fromkeys(("HF", "LnHF"), 30.0),
    **dict.fromkeys(("LF", "LFHF", "LFn", "HFn"), 60.0),
}
_HRV_UNITS = {**hrv.TIME_DOMAIN, **hrv_spectrum.FREQUENCY_DOMAIN, **hrv.POINCARE}


class _Pulse(NamedTuple):
    """What a window's beats come to: normal intervals, which of them are good, median amplitude."""

    beats: Beats
    normal: NDArray[np.float64]
    regular: NDArray[np.bool_]
    clean: NDArray[np.bool_]
    level: float


class PpgFeatures(FeatureSet):
    """Features of a photoplethysmogram whose systole is a maximum (blood volume pulse).

    `heart_rate` comes from the median normal interval, which a movement must fill half of to
    change. The HRV indices bear NeuroKit2's names; see `realtime.features.hrv` for the intervals
    that are rejected. They are taken from clean pulses alone: those whose interval is one of three
    alike in a row, and whose amplitude is like the others'. `clean` is the share of the window that
    clean pulses fill.
    """

    name: ClassVar[str] = "ppg"
    version: ClassVar[int] = 1
    features: tuple[Feature, ...] = (
        Feature("heart_rate", "1/min", 10.0),
        *(Feature(name, unit, _NEEDS[name]) for name, unit in _HRV_UNITS.items()),
        Feature("amplitude", "ln(a.u.)", 10.0),
        Feature("amplitude_spread", "1", 10.0),
        Feature("regularity", "1", 10.0),
        Feature("clean", "1", 10.0),
    )

    def __init__(self, rate: float, channels: int, window: float) -> None:
        super().__init__(rate, channels, window)
        if channels != 1:
            raise ValueError(f"pulse wave with {channels!r} channels: needs 1")
        self._detector = PulseDetector(rate, window)
        self._span: tuple[int, int] | None = None
        self._pulse: _Pulse | None = None

    def update(self, block: Segment) -> None:
        """Look for pulses in the next samples."""
        self._detector.update(block.start, block.filtered[:, 0])
        self._span = None

    def compute(self, window: Segment) -> NDArray[np.float64]:
        """Return the 28 features of a window."""
        out = np.full(len(self.features), np.nan)
        pulse = self._analyse(window)
        if pulse is None:
            return out
        beats, normal = pulse.beats, pulse.normal
        present = normal[normal == normal]
        out[-1] = _clean_share(pulse, window)
        if len(normal):
            out[-2] = np.count_nonzero(pulse.regular) / len(normal)
        if len(present) < FEWEST:
            return out
        out[0] = 60.0 / _median(present)
        out[-4] = np.log(pulse.level)
        out[-3] = 1.4826 * _median(np.abs(beats.amplitudes - pulse.level)) / pulse.level
        if np.count_nonzero(pulse.clean) < FEWEST_HRV:
            return out
        clean = np.where(pulse.clean, normal, np.nan)
        indices = hrv.time_domain(clean) | hrv.poincare(clean)
        if out[-1] >= COVERED:
            indices |= hrv_spectrum.frequency_domain(beats.times[1:], clean)
        for place, name in enumerate(_HRV_UNITS, start=1):
            out[place] = indices.get(name, np.nan)
        return out

    def quality(self, window: Segment) -> float:
        """Return the share of the window that clean pulses fill."""
        pulse = self._analyse(window)
        return 0.0 if pulse is None else _clean_share(pulse, window)

    def _analyse(self, window: Segment) -> _Pulse | None:
        """Judge the window's beats, once for `compute` and `quality`; None for a flat signal."""
        span = (window.start, window.stop)
        if self._span != span:
            self._span = span
            self._pulse = None
            raw = window.raw[:, 0]
            # Of a signal that does not move, the filter makes rounding noise, which has peaks too.
            if len(raw) and np.fmax.reduce(raw) > np.fmin.reduce(raw):
                self._pulse = _judge(self._detector.beats(*span))
        return self._pulse


def _judge(beats: Beats) -> _Pulse:
    """Tell normal, regular and clean intervals."""
    intervals = beats.intervals
    normal = hrv.reject_artefacts(intervals)
    regular = hrv.regular(normal, REGULAR)
    level = _median(beats.amplitudes)
    low, high = AMPLITUDES
    usual = (beats.amplitudes >= low * level) & (beats.amplitudes <= high * level)
    clean = regular & usual[:-1] & usual[1:]
    return _Pulse(beats, normal, regular, clean, level)


def _median(values: NDArray[np.float64]) -> float:
    return hrv.quantile(np.sort(values), 0.5)


def _clean_share(pulse: _Pulse, window: Segment) -> float:
    """Share of a window that intervals between clean pulses fill."""
    return min(1.0, float(pulse.beats.intervals[pulse.clean].sum()) / window.seconds)
