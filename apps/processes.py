"""Child processes: the engine behind a dashboard, the simulated person behind a demo."""

from __future__ import annotations

import _thread
import contextlib
import logging
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Mapping, Sequence

_log = logging.getLogger(__name__)

# Set for a child whose standard input is a pipe that its parent holds open.
TIED = "AFFECTSTREAM_TIED"

ENDING = 90.0
"""Seconds that a process may take to finish its recording, and to fit what was rated last."""

QUIET = 3.0  # s of waiting that need no explanation


def start(arguments: Sequence[str], environment: Mapping[str, str]) -> subprocess.Popen[bytes]:
    """Start ``affectstream`` with some arguments in a process that ends with this one.

    Parameters
    ----------
    arguments : sequence of str
    environment : mapping of str to str
        Added to this process's own, such as `realtime.lsl.environment`.
    """
    # -P: a model.py or apps/ in the working folder must not be taken for ours. In a group of its
    # own, Ctrl-C on the terminal reaches the parent alone: a second one would cut its ending short.
    return subprocess.Popen(
        [sys.executable, "-P", "-m", "apps", *arguments],
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        env={**os.environ, **environment, TIED: "1"},
        start_new_session=True,
        creationflags=getattr(subprocess, "CREATE_NEW_PROCESS_GROUP", 0),  # the same on Windows
    )


def stop(child: subprocess.Popen[bytes], patience: float = 5.0) -> None:
    """End a child: closing its standard input asks it to finish; if it does not, it is killed."""
    if child.stdin is not None:
        with contextlib.suppress(OSError):
            child.stdin.close()
    try:
        with contextlib.suppress(subprocess.TimeoutExpired):
            child.wait(min(patience, QUIET))
            return
        if patience > QUIET:
            _log.info("waiting for process %d to keep its results; Ctrl-C ends it", child.pid)
            child.wait(patience - QUIET)
    except subprocess.TimeoutExpired:
        _log.warning("process %d did not end within %g s and was killed", child.pid, patience)
    finally:
        if child.poll() is None:
            child.kill()
            child.wait()


def end_with_parent() -> None:
    """Let a process that `start` made end, as on Ctrl-C, when its parent closes its end or dies."""
    if not os.environ.pop(TIED, ""):
        return
    # Shells start what runs in the background with interruptions ignored, which children inherit.
    signal.signal(signal.SIGINT, signal.default_int_handler)

    def watch() -> None:
        with contextlib.suppress(OSError, ValueError):
            while os.read(0, 1024):
                pass
        _thread.interrupt_main()
        # An interruption that comes while modules are loaded, or in a callback, can be lost; what
        # still runs after so long is nobody's any more.
        time.sleep(ENDING)
        os._exit(1)

    threading.Thread(target=watch, name="parent", daemon=True).start()
