"""``affectstream demo``: a simulated person, real LSL streams, the shipped model, the dashboard."""

from __future__ import annotations

from typing import Annotated

import typer

from apps.cli.output import emit
from realtime.errors import InputError


def demo(
    rig: Annotated[str, typer.Option(help="What is worn: wrist, chest or dmer.")] = "wrist",
    headless: Annotated[
        bool, typer.Option("--headless", help="No window: run, print a summary, end.")
    ] = False,
    seconds: Annotated[
        float | None, typer.Option(min=12, help="End by itself after so long.")
    ] = None,
    seed: Annotated[int, typer.Option(help="Which simulated person.")] = 1,
    people: Annotated[int, typer.Option(min=1, max=8, help="How many of them.")] = 1,
    json: Annotated[
        bool, typer.Option("--json", help="Print one JSON object (with --headless).")
    ] = False,
) -> None:
    """Show the monitor at work on a simulated person.

    Everything is real but the person: LSL streams from one process, the engine in another, the
    model that ships. Streams stay on this machine unless you have an LSL configuration of your own.
    """
    from apps import processes
    from realtime import lsl
    from realtime.simulator.layouts import WORN_FOR

    if json and not headless:
        raise InputError("--json prints the summary of a run without a window: add --headless")
    worn = WORN_FOR.get(rig)
    if worn is None:
        raise InputError(f"--rig {rig!r}: nobody is simulated for it; use {', '.join(WORN_FOR)}")
    environment = lsl.environment(lsl.configure(loopback=True))
    who = ["--layout", worn, "--seed", str(seed), "--people", str(people)]
    simulator = processes.start(["simulate", *who, "--wait", "60"], environment)
    try:
        if headless:
            from apps.cli.run import session_settings, tables
            from apps.session import Session

            settings = session_settings(rig, seconds=seconds or 45.0, wait=60.0, link="demo")
            summary = Session(settings).run()
            summary["simulated"] = True
            emit(summary, json, *tables(summary))
        else:
            from apps.cli.monitor import show

            show(["--rig", rig, "--link", "demo"], "demo", environment, seconds)
    finally:
        processes.stop(simulator)
