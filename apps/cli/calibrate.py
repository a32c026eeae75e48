"""``affectstream calibrate``: fit a model to one person, from rated trials."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from apps.cli.options import SOMEBODY, check_folder
from apps.cli.output import emit
from realtime.errors import InputError

if TYPE_CHECKING:
    from model.checkpoint import Checkpoint
    from realtime.rig import Rig

_log = logging.getLogger(__name__)

PROTOCOL = "basic"
ALL = "none"  # of the steps is left out


def calibrate(
    source: Annotated[
        str | None,
        typer.Option(
            "--from",
            metavar="PATH",
            help="XDF file with markers of trials and ratings, or an Empatica E4 folder with "
            "segments.csv and ratings.csv, instead of a guided session.",
            show_default=False,
        ),
    ] = None,
    protocol: Annotated[
        str | None,
        typer.Option(
            metavar="NAME|FILE",
            help="What the guided session shows: a name that ships, or a TOML file; "
            f"{PROTOCOL} if left out.",
        ),
    ] = None,
    rig: Annotated[str, typer.Option(help="Rig: a name that ships, or a TOML file.")] = "wrist",
    checkpoint: Annotated[
        str | None,
        typer.Option(help="Checkpoint file; the one that ships with the rig if left out."),
    ] = None,
    participant: Annotated[
        str | None,
        typer.Option(
            metavar="ID",
            help="Pseudonym of the person; a guided session needs it. With --from and left out: "
            f"the ID of the folder sub-ID that the recording is in, else {SOMEBODY}.",
        ),
    ] = None,
    baseline: Annotated[
        str | None,
        typer.Option(
            metavar="START:STOP",
            help="With --from: stretch of rest, in seconds from the recording's start. Left out: "
            "what the recording states, or else a running estimate.",
        ),
    ] = None,
    bind: Annotated[
        list[str] | None,
        typer.Option(metavar="MODALITY=STREAM", help="Choose a stream where several would do."),
    ] = None,
    artefacts: Annotated[
        str | None,
        typer.Option(
            metavar="FILE", help="What `affectstream artefacts` fitted to the person's EEG."
        ),
    ] = None,
    without: Annotated[
        list[str] | None,
        typer.Option(
            metavar="STEP",
            help="A step of the ladder that the person's model must not take: prior, baseline, "
            "head or adapters; repeat it for several. Kept in the profile; `none` takes it back.",
        ),
    ] = None,
    record: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="Record the guided session below this folder."),
    ] = None,
    profiles: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR", help="Folder of the profiles; by default in the user's own data."
        ),
    ] = None,
    out: Annotated[
        Path | None, typer.Option(metavar="REPORT.html", help="Write a report there too.")
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Fit the model to one person, and keep what came of it in the person's profile.

    Without --from, a window guides the person through consent, a check of the sensors, rest, and
    trials that are rated; one that was interrupted goes on. Trials of earlier calibrations count
    too. What is kept is what predicts the person's own left-out trials best, the checkpoint as it
    is among it.
    """
    from apps.cli.calibrated import from_recording, guided
    from calibration.report import write_report
    from calibration.store import default_root
    from realtime.rig import load_rig

    root = profiles if profiles is not None else default_root()
    loaded = load_rig(rig)
    opened = _checkpoint(checkpoint, loaded)
    if out is not None:
        check_folder(out.absolute().parent)
        if out.is_dir():
            raise InputError(f"--out {str(out)!r} is a folder: give the name of an HTML file")
    steps = _steps(without or [])
    if source is not None:
        if protocol is not None or record is not None:
            given = f"--protocol {protocol!r}" if protocol is not None else f"--record {record}"
            raise InputError(f"{given} is for a guided session: leave out it or --from {source!r}")
        found = from_recording(
            root, source, participant, loaded, opened, baseline, bind or [], artefacts, steps
        )
    else:
        if participant is None:
            raise InputError(
                "a guided session needs --participant ID, the person's pseudonym; a recording is "
                "named with --from PATH"
            )
        if baseline is not None:
            raise InputError(
                f"--baseline {baseline!r} is for --from PATH: a guided session measures its own "
                "rest"
            )
        options = ["--rig", rig]
        options += ["--checkpoint", checkpoint] if checkpoint is not None else []
        options += ["--artefacts", f"{participant}={artefacts}"] if artefacts is not None else []
        options += ["--record", str(record)] if record is not None else []
        options += [word for one in bind or [] for word in ("--bind", one)]
        found = guided(root, protocol or PROTOCOL, participant, loaded, opened, options, steps)
    if out is not None and found.better is not None:
        held = found.better.calibration.held
        found.summary["report"] = write_report(out, found.profile, held, opened.notice or "")
    emit(found.summary, json, *_tables(found.summary))


def _steps(without: Sequence[str]) -> tuple[str, ...] | None:
    """Return the steps that are left on; None where nothing is said."""
    from calibration.personal import STEPS

    if list(without) == [ALL]:
        return STEPS
    for step in without:
        if step not in STEPS:
            known = ", ".join(STEPS)
            raise InputError(f"--without {step!r}: no such step; use {known}, or {ALL} alone")
    return tuple(step for step in STEPS if step not in without) if without else None


def _checkpoint(given: str | None, rig: Rig) -> Checkpoint:
    """Return a checkpoint that fits the rig."""
    from model.checkpoint import check_rig, load_checkpoint
    from model.zoo import shipped_checkpoint

    opened = load_checkpoint(Path(given) if given else shipped_checkpoint(rig))
    check_rig(opened, rig)
    if opened.notice:
        _log.warning("%s", opened.notice)
    return opened


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
    elif summary["trials"]:
        parts.append(Text("One rated trial cannot be left out and fitted to at once: rate more."))
    said = [*filter(None, [summary["notice"]]), *summary["notes"], *summary["faults"]]
    parts += [Text(sentence) for sentence in said]
    kept = f"{summary['participant']}: {summary['step']} kept, radius {summary['radius']:.3f}"
    parts.append(Text(f"{kept}; {summary['profile']}" if summary["profile"] else kept))
    if summary["report"]:
        parts.append(Text(str(summary["report"])))
    return parts
