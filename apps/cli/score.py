"""``affectstream score``: recordings through the engine, as fast as they go."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Annotated, Any

import typer

from apps.cli.options import parse_artefacts, parse_baseline, parse_bindings
from apps.cli.output import emit, error_console
from realtime.errors import InputError

_log = logging.getLogger(__name__)


def score(
    paths: Annotated[
        list[str], typer.Argument(metavar="PATH...", help="XDF files or Empatica E4 folders.")
    ],
    rig: Annotated[str, typer.Option(help="Rig: a name that ships, or a TOML file.")] = "wrist",
    checkpoint: Annotated[
        str | None,
        typer.Option(help="Checkpoint file; the one that ships with the rig if left out."),
    ] = None,
    device: Annotated[str, typer.Option(help="auto, cpu or cuda.")] = "auto",
    baseline: Annotated[
        str | None,
        typer.Option(
            metavar="START:STOP",
            help="Stretch of rest, in seconds from the recording's start. Left out: what the "
            "recording states, else the rest in the profile, else a running estimate.",
        ),
    ] = None,
    bind: Annotated[
        list[str] | None,
        typer.Option(metavar="MODALITY=STREAM", help="Choose a stream where several would do."),
    ] = None,
    participant: Annotated[
        str | None,
        typer.Option(help="Pseudonym in the tables; the profile's, or else P1, if left out."),
    ] = None,
    artefacts: Annotated[
        str | None,
        typer.Option(
            metavar="[PARTICIPANT=]FILE",
            help="What `affectstream artefacts` fitted to the person's EEG.",
        ),
    ] = None,
    profile: Annotated[
        str | None,
        typer.Option(
            metavar="ID", help="Score with the own model of the person of this pseudonym."
        ),
    ] = None,
    profiles: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="Folder of profiles; else in the user's own data."),
    ] = None,
    features: Annotated[
        bool, typer.Option("--features", help="Write features.parquet too.")
    ] = False,
    out: Annotated[Path, typer.Option(help="Folder for the tables.")] = Path("scores"),
    chunk: Annotated[
        float, typer.Option(min=0.001, help="Seconds pushed at a time; changes no result.")
    ] = 60.0,
    workers: Annotated[int, typer.Option(min=1, help="Processes on this machine.")] = 1,
    dask: Annotated[
        str | None, typer.Option(metavar="ADDRESS", help="Dask scheduler to use instead.")
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Score recordings: a distribution over emotions for every second.

    With --features and no checkpoint that fits the rig, as before a lab's own rig is trained, the
    features alone are written.

    One recording goes to OUT itself, several to a folder each. Finished recordings are kept: the
    same command goes on where it was interrupted.
    """
    from apps.scoring import ScoreSettings, score_file
    from model.device import resolve_device
    from realtime.choices import DEFAULT_PARTICIPANT
    from realtime.recorder import safe_id
    from realtime.rig import load_rig

    loaded = load_rig(rig)
    if participant is not None and profile is not None and participant != profile:
        raise InputError(
            f"--participant {participant!r} and --profile {profile!r} name two people: leave out "
            "one of them"
        )
    if profiles is not None and profile is None:
        raise InputError(f"--profiles {str(profiles)!r} says where, not whose: give --profile ID")
    who = participant or profile or DEFAULT_PARTICIPANT
    weights = _checkpoint(checkpoint, loaded, features, profile is not None)
    # What is wrong with the settings shows before any work.
    settings = ScoreSettings(
        rig=rig,
        checkpoint=weights,
        device=device,
        baseline=parse_baseline(baseline),
        choices=parse_bindings(bind or []),
        participant=safe_id(who, "participant"),
        features=features,
        chunk_seconds=chunk,
        artefacts=_artefacts(artefacts, who, loaded),
        profile=None if profile is None else _profile(profiles, profile, weights, loaded),
    )
    resolve_device(device)
    for path in paths:
        if not Path(path).exists():
            raise InputError(f"no recording {path!r}: give an XDF file or an E4 folder")
    folders = _folders(paths, out)
    if workers == 1 and dask is None:
        results = []
        for path, folder in zip(paths, folders, strict=True):
            results.append(score_file(path, settings, folder))
            _log.info("%s: %s", path, _line(results[-1]))
    else:
        results = _scattered(paths, settings, folders, workers, dask)
    emit({"recordings": results}, json, *_tables(results))


