"""``affectstream camera``: a webcam's faces as LSL streams."""

from __future__ import annotations

import contextlib
import logging
import time
from typing import TYPE_CHECKING, Annotated, Any

import typer

from apps.cli.output import emit, error_console
from realtime import lsl
from realtime.errors import InputError
from realtime.recorder import safe_id

if TYPE_CHECKING:
    from apps.camera_preview import PreviewServer
    from realtime.camera.publish import FacePublisher
    from realtime.camera.source import Source

logger = logging.getLogger(__name__)

WAIT = 0.1  # s to wait for a frame before looking at the clock
STEADY = 0.5  # s that what is seen must last before it is told
MOST = 8  # people before one camera


def camera(
    source: Annotated[
        str,
        typer.Option(help="Number of a camera (0 is the first), a video file, or a folder."),
    ] = "0",
    stream: Annotated[
        str,
        typer.Option(help="counts: 768 numbers a frame, no picture; frames: 128 x 128 pictures."),
    ] = "counts",
    faces: Annotated[
        int | None, typer.Option(help="How many people, left to right: P1, P2, ...")
    ] = None,
    participants: Annotated[
        str | None, typer.Option(help="Their names, left to right: anna,ben.")
    ] = None,
    fps: Annotated[
        float | None,
        typer.Option(help="Frames a second: asked of a camera, stated for a file or folder."),
    ] = None,
    loop: Annotated[bool, typer.Option("--loop", help="Begin a file or folder again.")] = False,
    preview: Annotated[
        bool, typer.Option("--preview", help="Show a dashboard on this computer what is seen.")
    ] = False,
    seconds: Annotated[
        float | None, typer.Option(help="Stop after so long; else on Ctrl-C.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Publish the texture of the faces before a camera, each person's as an LSL stream.

    With --stream counts no picture leaves this program. --preview shows some, to dashboards of the
    same user on the same computer alone.
    """
    names = _people(faces, participants)
    if stream not in ("counts", "frames"):
        raise InputError(f"--stream {stream!r}: give counts or frames")
    if seconds is not None and not 0 < seconds < float("inf"):
        raise InputError(f"--seconds {seconds:g}: give a number above 0")
    configuration = lsl.configure(loopback=False)
    from realtime.camera.publish import FacePublisher
    from realtime.camera.source import open_source

    frames = open_source(source, fps, loop)
    named = len(names) > 1 or participants is not None
    with contextlib.ExitStack() as stack:
        stack.callback(frames.close)
        publisher = FacePublisher(names, stream, frames.name, named)
        server = None
        if preview:
            from apps.camera_preview import PreviewServer

            server = stack.enter_context(PreviewServer(publisher))
        error_console().print(
            f"Publishing the {'texture' if stream == 'counts' else 'picture'} of "
            f"{', '.join(names)} from {frames.name}, {configuration}; Ctrl-C stops.",
            markup=False,
        )
        watch = _Watch(frames, publisher, server)
        # Ctrl-C is the ordinary end of a command that runs for ever.
        with contextlib.suppress(KeyboardInterrupt):
            watch.run(seconds)
        result = watch.result(source, stream)
    if not result["frames"]:
        raise InputError(
            f"{frames.name} gave no frame: plug it in, close other programs that use it, or give "
            "another --source"
        )
    emit(result, as_json)


def _people(faces: int | None, participants: str | None) -> list[str]:
    """Return who is before the camera, from left to right."""
    if participants is None:
        count = 1 if faces is None else faces
        if not 1 <= count <= MOST:
            raise InputError(f"--faces {count}: give a number from 1 to {MOST}")
        return [f"P{number}" for number in range(1, count + 1)]
    names = [name.strip() for name in participants.split(",")]
    if not all(names) or len(set(names)) < len(names) or len(names) > MOST:
        raise InputError(
            f"--participants {participants!r}: give up to {MOST} different names, such as anna,ben"
        )
    if faces not in (None, len(names)):
        raise InputError(
            f"--faces {faces} does not fit --participants {participants!r}: leave --faces out"
        )
    return [safe_id(name, "participant") for name in names]


class _Watch:
    """Carries frames from the source to the streams, and tells what is seen."""

    def __init__(
        self, source: Source, publisher: FacePublisher, server: PreviewServer | None
    ) -> None:
        self._source = source
        self._publisher = publisher
        self._server = server
        self._frames = 0
        self._dark = 0
        self._first = self._last = 0.0
        self._told: tuple[str, ...] = ()
        self._sight: tuple[str, ...] = ()
        self._since = 0.0

    def run(self, seconds: float | None) -> None:
        """Go on until time is up or the source has ended."""
        end = float("inf") if seconds is None else time.monotonic() + seconds
        while not self._source.ended and (left := end - time.monotonic()) > 0:
            got = self._source.read(min(WAIT, left))
            if got is not None:
                captured, frame = got
                self._publisher.push(captured, frame)
                self._frames += 1
                self._dark += self._publisher.crops.tracker.dark
                self._first = self._first or captured
                self._last = captured
                self._tell(captured)
            if self._server is not None:
                self._server.update()

    def _tell(self, now: float) -> None:
        sight = self._publisher.sight()
        if sight != self._sight:
            self._sight, self._since = sight, now
        if sight != self._told and (not self._told or now - self._since >= STEADY):
            for person, text in zip(self._publisher.participants, sight, strict=True):
                logger.info("%s: %s", person, text)
            self._told = sight

    def result(self, source: str, stream: str) -> dict[str, Any]:
        """Return what ``--json`` prints."""
        publisher, cadence = self._publisher, self._publisher.crops.cadence
        seconds = self._last - self._first
        return {
            "source": source,
            "stream": stream,
            "frames": self._frames,
            "fps": (self._frames - 1) / seconds if self._frames > 1 else None,
            "dark": self._dark / self._frames if self._frames else None,
            "dropped": self._source.dropped,
            "repeated": cadence.repeated,
            "left_out": cadence.left_out,
            "lost": self._source.losses,
            "restarted": self._source.losses - self._source.lost,
            "streams": [
                {
                    "participant": person,
                    "name": info.name,
                    "type": info.type,
                    "source_id": info.source_id,
                    "rate": info.rate,
                    "samples": tally.samples,
                    "found": tally.found / tally.looked if tally.looked else None,
                }
                for person, info, tally in zip(
                    publisher.participants, publisher.infos, publisher.tallies, strict=True
                )
            ],
        }
