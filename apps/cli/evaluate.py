"""``affectstream evaluate``: a protocol over models, on a dataset."""

from __future__ import annotations

import logging
import shlex
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from apps.cli.output import emit
from realtime.errors import InputError

if TYPE_CHECKING:
    from model.evaluation import Failure
    from realtime.rig import Rig

logger = logging.getLogger(__name__)

QUICK = "mpcl,trees,clock,movement,train-mean,subject-mean,uniform"
"""Models that need minutes, with the references that must stand beside them."""


def evaluate(
    dataset: Annotated[str, typer.Option(help="Its name; see docs/datasets.md.")],
    root: Annotated[
        Path | None,
        typer.Option(help="The dataset's folder; by default the one in AFFECTSTREAM_DATA."),
    ] = None,
    protocol: Annotated[
        str,
        typer.Option(
            help="loso, calibrated-k, trial-sd or paper-sd (leaks); see docs/evaluation.md."
        ),
    ] = "loso",
    models: Annotated[
        str,
        typer.Option(
            help="Comma-separated names, or all that the data can serve; by default a quick set."
        ),
    ] = "",
    modalities: Annotated[
        str,
        typer.Option(help="What models may use of the sensors, such as ppg,eda; all if empty."),
    ] = "",
    shots: Annotated[
        str,
        typer.Option(help="Rated trials given under calibrated-k, such as 0,1,2,4."),
    ] = "",
    adaptations: Annotated[
        str,
        typer.Option(
            help="What the rated trials are given to under calibrated-k: shrinkage, calibrated "
            "(the whole ladder with its guard), or a step alone: prior, baseline, head, adapters."
        ),
    ] = "shrinkage,calibrated",
    also: Annotated[str, typer.Option(help="Further datasets to train on, never tested.")] = "",
    rig: Annotated[
        str,
        typer.Option(help="Rig: a name that ships, or a TOML file; by default the dataset's."),
    ] = "",
    preset: Annotated[
        str,
        typer.Option(
            help="Recipe of the networks: small, person or full; by default person under "
            "paper-sd and trial-sd, small otherwise."
        ),
    ] = "",
    settings: Annotated[
        Path | None,
        typer.Option(help="TOML file whose table \\[mpcl] changes numbers of MPCL's recipe."),
    ] = None,
    seeds: Annotated[int, typer.Option(min=1, help="How many seeds, from 0 on.")] = 3,
    device: Annotated[str, typer.Option(help="auto, cpu or cuda.")] = "cpu",
    workers: Annotated[int, typer.Option(min=1, help="Processes on this machine.")] = 1,
    dask: Annotated[
        str | None,
        typer.Option(metavar="ADDRESS", help="Dask scheduler to use instead; docs/cluster.md."),
    ] = None,
    out: Annotated[
        Path, typer.Option(help="Folder for results.csv, table.md, report.html, finished folds.")
    ] = Path("evaluation"),
    json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> int:
    """Run a protocol over models and print a table with intervals over people.

    Every finished fold is kept in OUT: the same command goes on where it was interrupted.
    """
    from rich.markdown import Markdown

    from apps.cli.data import load_tables, progress_bar, rig_for
    from apps.cli.options import check_folder, parse_settings, parse_shots, parse_words, preset_of
    from calibration.adaptation import adaptations as find_adaptations
    from model.evaluation import Plan, applicable, run
    from model.protocols import protocol as find_protocol
    from model.report import report
    from model.systems import names
    from model.systems import preset as find_preset

    # What is wrong with the words shows before any work.
    chosen = find_protocol(protocol).name
    check_folder(out)
    everything = models.strip() == "all"
    asked = () if everything else names(models or QUICK)
    recipe = preset_of(chosen, preset)
    numbers = parse_settings(settings, find_preset(recipe))
    used, given = parse_words(modalities), parse_shots(shots)
    fitted = find_adaptations(parse_words(adaptations))
    loaded = rig_for(dataset, rig)
    known_modalities(used, loaded)
    table, others = load_tables(dataset, root, also, loaded, workers)
    if not asked or not models:
        asked = applicable(table, names("all") if everything else asked)
    plan = Plan(
        protocol=chosen,
        models=asked,
        seeds=tuple(range(seeds)),
        modalities=used,
        device=device,
        preset=recipe,
        settings=numbers,
        shots=given,
    )
    with progress_bar("folds") as progress:
        outcome = run(table, plan, out, others, workers, dask, progress, fitted)
    if not outcome.pieces:  # nothing to put into a table
        return tell_failures(outcome.failures, out)
    made = report(table, plan, outcome.pieces, others, outcome.failures, command_line())
    paths = made.save(out)
    csv, markdown, page = paths
    emit(
        {**made.result, "results": csv, "table": markdown, "report": page},
        json,
        Markdown(made.brief),
        ", ".join(map(str, paths)),
    )
    return tell_failures(outcome.failures, out)


def known_modalities(chosen: Sequence[str], rig: Rig | None) -> None:
    """Refuse a modality that a rig does not have, before its data are converted."""
    if rig is None:
        return
    known = [modality.name for modality in rig.modalities]
    for name in chosen:
        if name not in known:
            raise InputError(
                f"no modality {name!r} in the rig {rig.name!r}: use {', '.join(known)}"
            )


def command_line() -> str:
    """Return the command as it can be given again, for the report."""
    return " ".join(["affectstream", *map(shlex.quote, sys.argv[1:])])


def tell_failures(failures: Sequence[Failure], out: Path) -> int:
    """Print one line for each fold that failed; return the exit status."""
    for failure in failures:
        logger.error("%s", failure)
        logger.debug("%s", failure.trace)
    if not failures:
        return 0
    logger.error(
        "%d of the folds failed and are not in the tables; what is done is kept in %s: give the "
        "same command again to try the failed ones again (--verbose shows where they failed)",
        len(failures),
        out,
    )
    return 1
