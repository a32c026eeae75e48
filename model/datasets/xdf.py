"""A lab's own recordings: XDF files with ratings among their markers.

The markers are those of `realtime.markers`: `trial_start` and `trial_stop` with a trial and a
condition, a `rating` that names its trial, and `baseline_start` and `baseline_stop` around rest.
"""

from __future__ import annotations

import functools
import math
import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import ClassVar

from model.datasets.base import Dataset, Session, Trial
from model.labels import PANAS10, LabelSet
from realtime.errors import InputError
from realtime.markers import Event, first_baseline, parse_marker
from realtime.recording import Recording
from realtime.xdf import read_xdf

APART = 86400.0
"""Seconds between the starts of a person's recordings on the common clock: LSL clocks start anew
with every boot, and two sessions must not overlap."""


class XdfRecordings(Dataset):
    """Loader of one person's sessions a folder, as `--record` and LabRecorder lay them out.

    A person is called as the folder ``sub-NAME`` on the way to the file, or as the file. Each
    recording holds one person's streams.
    """

    name: ClassVar[str] = "xdf"
    folder: ClassVar[str] = "recordings"
    source: ClassVar[str] = "your own recordings (`affectstream run --record DIR`)"
    labels: ClassVar[LabelSet] = PANAS10
    stress: ClassVar[frozenset[str]] = frozenset({"stress", "TSST"})

    def sessions(self, root: Path) -> tuple[Session, ...]:
        """List the recordings that have rated trials, or a baseline of somebody who has some."""
        files = sorted(path for path in root.rglob("*.xdf") if path.is_file())
        if not files:
            raise InputError(f"no XDF file below {str(root)!r}: give the folder of your recordings")
        sessions: list[Session] = []
        seen: dict[str, int] = {}
        for path in files:
            person = _person(path.relative_to(root))
            number = seen.get(person, 0)
            read = functools.partial(_read, path, number * APART)
            recording = read()
            events = list(_events(recording, person))
            name = f"{person}/{path.relative_to(root).as_posix()}"
            trials = tuple(_trials(events, self.labels, path, number))
            stretch = first_baseline(events)
            if not trials and stretch is None:
                continue
            seen[person] = number + 1
            sessions.append(Session(person, name, trials, stretch, (path,), read))
        rated = {session.participant for session in sessions if session.trials}
        if not rated:
            raise InputError(
                f"none of the {len(files)} XDF files below {str(root)!r} has a rated trial: their "
                "markers need trial_start, trial_stop and rating"
            )
        kept = (session for session in sessions if session.participant in rated)
        return tuple(sorted(kept, key=lambda session: session.participant))


def _person(path: Path) -> str:
    for part in path.parts:
        found = re.match(r"sub-([A-Za-z0-9-]+)", part)
        if found:
            return found[1]
    return path.stem


def _read(path: Path, offset: float) -> Recording:
    """Read a recording and move it by whole seconds, so that it starts within one of `offset`."""
    recording = read_xdf(path)
    shift = offset - math.floor(recording.start)
    return replace(
        recording,
        streams=tuple(replace(stream, times=stream.times + shift) for stream in recording.streams),
        markers=tuple(replace(marker, time=marker.time + shift) for marker in recording.markers),
        start=recording.start + shift,
    )


def _events(recording: Recording, person: str) -> Iterator[tuple[float, Event]]:
    """Yield our events that concern a person, in order of time."""
    for marker in sorted(recording.markers, key=lambda marker: marker.time):
        event = parse_marker(marker.text)
        # A recording of one person may call them P1, as a session does unless told otherwise.
        if event is not None and event.participant in ("", "P1", person):
            yield marker.time, event


def _trials(
    events: list[tuple[float, Event]], labels: LabelSet, path: Path, number: int
) -> Iterator[Trial]:
    """Yield the trials that end and have a rating; the last rating of a trial holds."""
    ratings = {event.trial: event for _, event in events if event.event == "rating"}
    started: dict[str, tuple[float, Event]] = {}
    for time, event in events:
        if event.event == "trial_start":
            started[event.trial] = time, event
        elif event.event == "trial_stop" and event.trial in started and event.trial in ratings:
            start, first = started.pop(event.trial)
            rating = ratings[event.trial]
            if rating.scale not in (None, labels.scale):
                raise InputError(
                    f"{str(path)!r} rates trial {event.trial!r} on the scale {rating.scale}, "
                    f"must be {labels.scale}: {labels.instrument}"
                )
            yield Trial(
                name=f"{number + 1}-{event.trial}",
                condition=first.condition or event.trial,
                start=start,
                stop=time,
                ratings={item: rating.items.get(item, math.nan) for item in labels.emotions},
            )
