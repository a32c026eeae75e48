"""Recordings scored into folders; each finished recording is kept, so that a run can go on."""

from __future__ import annotations

import hashlib
import json
import os
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from apps.predictions import PredictionTable, write_table
from calibration.artefact_files import load_artefacts
from calibration.predictor import PersonalPredictor
from calibration.profile import Profile, check
from calibration.profile_files import load_profile
from calibration.runs import named
from calibration.statements import own_streams, rated_within, stated_rest, taken_as
from model.checkpoint import Checkpoint, check_rig, load_checkpoint
from realtime.errors import InputError
from realtime.files import open_recording
from realtime.offline import ROUND_SECONDS, bind_recording, score
from realtime.recording import Recording
from realtime.rig import Rig, load_rig
from realtime.window import Prediction, Window

SUMMARY = "score.json"
UNPREDICTED = (
    "nothing was predicted, since no checkpoint that ships fits the rig: train one with "
    "`affectstream train` and give it as --checkpoint FILE"
)


@dataclass(frozen=True)
class ScoreSettings:
    """How recordings are scored; everything that a worker process needs.

    Attributes
    ----------
    rig : str
        Name or path.
    checkpoint : str or None
        Path; None: no prediction, features alone.
    device : str
    baseline : tuple of float or None
        Seconds from the recording's start; None: what the recording states, else the profile's
        rest, else a running estimate.
    choices : mapping of str to str
        Chosen streams, as ``--bind`` gives them.
    participant : str
    features : bool
        Write features.parquet too.
    chunk_seconds : float
        How much is pushed at a time; changes nothing in the result.
    artefacts : str or None
        File of an artefact filter for the person's EEG.
    profile : tuple of str or None
        Folder of profiles, and the id of the one whose model predicts; the participant is of the
        same id.
    """

    rig: str
    checkpoint: str | None
    device: str = "auto"
    baseline: tuple[float, float] | None = None
    choices: Mapping[str, str] = field(default_factory=dict)
    participant: str = "P1"
    features: bool = False
    chunk_seconds: float = ROUND_SECONDS
    artefacts: str | None = None
    profile: tuple[str, str] | None = None


def score_file(path: str, settings: ScoreSettings, folder: str) -> dict[str, Any]:
    """Score one recording into a folder and return its summary.

    A folder that holds the same recording scored in the same way is left as it is.

    Raises
    ------
    InputError
        If the recording, rig or checkpoint is not usable, or the folder holds something else.
    """
    rig = load_rig(settings.rig)
    checkpoint = profile = None
    if settings.checkpoint is not None:
        checkpoint = load_checkpoint(Path(settings.checkpoint))
        check_rig(checkpoint, rig)
        profile = _profile(settings, checkpoint, rig)
    key = _key(path, settings, checkpoint, profile)
    target = Path(folder)
    done = _finished(target, key, path)
    if done is not None:
        return done
    recording = open_recording(path)
    begin = time.perf_counter()
    table, notes = _score(recording, rig, checkpoint, profile, settings)
    seconds = time.perf_counter() - begin
    if not len(table):
        raise InputError(
            f"{path!r} gives no window: it has less than {rig.warm_up:g} s of data for the rig "
            f"{rig.name!r}"
        )
    summary = {
        "path": path,
        "key": key,
        "participant": settings.participant,
        "checkpoint": None if checkpoint is None else checkpoint.hash,
        "profile": None if profile is None else described(profile),
        "demonstration": checkpoint is not None and checkpoint.demonstration,
        "notice": UNPREDICTED if checkpoint is None else checkpoint.notice,
        "notes": notes,
        "faults": list(recording.faults) + [f for s in recording.streams for f in s.faults],
    }
    return _write(target, summary, table, settings.features, recording.start, seconds)


def described(profile: Profile) -> dict[str, Any]:
    """Return which model a profile's is, as plain values."""
    return {
        "id": profile.id,
        "hash": profile.hash,
        "step": profile.model.step,
        "trials": profile.model.trials,
        "radius": profile.model.radius,
        "baseline": profile.baseline is not None,
    }


def _profile(settings: ScoreSettings, checkpoint: Checkpoint, rig: Rig) -> Profile | None:
    """Return the profile whose model is to predict, if there is to be one."""
    if settings.profile is None:
        return None
    root, name = settings.profile
    profile = load_profile(Path(root), name)
    check(profile, checkpoint, rig)
    return profile


class _Nothing:
    """Predicts nothing, where features are all that is wanted."""

    emotions: tuple[str, ...] = ()

    def __call__(self, windows: Sequence[Window]) -> Prediction:
        """Return distributions over no emotion."""
        unknown = np.full(len(windows), np.nan)
        return Prediction(np.empty((len(windows), 0)), unknown, unknown)


