"""``affectstream train``: a checkpoint from a dataset."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Annotated

import typer

from apps.cli.output import emit


def train(
    dataset: Annotated[str, typer.Option(help="A dataset of signals; see docs/datasets.md.")],
    out: Annotated[Path, typer.Option(help="The checkpoint to write, a .safetensors file.")],
    root: Annotated[
        Path | None,
        typer.Option(help="The dataset's folder; by default the one in AFFECTSTREAM_DATA."),
    ] = None,
    also: Annotated[str, typer.Option(help="Further datasets to train on, by name.")] = "",
    rig: Annotated[
        str,
        typer.Option(help="Rig: a name that ships, or a TOML file; by default the dataset's."),
    ] = "",
    preset: Annotated[
        str, typer.Option(help="Recipe of the network: small, person, full or demonstration.")
    ] = "small",
    settings: Annotated[
        Path | None,
        typer.Option(help="TOML file whose table \\[mpcl] changes numbers of the recipe."),
    ] = None,
    replay: Annotated[
        bool,
        typer.Option(
            help="Keep a few training windows (features, no names) in the checkpoint, which "
            "calibration needs to adapt the encoders; leave them out of one you publish."
        ),
    ] = True,
    seed: Annotated[int, typer.Option(help="Seed of all that is random.")] = 0,
    device: Annotated[str, typer.Option(help="auto, cpu or cuda.")] = "cpu",
    workers: Annotated[int, typer.Option(min=1, help="Processes on this machine.")] = 1,
    json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Train MPCL on all people of a dataset.

    Its uncertainty radius and its figures come from models that had not seen the person. What is
    done is kept beside OUT: the same command goes on where it was interrupted.
    """
    import shutil

    from apps.cli.data import load_tables, progress_bar, rig_for
    from apps.cli.options import parse_settings
    from model.build import build_checkpoint
    from model.checkpoint import save_checkpoint
    from model.systems import preset as find_preset
    from realtime.errors import InputError

    if out.suffix != ".safetensors":
        raise InputError(f"--out {str(out)!r} is no checkpoint: give a name that ends .safetensors")
    recipe = parse_settings(settings, find_preset(preset)) or find_preset(preset)
    loaded = rig_for(dataset, rig)
    if loaded is None:
        raise InputError(
            f"dataset {dataset!r} holds features that no rig computes live: a checkpoint needs a "
            "dataset of signals; use affectstream evaluate"
        )
    table, others = load_tables(dataset, root, also, loaded, workers)
    began = time.perf_counter()
    work = out.with_name(out.name + ".work")
    with progress_bar("training") as progress:
        done = 0

        def epoch(entry: object) -> None:
            nonlocal done
            done += 1
            progress("the checkpoint", done, recipe.members * recipe.epochs)

        checkpoint = build_checkpoint(
            table,
            loaded,
            work,
            others,
            recipe,
            seed,
            device,
            workers,
            replay,
            progress=progress,
            report=epoch,
        )
    saved = save_checkpoint(checkpoint, out)
    shutil.rmtree(work, ignore_errors=True)
    emit(
        {
            "checkpoint": out,
            "hash": saved.hash,
            "bytes": out.stat().st_size,
            "rig": saved.rig,
            "label_set": saved.labels.name,
            "emotions": saved.emotions,
            "radius": saved.radius,
            "demonstration": saved.demonstration,
            "notice": saved.notice,
            "data": saved.data,
            "metrics": saved.metrics,
            "settings": saved.settings.to_dict(),
            "seed": saved.seed,
            "seconds": time.perf_counter() - began,
        },
        json,
    )
