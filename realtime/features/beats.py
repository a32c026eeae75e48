"""Beats: when the heart beat, found in a signal as it comes in."""

from __future__ import annotations

from bisect import bisect_left
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import signal

PULSE_SECONDS = 0.111
BEAT_SECONDS = 0.667
REFRACTORY_SECONDS = 0.3
"""Widths of the two moving averages, and the shortest time between pulses (Elgendi et al. 2013;
NeuroKit2 uses the same)."""

LEVEL_SECONDS = 3.0
OFFSET = 0.001
"""The threshold's offset is this share of the mean square of the last seconds. Elgendi takes 0.02
of the mean of the whole recording; a causal level of that size would hide, after a movement, every
pulse of a seventh of the movement's amplitude. 0.001 hides those of a thirtieth: over the twelve
wrists of WESAD, the heart rate then tells stress from the other conditions with a mean area under
the curve of 0.92 instead of 0.89."""

TROUGH_SECONDS = 0.4
"""How far before a peak its trough is looked for; a systolic upstroke takes 0.1 to 0.3 s."""


@dataclass(frozen=True, slots=True)
class Beats:
    """Beats of a stretch of signal, in order.

    Attributes
    ----------
    times : ndarray of float64, shape (n_beats,)
        Seconds from the stretch's first sample.
    amplitudes : ndarray of float64, shape (n_beats,)
        From trough to peak, in the signal's unit.
    intervals : ndarray of float64, shape (max(n_beats - 1, 0),)
        Seconds from each beat to the next; NaN where a sample between the two is missing.
    """

    times: NDArray[np.float64]
    amplitudes: NDArray[np.float64]
    intervals: NDArray[np.float64]


class BeatLog:
    """Beats by grid index, in order, as a detector finds them.

    Parameters
    ----------
    rate : float
        Samples per second.
    """

    def __init__(self, rate: float) -> None:
        self.rate = rate
        self._indices: list[int] = []
        self._fractions: list[float] = []
        self._amplitudes: list[float] = []
        self._breaks: list[int] = []

    @property
    def last(self) -> int | None:
        """Grid index of the newest beat."""
        return self._indices[-1] if self._indices else None

    def add(self, index: int, fraction: float, amplitude: float, breaks: int) -> None:
        """Append a beat, later than those before it.

        Parameters
        ----------
        index : int
            Grid index of its peak sample.
        fraction : float
            From that sample to the refined peak, in samples.
        amplitude : float
        breaks : int
            How many samples were missing before it; beats between which this grows have no
            interval.
        """
        self._indices.append(index)
        self._fractions.append(fraction)
        self._amplitudes.append(amplitude)
        self._breaks.append(breaks)

    def between(self, start: int, stop: int) -> Beats:
        """Return the beats whose peak sample lies in [start, stop)."""
        first = bisect_left(self._indices, start)
        last = bisect_left(self._indices, stop)
        indices = np.array(self._indices[first:last], dtype=np.int64)
        # The whole part is taken off as an integer: the result does not depend on the time origin.
        positions = (indices - start) + np.array(self._fractions[first:last])
        times = positions / self.rate
        breaks = np.array(self._breaks[first:last], dtype=np.int64)
        intervals = times[1:] - times[:-1]
        intervals[breaks[1:] != breaks[:-1]] = np.nan
        return Beats(times, np.array(self._amplitudes[first:last]), intervals)

    def forget(self, before: int) -> None:
        """Drop the beats whose peak sample lies before a grid index."""
        old = bisect_left(self._indices, before)
        if old:
            for kept in (self._indices, self._fractions, self._amplitudes, self._breaks):
                del kept[:old]


