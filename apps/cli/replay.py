"""``affectstream replay``: play a recording as LSL streams."""

from __future__ import annotations

import logging
import threading
from pathlib import Path
from typing import Annotated

import typer
from rich.progress import Progress

from apps.cli.output import emit, error_console
from realtime.files import open_recording
from realtime.lsl import configure
from realtime.player import Player
from realtime.video import is_video

_log = logging.getLogger(__name__)


def replay(
    path: Annotated[Path, typer.Argument(help="XDF file or E4 folder.", show_default=False)],
    speed: Annotated[float, typer.Option(help="Playback speed; 1 is real time.")] = 1.0,
    start: Annotated[
        float | None, typer.Option(help="Where to begin, in seconds from the recording's start.")
    ] = None,
    stop: Annotated[
        float | None, typer.Option(help="Where to end, in seconds from the recording's start.")
    ] = None,
    loop: Annotated[bool, typer.Option("--loop", help="Begin again at the end.")] = False,
    json: Annotated[bool, typer.Option("--json", help="Print one JSON object at the end.")] = False,
) -> None:
    """Play a recording as LSL streams, on the recording's own timeline.

    Playing begins when the streams have receivers, or after 30 s without. Ctrl+C ends it.
    """
    configuration = configure(loopback=False)
    player = Player(open_recording(path), speed, start, stop, loop)
    infos, offset = player.infos, player.offset
    _log.info("playing %d streams of %s at speed %g; %s", len(infos), path, speed, configuration)
    pictures = [info.name for info in infos if is_video(info)]
    if pictures:
        _log.warning(
            "the recording holds pictures (%s): while it plays, whoever is on the network can "
            "watch them",
            ", ".join(pictures),
        )
    worker = threading.Thread(target=player.run, name="player", daemon=True)
    worker.start()
    try:
        with Progress(
            console=error_console(), disable=json or not error_console().is_terminal
        ) as progress:
            task = progress.add_task("playing", total=player.end - player.begin)
            # Short waits keep Ctrl+C alive on Windows.
            while worker.is_alive():
                worker.join(0.2)
                progress.update(task, completed=player.position - player.begin)
    except KeyboardInterrupt:
        player.stop()
        worker.join(5.0)
    result = {
        "path": path,
        "speed": speed,
        "offset": offset,
        "seconds": max(0.0, min(player.position, player.end) - player.begin),
        "samples": player.samples,
        "streams": [
            {
                "name": info.name,
                "type": info.type,
                "channels": info.channel_count,
                "source_id": info.source_id,
            }
            for info in infos
        ],
    }
    emit(result, json, f"Played {player.samples} samples of {len(infos)} streams.")
