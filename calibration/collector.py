"""Gathers a person's windows and markers to rated trials, while they come."""

from __future__ import annotations

import logging
import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

import numpy as np
from numpy.typing import NDArray

from calibration.runs import LEAST, Run, Story, Timed, concerns, in_order, named, read_events
from calibration.trials import RatedTrial
from model.batch import Batch, concatenate, from_windows
from realtime.errors import InputError
from realtime.markers import Event
from realtime.window import Window

_log = logging.getLogger(__name__)

MAX_EVENTS = 1000  # that are remembered; a trial takes three


@dataclass(frozen=True, slots=True)
class TrialSettings:
    """How trials are collected.

    Attributes
    ----------
    now : float
        Seconds that a rating without a trial ("rate now") is about; 10 at least.
    memory : float
        Seconds of windows that are kept for ratings still to come, and for ratings that replace
        others; inf for a recording.
    """

    now: float = 60.0
    memory: float = 3600.0

    def __post_init__(self) -> None:
        if not LEAST <= self.now <= self.memory:
            raise InputError(
                f"a rating without a trial is about {self.now:g} s: give {LEAST:g} s at least, "
                f"and at most the {self.memory:g} s that are remembered"
            )


class TrialCollector:
    """Gathers one person's windows and markers to rated trials, as they come.

    What comes out depends on the times of windows and events, not on the order in which they
    arrive. A window counts to one trial only: first to a rating without a trial that is about it,
    then to the rated trial that started last. As in training (`model.datasets.convert`), windows
    inside the stated baseline are left out, and partial windows of the warm-up are not.

    Parameters
    ----------
    participant : str
    modalities : sequence of str
        What batches hold, in this order.
    hop : float
        Seconds between windows.
    epoch : datetime
        When the session's clock was 0.
    settings : TrialSettings

    Notes
    -----
    A trial that was given out comes again, under its name, if it changes: another rating, a later
    run, an overlap. The later one replaces the earlier. What no longer counts is `withdrawn`.
    """

    def __init__(
        self,
        participant: str,
        modalities: Sequence[str],
        hop: float,
        epoch: datetime,
        settings: TrialSettings | None = None,
    ) -> None:
        self.participant = participant
        self.settings = settings or TrialSettings()
        self._modalities = tuple(modalities)
        self._hop = hop
        self._epoch = epoch
        self._rows: dict[float, Batch] = {}
        self._seen = -math.inf
        self._floor = -math.inf
        self._events: list[Timed] = []
        self._stated: list[tuple[float, float]] = []
        self._story = Story()
        self._earliest = math.inf
        self._began = math.inf
        self._due = math.inf
        self._through = -math.inf
        self._given: dict[str, tuple[object, ...]] = {}
        self._withdrawn: set[str] = set()
        self._lacking: list[str] = []
        self._notes: dict[str, None] = {}
        self._logged: dict[str, None] = {}

    @property
    def notes(self) -> tuple[str, ...]:
        """What was left out or does not fit together, a sentence each; each is logged once too."""
        return tuple(dict.fromkeys((*self._story.notes, *self._lacking, *self._notes)))

    @property
    def withdrawn(self) -> frozenset[str]:
        """Trials that were given out and count no more: others claim all of their windows."""
        return frozenset(self._withdrawn)

    def window(self, window: Window) -> list[RatedTrial]:
        """Take in a window of this person, and return the trials that it completes."""
        if window.participant != self.participant:
            raise ValueError(f"a window of {window.participant!r}, not {self.participant!r}")
        time = window.time
        if time in self._rows or time <= self._floor:
            return []
        late = time < self._seen or time <= self._through
        self._rows[time] = from_windows([window], self._modalities)
        self._seen = max(self._seen, time)
        self._forget(self._seen - self.settings.memory)
        return self._finished() if late or self._seen + self._hop > self._due else []

    def event(self, event: Event, time: float) -> list[RatedTrial]:
        """Take in an event, and return the trials that it completes.

        Parameters
        ----------
        event : Event
            Of anybody; those that concern others are ignored.
        time : float
            When it happened, on the windows' clock; of a rating without a trial, when the person
            was asked.
        """
        return self.events([(time, event)])

    def events(self, events: Sequence[Timed]) -> list[RatedTrial]:
        """Take in several events, each as `event` does, in any order."""
        there: dict[float, list[Event]] = {}
        for time, event in self._events:
            there.setdefault(time, []).append(event)
        fresh: list[Timed] = []
        for time, event in events:
            if self._takes(time, event) and event not in there.get(time, ()):
                there.setdefault(time, []).append(event)
                fresh.append((time, event))
        if not fresh:
            return []
        self._events = in_order([*self._events, *fresh])
        over = len(self._events) - MAX_EVENTS
        if over > 0 and math.isfinite(self.settings.memory):
            self._tell(f"more than {MAX_EVENTS} events are open: the oldest are forgotten")
            oldest = self._events[over - 1][0]
            self._events = self._events[over:]
            self._forget(min(oldest, self._seen))
        self._read()
        return self._finished()

    def _takes(self, time: float, event: Event) -> bool:
        """Tell whether an event concerns this person's trials."""
        if event.participant not in ("", self.participant) or not concerns(event):
            return False
        if not math.isfinite(time):
            self._tell(f"an event {event.event} has no time: it is left out")
            return False
        return True

    def state_baseline(self, start: float, stop: float) -> None:
        """Leave out a stretch of rest that no marker states."""
        self._stated.append((start, stop))

    def close(self) -> list[RatedTrial]:
        """Return the trials that still waited for windows; `notes` then tell what is missing."""
        self._seen = math.inf
        finished = self._finished()
        for run in self._story.runs:
            if run.stop == math.inf:
                self._tell(f"trial {named(run.trial)} never stopped: it is left out")
            elif run.rating is None and run.marked:
                self._tell(f"trial {named(run.trial)} has no rating: it is left out")
        return finished

    def _read(self) -> None:
        self._story = read_events(self._events, self.participant, self.settings.now)
        # The start of what is half forgotten may seem to be another.
        known = (run.start for run in self._story.runs if run.start > self._floor)
        self._began = min([self._earliest, *known])
        for note in self._story.notes:
            self._log(note)

    def _finished(self) -> list[RatedTrial]:
        """Return the trials that are complete, and new or not what they were."""
        times = np.array(sorted(self._rows), dtype=np.float64)
        free = np.ones(len(times), dtype=bool)
        for start, stop in (*self._stated, *self._story.baselines):
            free &= (times <= start) | (times > stop)
        self._due = math.inf
        found: list[tuple[Run, NDArray[np.float64]]] = []
        for run in sorted(self._story.runs, key=lambda run: (run.marked, -run.start)):
            if run.rating is None or run.stop == math.inf:
                continue
            own = free & (times > run.start) & (times <= run.stop)
            free &= ~own
            if self._seen + self._hop > run.stop:
                found.append((run, times[own]))
                self._through = max(self._through, run.stop)
            else:
                self._due = min(self._due, run.stop)
        found.sort(key=lambda pair: pair[0].start)
        self._lacking.clear()
        before = set(self._given)
        trials = [self._trial(run, own) for run, own in found]
        gone = before - {run.trial for run, own in found if len(own) or run.start < self._floor}
        for name in gone:
            del self._given[name]
        self._withdrawn = (self._withdrawn | gone) - set(self._given)
        return [trial for trial in trials if trial is not None]

    def _trial(self, run: Run, times: NDArray[np.float64]) -> RatedTrial | None:
        """Return a trial unless it was given out as it is, or cannot be."""
        assert run.rating is not None
        state = (run, times.tobytes(), self._began)
        given = self._given.get(run.trial)
        if given == state or (given is not None and run.start < self._floor):
            return None
        if not len(times):
            self._lacking.append(
                f"trial {named(run.trial)} has no windows of its own (nothing was measured, or it "
                "lies inside the baseline or another trial): it is left out"
            )
            self._log(self._lacking[-1])
            return None
        if run.start < self._floor:
            self._tell(
                f"trial {named(run.trial)} was rated after {self.settings.memory:g} s: its start "
                "is forgotten"
            )
        self._given[run.trial] = state
        batch = concatenate([self._rows[time] for time in times.tolist()])
        rated = self._epoch + timedelta(seconds=run.rated)
        return RatedTrial(
            trial=run.trial,
            condition=run.condition,
            start=run.start,
            stop=run.stop,
            date=rated.astimezone(UTC).isoformat(timespec="seconds"),
            batch=replace(batch, elapsed=batch.elapsed - self._began),
            rating=run.rating,
        )

    def _forget(self, floor: float) -> None:
        """Forget windows that end at or before a time, and events that concern no later one."""
        if floor <= self._floor:
            return
        self._floor = floor
        while self._rows and (first := next(iter(self._rows))) <= floor:
            del self._rows[first]
        if not self._events or self._events[0][0] > floor:
            return
        self._earliest = self._began
        known = {run.trial for run in self._story.runs if run.marked}
        open_ = {run.trial for run in self._story.runs if run.stop > floor}
        started = {e.trial for t, e in self._events if t <= floor and e.event == "trial_start"}
        taken_back = started - known - {""}
        resting = {start for start, stop in self._story.baselines if stop > floor}
        kept = [
            (time, event)
            for time, event in self._events
            if event.trial in open_
            or (time > floor and event.trial not in known | taken_back)
            or (event.event == "baseline_start" and time in resting)
        ]
        if len(kept) < len(self._events):
            self._events = kept
            self._read()
            names = {run.trial for run in self._story.runs}
            self._given = {name: state for name, state in self._given.items() if name in names}

    def _tell(self, note: str) -> None:
        self._notes[note] = None
        if len(self._notes) > MAX_EVENTS:
            del self._notes[next(iter(self._notes))]
        self._log(note)

    def _log(self, note: str) -> None:
        if note in self._logged:
            return
        if len(self._logged) >= 4 * MAX_EVENTS:
            self._logged.clear()
        self._logged[note] = None
        _log.warning("%s: %s", self.participant, note)
