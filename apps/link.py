"""The link between an engine and its dashboards: MessagePack frames over a local pipe or socket.

Windows has named pipes, other systems UNIX sockets. Nothing listens on the network, and nothing
is ever unpickled. A message is a map; its ``t`` says what it is.

From the engine:

``hello``
    version, rig (name, description, hop, modalities: name, role, unit, rate, channels, face: its
    only channel says whether a face was found),
    emotions, negative (a bool an emotion), labels (name, instrument, scale), training_mean,
    checkpoint (name, hash, trained_on, notice: what must stay on the screen, or None),
    participants. Again whenever one of these changes.
``signals``
    participant, modality, times (bytes, float64), values (bytes, float32, a row a sample),
    channels: the filtered samples since the last message; see `pack_signals`.
``window``
    participant, time, distribution, smoothed, radius, intensity, mask, valid, quality, warm_up,
    baseline (none, running, stated), reference (positive and negative share during the person's
    baseline, or None).
``streams``
    streams (key, name, modality, participant, source_id, state, age, nominal_rate,
    effective_rate, samples, gaps, clock_resets, dropped, quality, valid, notes, simulated,
    replay), latency_ms (p50, p99). State is live, waiting, silent, lost or changed.
``marker``
    time, text, stream.
``recording``
    path, since, fault; each may be None.
``baseline``
    participant, state (idle, marking, stated), start, stop.
``profile``
    participant, state (fitting, ready, failed), trials, step, radius, text (why it failed): what
    calibration knows of a person who has a profile.
``choice``
    participant, modality, candidates (key, name, source_id, type), message: several devices fit
    one role. Without candidates the question is withdrawn.
``log``
    level, text.
``bye``
    The engine ends as it was told; sent by `LinkServer.close`.

From a dashboard: ``baseline`` (participant, action: start or stop), ``marker`` (text), ``event``
(the fields of an event as a marker has them, see `realtime.markers`; age: how many seconds ago it
was), ``record`` (action; a start while recording changes nothing), ``bind`` (participant, modality,
key), ``quit``.
"""

from __future__ import annotations

import contextlib
import logging
import os
import re
import secrets
import shutil
import tempfile
import threading
import time
from collections.abc import Mapping
from multiprocessing import AuthenticationError
from multiprocessing.connection import (
    Client,
    Connection,
    Listener,
    answer_challenge,
    deliver_challenge,
)
from pathlib import Path
from types import TracebackType
from typing import Any

from apps.link_address import EngineAddress, find_engine, publish, running_engines, withdraw
from apps.link_memory import Memory, state_key
from apps.link_peer import Frame, Inbox, Peer, encode, hang_up, pack_signals, unpack_signals
from realtime.errors import InputError

__all__ = [
    "EngineAddress",
    "LinkClient",
    "LinkServer",
    "pack_signals",
    "running_engines",
    "unpack_signals",
]

logger = logging.getLogger(__name__)

MAX_CLIENTS = 16
MAX_COMMAND = 64 * 1024  # bytes of one message from a dashboard
MAX_MESSAGE = 8 * 1024 * 1024  # bytes of one message from the engine
HANDSHAKE = 5.0  # s that a new client may take to prove that it has the key
# How multiprocessing reports that the other end does not know the key, or is something else.
REFUSED = (AuthenticationError, AssertionError, EOFError, OSError, ValueError)
# The longest path that a UNIX socket takes is 103 bytes on macOS and 107 on Linux.
SOCKET_PATH = 100


