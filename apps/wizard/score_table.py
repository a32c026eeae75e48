"""The rows of a rating below a head that says what the scores stand for."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import QEvent, QPointF, QSize, Qt, Signal
from PySide6.QtGui import QFont, QFontInfo, QFontMetrics, QInputDevice, QKeyEvent, QTouchEvent
from PySide6.QtWidgets import (
    QAbstractButton,
    QApplication,
    QFrame,
    QHBoxLayout,
    QLabel,
    QScrollArea,
    QVBoxLayout,
    QWidget,
)

from apps.dashboard.card import plain_label, set_colour
from apps.dashboard.theme import Theme
from apps.wizard.score_row import GAP, TARGET, ScoreRow, place_cells
from calibration.wordings import Wording

_COLUMN = 72
"""Width of a score's column at least, in pixels, where the scores in between have words too."""

_SMALLER = 0.85
"""Times the form's font, for what the scores stand for."""


class ScoreTable(QWidget):
    """One row an item, which scrolls below its head where there is little room.

    Parameters
    ----------
    order : sequence of str
        Names of the items as they are shown.
    scores : range
    words : Wording
    theme : Theme
    font : QFont
    """

    answered = Signal(int, object)
    """Number of the row, and the score that was clicked or touched; None if it was taken back."""

    def __init__(
        self, order: Sequence[str], scores: range, words: Wording, theme: Theme, font: QFont
    ) -> None:
        super().__init__()
        self.setFont(font)
        self._theme = theme
        width = self._column_width(words.anchors)
        self.rows = [ScoreRow(name, words, scores, width, theme) for name in order]
        content = QWidget()
        column = QVBoxLayout(content)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(GAP)
        for place, row in enumerate(self.rows):
            row.answered.connect(lambda score, place=place: self.answered.emit(place, score))
            column.addWidget(row)
        column.addStretch(1)
        self.area = _Scroll(content)
        self._head = self._make_head(words.anchors, width)
        self.area.verticalScrollBar().rangeChanged.connect(self._align_head)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self._head)
        layout.addWidget(self.area, 1)

    def show_row(self, place: int) -> None:
        """Scroll until a row and its neighbours' edges can be seen."""
        self.area.ensureWidgetVisible(self.rows[place], 0, TARGET)

    def _small_font(self) -> QFont:
        font = QFont(self.font())
        font.setPointSizeF(_SMALLER * QFontInfo(font).pointSizeF())
        return font

    def _column_width(self, anchors: Sequence[str]) -> int:
        """Return the width of a score's column: room for the longest word of the anchors."""
        if not any(anchors[1:-1]):
            return TARGET
        metrics = QFontMetrics(self._small_font())
        words = " ".join(anchors).split()
        return max(_COLUMN, *(metrics.horizontalAdvance(word) + 6 for word in words))

    def _make_head(self, anchors: Sequence[str], width: int) -> QWidget:
        sides = Qt.AlignmentFlag
        if any(anchors[1:-1]):
            spans = [(text, 1, sides.AlignHCenter) for text in anchors]
        else:  # only the ends have words: each has half of the line
            half = len(anchors) // 2
            spans = [
                (anchors[0], half, sides.AlignLeft),
                (anchors[-1], len(anchors) - half, sides.AlignRight),
            ]
        labels = []
        for text, span, side in spans:
            label = plain_label(text)
            label.setFont(self._small_font())
            label.setWordWrap(True)
            label.setAlignment(side | sides.AlignBottom)
            label.setFixedWidth(span * width + (span - 1) * GAP)
            set_colour(label, self._theme, "muted")
            labels.append(label)
        head = QWidget()
        place_cells(QHBoxLayout(head), QLabel(), labels)
        return head

    def _align_head(self) -> None:
        """Keep the head above its columns when the rows get a scroll bar."""
        bar = self.area.verticalScrollBar()
        shown = bar.maximum() > bar.minimum()
        self._head.setContentsMargins(0, 0, bar.sizeHint().width() if shown else 0, 0)


class _Scroll(QScrollArea):
    """Scrolls by wheel, bar and finger; keys are the form's.

    A finger that moves scrolls, and one that does not presses what is below it. `QScroller` does
    the same, but loses every other of several quick taps (seen with Qt 6.11).
    """

    def __init__(self, content: QWidget) -> None:
        super().__init__()
        self._content = content
        self.setWidget(content)
        self.setWidgetResizable(True)
        self.setFrameShape(QFrame.Shape.NoFrame)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self.viewport().setAttribute(Qt.WidgetAttribute.WA_AcceptTouchEvents)
        self._touched: QWidget | None = None
        self._from = QPointF()
        self._value = 0
        self._moved = False

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Leave keys to the form."""
        event.ignore()

    def minimumSizeHint(self) -> QSize:
        """Return room for the width of the rows, and for three of them."""
        bar = self.verticalScrollBar().sizeHint().width()
        width = self._content.minimumSizeHint().width() + bar
        return QSize(width, 3 * (TARGET + 3 * GAP))

    def viewportEvent(self, event: QEvent) -> bool:
        """Follow a finger on a touch screen; the touches of a touch pad move the mouse."""
        if (
            not isinstance(event, QTouchEvent)
            or event.device().type() != QInputDevice.DeviceType.TouchScreen
        ):
            return super().viewportEvent(event)
        place = event.points()[0].position() if event.points() else self._from
        if event.type() == QEvent.Type.TouchBegin:
            self._touched = self._target(place)
            self._from, self._value = place, self.verticalScrollBar().value()
            self._moved = False
            self._press(True)
        elif event.type() == QEvent.Type.TouchUpdate:
            distance = (place - self._from).y()
            if abs(distance) >= QApplication.startDragDistance():
                self._moved = True
                self._press(False)
            if self._moved:
                self.verticalScrollBar().setValue(round(self._value - distance))
        else:
            self._press(False)
            same = self._target(place) is self._touched
            if event.type() == QEvent.Type.TouchEnd and same and not self._moved:
                if isinstance(self._touched, QAbstractButton):
                    self._touched.click()
                elif self._touched is not None:
                    self._touched.setFocus()
            self._touched = None
        event.accept()
        return True

    def _target(self, place: QPointF) -> QWidget | None:
        """Return the button or the row at a place."""
        widget = self.viewport().childAt(place.toPoint())
        while widget is not None and not isinstance(widget, QAbstractButton | ScoreRow):
            widget = widget.parentWidget()
        return widget

    def _press(self, down: bool) -> None:
        if isinstance(self._touched, QAbstractButton):
            self._touched.setDown(down)
