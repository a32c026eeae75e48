"""The rating of a trial: a questionnaire answered by keyboard, mouse or touch."""

from __future__ import annotations

from collections.abc import Callable

from PySide6.QtCore import Qt, Signal
from PySide6.QtGui import QFontInfo, QKeyEvent, QPalette, QShowEvent
from PySide6.QtWidgets import (
    QDialog,
    QHBoxLayout,
    QPushButton,
    QVBoxLayout,
    QWidget,
)

from apps.dashboard.card import plain_label, set_colour
from apps.dashboard.theme import Theme, current_theme
from apps.wizard.score_row import TARGET
from apps.wizard.score_table import ScoreTable
from calibration.instruments import Instrument
from calibration.ratings import Rating

_LARGER = 1.2
"""Times the desktop's font: it is read by people with sensors on, from further away."""

_COMMANDS = (
    Qt.KeyboardModifier.ControlModifier
    | Qt.KeyboardModifier.AltModifier
    | Qt.KeyboardModifier.MetaModifier
)


class RatingForm(QWidget):
    """A questionnaire to fill in; a page of its own, or in a `RatingDialog`.

    Digits answer the current item and go on to the next, up and down move, left and right change
    the answer, Backspace takes the last one back, Enter is done, Esc skips. Nothing is answered
    unless somebody did it.

    Parameters
    ----------
    instrument : Instrument
    seed : int or str
        The order of the items depends on it alone.
    language : str
        Of the texts.
    trial, participant : str
        What is rated, and who rates; they are in the `Rating`.
    theme : Theme, optional
        That of the desktop, if left out.
    parent : QWidget, optional

    Raises
    ------
    InputError
        If the instrument has no texts in that language.
    """

    rated = Signal(object)
    """The finished `Rating`, its items in the order in which they were shown."""

    skipped = Signal()
    """It was left without a rating."""

    def __init__(
        self,
        instrument: Instrument,
        *,
        seed: int | str,
        language: str = "en",
        trial: str = "",
        participant: str = "",
        theme: Theme | None = None,
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(parent)
        self._words = instrument.wording(language)
        self._instrument = instrument
        self._trial, self._participant = trial, participant
        self._theme = theme or current_theme()
        self._asked_done = self._asked_skip = self._over = False
        self.setPalette(self._theme.palette())
        font = self.font()
        font.setPointSizeF(_LARGER * QFontInfo(font).pointSizeF())
        self.setFont(font)
        self.setAccessibleName(self._words.form["title"])
        self.setAccessibleDescription(self._words.instruction)
        self._build(instrument.shuffled(seed))
        self._go(0)
        self._refresh()

    @property
    def rating(self) -> Rating:
        """What has been answered so far."""
        return Rating(
            instrument=self._instrument.name,
            items={row.name: row.score for row in self.rows},
            scale=self._instrument.scale,
            trial=self._trial,
            participant=self._participant,
        )

    @property
    def current(self) -> int | None:
        """Number of the row that keys answer; None when the buttons below have the focus."""
        focused = self.focusWidget()
        return self.rows.index(focused) if focused in self.rows else None

    def finish(self) -> None:
        """End the rating; asks once if items are unanswered."""
        if self._over:
            return
        unanswered = [place for place, row in enumerate(self.rows) if row.score is None]
        if unanswered and not self._asked_done:
            self._asked_done = True
            self._go(unanswered[0])
            self._say(self._words.form["incomplete"].replace("{count}", str(len(unanswered))))
            return
        self._end()
        self.rated.emit(self.rating)

    def skip(self) -> None:
        """Leave without a rating; asks once if that would lose answers."""
        if self._over:
            return
        if not self._asked_skip and any(row.score is not None for row in self.rows):
            self._asked_skip = True
            self._say(self._words.form["abandon"])
            return
        self._end()
        self.skipped.emit()

    def _end(self) -> None:
        self._over = True
        self.setEnabled(False)

    # What the person does

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Answer, move, finish or leave; a key that is held down does it once."""
        if not self._take_key(event):
            super().keyPressEvent(event)

    def _take_key(self, event: QKeyEvent) -> bool:
        key, keys = event.key(), Qt.Key
        if event.modifiers() & _COMMANDS:
            return False
        if key in (keys.Key_Up, keys.Key_Down):
            self._move(-1 if key == keys.Key_Up else 1)
            return True
        scores = self._instrument.scores
        digit = key - keys.Key_0
        if digit not in range(10) and key not in (
            *(keys.Key_Left, keys.Key_Right, keys.Key_Backspace),
            *(keys.Key_Return, keys.Key_Enter, keys.Key_Escape),
        ):
            return False
        current = self.current
        if event.isAutoRepeat():
            pass
        elif key == keys.Key_Backspace:
            self._take_back()
        elif key in (keys.Key_Return, keys.Key_Enter):
            if self.skip_button.hasFocus():
                self.skip()
            else:
                self.finish()
        elif key == keys.Key_Escape:
            self.skip()
        elif current is not None and digit in scores:
            self._answer(current, digit)
        elif current is not None and digit not in range(10):
            step = -1 if key == keys.Key_Left else 1
            score = self.rows[current].score
            first = scores[0] if step > 0 else scores[-1]
            chosen = first if score is None else score + step
            if chosen in scores:
                self._answer(current, chosen, go_on=False)
        return True

    def showEvent(self, event: QShowEvent) -> None:
        """Let keys answer the current item at once."""
        super().showEvent(event)
        self.setFocus()

    def _answer(self, place: int, score: int | None, go_on: bool = True) -> None:
        self.rows[place].set_score(score)
        self._asked_skip = False
        self._refresh()
        if score is None or not go_on:
            self._go(place)
        elif place + 1 < len(self.rows):
            self._go(place + 1)
        else:
            left = [number for number, row in enumerate(self.rows) if row.score is None]
            self._go(left[0] if left else len(self.rows))

    def _take_back(self) -> None:
        """Clear the current item, or the one before if it has no answer: as in typed text."""
        current = self.current
        if current is None:
            current = len(self.rows) - 1
        elif self.rows[current].score is None:
            current = max(current - 1, 0)
        self._answer(current, None)

    def _move(self, step: int) -> None:
        current = self.current
        if current is None:
            self._go(len(self.rows) - 1 if step < 0 else len(self.rows))
        else:
            self._go(max(current + step, 0))

    def _go(self, place: int) -> None:
        """Let keys answer a row; after the last one, end the rating."""
        target: QWidget = self.rows[place] if place < len(self.rows) else self.done_button
        self.setFocusProxy(target)
        target.setFocus()
        if place < len(self.rows):
            self._table.show_row(place)

    # What is shown

    def _refresh(self) -> None:
        answered = sum(row.score is not None for row in self.rows)
        text = self._words.form["progress"].replace("{answered}", str(answered))
        self.progress.setText(text.replace("{total}", str(len(self.rows))))
        # Once all is answered the way on stands out, and only then.
        palette = self._theme.palette()
        if answered == len(self.rows):
            palette.setColor(QPalette.ColorRole.Button, self._theme.positive)
            palette.setColor(QPalette.ColorRole.ButtonText, self._theme.card)
        self.done_button.setPalette(palette)
        low, high = self._instrument.scale
        keys = self._words.form["keys"].replace("{lowest}", str(low))
        self._say(keys.replace("{highest}", str(min(high, 9))), "muted")

    def _say(self, text: str, colour: str = "warning") -> None:
        self.message.setText(text)
        self.message.setAccessibleName(text)
        set_colour(self.message, self._theme, colour)

    def _build(self, order: tuple[str, ...]) -> None:
        words = self._words
        instruction = plain_label(words.instruction, bold=True)
        instruction.setWordWrap(True)
        scores = self._instrument.scores
        self._table = ScoreTable(order, scores, words, self._theme, self.font())
        self._table.answered.connect(self._answer)
        self.rows = self._table.rows
        self.message = plain_label()
        self.message.setWordWrap(True)
        self.progress = plain_label()
        self.skip_button = _button(words.form["skip"], self.skip)
        self.done_button = _button(words.form["done"], self.finish)
        foot = QHBoxLayout()
        foot.addWidget(self.progress, 1)
        foot.addWidget(self.skip_button)
        foot.addWidget(self.done_button)
        layout = QVBoxLayout(self)
        layout.setSpacing(8)
        layout.addWidget(instruction)
        layout.addWidget(self._table, 1)
        layout.addWidget(self.message)
        layout.addLayout(foot)
        # From the last item Tab leads to the button that ends.
        for one, other in zip(self.rows[:-1], self.rows[1:], strict=True):
            self.setTabOrder(one, other)
        self.setTabOrder(self.rows[-1], self.done_button)
        self.setTabOrder(self.done_button, self.skip_button)


class RatingDialog(QDialog):
    """A `RatingForm` in a window of its own; takes the same arguments.

    Closing the window is the same as Esc. Afterwards `rating` is None if it was skipped.
    """

    rated = Signal(object)
    """The finished `Rating`."""

    skipped = Signal()
    """It was left without a rating."""

    def __init__(
        self,
        instrument: Instrument,
        *,
        seed: int | str,
        language: str = "en",
        trial: str = "",
        participant: str = "",
        theme: Theme | None = None,
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(parent)
        self.rating: Rating | None = None
        self.form = RatingForm(
            instrument,
            seed=seed,
            language=language,
            trial=trial,
            participant=participant,
            theme=theme,
        )
        self.setPalette(self.form.palette())
        self.setWindowTitle(instrument.wording(language).form["title"])
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self.form)
        self.form.rated.connect(self._rated)
        self.form.skipped.connect(self._skipped)
        self.resize(900, 700)

    def reject(self) -> None:
        """Leave without a rating, as Esc and the window's own button do."""
        self.form.skip()

    def _rated(self, rating: Rating) -> None:
        self.rating = rating
        self.rated.emit(rating)
        self.accept()

    def _skipped(self) -> None:
        self.skipped.emit()
        super().reject()


def _button(text: str, slot: Callable[[], None]) -> QPushButton:
    made = QPushButton(text.replace("&", "&&"))
    made.setAccessibleName(text)
    made.setMinimumHeight(TARGET)
    made.setMinimumWidth(3 * TARGET)
    made.setAutoDefault(False)
    made.clicked.connect(lambda: slot())
    return made
