"""What events say of one person: when trials ran, how they were rated, when the baseline was."""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from calibration.ratings import Rating
from model.labels import PANAS10
from realtime.errors import InputError
from realtime.markers import Event
from realtime.metadata import clean

Timed = tuple[float, Event]
"""An event and its time on the session's clock, in seconds."""

LEAST = 10.0
"""Seconds that a rating without a trial must concern at least."""

SCALE = PANAS10.scale
"""Of ratings that do not say theirs."""

SUPERSEDED = "superseded"
"""How the text of a note begins that takes back the trial that it names."""

# Of events at the same moment, what ends comes first: one trial may stop where the next starts.
_RANK = {"trial_stop": 0, "baseline_stop": 0, "trial_start": 1, "baseline_start": 1, "rating": 2}
_LAST = 3  # what takes back


@dataclass(frozen=True, slots=True)
class Run:
    """One stretch of time that a rating can be about.

    Attributes
    ----------
    trial, condition : str
    start, stop : float
        `stop` is inf until it is known.
    marked : bool
        False for the stretch before a rating without a trial.
    rating : Rating or None
    rated : float
        When; NaN without a rating.
    """

    trial: str
    condition: str
    start: float
    stop: float = math.inf
    marked: bool = True
    rating: Rating | None = None
    rated: float = math.nan


@dataclass(frozen=True, slots=True)
class Story:
    """What a person's events say.

    Attributes
    ----------
    runs : tuple of Run
        In order of their start. Of a trial that was started again, the former runs are there only
        as long as no later one is rated.
    baselines : tuple of (float, float)
        Stretches of stated rest; the last one may be open (inf).
    notes : tuple of str
        What does not fit together, a sentence each.
    """

    runs: tuple[Run, ...] = ()
    baselines: tuple[tuple[float, float], ...] = ()
    notes: tuple[str, ...] = ()


def concerns(event: Event) -> bool:
    """Tell whether an event says something about trials, ratings or the baseline."""
    return event.event in _RANK or takes_back(event)


def takes_back(event: Event) -> bool:
    """Tell whether an event says that a trial counts no more."""
    return event.event == "note" and event.trial != "" and event.text.startswith(SUPERSEDED)


def in_order(events: Sequence[Timed]) -> list[Timed]:
    """Return events by time; at the same moment, what ends comes before what starts."""
    return sorted(events, key=lambda pair: (pair[0], _RANK.get(pair[1].event, _LAST)))


def read_events(events: Sequence[Timed], participant: str = "", now: float = 60.0) -> Story:
    """Make sense of one person's events.

    Parameters
    ----------
    events : sequence of (float, Event)
        Those that `concerns` and that concern this person; in any order.
    participant : str
        Who answered, for the ratings.
    now : float
        Seconds that a rating without a trial is about.
    """
    ordered = in_order(events)
    notes: list[str] = []
    runs = list(_marked(ordered, notes))
    baselines = _baselines(ordered)
    runs += _asked(ordered, runs, baselines, now, notes)
    runs.sort(key=lambda run: (run.start, run.stop))
    ratings = [(time, event) for time, event in ordered if event.event == "rating"]
    runs = _rated(runs, ratings, participant, notes)
    runs = _latest(_counting(runs, ordered, notes), notes)
    notes += _overlaps(runs)
    return Story(tuple(runs), baselines, tuple(dict.fromkeys(notes)))


def named(trial: str) -> str:
    """Return a trial's name as sentences quote it."""
    return repr(clean(trial, 60))


def _marked(events: Sequence[Timed], notes: list[str]) -> Iterator[Run]:
    """Yield the runs of trials that are marked as such."""
    running: dict[str, Run] = {}
    for time, event in events:
        if event.event == "trial_start":
            if not event.trial:
                notes.append("a trial without a name starts: name it, or it cannot be rated")
                continue
            if event.trial in running:
                notes.append(
                    f"trial {named(event.trial)} starts again before it stopped: it counts from "
                    "its last start"
                )
            running[event.trial] = Run(event.trial, event.condition, time)
        elif event.event == "trial_stop" and event.trial in running:
            yield replace(running.pop(event.trial), stop=time)
        elif event.event == "trial_stop" and event.trial:
            notes.append(f"trial {named(event.trial)} stops, but had not started")
    yield from running.values()


def _baselines(events: Sequence[Timed]) -> tuple[tuple[float, float], ...]:
    found: list[tuple[float, float]] = []
    start: float | None = None
    for time, event in events:
        if event.event == "baseline_start":
            start = time
        elif event.event == "baseline_stop" and start is not None:
            found.append((start, time))
            start = None
    return (*found, (start, math.inf)) if start is not None else tuple(found)