def _checkpoint(given: str | None, rig: Any, features: bool, profile: bool) -> str | None:
    """Return the path of a checkpoint that fits the rig; None if features do without.

    A profile needs the checkpoint that it was made with.
    """
    from model.checkpoint import check_rig, load_checkpoint
    from model.zoo import shipped_checkpoint

    try:
        path = Path(given) if given else shipped_checkpoint(rig)
        opened = load_checkpoint(path)
        check_rig(opened, rig)
    except InputError as error:
        if given or profile:
            raise
        if not features:
            raise InputError(f"{error}, or give --features for the features alone") from None
        return None
    if opened.notice:
        _log.warning("%s", opened.notice)
    return str(path)


def _profile(folder: Path | None, name: str, checkpoint: str | None, rig: Any) -> tuple[str, str]:
    """Return the folder and id of a profile that fits the checkpoint and the rig."""
    from calibration.profile import check
    from calibration.profile_files import has_profile, load_profile
    from calibration.store import default_root, list_profiles
    from model.checkpoint import load_checkpoint

    root = folder if folder is not None else default_root()
    if not has_profile(root, name):
        there = [one.id for one in list_profiles(root) if one.profile is not None]
        known = ", ".join(there[:20]) + (", ..." if len(there) > 20 else "")
        raise InputError(
            f"no profile {name!r} in {str(root)!r}: it has {known or 'none'}; make one with "
            "`affectstream calibrate`"
        )
    assert checkpoint is not None  # there is no scoring by a profile without one
    check(load_profile(root, name), load_checkpoint(Path(checkpoint)), rig)
    return str(root), name


def _artefacts(text: str | None, participant: str, rig: Any) -> str | None:
    """Return the file of an artefact filter that fits the rig and the person."""
    from calibration.artefact_files import load_artefacts

    if text is None:
        return None
    ((owner, file),) = parse_artefacts([text]).items()
    if owner != participant:
        raise InputError(
            f"--artefacts {text!r} is for {owner!r}, and the recording for {participant!r}: give "
            f"--participant {owner}, or --artefacts {participant}={file}"
        )
    load_artefacts(Path(file))[0].montage.check(rig)
    return file


def _folders(paths: list[str], out: Path) -> list[str]:
    """Return where each recording's tables go."""
    if len(paths) == 1:
        return [str(out)]
    names: list[str] = []
    for path in paths:
        stem = name = Path(path).resolve().stem
        number = 2
        while name in names:
            name = f"{stem}-{number}"
            number += 1
        names.append(name)
    return [str(out / name) for name in names]


def _scattered(
    paths: list[str], settings: Any, folders: list[str], workers: int, address: str | None
) -> list[dict[str, Any]]:
    """Score in several processes; what is done stays done if one recording fails."""
    from distributed import as_completed
    from rich.progress import Progress

    from apps.scoring import score_file
    from model.fanout import cluster

    results: dict[int, dict[str, Any]] = {}
    problems: list[str] = []
    with cluster(workers, address) as client, Progress(console=error_console()) as progress:
        task = progress.add_task("recordings", total=len(paths))
        futures = {
            client.submit(score_file, path, settings, folder): i
            for i, (path, folder) in enumerate(zip(paths, folders, strict=True))
        }
        for future in as_completed(futures):
            try:
                results[futures[future]] = future.result()
            except InputError as error:
                problems.append(str(error))
            progress.advance(task)
    if problems:
        raise InputError(
            f"{len(problems)} of {len(paths)} recordings failed, the others are done: "
            + "; ".join(problems)
        )
    return [results[i] for i in range(len(paths))]


def _line(result: dict[str, Any]) -> str:
    return (
        f"{result['windows']} windows, {result['times_real_time']:g} times real time, "
        f"baseline {result['baseline']}"
    )


def _tables(results: list[dict[str, Any]]) -> list[Any]:
    from rich.table import Table
    from rich.text import Text

    table = Table("recording", "windows", "baseline", "used", "times real time", "folder")
    models = {r["profile"]["hash"]: r["profile"] for r in results if r.get("profile")}
    for r in results:
        used = ", ".join(f"{m} {share:.0%}" for m, share in r["used"].items())
        table.add_row(
            Text(r["path"]),
            str(r["windows"]),
            r["baseline"],
            used,
            f"{r['times_real_time']:g}",
            Text(r["folder"]),
        )
    said = [
        Text(f"{r['path']}: {sentence}")
        for r in results
        for sentence in (*filter(None, [r.get("notice")]), *r["notes"], *r["faults"])
    ]
    own = [
        Text(
            f"By the profile {one['id']}: {one['step']} kept, {one['trials']} rated trials, radius "
            f"{one['radius']:.3f} at 90 %"
        )
        for one in models.values()
    ]
    return [table, *own, *said]
