"""``affectstream bench``: is this computer fast enough."""

from __future__ import annotations

from typing import Annotated

import typer
from rich import box
from rich.table import Table
from rich.text import Text

from apps.cli.output import emit


def bench(
    rig: Annotated[
        list[str] | None,
        typer.Option(help="Rig: a name that ships, or a TOML file. All that ship if left out."),
    ] = None,
    rounds: Annotated[
        int, typer.Option(min=1, help="Rounds, each of 5 of our hops and one of NeuroKit2's.")
    ] = 4,
    json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Measure what a second of data costs, for every rig, beside the plain way with NeuroKit2.

    Ours: a second of samples is pushed, put on the grid, filtered, and the window that it completes
    is cut, described and normalised; in one chunk, and as live streams bring it. The plain way:
    NeuroKit2's processing of each full window, and nothing else. Predictions are timed apart.
    """
    from apps.bench import describe, fast_enough, measure
    from realtime.rig import shipped_rigs

    rows = measure(tuple(rig or shipped_rigs()), rounds)
    enough = fast_enough(rows)
    machine = describe()
    table = Table("rig", "part", "budget", "ours", "CPU", "plain way", "ratio", box=box.SIMPLE_HEAD)
    for column in table.columns[2:]:
        column.justify = "right"
    for row in rows:
        table.add_row(
            row.rig,
            row.part,
            f"{row.budget_ms:.0f} ms",
            f"{row.ours_ms:.1f} ms",
            f"{row.cpu_ms:.1f} ms",
            "" if row.plain_ms is None else f"{row.plain_ms:.0f} ms",
            "" if row.ratio is None else f"{row.ratio:.0f} x",
            style="bold" if row.part.startswith("whole hop") else None,
        )
    runs = [f"{row.rig} {row.part}: {row.plain}" for row in rows if row.plain]
    verdict = "fast enough" if enough else "too slow: leave modalities out, or use another computer"
    emit(
        {"fast_enough": enough, "machine": machine, "rows": rows},
        json,
        table,
        Text("Ours and the plain way are medians; CPU is the mean over all threads."),
        Text(f"The plain way runs: {'; '.join(runs)}."),
        Text(", ".join(f"{key} {value}" for key, value in machine.items())),
        Text(f"This computer is {verdict}."),
    )
