"""R peaks: the heart beats of an electrocardiogram, found as it comes in."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import maximum_filter1d

from realtime.features.beats import BeatLog, Beats, moving_sum

SLOWEST_RATE = 100.0
"""Samples per second below which a QRS complex has too few of them."""

SMOOTH_SECONDS = 0.03
BASE_SECONDS = 0.12
SLOPE_SECONDS = 0.02
ENERGY_SECONDS = 0.12
"""Widths of the two averages that smooth, of the one that is taken off as the baseline, of the
slope, and of the moving integration. Pan and Tompkins (1985) take 0.16 s and 0.15 s for the second
and the last; with 0.12 s, about the width of a QRS complex, electrode movement gives a third fewer
false beats (noise-stress record 118 at 12 dB)."""

REFRACTORY_SECONDS = 0.2
T_WAVE_SECONDS = 0.36
T_WAVE_SLOPE = 0.5
"""No heart beats twice within the first time; a wave within the second is a T wave if it is less
than half as steep as the beat before it (Pan and Tompkins 1985)."""

THRESHOLD = 0.4
REMEMBERED = 8
"""Where the threshold lies between the levels of noise and beats. Each level is the median of its
last eight peaks, which one artefact does not move (Hamilton and Tompkins 1986, who take 0.31). On
noise-stress record 118 at 12 dB, 0.31 to 0.45 find 99 to 100 % of the beats, and 95 to 97 % of what
they find are beats."""

LATE = 1.66
OVERDUE = 0.5
"""After so many times the usual interval without a beat, this share of the threshold is enough: the
search-back of Pan and Tompkins (1985)."""

FIRST_INTERVAL_SECONDS = 1.0
LONGEST_SECONDS = 2.0
"""The usual interval until one is known, and the longest that is counted as one."""

LEARN_SECONDS = 3
LOST_SECONDS = 4.0
"""The levels are learnt from so many seconds, and anew after so long without a beat. The level of
beats is the median of the seconds' largest peaks: a single artefact does not set it, and a heart of
40 beats/min beats in two of three seconds."""

BRIDGED_SECONDS = 0.04
"""Gaps up to this length are bridged by a straight line: half of a QRS complex can still be seen.
"""

REFINE_SECONDS = 0.1
"""The R peak is the extremum of the ECG so far around the peak of the energy."""

FLIP = 1.5
"""A lead counts as inverted once its deflections down are this many times those up, and as upright
once it is the other way round; in between it stays what it was, so that the point that is taken for
the R peak does not change from beat to beat."""


@dataclass(frozen=True, slots=True)
class _Candidate:
    """A local maximum of the energy, a beat or not.

    `index` is its grid index, `slope` the steepest slope around it, `breaks` the count of samples
    missing so far, and `around` the ECG within `REFINE_SECONDS`.
    """

    index: int
    energy: float
    slope: float
    breaks: int
    around: NDArray[np.float64]


class RPeakDetector:
    """Finds R peaks by the rules of Pan and Tompkins (1985, IEEE Trans. Biomed. Eng. 32, 230-236).

    The ECG is band-passed by moving averages, differentiated, squared and averaged over the width
    of a QRS complex. Each peak of this energy is a beat or noise, by a threshold between the levels
    of the last beats and of the last noise; for a beat that is overdue, half of it is enough. The R
    peak is the extremum of the ECG around there, refined by a parabola through three samples.
    Whether the lead is upright or inverted is judged from the last beats.

    A beat is known 0.3 s after its R peak. Exceptions are those of the first three seconds, from
    which the levels are learnt, and those that need the search-back, which are known when they are
    overdue.

    All arithmetic is per sample and in a fixed order, and decisions are taken in the order of the
    grid: blocks of any size give the same bytes.

    Parameters
    ----------
    rate : float
        Samples per second, at least 100.
    seconds : float
        How long beats are kept after the newest sample.
    """

    def __init__(self, rate: float, seconds: float) -> None:
        if not rate >= SLOWEST_RATE:
            raise ValueError(f"ECG rate of {rate!r} samples/s: needs at least {SLOWEST_RATE:g}")
        self.rate = rate
        self._smooth = _odd(SMOOTH_SECONDS * rate)
        self._base = _odd(BASE_SECONDS * rate)
        self._step = max(1, round(SLOPE_SECONDS * rate / 2))
        self._energy = _odd(ENERGY_SECONDS * rate)
        self._around = round(REFINE_SECONDS * rate)
        self._refractory = round(REFRACTORY_SECONDS * rate)
        self._t_wave = round(T_WAVE_SECONDS * rate)
        self._lost = round(LOST_SECONDS * rate)
        self._bridged = round(BRIDGED_SECONDS * rate)
        self._longest = round(LONGEST_SECONDS * rate)
        self._kept = round(seconds * rate)
        # Samples on either side that the slope, the energy and the decision look at.
        self._slope_half = self._smooth - 1 + self._base // 2 + self._step
        self._energy_half = self._slope_half + self._energy // 2
        self._half = self._energy_half + self._around
        self._stop: int | None = None  # grid index after the newest sample
        self._held_back = np.full(1, np.nan)
        self._signal = np.full(2 * self._half, np.nan)
        self._breaks = np.zeros(2 * self._half, dtype=np.int64)
        self._breaks_so_far = 0
        # Candidates that are no beat so far, and what is known of beats and noise.
        self._waiting: list[_Candidate] = []
        self._learn_at: int | None = None
        self._beat_levels: deque[float] = deque(maxlen=REMEMBERED)
        self._noise_levels: deque[float] = deque(maxlen=REMEMBERED)
        self._steps: deque[float] = deque(maxlen=REMEMBERED)
        self._ups: deque[float] = deque(maxlen=REMEMBERED)
        self._downs: deque[float] = deque(maxlen=REMEMBERED)
        self._inverted = False
        self._last: _Candidate | None = None
        self._overdue = False
        self._log = BeatLog(rate)

    def update(self, start: int, samples: NDArray[np.float64]) -> None:
        """Take in the next samples.

        Parameters
        ----------
        start : int
            Grid index of the first sample; must follow on from the last call.
        samples : ndarray of float64, shape (n_samples,)
            ECG without drift, about 0.5 to 40 Hz; NaN where missing.
        """
        if self._stop is None:
            self._stop = start
        elif start != self._stop:
            raise ValueError(f"samples from index {start} on do not follow on from {self._stop}")
        if not len(samples):
            return
        self._stop += len(samples)
        known = self._bridge(samples)
        if not len(known):
            return
        breaks = self._breaks_so_far + np.cumsum(known != known)
        self._breaks_so_far = int(breaks[-1])
        self._signal = np.concatenate((self._signal, known))
        self._breaks = np.concatenate((self._breaks, breaks))
        self._decide()
        self._signal = self._signal[len(known) :]
        self._breaks = self._breaks[len(known) :]
        self._log.forget(self._stop - self._kept)

    def beats(self, start: int, stop: int) -> Beats:
        """Return the beats whose peak sample lies in [start, stop)."""
        return self._log.between(start, stop)

    def _bridge(self, samples: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the samples that can be worked on, after those of the last call.

        Missing samples at the end are held back until it is known how many there are.
        """
        # The first of them has been returned already.
        samples = np.concatenate((self._held_back, samples))
        present = np.flatnonzero(samples == samples)
        missing = len(samples) - 1 - (int(present[-1]) if len(present) else 0)
        stop = len(samples) - missing
        if missing > self._bridged or not len(present):
            # Too many to be bridged, or the last of too many.
            stop = len(samples)
        self._held_back = samples[stop - 1 :]
        if len(present) < stop:
            samples = samples.copy()
            widths = present[1:] - present[:-1]
            for at in np.flatnonzero((widths > 1) & (widths <= self._bridged + 1)).tolist():
                left, width = int(present[at]), int(widths[at])
                low, high = float(samples[left]), float(samples[left + width])
                share = np.arange(1, width) / width
                samples[left + 1 : left + width] = low + share * (high - low)
        return samples[1:stop]

    def _decide(self) -> None:
        """Judge the samples whose surroundings are now complete."""
        assert self._stop is not None
        held, half, around = self._signal, self._half, self._around
        # Grid index of the first sample that is held, and of the first that is decided on.
        origin = self._stop - (len(self._held_back) - 1) - len(held)
        low = moving_sum(moving_sum(held, self._smooth), self._smooth)
        inner = self._base // 2
        low = low[inner : len(low) - inner] - moving_sum(low, self._base) / self._base
        slope = low[2 * self._step :] - low[: -2 * self._step]
        energy = moving_sum(slope * slope, self._energy)
        if self._learn_at is None:
            known = np.flatnonzero(energy[around : len(energy) - around] >= 0)
            if not len(known):
                return
            self._learn_at = origin + half + int(known[0]) + round(LEARN_SECONDS * self.rate)
        present = np.fmax(energy, -1.0)
        top = maximum_filter1d(present, 2 * around + 1)
        middle = slice(around, len(energy) - around)
        peaks = energy[middle] == top[middle]
        peaks &= (energy[middle] > energy[around - 1 : middle.stop - 1]) & (
            energy[middle] >= energy[around + 1 : middle.stop + 1]
        )
        for place in (np.flatnonzero(peaks) + half).tolist():
            near = slice(place - self._energy_half, place + self._energy_half + 1)
            near = slice(near.start, near.stop - 2 * self._slope_half)
            self._pass_time(origin + place)
            self._judge(
                _Candidate(
                    origin + place,
                    float(energy[place - self._energy_half]),
                    float(np.abs(slope[near]).max()),
                    int(self._breaks[place]),
                    held[place - around : place + around + 1],
                )
            )
        self._pass_time(origin + len(held) - half - 1)

    def _pass_time(self, now: int) -> None:
        """Do what is due by a grid index, before a candidate there is judged."""
        assert self._learn_at is not None
        while True:
            last = self._last
            if last and not self._overdue and self._late_at(last) <= min(now, self._learn_at):
                self._search_back(last)
            elif self._learn_at <= now:
                self._learn()
            else:
                return

    def _late_at(self, last: _Candidate) -> int:
        """Grid index at which the beat after the last one is overdue."""
        usual = _median(self._steps) if self._steps else FIRST_INTERVAL_SECONDS * self.rate
        return last.index + int(LATE * usual)

    def _search_back(self, last: _Candidate) -> None:
        """Take the largest candidate since the last beat, if half the threshold lets it pass."""
        self._overdue = True
        enough = OVERDUE * self._threshold()
        missed = [
            candidate
            for candidate in self._waiting
            if candidate.energy > enough and candidate.index - last.index > self._t_wave
        ]
        if missed:
            self._accept(max(missed, key=lambda candidate: candidate.energy))

    def _learn(self) -> None:
        """Set the levels by the candidates of the last seconds, and judge these anew."""
        assert self._learn_at is not None
        now = self._learn_at
        second = round(self.rate)
        start = now - LEARN_SECONDS * second
        waiting = [candidate for candidate in self._waiting if candidate.index >= start]
        largest = [0.0] * LEARN_SECONDS
        for candidate in waiting:
            place = min((candidate.index - start) // second, LEARN_SECONDS - 1)
            largest[place] = max(largest[place], candidate.energy)
        level = _median([energy for energy in largest if energy > 0.0])
        self._learn_at = now + second
        self._waiting = []
        if level > 0.0:
            self._beat_levels.clear()
            self._noise_levels.clear()
            self._beat_levels.append(level)
            self._last = None
            self._learn_at = now + self._lost
            for candidate in waiting:
                self._judge(candidate)

    def _threshold(self) -> float:
        beats = _median(self._beat_levels)
        noise = _median(self._noise_levels) if self._noise_levels else 0.0
        return noise + THRESHOLD * (beats - noise)

    def _judge(self, candidate: _Candidate) -> None:
        """Tell a beat from noise and from a T wave."""
        if not self._beat_levels:
            self._waiting.append(candidate)
            return
        if self._last is not None:
            since = candidate.index - self._last.index
            if since < self._refractory:
                return
            if since < self._t_wave and candidate.slope < T_WAVE_SLOPE * self._last.slope:
                self._noise_levels.append(candidate.energy)
                return
        if candidate.energy > self._threshold() * (OVERDUE if self._overdue else 1.0):
            self._accept(candidate)
        else:
            self._waiting.append(candidate)

    def _accept(self, candidate: _Candidate) -> None:
        """Take a candidate for a beat; those before it are noise."""
        index = candidate.index
        self._noise_levels.extend(c.energy for c in self._waiting if c.index < index)
        self._waiting = [c for c in self._waiting if c.index > index]
        self._beat_levels.append(candidate.energy)
        if self._last is not None and index - self._last.index <= self._longest:
            self._steps.append(float(index - self._last.index))
        self._last = candidate
        self._overdue = False
        self._learn_at = index + self._lost
        self._refine(candidate)

    def _refine(self, candidate: _Candidate) -> None:
        """Find the R peak of a beat."""
        around = candidate.around
        middle = float(np.median(around))
        self._ups.append(float(around.max()) - middle)
        self._downs.append(middle - float(around.min()))
        up, down = _median(self._ups), _median(self._downs)
        self._inverted = up * (1.0 if self._inverted else FLIP) < down * (
            FLIP if self._inverted else 1.0
        )
        wave = -around if self._inverted else around
        peak = int(wave[1:-1].argmax()) + 1
        index = candidate.index - self._around + peak
        last = self._log.last
        if last is not None and index - last < self._refractory:
            return
        left, top, right = wave[peak - 1 : peak + 2].tolist()
        bend = left - 2.0 * top + right
        fraction = 0.5 * (left - right) / bend if left < top >= right else 0.0
        self._log.add(index, fraction, float(np.ptp(around)), candidate.breaks)


def _odd(width: float) -> int:
    """The odd whole number nearest to a width, at least 3: averages need a middle."""
    return max(3, 2 * round((width - 1) / 2) + 1)


def _median(values: deque[float] | list[float]) -> float:
    """Median; 0 of none."""
    ordered = sorted(values)
    half = len(ordered) // 2
    if not ordered:
        return 0.0
    return ordered[half] if len(ordered) % 2 else 0.5 * (ordered[half - 1] + ordered[half])
