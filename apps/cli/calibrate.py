"""``affectstream calibrate``: fit a model to one person, from rated trials."""

from __future__ import annotations

import logging
import re
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from apps.cli.options import check_folder, parse_baseline, parse_bindings
from apps.cli.output import emit, error_console
from realtime.errors import InputError

if TYPE_CHECKING:
    from calibration.profile import Profile
    from model.checkpoint import Checkpoint
    from realtime.rig import Rig

_log = logging.getLogger(__name__)

SOMEBODY = "P1"
"""What a session calls the only person whom nobody named."""


def calibrate(
    source: Annotated[
        str,
        typer.Option(
            "--from",
            metavar="PATH",
            help="XDF file with markers of trials and ratings, or an Empatica E4 folder with "
            "segments.csv and ratings.csv.",
            show_default=False,
        ),
    ],
    rig: Annotated[str, typer.Option(help="Rig: a name that ships, or a TOML file.")] = "wrist",
    checkpoint: Annotated[
        str | None,
        typer.Option(help="Checkpoint file; the one that ships with the rig if left out."),
    ] = None,
    participant: Annotated[
        str | None,
        typer.Option(
            metavar="ID",
            help="Pseudonym of the person. Left out: the ID of the folder sub-ID that the "
            f"recording is in, else {SOMEBODY}.",
        ),
    ] = None,
    baseline: Annotated[
        str | None,
        typer.Option(
            metavar="START:STOP",
            help="Stretch of rest, in seconds from the recording's start. Left out: what the "
            "recording states, or else a running estimate.",
        ),
    ] = None,
    bind: Annotated[
        list[str] | None,
        typer.Option(metavar="MODALITY=STREAM", help="Choose a stream where several would do."),
    ] = None,
    profiles: Annotated[
        Path | None,
        typer.Option(help="Folder of the profiles; by default in the user's own data."),
    ] = None,
    out: Annotated[
        Path | None, typer.Option(metavar="REPORT.html", help="Write a report there too.")
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Fit the model to one person, and keep what came of it in the person's profile.

    Trials of earlier calibrations count too. What is kept is what predicts the person's own
    left-out trials best, the checkpoint as it is among it.
    """
    from rich.progress import Progress

    from calibration import held
    from calibration.adaptation import calibrate as fit
    from calibration.profile import calibrated
    from calibration.profile_files import profile_folder, save_profile
    from calibration.recordings import trials_of
    from calibration.report import write_report
    from calibration.store import default_root
    from calibration.trials import merged, usable
    from realtime.files import open_recording
    from realtime.rig import load_rig

    root = profiles if profiles is not None else default_root()
    stretch, choices = parse_baseline(baseline), parse_bindings(bind or [])
    loaded = load_rig(rig)
    opened = _checkpoint(checkpoint, loaded)
    before = _profile(root, participant, source, opened, loaded)
    if out is not None:
        check_folder(out.absolute().parent)
        if out.is_dir():
            raise InputError(f"--out {str(out)!r} is a folder: give the name of an HTML file")
    recording = open_recording(source)
    found = trials_of(
        recording, loaded, opened.population, opened.labels, before.id, stretch, choices
    )
    trials = merged(before.trials, found.trials)
    kept, left_out = usable(trials, opened.labels)
    if not kept:
        raise InputError(
            f"{source!r} has no trial with a complete rating ({'; '.join(left_out)}): the model "
            f"needs a score of each of {', '.join(opened.emotions)}"
        )
    for sentence in left_out:
        _log.warning("%s", sentence)
    with Progress(console=error_console(), transient=True) as bar:
        task = bar.add_task("ladder")
        result = fit(
            opened,
            kept,
            lambda step, done, total: bar.update(
                task, description=f"ladder: {step}", completed=done, total=total
            ),
        )
    after = calibrated(
        before,
        result.model,
        trials,
        held.figures(result.held, held.BEFORE),
        held.figures(result.held, result.model.step),
        found.rest,
    )
    saved = save_profile(after, root)
    report = write_report(out, saved, result.held, opened.notice or "") if out else None
    new = {(trial.start, trial.stop, trial.date) for trial in found.trials}
    summary = {
        "path": source,
        "participant": saved.id,
        "rig": loaded.name,
        "checkpoint": opened.hash,
        "notice": opened.notice,
        "baseline": found.baseline,
        "trials": [
            {
                "trial": trial.trial,
                "condition": trial.condition,
                "start": trial.start,
                "stop": trial.stop,
                "windows": len(trial.batch),
                "from": "recording" if (trial.start, trial.stop, trial.date) in new else "profile",
            }
            for trial in kept
        ],
        "notes": [*found.notes, *left_out, *result.left_out],
        "faults": [*recording.faults, *(f for s in recording.streams for f in s.faults)],
        "step": result.model.step,
        "radius": result.model.radius,
        "predictors": _predictors(result.held),
        "seconds": round(result.seconds, 3),
        "profile": profile_folder(root, saved.id),
        "report": report,
    }
    emit(summary, json, *_tables(summary))


def _checkpoint(given: str | None, rig: Rig) -> Checkpoint:
    """Return a checkpoint that fits the rig."""
    from model.checkpoint import check_rig, load_checkpoint
    from model.zoo import shipped_checkpoint

    opened = load_checkpoint(Path(given) if given else shipped_checkpoint(rig))
    check_rig(opened, rig)
    if opened.notice:
        _log.warning("%s", opened.notice)
    return opened


def _profile(
    root: Path, participant: str | None, source: str, checkpoint: Checkpoint, rig: Rig
) -> Profile:
    """Return the person's profile, or a new one."""
    from calibration.profile import begin, check
    from calibration.profile_files import load_profile, profile_folder

    named = re.findall(r"(?:^|[/\\])sub-([A-Za-z0-9_-]+)", str(Path(source).absolute()))
    name = participant or (named[-1] if named else SOMEBODY)
    if not profile_folder(root, name).exists():
        return begin(name, checkpoint, rig)
    if participant is None and not named:
        raise InputError(
            f"there is a profile {name!r} in {str(root)!r} already: say with --participant ID "
            f"whose recording {source!r} is"
        )
    known = load_profile(root, name)
    check(known, checkpoint, rig)
    return known


def _predictors(tried: Sequence[Any]) -> list[dict[str, Any]]:
    """Return what each rung and each trivial predictor gave for left-out trials."""
    from calibration.held import METRICS, TRIVIAL, score

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


def _tables(summary: dict[str, Any]) -> list[Any]:
    """Return what a person reads."""
    from rich.table import Table
    from rich.text import Text

    from calibration.held import BEFORE, METRICS

    trials = Table("trial", "condition", "windows", "from")
    for one in summary["trials"]:
        windows = str(one["windows"])
        trials.add_row(Text(one["trial"]), Text(one["condition"]), windows, one["from"])
    parts: list[Any] = [trials]
    if summary["predictors"]:
        # Numbers that compare: each trial was predicted by what was fitted to the others.
        ladder = Table("left-out trials", *(words for words, _ in METRICS.values()), "")
        for one in summary["predictors"]:
            remarks = ["before"] if one["name"] == BEFORE else []
            remarks += ["kept"] if one["name"] == summary["step"] else []
            remarks += ["without sensors"] if one["trivial"] else []
            values = (f"{one[metric]:.3f}" for metric in METRICS)
            ladder.add_row(one["name"], *values, ", ".join(remarks))
        parts.append(ladder)
    else:
        parts.append(Text("One rated trial cannot be left out and fitted to at once: rate more."))
    said = [*filter(None, [summary["notice"]]), *summary["notes"], *summary["faults"]]
    parts += [Text(sentence) for sentence in said]
    parts.append(
        Text(
            f"{summary['participant']}: {summary['step']} kept, radius {summary['radius']:.3f}; "
            f"{summary['profile']}"
        )
    )
    if summary["report"]:
        parts.append(Text(str(summary["report"])))
    return parts