class LinkServer:
    """The engine's end: sends to any number of dashboards, and never waits for one.

    A new client is first sent what still holds (the latest `hello`, `streams`, `recording`, each
    `baseline`, `profile` and `choice`), the windows of the last ten minutes and the latest markers.

    Parameters
    ----------
    name : str
        What clients call the engine; letters, digits, ``-``, ``_`` and ``.``.

    Attributes
    ----------
    file : Path
        The address file, readable by its owner only.
    """

    def __init__(self, name: str = "engine") -> None:
        if not re.fullmatch(r"[\w.-]{1,60}", name):
            raise InputError(f"engine name {name!r} will not do: use letters, digits, - _ and .")
        self._lock = threading.Lock()
        self._peers: list[Peer] = []
        self._greeting: set[Connection[Any, Any]] = set()
        self._inbox = Inbox(1000)
        self._memory = Memory()
        self._past_drops = 0
        self._warned = False
        self._closing = False
        self._authkey = secrets.token_bytes(32)
        self._folder: Path | None = None
        if os.name == "nt":
            self._address = rf"\\.\pipe\affectstream-{secrets.token_hex(8)}"
            self._listener = Listener(self._address, "AF_PIPE")
        else:
            self._folder = _socket_folder()
            self._address = str(self._folder / "s")
            self._listener = Listener(self._address, "AF_UNIX", backlog=MAX_CLIENTS)
        self.file = publish(name, self._address, self._authkey)
        self._acceptor = threading.Thread(target=self._accept, name="link-accept", daemon=True)
        self._acceptor.start()

    def send(self, message: Mapping[str, Any]) -> None:
        """Queue a message for every client; returns at once.

        A client that falls behind loses its oldest `signals` first; a message of state replaces
        the one that it has not read yet.
        """
        data = encode(message)
        kind = str(message["t"])
        if len(data) > MAX_MESSAGE:
            with self._lock:
                self._past_drops += 1
                warn, self._warned = not self._warned, True
            if warn:
                logger.warning("a %s message of %d bytes was too long to send", kind, len(data))
            return
        frame = Frame(kind, state_key(message), data)
        with self._lock:
            self._memory.keep(message, frame)
            self._forget_departed()
            for peer in self._peers:
                peer.send(frame)

    def receive(self) -> list[dict[str, Any]]:
        """Return what clients have sent since the last call."""
        return self._inbox.take()

    @property
    def clients(self) -> int:
        """Number of clients that are attached."""
        with self._lock:
            self._forget_departed()
            return len(self._peers)

    @property
    def dropped(self) -> int:
        """Messages that were not delivered because a client was too slow."""
        with self._lock:
            return self._past_drops + sum(peer.dropped for peer in self._peers)

    def close(self) -> None:
        """Say `bye`, let clients read it for up to a second, and remove the address."""
        if self._closing:
            return
        self.send({"t": "bye"})
        self._closing = True
        with self._lock:
            peers, greeting = list(self._peers), list(self._greeting)
        deadline = time.monotonic() + 1.0
        for peer in peers:
            peer.drain(deadline - time.monotonic())
            peer.close()
        for connection in greeting:
            hang_up(connection)
        with contextlib.suppress(OSError, EOFError):  # wake the thread that waits for clients
            Client(self._address).close()
        self._acceptor.join(2.0)
        self._listener.close()
        withdraw(self.file)
        if self._folder is not None:
            shutil.rmtree(self._folder, ignore_errors=True)

    def __enter__(self) -> LinkServer:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def _forget_departed(self) -> None:
        for peer in [peer for peer in self._peers if not peer.alive]:
            self._past_drops += peer.dropped
            self._peers.remove(peer)

    def _accept(self) -> None:
        while not self._closing:
            try:
                connection = self._listener.accept()
            except OSError as error:
                if not self._closing:
                    logger.warning("a dashboard could not attach: %s", error)
                    time.sleep(0.1)
                continue
            with self._lock:
                self._forget_departed()
                full = len(self._peers) + len(self._greeting) >= MAX_CLIENTS
                if not full:
                    self._greeting.add(connection)
            if full or self._closing:
                connection.close()
                continue
            threading.Thread(
                target=self._greet, args=(connection,), name="link-greet", daemon=True
            ).start()

    def _greet(self, connection: Connection[Any, Any]) -> None:
        """Check the key both ways in a thread of its own, as a client may stall here too."""
        watchdog = threading.Timer(HANDSHAKE, hang_up, (connection,))
        watchdog.daemon = True
        watchdog.start()
        try:
            deliver_challenge(connection, self._authkey)
            answer_challenge(connection, self._authkey)
        except REFUSED as error:
            logger.debug("refused a client: %r", error)
            watchdog.cancel()
            with self._lock:
                self._greeting.discard(connection)
            connection.close()
            return
        watchdog.cancel()
        with self._lock:
            self._greeting.discard(connection)
            peer = Peer(connection, self._inbox, MAX_COMMAND)
            for frame in self._memory.recall():
                peer.send(frame)
            self._peers.append(peer)
        peer.start()


class LinkClient:
    """A dashboard's end; made by `connect`."""

    def __init__(self, connection: Connection[Any, Any], engine: EngineAddress) -> None:
        self.engine = engine
        self._inbox = Inbox(2000)
        self._peer = Peer(connection, self._inbox, MAX_MESSAGE)
        self._peer.start()

    @classmethod
    def connect(cls, target: str | Path | None = None, timeout: float = 5.0) -> LinkClient:
        """Attach to an engine.

        Parameters
        ----------
        target : str or Path, optional
            Address file or name of an engine; the newest one that runs if left out.
        timeout : float
            Seconds to wait for the engine to appear and to answer.

        Raises
        ------
        InputError
            If no such engine answers in time.
        """
        deadline = time.monotonic() + timeout
        while True:
            engine = find_engine(target)
            if engine is not None:
                connection = _open(engine, max(deadline - time.monotonic(), 0.1))
                if connection is not None:
                    return cls(connection, engine)
            if time.monotonic() >= deadline:
                break
            time.sleep(0.05)
        which = "no engine runs" if target is None else f"no engine {str(target)!r} answers"
        raise InputError(f"{which}: start one with `affectstream run` or `affectstream demo`")

    def poll(self) -> list[dict[str, Any]]:
        """Return what has arrived since the last call."""
        return self._inbox.take()

    def send(self, message: Mapping[str, Any]) -> None:
        """Queue a message for the engine; returns at once."""
        self._peer.send(Frame(str(message["t"]), None, encode(message)))

    @property
    def alive(self) -> bool:
        """Whether the engine still holds its end."""
        return self._peer.alive

    def close(self) -> None:
        """Send what is queued (for up to half a second) and detach."""
        self._peer.drain(0.5)
        self._peer.close()


def _socket_folder() -> Path:
    for parent in (tempfile.gettempdir(), "/tmp"):
        folder = Path(tempfile.mkdtemp(prefix="affectstream-", dir=parent))  # mode 0700
        if len(os.fsencode(folder)) + 2 <= SOCKET_PATH:
            return folder
        folder.rmdir()
    raise InputError(f"TMPDIR {tempfile.gettempdir()!r} is too long for a socket: shorten it")


def _open(engine: EngineAddress, timeout: float) -> Connection[Any, Any] | None:
    """Connect in a thread, as neither call has a timeout of its own; None if that failed."""
    lock = threading.Lock()
    opened: list[Connection[Any, Any]] = []
    given_up = False

    def attempt() -> None:
        try:
            connection = Client(engine.address, authkey=engine.authkey)
        except REFUSED as error:
            logger.debug("engine %s does not answer: %r", engine.name, error)
            return
        with lock:
            if not given_up:
                opened.append(connection)
                return
        connection.close()

    thread = threading.Thread(target=attempt, name="link-connect", daemon=True)
    thread.start()
    thread.join(timeout)
    with lock:
        given_up = True
    return opened[0] if opened else None