def _asked(
    events: Sequence[Timed],
    marked: Sequence[Run],
    baselines: Sequence[tuple[float, float]],
    now: float,
    notes: list[str],
) -> Iterator[Run]:
    """Yield the stretches before ratings without a trial.

    None reaches back beyond the start or stop of anything else, nor beyond the rating before.
    """
    edges = [edge for run in marked for edge in (run.start, run.stop)]
    edges += [edge for stretch in baselines for edge in stretch]
    edges.sort()
    for time, event in events:
        if event.event != "rating" or event.trial:
            continue
        place = bisect_left(edges, time)
        start = max(edges[place - 1] if place else -math.inf, time - now)
        edges.insert(place, time)
        if time - start < LEAST:
            notes.append(
                f"the rating at {time:.1f} s names no trial and comes {time - start:.1f} s after "
                f"the last start, stop or rating: it needs {LEAST:g} s of its own, and is left out"
            )
            continue
        yield Run(f"now-{time:.3f}", "", start, time, marked=False)


def _rated(
    runs: Sequence[Run], ratings: Sequence[Timed], participant: str, notes: list[str]
) -> list[Run]:
    """Give each rating to the last run of its trial that had started."""
    result = list(runs)
    asked = {run.stop: index for index, run in enumerate(runs) if not run.marked}
    marked: dict[str, list[int]] = {}
    for index, run in enumerate(runs):
        if run.marked:
            marked.setdefault(run.trial, []).append(index)
    for time, event in ratings:
        if event.trial:
            fitting = [i for i in marked.get(event.trial, ()) if runs[i].start <= time]
            if not fitting:
                notes.append(
                    f"a rating is for trial {named(event.trial)}, which is not known to have "
                    "started: it is left out"
                )
                continue
            index = fitting[-1]
        elif time in asked:
            index = asked[time]
        else:
            continue  # too short; said
        rating = _rating(event, result[index].trial, participant, notes)
        if rating is None:
            continue
        if result[index].rating is not None:
            notes.append(f"trial {named(rating.trial)} is rated more than once: the last one holds")
        result[index] = replace(result[index], rating=rating, rated=time)
    return result


def _rating(event: Event, trial: str, participant: str, notes: list[str]) -> Rating | None:
    """Return the rating of an event, or None, with a note, if it says nothing that can be used."""
    try:
        rating = Rating.from_event(replace(event, trial=trial, participant=participant), SCALE)
    except InputError as error:
        notes.append(f"a rating of trial {named(trial)} is left out: {error}")
        return None
    missing = rating.unanswered
    if len(missing) == len(rating.items):
        notes.append(f"a rating of trial {named(trial)} is left out: it holds no answer")
        return None
    if missing:
        notes.append(
            f"the rating of trial {named(trial)} has no answer for {', '.join(missing[:20])}"
        )
    return rating


def _counting(runs: Sequence[Run], events: Sequence[Timed], notes: list[str]) -> list[Run]:
    """Leave out runs that were taken back after they had started."""
    taken: dict[str, float] = {}
    for time, event in events:
        if takes_back(event):
            taken[event.trial] = time
    kept = []
    for run in runs:
        if run.marked and run.start <= taken.get(run.trial, -math.inf):
            if run.rating is not None:
                notes.append(f"trial {named(run.trial)} was taken back: it is left out")
        else:
            kept.append(run)
    return kept


def _latest(runs: Sequence[Run], notes: list[str]) -> list[Run]:
    """Leave out former runs of a trial once a later one is rated."""
    done = (run for run in runs if run.marked and run.rating is not None and run.stop < math.inf)
    last = {run.trial: run for run in done}
    kept = []
    for run in runs:
        if run.marked and run.trial in last and run.start < last[run.trial].start:
            notes.append(f"trial {named(run.trial)} was run again: its last rated run counts")
        else:
            kept.append(run)
    return kept


def _overlaps(runs: Sequence[Run]) -> Iterator[str]:
    longest: Run | None = None
    for run in runs:
        if not run.marked:
            continue
        if longest is not None and run.start < longest.stop and run.trial != longest.trial:
            yield (
                f"trials {named(longest.trial)} and {named(run.trial)} overlap: what they share "
                "counts to the one that started later, if it is rated"
            )
        if longest is None or run.stop > longest.stop:
            longest = run
