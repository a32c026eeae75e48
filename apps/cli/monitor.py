"""``affectstream monitor``: the dashboard, attached to an engine."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated

import typer

from apps import processes
from apps.link import LinkClient, running_engines
from realtime.errors import InputError

PATIENCE = 90.0  # s that a new engine may take to load its libraries and to answer


class OwnEngine:
    """An engine in a child process, which is started again when it dies.

    Parameters
    ----------
    arguments : sequence of str
        Options of `affectstream run`, with ``--link``.
    name : str
        The link's name.
    environment : mapping of str to str
        Added to the child's.
    """

    def __init__(self, arguments: Sequence[str], name: str, environment: Mapping[str, str]) -> None:
        self._arguments, self._name, self._environment = arguments, name, environment
        self._child: subprocess.Popen[bytes] | None = None

    def start(self) -> LinkClient:
        """Start a child, after the end of an earlier one, and attach to it.

        Raises
        ------
        InputError
            If it ends before it answers, or does not answer.
        """
        self.stop()
        before = {engine.file for engine in running_engines()}
        command = ["run", *self._arguments, "--patient"]
        child = self._child = processes.start(command, self._environment)
        deadline = time.monotonic() + PATIENCE
        while time.monotonic() < deadline:
            for engine in running_engines():
                if engine.name == self._name and engine.file not in before:
                    return LinkClient.connect(engine.file)
            if child.poll() is not None:
                raise InputError(
                    f"the engine ended at once with status {child.returncode}: "
                    f"see why with `affectstream {' '.join(command[:-1])}`"
                )
            time.sleep(0.1)
        self.stop()
        raise InputError(f"the engine {self._name!r} did not answer within {PATIENCE:g} s")

    def stop(self) -> None:
        """End the child, if there is one."""
        child, self._child = self._child, None
        if child is not None:
            processes.stop(child)


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
        _attach(engine, screenshot, seconds, size)
        return
    arguments = ["--rig", rig, "--link", "engine"]
    if checkpoint is not None:
        arguments += ["--checkpoint", checkpoint]
    for name in participant or []:
        arguments += ["--participant", name]
    if record is not None:
        arguments += ["--record", str(record)]
    if record_frames:
        arguments.append("--record-frames")
    show(arguments, "engine", {}, seconds, screenshot, size)


def show(
    arguments: Sequence[str],
    name: str,
    environment: Mapping[str, str],
    seconds: float | None = None,
    screenshot: Path | None = None,
    size: tuple[int, int] = (1280, 800),
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
            run_dashboard(client, own.start, auto_restart=True, quit_engine=True, seconds=seconds)
        else:
            save_screenshot(client, screenshot, seconds or 5.0, size)
            client.close()
    finally:
        own.stop()


def _attach(
    engine: str | None, screenshot: Path | None, seconds: float | None, size: tuple[int, int]
) -> None:
    # Qt takes a second to load: an error in the options does not wait for it.
    client = LinkClient.connect(engine, timeout=1.0)
    from apps.dashboard.application import need_screen, run_dashboard, save_screenshot

    if screenshot is None:
        need_screen()
        run_dashboard(client, seconds=seconds)
    else:
        save_screenshot(client, screenshot, seconds or 5.0, size)
