"""The wizard's end of the link: what the engine measures, and the session's markers to it."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Mapping
from dataclasses import asdict
from typing import Any

from apps.dashboard.rate_now import profile_note
from apps.dashboard.state import State
from apps.dashboard.text import plain
from apps.link import LinkClient
from calibration.sensors import SensorCheck, check_sensors
from realtime.markers import Event, format_marker

_log = logging.getLogger(__name__)

LEFT_OUT = ("signals", "log", "preview")
RECALLED = 2  # `streams` messages, after which an engine has said all that it had to


class SessionLink:
    """What the wizard knows of the engine.

    Parameters
    ----------
    client : LinkClient or None
        None shows only what `apply` is given.
    participant : str
    clock : callable
        Seconds of a monotonic clock.

    Attributes
    ----------
    state : State
    choices : list of mapping
        The engine's `choice` messages about the participant, until somebody takes them.
    goodbye : bool
        The engine said that it ends.
    profile : str
        Where the person's profile stands, in a sentence.
    """

    def __init__(
        self, client: LinkClient | None, participant: str, clock: Callable[[], float]
    ) -> None:
        self.client = client
        self._participant, self._clock = participant, clock
        self._faults: set[str] = set()
        self.profile = ""
        self._begin()

    def _begin(self) -> None:
        self.state = State()
        self.choices: list[Mapping[str, Any]] = []
        self.goodbye = False
        self._heard = 0

    def attach(self, client: LinkClient) -> None:
        """Listen to another engine from now on."""
        if self.client is not None:
            self.client.close()
        self.client = client
        self._begin()

    def poll(self) -> bool:
        """Take in what has arrived; return whether the engine still holds its end."""
        if self.client is None:
            return True
        alive = self.client.alive  # asked first: what came before the end is not missed
        for message in self.client.poll():
            self.apply(message)
        return alive

    def apply(self, message: Mapping[str, Any]) -> None:
        """Take in one message; one that does not fit is reported once and left out."""
        kind = str(message.get("t"))
        if kind in LEFT_OUT:
            return
        try:
            if kind == "choice":
                if str(message["participant"]) == self._participant:
                    self.choices.append(message)
            elif kind == "profile":
                if str(message["participant"]) == self._participant:
                    self.profile = plain(profile_note(message)[1], 300)
            elif kind == "bye":
                self.goodbye = True
            else:
                self.state.update(message, self._clock())
                self._heard += kind == "streams"
        except (KeyError, TypeError, ValueError, AttributeError, OverflowError) as error:
            if kind not in self._faults:
                self._faults.add(kind)
                _log.warning("left out a %s message that does not fit: %r", kind, error)

    @property
    def ready(self) -> bool:
        """Whether the engine has said what it measures."""
        return self._heard >= RECALLED

    @property
    def baseline_stated(self) -> bool:
        """Whether the engine compares the person with a rest that it has measured itself."""
        person = self.state.people.get(self._participant)
        if person is None:
            return False
        newest = person.windows[-1].baseline if person.windows else ""
        return "stated" in (person.baseline, newest)

    @property
    def watched(self) -> tuple[str, ...]:
        """The participants of the engine."""
        return tuple(self.state.people)

    def checks(self) -> tuple[SensorCheck, ...]:
        """Return how the person's sensors are now; empty before the engine has said it."""
        names = [modality.name for modality in self.state.modalities]
        streams = [asdict(status) for status in self.state.streams(self._clock())]
        return check_sensors(names, streams, self._participant)

    def publish(self, event: Event) -> None:
        """Let the engine publish an event as the operator's marker."""
        fields = json.loads(format_marker(event))
        self.send({**fields, "t": "event"})

    def send(self, message: Mapping[str, Any]) -> None:
        """Send a message to the engine."""
        if self.client is None or not self.client.alive:
            _log.warning("no engine was there for %s", {**message})
            return
        self.client.send(message)

    def close(self) -> None:
        """Detach; the engine goes on."""
        if self.client is not None:
            self.client.close()
