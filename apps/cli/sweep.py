"""``affectstream sweep``: a search for MPCL's settings, without a look at what is tested."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from apps.cli.output import emit


def sweep(
    dataset: Annotated[str, typer.Option(help="Its name; see docs/datasets.md.")],
    root: Annotated[
        Path | None,
        typer.Option(help="The dataset's folder; by default the one in AFFECTSTREAM_DATA."),
    ] = None,
    protocol: Annotated[
        str, typer.Option(help="What the settings are for: loso, calibrated-k, trial-sd, paper-sd.")
    ] = "loso",
    trials: Annotated[
        int, typer.Option(min=1, help="How many settings to try, the preset's included.")
    ] = 40,
    modalities: Annotated[
        str, typer.Option(help="What the network may use, such as ppg,eda; all if empty.")
    ] = "",
    rig: Annotated[
        str,
        typer.Option(help="Rig: a name that ships, or a TOML file; by default the dataset's."),
    ] = "",
    preset: Annotated[
        str, typer.Option(help="Recipe to start from; by default the protocol's own.")
    ] = "",
    settings: Annotated[
        Path | None,
        typer.Option(help="TOML file whose table \\[mpcl] changes numbers of that recipe."),
    ] = None,
    seed: Annotated[int, typer.Option(min=0, help="Seed of all that is random.")] = 0,
    device: Annotated[str, typer.Option(help="auto, cpu or cuda.")] = "cpu",
    workers: Annotated[int, typer.Option(min=1, help="Processes on this machine.")] = 1,
    dask: Annotated[
        str | None,
        typer.Option(metavar="ADDRESS", help="Dask scheduler to use instead; docs/cluster.md."),
    ] = None,
    out: Annotated[
        Path, typer.Option(help="Folder for best.toml, trials.csv and the journal.")
    ] = Path("sweep"),
    json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Search for MPCL's settings around a preset.

    Settings are judged by inner folds of the training part alone. The same command goes on where
    it was interrupted; `evaluate --settings OUT/best.toml` takes the result.
    """
    from apps.cli.data import load_tables, progress_bar, rig_for
    from apps.cli.evaluate import known_modalities
    from apps.cli.options import check_folder, parse_settings, parse_words, preset_of
    from model.evaluation import Plan
    from model.protocols import protocol as find_protocol
    from model.sweep import require_optuna
    from model.sweep import sweep as search
    from model.systems import preset as find_preset

    # What is wrong with the words shows before any work.
    require_optuna()
    recipe = preset_of(find_protocol(protocol).name, preset)
    check_folder(out)
    start = parse_settings(settings, find_preset(recipe))
    used = parse_words(modalities)
    loaded = rig_for(dataset, rig)
    known_modalities(used, loaded)
    table, _ = load_tables(dataset, root, "", loaded, workers)
    plan = Plan(
        protocol=protocol,
        models=("mpcl",),
        seeds=(seed,),
        modalities=used,
        device=device,
        preset=recipe,
        settings=start,
    )
    with progress_bar("settings") as progress:
        found = search(table, plan, trials, out, workers, dask, progress)
    states = found.trials["state"].value_counts()
    emit(
        {
            "dataset": table.dataset,
            "protocol": protocol,
            "about": found.about,
            "trials": len(found.trials),
            "ended_early": int(states.get("ended early", 0)),
            "failed": int(states.get("failed", 0)),
            "validation_kl": {"start": found.start_kl, "best": found.best_kl},
            "tested_kl": {"start": found.start_tested, "best": found.best_tested},
            "changed": {
                name: {"from": getattr(found.start, name), "to": value}
                for name, value in found.best.to_dict().items()
                if value != found.start.to_dict()[name]
            },
            "settings": out / "best.toml",
            "table": out / "trials.csv",
        },
        json,
    )
