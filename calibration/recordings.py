"""Rated trials of one person from a recording, through the engine as it works live.

Trials, ratings and the baseline are our own markers in the recording (one-line JSON, see
`realtime.markers`), whichever program sent them; other markers say nothing here. An Empatica E4
folder may hold them as tables instead: ``segments.csv`` and ``ratings.csv``, as
`calibration.segments` describes.
"""

from __future__ import annotations

import logging
import math
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np

from calibration.collector import TrialCollector, TrialSettings
from calibration.profile import Baseline
from calibration.runs import Timed, concerns, in_order, named
from calibration.segments import has_tables, read_tables
from calibration.trials import RatedTrial
from model.labels import LabelSet
from realtime.baseline import Population
from realtime.e4 import is_e4_folder
from realtime.errors import InputError
from realtime.markers import first_baseline, parse_marker
from realtime.metadata import clean
from realtime.offline import bind_recording, windows_of
from realtime.recording import Recording, plausible_stamps
from realtime.rig import Rig
from realtime.window import Window

_log = logging.getLogger(__name__)

NEEDED = (
    '{"affectstream": 1, "event": "trial_start", "trial": "1"}, the same with "trial_stop", and '
    '{"affectstream": 1, "event": "rating", "trial": "1", "items": {"alert": 3, ...}, '
    '"scale": [1, 5]}'
)
_HEAD = 65536  # bytes of an XDF file in which its header is looked for


@dataclass(frozen=True, slots=True)
class RatedRecording:
    """What a recording holds for calibration.

    Attributes
    ----------
    trials : tuple of RatedTrial
        In order of their start; at least one.
    baseline : tuple of float or None
        Stated rest, in seconds from the recording's start.
    rest : Baseline or None
        Features during it; None where it has no window.
    windows : int
        Of the whole recording.
    notes : tuple of str
        What was left out or does not fit together, a sentence each.
    """

    trials: tuple[RatedTrial, ...]
    baseline: tuple[float, float] | None
    rest: Baseline | None
    windows: int
    notes: tuple[str, ...]


def trials_of(
    recording: Recording,
    rig: Rig,
    population: Population,
    labels: LabelSet,
    participant: str = "P1",
    baseline: tuple[float, float] | None = None,
    choices: Mapping[str, str] | None = None,
) -> RatedRecording:
    """Return the rated trials of a recording of one person.

    Parameters
    ----------
    recording : Recording
    rig : Rig
    population : Population
        For normalisation.
    labels : LabelSet
        What the model predicts; tables of ratings must have all of its items.
    participant : str
        Who it is. Where all markers name one other person, that is who is meant.
    baseline : tuple of float, optional
        Stated rest in seconds from the recording's start; by default what markers or tables state
        first.
    choices : mapping of str to str, optional
        Chosen streams, as ``--bind`` gives them.

    Raises
    ------
    InputError
        If the recording has no rated trial, or a table does not fit.
    """
    events, notes = _events_of(recording, labels, participant)
    marked = first_baseline(events)
    stretch = baseline or (marked and (marked[0] - recording.start, marked[1] - recording.start))
    modalities = [one.name for one in rig.modalities if one.name in population.mean]
    collector = TrialCollector(
        participant, modalities, rig.hop, _epoch(recording), TrialSettings(memory=math.inf)
    )
    still = None
    if stretch is not None:
        still = (recording.start + stretch[0], recording.start + stretch[1])
        collector.state_baseline(*still)
    # One stretch normalises all windows of a recording; another is like any other time.
    collector.events([pair for pair in events if not pair[1].event.startswith("baseline")])
    found: dict[str, RatedTrial] = {}
    rest: list[Window] = []
    windows = 0
    for window in windows_of(
        _bound(recording, rig, participant, choices or {}),
        rig,
        participant=participant,
        population=population,
        baseline=stretch,
    ):
        windows += 1
        if still is not None and still[0] < window.time <= still[1]:
            rest.append(window)
        found.update((trial.trial, trial) for trial in collector.window(window))
    found.update((trial.trial, trial) for trial in collector.close())
    notes += collector.notes
    if not found:
        raise InputError(
            f"{recording.path!r} has no rated trial that can be used "
            f"({'; '.join(notes[:10]) or 'its markers are no trials'}): needed are {NEEDED}"
        )
    trials = sorted(found.values(), key=lambda trial: trial.start)
    resting = rest_of(rest, modalities, rig.hop) if rest else None
    return RatedRecording(tuple(trials), stretch, resting, windows, tuple(notes))


