"""Pieces that the wizard's pages share: texts, buttons, and a ring that runs out."""

from __future__ import annotations

from PySide6.QtCore import QRectF, QSize, Qt
from PySide6.QtGui import QFont, QPainter, QPaintEvent, QPen
from PySide6.QtWidgets import (
    QFrame,
    QHBoxLayout,
    QLabel,
    QPushButton,
    QScrollArea,
    QScroller,
    QSizePolicy,
    QVBoxLayout,
    QWidget,
)

from apps.dashboard.card import plain_label
from apps.dashboard.text import duration
from apps.dashboard.theme import Theme

TARGET = 48  # px: what a finger hits without aiming
COLUMN = 38  # times the height of the text: lines that are read without losing them


def scaled(label: QLabel, factor: float, bold: bool = False) -> QLabel:
    """Give a label larger text that still follows the window's size; see `rescale`."""
    label.setProperty("factor", factor)
    label.setProperty("bold", bold)
    return label


def rescale(root: QWidget, pixels: int) -> None:
    """Give all texts below a widget their size."""
    font = QFont(root.font())
    font.setPixelSize(pixels)
    root.setFont(font)
    for label in root.findChildren(QLabel):
        factor = label.property("factor")
        if factor:
            own = QFont(font)
            own.setPixelSize(round(pixels * float(factor)))
            own.setBold(bool(label.property("bold")))
            label.setFont(own)
    for column in root.findChildren(Column):
        column.setMaximumWidth(COLUMN * pixels)


def heading(text: str) -> QLabel:
    """Return a page's first line."""
    label = scaled(plain_label(text), 1.5, bold=True)
    label.setWordWrap(True)
    return label


def paragraph(text: str = "", centred: bool = False) -> QLabel:
    """Return a text of several lines."""
    label = plain_label(text)
    label.setWordWrap(True)
    if centred:
        label.setAlignment(Qt.AlignmentFlag.AlignCenter)
    return label


def button(text: str, tip: str = "") -> QPushButton:
    """Return a button that a finger can hit."""
    made = QPushButton(text)
    made.setMinimumSize(3 * TARGET, TARGET)
    made.setToolTip(tip)
    return made


class Column(QWidget):
    """A column of a width that reads well, in the middle of the page."""

    def __init__(self) -> None:
        super().__init__()
        self.rows = QVBoxLayout(self)
        self.rows.setContentsMargins(0, 0, 0, 0)
        self.rows.setSpacing(14)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Expanding)


def centred_column(page: QWidget) -> QVBoxLayout:
    """Lay a page out as one column in the middle; return the column's layout."""
    column = Column()
    outer = QHBoxLayout(page)
    outer.setContentsMargins(0, 0, 0, 0)
    outer.addStretch(1)
    outer.addWidget(column, 100)
    outer.addStretch(1)
    return column.rows


def buttons(*parts: QPushButton) -> QHBoxLayout:
    """Lay buttons out side by side, at the right."""
    row = QHBoxLayout()
    row.addStretch(1)
    for part in parts:
        row.addWidget(part)
    return row


def reading(text: str) -> QScrollArea:
    """Return a text that scrolls by wheel, keys and finger when it is long."""
    label = paragraph(text)
    label.setAlignment(Qt.AlignmentFlag.AlignTop)
    area = QScrollArea()
    area.setWidget(label)
    area.setWidgetResizable(True)
    area.setFrameShape(QFrame.Shape.NoFrame)
    area.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
    QScroller.grabGesture(area.viewport(), QScroller.ScrollerGestureType.TouchGesture)
    return area


class Countdown(QWidget):
    """A ring that runs out, with the time that is left in it."""

    def __init__(self, theme: Theme) -> None:
        super().__init__()
        self._theme = theme
        self.left, self._whole = 0.0, 1.0
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Expanding)

    def set_left(self, left: float, whole: float) -> None:
        """Show how many seconds are left of how many."""
        self.left, self._whole = left, max(whole, 1e-9)
        self.setAccessibleName(f"{duration(left + 0.999)} left")
        self.update()

    def sizeHint(self) -> QSize:
        """Big enough to be seen with eyes half shut."""
        return QSize(220, 220)

    def minimumSizeHint(self) -> QSize:
        """Small enough for a small window."""
        return QSize(120, 120)

    def paintEvent(self, event: QPaintEvent) -> None:
        """Draw the ring and the time."""
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        side = min(self.width(), self.height(), 360) - 16
        ring = QRectF((self.width() - side) / 2, (self.height() - side) / 2, side, side)
        painter.setPen(QPen(self._theme.grid, 10))
        painter.drawEllipse(ring)
        pen = QPen(self._theme.positive, 10)
        pen.setCapStyle(Qt.PenCapStyle.FlatCap)
        painter.setPen(pen)
        painter.drawArc(ring, 90 * 16, round(360 * 16 * min(self.left / self._whole, 1.0)))
        font = QFont(self.font())
        font.setPixelSize(max(round(side / 5), 12))
        painter.setFont(font)
        painter.setPen(self._theme.text)
        painter.drawText(ring, Qt.AlignmentFlag.AlignCenter, duration(self.left + 0.999))
