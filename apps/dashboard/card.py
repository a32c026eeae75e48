"""A card: the titled frame around each panel."""

from __future__ import annotations

from PySide6.QtCore import QRectF, Qt
from PySide6.QtGui import QFont, QPainter, QPaintEvent, QPen
from PySide6.QtWidgets import QHBoxLayout, QLabel, QVBoxLayout, QWidget

from apps.dashboard.theme import Theme


def plain_label(text: str = "", *, bold: bool = False) -> QLabel:
    """Return a label that shows its text as it is, never as markup."""
    label = QLabel()
    label.setTextFormat(Qt.TextFormat.PlainText)
    label.setText(text)
    if bold:
        font = QFont()
        font.setBold(True)  # the size still follows the window's
        label.setFont(font)
    return label


def set_colour(label: QLabel, theme: Theme, colour: str) -> None:
    """Give a label's text one of the theme's colours."""
    palette = label.palette()
    palette.setColor(label.foregroundRole(), getattr(theme, colour))
    label.setPalette(palette)


class Card(QWidget):
    """A rounded frame with a title at its top left and a remark at its top right."""

    def __init__(self, title: str, theme: Theme) -> None:
        super().__init__()
        self.theme = theme
        self._title = plain_label(title, bold=True)
        self._remark = plain_label()
        self._remark.setAlignment(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
        # A long remark is cut rather than allowed to widen the panel.
        self._remark.setMinimumWidth(1)
        head = QHBoxLayout()
        head.addWidget(self._title)
        head.addWidget(self._remark, 1)
        self.body = QVBoxLayout()
        self.body.setContentsMargins(0, 0, 0, 0)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(10, 6, 10, 6)
        layout.setSpacing(4)
        layout.addLayout(head)
        layout.addLayout(self.body, 1)

    def set_remark(self, text: str, colour: str = "muted") -> None:
        """Show a remark in one of the theme's colours."""
        self._remark.setText(text)
        set_colour(self._remark, self.theme, colour)

    def set_theme(self, theme: Theme) -> None:
        """Change colours."""
        self.theme = theme
        self.set_remark(self._remark.text())
        self.update()

    def paintEvent(self, event: QPaintEvent) -> None:
        """Draw the frame."""
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setPen(QPen(self.theme.grid, 1))
        painter.setBrush(self.theme.card)
        painter.drawRoundedRect(QRectF(self.rect()).adjusted(0.5, 0.5, -0.5, -0.5), 6, 6)
