"""``affectstream evaluate``: a protocol over models, on a dataset."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from apps.cli.output import emit
from realtime.errors import InputError


def evaluate(
    dataset: Annotated[str, typer.Option(help="Its name; see docs/datasets.md.")],
    root: Annotated[
        Path | None,
        typer.Option(help="The dataset's folder; by default the one in AFFECTSTREAM_DATA."),
    ] = None,
    protocol: Annotated[str, typer.Option(help="loso or paper-sd.")] = "loso",
    models: Annotated[
        str, typer.Option(help="Comma-separated names, or all.")
    ] = "mpcl,trees,clock,movement,train-mean,subject-mean,uniform",
    modalities: Annotated[
        str,
        typer.Option(help="What mpcl and trees may use, such as ppg,eda; all if empty."),
    ] = "",
    also: Annotated[str, typer.Option(help="Further datasets to train on, never tested.")] = "",
    rig: Annotated[
        str,
        typer.Option(help="Rig: a name that ships, or a TOML file; by default the dataset's."),
    ] = "",
    preset: Annotated[str, typer.Option(help="Recipe of the network: small or full.")] = "small",
    seeds: Annotated[int, typer.Option(min=1, help="How many seeds, from 0 on.")] = 3,
    device: Annotated[str, typer.Option(help="auto, cpu or cuda.")] = "cpu",
    workers: Annotated[int, typer.Option(min=1, help="Processes on this machine.")] = 1,
    dask: Annotated[
        str | None, typer.Option(metavar="ADDRESS", help="Dask scheduler to use instead.")
    ] = None,
    out: Annotated[
        Path, typer.Option(help="Folder for results.csv, table.md and finished folds.")
    ] = Path("evaluation"),
    json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Run a protocol over models and print a table with intervals over people.

    Every finished fold is kept in OUT: the same command goes on where it was interrupted.
    """
    from rich.markdown import Markdown

    from apps.cli.data import load_tables, progress_bar, rig_for
    from model.evaluation import Plan, check, run
    from model.protocols import protocol as find_protocol
    from model.report import report
    from model.systems import names
    from model.systems import preset as find_preset

    plan = Plan(
        protocol=find_protocol(protocol).name,
        models=names(models),
        seeds=tuple(range(seeds)),
        modalities=tuple(name.strip() for name in modalities.split(",") if name.strip()),
        device=device,
        preset=preset,
    )
    # What is wrong with the words shows before any work.
    find_preset(preset)
    loaded = rig_for(dataset, rig)
    if loaded is not None:
        known = [modality.name for modality in loaded.modalities]
        for name in plan.modalities:
            if name not in known:
                raise InputError(
                    f"no modality {name!r} in the rig {loaded.name!r}: use {', '.join(known)}"
                )
    table, others = load_tables(dataset, root, also, loaded, workers)
    check(table, plan)
    with progress_bar("folds") as progress:
        pieces = run(table, plan, out, others, workers, dask, progress)
    made = report(table, plan, pieces, others)
    csv, markdown = made.save(out)
    emit(
        {**made.result, "results": csv, "table": markdown},
        json,
        Markdown(made.markdown),
        f"{csv}, {markdown}",
    )
