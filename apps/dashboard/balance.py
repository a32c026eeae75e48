"""The balance panel: positive against negative emotion, compared with the person's baseline."""

from __future__ import annotations

from PySide6.QtCore import QPointF, QRectF, QSize, Qt
from PySide6.QtGui import QColor, QFont, QFontMetricsF, QPainter, QPaintEvent, QPen, QPolygonF
from PySide6.QtWidgets import QSizePolicy, QWidget

from apps.dashboard.card import Card
from apps.dashboard.state import Emotions, Shown
from apps.dashboard.theme import Theme


class BalanceBar(QWidget):
    """Two large figures, a divided bar with the baseline's notch, and the intensity."""

    def __init__(self, theme: Theme) -> None:
        super().__init__()
        self.theme = theme
        self._positive: float | None = None
        self._reference: float | None = None
        self._intensity: float | None = None
        self._faded = False
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Expanding)

    def minimumSizeHint(self) -> QSize:
        """Room for all lines."""
        return QSize(230, 9 * max(self.font().pixelSize(), 12))

    def set_shares(
        self, positive: float | None, reference: float | None, intensity: float | None, faded: bool
    ) -> None:
        """Show a share of positive emotion, its baseline and the intensity, each 0 to 1."""
        before = (self._positive, self._reference, self._intensity, self._faded)
        if before != (positive, reference, intensity, faded):
            self._positive, self._reference = positive, reference
            self._intensity, self._faded = intensity, faded
            self.update()

    def comparison(self) -> str:
        """Return the sentence that compares the share with the baseline."""
        if self._positive is None:
            return ""
        if self._reference is None:
            return "no rest in this session yet: mark some"
        points = round(100 * (self._positive - self._reference))
        if points == 0:
            return f"as at baseline ({100 * self._reference:.0f} % positive)"
        sign = "▲ +" if points > 0 else "▼ −"
        return f"{sign}{abs(points)} points against baseline"

    def paintEvent(self, event: QPaintEvent) -> None:
        """Draw everything."""
        theme, painter = self.theme, QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        if self._positive is None:
            painter.setPen(theme.muted)
            painter.drawText(self.rect(), Qt.AlignmentFlag.AlignCenter, "no window yet")
            return
        painter.setOpacity(0.45 if self._faded else 1.0)
        line = QFontMetricsF(self.font()).height()
        width, height = float(self.width()), float(self.height())
        large = QFont(self.font())
        large.setBold(True)
        # 6.4 lines of ordinary text and the bars share the card with the figures.
        size = min(0.30 * height, 0.15 * width, 4.0 * self.font().pixelSize())
        large.setPixelSize(max(round(size), self.font().pixelSize()))
        figure = QFontMetricsF(large).height()
        spare = max(height - figure - 6.4 * line, 0.0) / 3
        left, right = Qt.AlignmentFlag.AlignLeft, Qt.AlignmentFlag.AlignRight
        self._draw_pair(painter, large, theme.text, 0.0, figure, *self._figures())
        self._draw_pair(painter, self.font(), theme.muted, figure, line, "positive", "negative")
        top = figure + line + 0.5 * line + spare
        self._draw_balance(painter, top, line)
        painter.setPen(theme.text)
        bold = QFont(self.font())
        bold.setBold(self._reference is not None)
        painter.setFont(bold)
        top += 1.7 * line
        painter.drawText(
            QRectF(0, top, width, line), Qt.AlignmentFlag.AlignHCenter, self.comparison()
        )
        top += 1.3 * line + spare
        painter.setFont(self.font())
        painter.setPen(theme.muted)
        painter.drawText(QRectF(0, top, width, line), left, "intensity (0 to 1)")
        painter.setPen(theme.text)
        known = "–" if self._intensity is None else f"{self._intensity:.2f}"
        painter.drawText(QRectF(0, top, width, line), right, known)
        gauge = QRectF(0, top + 1.1 * line, width, 0.6 * line)
        painter.fillRect(gauge, theme.grid)
        gauge.setWidth(width * min(max(self._intensity or 0.0, 0.0), 1.0))
        painter.fillRect(gauge, theme.muted)

    def _figures(self) -> tuple[str, str]:
        whole = round(100 * (self._positive or 0.0))
        return f"{whole} %", f"{100 - whole} %"

    def _draw_pair(
        self,
        painter: QPainter,
        font: QFont,
        colour: QColor,
        top: float,
        height: float,
        left: str,
        right: str,
    ) -> None:
        painter.setFont(font)
        painter.setPen(colour)
        area = QRectF(0, top, self.width(), height)
        painter.drawText(area, Qt.AlignmentFlag.AlignLeft, left)
        painter.drawText(area, Qt.AlignmentFlag.AlignRight, right)

    def _draw_balance(self, painter: QPainter, top: float, line: float) -> None:
        width, share = float(self.width()), self._positive or 0.0
        height, split = 1.3 * line, width * share
        painter.fillRect(QRectF(0, top, split, height), self.theme.positive)
        painter.fillRect(QRectF(split, top, width - split, height), self.theme.negative)
        painter.fillRect(QRectF(split - 1, top, 2, height), self.theme.card)
        if self._reference is None:
            return
        x = width * self._reference
        for pen in (QPen(self.theme.card, 5), QPen(self.theme.text, 2)):
            painter.setPen(pen)
            painter.drawLine(QPointF(x, top - 3), QPointF(x, top + height + 2))
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(self.theme.text)
        painter.drawPolygon(
            QPolygonF([QPointF(x - 5, top - 8), QPointF(x + 5, top - 8), QPointF(x, top - 1)])
        )


class BalancePanel(Card):
    """Positive and negative emotion."""

    def __init__(self, theme: Theme) -> None:
        super().__init__("Positive and negative (smoothed)", theme)
        self.bar = BalanceBar(theme)
        self.body.addWidget(self.bar)
        self.setToolTip(
            "Smoothed share of the positive emotions against the negative ones. The notch is the "
            "person's own mean during the baseline."
        )

    def set_theme(self, theme: Theme) -> None:
        """Change colours."""
        super().set_theme(theme)
        self.bar.theme = theme

    def refresh(self, shown: Shown | None, emotions: Emotions, faded: bool) -> None:
        """Show the newest window."""
        if shown is None:
            self.bar.set_shares(None, None, None, False)
            return
        positive = float(emotions.positive_share(shown.smoothed))
        self.bar.set_shares(positive, shown.reference, shown.intensity, faded)
