"""A simulated person's LSL streams, in real time."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Collection, Sequence

import pylsl

from realtime import lsl
from realtime.outlet import open_outlet
from realtime.simulator.affect import DEMO, Schedule
from realtime.simulator.layouts import Layout, layout
from realtime.simulator.person import Person

logger = logging.getLogger(__name__)

STEPS = 25
"""Pushes a second, as often as a wristband's radio would send."""


class Publisher:
    """The LSL outlets of one simulated person.

    A sample's stamp is `origin` plus its own time, so stamps never drift, however late a push is.

    Parameters
    ----------
    person : Person
    device : Layout
        What the person wears; its rates must be the person's.
    participant : str
        Goes into the streams' names and metadata.
    origin : float, optional
        When the person's time starts on this machine's LSL clock; now if left out.
    """

    def __init__(
        self,
        person: Person,
        device: Layout,
        participant: str = "",
        origin: float | None = None,
    ) -> None:
        device.check(person.rates)
        self.person = person
        self.device = device
        self.participant = participant
        self.infos = device.infos(person.seed, participant)
        self.counts = {info.key: 0 for info in self.infos}
        self.markers = 0
        self._outlets = {info.key: open_outlet(info) for info in self.infos}
        self._marks = open_outlet(device.marker_info(person.seed, participant))
        self.origin = pylsl.local_clock() if origin is None else origin
        self._done = 0.0

    def step(self, now: float | None = None) -> int:
        """Publish what was measured since the last step, and return how many samples that was.

        Parameters
        ----------
        now : float, optional
            Time on this machine's LSL clock; the current one if left out.
        """
        until = (pylsl.local_clock() if now is None else now) - self.origin
        if until <= self._done:
            return 0
        pushed = 0
        chunks = self.device.samples(self.person.read(self._done, until))
        for key, (times, samples) in chunks.items():
            if len(times):
                self._outlets[key].push_chunk(samples, (times + self.origin).tolist())
                self.counts[key] += len(times)
                pushed += len(times)
        for when, text in self.person.markers(self._done, until, self.participant):
            self._marks.push_sample([text], when + self.origin)
            self.markers += 1
        self._done = until
        return pushed

    @property
    def watched(self) -> bool:
        """Whether anyone receives one of the signals."""
        return any(outlet.have_consumers() for outlet in self._outlets.values())

    @property
    def heard(self) -> bool:
        """Whether anyone receives the markers."""
        return bool(self._marks.have_consumers())


def wait_for_listeners(
    publishers: Sequence[Publisher], seconds: float, stopped: Callable[[], bool] = lambda: False
) -> None:
    """Hold the people's time until their markers have a receiver, or the seconds are over.

    A marker that is sent before anyone listens is lost, and the first one begins the baseline.
    """
    end = pylsl.local_clock() + seconds
    while pylsl.local_clock() < end and not stopped():
        if all(publisher.heard for publisher in publishers):
            break
        time.sleep(1 / STEPS)
    origin = pylsl.local_clock()
    for publisher in publishers:
        publisher.origin = origin


def run(
    publishers: Sequence[Publisher],
    seconds: float | None = None,
    stopped: Callable[[], bool] = lambda: False,
) -> float:
    """Publish in real time until time is up or `stopped` says so.

    Parameters
    ----------
    publishers : sequence of Publisher
        People that are published side by side.
    seconds : float, optional
        How long; for ever if left out.
    stopped : callable
        Asked before every step.

    Returns
    -------
    float
        Seconds published.
    """
    begin = pylsl.local_clock()
    end = float("inf") if seconds is None else begin + seconds
    turn = 0
    while not stopped():
        now = pylsl.local_clock()
        for publisher in publishers:
            publisher.step(min(now, end))
        if now >= end:
            break
        # Turns lie on a fixed grid of the clock; one that was missed is not made up for.
        turn = max(turn + 1, int((now - begin) * STEPS) + 1)
        time.sleep(max(0.0, min(begin + turn / STEPS, end) - pylsl.local_clock()))
    return float(min(pylsl.local_clock(), end) - begin)


def people(
    count: int,
    seed: int = 1,
    device: str = "e4",
    drop: Collection[str] = (),
    schedule: Schedule = DEMO,
) -> list[Publisher]:
    """Open the outlets of some people, ``P1``, ``P2`` ..., with consecutive seeds."""
    worn = layout(device).without(drop)
    return [
        Publisher(Person(seed + i, schedule, worn.rates), worn, f"P{i + 1}") for i in range(count)
    ]


def publish(
    count: int = 1,
    seed: int = 1,
    device: str = "e4",
    drop: Collection[str] = (),
    seconds: float | None = None,
    loopback: bool = False,
    session_id: str | None = None,
) -> None:
    """Publish some people; the whole life of a process, for ``multiprocessing`` (spawn).

    Parameters
    ----------
    count, seed, device, drop
        As for `people`.
    seconds : float, optional
        How long; until the process is terminated if left out.
    loopback, session_id
        As for `realtime.lsl.configure`.
    """
    lsl.configure(loopback, session_id)
    publishers = people(count, seed, device, drop)
    logger.info("publishing %d simulated people, layout %s", count, device)
    run(publishers, seconds)
