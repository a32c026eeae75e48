"""A wizard in a test's hands: a real link, and time that passes only when told."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from PySide6.QtCore import Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QLabel, QPushButton

from apps.link import LinkClient, LinkServer
from apps.wizard.pages import (
    CheckPage,
    ConsentPage,
    Page,
    ReadyPage,
)
from apps.wizard.rating import RatingForm
from apps.wizard.window import Wizard
from calibration.instruments import load_instrument
from calibration.protocol import Protocol
from realtime.markers import parse_marker
from tests.apps.dashboard import messages
from tests.apps.dashboard.conftest import Clock
from tests.calibration.guided_room import STIMULI as THREE

LEFT = Qt.MouseButton.LeftButton
CONTROL = Qt.KeyboardModifier.ControlModifier
EVIL = "<img src=x><h1>big</h1>"
HEAD = f"""
name = "lab"
title = "Lab {EVIL}"
consent = "You {EVIL} may stop at any time."
rest = 60
instrument = "ipanas-sf"
order = "fixed"
break_every = 3
break_seconds = 10
"""
STIMULI = f"""{THREE}[[stimuli]]
kind = "picture"
file = "blue.png"
seconds = 5
condition = "blue"
[[stimuli]]
kind = "recall"
text = "Think of yesterday."
seconds = 10
condition = "past"
[[stimuli]]
kind = "text"
text = "A pencil is made in two halves."
seconds = 10
condition = "neutral"
"""


class Engine:
    """The engine's end of a link: says what streams there are, and keeps what it is told."""

    def __init__(self) -> None:
        self.server = LinkServer("lab")
        self.client = LinkClient.connect(self.server.file)
        self.stated = False

    def say(self, **changes: Any) -> None:
        """Send what an engine sends a few times a second; EDA is lost unless told otherwise."""
        self.server.send(messages.hello())
        if self.stated:
            self.server.send(
                {"t": "baseline", "participant": "P1", "state": "stated", "start": 0, "stop": 60}
            )
        message = messages.streams()
        message["streams"][1].update({"state": "lost", **changes})
        self.server.send(message)


class Room:
    """A wizard, its engine and its clock, with the hands of whoever sits before it."""

    def __init__(self, engine: Engine, clock: Clock, protocol: Protocol, folder: Path) -> None:
        self.engine, self.clock = engine, clock
        self.protocol, self.folder = protocol, folder
        self.wizard = self.open()

    def open(self, **options: Any) -> Wizard:
        self.wizard = Wizard(
            self.protocol,
            load_instrument(self.protocol.instrument_source),
            "P1",
            self.folder,
            self.engine.client,
            clock=self.clock,
            **options,
        )
        self.wizard._timer.stop()  # the test ticks
        self.wizard.resize(1000, 700)
        self.wizard.show()
        self.wizard.activateWindow()
        self.hear()
        return self.wizard

    def hear(self, **changes: Any) -> None:
        """Let the engine speak until the wizard has heard it."""
        for _ in range(2):  # one that was not read yet would be replaced by the next
            heard = self.wizard.link._heard
            self.engine.say(**changes)
            self.wait(lambda heard=heard: self.wizard.link._heard > heard)
        self.after(0.3)

    def wait(self, condition: Callable[[], Any]) -> None:
        deadline = time.monotonic() + 30
        while not condition():
            assert time.monotonic() < deadline, "waited in vain"
            self.wizard.tick()
            QTest.qWait(5)

    def after(self, seconds: float) -> None:
        """Let time pass; what is on the screen is drawn."""
        self.clock.now += seconds
        self.wizard.tick()
        QApplication.processEvents()  # the window becomes active; pages that are gone go
        self.wizard.grab()

    def page(self, kind: type[Page]) -> Any:
        assert isinstance(self.wizard.page, kind)
        for label in self.wizard.findChildren(QLabel):
            assert label.textFormat() == Qt.TextFormat.PlainText or not label.text()
        return self.wizard.page

    def press(self, key: Qt.Key, *modifiers: Qt.KeyboardModifier) -> None:
        """Press a key where the focus is."""
        if not self.wizard.isActiveWindow():  # after a dialog; shortcuts need it
            self.wizard.activateWindow()
            self.wait(self.wizard.isActiveWindow)
        target = self.wizard.focusWidget() or self.wizard
        QTest.keyClick(target, key, *modifiers)

    def enter(self) -> None:
        self.press(Qt.Key.Key_Return)

    def click(self, button: QPushButton) -> None:
        assert button.isVisible()
        QTest.mouseClick(button, LEFT)

    def to_rest(self) -> None:
        self.click(self.page(ConsentPage).agree)
        self.click(self.page(CheckPage).lines["eda"][2])
        self.click(self.page(CheckPage).primary)

    def to_first_trial(self) -> None:
        self.to_rest()
        self.enter()
        self.after(60)
        self.page(ReadyPage)

    def rate(self, digit: Qt.Key = Qt.Key.Key_4) -> None:
        form = self.wizard.page.content
        assert isinstance(form, RatingForm)
        for _ in range(10):
            self.press(digit)
        self.enter()

    def commands(self) -> list[dict[str, Any]]:
        """Return what the engine was told since the last call, up to a marker of the test's own."""
        self.wizard.link.send({"t": "marker", "text": "end"})
        deadline = time.monotonic() + 30
        found: list[dict[str, Any]] = []
        while not found or found[-1]["t"] != "marker":
            assert time.monotonic() < deadline, "waited in vain"
            found += self.engine.server.receive()
            time.sleep(0.005)
        return found[:-1]

    def told(self) -> list[str]:
        """Return the events among them in short, read as the engine reads them."""
        short = []
        for command in self.commands():
            assert command.pop("t") == "event"
            event = parse_marker(json.dumps(command))
            assert event is not None and event.participant == "P1"
            short.append(" ".join(filter(None, (event.event, event.trial, event.text))))
        return short
