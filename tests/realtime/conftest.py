"""Real outlets in a process of their own, for the tests of everything that talks LSL."""

from __future__ import annotations

import multiprocessing
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from dataclasses import replace
from multiprocessing.connection import Connection
from typing import Any

import numpy as np
import pylsl
import pytest

from realtime.discovery import Discovery
from realtime.inlet import Inlet
from realtime.lsl import configure
from realtime.outlet import open_outlet
from realtime.player import Player
from realtime.recording import Recording, StreamInfo


def serve(connection: Connection) -> None:
    """Do what the tests ask for, in the child process."""
    configure(loopback=True)
    outlets: dict[str, tuple[pylsl.StreamOutlet, threading.Event]] = {}
    players: dict[str, Player] = {}

    def stream(outlet: pylsl.StreamOutlet, info: StreamInfo, stop: threading.Event) -> None:
        begin, sent = pylsl.local_clock(), 0
        while not stop.wait(0.02):
            due = int((pylsl.local_clock() - begin) * info.rate)
            if due > sent:
                numbers = np.arange(sent, due)
                samples = np.repeat(numbers[:, None], info.channel_count, axis=1)
                outlet.push_chunk(samples, (begin + numbers / info.rate).tolist())
                sent = due

    while True:
        try:
            command, name, *rest = connection.recv()
        except EOFError:
            return
        reply: Any = None
        if command == "open":
            info, running = rest
            stop = threading.Event()
            outlets[name] = open_outlet(info), stop
            if running:
                threading.Thread(target=stream, args=(outlets[name][0], info, stop)).start()
        elif command == "push":
            outlets[name][0].push_chunk(*rest)
        elif command == "close":
            outlet, stop = outlets.pop(name)
            stop.set()
            time.sleep(0.05)
            del outlet
        elif command == "play":
            recording, options = rest
            players[name] = player = Player(recording, **options)
            threading.Thread(target=player.run, daemon=True).start()
            reply = player.offset
        elif command == "ask":
            reply = getattr(players[name], rest[0])
        elif command == "tell":
            getattr(players[name], rest[0])(*rest[1:])
        elif command == "clear":
            # No name may go on holding an outlet: it would stay on the network.
            while outlets:
                outlets.popitem()[1][1].set()
            while players:
                players.popitem()[1].stop()
        connection.send(reply)


class Source:
    """The child process, and what to ask of it."""

    def __init__(self) -> None:
        context = multiprocessing.get_context("spawn")
        self._connection, theirs = context.Pipe()
        self._process = context.Process(target=serve, args=(theirs,), daemon=True)
        self._process.start()
        theirs.close()

    def _call(self, *message: Any) -> Any:
        self._connection.send(message)
        return self._connection.recv()

    def open(self, info: StreamInfo, running: bool = False, name: str = "") -> None:
        """Publish a stream; a running one counts up at its rate from now on."""
        self._call("open", name or info.source_id, info, running)

    def push(self, name: str, samples: Any, stamps: list[float]) -> None:
        self._call("push", name, samples, stamps)

    def close(self, name: str) -> None:
        self._call("close", name)

    def play(self, recording: Recording, **options: Any) -> float:
        """Play a recording; returns the offset of its stamps."""
        return float(self._call("play", "player", recording, options))

    def ask(self, attribute: str) -> Any:
        return self._call("ask", "player", attribute)

    def tell(self, method: str, *arguments: Any) -> None:
        self._call("tell", "player", method, *arguments)

    def clear(self) -> None:
        self._call("clear", "")

    def kill(self) -> None:
        self._process.kill()
        self._process.join()


@pytest.fixture(scope="session")
def process() -> Iterator[Source]:
    source = Source()
    yield source
    source.kill()


@pytest.fixture
def source(process: Source) -> Iterator[Source]:
    """A process with real outlets."""
    yield process
    process.clear()


@pytest.fixture(scope="session")
def discovery() -> Iterator[Discovery]:
    """The network as this process sees it."""
    discovery = Discovery()
    yield discovery
    discovery.close()


@pytest.fixture
def connect() -> Iterator[Callable[[StreamInfo], Inlet]]:
    """Open an inlet on a stream that is there, without the wait for a round of discovery."""
    inlets = []

    def opened(info: StreamInfo) -> Inlet:
        handles = pylsl.resolve_byprop("source_id", info.source_id, 1, 10.0)
        inlets.append(Inlet(info, handles[0]))
        return inlets[-1]

    yield opened
    for inlet in inlets:
        inlet.close()


def found(discovery: Discovery, source_id: str) -> StreamInfo:
    """Wait for a stream with a source id."""
    return until(lambda: next((i for i in discovery.streams() if i.source_id == source_id), None))


def until(condition: Callable[[], Any], seconds: float = 15.0) -> Any:
    """Return a condition's first true value; the limit only ends tests that have failed."""
    limit = time.monotonic() + seconds
    while time.monotonic() < limit:
        value = condition()
        if value:
            return value
        time.sleep(0.01)
    pytest.fail("what was waited for did not happen")


def gather(inlet: Inlet, count: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Poll until so many samples have come; return raw stamps, stamps and samples."""
    parts: list[tuple[np.ndarray, np.ndarray, np.ndarray]] = []

    def enough() -> bool:
        received = inlet.poll()
        if received is not None:
            raw, chunk = received
            parts.append((raw, chunk.times, chunk.samples))
        return sum(len(part[0]) for part in parts) >= count

    until(enough)
    raw, times, samples = (np.concatenate([part[i] for part in parts]) for i in range(3))
    return raw, times, samples


@pytest.fixture
def ppg() -> StreamInfo:
    """A stream of 64 Hz under a fresh source id."""
    identity = f"band-{uuid.uuid4().hex[:8]}"
    info = StreamInfo(identity, f"PPG {identity}", "PPG", 64.0, ("BVP",), ("a.u.",))
    return replace(info, source_id=identity)
