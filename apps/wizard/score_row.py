"""One row of a rating: an item, a button for each score, and one that takes the answer back."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import QPoint, QRectF, QSize, Qt, Signal
from PySide6.QtGui import QColor, QFocusEvent, QPainter, QPaintEvent, QPen
from PySide6.QtWidgets import (
    QButtonGroup,
    QHBoxLayout,
    QRadioButton,
    QToolButton,
    QWidget,
)

from apps.dashboard.card import plain_label
from apps.dashboard.theme import Theme
from calibration.wordings import Wording

TARGET = 44
"""Side in pixels of the smallest thing to be touched (WCAG 2.2, target size, enhanced)."""

GAP = 4
TEXT_WIDTH = 130
"""Pixels that an item's text has at least; longer words wrap."""


def place_cells(
    layout: QHBoxLayout, text: QWidget, cells: Sequence[QWidget], end: QWidget | None = None
) -> None:
    """Fill the layout of a row, or of the head above the rows, so that their columns agree."""
    layout.setContentsMargins(12, GAP, GAP, GAP)
    layout.setSpacing(GAP)
    text.setMinimumWidth(TEXT_WIDTH)
    layout.addWidget(text, 1)
    for cell in cells:
        layout.addWidget(cell)
    if end is None:
        layout.addSpacing(TARGET + GAP)
    else:
        layout.addWidget(end)


class ScoreButton(QRadioButton):
    """A score to choose; all of its area answers to a click or a touch."""

    def __init__(self, score: int, name: str, width: int, theme: Theme) -> None:
        super().__init__(str(score))
        self._theme = theme
        self.setFixedSize(width, TARGET)
        self.setAccessibleName(name)
        # The row has the focus, so that one press of Tab leads to the next item.
        self.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self.setAttribute(Qt.WidgetAttribute.WA_Hover)

    def hitButton(self, position: QPoint) -> bool:  # noqa: N802
        """Tell whether a point belongs to the button."""
        return self.rect().contains(position)

    def sizeHint(self) -> QSize:
        """Return its fixed size."""
        return self.minimumSize()

    def paintEvent(self, event: QPaintEvent) -> None:
        """Draw the number in a box, which is filled if it was chosen."""
        theme = self._theme
        # One colour for all items: that of pleasant or unpleasant ones would tell which is which.
        accent = theme.positive
        fill = QColor(accent) if self.isChecked() else self.palette().button().color()
        if self.isDown():
            fill = fill.lighter(125) if theme.dark else fill.darker(115)
        edge = accent if self.isChecked() or self.underMouse() else theme.muted
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setPen(QPen(edge, 1.5))
        painter.setBrush(fill)
        painter.drawRoundedRect(QRectF(self.rect()).adjusted(1, 1, -1, -1), 6, 6)
        font = self.font()
        font.setBold(self.isChecked())
        painter.setFont(font)
        painter.setPen(theme.card if self.isChecked() else theme.text)
        painter.drawText(self.rect(), Qt.AlignmentFlag.AlignCenter, self.text())


class ScoreRow(QWidget):
    """One item with its scores.

    Parameters
    ----------
    name : str
        Of the item.
    words : Wording
    scores : range
    width : int
        Of a button, in pixels.
    theme : Theme
    """

    answered = Signal(object)
    """The score that was clicked or touched; None if the answer was taken back."""

    def __init__(self, name: str, words: Wording, scores: range, width: int, theme: Theme) -> None:
        super().__init__()
        text = words.items[name]
        self.name = name
        self.score: int | None = None
        self._theme = theme
        self._unanswered = words.form["unanswered"]
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setAccessibleName(text)
        self.label = plain_label(text)
        self.label.setWordWrap(True)
        self.buttons: dict[int, ScoreButton] = {}
        self._meanings: dict[int, str] = {}
        self._group = QButtonGroup(self)
        for score, anchor in zip(scores, words.anchors, strict=True):
            meaning = f"{score}, {anchor}" if anchor else str(score)
            button = ScoreButton(score, f"{text}: {meaning}", width, theme)
            self._meanings[score] = meaning
            self.buttons[score] = button
            self._group.addButton(button, score)
        self._group.idClicked.connect(lambda score: self.answered.emit(score))
        self.clear = QToolButton()
        self.clear.setText("×")
        self.clear.setAutoRaise(True)
        self.clear.setFixedSize(TARGET, TARGET)
        self.clear.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self.clear.setAccessibleName(f"{words.form['clear']}: {text}")
        policy = self.clear.sizePolicy()
        policy.setRetainSizeWhenHidden(True)
        self.clear.setSizePolicy(policy)
        self.clear.clicked.connect(lambda: self.answered.emit(None))
        place_cells(QHBoxLayout(self), self.label, list(self.buttons.values()), self.clear)
        self.set_score(None)

    def set_score(self, score: int | None) -> None:
        """Show a score as chosen, or none."""
        self.score = score
        self._group.setExclusive(False)  # or else the chosen button could not be released
        for value, button in self.buttons.items():
            button.setChecked(value == score)
        self._group.setExclusive(True)
        self.clear.setVisible(score is not None)
        said = self._unanswered if score is None else self._meanings[score]
        self.setAccessibleDescription(said)

    def focusInEvent(self, event: QFocusEvent) -> None:
        """Show that keys answer this item."""
        self.update()

    def focusOutEvent(self, event: QFocusEvent) -> None:
        """Show that keys answer another item."""
        self.update()

    def paintEvent(self, event: QPaintEvent) -> None:
        """Draw the card behind the row; the current one has a bar at its left."""
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        area = QRectF(self.rect()).adjusted(0.5, 0.5, -0.5, -0.5)
        current = self.hasFocus()
        painter.setPen(QPen(self._theme.positive if current else self._theme.grid, 1))
        painter.setBrush(self._theme.card)
        painter.drawRoundedRect(area, 6, 6)
        if current:
            painter.setPen(Qt.PenStyle.NoPen)
            painter.setBrush(self._theme.positive)
            painter.drawRoundedRect(area.adjusted(0, 0, 5 - area.width(), 0), 2.5, 2.5)
