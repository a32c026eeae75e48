"""``affectstream monitor``: the dashboard, attached to an engine."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated

import typer

from apps.link import LinkClient, running_engines
from apps.own_engine import OwnEngine
from realtime.errors import InputError


def monitor(
    engine: Annotated[
        str | None,
        typer.Option(help="Name or address file of a running engine; the newest if left out."),
    ] = None,
    rig: Annotated[
        str, typer.Option(help="Rig of the engine that is started if none runs.")
    ] = "wrist",
    checkpoint: Annotated[
        str | None, typer.Option(help="Its checkpoint file; the rig's own if left out.")
    ] = None,
    participant: Annotated[
        list[str] | None, typer.Option(help="Its participants' pseudonyms; repeat for several.")
    ] = None,
    profile: Annotated[
        list[str] | None,
        typer.Option(
            metavar="ID",
            help="Its participants whose own models it uses and improves; repeat for several.",
        ),
    ] = None,
    profiles: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="Folder of profiles; else in the user's own data."),
    ] = None,
    rate_every: Annotated[
        float | None,
        typer.Option(
            min=0.5,
            metavar="MINUTES",
            help="Ask the participant for a rating every so many minutes; F8 asks at any time.",
        ),
    ] = None,
    record: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Folder that it records into.")
    ] = None,
    record_frames: Annotated[
        bool,
        typer.Option("--record-frames", help="Its recordings hold the frames of video streams."),
    ] = False,
    screenshot: Annotated[
        Path | None, typer.Option(help="Save a picture (PNG) after --seconds, and end.")
    ] = None,
    seconds: Annotated[
        float | None, typer.Option(min=0.5, help="Close by itself after so long.")
    ] = None,
    size: Annotated[
        tuple[int, int], typer.Option(help="Width and height of the picture in pixels.")
    ] = (1280, 800),
) -> None:
    """Show the dashboard of the engine that runs; if none does, start one.

    An engine that was started here ends with the window; one that ran before goes on.
    """
    if engine is not None or running_engines():
        if profile:
            raise InputError(
                f"--profile {profile[0]!r} is for an engine that is started here, and one runs "
                "already: end it first, or leave the option out to watch what it shows"
            )
        _attach(engine, screenshot, seconds, size, rate_every)
        return
    arguments = ["--rig", rig, "--link", "engine"]
    if checkpoint is not None:
        arguments += ["--checkpoint", checkpoint]
    for name in participant or []:
        arguments += ["--participant", name]
    for name in profile or []:
        arguments += ["--profile", name]
    if profiles is not None:
        arguments += ["--profiles", str(profiles)]
    if record is not None:
        arguments += ["--record", str(record)]
    if record_frames:
        arguments.append("--record-frames")
    show(arguments, "engine", {}, seconds, screenshot, size, rate_every)


def show(
    arguments: Sequence[str],
    name: str,
    environment: Mapping[str, str],
    seconds: float | None = None,
    screenshot: Path | None = None,
    size: tuple[int, int] = (1280, 800),
    rate_every: float | None = None,
) -> None:
    """Start an engine and show its dashboard; both end together.

    Parameters
    ----------
    arguments, name, environment
        As `OwnEngine` has them.
    seconds : float, optional
        Close by itself after so long.
    screenshot : Path, optional
        Save a picture after `seconds` (5 if left out) instead of showing a window.
    size : tuple of int
        Width and height of the picture in pixels.
    rate_every : float, optional
        Minutes between two questions for a rating.

    Raises
    ------
    InputError
        If there is no screen, or no engine starts.
    """
    from apps.dashboard.application import need_screen, run_dashboard, save_screenshot

    if screenshot is None:
        need_screen()
    own = OwnEngine(arguments, name, environment)
    try:
        client = own.start()
        if screenshot is None:
            run_dashboard(
                client,
                own.start,
                auto_restart=True,
                quit_engine=True,
                seconds=seconds,
                rate_every=rate_every,
            )
        else:
            save_screenshot(client, screenshot, seconds or 5.0, size)
            client.close()
    finally:
        own.stop()


def _attach(
    engine: str | None,
    screenshot: Path | None,
    seconds: float | None,
    size: tuple[int, int],
    rate_every: float | None,
) -> None:
    # Qt takes a second to load: an error in the options does not wait for it.
    client = LinkClient.connect(engine, timeout=1.0)
    from apps.dashboard.application import need_screen, run_dashboard, save_screenshot

    if screenshot is None:
        need_screen()
        run_dashboard(client, seconds=seconds, rate_every=rate_every)
    else:
        save_screenshot(client, screenshot, seconds or 5.0, size)
