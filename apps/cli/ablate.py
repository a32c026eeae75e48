"""``affectstream ablate``: MPCL beside itself with a part changed, as in the paper's tables."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from apps.cli.output import emit


def ablate(
    name: Annotated[
        str,
        typer.Argument(
            metavar="NAME",
            help="modules, modalities, designs, scales, prototypes, temperature, retrieval, "
            "blocks or weights.",
        ),
    ],
    dataset: Annotated[str, typer.Option(help="Its name; see docs/datasets.md.")],
    root: Annotated[
        Path | None,
        typer.Option(help="The dataset's folder; by default the one in AFFECTSTREAM_DATA."),
    ] = None,
    protocol: Annotated[
        str, typer.Option(help="paper-sd (leaks), trial-sd, loso or calibrated-k.")
    ] = "paper-sd",
    modalities: Annotated[
        str, typer.Option(help="What the network may use, such as ppg,eda; all if empty.")
    ] = "",
    also: Annotated[str, typer.Option(help="Further datasets to train on, never tested.")] = "",
    rig: Annotated[
        str,
        typer.Option(help="Rig: a name that ships, or a TOML file; by default the dataset's."),
    ] = "",
    preset: Annotated[
        str,
        typer.Option(
            help="Recipe that is changed: small, person or full; by default person under "
            "paper-sd and trial-sd, small otherwise."
        ),
    ] = "",
    settings: Annotated[
        Path | None,
        typer.Option(help="TOML file whose table \\[mpcl] changes numbers of that recipe."),
    ] = None,
    seeds: Annotated[int, typer.Option(min=1, help="How many seeds, from 0 on.")] = 3,
    device: Annotated[str, typer.Option(help="auto, cpu or cuda.")] = "cpu",
    workers: Annotated[int, typer.Option(min=1, help="Processes on this machine.")] = 1,
    dask: Annotated[
        str | None,
        typer.Option(metavar="ADDRESS", help="Dask scheduler to use instead; docs/cluster.md."),
    ] = None,
    out: Annotated[
        Path,
        typer.Option(
            help="Folder for finished folds; results.csv, table.md, report.html go to OUT/NAME."
        ),
    ] = Path("ablation"),
    json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> int:
    """Run one of the ablations of the MPCL paper, and print its table beside the published one.

    Each variant is a whole training a fold and seed. Every finished fold is kept in OUT: the same
    command goes on where it was interrupted, and further ablations and evaluations there share the
    complete model's folds.
    """
    from rich.markdown import Markdown

    from apps.cli.data import load_tables, progress_bar, rig_for
    from apps.cli.evaluate import command_line, known_modalities, tell_failures
    from apps.cli.options import check_folder, parse_settings, parse_words, preset_of
    from model.ablations import COMPLETE
    from model.ablations import ablation as find_ablation
    from model.evaluation import Plan, run
    from model.protocols import protocol as find_protocol
    from model.report import ablation_report
    from model.systems import preset as find_preset

    # What is wrong with the words shows before any work.
    ablation = find_ablation(name)
    chosen = find_protocol(protocol).name
    check_folder(out)
    recipe = preset_of(chosen, preset)
    numbers = parse_settings(settings, find_preset(recipe))
    used = parse_words(modalities)
    loaded = rig_for(dataset, rig)
    known_modalities(used, loaded)
    table, others = load_tables(dataset, root, also, loaded, workers)
    roles = {one: role for one, role in table.roles.items() if not used or one in used}
    variants = ablation.variants(numbers or find_preset(recipe), roles, len(table.labels))
    plan = Plan(
        protocol=chosen,
        models=tuple(variants),
        seeds=tuple(range(seeds)),
        modalities=used,
        device=device,
        preset=recipe,
        settings=numbers,
        variants={one: variant for one, variant in variants.items() if one != COMPLETE},
    )
    with progress_bar("folds") as progress:
        outcome = run(table, plan, out, others, workers, dask, progress)
    if not outcome.pieces:  # nothing to put into a table
        return tell_failures(outcome.failures, out)
    made = ablation_report(
        table, plan, outcome.pieces, ablation, others, outcome.failures, command_line()
    )
    # Beside the tables of an evaluation, or of another ablation, not in their place.
    paths = made.save(out / ablation.name)
    csv, markdown, page = paths
    emit(
        {**made.result, "results": csv, "table": markdown, "report": page},
        json,
        Markdown(made.brief),
        ", ".join(map(str, paths)),
    )
    return tell_failures(outcome.failures, out)
