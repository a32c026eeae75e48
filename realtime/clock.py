"""One stream's clock: removes jitter from its stamps and holds back stamps that cannot be true.

Stamps must already be on the session's clock (LSL's time correction applied). What this module
does is causal and depends on the samples alone, never on how they were cut into chunks.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.signal import lfilter

# A sample further from its predecessor than this is doubted until its successors agree with it.
DOUBTFUL_JUMP = 10.0  # s
# For so long must the successors of a doubtful sample agree before the stream's time is moved.
PERSISTENCE = 1.0  # s
# No pause in a session lasts longer; a longer jump is another clock, such as the Unix epoch.
LONGEST_PAUSE = 86400.0  # s
# A sample is a gap away from its predecessor if it comes later than a period by this many
# periods, or by this many times the stream's mean jitter, whichever is more.
GAP_PERIODS = 0.75
GAP_JITTERS = 8.0
# Time constants of the tracking loop and of the jitter estimate.
TRACKING_SECONDS = 2.0
JITTER_SAMPLES = 50


@dataclass(slots=True)
class ClockCounts:
    """What was found in a stream's stamps, in samples or events.

    Attributes
    ----------
    samples : int
        Samples that were kept.
    gaps : int
        Stretches without samples.
    missing : float
        Length of all gaps in seconds.
    backward : int
        Samples that were left out because their stamps step back.
    jumped : int
        Samples that were left out because their stamps leap ahead and nothing follows them, or
        belong to another clock.
    restarts : int
        Times that the stream's clock was taken to have been reset.
    """

    samples: int = 0
    gaps: int = 0
    missing: float = 0.0
    backward: int = 0
    jumped: int = 0
    restarts: int = 0


@dataclass(frozen=True, slots=True)
class Stamps:
    """Stamps after the clock.

    Attributes
    ----------
    kept : ndarray of bool, shape (n_samples,)
        Which of the samples that were put in came through.
    times : ndarray of float64, shape (n_kept,)
        Smoothed times in seconds.
    breaks : ndarray of bool, shape (n_kept,)
        True for a first sample, and for one after a gap.
    restarted : bool
        The first second of the stream turned out to lie on another clock: forget it.
    """

    kept: NDArray[np.bool_]
    times: NDArray[np.float64]
    breaks: NDArray[np.bool_]
    restarted: bool = False


class StreamClock:
    """Smooths the stamps of a stream of nominal rate `rate` (1/s, above 0).

    The stamps follow an alpha-beta tracking loop, which follows drift and a wrong nominal rate,
    and starts anew after every gap. The threshold of a gap grows with the stream's own jitter, so
    that streams sent in bursts are not torn apart.
    """

    def __init__(self, rate: float) -> None:
        if not rate > 0:
            raise ValueError(f"rate {rate!r}: must be above 0")
        self.rate = rate
        self.counts = ClockCounts()
        self._period = 1.0 / rate
        gain = 1.0 - np.exp(-1.0 / max(TRACKING_SECONDS * rate, 1.0))
        slope = gain**2 / 4.0
        self._numerator = np.array([gain, slope - gain])
        self._denominator = np.array([1.0, gain + slope - 2.0, 1.0 - gain])
        self._state = np.zeros(2)
        self._segment_start = 0.0
        self._segment_length = 0
        self._last: float | None = None
        self._jitter = 0.0
        self._doubtful: list[float] = []

    def take(self, times: NDArray[np.float64]) -> Stamps:
        """Take in the next stamps, shape (n_samples,), and return what they mean."""
        kept, breaks, restarted = self._judge(times)
        good = times[kept]
        smooth = np.empty_like(good)
        edges = np.flatnonzero(breaks)
        starts = [0, *edges.tolist()] if len(edges) == 0 or edges[0] > 0 else edges.tolist()
        for start, stop in zip(starts, [*starts[1:], len(good)], strict=True):
            if start == stop:
                continue
            piece = good[start:stop]
            if breaks[start]:
                self._segment_start = piece[0]
                self._segment_length = 0
                self._state = np.zeros(2)
            line = self._segment_start + self._period * (
                self._segment_length + np.arange(len(piece))
            )
            offset, self._state = lfilter(
                self._numerator, self._denominator, piece - line, zi=self._state
            )
            smooth[start:stop] = line + offset
            self._segment_length += len(piece)
        self.counts.samples += len(good)
        return Stamps(kept, smooth, breaks, restarted)

    def _judge(
        self, times: NDArray[np.float64]
    ) -> tuple[NDArray[np.bool_], NDArray[np.bool_], bool]:
        """Decide which samples are kept, and before which of these there is a gap."""
        n = len(times)
        if n and self._last is not None and not self._doubtful and np.isfinite(times).all():
            # The usual case: every sample follows its predecessor within the allowance.
            steps = np.diff(times, prepend=self._last) - self._period
            jitter = self._jitters(steps)
            limit = np.maximum(GAP_PERIODS * self._period, GAP_JITTERS * jitter[:-1])
            if ((steps <= limit) & (steps >= -np.maximum(limit, self._period))).all():
                self._jitter = float(jitter[-1])
                self._last = float(times[-1])
                return np.ones(n, bool), np.zeros(n, bool), False
        return self._judge_one_by_one(times)

    def _jitters(self, steps: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the jitter estimate before each step, and after the last."""
        keep = 1.0 - 1.0 / JITTER_SAMPLES
        deviation = np.minimum(np.abs(steps), 20.0 * self._period) / JITTER_SAMPLES
        filtered, _ = lfilter([1.0], [1.0, -keep], deviation, zi=[keep * self._jitter])
        return np.concatenate([[self._jitter], filtered])

    def _judge_one_by_one(
        self, times: NDArray[np.float64]
    ) -> tuple[NDArray[np.bool_], NDArray[np.bool_], bool]:
        kept = np.zeros(len(times), bool)
        breaks = np.zeros(len(times), bool)
        restarted = False
        for i, time in enumerate(times.tolist()):
            if not np.isfinite(time):
                self.counts.jumped += 1
                continue
            if self._last is None:
                kept[i] = breaks[i] = True
                self._last = time
                continue
            step = time - self._last - self._period
            limit = max(GAP_PERIODS * self._period, GAP_JITTERS * self._jitter)
            if -max(limit, self._period) <= step <= limit:
                kept[i] = True
            elif limit < step <= DOUBTFUL_JUMP:
                kept[i] = breaks[i] = True
                self.counts.gaps += 1
                self.counts.missing += step
            elif self._is_persistent(time, limit):
                # The stream really goes on from here.
                if step > 0 and step <= LONGEST_PAUSE:
                    kept[i] = breaks[i] = True
                    self.counts.gaps += 1
                    self.counts.missing += step
                elif self.counts.samples + int(kept[:i].sum()) <= self.rate * PERSISTENCE:
                    # Hardly anything came before: the first stamps were the strays.
                    kept[:i] = False
                    kept[i] = breaks[i] = True
                    restarted = True
                    self.counts.restarts += 1
                    self.counts.samples = 0
                    self._jitter = 0.0
                else:
                    self._count_as_left_out(step)
                    continue
            else:
                self._count_as_left_out(step)
                continue
            if step <= DOUBTFUL_JUMP:
                # The same arithmetic as `_jitters`, to the last bit.
                deviation = min(abs(step), 20.0 * self._period) / JITTER_SAMPLES
                self._jitter = deviation + (1.0 - 1.0 / JITTER_SAMPLES) * self._jitter
            self._last = time
            self._doubtful.clear()
        return kept, breaks[kept], restarted

    def _is_persistent(self, time: float, limit: float) -> bool:
        """Tell whether doubtful samples have agreed with one another for long enough."""
        if self._doubtful and not (
            abs(time - self._doubtful[-1] - self._period) <= max(limit, 2.0 * self._period)
        ):
            self._doubtful.clear()
        if not self._doubtful:
            self._doubtful = [time, time]
        self._doubtful[-1] = time
        return self._doubtful[-1] - self._doubtful[0] >= PERSISTENCE

    def _count_as_left_out(self, step: float) -> None:
        if step < 0:
            self.counts.backward += 1
        else:
            self.counts.jumped += 1
