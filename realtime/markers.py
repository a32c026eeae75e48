"""Markers: our own events as one-line JSON, and everybody's marker streams."""

from __future__ import annotations

import json
import logging
import math
import platform
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field

import pylsl

from realtime.discovery import Discovery
from realtime.inlet import Inlet
from realtime.metadata import clean, description_xml
from realtime.outlet import open_outlet
from realtime.recording import Marker, StreamInfo

_log = logging.getLogger(__name__)

EVENTS = (
    "session_start",
    "session_stop",
    "baseline_start",
    "baseline_stop",
    "trial_start",
    "trial_stop",
    "rating",
    "note",
)
VERSION = 1
# Types that marker streams go by; numeric streams of these types and without a rate count too.
MARKER_TYPES = ("markers", "marker", "stringmarker", "events", "event", "annotations", "triggers")

_MAX_TEXT = 16384  # characters of a marker that can be one of ours
_MAX_FIELD = 4096  # characters of a field
_MAX_ITEMS = 256  # items of a rating


@dataclass(frozen=True, slots=True)
class Event:
    """One event of a session, in our own marker format.

    Attributes
    ----------
    event : str
        One of `EVENTS`.
    participant : str
        Whom it concerns; empty means everybody.
    trial, condition : str
        Of a trial, or the trial that a rating belongs to.
    instrument : str
        Of a rating, such as ``PANAS``.
    items : mapping of str to float
        A rating's raw scores by item.
    scale : tuple of float or None
        Lowest and highest score of the rating's scale.
    text : str
        Of a note.
    order : tuple of str
        A rating's items as they were shown, where that was noted; those without a score in `items`
        were not answered.
    """

    event: str
    participant: str = ""
    trial: str = ""
    condition: str = ""
    instrument: str = ""
    items: Mapping[str, float] = field(default_factory=dict)
    scale: tuple[float, float] | None = None
    text: str = ""
    order: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if self.event not in EVENTS:
            raise ValueError(f"event {self.event!r}: must be one of {', '.join(EVENTS)}")


def format_marker(event: Event) -> str:
    """Return an event as one line of JSON; fields that say nothing are left out."""
    content: dict[str, object] = {"affectstream": VERSION, "event": event.event}
    for name in ("participant", "trial", "condition", "instrument", "text"):
        value = clean(getattr(event, name), _MAX_FIELD)
        if value:
            content[name] = value
    if event.items:
        content["items"] = {clean(name): float(score) for name, score in event.items.items()}
    if event.scale is not None:
        content["scale"] = [float(edge) for edge in event.scale]
    if event.order:
        content["order"] = [clean(name) for name in event.order]
    return json.dumps(content, ensure_ascii=False, allow_nan=False)


def parse_marker(text: str) -> Event | None:
    """Read a marker's text.

    Returns
    -------
    Event or None
        None if the text is not one of our events, or says something that makes no sense. What it
        holds is bounded in length and free of control characters, whoever sent it.
    """
    if len(text) > _MAX_TEXT or not text.lstrip().startswith("{"):
        return None
    try:
        content = json.loads(text, object_pairs_hook=_unique)
    except (ValueError, RecursionError):
        return None
    if not isinstance(content, dict) or content.get("affectstream") != VERSION:
        return None
    event = content.get("event")
    if not isinstance(event, str) or event not in EVENTS:
        return None
    texts = {}
    for name in ("participant", "trial", "condition", "instrument", "text"):
        value = content.get(name, "")
        # Trials are often counted.
        if isinstance(value, int | float) and not isinstance(value, bool):
            value = str(value)
        if not isinstance(value, str):
            return None
        texts[name] = clean(value, _MAX_FIELD)
    items = content.get("items", {})
    scale = content.get("scale")
    order = content.get("order", [])
    if not isinstance(items, dict) or len(items) > _MAX_ITEMS:
        return None
    if not all(_is_finite(score) for score in items.values()):
        return None
    if not isinstance(order, list) or len(order) > _MAX_ITEMS:
        return None
    if not all(isinstance(name, str) for name in order):
        return None
    items = {clean(name): float(score) for name, score in items.items()}
    order = [clean(name) for name in order]
    if len(set(order)) < len(order) or len(items) < len(content.get("items", {})):
        return None
    if scale is not None:
        if not isinstance(scale, list) or len(scale) != 2 or not all(map(_is_finite, scale)):
            return None
        if not scale[0] < scale[1]:
            return None
    return Event(
        event=event,
        items=items,
        scale=None if scale is None else (float(scale[0]), float(scale[1])),
        order=tuple(order),
        **texts,
    )


