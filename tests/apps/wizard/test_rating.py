"""The rating form in a window: real clicks, keys and touches."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from PySide6.QtCore import QEvent, QPoint, Qt
from PySide6.QtGui import QKeyEvent
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QAbstractButton, QApplication, QLabel, QWidget

from apps.dashboard.theme import DARK, LIGHT
from apps.wizard.rating import RatingDialog
from apps.wizard.score_row import TARGET
from calibration.instruments import load_instrument, parse_instrument
from calibration.ratings import Rating
from realtime.errors import InputError
from realtime.markers import format_marker, parse_marker
from tests.apps.dashboard.conftest import qt  # noqa: F401

Key = Qt.Key
Make = Callable[..., RatingDialog]

STRANGE = """
name = "strange"
scale = [0, 10]
[items]
"<b>calm</b>" = 1
"R&D" = -1
[texts.en]
instruction = "<h1>How?</h1>"
anchors = ["<i>no</i>", "", "", "", "", "", "", "", "", "", "yes"]
form = { done = "<u>Done & gone</u>" }
"""


@pytest.fixture
def make() -> Iterator[Make]:
    """Make a dialog that has the keyboard."""
    made: list[RatingDialog] = []

    def build(name: str = "ipanas-sf", size: tuple[int, int] = (900, 760), **choices: Any) -> Any:
        instrument = parse_instrument(STRANGE, name) if name == "strange" else load_instrument(name)
        dialog = RatingDialog(instrument, **{"seed": 7, **choices})
        dialog.resize(*size)
        dialog.show()
        made.append(dialog)
        assert QTest.qWaitForWindowActive(dialog)
        return dialog

    yield build
    for dialog in made:
        dialog.hide()
        dialog.deleteLater()


def press(dialog: RatingDialog, *keys: Key) -> None:
    for key in keys:
        QTest.keyClick(dialog.windowHandle(), key)


def click(widget: QWidget) -> None:
    QTest.mouseClick(widget, Qt.MouseButton.LeftButton)


def scores(dialog: RatingDialog) -> list[int | None]:
    return [row.score for row in dialog.form.rows]


def test_digits_answer_one_item_after_the_other(make: Make) -> None:
    dialog = make(trial="t3", participant="p1")
    heard: list[Rating] = []
    dialog.rated.connect(heard.append)
    digits = (3, 1, 5, 2, 4, 1, 1, 2, 3, 5)
    press(dialog, *(Key(Key.Key_0 + digit) for digit in digits))
    assert scores(dialog) == list(digits)
    press(dialog, Key.Key_2, Key.Key_9, Key.Key_0)  # the last item keeps its answer
    assert scores(dialog) == list(digits)
    assert dialog.form.done_button.hasFocus()
    press(dialog, Key.Key_Return)
    order = load_instrument("ipanas-sf").shuffled(7)
    wanted = dict(zip(order, map(float, digits), strict=True))
    assert heard == [Rating("ipanas-sf", wanted, (1.0, 5.0), "t3", "p1")]
    assert heard[0].order == order
    assert dialog.rating is heard[0]
    assert not dialog.isVisible()


def test_scores_off_the_scale_and_commands_answer_nothing(make: Make) -> None:
    dialog = make()
    press(dialog, Key.Key_0, Key.Key_6, Key.Key_A, Key.Key_Space)
    QTest.keyClick(dialog.windowHandle(), Key.Key_3, Qt.KeyboardModifier.ControlModifier)
    assert scores(dialog) == [None] * 10
    assert dialog.form.current == 0
    # Some keyboards have their digits on Shift, all have them on the key pad.
    QTest.keyClick(dialog.windowHandle(), Key.Key_3, Qt.KeyboardModifier.ShiftModifier)
    QTest.keyClick(dialog.windowHandle(), Key.Key_4, Qt.KeyboardModifier.KeypadModifier)
    assert scores(dialog)[:3] == [3, 4, None]


def test_arrows_move_and_change_and_backspace_takes_back(make: Make) -> None:
    dialog = make()
    press(dialog, Key.Key_Up, Key.Key_Down, Key.Key_Down, Key.Key_4)
    assert (scores(dialog)[:4], dialog.form.current) == ([None, None, 4, None], 3)
    press(dialog, Key.Key_Up, Key.Key_Right, Key.Key_Right)  # not beyond the scale
    assert (scores(dialog)[2], dialog.form.current) == (5, 2)
    press(dialog, Key.Key_Left, Key.Key_Down, Key.Key_Right, Key.Key_Left)
    assert scores(dialog)[2:4] == [4, 1]
    press(dialog, Key.Key_Down, Key.Key_Left)  # from the other end
    assert scores(dialog)[4] == 5
    press(dialog, Key.Key_Backspace)
    assert (scores(dialog)[4], dialog.form.current) == (None, 4)
    press(dialog, Key.Key_Backspace)  # nothing to clear here: the one before
    assert (scores(dialog)[3], dialog.form.current) == (None, 3)
    press(dialog, *[Key.Key_Down] * 9)
    assert dialog.form.current is None
    press(dialog, Key.Key_Up)
    assert dialog.form.current == 9


def test_unanswered_items_are_asked_for_once_and_stay_unanswered(make: Make) -> None:
    dialog = make()
    press(dialog, Key.Key_2, Key.Key_Down, *[Key.Key_3] * 8)
    assert dialog.form.current == 1  # after the last item, the one that was left out
    press(dialog, Key.Key_Down, Key.Key_Enter)
    assert dialog.rating is None
    assert dialog.form.current == 1
    assert "Without an answer: 1." in dialog.form.message.text()
    assert dialog.form.progress.text() == "9 of 10 answered"
    press(dialog, Key.Key_Enter)
    assert dialog.rating is not None
    order = dialog.rating.order
    assert dialog.rating.unanswered == (order[1],)
    event = parse_marker(format_marker(dialog.rating.to_event()))
    assert event is not None
    assert order[1] not in event.items
    assert list(Rating.from_event(event).items.items()) == list(dialog.rating.items.items())


def test_answering_by_mouse(make: Make) -> None:
    dialog = make("panas10")
    rows = dialog.form.rows
    for place, row in enumerate(rows):
        click(row.buttons[place % 5 + 1])
    click(rows[4].buttons[2])
    assert scores(dialog) == [1, 2, 3, 4, 2, 1, 2, 3, 4, 5]
    assert [score for score, button in rows[4].buttons.items() if button.isChecked()] == [2]
    click(rows[6].clear)
    assert scores(dialog)[6] is None
    assert not any(button.isChecked() for button in rows[6].buttons.values())
    assert not rows[6].clear.isVisible()
    press(dialog, Key.Key_5)  # keys go on where the mouse was
    assert scores(dialog)[6] == 5
    click(dialog.form.done_button)
    assert dialog.rating is not None
    assert dialog.rating.complete


def test_answering_by_touch(make: Make) -> None:
    dialog = make("panas", size=(760, 480))
    device = QTest.createTouchDevice()
    window = dialog.windowHandle()
    rows = dialog.form.rows

    def tap(widget: QWidget) -> None:
        place = widget.mapTo(dialog, widget.rect().center())
        QTest.touchEvent(window, device).press(0, place).commit()
        QTest.touchEvent(window, device).release(0, place).commit()
        QApplication.processEvents()

    tap(rows[0].buttons[4])
    tap(rows[1].buttons[2])
    assert (scores(dialog)[:3], dialog.form.current) == ([4, 2, None], 2)
    tap(rows[1].clear)
    assert scores(dialog)[:2] == [4, None]

    bar = dialog.form._table.area.verticalScrollBar()
    before = bar.value()
    start = rows[2].buttons[3].mapTo(dialog, QPoint(20, 20))
    QTest.touchEvent(window, device).press(0, start).commit()
    for step in range(1, 16):
        QTest.qWait(8)
        QTest.touchEvent(window, device).move(0, start - QPoint(0, 10 * step)).commit()
    QTest.touchEvent(window, device).release(0, start - QPoint(0, 150)).commit()
    QApplication.processEvents()
    assert bar.value() > before
    assert scores(dialog) == [4] + [None] * 19  # a swipe is no answer

    tap(dialog.form.skip_button)
    tap(dialog.form.skip_button)
    assert not dialog.isVisible()


def test_leaving_without_answers_is_quick(make: Make) -> None:
    dialog = make()
    left: list[bool] = []
    dialog.skipped.connect(lambda: left.append(True))
    press(dialog, Key.Key_Escape)
    assert (left, dialog.rating, dialog.isVisible()) == ([True], None, False)


def test_answers_are_not_lost_by_one_key(make: Make) -> None:
    dialog = make()
    press(dialog, Key.Key_3, Key.Key_Escape)
    assert dialog.isVisible()
    assert "not be kept" in dialog.form.message.text()
    press(dialog, Key.Key_4)  # went on: the next time it asks again
    dialog.close()
    assert dialog.isVisible()
    dialog.close()
    assert (dialog.rating, dialog.isVisible()) == (None, False)


def test_tab_leads_to_the_buttons_and_enter_presses_them(make: Make) -> None:
    dialog = make(size=(900, 500))
    press(dialog, *[Key.Key_Tab] * 11)
    assert dialog.form.skip_button.hasFocus()
    press(dialog, Key.Key_Enter)
    assert (dialog.rating, dialog.isVisible()) == (None, False)


def test_a_key_that_is_held_down_answers_once(make: Make) -> None:
    dialog = make()
    for key, text in ((Key.Key_3, "3"), (Key.Key_Return, "\r"), (Key.Key_Escape, "\x1b")):
        event = QKeyEvent(
            QEvent.Type.KeyPress, key, Qt.KeyboardModifier.NoModifier, text, autorep=True
        )
        QApplication.sendEvent(QApplication.focusWidget(), event)
    assert scores(dialog) == [None] * 10
    assert dialog.isVisible()
    assert "Keys" in dialog.form.message.text()


def test_speaks_german(make: Make) -> None:
    dialog = make(language="de", theme=DARK)
    german = load_instrument("ipanas-sf").wording("de")
    assert [row.label.text() for row in dialog.form.rows] == [
        german.items[name] for name in load_instrument("ipanas-sf").shuffled(7)
    ]
    shown = {label.text() for label in dialog.findChildren(QLabel)}
    assert {german.instruction, *german.anchors} <= shown
    assert dialog.form.done_button.text() == "Fertig"
    assert "0 von 10" in dialog.form.progress.text()
    press(dialog, *[Key.Key_1] * 10, Key.Key_Return)
    assert dialog.rating is not None
    assert set(dialog.rating.items) == set(load_instrument("ipanas-sf").names)


def test_a_language_without_texts_is_refused() -> None:
    with pytest.raises(InputError, match="'xx'"):
        RatingDialog(load_instrument("panas"), seed=1, language="xx")


def test_texts_are_shown_as_they_are(make: Make) -> None:
    dialog = make("strange")
    labels = dialog.findChildren(QLabel)
    assert all(label.textFormat() == Qt.TextFormat.PlainText for label in labels if label.text())
    assert {"<b>calm</b>", "R&D", "<h1>How?</h1>", "<i>no</i>"} <= {one.text() for one in labels}
    assert dialog.form.done_button.text() == "<u>Done && gone</u>"
    press(dialog, Key.Key_0, Key.Key_9, Key.Key_Up, Key.Key_Up, Key.Key_Down, Key.Key_Right)
    assert scores(dialog) == [0, 10]


def test_every_target_can_be_touched_and_has_a_name(make: Make) -> None:
    dialog = make("panas", theme=LIGHT)
    click(dialog.form.rows[0].buttons[1])
    buttons = dialog.findChildren(QAbstractButton)
    assert len(buttons) == 20 * 6 + 2
    for button in buttons:
        assert min(button.width(), button.height()) >= TARGET >= 44
        assert button.accessibleName()
    row = dialog.form.rows[0]
    text = row.label.text()
    assert row.buttons[1].accessibleName() == f"{text}: 1, very slightly or not at all"
    assert (row.accessibleName(), row.accessibleDescription()) == (
        text,
        "1, very slightly or not at all",
    )
    assert dialog.form.rows[1].accessibleDescription() == "no answer"


@pytest.mark.parametrize("height", [420, 1400])
def test_the_head_stands_above_its_columns(make: Make, height: int) -> None:
    dialog = make("panas", size=(700, height))
    QApplication.processEvents()
    bar = dialog.form._table.area.verticalScrollBar()
    assert (bar.maximum() > 0) == (height == 420)
    anchors = load_instrument("panas").wording("en").anchors
    labels = {label.text(): label for label in dialog.findChildren(QLabel)}
    for score, button in dialog.form.rows[0].buttons.items():
        head = labels[anchors[score - 1]]
        assert head.mapTo(dialog, QPoint()).x() == button.mapTo(dialog, QPoint()).x()
        assert head.width() == button.width()


def test_the_current_item_can_be_seen(make: Make) -> None:
    dialog = make("panas", size=(700, 420))
    press(dialog, *[Key.Key_2] * 15)
    assert dialog.form.current == 15
    row = dialog.form.rows[15]
    viewport = dialog.form._table.area.viewport()
    assert viewport.rect().contains(row.geometry().translated(row.parentWidget().pos()))