def rest_of(windows: Sequence[Window], modalities: Sequence[str], hop: float) -> Baseline:
    """Return a person's features at rest.

    Parameters
    ----------
    windows : sequence of Window
        Those of the stated baseline; at least one.
    modalities : sequence of str
        Which to take.
    hop : float
        Seconds that one window stands for.
    """
    seconds, mean, variance = {}, {}, {}
    for name in modalities:
        values = np.array([window.features[name] for window in windows], dtype=np.float64)
        present = np.isfinite(values)
        count = present.sum(axis=0)
        seconds[name] = count * hop
        some = np.maximum(count, 1)
        mean[name] = np.where(present, values, 0.0).sum(axis=0) / some
        variance[name] = np.where(present, (values - mean[name]) ** 2, 0.0).sum(axis=0) / some
    return Baseline(seconds, mean, variance)


def _bound(
    recording: Recording, rig: Rig, participant: str, choices: Mapping[str, str]
) -> Recording:
    """Leave out the streams that serve as nothing, where some were chosen."""
    if not choices:
        return recording
    bindings = bind_recording(recording, rig, participant, dict(choices)).bindings
    used = {source.stream for binding in bindings for source in binding.sources}
    kept = tuple(stream for stream in recording.streams if stream.info.key in used)
    return replace(recording, streams=kept)


def _events_of(
    recording: Recording, labels: LabelSet, participant: str
) -> tuple[list[Timed], list[str]]:
    """Return the events that concern a person, in order of time, and what there is to say."""
    folder = _table_folder(Path(recording.path))
    if folder is not None:
        zero = min(stream.info.created_at for stream in recording.streams)
        ends = [stream.times[-1] for stream in recording.streams if len(stream.times)]
        events = read_tables(folder, zero, float(max(ends, default=0)), labels)
        return in_order(events), []
    ours = [(marker.time, parse_marker(marker.text)) for marker in recording.markers]
    events = [(time, event) for time, event in ours if event is not None and concerns(event)]
    if not events:
        raise InputError(_nothing_of_ours(recording))
    return _of_person(recording, events, participant)


def _table_folder(path: Path) -> Path | None:
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


def _of_person(
    recording: Recording, events: Sequence[Timed], participant: str
) -> tuple[list[Timed], list[str]]:
    """Return one person's events, addressed to everybody."""
    people = sorted({event.participant for _, event in events if event.participant})
    notes = []
    name = participant
    if people and participant not in people:
        if len(people) > 1:
            raise InputError(
                f"the markers of {recording.path!r} are about {', '.join(map(named, people))}, and "
                f"not about {participant!r}: give one of them as --participant"
            )
        name = people[0]
        notes.append(f"the markers call the person {named(name)}: taken as {participant}")
    own = [
        (time, replace(event, participant=""))
        for time, event in events
        if event.participant in ("", name)
    ]
    return in_order(own), notes


def _nothing_of_ours(recording: Recording) -> str:
    """Say which markers a recording has instead of ours, and what is needed."""
    needed = f"{NEEDED}, on an LSL marker stream that is recorded too"
    if Path(recording.path).is_dir():
        needed = "the tables segments.csv and ratings.csv in the folder, since a wristband has none"
    streams = {info.key: info.name for info in recording.marker_streams}
    kinds: dict[str, Counter[str]] = {}
    for marker in recording.markers:
        texts = kinds.setdefault(streams.get(marker.stream, marker.stream), Counter())
        texts[clean(marker.text, 40)] += 1
    parts = []
    for name, texts in list(kinds.items())[:5]:
        shown = ", ".join(repr(text) for text, _ in texts.most_common(4))
        parts.append(f"{texts.total()} on {name!r} such as {shown}")
    found = "it has no markers"
    if parts:
        found = f"of its {len(recording.markers)} markers none is ours ({'; '.join(parts)})"
    return (
        f"{recording.path!r} does not say what its trials are and how they were rated: {found}; "
        f"needed are {needed}"
    )


def _epoch(recording: Recording) -> datetime:
    """Return when the recording's clock was 0, as well as it is known."""
    path = Path(recording.path)
    if path.is_dir():
        started = [stream.info.created_at for stream in recording.streams]
        return datetime.fromtimestamp(min(started), UTC)
    written = _date_in_header(path)
    if written is not None:
        return written - timedelta(seconds=recording.start)
    # A file that does not say when it was begun was written to until its end.
    ends = [float(end) for end in _ends(recording)]
    try:
        changed = datetime.fromtimestamp(path.stat().st_mtime, UTC)
    except OSError:
        changed = datetime.now(UTC)
    return changed - timedelta(seconds=max(ends, default=recording.start))


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
