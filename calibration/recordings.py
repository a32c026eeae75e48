"""Rated trials of one person from a recording, through the engine as it works live.

Trials, ratings and the baseline are our own markers in the recording (one-line JSON, see
`realtime.markers`), whichever program sent them; other markers say nothing here. An Empatica E4
folder may hold them as tables instead: ``segments.csv`` and ``ratings.csv``, as
`calibration.segments` describes.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from calibration.collector import TrialCollector, TrialSettings
from calibration.runs import Timed, in_order
from calibration.segments import read_tables
from calibration.statements import (
    clock_of,
    epoch,
    our_events,
    own_events,
    own_streams,
    table_folder,
    taken_as,
)
from calibration.trials import RatedTrial
from model.labels import LabelSet
from realtime.baseline import Normaliser, Population, Rest
from realtime.errors import InputError
from realtime.features.artefacts import ArtefactFilter
from realtime.markers import first_baseline
from realtime.metadata import clean
from realtime.offline import bind_recording, windows_of
from realtime.recording import Recording
from realtime.rig import Rig

NEEDED = (
    '{"affectstream": 1, "event": "trial_start", "trial": "1"}, the same with "trial_stop", and '
    '{"affectstream": 1, "event": "rating", "trial": "1", "items": {"alert": 3, ...}, '
    '"scale": [1, 5]}'
)


@dataclass(frozen=True, slots=True)
class RatedRecording:
    """What a recording holds for calibration.

    Attributes
    ----------
    trials : tuple of RatedTrial
        In order of their start; at least one.
    baseline : tuple of float or None
        Stated rest, in seconds from the recording's start.
    rest : Rest or None
        Features during it; None where it has no window.
    windows : int
        Of the whole recording.
    notes : tuple of str
        What was left out or does not fit together, a sentence each.
    """

    trials: tuple[RatedTrial, ...]
    baseline: tuple[float, float] | None
    rest: Rest | None
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
    artefacts: ArtefactFilter | None = None,
) -> RatedRecording:
    """Return the rated trials of one person in a recording.

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
    artefacts : ArtefactFilter, optional
        Fitted to the person's EEG.

    Raises
    ------
    InputError
        If the recording has no rated trial, or a table does not fit, or the filter is for another
        montage than the rig's.
    """
    events, notes = _events_of(recording, labels, participant)
    marked = first_baseline(events)
    stretch = baseline or (marked and (marked[0] - recording.start, marked[1] - recording.start))
    modalities = [one.name for one in rig.modalities if one.name in population.mean]
    collector = TrialCollector(
        participant, modalities, rig.hop, epoch(recording), TrialSettings(memory=math.inf)
    )
    still = None
    if stretch is not None:
        still = (recording.start + stretch[0], recording.start + stretch[1])
        collector.state_baseline(*still)
    # One stretch normalises all windows of a recording; another is like any other time.
    collector.events([pair for pair in events if not pair[1].event.startswith("baseline")])
    found: dict[str, RatedTrial] = {}
    rest = Normaliser(population, rig.hop, still)
    windows = 0
    bound = _bound(recording, rig, participant, choices or {})
    notes += taken_as(bound, participant)
    for window in windows_of(
        bound,
        rig,
        participant=participant,
        population=population,
        baseline=stretch,
        artefacts=artefacts,
    ):
        windows += 1
        if still is not None and still[0] < window.time <= still[1]:
            rest.update(window.time, window.features)
        found.update((trial.trial, trial) for trial in collector.window(window))
    found.update((trial.trial, trial) for trial in collector.close())
    notes += collector.notes
    if not found:
        raise InputError(
            f"{recording.path!r} has no rated trial that can be used "
            f"({'; '.join(notes[:10]) or 'its markers are no trials'}): needed are {NEEDED}"
        )
    trials = sorted(found.values(), key=lambda trial: trial.start)
    return RatedRecording(tuple(trials), stretch, rest.rest, windows, tuple(notes))


def _bound(
    recording: Recording, rig: Rig, participant: str, choices: Mapping[str, str]
) -> Recording:
    """Leave out others' streams, and those that serve as nothing where some were chosen."""
    recording = own_streams(recording, participant, choices)
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
    folder = table_folder(Path(recording.path))
    if folder is not None:
        return in_order(read_tables(folder, *clock_of(recording), labels)), []
    events = our_events(recording)
    if not events:
        raise InputError(_nothing_of_ours(recording))
    return own_events(recording, events, participant)


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
