"""Skin conductance: level, tonic and phasic part, skin conductance responses (SCRs)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray
from scipy import signal

from realtime.features.base import Feature, FeatureSet, Segment
from realtime.features.trend import slope, spread, tail

TONIC_CUTOFF = 0.05
"""Hz; the border between level and responses (Boucsein 2012; NeuroKit2 uses the same)."""

SETTLE = 5.0
"""Seconds after a start or a gap for which tonic and phasic part count as missing: the filter
starts as if the first sample had always been there, and has mostly forgotten it after these."""

THRESHOLD = 0.02
"""uS; smaller rises are no SCR. The literature uses 0.01 to 0.05 uS (Boucsein 2012; Braithwaite
et al. 2013). At the wrists of WESAD, 0.01, 0.02 and 0.05 give 12.3, 9.5 and 5.1 SCRs a minute
under stress against 3.0, 1.6 and 0.6 at rest (medians of 12 people); 0.02 tells them apart best."""

REVERSAL = 0.002
"""uS by which the phasic part must turn back before a minimum or maximum counts: about two steps
of an E4's converter (0.9 nS), so that its quantisation makes no SCRs and cuts none in two."""

LOWEST, HIGHEST = 0.01, 100.0
"""uS between which skin conductance lies; less is an electrode without contact."""

STEEPEST = 10.0
"""uS/s that skin cannot exceed (Kleckner et al. 2018)."""

FLAT = 5.0
"""Seconds without any change after which the signal is no measurement."""

RECENT, RECENT_SLOPE = 10.0, 20.0


@dataclass(slots=True)
class Response:
    """A skin conductance response.

    Attributes
    ----------
    onset, peak : int
        Grid indices of the minimum that it rises from, and of its maximum.
    amplitude : float
        Rise from onset to peak in the phasic part, in uS.
    half_recovery : int
        Grid index at which half of the amplitude is gone; -1 until then, and if the next response
        comes first.
    """

    onset: int
    peak: int
    amplitude: float
    half_recovery: int = -1


class ResponseFinder:
    """Finds SCRs, one sample at a time, from the samples seen so far.

    A response is a rise by `threshold` or more from a minimum to the next maximum (trough to peak).
    It is known once the signal has turned back by `reversal`.

    The signal searched is the phasic part, but for one thing: every high-pass swings below its
    baseline after a response, and its way back is a rise that the skin never made. While the tonic
    part falls, steps are therefore those of the unsplit signal; each step is the smaller one of the
    two.
    """

    def __init__(self, threshold: float = THRESHOLD, reversal: float = REVERSAL) -> None:
        self.threshold = threshold
        self.reversal = reversal
        self.responses: list[Response] = []
        self.restart()

    def restart(self) -> None:
        """Forget the running extremum and an unfinished response; keep the finished ones."""
        self._level = np.nan
        self._phasic = np.nan
        self._sum = 0.0
        self._rising = False
        self._low = np.inf
        self._low_at = 0
        self._high = -np.inf
        self._high_at = 0
        self._half = -np.inf

    def push(self, index: int, level: float, tonic: float) -> None:
        """Take the next sample, in uS, and its tonic part."""
        phasic = level - tonic
        if self._level == self._level:
            self._sum += min(phasic - self._phasic, level - self._level)
        self._level, self._phasic = level, phasic
        value = self._sum
        if value <= self._half:
            self.responses[-1].half_recovery = index
            self._half = -np.inf
        if self._rising:
            if value > self._high:
                self._high, self._high_at = value, index
            elif self._high - value > self.reversal:
                self._end_rise()
                self._rising = False
                self._low, self._low_at = value, index
        elif value <= self._low:
            # "<=" takes the last of equal minima, so that a plateau is no part of the rise.
            self._low, self._low_at = value, index
        elif value - self._low > self.reversal:
            self._rising = True
            self._high, self._high_at = value, index

    def forget(self, before: int) -> None:
        """Drop responses that peaked before a grid index."""
        kept = [r for r in self.responses if r.peak >= before]
        if len(kept) < len(self.responses):
            if not kept:
                self._half = -np.inf
            self.responses = kept

    def _end_rise(self) -> None:
        amplitude = self._high - self._low
        if amplitude >= self.threshold:
            self.responses.append(Response(self._low_at, self._high_at, amplitude))
            self._half = self._high - amplitude / 2


