"""A guided session in a test's hands: its protocol, its folder, a clock that stands still."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from calibration.guided import Guided
from calibration.protocol import Protocol, parse_protocol
from calibration.ratings import Rating
from calibration.sensors import SensorCheck
from realtime.markers import Event, format_marker, parse_marker

STIMULI = """
[[stimuli]]
kind = "breathing"
seconds = 20
condition = "calm"
[[stimuli]]
kind = "experimenter"
text = "Offer a glass of water."
condition = "drink"
[[stimuli]]
kind = "arithmetic"
seconds = 30
condition = "stress"
"""
HEAD = """
name = "lab"
title = "Lab"
consent = "Yes."
rest = 60
instrument = "short"
order = "random"
break_every = 2
break_seconds = 10
"""
PROTOCOL = parse_protocol(HEAD + STIMULI, "lab")
SEED = 1
ORDER = PROTOCOL.sequence(SEED)
GOOD = (SensorCheck("ppg", True, "live", 0.9, ""), SensorCheck("eda", False, "lost", None, "lost"))


@dataclass
class Room:
    """A folder, a clock that stands still, and the events that came out."""

    folder: Path
    now: float = 100.0
    events: list[Event] = field(default_factory=list)
    opened: list[Guided] = field(default_factory=list)

    def open(self, protocol: Protocol = PROTOCOL, participant: str = "sub-07") -> Guided:
        guided = Guided(
            protocol, participant, self.folder, self.events.append, SEED, lambda: self.now
        )
        self.opened.append(guided)
        return guided

    def said(self) -> list[str]:
        """Return what was published since the last call, in short, and that it can be read."""
        short = []
        for event in self.events:
            assert event.participant == "sub-07"
            assert parse_marker(format_marker(event)) == event
            trial = f" {event.trial}" if event.trial else ""
            short.append(f"{event.event}{trial}{': ' if event.text else ''}{event.text}")
        self.events.clear()
        return short


def answers(**scores: float | None) -> Rating:
    return Rating("short", {"upset": 2.0, "alert": None, **scores}, (1.0, 5.0))


def to_rest(guided: Guided) -> None:
    guided.agree()
    guided.sense(GOOD)
    guided.waive("eda")
    guided.confirm_sensors()


def to_first_trial(guided: Guided, room: Room) -> None:
    to_rest(guided)
    guided.start()
    room.now += 60
    guided.tick()
    assert guided.state == "stimulus"


def show(guided: Guided, room: Room) -> None:
    """Start a stimulus and let it end."""
    guided.start()
    assert guided.trial is not None
    if guided.seconds is None:
        guided.finish_stimulus()
    else:
        room.now += guided.seconds
        guided.tick("3 right" if guided.trial.condition == "stress" else "")
    assert guided.state == "rating"


def to_end(guided: Guided, room: Room) -> None:
    """Go on from wherever a session is, as a person would."""
    for _ in range(60):
        if guided.state == "consent":
            guided.agree()
        elif guided.state == "check":
            guided.sense(GOOD)
            if guided.can("confirm_sensors"):
                guided.confirm_sensors()
            else:
                guided.waive("eda")
        elif guided.state in ("rest", "break") and (guided.running or not guided.start()):
            room.now += guided.seconds or 0.0
            guided.tick()
        elif guided.state == "stimulus":
            show(guided, room)
        elif guided.state == "rating":
            guided.rate(answers())
        elif guided.state == "summary":
            guided.finish()
    assert guided.state == "finished"
