"""The wizard by real clicks and keys, beside a real link; time passes only when told."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from PySide6.QtCore import Qt
from PySide6.QtGui import QColor, QPixmap
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QLabel

from apps.link import LinkClient
from apps.wizard.pages import (
    BreakPage,
    CheckPage,
    ConsentPage,
    EndPage,
    PausePage,
    ReadyPage,
    RestPage,
    SummaryPage,
)
from apps.wizard.rating import RatingForm
from apps.wizard.stimuli import (
    STEP,
    Arithmetic,
    Breathing,
    Experimenter,
    Picture,
    Reading,
    Recall,
    check_stimuli,
)
from apps.wizard.window import Wizard
from calibration.guided import JOURNAL
from calibration.instruments import load_instrument
from calibration.protocol import Protocol, parse_protocol
from realtime.errors import InputError
from tests.apps.dashboard import messages
from tests.apps.dashboard.conftest import Clock, clock, qt

__all__ = ["clock", "qt"]  # fixtures
from tests.apps.wizard.room import CONTROL, HEAD, LEFT, STIMULI, Engine, Room


@pytest.fixture(autouse=True)
def quick_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    """Do not wait for the disk: only processes are killed here, not the computer."""
    monkeypatch.setattr("os.fsync", lambda _: None)


@pytest.fixture
def engine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Engine]:
    monkeypatch.setenv("AFFECTSTREAM_ENGINES", str(tmp_path / "engines"))
    made = Engine()
    yield made
    made.client.close()
    made.server.close()


@pytest.fixture
def protocol(qt: QApplication, tmp_path: Path) -> Protocol:
    picture = QPixmap(64, 48)
    picture.fill(QColor("#2040e0"))
    assert picture.save(str(tmp_path / "blue.png"))
    return parse_protocol(HEAD + STIMULI, "lab", tmp_path)


@pytest.fixture
def room(engine: Engine, clock: Clock, protocol: Protocol, tmp_path: Path) -> Room:
    return Room(engine, clock, protocol, tmp_path / "session")


def test_a_whole_session_by_keys_and_clicks(room: Room) -> None:
    wizard = room.wizard
    page = room.page(ConsentPage)
    room.enter()  # nobody agrees by accident
    assert wizard.guided.state == "consent" and room.told() == []
    page.agree.setFocus()
    room.press(Qt.Key.Key_Space)
    page = room.page(CheckPage)
    assert "lost" in page.lines["eda"][1].text() and "quality 90%" in page.lines["ppg"][1].text()
    room.enter()
    room.page(CheckPage)  # one sensor still fails
    assert not page.lines["ppg"][2].isVisible()
    room.click(page.lines["eda"][2])
    room.after(0.1)
    assert page.lines["eda"][0].text().startswith("○")
    room.enter()

    page = room.page(RestPage)
    room.after(500)
    assert not wizard.guided.running  # waits for the person
    room.enter()
    room.after(45)
    assert page.ring.left == 15.0 and not page.primary.isVisible()
    room.after(15.1)
    assert room.told()[-2:] == ["baseline_start", "baseline_stop"]

    room.page(ReadyPage)
    assert wizard.frame.place.text() == "Task 1 of 6"
    room.enter()
    breath = wizard.stimulus
    assert isinstance(breath, Breathing)
    room.after(4.0)
    assert breath.size_now == pytest.approx(1.0) and wizard.frame.time.isVisible()
    room.after(16.0)
    room.rate()
    assert room.told() == ["trial_start 1", "trial_stop 1", "rating 1"]

    room.click(room.page(ReadyPage).primary)
    drink = wizard.stimulus
    assert isinstance(drink, Experimenter)
    room.after(1000)
    assert wizard.guided.state == "stimulus"  # until the experimenter says so
    room.enter()
    room.rate(Qt.Key.Key_1)
    room.told()

    room.enter()
    sums = wizard.stimulus
    assert isinstance(sums, Arithmetic)
    first = sums.first
    QTest.keyClicks(wizard.focusWidget(), str(first - STEP))
    room.enter()
    for digit in str(first - 2 * STEP):
        room.click(sums.keys[digit])
    room.click(sums.keys["↵"])
    assert sums.question.text().startswith(str(first - 2 * STEP))
    room.click(sums.keys["7"])
    room.click(sums.keys["5"])
    room.click(sums.keys["⌫"])
    room.enter()
    assert sums.question.text().startswith(str(first)) and "wrong" in sums.verdict.text()
    room.enter()  # nothing typed is no answer
    room.after(30)
    room.rate()
    assert room.told() == [
        *("trial_start 3", "trial_stop 3", "note 3 2 right, 1 wrong"),
        *("rating 3", "note break"),
    ]
    room.page(BreakPage)
    room.after(10)
    room.enter()
    assert isinstance(wizard.stimulus, Picture)
    room.wizard.grab()
    picture = wizard.stimulus.grab().toImage()
    assert picture.pixelColor(picture.rect().center()) == QColor("#2040e0")
    room.after(5)
    room.press(Qt.Key.Key_Escape)  # leaves the rating out
    assert room.told()[-1] == "note 4 not rated"
    for kind in (Recall, Reading):
        room.enter()
        assert isinstance(wizard.stimulus, kind)
        room.after(10)
        room.rate(Qt.Key.Key_2)
    page = room.page(SummaryPage)
    assert "2 right, 1 wrong" in [label.text() for label in page.findChildren(QLabel)]
    room.told()
    room.enter()
    room.page(EndPage)
    assert room.told() == ["session_stop"]
    ratings = wizard.guided.ratings
    assert {trial: set(r.items.values()) for trial, r in ratings.items()} == {
        **{"1": {4.0}, "2": {1.0}, "3": {4.0}},
        **{"5": {2.0}, "6": {2.0}},
    }
    room.enter()
    assert not wizard.isVisible()


def test_pause_repeat_and_end(room: Room) -> None:
    wizard = room.wizard
    room.to_first_trial()
    room.enter()
    room.after(5)
    room.told()
    room.click(wizard.frame.pause)
    room.page(PausePage)
    room.press(Qt.Key.Key_P, CONTROL)
    room.page(ReadyPage)
    assert room.told() == [
        "trial_stop 1",
        "note 1 superseded: the session was paused",
        "note pause",
        "note pause over",
    ]
    room.enter()
    room.after(20)
    for _ in range(3):
        room.press(Qt.Key.Key_5)
    room.press(Qt.Key.Key_P, CONTROL)
    room.page(PausePage)
    room.enter()
    form = wizard.page.content
    assert isinstance(form, RatingForm)
    assert list(form.rating.items.values())[:3] == [5.0] * 3  # answers are still there
    room.press(Qt.Key.Key_R, CONTROL)  # nothing is rated yet: no question
    room.page(ReadyPage)
    room.enter()
    room.after(20)
    room.rate()
    assert list(wizard.guided.ratings) == ["3"]

    room.click(wizard.frame.repeat)
    box = wizard._question
    assert box is not None
    room.click(box.button(box.StandardButton.No))
    assert list(wizard.guided.ratings) == ["3"]
    room.click(wizard.frame.repeat)
    box = wizard._question
    assert box is not None
    room.click(box.button(box.StandardButton.Yes))
    room.after(0.1)
    assert wizard.guided.ratings == {} and wizard.frame.place.text() == "Task 1 of 6"

    room.told()
    room.press(Qt.Key.Key_Q, CONTROL | Qt.KeyboardModifier.ShiftModifier)
    box = wizard._question
    assert box is not None
    room.click(box.button(box.StandardButton.Yes))
    room.page(EndPage)
    assert room.told() == ["note aborted", "session_stop"]


def test_who_does_not_agree_is_not_measured(room: Room) -> None:
    room.click(room.page(ConsentPage).decline)
    room.page(EndPage)
    assert room.told() == []


def test_killed_and_resumed_with_the_same_engine(room: Room) -> None:
    room.to_first_trial()
    room.enter()
    room.after(5)
    room.told()
    room.wizard.guided.close()  # killed: nothing else is said or written
    room.wizard.hide()
    room.engine.client = LinkClient.connect(room.engine.server.file)
    room.engine.stated = True
    room.open()
    page = room.page(ReadyPage)
    assert page.primary.isEnabled()
    assert room.told() == [
        "session_start lab, resumed",
        "note 1 superseded: the session was resumed after a crash",
    ]
    room.enter()
    room.after(20)
    room.rate()
    assert list(room.wizard.guided.ratings) == ["2"]


def test_left_and_resumed_with_an_engine_that_knows_no_rest(room: Room) -> None:
    room.to_first_trial()
    room.told()
    room.press(Qt.Key.Key_Q, CONTROL)
    assert not room.wizard.isVisible()
    with (room.folder / JOURNAL).open("a") as journal:
        journal.write('{"do": "res')
    room.engine.client = LinkClient.connect(room.engine.server.file)
    room.open()
    assert "last line of the journal was damaged" in room.wizard.frame.message.text()
    room.page(RestPage)
    assert "note rest again: the engine has not measured a rest" in room.told()
    room.enter()
    room.after(60)
    room.page(ReadyPage)


def test_an_engine_that_dies_pauses_the_session(room: Room) -> None:
    room.to_first_trial()
    room.enter()
    room.after(5)
    room.engine.server.close()
    room.wait(lambda: room.wizard._watch.ended)
    page = room.page(PausePage)
    assert room.wizard.frame.notice.isVisible()
    room.after(0.1)
    assert not page.primary.isEnabled()
    room.engine.__init__()  # type: ignore[misc]
    room.click(room.wizard.frame.notice.button)
    room.wait(lambda: not room.wizard._watch.ended)
    room.hear()
    assert page.primary.isEnabled() and not room.wizard.frame.notice.isVisible()
    room.enter()
    room.after(0.1)
    room.page(RestPage)  # the new engine has not measured any
    assert [t.superseded for t in room.wizard.guided.trials] == ["the session was paused"]


def test_a_task_that_an_engine_took_with_it_is_to_be_repeated(room: Room) -> None:
    room.to_first_trial()
    room.enter()
    room.after(20)
    assert room.wizard.guided.state == "rating"
    room.engine.server.close()
    room.wait(lambda: room.wizard._watch.ended)
    room.engine.__init__()  # type: ignore[misc]
    room.click(room.wizard.frame.notice.button)
    room.wait(lambda: not room.wizard._watch.ended)
    room.hear()
    room.enter()
    room.after(0.1)
    assert "is lost: repeat it" in room.wizard.frame.message.text()


def test_sensors_are_watched_all_the_time(room: Room) -> None:
    room.to_rest()
    room.after(0.1)
    assert room.wizard.frame.warning.text() == ""
    message = messages.streams()
    message["streams"][0]["quality"] = 0.1
    heard = room.wizard.link._heard
    room.engine.server.send(message)
    room.wait(lambda: room.wizard.link._heard > heard)
    room.after(0.3)
    assert room.wizard.frame.warning.text() == "▲ PPG: check the sensor"


def test_another_person_and_two_devices(room: Room) -> None:
    room.wizard.link._participant = "P2"
    room.click(room.page(ConsentPage).agree)
    candidates = [{"key": key, "name": key, "source_id": key, "type": "PPG"} for key in "xy"]
    question = {"t": "choice", "participant": "P2", "modality": "ppg", "message": "two devices"}
    room.engine.server.send({**question, "participant": "P1", "candidates": candidates})
    room.engine.server.send({**question, "candidates": candidates})
    room.hear()
    assert all(not check.passed for check in room.wizard.guided.checks)
    dialog = room.wizard._choice
    assert dialog is not None
    row = dialog.list.visualItemRect(dialog.list.item(1)).center()
    QTest.mouseClick(dialog.list.viewport(), LEFT, pos=row)
    room.click(dialog.use)
    wanted = {"t": "bind", "participant": "P2", "modality": "ppg", "key": "y"}
    assert room.commands()[-1] == wanted


def test_what_cannot_be_shown_is_refused_before_the_session(
    protocol: Protocol, tmp_path: Path
) -> None:
    check_stimuli(protocol)
    (tmp_path / "blue.png").write_bytes(b"no picture")
    with pytest.raises(InputError, match=r"'blue.png' cannot be shown .* save it as PNG"):
        check_stimuli(protocol)
    (tmp_path / "a.mp4").write_bytes(b"")
    film = '[[stimuli]]\nkind = "video"\nfile = "a.mp4"\ncondition = "film"\n'
    video = parse_protocol(HEAD + film, "lab", tmp_path)
    try:
        from PySide6 import QtMultimediaWidgets  # noqa: F401
    except ImportError:
        with pytest.raises(InputError, match=r"'a.mp4' needs Qt's player.*PySide6-Addons=="):
            check_stimuli(video)
    else:
        check_stimuli(video)
    page = '[[stimuli]]\nkind = "text"\ntext = "A."\nseconds = 9\ncondition = "calm"\n'
    abroad = parse_protocol(HEAD + 'language = "xx"\n' + page, "lab", tmp_path)
    with pytest.raises(InputError, match="xx"):
        Wizard(abroad, load_instrument("ipanas-sf"), "P1", tmp_path / "session", None)


def test_breathing_keeps_its_pace(qt: QApplication) -> None:
    from apps.dashboard.theme import current_theme

    circle = Breathing(current_theme())
    seen = []
    for moment in (0.0, 2.0, 4.0, 7.0, 10.0, 12.0):
        circle.advance(moment)
        seen.append((round(circle.size_now, 2), circle.word))
    assert seen == [
        *((0.0, "Breathe in"), (0.5, "Breathe in"), (1.0, "Breathe out")),
        *((0.5, "Breathe out"), (0.0, "Breathe in"), (0.5, "Breathe in")),
    ]