class EdaFeatures(FeatureSet):
    """Features of skin conductance in uS.

    The tonic part is a causal second-order 0.05-Hz low-pass of the filtered signal, the phasic part
    the rest; both are missing for `SETTLE` seconds after a start or gap. SCRs are found on the
    phasic part. Isolated Bateman-shaped responses (rise 0.75 s, decay 2 s) keep 98 % of their
    height there; where they pile up, each counts from the minimum before it.
    """

    name: ClassVar[str] = "eda"
    version: ClassVar[int] = 1
    features: tuple[Feature, ...] = (
        Feature("mean", "uS", 1.0),
        Feature("std", "uS", 5.0),
        Feature("min", "uS", 1.0),
        Feature("max", "uS", 1.0),
        Feature("range", "uS", 5.0),
        # Skin conductance is log-normal across people (Boucsein 2012): ln(1 + uS).
        Feature("log_mean", "ln(uS)", 1.0),
        Feature("slope", "uS/s", 10.0),
        Feature("recent_mean", "uS", 1.0),
        Feature("recent_slope", "uS/s", 10.0),
        Feature("tonic_mean", "uS", 10.0),
        Feature("tonic_slope", "uS/s", 15.0),
        Feature("phasic_mean", "uS", 10.0),
        Feature("phasic_std", "uS", 10.0),
        Feature("phasic_max", "uS", 10.0),
        Feature("scr_count", "1", 60.0),
        Feature("scr_rate", "1/min", 20.0),
        Feature("scr_amplitude_mean", "uS", 10.0),
        Feature("scr_amplitude_sum", "uS", 60.0),
        Feature("scr_rise_mean", "s", 10.0),
        Feature("scr_half_recovery_mean", "s", 10.0),
    )

    def __init__(self, rate: float, channels: int, window: float) -> None:
        super().__init__(rate, channels, window)
        if rate <= 2 * TONIC_CUTOFF:
            raise ValueError(f"EDA at {rate!r} Hz: needs more than {2 * TONIC_CUTOFF} Hz")
        b, a = signal.butter(2, TONIC_CUTOFF, fs=rate)
        self._b0, self._b1, self._b2 = map(float, b)
        self._a1, self._a2 = float(a[1]), float(a[2])
        self._settle = round(SETTLE * rate)
        self._keep = int(np.ceil(window * rate)) + 1
        self._tonic = np.full(self._keep, np.nan)
        self._next: int | None = None
        self._age = 0
        self._z1 = self._z2 = 0.0
        self._finder = ResponseFinder()

    @property
    def responses(self) -> tuple[Response, ...]:
        """SCRs of the last window that are known by now, oldest first."""
        return tuple(self._finder.responses)

    def update(self, block: Segment) -> None:
        """Advance the tonic filter and the search for responses."""
        if self._next is not None and block.start != self._next:
            raise ValueError(f"EDA block starts at row {block.start}, needs {self._next}")
        finder, keep, tonic_part = self._finder, self._keep, self._tonic
        index = block.start
        for value in block.filtered[:, 0].tolist():
            tonic = np.nan
            if value != value:
                if self._age:
                    self._age = 0
                    finder.restart()
            else:
                tonic = self._low_pass(value)
                self._age += 1
                if self._age > self._settle:
                    finder.push(index, value, tonic)
                else:
                    tonic = np.nan
            tonic_part[index % keep] = tonic
            index += 1
        self._next = index
        finder.forget(index - keep)

    def _low_pass(self, value: float) -> float:
        """Push one sample through the tonic filter (direct form II transposed)."""
        if not self._age:
            # State of a filter that has seen this value for ever.
            self._z1 = (1.0 - self._b0) * value
            self._z2 = (self._b2 - self._a2) * value
        tonic = self._b0 * value + self._z1
        self._z1 = self._b1 * value - self._a1 * tonic + self._z2
        self._z2 = self._b2 * value - self._a2 * tonic
        return tonic

    def tonic(self, window: Segment) -> NDArray[np.float64]:
        """Return the tonic part of a window in uS, NaN where missing."""
        known = -1 if self._next is None else self._next
        rows = np.arange(window.start, window.stop)
        kept = (rows < known) & (rows >= known - self._keep)
        return np.where(kept, self._tonic[rows % self._keep], np.nan)

    def compute(self, window: Segment) -> NDArray[np.float64]:
        """Return the 20 features of a window."""
        out = np.full(len(self.features), np.nan)
        filtered = window.filtered[:, 0]
        level = filtered[filtered == filtered]
        if not len(level):
            return out
        low, high = level.min(), level.max()
        mean, deviation = spread(level)
        out[:6] = mean, deviation, low, high, high - low, np.log1p(max(mean, 0.0))
        out[6] = slope(filtered, window.rate)
        recent = tail(filtered, window.rate, RECENT)
        if len(recent):
            out[7] = recent.sum() / len(recent)
        out[8] = slope(filtered[-round(RECENT_SLOPE * window.rate) :], window.rate)
        tonic = self.tonic(window)
        split = tonic == tonic
        phasic = (filtered - tonic)[split]
        if not len(phasic):
            return out
        out[9] = tonic[split].sum() / len(phasic)
        out[10] = slope(tonic, window.rate)
        out[11:14] = *spread(phasic), phasic.max()
        found = [r for r in self._finder.responses if window.start <= r.peak < window.stop]
        out[14] = len(found)
        out[15] = len(found) * 60.0 * window.rate / len(phasic)
        out[17] = sum(r.amplitude for r in found)
        if found:
            out[16] = out[17] / len(found)
            out[18] = sum(r.peak - r.onset for r in found) / len(found) / window.rate
            ended = [r.half_recovery - r.peak for r in found if r.half_recovery >= 0]
            if ended:
                out[19] = sum(ended) / len(ended) / window.rate
        return out

    def quality(self, window: Segment) -> float:
        """Return the share of rows that are plausible skin conductance.

        Rows count that are 0.01 to 100 uS, part of no stretch of `FLAT` seconds without any change,
        and at neither side of a step of more than 10 uS/s.
        """
        return plausible_share(window.raw[:, 0], window.rate)


def plausible_share(raw: NDArray[np.float64], rate: float) -> float:
    """Share of samples that are plausible skin conductance in uS, as `EdaFeatures.quality` says."""
    if not len(raw):
        return 0.0
    good = (raw >= LOWEST) & (raw <= HIGHEST)
    step = np.diff(raw)
    jump = np.abs(step) > STEEPEST / rate
    good[1:] &= ~jump
    good[:-1] &= ~jump
    run = np.concatenate(([0], np.cumsum(step != 0)))
    good &= np.bincount(run)[run] < max(2, round(FLAT * rate))
    return np.count_nonzero(good) / len(raw)
