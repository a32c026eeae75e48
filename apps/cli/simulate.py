"""``affectstream simulate``: a simulated person's LSL streams."""

from __future__ import annotations

import contextlib
from typing import Annotated

import typer

from apps.cli.output import emit, error_console
from realtime import lsl
from realtime.errors import InputError


def simulate(
    layout: Annotated[
        str,
        typer.Option(
            help="Device worn: e4 (a stream a sensor), emotibit (a channel), respiban (chest), "
            "dmer (EEG cap, pulse, skin conductance, camera) or dmer-frames (the camera sends "
            "pictures)."
        ),
    ] = "e4",
    people: Annotated[int, typer.Option(help="How many people, P1, P2, ...")] = 1,
    seed: Annotated[int, typer.Option(help="Who P1 is; the others follow.")] = 1,
    seconds: Annotated[
        float | None, typer.Option(help="Stop after so long; else on Ctrl-C.")
    ] = None,
    drop: Annotated[
        list[str] | None,
        typer.Option(help="Leave a sensor out, such as ppg or acc. May be repeated."),
    ] = None,
    wait: Annotated[
        float,
        typer.Option(min=0, help="Begin when somebody listens, or after so many seconds."),
    ] = 0.0,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Publish simulated people's LSL streams, marked as simulated.

    After 35 s of rest, stress, rest and amusement follow each other for ever; markers say which.
    """
    if not 1 <= people <= 100:
        raise InputError(f"--people {people}: give a number from 1 to 100")
    if seed < 0:
        raise InputError(f"--seed {seed}: give 0 or a positive number")
    if seconds is not None and not 0 < seconds < float("inf"):
        raise InputError(f"--seconds {seconds:g}: give a number above 0")
    configuration = lsl.configure(loopback=False)
    from realtime.simulator.publish import people as open_people
    from realtime.simulator.publish import run, wait_for_listeners

    publishers = open_people(people, seed, layout, drop or ())
    names = ", ".join(publisher.participant for publisher in publishers)
    error_console().print(
        f"Publishing simulated {names}, {configuration}; Ctrl-C stops.", markup=False
    )
    # Ctrl-C is the ordinary end of a command that runs for ever.
    with contextlib.suppress(KeyboardInterrupt):
        if wait:
            wait_for_listeners(publishers, wait)
        run(publishers, seconds)
    streams = [
        {
            "participant": publisher.participant,
            "seed": publisher.person.seed,
            "name": info.name,
            "type": info.type,
            "source_id": info.source_id,
            "rate": info.rate,
            "samples": publisher.counts[info.key],
        }
        for publisher in publishers
        for info in publisher.infos
    ]
    result = {
        "simulated": True,
        "layout": layout.lower(),
        "started": publishers[0].origin,
        "markers": sum(publisher.markers for publisher in publishers),
        "streams": streams,
    }
    emit(result, as_json)
