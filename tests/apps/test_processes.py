"""Children that end with whoever started them."""

from __future__ import annotations

import signal

from apps import processes
from tests.apps.commands import environment


def test_child_of_a_background_job_ends_when_it_is_asked_to(caplog):
    """Shells let background jobs ignore Ctrl-C, and children inherit that."""
    former = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        child = processes.start(["simulate", "--wait", "60"], environment())
    finally:
        signal.signal(signal.SIGINT, former)
    processes.stop(child, 60.0)
    assert "was killed" not in caplog.text
