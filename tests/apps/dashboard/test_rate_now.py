"""Rate now: real keys in the dashboard's window, over a real link."""

from __future__ import annotations

import json
import math
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QLabel

from apps.dashboard import Dashboard
from apps.dashboard.rate_now import QUESTION
from apps.link import LinkClient, LinkServer
from apps.wizard.rating import RatingDialog
from calibration.ratings import Rating
from realtime.markers import VERSION, parse_marker
from tests.apps.dashboard import messages
from tests.apps.dashboard.conftest import Clock

pytestmark = pytest.mark.timeout(90)

Key = Qt.Key
LABELS = {"name": "eight", "instrument": "eight of the I-PANAS-SF", "scale": [1.0, 5.0]}
PROFILE = {
    "t": "profile",
    "participant": "P1",
    "state": "ready",
    "trials": 3,
    "step": "prior",
    "radius": 0.31,
    "text": "",
}


def hello(*people: str, **labels: Any) -> dict[str, Any]:
    return {**messages.hello(people or ("P1",)), "labels": {**LABELS, **labels}}


@pytest.fixture
def engines(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., LinkServer]]:
    """Start the engines' ends of links."""
    monkeypatch.setenv("AFFECTSTREAM_ENGINES", str(tmp_path / "engines"))
    started: list[LinkServer] = []

    def start(*said: dict[str, Any]) -> LinkServer:
        server = LinkServer("lab")
        for message in said:
            server.send(message)
        started.append(server)
        return server

    yield start
    for server in started:
        server.close()


@pytest.fixture
def attach(clock: Clock) -> Callable[[], Dashboard]:
    """Show a dashboard that is attached to the newest engine, once it knows whom it watches."""

    def build() -> Dashboard:
        window = Dashboard(LinkClient.connect("lab"), clock=clock)
        window.show()
        wait(lambda: window.state.people and window.controls.participants.count())
        assert QTest.qWaitForWindowActive(window)
        return window

    return build


def wait(condition: Callable[[], Any], seconds: float = 30.0) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "waited in vain"
        QTest.qWait(10)


def ask(window: Dashboard) -> RatingDialog:
    """Press F8, and wait until keys answer the question."""
    window.activateWindow()  # as a desktop does when a dialog closes
    assert QTest.qWaitForWindowActive(window)
    QTest.keyClick(window, Key.Key_F8)
    dialog = window.rate_now.dialog
    assert dialog is not None
    assert QTest.qWaitForWindowActive(dialog)
    return dialog


def press(dialog: RatingDialog, *keys: Key) -> None:
    for key in keys:
        QTest.keyClick(dialog.windowHandle(), key)


def answer(window: Dashboard, dialog: RatingDialog) -> dict[str, float]:
    """Answer all items by digits, and end with Enter; return the scores."""
    names = [row.name for row in dialog.form.rows]
    digits = [1 + place % 5 for place in range(len(names))]
    press(dialog, *(Key(Key.Key_0 + digit) for digit in digits), Key.Key_Return)
    wait(lambda: window.rate_now.dialog is not dialog)
    return dict(zip(names, map(float, digits), strict=True))


def heard(server: LinkServer, count: int = 1) -> list[dict[str, Any]]:
    """Return the next commands that the engine got."""
    got: list[dict[str, Any]] = []
    wait(lambda: got.extend(server.receive()) or len(got) >= count)
    return got


def test_f8_asks_and_the_answers_become_one_event(
    engines: Callable[..., LinkServer], attach: Callable[[], Dashboard], clock: Clock
) -> None:
    server = engines(hello(), PROFILE)
    window = attach()
    (listed,) = [one for one in window.controls.menu.actions() if one.text() == "Rate now"]
    assert listed.shortcut().toString() == "F8"

    dialog = ask(window)
    assert any(one.text() == QUESTION for one in dialog.findChildren(QLabel))
    # What is open stays; asked again before anything is answered, it is about the time of then.
    clock.now += 100
    QTest.keyClick(dialog.windowHandle(), Key.Key_F8)
    window.rate_now.ask()
    press(dialog, Key.Key_1, Key.Key_Up)
    clock.now += 7.5
    window.rate_now.ask()
    assert window.rate_now.dialog is dialog
    scores = answer(window, dialog)
    assert set(messages.EMOTIONS) <= set(scores)

    # Left without an answer, or with some after a second Esc: nothing is sent.
    press(ask(window), Key.Key_Escape)
    wait(lambda: window.rate_now.dialog is None)
    dialog = ask(window)
    press(dialog, Key.Key_3, Key.Key_Escape)
    assert dialog.isVisible()
    press(dialog, Key.Key_Escape)
    wait(lambda: window.rate_now.dialog is None)
    window.send({"t": "marker", "text": "afterwards"})

    event, last = heard(server, 2)
    assert last == {"t": "marker", "text": "afterwards"}
    assert (event.pop("t"), event.pop("age")) == ("event", 7.5)
    parsed = parse_marker(json.dumps({**event, "affectstream": VERSION}))
    assert parsed is not None
    rating = Rating.from_event(parsed)
    assert rating == Rating("ipanas-sf", scores, (1.0, 5.0), participant="P1")
    assert rating.order == tuple(scores)