def first_baseline(events: Iterable[tuple[float, Event]]) -> tuple[float, float] | None:
    """Return the first stretch between baseline markers, of events with their times, in order.

    A start that is marked again counts from then on.
    """
    start = None
    for time, event in events:
        if event.event == "baseline_start":
            start = time
        elif event.event == "baseline_stop" and start is not None:
            return start, time
    return None


def is_marker_stream(info: StreamInfo) -> bool:
    """Tell whether a stream carries events: texts, or irregular numbers of a marker's type."""
    return info.format == "string" or (info.rate == 0 and info.type.lower() in MARKER_TYPES)


class MarkerInlets:
    """Every marker stream on the network, as they come and go.

    Parameters
    ----------
    discovery : Discovery
    own : collection of str
        Source ids of streams that this program publishes itself; they are not taken in.
    """

    def __init__(self, discovery: Discovery, own: Collection[str] = ()) -> None:
        self._discovery = discovery
        self._own = frozenset(own)
        self._inlets: dict[str, Inlet] = {}

    def poll(self) -> list[tuple[float, Marker]]:
        """Return the markers that have arrived, without waiting.

        Returns
        -------
        list of (float, Marker)
            Each marker with its stamp as the source gave it, in order of (corrected) time.
        """
        self._follow()
        for key, inlet in list(self._inlets.items()):
            # Without a source id it cannot come back: its successor is another stream.
            if inlet.state == "lost" and not inlet.info.source_id:
                inlet.close()
                del self._inlets[key]
        found: list[tuple[float, Marker]] = []
        for inlet in self._inlets.values():
            received = inlet.poll_markers()
            if received is not None:
                raw, markers = received
                found += zip(raw.tolist(), markers, strict=True)
        return sorted(found, key=lambda pair: pair[1].time)

    @property
    def inlets(self) -> tuple[Inlet, ...]:
        """The inlets of all marker streams that have been seen, for their infos and states."""
        return tuple(self._inlets.values())

    def close(self, timeout: float = 0.0) -> None:
        """Close all inlets."""
        for inlet in self._inlets.values():
            inlet.close()
        for inlet in self._inlets.values():
            inlet.close(timeout)
        self._inlets.clear()

    def _follow(self) -> None:
        for info in self._discovery.streams():
            if not is_marker_stream(info) or info.source_id in self._own:
                continue
            known = self._inlets.get(info.key)
            if known is not None:
                # An inlet recovers by itself, except when the outlet came back in another shape.
                if known.state != "changed" or known.info.created_at == info.created_at:
                    continue
                known.close()
            try:
                self._inlets[info.key] = Inlet(info, self._discovery.handle(info.key))
            except KeyError:  # gone since it was listed
                continue
            _log.info("taking in the markers of stream %r", info.name)


class MarkerOutlet:
    """The operator's own markers as an LSL stream.

    Parameters
    ----------
    name : str
        Of the session, to tell two computers' operators apart.
    """

    def __init__(self, name: str = "") -> None:
        identity = clean(f"{platform.node()}-{name}" if name else platform.node())
        self.info = StreamInfo(
            key="affectstream markers",
            name="affectstream markers",
            type="Markers",
            rate=0.0,
            labels=("event",),
            units=("",),
            source_id=f"affectstream-markers-{identity}",
            format="string",
            description=description_xml(("event",), type="Markers", manufacturer="affectstream"),
        )
        self._outlet = open_outlet(self.info)

    def push(self, event: Event, time: float | None = None) -> Marker:
        """Publish an event.

        Parameters
        ----------
        event : Event
        time : float, optional
            When it happened on this machine's LSL clock; now if left out.

        Returns
        -------
        Marker
            What was published, for this program's own recording and display.
        """
        stamp = pylsl.local_clock() if time is None else time
        text = format_marker(event)
        self._outlet.push_sample([text], stamp)
        return Marker(stamp, text, self.info.key)


def _is_finite(value: object) -> bool:
    if not isinstance(value, int | float) or isinstance(value, bool):
        return False
    try:
        return math.isfinite(value)
    except OverflowError:  # a whole number beyond the range of floats
        return False


def _unique(pairs: list[tuple[str, object]]) -> dict[str, object]:
    """Build a JSON object; of two values under one key, nobody knows which was meant."""
    content = dict(pairs)
    if len(content) < len(pairs):
        raise ValueError("a key is there twice")
    return content
