"""Strips across the window: data that is not live, and an engine that stopped."""

from __future__ import annotations

from collections.abc import Callable

from PySide6.QtCore import QPoint, QRect, QSize, Qt
from PySide6.QtGui import QColor, QFont, QFontMetrics, QPainter, QPaintEvent, QPen
from PySide6.QtWidgets import QHBoxLayout, QPushButton, QSizePolicy, QWidget

from apps.dashboard.card import plain_label
from apps.dashboard.text import plain
from apps.dashboard.theme import Theme


class SourceBanner(QWidget):
    """Says that data are simulated or replayed, and what a checkpoint must say; else hidden."""

    def __init__(self, theme: Theme) -> None:
        super().__init__()
        self.theme = theme
        self.text = ""
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.hide()

    def set_source(self, simulated: bool, replay: bool, notice: str = "") -> None:
        """Show what the data are, and the checkpoint's notice."""
        texts = {
            (False, False): "",
            (True, False): "SIMULATED  ·  no real person",
            (False, True): "REPLAY  ·  a recording, not live",
            (True, True): "REPLAY OF SIMULATED DATA  ·  no real person, not live",
        }
        said = (texts[simulated, replay], plain(notice, 80))
        self.text = "  ·  ".join(text for text in said if text)
        self.setAccessibleName(self.text)
        self.setVisible(bool(self.text))
        self.update()

    def sizeHint(self) -> QSize:
        """One line of bold text."""
        return QSize(200, round(QFontMetrics(self.font()).height() * 1.6))

    def paintEvent(self, event: QPaintEvent) -> None:
        """Draw stripes and, on a clear ground, the text."""
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        ground = QColor("#f2b01e")
        painter.fillRect(self.rect(), ground)
        painter.setPen(QPen(QColor("#3a2a00"), 7))
        height = self.height()
        for x in range(-height, self.width() + height, 24):
            painter.drawLine(QPoint(x, height + 4), QPoint(x + height + 8, -4))
        font = QFont(self.font())
        font.setBold(True)
        painter.setFont(font)
        width = QFontMetrics(font).horizontalAdvance(self.text) + 40
        middle = QRect((self.width() - width) // 2, 0, width, height)
        painter.fillRect(middle, ground)
        painter.setPen(QColor("#1a1300"))
        painter.drawText(middle, Qt.AlignmentFlag.AlignCenter, self.text)


class EngineNotice(QWidget):
    """Says that the engine stopped, with a button to restart it."""

    def __init__(self, theme: Theme, restart: Callable[[], None]) -> None:
        super().__init__()
        self.theme = theme
        self.label = plain_label(bold=True)
        self.button = QPushButton("Restart engine")
        self.button.setToolTip("Start a new engine and attach to it")
        self.button.clicked.connect(restart)
        layout = QHBoxLayout(self)
        layout.setContentsMargins(12, 5, 12, 5)
        layout.addWidget(self.label, 1)
        layout.addWidget(self.button)
        palette = self.label.palette()
        palette.setColor(self.label.foregroundRole(), QColor("#ffffff"))
        self.label.setPalette(palette)
        self.hide()

    def show_text(self, text: str, button: str | None) -> None:
        """Show a sentence, and the button under this name unless None."""
        self.label.setText(text)
        self.button.setVisible(button is not None)
        if button is not None:
            self.button.setText(button)
        self.show()

    def paintEvent(self, event: QPaintEvent) -> None:
        """Fill the strip."""
        QPainter(self).fillRect(self.rect(), QColor("#a31d17"))
