"""The hidden affect of a simulated person: a schedule of episodes, and the state at any time."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from realtime.markers import Event

RAMP = 5.0
"""Seconds in which the state moves from one episode's to the next one's."""

WANDER = 0.03
"""Standard deviation of the slow wander of each dimension within an episode."""

BASELINE = "baseline"


@dataclass(frozen=True, slots=True)
class AffectState:
    """What a person feels at one moment; each value from 0 to 1.

    Attributes
    ----------
    arousal : float
        From asleep to frantic.
    valence : float
        From unpleasant to pleasant.
    stress : float
        From at ease to overwhelmed; what the body follows most.
    condition : str
        Name of the episode.
    """

    arousal: float
    valence: float
    stress: float
    condition: str


@dataclass(frozen=True, slots=True)
class Episode:
    """A stretch of time with one condition, and the state that it pulls towards."""

    condition: str
    seconds: float
    arousal: float
    valence: float
    stress: float


def baseline(seconds: float) -> Episode:
    """Rest that is marked as the person's baseline."""
    return Episode(BASELINE, seconds, 0.20, 0.60, 0.05)


def rest(seconds: float) -> Episode:
    """Rest, or recovery after something else."""
    return Episode("rest", seconds, 0.20, 0.60, 0.05)


def stress(seconds: float) -> Episode:
    """Social-evaluative stress, such as a speech before a jury (the Trier Social Stress Test)."""
    return Episode("stress", seconds, 0.85, 0.20, 0.90)


def amusement(seconds: float) -> Episode:
    """Funny films."""
    return Episode("amusement", seconds, 0.45, 0.90, 0.05)


@dataclass(frozen=True)
class Schedule:
    """Episodes of a session: some once, then others round and round for ever.

    Attributes
    ----------
    opening : tuple of Episode
        Played once, at the start.
    cycle : tuple of Episode
        Repeated afterwards; its episodes become numbered trials.
    """

    opening: tuple[Episode, ...]
    cycle: tuple[Episode, ...]
    _starts: tuple[float, ...] = field(init=False, repr=False, compare=False)
    _period: float = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        episodes = self.opening + self.cycle
        if not self.cycle:
            raise ValueError("a schedule needs at least one episode in its cycle")
        for episode in episodes:
            if not episode.seconds > 0:
                raise ValueError(
                    f"episode {episode.condition!r} lasts {episode.seconds!r} s: must be above 0"
                )
        starts = np.cumsum([0.0, *(episode.seconds for episode in episodes)])
        object.__setattr__(self, "_starts", tuple(starts.tolist()))
        object.__setattr__(self, "_period", sum(episode.seconds for episode in self.cycle))

    def episode(self, number: int) -> Episode:
        """Return the episode of a number, counted from the start of the session."""
        first = len(self.opening)
        if number < first:
            return self.opening[number]
        return self.cycle[(number - first) % len(self.cycle)]

    def start(self, number: int) -> float:
        """Return when an episode starts, in seconds from the start of the session."""
        first = len(self.opening)
        if number < first:
            return self._starts[number]
        turns, position = divmod(number - first, len(self.cycle))
        return self._starts[first + position] + turns * self._period

    def number(self, time: float) -> int:
        """Return the number of the episode that a time lies in."""
        first = len(self.opening)
        number = 0
        if time >= self._starts[first]:
            turns = int((time - self._starts[first]) // self._period)
            number = first + turns * len(self.cycle)
        while self.start(number + 1) <= time:
            number += 1
        return number

    def events(self, begin: float, end: float) -> Iterator[tuple[float, Event]]:
        """Yield the session's events with ``begin <= time < end``, in order.

        Baseline episodes are marked as such, all others as trials with their condition. An episode
        stops at the moment at which the next one starts.
        """
        number = max(0, self.number(max(begin, 0.0)) - 1)
        while self.start(number) < end:
            for time, kind in ((self.start(number), "start"), (self.start(number + 1), "stop")):
                if begin <= time < end:
                    yield time, self._event(number, kind)
            number += 1

    def _event(self, number: int, kind: str) -> Event:
        episode = self.episode(number)
        if episode.condition == BASELINE:
            return Event(f"baseline_{kind}")
        trial = number - sum(e.condition == BASELINE for e in self.opening) + 1
        return Event(f"trial_{kind}", trial=str(trial), condition=episode.condition)


DEMO = Schedule(
    opening=(baseline(35.0),),
    cycle=(stress(60.0), rest(60.0), amusement(60.0), rest(45.0)),
)
"""Shows a change within a minute, and goes on for ever."""

LAB = Schedule(
    opening=(baseline(300.0),),
    cycle=(stress(300.0), rest(300.0), amusement(300.0), rest(300.0)),
)
"""Episodes several times as long as a feature window, for judging a model."""


class Affect:
    """The state of one person over a schedule: a pure function of time.

    Parameters
    ----------
    schedule : Schedule
    seed : int
        Of the slow wander: for each dimension three sine waves with periods from 20 to 90 s.
    """

    def __init__(self, schedule: Schedule, seed: int) -> None:
        self.schedule = schedule
        rng = np.random.default_rng([seed, 0])
        self._periods = rng.uniform(20.0, 90.0, (3, 3)).tolist()
        self._phases = rng.uniform(0.0, 2 * math.pi, (3, 3)).tolist()

    def state(self, time: float) -> AffectState:
        """Return the state at a time in seconds from the start of the session."""
        number = self.schedule.number(time)
        here = self.schedule.episode(number)
        before = self.schedule.episode(number - 1) if number else here
        part = min(1.0, (time - self.schedule.start(number)) / RAMP)
        part = part * part * (3.0 - 2.0 * part)
        values = []
        for i, name in enumerate(("arousal", "valence", "stress")):
            old, new = getattr(before, name), getattr(here, name)
            waves = sum(
                math.sin(2 * math.pi * time / period + phase)
                for period, phase in zip(self._periods[i], self._phases[i], strict=True)
            )
            # Three waves of amplitude a have the standard deviation a * sqrt(3 / 2).
            value = old + (new - old) * part + WANDER / math.sqrt(1.5) * waves
            values.append(min(1.0, max(0.0, value)))
        return AffectState(values[0], values[1], values[2], here.condition)

    def course(self, times: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return arousal, valence and stress at rising times, shape (n, 3).

        Straight lines between whole seconds, which the ramps of the state hardly differ from.
        Before the start the state is that of the start.
        """
        if not len(times):
            return np.empty((0, 3))
        seconds = np.arange(math.floor(times[0]), math.floor(times[-1]) + 2)
        states = [self.state(max(float(second), 0.0)) for second in seconds]
        knots = np.array([(state.arousal, state.valence, state.stress) for state in states])
        return np.column_stack([np.interp(times, seconds, column) for column in knots.T])
