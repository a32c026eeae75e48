"""Muscle activity: amplitude, spectrum, and the contractions in the window."""

from __future__ import annotations

from typing import ClassVar, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.signal import find_peaks

from realtime.errors import InputError
from realtime.features.base import Feature, FeatureSet, Segment
from realtime.features.spectrum import power_density
from realtime.features.trend import spread
from realtime.filters import CausalFilter
from realtime.rig import FilterSettings

ENVELOPE = FilterSettings(high=5.0, order=2, settle=0.3, bridge=0.1)
"""Low-pass of the rectified signal: a linear envelope. Contractions are told apart with 3 to 10 Hz
(De Luca 1997, J. Appl. Biomech. 13); it has settled to a percent after 0.3 s."""

ENVELOPE_RATE = 25.0
"""Samples of the envelope that are kept in a second, at least: five for its fastest wave."""

FALL = 2 / 3
"""Share of its height by which the envelope falls on both sides of a contraction's peak. The
envelope of steady activity varies by a seventh (standard deviation), and has no such peak."""

SEPARATION = 0.25
"""Seconds between contractions at least; the higher of two that are nearer counts."""

STRETCH = 1.0
"""Seconds of a stretch of the averaged spectrum, and so lines 1 Hz apart; a stretch without any
change is no measurement."""

SAMPLED = 16
"""One value in so many tells roughly where the median lies."""


