"""Notices that the engine ended, and restarts it."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable

from apps.dashboard.banner import EngineNotice
from apps.dashboard.text import plain
from apps.link import LinkClient

logger = logging.getLogger(__name__)

MOST_RESTARTS = 3  # without a click, within a minute


class EngineWatch:
    """Says in a notice what became of the engine.

    Parameters
    ----------
    notice : EngineNotice
    hook : callable or None
        Starts an engine and returns a client that is attached to it.
    automatic : bool
        Whether to restart without a click.

    Attributes
    ----------
    ended : bool
        The engine is gone.
    """

    def __init__(
        self, notice: EngineNotice, hook: Callable[[], LinkClient] | None, automatic: bool
    ) -> None:
        self._notice, self._hook, self._automatic = notice, hook, automatic
        self._results: list[LinkClient | Exception] = []
        self._starting = False
        self._restarts: list[float] = []
        self.ended = False

    def on_end(self, client: LinkClient, goodbye: bool, now: float) -> None:
        """Show that the engine is gone; `goodbye` if it said so itself."""
        self.ended = True
        button = "Look for an engine" if self._hook is None else "Restart engine"
        if goodbye:
            self._notice.show_text("The session has ended: the engine was stopped.", button)
            return
        logger.warning("the engine %s stopped unexpectedly", client.engine.name)
        self._notice.show_text("The engine stopped unexpectedly: nothing is measured now.", button)
        self._restarts = [moment for moment in self._restarts if now - moment < 60.0]
        if self._automatic and self._hook is not None and len(self._restarts) < MOST_RESTARTS:
            self._restarts.append(now)
            self.restart(client)

    def restart(self, client: LinkClient | None) -> None:
        """Start an engine, or look for one of the old one's name, in a thread of its own."""
        if self._starting:
            return
        self._starting = True
        self._notice.show_text("An engine is being started …", None)
        name = client.engine.name if client is not None else None
        hook = self._hook or (lambda: LinkClient.connect(name, timeout=3.0))

        def work() -> None:
            try:
                self._results.append(hook())
            except Exception as error:  # goes to the notice
                logger.warning("no engine could be started: %s", error)
                self._results.append(error)

        threading.Thread(target=work, name="restart-engine", daemon=True).start()

    def take_restarted(self) -> LinkClient | None:
        """Return the client of a restarted engine once, or show why there is none."""
        if not self._results:
            return None
        result = self._results.pop()
        self._starting = False
        if isinstance(result, Exception):
            self._notice.show_text(f"No engine: {plain(result, 200)}", "Try again")
            return None
        self.ended = False
        self._notice.hide()
        return result
