"""What a recording says of itself: whose streams and events it holds, where rest was, and when."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np

from calibration.runs import Timed, concerns, in_order, named
from calibration.segments import has_tables, read_rest
from calibration.trials import RatedTrial
from realtime.choices import assign_participants, choices_of, subject_of
from realtime.e4 import is_e4_folder
from realtime.errors import InputError
from realtime.markers import first_baseline, parse_marker
from realtime.recording import Recording, plausible_stamps

_HEAD = 65536  # bytes of an XDF file in which its header is looked for

# How far apart two reckonings of when a rating was made can be, in seconds. A wristband's clock is
# the world's. An XDF file's header says when the program began to record, and its first sample may
# have come much later.
_E4_SLACK, _XDF_SLACK = 2.0, 3600.0


def own_streams(
    recording: Recording, participant: str, choices: Mapping[str, str] | None = None
) -> Recording:
    """Return a recording without the streams of other people.

    A stream names its subject as live ones do (``<desc><subject><id>``). Where none names the
    participant, all may be theirs.

    Parameters
    ----------
    recording : Recording
    participant : str
    choices : mapping of str to str, optional
        Chosen streams, as ``--bind`` gives them: who chooses knows whose streams are whose.

    Raises
    ------
    InputError
        If the streams are of several people, none of that name, and nothing was chosen.
    """
    infos = [stream.info for stream in recording.streams]
    people = sorted(set(filter(None, map(subject_of, infos))))
    own = choices_of(choices or {}, participant)
    if len(people) > 1 and participant not in people and not own:
        raise InputError(
            f"the streams of {recording.path!r} are of {', '.join(map(named, people))}, and not of "
            f"{participant!r}: give one of them as --participant or --profile, or choose the "
            "person's streams with --bind"
        )
    kept = {info.key for info in assign_participants(infos, (participant,), own)[participant]}
    streams = tuple(stream for stream in recording.streams if stream.info.key in kept)
    return replace(recording, streams=streams)


def taken_as(recording: Recording, participant: str) -> list[str]:
    """Say whom the streams of `own_streams` name, if it is somebody else."""
    people = sorted(set(filter(None, (subject_of(stream.info) for stream in recording.streams))))
    if not people or participant in people:
        return []
    return [f"the streams name {', '.join(map(named, people))}: taken as {participant}"]


def our_events(recording: Recording) -> list[Timed]:
    """Return our own markers about trials, ratings and the baseline, with their times."""
    ours = [(marker.time, parse_marker(marker.text)) for marker in recording.markers]
    return [(time, event) for time, event in ours if event is not None and concerns(event)]


def own_events(
    recording: Recording, events: Sequence[Timed], participant: str
) -> tuple[list[Timed], list[str]]:
    """Return one person's events in order of time, addressed to everybody, and what was assumed.

    Where all events name one other person, that is who is meant.

    Raises
    ------
    InputError
        If they name several people, and none of that name.
    """
    people = sorted({event.participant for _, event in events if event.participant})
    notes = []
    name = participant
    if people and participant not in people:
        if len(people) > 1:
            raise InputError(
                f"the markers of {recording.path!r} are about {', '.join(map(named, people))}, and "
                f"not about {participant!r}: give one of them as --participant or "
                "--profile"
            )
        name = people[0]
        notes.append(f"the markers call the person {named(name)}: taken as {participant}")
    own = [
        (time, replace(event, participant=""))
        for time, event in events
        if event.participant in ("", name)
    ]
    return in_order(own), notes


def stated_rest(recording: Recording, participant: str = "P1") -> tuple[float, float] | None:
    """Return the first stretch of rest that a recording's markers or tables state of a person.

    Returns
    -------
    tuple of float or None
        In seconds from the recording's start.

    Raises
    ------
    InputError
        If a table cannot be read, or markers name several people and none of that name.
    """
    folder = table_folder(Path(recording.path))
    if folder is not None:
        marked = read_rest(folder, *clock_of(recording))
    else:
        marked = first_baseline(own_events(recording, our_events(recording), participant)[0])
    return marked and (marked[0] - recording.start, marked[1] - recording.start)


def table_folder(path: Path) -> Path | None:
    """Return the folder of a recording's tables, if it has any.

    The folder above a lone E4 folder counts too, as `realtime.e4` takes one for the other.
    """
    if not path.is_dir():
        return None
    if has_tables(path):
        return path
    above = path.absolute().parent
    if has_tables(above):
        beside = [child for child in above.iterdir() if child.is_dir() and is_e4_folder(child)]
        if len(beside) == 1:
            return above
    return None


def clock_of(recording: Recording) -> tuple[float, float]:
    """Return of a wristband's recording the Unix time at its clock's 0, and its end on that clock.

    Both in seconds.
    """
    zero = min(stream.info.created_at for stream in recording.streams)
    ends = [stream.times[-1] for stream in recording.streams if len(stream.times)]
    return zero, float(max(ends, default=0))


def epoch(recording: Recording) -> datetime:
    """Return when the recording's clock was 0, as well as it is known."""
    known = _known_epoch(recording)
    if known is not None:
        return known
    # A file that does not say when it was begun was written to until its end.
    try:
        changed = datetime.fromtimestamp(Path(recording.path).stat().st_mtime, UTC)
    except OSError:
        changed = datetime.now(UTC)
    return changed - timedelta(seconds=_end(recording))


def rated_within(recording: Recording, trials: Sequence[RatedTrial]) -> tuple[RatedTrial, ...]:
    """Return those of a profile's trials that seem to have been rated in a recording.

    They lie within it on its clock, and were rated about when it was made. What was rated while a
    wristband recorded counts whichever clock it was marked on. Where a recording or a trial does
    not say when, the clock alone decides.
    """
    zero = _known_epoch(recording)
    first, last = recording.start, _end(recording)
    folder = Path(recording.path).is_dir()

    def within(trial: RatedTrial) -> bool:
        inside = trial.start < last and trial.stop > first
        if zero is None or not trial.date:
            return inside
        # On the recording's clock, if that is where it was rated.
        rated = (datetime.fromisoformat(trial.date) - zero).total_seconds()
        if folder:
            same = inside and abs(rated - trial.stop) <= _E4_SLACK
            return same or first <= rated <= last
        return inside and first - _XDF_SLACK <= rated <= last + _XDF_SLACK

    return tuple(trial for trial in trials if within(trial))


def _known_epoch(recording: Recording) -> datetime | None:
    path = Path(recording.path)
    if path.is_dir():
        return datetime.fromtimestamp(clock_of(recording)[0], UTC)
    written = _date_in_header(path)
    return None if written is None else written - timedelta(seconds=recording.start)


def _end(recording: Recording) -> float:
    """Return when the last credible sample was taken, on the recording's clock."""
    return max(_ends(recording), default=recording.start)


def _ends(recording: Recording) -> Iterator[float]:
    for stream in recording.streams:
        credible = stream.times[plausible_stamps(stream.times)]
        if len(credible):
            yield float(np.max(credible))


def _date_in_header(path: Path) -> datetime | None:
    """Return the date in an XDF file's header; its own zone, or else this computer's."""
    try:
        with path.open("rb") as file:
            head = file.read(_HEAD)
        found = re.search(rb"<datetime>\s*([0-9T:.+Z -]{10,40}?)\s*</datetime>", head)
        return None if found is None else datetime.fromisoformat(found[1].decode()).astimezone(UTC)
    except (OSError, ValueError, OverflowError):
        return None
