"""Participants' baselines in a live session: stated at its start, or marked while it runs."""

from __future__ import annotations

import logging
import math
from collections.abc import Callable

from apps.broadcast import Broadcast
from realtime.engine import Engine
from realtime.markers import Event

_log = logging.getLogger(__name__)


class Baselines:
    """Hands stretches of rest to participants' normalisers, and tells dashboards of them.

    Parameters
    ----------
    engine : Engine
    stated : tuple of float or None
        Stretch in seconds from each person's first sample, as ``--baseline`` gives it.
    broadcast : Broadcast or None
    told : callable
        Called with participant, start and stop of a stretch that no marker states.
    """

    def __init__(
        self,
        engine: Engine,
        stated: tuple[float, float] | None,
        broadcast: Broadcast | None,
        told: Callable[[str, float, float], None],
    ) -> None:
        self._engine = engine
        self._stated = stated
        self._broadcast = broadcast
        self._told = told

    def follow(self) -> None:
        """Apply ``--baseline`` to everybody whose first sample is there."""
        if self._stated is None:
            return
        for person in self._engine.participants.values():
            if person.normaliser.stretch is None and person.start is not None:
                start, stop = (person.start + edge for edge in self._stated)
                person.normaliser.state_baseline(start, stop)
                self._told(person.name, start, stop)

    def take(self, event: Event, moment: float) -> None:
        """Begin or end the stretch of one person, or of everybody, if that is what an event says.

        Parameters
        ----------
        event : Event
        moment : float
            Its time on the session's clock.
        """
        if event.event not in ("baseline_start", "baseline_stop"):
            return
        start = event.event == "baseline_start"
        names = [event.participant] if event.participant else list(self._engine.participants)
        for name in names:
            self._mark(name, start, moment)

    def _mark(self, participant: str, start: bool, moment: float) -> None:
        person = self._engine.participants.get(participant)
        if person is None:
            return
        stretch = person.normaliser.stretch
        if start:
            person.normaliser.state_baseline(moment)
            self._tell(participant, "marking", moment, None)
        elif stretch is not None and math.isinf(stretch[1]):
            person.normaliser.state_baseline(stretch[0], moment)
            self._tell(participant, "stated", stretch[0], moment)

    def _tell(self, participant: str, state: str, start: float, stop: float | None) -> None:
        _log.info("%s: baseline %s", participant, state)
        if self._broadcast:
            self._broadcast.baseline(participant, state, start, stop)
