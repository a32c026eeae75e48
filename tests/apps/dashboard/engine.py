"""An engine process for tests: sends a made-up session and tells what dashboards said."""

from __future__ import annotations

import multiprocessing
import os
from pathlib import Path
from typing import Any

from apps.link import LinkServer, running_engines
from tests.apps.dashboard import messages


def _run(folder: str, orders: Any) -> None:
    """Send a session, pass on what dashboards say, and do what the test orders."""
    os.environ["AFFECTSTREAM_ENGINES"] = folder
    server = LinkServer("lab")
    server.send(messages.hello(("P1", "P2")))
    for moment in range(90, 100):
        server.send(messages.window(float(moment)))
    orders.send("ready")
    now = 100.0
    while True:
        for message in messages.signals(now, now + 0.05):
            server.send(message)
        now += 0.05
        server.send(messages.streams())
        for command in server.receive():
            orders.send(command)
        if orders.poll(0.05):
            order = orders.recv()
            if order == "die":
                os._exit(1)
            if order == "close":
                server.close()
                return
            server.send(order)


class EngineProcess:
    """The test's hold on it; `orders` takes messages to send, ``"die"`` and ``"close"``."""

    def __init__(self, folder: Path) -> None:
        context = multiprocessing.get_context("spawn")
        self.orders, other = context.Pipe()
        self.process = context.Process(target=_run, args=(str(folder), other), daemon=True)
        self.process.start()
        if not self.orders.poll(60) or self.orders.recv() != "ready":
            raise RuntimeError("the engine process did not start")

    def stop(self) -> None:
        """Kill it, and remove what it leaves."""
        self.process.kill()
        self.process.join()
        running_engines()