class EmgFeatures(FeatureSet):
    """Features of a surface electromyogram in mV, band-passed at about 20 to 300 Hz.

    The amplitude entries are those of WESAD's authors (Schmidt et al. 2018), of the filtered
    signal. (Its mean and median lie near 0, as those of every high-passed signal do.) Absolute
    integral and energy are scaled to the whole window where samples are missing and while it is
    not full.

    The spectrum is the mean over stretches of one second under a Hann window (Welch), end to end
    from the window's end back, those with a missing sample left out. Mean frequency is its centre
    of mass; the median frequency halves its power (Phinyomark et al. 2012); the energy is its
    integral times the window's length.

    Peaks are contractions: maxima of the linear envelope (rectified, `ENVELOPE`) from which it
    falls to a third on both sides; their amplitude is its height there. Their number and sum are
    those of the whole window, and are missing until it is full; the normalised sum is divided by
    the seconds of envelope that there are. Without a peak, the mean and standard deviation of
    their amplitudes do not exist.
    """

    name: ClassVar[str] = "emg"
    version: ClassVar[int] = 1
    features: tuple[Feature, ...] = (
        Feature("EMG_Mean", "mV", 1.0),
        Feature("EMG_SD", "mV", 1.0),
        Feature("EMG_Range", "mV", 1.0),
        Feature("EMG_Integral", "mV*s", 1.0),
        Feature("EMG_Median", "mV", 1.0),
        Feature("EMG_Frequency_Mean", "Hz", 5.0),
        Feature("EMG_Frequency_Median", "Hz", 5.0),
        Feature("EMG_Frequency_Peak", "Hz", 5.0),
        Feature("EMG_Energy", "mV^2*s", 5.0),
        Feature("EMG_Peaks_N", "1", 10.0),
        Feature("EMG_Peaks_Amplitude_Mean", "mV", 10.0),
        Feature("EMG_Peaks_Amplitude_SD", "mV", 10.0),
        Feature("EMG_Peaks_Amplitude_Sum", "mV", 10.0),
        Feature("EMG_Peaks_Amplitude_SumNorm", "mV/s", 10.0),
    )

    def __init__(self, rate: float, channels: int, window: float) -> None:
        super().__init__(rate, channels, window)
        if channels != 1:
            raise InputError(f"EMG with {channels!r} channels: name one channel in the rig")
        if rate <= 2 * ENVELOPE_RATE:
            raise InputError(f"EMG at {rate!r} Hz: set a rate above {2 * ENVELOPE_RATE:g} Hz")
        self._low_pass = CausalFilter(ENVELOPE, rate, 1)
        self._step = int(rate / ENVELOPE_RATE)
        self._kept = int(np.ceil(window * rate / self._step)) + 1
        self._length = round(STRETCH * rate)
        self._stretches: dict[int, _Stretch] = {}
        self._envelope = np.empty(0)
        self._origin: int | None = None
        self._next = 0

    def update(self, block: Segment) -> None:
        """Advance the envelope."""
        if self._origin is None:
            self._origin = self._next = block.start
        elif block.start != self._next:
            raise ValueError(f"EMG block starts at row {block.start}, needs {self._next}")
        self._next = block.stop
        first, last = block.start - self._origin, block.stop - self._origin
        envelope = self._low_pass.apply(np.arange(first, last), np.abs(block.filtered))
        kept = envelope[-first % self._step :: self._step, 0]
        self._envelope = np.concatenate((self._envelope, kept))[-self._kept :]

    def envelope(self, window: Segment) -> NDArray[np.float64]:
        """Return the linear envelope in mV, of which every few samples are kept; NaN where missing.

        Its rate is the window's, divided by a whole number; at least `ENVELOPE_RATE`.
        """
        if self._origin is None:
            return np.empty(0)
        # Kept samples are numbered from the first one on; `held` is the number of the oldest here.
        held = -(-(self._next - self._origin) // self._step) - len(self._envelope)
        first = -(-(window.start - self._origin) // self._step) - held
        last = -(-(window.stop - self._origin) // self._step) - held
        return self._envelope[max(first, 0) : max(last, 0)]

    def compute(self, window: Segment) -> NDArray[np.float64]:
        """Return the 14 features of a window."""
        out = np.full(len(self.features), np.nan)
        filtered = np.ascontiguousarray(window.filtered[:, 0])
        stretches = self._described(window.start, filtered)
        if not stretches:
            return out
        counts, means, squares, lows, highs, moduli = np.array([s.moments for s in stretches]).T
        count = counts.sum()
        mean = (counts * means).sum() / count
        away = means - mean
        out[0] = mean
        out[1] = np.sqrt((squares + counts * away * away).sum() / count)
        out[2] = highs.max() - lows.min()
        out[3] = moduli.sum() / count * self.window
        out[4] = _median(filtered if count == len(filtered) else filtered[filtered == filtered])
        densities = np.array([s.density for s in stretches if s.density is not None])
        if len(densities):
            density = densities.sum(axis=0) / len(densities)
            apart = window.rate / self._length
            out[5:8] = _frequencies(apart, density)
            out[8] = density.sum() * apart * self.window
        envelope = self.envelope(window)
        known = envelope == envelope
        if not known.any():
            return out
        heights = self.peaks(envelope)
        if window.seconds > self.window - 0.5 / self.rate:
            out[9], out[12] = len(heights), heights.sum()
        if len(heights):
            out[10], out[11] = heights.mean(), heights.std()
        out[13] = heights.sum() / (np.count_nonzero(known) * self._step / self.rate)
        return out

    def peaks(self, envelope: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the heights of an envelope's contractions in mV."""
        known = envelope == envelope
        if not known.all():
            # Holes become level ground, which has no peak of its own.
            envelope = np.where(known, envelope, np.median(envelope[known]))
        # No lower maximum can fall so far; asked for first, this spares looking at most of them.
        lowest = envelope.min() / (1.0 - FALL)
        apart = max(1.0, SEPARATION * self.rate / self._step)
        at, found = find_peaks(envelope, height=lowest, distance=apart, prominence=0.0)
        heights: NDArray[np.float64] = envelope[at]
        return heights[found["prominences"] >= FALL * heights]

    def quality(self, window: Segment) -> float:
        """Return the share of rows that measure.

        Rows count that are there, in no second without any change (counted from the window's end
        back), and not the second or later of several in a row at the window's minimum or maximum
        (clipped).
        """
        raw = np.ascontiguousarray(window.raw[:, 0])
        if not len(raw):
            return 0.0
        good = raw == raw
        edge = (raw == np.fmin.reduce(raw)) | (raw == np.fmax.reduce(raw))
        good[1:] &= ~(edge[1:] & edge[:-1])
        rest = len(raw) % self._length
        seconds = raw[rest:].reshape(-1, self._length)
        flat = seconds.max(axis=1) == seconds.min(axis=1)
        good[rest:].reshape(-1, self._length)[flat] = False
        return np.count_nonzero(good) / len(raw)

    def _described(self, start: int, filtered: NDArray[np.float64]) -> list[_Stretch]:
        """Describe a window's stretches, and what is left before them; leave out empty ones.

        A stretch that was seen as a whole is described once, and kept under its grid index while
        windows hold it. Each is described on its own, so that what else is new changes no bit of
        it.
        """
        length = self._length
        rest = len(filtered) % length
        stretches = [_describe(filtered[:rest], None)]
        kept = {}
        for at in range(rest, len(filtered), length):
            index = start + at
            stretch = self._stretches.get(index)
            if stretch is None:
                stretch = _describe(filtered[at : at + length], self.rate)
            # Samples that are late may still fill what `update` has not passed.
            if index + length <= self._next:
                kept[index] = stretch
            stretches.append(stretch)
        self._stretches = kept
        return [stretch for stretch in stretches if stretch.moments[0]]


class _Stretch(NamedTuple):
    """What a stretch comes to.

    Attributes
    ----------
    moments : tuple of float
        Count of samples that exist, their mean, sum of squares about it, minimum, maximum, and
        sum of moduli.
    density : ndarray of float64, shape (n_lines,), or None
        Power density; None where a sample is missing.
    """

    moments: tuple[float, ...]
    density: NDArray[np.float64] | None


def _describe(samples: NDArray[np.float64], rate: float | None) -> _Stretch:
    """Describe a stretch; without a rate, leave out the spectrum."""
    present = samples[samples == samples]
    n = len(present)
    if not n:
        return _Stretch((0.0,) * 6, None)
    mean, deviation = spread(present)
    moduli = float(np.abs(present).sum())
    density = None
    if n == len(samples) and rate is not None:
        _, density = power_density(present, rate)
    return _Stretch(
        (n, mean, n * deviation**2, float(present.min()), float(present.max()), moduli), density
    )


def _frequencies(apart: float, density: NDArray[np.float64]) -> tuple[float, float, float]:
    """Mean, median and peak frequency in Hz of lines so far apart; NaN without power."""
    running = np.cumsum(density)
    total = running[-1]
    if not total > 0:
        return np.nan, np.nan, np.nan
    mean = float((np.arange(len(density)) * density).sum() / total)
    line = int(np.searchsorted(running, 0.5 * total))
    # Each line's power is spread evenly over its width.
    share = float((0.5 * total - (running[line] - density[line])) / density[line])
    return apart * mean, apart * (line + share - 0.5), apart * int(density.argmax())


def _median(values: NDArray[np.float64]) -> float:
    """Median of many values: what lies around it is cut out first, as ranking takes long."""
    sample = np.sort(values[::SAMPLED])
    low, high = sample[int(0.47 * len(sample))], sample[int(0.53 * len(sample))]
    near = np.compress((values >= low) & (values <= high), values)
    below = np.count_nonzero(values < low)
    first, last = (len(values) - 1) // 2 - below, len(values) // 2 - below
    if first < 0 or last >= len(near):
        return float(np.median(values))
    ranked = np.partition(near, (first, last))
    return float(0.5 * (ranked[first] + ranked[last]))
