"""An engine in a child process: what a window starts when none runs."""

from __future__ import annotations

import shlex
import subprocess
import time
from collections.abc import Mapping, Sequence

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
                    f"see why with `affectstream {shlex.join(command[:-1])}`"
                )
            time.sleep(0.1)
        self.stop()
        raise InputError(f"the engine {self._name!r} did not answer within {PATIENCE:g} s")

    def stop(self) -> None:
        """End the child, if there is one, as soon as it has kept what it recorded and fitted."""
        child, self._child = self._child, None
        if child is not None:
            processes.stop(child, processes.ENDING)
