"""``affectstream run``: watch people live, without a screen."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from apps.cli.options import parse_artefacts, parse_baseline, parse_bindings
from apps.cli.output import emit
from realtime.errors import InputError

if TYPE_CHECKING:
    from apps.session_settings import SessionSettings

Rig = Annotated[str, typer.Option(help="Rig: a name that ships, or a TOML file.")]
CheckpointFile = Annotated[
    str | None, typer.Option(help="Checkpoint file; the one that ships with the rig if left out.")
]
Device = Annotated[str, typer.Option(help="auto, cpu or cuda.")]


def run(
    rig: Rig = "wrist",
    checkpoint: CheckpointFile = None,
    device: Device = "auto",
    baseline: Annotated[
        str | None,
        typer.Option(
            metavar="START:STOP",
            help="Stretch of rest, in seconds from the first sample. Left out: baseline markers, "
            "the dashboard's button, the rest in a profile, or else a running estimate.",
        ),
    ] = None,
    bind: Annotated[
        list[str] | None,
        typer.Option(
            metavar="[PARTICIPANT.]MODALITY=STREAM",
            help="Choose a stream, by source id or name, where several would do.",
        ),
    ] = None,
    participant: Annotated[
        list[str] | None,
        typer.Option(help="Pseudonym; repeat it for several people."),
    ] = None,
    artefacts: Annotated[
        list[str] | None,
        typer.Option(
            metavar="[PARTICIPANT=]FILE",
            help="What `affectstream artefacts` fitted to a person's EEG; repeat it for several.",
        ),
    ] = None,
    profile: Annotated[
        list[str] | None,
        typer.Option(
            metavar="ID",
            help="Watch the person of this pseudonym with their own model, and improve it by what "
            "they rate; begun if there is none. Repeat it for several.",
        ),
    ] = None,
    profiles: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="Folder of profiles; else in the user's own data."),
    ] = None,
    record: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Record everything below this folder.")
    ] = None,
    record_frames: Annotated[
        bool,
        typer.Option(
            "--record-frames",
            help="Record the frames of video streams too: pictures of the person. Without it, only "
            "counts of textures are recorded.",
        ),
    ] = False,
    seconds: Annotated[
        float | None, typer.Option(min=1, help="Stop after so long; Ctrl-C stops at any time.")
    ] = None,
    wait: Annotated[float, typer.Option(min=1, help="Seconds to look for streams.")] = 10.0,
    link: Annotated[
        str | None, typer.Option(help="Name under which dashboards find this engine.")
    ] = "engine",
    patient: Annotated[bool, typer.Option("--patient", hidden=True)] = False,
    json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Watch people live: find the rig's streams, predict every second, publish over LSL.

    Dashboards attach with `affectstream monitor`. A session is on the network under the LSL type
    "Affect".
    """
    from realtime import lsl

    lsl.configure(loopback=False)
    from apps.session import Session

    settings = session_settings(
        rig,
        checkpoint=checkpoint,
        device=device,
        baseline=baseline,
        bind=bind or (),
        participants=participant or (),
        artefacts=artefacts or (),
        profiles=profile or (),
        profile_root=profiles,
        record=record,
        record_frames=record_frames,
        seconds=seconds,
        wait=None if patient else wait,
        link=link,
    )
    summary = Session(settings).run()
    emit(summary, json, *tables(summary))


def session_settings(
    rig: str,
    *,
    checkpoint: str | None = None,
    device: str = "auto",
    baseline: str | None = None,
    bind: Sequence[str] = (),
    participants: Sequence[str] = (),
    artefacts: Sequence[str] = (),
    profiles: Sequence[str] = (),
    profile_root: Path | None = None,
    record: Path | None = None,
    record_frames: bool = False,
    seconds: float | None = None,
    wait: float | None = 10.0,
    link: str | None = None,
) -> SessionSettings:
    """Check a session's options, as they were written, and build its settings."""
    from apps.session_settings import SessionSettings
    from calibration.artefact_files import load_artefacts
    from calibration.profile_files import open_profile
    from calibration.store import default_root
    from model.checkpoint import check_rig, load_checkpoint
    from model.zoo import shipped_checkpoint
    from realtime.recorder import safe_id
    from realtime.rig import load_rig

    for name in participants:
        safe_id(name, "participant")
    loaded = load_rig(rig)
    opened = load_checkpoint(Path(checkpoint) if checkpoint else shipped_checkpoint(loaded))
    check_rig(opened, loaded)
    # Whose model it is has to be watched; nobody else need be named for that.
    participants = tuple(dict.fromkeys((*participants, *profiles)))
    root = profile_root or default_root()
    own = {name: open_profile(root, name, opened, loaded) for name in profiles}
    filters = {}
    for name, file in parse_artefacts(artefacts).items():
        filters[name], _ = load_artefacts(Path(file))
        filters[name].montage.check(loaded)
        if participants and name not in participants:
            raise InputError(
                f"--artefacts {file!r} is for {name!r}, who is not watched: write PARTICIPANT="
                f"{file} with one of {', '.join(participants)}"
            )
    return SessionSettings(
        rig=loaded,
        checkpoint=opened,
        device=device,
        baseline=parse_baseline(baseline),
        choices=parse_bindings(bind),
        participants=tuple(participants),
        artefacts=filters,
        profiles=own,
        profile_root=root,
        record=record,
        record_frames=record_frames,
        seconds=seconds,
        wait=wait,
        link=link,
    )


def tables(summary: dict[str, Any]) -> list[Any]:
    """Return what a person reads of a session's summary."""
    from rich.table import Table
    from rich.text import Text

    streams = Table("participant", "modality", "stream", "samples", "rate / Hz", "gaps", "state")
    for row in summary["streams"]:
        streams.add_row(
            Text(row["participant"]),
            row["modality"],
            Text(row["name"]),
            str(row["samples"]),
            f"{row['effective_rate']:.2f}",
            str(row["gaps"]),
            row["state"],
        )
    parts: list[Any] = [streams]
    if summary["notice"]:
        parts.append(Text(summary["notice"], style="bold"))
    last = summary["last"]
    if last is not None:
        shares = Table("emotion", "share")
        for emotion, share in zip(summary["emotions"], last["distribution"], strict=True):
            shares.add_row(emotion, f"{share:.3f}")
        parts.append(shares)
    latency = summary["latency_ms"]
    if latency["p50"] is not None:
        parts.append(
            Text(
                f"{summary['windows']} windows, latency {latency['p50']:.1f} ms (median), "
                f"{latency['p99']:.1f} ms (99th percentile), {summary['dropped']} dropped"
            )
        )
    return parts
