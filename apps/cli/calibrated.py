"""What ``affectstream calibrate`` does: rated trials in, a better profile out, and its figures."""

from __future__ import annotations

import logging
import re
from collections.abc import Container, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from rich.progress import Progress

from apps.cli.options import SOMEBODY, parse_baseline, parse_bindings
from apps.cli.output import error_console
from calibration.artefact_files import load_artefacts
from calibration.held import METRICS, TRIVIAL, Held, score
from calibration.improvement import Improvement, improve
from calibration.profile import Profile
from calibration.profile_files import has_profile, open_profile, profile_folder, save_profile
from calibration.recordings import trials_of
from calibration.trials import RatedTrial, usable
from model.checkpoint import Checkpoint
from realtime.baseline import Rest
from realtime.errors import InputError
from realtime.files import open_recording
from realtime.rig import Rig

_log = logging.getLogger(__name__)


@dataclass
class Outcome:
    """What a calibration came to, and what is said of it."""

    profile: Profile
    better: Improvement | None
    summary: dict[str, Any]


def from_recording(
    root: Path,
    source: str,
    participant: str | None,
    rig: Rig,
    checkpoint: Checkpoint,
    baseline: str | None,
    bind: Sequence[str],
    artefacts: str | None,
    steps: tuple[str, ...] | None,
) -> Outcome:
    """Fit to what a recording holds, and save it."""
    stretch, choices = parse_baseline(baseline), parse_bindings(bind)
    before = _profile(root, participant, source, checkpoint, rig)
    before = before if steps is None else replace(before, steps=steps)
    eeg_filter = None if artefacts is None else load_artefacts(Path(artefacts))[0]
    recording = open_recording(source)
    found = trials_of(
        recording,
        rig,
        checkpoint.population,
        checkpoint.labels,
        before.id,
        stretch,
        choices,
        eeg_filter,
    )
    notes = list(found.notes)
    if eeg_filter is not None:
        notes.append(f"artefacts: {artefacts} ({eeg_filter.method})")
    better = _improved(before, checkpoint, found.trials, found.rest)
    for sentence in better.left_out:
        _log.warning("%s", sentence)
    saved = save_profile(better.profile, root)
    new = {(trial.start, trial.stop, trial.date) for trial in found.trials}
    summary = {
        "path": source,
        "baseline": found.baseline,
        "faults": [*recording.faults, *(f for s in recording.streams for f in s.faults)],
        **_figures(root, saved, better, checkpoint, new, "recording", notes),
    }
    return Outcome(saved, better, summary)


def guided(
    root: Path,
    protocol: str,
    participant: str,
    rig: Rig,
    checkpoint: Checkpoint,
    options: Sequence[str],
    steps: tuple[str, ...] | None,
) -> Outcome:
    """Guide a person through a protocol; the engine behind it fits and saves what is rated."""
    before = open_profile(root, participant, checkpoint, rig)
    if steps is not None:
        before = save_profile(replace(before, steps=steps), root)  # where the engine finds it
    # Qt takes a second to load, which recordings do not need.
    from apps.guided_session import guided_session

    state = guided_session(protocol, before, root, checkpoint.labels, options)
    saved = open_profile(root, participant, checkpoint, rig)
    kept, _ = usable(saved.trials, checkpoint.labels)
    waits = state not in ("finished", "aborted")
    notes = ["the session is not over: the same command goes on with it"] if waits else []
    summary: dict[str, Any] = {"protocol": protocol, "state": state, "faults": []}
    if not kept:
        notes.append("nothing was rated that the model could be fitted to")
        summary |= {"participant": participant, "rig": rig.name, "checkpoint": checkpoint.hash}
        summary |= {"notice": checkpoint.notice, "notes": notes, "trials": [], "predictors": []}
        summary |= {"step": saved.model.step, "radius": saved.model.radius, "profile": None}
        return Outcome(saved, None, {**summary, "report": None})
    better = _improved(saved, checkpoint, (), None)
    found = better.profile.model
    if (found.trials, found.step) != (saved.model.trials, saved.model.step):
        # What the engine had no time for. Else the same trials give the same model, and this is
        # for the figures alone.
        saved = save_profile(better.profile, root)
    old = {(trial.start, trial.stop, trial.date) for trial in before.trials}
    new = {(trial.start, trial.stop, trial.date) for trial in saved.trials} - old
    summary |= _figures(root, saved, better, checkpoint, new, "session", notes)
    return Outcome(saved, better, summary)


def _improved(
    profile: Profile, checkpoint: Checkpoint, trials: Sequence[RatedTrial], rest: Rest | None
) -> Improvement:
    """Fit, with progress on the terminal."""
    with Progress(console=error_console(), transient=True) as bar:
        task = bar.add_task("ladder")
        return improve(
            profile,
            checkpoint,
            trials,
            rest,
            lambda step, done, total: bar.update(
                task, description=f"ladder: {step}", completed=done, total=total
            ),
        )


def _figures(
    root: Path,
    saved: Profile,
    better: Improvement,
    checkpoint: Checkpoint,
    new: Container[tuple[float, float, str]],
    where: str,
    notes: Sequence[str],
) -> dict[str, Any]:
    """Return what is said of a profile that was fitted."""
    result = better.calibration
    return {
        "participant": saved.id,
        "rig": saved.rig,
        "checkpoint": checkpoint.hash,
        "notice": checkpoint.notice,
        "trials": [
            {
                "trial": trial.trial,
                "condition": trial.condition,
                "start": trial.start,
                "stop": trial.stop,
                "windows": len(trial.batch),
                "from": where if (trial.start, trial.stop, trial.date) in new else "profile",
            }
            for trial in better.trials
        ],
        "notes": [*notes, *better.left_out, *result.left_out],
        "step": result.model.step,
        "radius": result.model.radius,
        "predictors": _predictors(result.held),
        "seconds": round(result.seconds, 3),
        "profile": profile_folder(root, saved.id),
        "report": None,
    }


def _profile(
    root: Path, participant: str | None, source: str, checkpoint: Checkpoint, rig: Rig
) -> Profile:
    """Return the person's profile, or a new one."""
    path = Path(source).absolute()
    # Not the file's own name, of which nobody knows where the person's ends.
    folders = path.parts if path.is_dir() else path.parts[:-1]
    named = [part[4:] for part in folders if re.fullmatch(r"sub-[A-Za-z0-9_-]+", part)]
    name = participant or (named[-1] if named else SOMEBODY)
    if participant is None and not named and has_profile(root, name):
        raise InputError(
            f"there is a profile {name!r} in {str(root)!r} already: say with --participant ID "
            f"whose recording {source!r} is"
        )
    return open_profile(root, name, checkpoint, rig)


def _predictors(tried: Sequence[Held]) -> list[dict[str, Any]]:
    """Return what each rung and each trivial predictor gave for left-out trials."""
    if not tried:
        return []
    scores = score(tried)
    return [
        {
            "name": name,
            "trivial": name in TRIVIAL,
            **{metric: scores.mean(metric, name) for metric in METRICS},
        }
        for name in scores.names
    ]
