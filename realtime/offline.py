"""Recordings through the engine, as fast as they go."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from realtime.baseline import Population, Rest
from realtime.binding import BindResult, bind
from realtime.engine import Engine, Result
from realtime.errors import InputError
from realtime.features.artefacts import ArtefactFilter
from realtime.recording import Recording
from realtime.rig import Rig
from realtime.video import with_textures
from realtime.window import Predictor, Window

# One batch of predictions covers so many seconds.
ROUND_SECONDS = 60.0


def bind_recording(
    recording: Recording, rig: Rig, participant: str = "P1", choices: dict[str, str] | None = None
) -> BindResult:
    """Bind a recording's streams to a rig.

    Raises
    ------
    InputError
        If none of the rig's modalities is in the recording.
    """
    result = bind(
        rig,
        [stream.info for stream in recording.streams if len(stream.times)],
        choices=choices or {},
        participant=participant,
    )
    if not result.bindings:
        names = ", ".join(f"{s.info.name!r} ({s.info.type})" for s in recording.streams[:20])
        reasons = " ".join(result.notes)
        raise InputError(
            f"{recording.path!r} has no stream that the rig {rig.name!r} can use "
            f"(it needs {', '.join(m.name for m in rig.modalities)}; the recording has "
            f"{names or 'no samples at all'}): give another --rig or --bind. {reasons}".strip()
        )
    return result


def windows_of(
    recording: Recording,
    rig: Rig,
    *,
    participant: str = "P1",
    population: Population | None = None,
    baseline: tuple[float, float] | None = None,
    chunk_seconds: float = ROUND_SECONDS,
    artefacts: ArtefactFilter | None = None,
) -> Iterator[Window]:
    """Yield every window of a recording.

    Parameters
    ----------
    recording : Recording
    rig : Rig
    participant : str
    population : Population or None
        For normalisation; None leaves features as they are.
    baseline : tuple of float or None
        Stated baseline in seconds from the recording's start.
    chunk_seconds : float
        How much is pushed at a time; changes nothing in the result.
    artefacts : ArtefactFilter or None
        Fitted to the participant's EEG.
    """
    engine = engine_for(
        recording, rig, participant, None, population, baseline, artefacts=artefacts
    )
    for windows in _play(recording, engine, chunk_seconds):
        yield from windows


def score(
    recording: Recording,
    rig: Rig,
    predictor: Predictor,
    population: Population | None,
    *,
    participant: str = "P1",
    baseline: tuple[float, float] | None = None,
    choices: dict[str, str] | None = None,
    chunk_seconds: float = ROUND_SECONDS,
    artefacts: ArtefactFilter | None = None,
    rest: Rest | None = None,
) -> Iterator[Result]:
    """Yield every window of a recording with its prediction; parameters as in `windows_of`.

    `rest` are the person's features at rest in an earlier session, for where no baseline is stated.
    """
    engine = engine_for(
        recording, rig, participant, predictor, population, baseline, choices, artefacts, rest
    )
    for windows in _play(recording, engine, chunk_seconds):
        yield from engine.predict(windows)


def _play(recording: Recording, engine: Engine, chunk_seconds: float) -> Iterator[list[Window]]:
    """Play a recording to an engine that is bound to its streams; yield what is complete."""
    for until, chunks in _with_textures(recording, engine).rounds(chunk_seconds):
        for chunk in chunks:
            engine.push(chunk)
        yield engine.windows_until(until)


def engine_for(
    recording: Recording,
    rig: Rig,
    participant: str,
    predictor: Predictor | None,
    population: Population | None,
    baseline: tuple[float, float] | None,
    choices: dict[str, str] | None = None,
    artefacts: ArtefactFilter | None = None,
    rest: Rest | None = None,
) -> Engine:
    """Return an engine that is bound to a recording's streams."""
    stretch = None
    if baseline is not None:
        stretch = (recording.start + baseline[0], recording.start + baseline[1])
    engine = Engine(
        rig,
        predictor,
        population,
        {participant: stretch} if stretch is not None else None,
        artefacts={participant: artefacts} if artefacts is not None else None,
        rests={participant: rest} if rest is not None else None,
    )
    engine.bind(bind_recording(recording, rig, participant, choices).bindings)
    return engine


def _with_textures(recording: Recording, engine: Engine) -> Recording:
    """Turn the frames of video streams that the engine is bound to into texture counts."""
    bound = {
        source.stream
        for person in engine.participants.values()
        for signal in person.signals.values()
        for source in signal.binding.sources
    }
    return replace(recording, streams=with_textures(recording.streams, bound))
