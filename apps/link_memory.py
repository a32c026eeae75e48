"""What a new client of the link is told first: what still holds, and the last minutes."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from typing import Any

from apps.link_peer import Frame

HISTORY = 600.0  # s of windows
MARKERS = 200


class Memory:
    """What a new client is told first."""

    _ORDER = ("hello", "streams", "recording", "baseline", "profile", "choice")

    def __init__(self) -> None:
        self._states: dict[tuple[str, ...], Frame] = {}
        self._windows: dict[str, deque[tuple[float, int, Frame]]] = {}
        self._markers: deque[tuple[int, Frame]] = deque(maxlen=MARKERS)
        self._count = 0

    def keep(self, message: Mapping[str, Any], frame: Frame) -> None:
        """Remember a message if a new client needs it."""
        self._count += 1
        if frame.key is not None:
            self._states[frame.key] = frame
        elif frame.kind == "marker":
            self._markers.append((self._count, frame))
        elif frame.kind == "window":
            moment = float(message["time"])
            past = self._windows.setdefault(str(message["participant"]), deque(maxlen=5000))
            past.append((moment, self._count, frame))
            while past[0][0] < moment - HISTORY:
                past.popleft()

    def recall(self) -> list[Frame]:
        """Return states first, then windows and markers in the order that they were sent."""
        states = sorted(self._states.values(), key=lambda frame: self._ORDER.index(frame.kind))
        past = [(count, frame) for run in self._windows.values() for _, count, frame in run]
        past.extend(self._markers)
        return states + [frame for _, frame in sorted(past, key=lambda entry: entry[0])]


def state_key(message: Mapping[str, Any]) -> tuple[str, ...] | None:
    """What a message is the state of, or None if it is an event."""
    kind = str(message["t"])
    if kind in ("hello", "streams", "recording"):
        return (kind,)
    if kind in ("baseline", "profile"):
        return (kind, str(message.get("participant")))
    if kind == "choice":
        return (kind, str(message.get("participant")), str(message.get("modality")))
    return None