def test_the_participant_that_is_shown_is_asked_on_a_schedule_too(
    engines: Callable[..., LinkServer], attach: Callable[[], Dashboard]
) -> None:
    server = engines(hello("P1", "P2"))
    window = attach()
    QTest.keyClick(window, Key.Key_Tab, Qt.KeyboardModifier.ControlModifier)
    window.rate_now.every(0.05 / 60)
    wait(lambda: window.rate_now.dialog)
    dialog = window.rate_now.dialog
    assert dialog is not None and QTest.qWaitForWindowActive(dialog)
    assert "P2" in dialog.windowTitle()
    QTest.qWait(150)  # the time for the next question passes
    assert window.rate_now.dialog is dialog
    answer(window, dialog)
    assert "P2 has no profile" in window.status.note.text()
    assert heard(server)[0]["participant"] == "P2"
    wait(lambda: window.rate_now.dialog)
    assert window.rate_now.dialog is not dialog


def test_whoever_cannot_be_asked_is_not(
    engines: Callable[..., LinkServer], attach: Callable[[], Dashboard], clock: Clock
) -> None:
    def refused(window: Dashboard) -> str:
        window.status.note.setText("")
        QTest.keyClick(window, Key.Key_F8)
        assert window.rate_now.dialog is None
        return window.status.note.text()

    alone = Dashboard(None, clock=clock)
    alone.show()
    assert QTest.qWaitForWindowActive(alone)
    assert "nobody to ask" in refused(alone)
    alone.close()

    engines(messages.hello())  # does not say what its model predicts
    window = attach()
    assert "nobody to ask" in refused(window)
    # What is no number leaves the greeting out; what no questionnaire can show is told.
    window.apply(hello(scale=[0.0, math.inf]))
    window.apply(hello(scale=[1.0]))
    window.apply({**hello(), "labels": "all"})
    assert window.state.labels is None
    emotions = [*messages.EMOTIONS[:-1], "<b>\n" * 5]
    window.apply({**hello(), "emotions": emotions})
    assert "cannot ask" in refused(window)
    window.apply(hello("<img src=x>\n\u202e" * 40))
    assert "no marker can name" in refused(window)
    assert window.status.note.text().isprintable()


def test_a_name_like_markup_is_shown_as_it_is_and_can_rate(
    engines: Callable[..., LinkServer], attach: Callable[[], Dashboard]
) -> None:
    evil = "<img src=x> &" + "y" * 200
    server = engines(hello(evil, "P2"))
    window = attach()
    dialog = ask(window)
    assert "<img src=x>" in dialog.windowTitle() and len(dialog.windowTitle()) < 80
    answer(window, dialog)
    assert heard(server)[0]["participant"] == evil


def test_an_answer_that_finds_the_engine_dead_goes_to_the_next(
    engines: Callable[..., LinkServer], attach: Callable[[], Dashboard], clock: Clock
) -> None:
    first = engines(hello())
    window = attach()
    dialog = ask(window)
    first.close()
    wait(lambda: window.client is not None and not window.client.alive)
    clock.now += 5
    answer(window, dialog)
    assert "waits" in window.status.note.text()
    second = engines(hello())
    clock.now += 20
    window.attach(LinkClient.connect("lab"))
    (event,) = heard(second)
    assert (event["event"], event["age"]) == ("rating", 25.0)
    window.apply(hello())  # said again: nothing is sent twice
    window.send({"t": "marker", "text": "afterwards"})
    assert [one["t"] for one in heard(second)] == ["marker"]


def test_the_window_shows_where_a_profile_stands(
    engines: Callable[..., LinkServer], attach: Callable[[], Dashboard]
) -> None:
    # Said before the dashboard came: it is among what still holds.
    server = engines(hello("P1", "P2"), messages.streams(), PROFILE)
    server.send(messages.window(100.0, radius=0.31))
    window = attach()
    own = window.controls.own
    wait(lambda: window.person and window.person.own and window.person.windows)
    assert "3 rated trials, step prior, radius 0.310" in window.status.note.text()

    def shown() -> str:
        window.refresh(everything=True)
        QApplication.processEvents()
        assert own.sizeHint().width() <= own.width() + 1
        return own.text() if own.isVisible() else ""

    assert shown() == "● own model: 3 rated trials"
    assert "step prior" in own.toolTip() and "31 points" in own.toolTip()
    # The band is the personal radius, which the window's message brings.
    assert window.distribution.bars._shown is window.person.windows[-1]
    assert window.person.windows[-1].radius == 0.31

    window.apply({**PROFILE, "state": "fitting"})
    assert shown() == "◐ own model: fitting"
    window.apply({**PROFILE, "state": "failed", "text": "<b>no room</b>\n" * 99})
    assert shown() == "▲ own model: 3 rated trials"
    assert "‹b>no room" in own.toolTip() and len(own.toolTip()) <= 300
    assert "<b>no room</b>" in window.status.note.text()  # a plain label
    window.apply({**PROFILE, "trials": 0, "step": "none"})
    assert shown() == "○ own model: 0 rated trials"
    window.apply({**PROFILE, "trials": 1})
    assert shown() == "● own model: 1 rated trial"
    for wrong in (
        {"state": "splendid"},
        {"trials": "many"},
        {"trials": None},
        {"radius": math.nan},
        {"radius": "wide"},
        {"participant": [1]},
    ):
        window.apply({**PROFILE, **wrong})
    window.apply({"t": "profile", "participant": "P1"})
    assert shown() == "● own model: 1 rated trial"
    window.controls.participants.setCurrentIndex(1)
    assert shown() == ""


def test_whom_an_engine_only_expected_is_not_kept() -> None:
    window = Dashboard(None)
    window.apply(hello("P1"))
    window.apply(hello("anna", "ben"))
    window.refresh(everything=True)
    assert list(window.state.people) == ["anna", "ben"]
    assert window.controls.participants.currentData() == "anna"
