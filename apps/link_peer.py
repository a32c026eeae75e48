"""One connection of the link: two threads, and a queue that drops rather than waits."""

from __future__ import annotations

import contextlib
import logging
import os
import socket
import threading
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass
from multiprocessing.connection import Connection
from typing import Any

import msgpack
import numpy as np
from numpy.typing import ArrayLike, NDArray

logger = logging.getLogger(__name__)

MAX_SIGNALS = 1024 * 1024  # bytes of signals that wait for one client
MAX_WAITING = 32 * 1024 * 1024  # bytes of everything that waits for one client
OVERHEAD = 200  # bytes that a queued frame costs besides its content


class MessageError(ValueError):
    """A frame that is not a message."""


@dataclass(frozen=True, slots=True)
class Frame:
    """An encoded message; `key` names the state that it tells, None for an event."""

    kind: str
    key: tuple[str, ...] | None
    data: bytes


def encode(message: Mapping[str, Any]) -> bytes:
    """Encode a message; numpy scalars and arrays become numbers and lists."""
    # Text from streams may hold what UTF-8 cannot: replace it rather than fail.
    return bytes(msgpack.packb(message, default=_plain, unicode_errors="replace"))


def decode(data: bytes) -> dict[str, Any]:
    """Decode a message, whatever the bytes are; MessageError if they are none."""
    try:
        message = msgpack.unpackb(data)
    except (ValueError, RecursionError) as error:  # msgpack's own errors are ValueErrors
        raise MessageError(f"not MessagePack: {error!r}") from error
    if not isinstance(message, dict) or not isinstance(message.get("t"), str):
        raise MessageError("a message must be a map with a text 't'")
    return message


def pack_signals(
    participant: str, modality: str, times: ArrayLike, values: ArrayLike
) -> dict[str, Any]:
    """Build a `signals` message.

    Parameters
    ----------
    participant, modality : str
    times : array_like, shape (n,)
        Seconds of the session's clock.
    values : array_like, shape (n, channels)
        In the rig's units; NaN marks what is missing.
    """
    moments, rows = np.asarray(times, "<f8"), np.asarray(values, "<f4")
    if moments.ndim != 1 or rows.ndim != 2 or len(moments) != len(rows):
        raise ValueError(
            f"times of shape {moments.shape} do not fit values of shape {rows.shape}: "
            "need (n,) and (n, channels)"
        )
    return {
        "t": "signals",
        "participant": participant,
        "modality": modality,
        "times": moments.tobytes(),
        "values": rows.tobytes(),
        "channels": rows.shape[1],
    }


def unpack_signals(
    message: Mapping[str, Any],
) -> tuple[NDArray[np.float64], NDArray[np.float32]]:
    """Return times (n,) and values (n, channels) of a `signals` message; ValueError if absurd."""
    times = np.frombuffer(message["times"], "<f8")
    values = np.frombuffer(message["values"], "<f4")
    return times, values.reshape(len(times), int(message["channels"]))