def _score(
    recording: Recording,
    rig: Rig,
    checkpoint: Checkpoint | None,
    profile: Profile | None,
    settings: ScoreSettings,
) -> tuple[PredictionTable, list[str]]:
    who = settings.participant
    stretch = settings.baseline or stated_rest(recording, who)
    own = own_streams(recording, who, settings.choices)
    bound = bind_recording(own, rig, who, dict(settings.choices))
    notes = [f"{b.modality}: {note}" for b in bound.bindings for note in b.notes]
    if profile is not None:
        notes += taken_as(own, who)
    missing = [m.name for m in rig.modalities if m.name not in {b.modality for b in bound.bindings}]
    if missing:
        notes.append(f"missing: {', '.join(missing)}")
    notes += [sentence for sentences in bound.refusals.values() for sentence in sentences]
    artefacts = None
    if settings.artefacts is not None:
        artefacts, _ = load_artefacts(Path(settings.artefacts))
        notes.append(f"artefacts: {settings.artefacts} ({artefacts.method})")
    predictor = _predictor(checkpoint, profile, settings)
    if profile is not None:
        notes += _doubts(recording, profile)
    table = PredictionTable(rig, predictor.emotions)
    for result in score(
        own,
        rig,
        predictor,
        None if checkpoint is None else checkpoint.population,
        participant=who,
        baseline=stretch,
        choices=dict(settings.choices),
        chunk_seconds=settings.chunk_seconds,
        artefacts=artefacts,
        rest=None if profile is None else profile.baseline,
    ):
        table.add(result)
    return table, notes


def _predictor(
    checkpoint: Checkpoint | None, profile: Profile | None, settings: ScoreSettings
) -> PersonalPredictor | _Nothing:
    """Return what predicts; as live, a model that rests on no trial is left out."""
    if checkpoint is None:
        return _Nothing()
    own = profile is not None and profile.model.trials > 0
    models = {settings.participant: profile.model} if profile and own else None
    return PersonalPredictor(checkpoint, settings.device, models)


def _doubts(recording: Recording, profile: Profile) -> list[str]:
    """Say what a reader must know of figures by a person's own model."""
    if not profile.model.trials:
        return [
            f"the profile {profile.id!r} has no model of its own yet: the checkpoint as it is "
            "predicts"
        ]
    seen = rated_within(recording, profile.trials)
    if not seen:
        return []
    names = ", ".join(named(trial.trial) for trial in seen[:20])
    return [
        f"this recording holds {len(seen)} of the {len(profile.trials)} rated trials of the "
        f"profile {profile.id!r} ({names}{', ...' if len(seen) > 20 else ''}): its figures are "
        "not held out, and say nothing of how well the model predicts"
    ]


def _write(
    target: Path,
    facts: Mapping[str, Any],
    table: PredictionTable,
    features: bool,
    start: float,
    seconds: float,
) -> dict[str, Any]:
    predictions = table.predictions()
    try:
        target.mkdir(parents=True, exist_ok=True)
        files = []
        if facts["checkpoint"] is not None:
            own = facts["profile"]
            known = {"affectstream.profile": json.dumps(own)} if own is not None else None
            write_table(predictions, target / "predictions.parquet", known)
            files.append("predictions.parquet")
        if features:
            write_table(table.features(), target / "features.parquet")
            files.append("features.parquet")
        emotions = predictions.columns[2 : 2 + len(table.emotions)]
        length = float(predictions["time"].iloc[-1] - start)
        summary = {
            **facts,
            "windows": len(predictions),
            "length": length,
            "emotions": list(emotions),
            "mean_distribution": predictions[emotions].mean().tolist(),
            "baseline": str(predictions["baseline"].iloc[-1]),
            "used": {
                column.removeprefix("mask."): float(np.mean(predictions[column]))
                for column in predictions.columns
                if column.startswith("mask.")
            },
            "folder": str(target),
            "files": files,
            "seconds": round(seconds, 3),
            "times_real_time": round(length / seconds, 1),
        }
        part = target / f"{SUMMARY}.part"
        part.write_text(json.dumps(summary, indent=1), "utf-8")
        os.replace(part, target / SUMMARY)
    except OSError as error:
        raise InputError(
            f"cannot write to {str(target)!r} ({error.strerror}): give another --out"
        ) from error
    return summary


def _key(
    path: str, settings: ScoreSettings, checkpoint: Checkpoint | None, profile: Profile | None
) -> str:
    """Return what a result depends on, hashed: the recording's files and all settings."""
    root = Path(path)
    files = sorted(root.rglob("*")) if root.is_dir() else [root]
    stamps = [(str(f), f.stat().st_size, f.stat().st_mtime_ns) for f in files if f.is_file()]
    rig = load_rig(settings.rig)
    facts: list[Any] = [
        stamps,
        repr(rig),
        None if checkpoint is None else checkpoint.hash,
        settings.baseline,
        sorted(settings.choices.items()),
        settings.participant,
        settings.features,
    ]
    if settings.artefacts is not None:
        facts.append(hashlib.sha256(Path(settings.artefacts).read_bytes()).hexdigest())
    if profile is not None:
        facts.append(["profile", profile.id, profile.hash])
    return hashlib.sha256(json.dumps(facts).encode()).hexdigest()


def _finished(target: Path, key: str, path: str) -> dict[str, Any] | None:
    """Return the summary of an earlier run with the same key; refuse to overwrite another's."""
    summary = target / SUMMARY
    if not summary.exists():
        for name in ("predictions.parquet", "features.parquet"):
            if (target / name).exists():
                raise InputError(
                    f"{str(target)!r} holds a {name} that was not made by `score`: give another "
                    "--out"
                )
        return None
    try:
        earlier = json.loads(summary.read_text("utf-8"))
    except (OSError, ValueError) as error:
        raise InputError(f"cannot read {str(summary)!r} ({error}): give another --out") from error
    if not isinstance(earlier, dict) or earlier.get("key") != key:
        raise InputError(
            f"{str(target)!r} holds the scores of {earlier.get('path')!r} with other settings; "
            f"to score {path!r}, give another --out"
        )
    return earlier