class PulseDetector:
    """Finds the systolic peaks of a pulse wave with two moving averages.

    The squared positive half of the wave is averaged over the width of a pulse and over that of a
    beat; where the first exceeds the second, there is a pulse (Elgendi et al. 2013, PLoS ONE 8,
    e76585), and its peak is the stretch's maximum, refined by a parabola through three samples. A
    peak is known a third of a second after the stretch ends, when the averages around it are.

    All arithmetic is per sample and in a fixed order, so that blocks of any size give the same
    bytes.

    Parameters
    ----------
    rate : float
        Samples per second, at least 20.
    seconds : float
        How long beats are kept after the newest sample.

    Notes
    -----
    The wave is upright: the systole is a maximum, as in the blood volume pulse of an Empatica E4
    and in NeuroKit2.
    """

    def __init__(self, rate: float, seconds: float) -> None:
        if not rate >= 20:
            raise ValueError(f"pulse rate of {rate!r} samples/s: needs at least 20")
        self.rate = rate
        self._pulse = _odd(PULSE_SECONDS * rate)
        self._beat = _odd(BEAT_SECONDS * rate)
        self._refractory = REFRACTORY_SECONDS * rate
        self._trough = round(TROUGH_SECONDS * rate)
        self._kept = round(seconds * rate)
        self._half = self._beat // 2
        # Samples before the first undecided one that its decision, or that of a pulse which ends
        # there, may look at.
        self._past = self._beat + self._trough + 2
        self._stop: int | None = None
        decay = float(np.exp(-1.0 / (LEVEL_SECONDS * rate)))
        self._level_filter = (np.array([1.0 - decay]), np.array([1.0, -decay]))
        self._level_state = np.zeros(1)
        self._missing_so_far = 0
        self._signal = np.full(self._past, np.nan)
        self._level = np.zeros(self._past)
        self._missing = np.zeros(self._past, dtype=np.int64)
        self._pulse_start: int | None = None
        self._log = BeatLog(rate)

    def update(self, start: int, samples: NDArray[np.float64]) -> None:
        """Take in the next samples.

        Parameters
        ----------
        start : int
            Grid index of the first sample; must follow on from the last call.
        samples : ndarray of float64, shape (n_samples,)
            Band-passed pulse wave, about 0.5 to 8 Hz; NaN where missing.
        """
        if self._stop is None:
            self._stop = start
        elif start != self._stop:
            raise ValueError(f"samples from index {start} on do not follow on from {self._stop}")
        if not len(samples):
            return
        self._stop += len(samples)
        square = _square(samples)
        b, a = self._level_filter
        level, self._level_state = signal.lfilter(b, a, square, zi=self._level_state)
        missing = self._missing_so_far + np.cumsum(samples != samples)
        self._missing_so_far = int(missing[-1])
        self._signal = np.concatenate((self._signal, samples))
        self._level = np.concatenate((self._level, level))
        self._missing = np.concatenate((self._missing, missing))
        undecided = len(self._signal) - self._past - self._half
        if undecided > 0:
            self._decide(undecided)
            self._signal = self._signal[undecided:]
            self._level = self._level[undecided:]
            self._missing = self._missing[undecided:]
            self._log.forget(self._stop - self._kept)

    def beats(self, start: int, stop: int) -> Beats:
        """Return the beats whose peak sample lies in [start, stop)."""
        return self._log.between(start, stop)

    def _decide(self, count: int) -> None:
        """Find pulses in the `count` samples whose surroundings are now complete."""
        first = self._past
        around = self._signal[first - self._half : first + count + self._half]
        square = _square(around)
        here = slice(first, first + count)
        inner = self._half - self._pulse // 2
        over_pulse = moving_sum(square[inner : len(square) - inner], self._pulse)
        over_beat = moving_sum(square, self._beat)
        present = around == around
        if present.all():
            average_pulse = over_pulse / self._pulse
            average_beat = over_beat / self._beat
        else:
            # Averages over what is there; a pulse never reaches across a missing sample.
            known = present.astype(np.float64)
            short = moving_sum(known[inner : len(known) - inner], self._pulse)
            average_pulse = over_pulse / np.maximum(short, 1.0)
            average_beat = over_beat / np.maximum(moving_sum(known, self._beat), 1.0)
        inside = average_pulse > average_beat + OFFSET * self._level[here]
        inside &= present[self._half : self._half + count]
        assert self._stop is not None
        origin = self._stop - len(self._signal)  # grid index of the first sample that is held
        before = np.concatenate(([self._pulse_start is not None], inside[:-1]))
        for at in np.flatnonzero(inside != before).tolist():
            if self._pulse_start is None:
                self._pulse_start = origin + first + at
            else:
                self._close(self._pulse_start - origin, first + at, origin)
                self._pulse_start = None

    def _close(self, start: int, stop: int, origin: int) -> None:
        """Take the peak of a pulse over samples [start, stop) of those held."""
        if not self._pulse <= stop - start <= self._beat:
            return
        held = self._signal
        peak = start + int(held[start:stop].argmax())
        last = self._log.last
        if last is not None and origin + peak - last < self._refractory:
            return
        left, top, right = held[peak - 1 : peak + 2].tolist()
        if not (left < top >= right):
            return
        trough = float(np.fmin.reduce(held[peak - self._trough : peak]))
        fraction = 0.5 * (left - right) / (left - 2.0 * top + right)
        self._log.add(origin + peak, fraction, top - trough, int(self._missing[peak]))


def _odd(width: float) -> int:
    """The odd whole number at or above a width, at least 3: averages need a middle."""
    return max(3, round(width) | 1)


def _square(wave: NDArray[np.float64]) -> NDArray[np.float64]:
    """The positive half of a wave, squared; 0 where it is missing."""
    half = np.fmax(wave, 0.0)
    return half * half


def moving_sum(values: NDArray[np.float64], width: int) -> NDArray[np.float64]:
    """Sums of `width` neighbours, one for every place that has so many.

    Sums of 1, 2, 4, 8 ... neighbours are put together. Unlike a running sum, this carries no
    rounding error from one place to the next, and every place's result is independent of where
    the array starts.
    """
    count = len(values) - width + 1
    total = np.zeros(count)
    offset, span, sums = 0, 1, values
    while True:
        if width & span:
            total += sums[offset : offset + count]
            offset += span
        span *= 2
        if span > width:
            return total
        sums = sums[: -span // 2] + sums[span // 2 :]
