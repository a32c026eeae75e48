"""Discovery: which streams are on the network right now, asked without waiting."""

from __future__ import annotations

import logging
import queue
import re
import threading
import time
from dataclasses import dataclass, replace

import pylsl

from realtime.errors import InputError
from realtime.inlet import refuse_absurd
from realtime.metadata import clean, stream_info
from realtime.recording import StreamInfo

_log = logging.getLogger(__name__)

_REFRESH = 0.2  # s between two looks at the resolver
_FORGET = 3.0  # s after which an outlet that answers no more is forgotten; three rounds of queries
_FETCHERS = 4  # threads that fetch descriptions
_TIMEOUT = 3.0  # s that a description may take
_ATTEMPTS = 3

# What makes two outlets the same stream. A device may give all its streams one source id, so name
# and type belong to it; an outlet without a source id is like no other.
_Identity = tuple[str, str, str]


@dataclass(slots=True)
class _Outlet:
    """One outlet that answered."""

    handle: pylsl.StreamInfo
    identity: _Identity
    attempts: int = 0
    settled: bool = False  # its description has come, or never will
    info: StreamInfo | None = None  # None also if what it says makes no sense


class Discovery:
    """A continuous view of the network's streams.

    The resolver, and the connections over which each outlet's full description is fetched, work
    in daemon threads; a description that hangs costs a thread, never the caller.

    Examples
    --------
    >>> discovery = Discovery()
    >>> discovery.wait(2.0)
    >>> inlets = [Inlet(info, discovery.handle(info.key)) for info in discovery.streams()]
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._outlets: dict[str, _Outlet] = {}  # by uid
        self._keys: dict[_Identity, str] = {}
        self._current: dict[str, _Outlet] = {}  # by key
        self._streams: tuple[StreamInfo, ...] = ()
        self._duplicates: set[str] = set()
        self._wanted: queue.SimpleQueue[_Outlet] = queue.SimpleQueue()
        self._closing = threading.Event()
        for number in range(_FETCHERS):
            threading.Thread(
                target=self._fetch_all, name=f"stream descriptions {number}", daemon=True
            ).start()
        self._thread = threading.Thread(target=self._watch, name="discovery", daemon=True)
        self._thread.start()

    def streams(self) -> tuple[StreamInfo, ...]:
        """Return the streams that are there, with full descriptions; never waits.

        Where several outlets are one stream (the same source id, name and type), only the newest
        counts. A stream appears once its description has come, or has failed to come three
        times, and keeps its key when it goes and returns.
        """
        return self._streams

    def handle(self, key: str) -> pylsl.StreamInfo:
        """Return the resolver's description of a stream, for an inlet.

        Raises
        ------
        KeyError
            If no such stream is there (any more).
        """
        with self._lock:
            return self._current[key].handle

    @property
    def pending(self) -> int:
        """How many outlets have answered whose descriptions are still on their way."""
        with self._lock:
            return sum(not outlet.settled for outlet in self._outlets.values())

    def wait(self, seconds: float, minimum: int = 0) -> tuple[StreamInfo, ...]:
        """Wait for the network's answers, then return the streams.

        Parameters
        ----------
        seconds : float
            Time to wait; descriptions that are still on their way get as long again.
        minimum : int
            Return as soon as so many streams are known and none is pending; 0 waits it out.
        """
        begin = time.monotonic()
        while True:
            streams, waited = self._streams, time.monotonic() - begin
            settled = not self.pending
            if settled and (waited >= seconds or (minimum and len(streams) >= minimum)):
                return streams
            if waited >= 2 * seconds:
                return streams
            time.sleep(0.02)

    def close(self) -> None:
        """Stop looking. The threads end by themselves."""
        self._closing.set()

    # In the discovery thread.

    def _watch(self) -> None:
        resolver = pylsl.ContinuousResolver(forget_after=_FORGET)
        while not self._closing.wait(_REFRESH):
            self._take(resolver.results())

    def _take(self, handles: list[pylsl.StreamInfo]) -> None:
        with self._lock:
            seen = {}
            for handle in handles:
                uid = handle.uid()
                known = self._outlets.get(uid)
                if known is None:
                    source = handle.source_id()
                    identity = (source, handle.name(), handle.type()) if source else ("", "", uid)
                    known = _Outlet(handle, identity)
                    self._wanted.put(known)
                seen[uid] = known
            self._outlets = seen
            self._publish()

    def _publish(self) -> None:
        newest: dict[_Identity, _Outlet] = {}
        for uid, outlet in self._outlets.items():
            if outlet.info is None:
                continue
            other = newest.get(outlet.identity)
            if other is None or outlet.handle.created_at() > other.handle.created_at():
                newest[outlet.identity] = outlet
            if other is not None and uid not in self._duplicates:
                self._duplicates.add(uid)
                _log.warning(
                    "stream %r is there more than once under the source id %r; taking the newest",
                    outlet.info.name,
                    outlet.info.source_id,
                )
        current = {}
        for outlet in newest.values():
            assert outlet.info is not None
            key = self._key(outlet.identity, outlet.info)
            if outlet.info.key != key:
                outlet.info = replace(outlet.info, key=key)
            current[key] = outlet
        self._current = current
        self._streams = tuple(current[key].info for key in sorted(current))  # type: ignore[misc]

    def _key(self, identity: _Identity, info: StreamInfo) -> str:
        """Return a readable key that the stream keeps for as long as this object lives."""
        if identity not in self._keys:
            name = info.name or info.type or "stream"
            taken = set(self._keys.values())
            choices = [name]
            choices += [f"{name} ({what})" for what in (info.type, info.source_id) if what]
            choices += [f"{name} #{number}" for number in range(2, len(taken) + 3)]
            self._keys[identity] = next(choice for choice in choices if choice not in taken)
        return self._keys[identity]

    # In the threads that fetch descriptions.

    def _fetch_all(self) -> None:
        while not self._closing.is_set():
            try:
                outlet = self._wanted.get(timeout=1.0)
            except queue.Empty:
                continue
            # liblsl has been seen to hang here for ever in spite of the timeout: then another
            # thread takes this one's place.
            done = threading.Event()
            guard = threading.Timer(3 * _TIMEOUT, self._replace, (done, outlet))
            guard.daemon = True
            guard.start()
            self._fetch(outlet)
            guard.cancel()
            if done.is_set():
                return  # replaced meanwhile

    def _replace(self, done: threading.Event, outlet: _Outlet) -> None:
        done.set()
        _log.warning("the description of stream %r hangs", clean(outlet.handle.name()))
        self._settle(outlet, _without_description(outlet.handle))
        threading.Thread(target=self._fetch_all, name="stream descriptions", daemon=True).start()

    def _fetch(self, outlet: _Outlet) -> None:
        outlet.attempts += 1
        handle = outlet.handle
        try:
            refuse_absurd(
                clean(handle.name()),
                handle.channel_count(),
                handle.nominal_srate(),
                clean(handle.type()),
            )
        except InputError as error:
            _log.warning("%s", error)
            self._settle(outlet, _without_description(handle))
            return
        try:
            inlet = pylsl.StreamInlet(outlet.handle, max_buflen=1, recover=False)
            text = inlet.info(timeout=_TIMEOUT).as_xml()
        except RuntimeError as error:
            if outlet.attempts < _ATTEMPTS:
                self._wanted.put(outlet)
                return
            _log.warning("stream %r gives no description: %s", clean(outlet.handle.name()), error)
            self._settle(outlet, _without_description(outlet.handle))
            return
        try:
            self._settle(outlet, stream_info(_legal(text), ""))
        except InputError as error:
            _log.warning("%s", error)
            self._settle(outlet, _without_description(outlet.handle))

    def _settle(self, outlet: _Outlet, info: StreamInfo | None) -> None:
        with self._lock:
            outlet.info, outlet.settled = info, True
            self._publish()


def _without_description(handle: pylsl.StreamInfo) -> StreamInfo | None:
    """Return what an outlet says of itself in its answer alone, or None if that is nonsense."""
    try:
        return stream_info(_legal(handle.as_xml()), "")
    except InputError as error:
        _log.warning("a stream is left out: %s", error)
        return None


def _legal(text: str) -> str:
    """Drop references to characters that XML forbids, as liblsl writes a name's control codes."""
    return re.sub(r"&#(?:0*(?:[0-8]|1[124-9]|2\d|3[01])|x0*(?:[0-8bcef]|1[0-9a-f]));", "", text)