class Inbox:
    """Messages that have arrived; a reader waits while it is full."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._messages: deque[dict[str, Any]] = deque()
        self._changed = threading.Condition()

    def put(self, message: dict[str, Any], timeout: float) -> bool:
        """Add a message, or return False if there was no room in time."""
        with self._changed:
            if not self._changed.wait_for(lambda: len(self._messages) < self._limit, timeout):
                return False
            self._messages.append(message)
            return True

    def take(self) -> list[dict[str, Any]]:
        """Return all messages and forget them."""
        with self._changed:
            messages = list(self._messages)
            self._messages.clear()
            self._changed.notify_all()
        return messages


class _Outbox:
    """Frames that wait to be sent, in order; the oldest signals go first when it is full."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._signals: deque[tuple[int, Frame]] = deque()
        self._others: deque[tuple[int, Frame]] = deque()
        self._signal_bytes = 0
        self._other_bytes = 0
        self._count = 0
        self._sending = False
        self._closed = False
        self.dropped = 0

    def put(self, frame: Frame) -> None:
        size = len(frame.data) + OVERHEAD
        with self._changed:
            if self._closed:
                return
            self._count += 1
            if frame.kind == "signals":
                self._signals.append((self._count, frame))
                self._signal_bytes += size
            else:
                if frame.key is not None:
                    self._supersede(frame.key)
                self._others.append((self._count, frame))
                self._other_bytes += size
            while self._signals and (
                self._signal_bytes > MAX_SIGNALS
                or self._signal_bytes + self._other_bytes > MAX_WAITING
            ):
                self._signal_bytes -= len(self._signals.popleft()[1].data) + OVERHEAD
                self.dropped += 1
            while self._other_bytes > MAX_WAITING:
                self._other_bytes -= len(self._others.popleft()[1].data) + OVERHEAD
                self.dropped += 1
            self._changed.notify_all()

    def _supersede(self, key: tuple[str, ...]) -> None:
        """Take out an older frame of the same state; the newer one says all that it said."""
        for entry in self._others:
            if entry[1].key == key:
                self._others.remove(entry)
                self._other_bytes -= len(entry[1].data) + OVERHEAD
                return

    def get(self) -> Frame | None:
        """Wait for the next frame; None when closed."""
        with self._changed:
            self._sending = False
            self._changed.notify_all()
            self._changed.wait_for(lambda: self._closed or self._signals or self._others)
            if self._closed:
                return None
            self._sending = True
            if self._others and (not self._signals or self._others[0][0] < self._signals[0][0]):
                frame = self._others.popleft()[1]
                self._other_bytes -= len(frame.data) + OVERHEAD
            else:
                frame = self._signals.popleft()[1]
                self._signal_bytes -= len(frame.data) + OVERHEAD
            return frame

    def wait_empty(self, timeout: float) -> None:
        with self._changed:
            self._changed.wait_for(
                lambda: self._closed or not (self._sending or self._signals or self._others),
                max(timeout, 0.0),
            )

    def close(self) -> None:
        with self._changed:
            self._closed = True
            self._changed.notify_all()


class Peer:
    """One authenticated connection.

    Parameters
    ----------
    connection : Connection
    inbox : Inbox
        Where its messages go.
    limit : int
        Longest message that is accepted from it, in bytes.
    """

    def __init__(self, connection: Connection[Any, Any], inbox: Inbox, limit: int) -> None:
        self._connection = connection
        self._inbox = inbox
        self._limit = limit
        self._outbox = _Outbox()
        self._lock = threading.Lock()
        self._threads = 2
        self._ended = threading.Event()

    def start(self) -> None:
        """Start to read and write."""
        for work in (self._read, self._write):
            threading.Thread(target=self._run, args=(work,), name="link-peer", daemon=True).start()

    @property
    def alive(self) -> bool:
        """Whether the other end is still there."""
        return not self._ended.is_set()

    @property
    def dropped(self) -> int:
        """Messages that did not fit into the queue."""
        return self._outbox.dropped

    def send(self, frame: Frame) -> None:
        """Queue a frame; returns at once."""
        self._outbox.put(frame)

    def drain(self, timeout: float) -> None:
        """Wait until everything is written, for `timeout` seconds at most."""
        self._outbox.wait_empty(timeout)

    def close(self) -> None:
        """Hang up; both threads end soon after."""
        self._ended.set()
        self._outbox.close()
        with self._lock:
            if self._threads:
                hang_up(self._connection)

    def _run(self, work: Any) -> None:
        try:
            work()
        except (EOFError, OSError) as error:
            logger.debug("a link ended: %r", error)
        except TypeError:
            if self.alive:  # else Windows found None where the handle had been
                raise
        except MessageError as error:
            logger.warning("closed a link that sent a malformed message: %s", error)
        finally:
            self.close()
            # The last one out closes: a descriptor closed under a reader could be another file's
            # by the time that it reads on.
            with self._lock:
                self._threads -= 1
                if not self._threads:
                    with contextlib.suppress(OSError):
                        self._connection.close()

    def _read(self) -> None:
        while self.alive:
            if not self._connection.poll(0.5):
                continue
            message = decode(self._connection.recv_bytes(self._limit))
            while self.alive and not self._inbox.put(message, 0.5):
                pass

    def _write(self) -> None:
        while (frame := self._outbox.get()) is not None:
            self._connection.send_bytes(frame.data)


def hang_up(connection: Connection[Any, Any]) -> None:
    """Make blocked reads and writes of a connection fail, from another thread."""
    with contextlib.suppress(OSError):
        if os.name == "nt":
            connection.close()
        else:
            with socket.socket(fileno=os.dup(connection.fileno())) as twin:
                twin.shutdown(socket.SHUT_RDWR)


def _plain(value: object) -> Any:
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, np.ndarray):
        return value.tolist()
    raise TypeError(f"a message cannot carry {type(value).__name__}: send numbers, text or bytes")
