"""The distribution panel: each emotion's share now, its band, and the training mean beside it."""

from __future__ import annotations

import numpy as np
from PySide6.QtCore import QPointF, QRectF, QSize, Qt
from PySide6.QtGui import QColor, QFont, QFontMetricsF, QPainter, QPaintEvent, QPen
from PySide6.QtWidgets import QSizePolicy, QWidget

from apps.dashboard.card import Card
from apps.dashboard.state import Emotions, Shown
from apps.dashboard.text import modality_title, plain
from apps.dashboard.theme import Theme

# Ends that the axis of shares may have; it never shrinks, so bars can be compared over time.
AXIS_ENDS = (0.2, 0.3, 0.4, 0.5, 0.75, 1.0)


def band(shares: np.ndarray, radius: float) -> tuple[np.ndarray, np.ndarray]:
    """Return the lower and upper end of each share's band: p ± radius, cut to [0, 1]."""
    return np.clip(shares - radius, 0.0, 1.0), np.clip(shares + radius, 0.0, 1.0)


class DistributionBars(QWidget):
    """Horizontal bars, one row an emotion."""

    def __init__(self, theme: Theme) -> None:
        super().__init__()
        self.theme = theme
        self.axis_end = AXIS_ENDS[0]
        self._emotions = Emotions()
        self._shown: Shown | None = None
        self._faded = False
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Expanding)
        self.setAccessibleName("Emotion shares")

    def minimumSizeHint(self) -> QSize:
        """Room for the smallest legible rows."""
        return QSize(260, 60 + 12 * len(self._emotions.names))

    def set_emotions(self, emotions: Emotions) -> None:
        """Change the rows."""
        if emotions.names != self._emotions.names:
            self._shown, self.axis_end = None, AXIS_ENDS[0]
        self._emotions = emotions
        self.updateGeometry()
        self.update()

    def show_window(self, shown: Shown | None, faded: bool) -> None:
        """Show a window; `faded` if it is out of date."""
        if shown is self._shown and faded == self._faded:
            return
        self._shown, self._faded = shown, faded
        if shown is not None:
            upper = band(shown.distribution, shown.radius or 0.0)[1]
            need = max(float(upper.max()), float(self._emotions.training_mean.max()))
            fitting = [end for end in AXIS_ENDS if end >= need - 1e-9]
            self.axis_end = max(self.axis_end, fitting[0] if fitting else 1.0)
        self.update()

    def paintEvent(self, event: QPaintEvent) -> None:
        """Draw everything."""
        names = self._emotions.names
        painter = QPainter(self)
        font, metrics = self.font(), QFontMetricsF(self.font())
        if not names:
            painter.setPen(self.theme.muted)
            painter.drawText(self.rect(), Qt.AlignmentFlag.AlignCenter, "waiting for the engine")
            return
        line = metrics.height()
        foot = line * 3.4
        height = (self.height() - foot) / len(names)
        if height < line:  # many emotions: smaller letters rather than lost rows
            small = QFont(font)
            small.setPixelSize(max(int(font.pixelSize() * height / line), 7))
            font, metrics = small, QFontMetricsF(small)
        painter.setFont(font)
        texts = [plain(name, 24) for name in names]
        names_width = min(
            max(metrics.horizontalAdvance(text) for text in texts) + 10, 0.4 * self.width()
        )
        numbers = metrics.horizontalAdvance("100 %") + 8
        area = QRectF(names_width, 0, self.width() - names_width - numbers, height * len(names))
        self._draw_axis(painter, area, line)
        colours = self.theme.emotions(self._emotions.negative)
        for row, text in enumerate(texts):
            top = row * height
            painter.setFont(font)
            painter.setPen(self.theme.text)
            painter.drawText(
                QRectF(0, top, names_width - 8, height),
                Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter,
                metrics.elidedText(text, Qt.TextElideMode.ElideRight, names_width - 8),
            )
            self._draw_row(painter, area, row, height, colours[row])
            if self._shown is not None:
                painter.setPen(self.theme.muted if self._faded else self.theme.text)
                painter.drawText(
                    QRectF(area.right(), top, numbers - 2, height),
                    Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter,
                    f"{100 * self._shown.distribution[row]:.0f} %",
                )
        self._draw_legend(painter, line)

    def _draw_axis(self, painter: QPainter, area: QRectF, line: float) -> None:
        step = 0.05 if self.axis_end <= 0.3 else 0.1 if self.axis_end <= 0.5 else 0.25
        painter.setFont(self.font())
        for index in range(round(self.axis_end / step) + 1):
            share = index * step
            x = area.left() + area.width() * share / self.axis_end
            painter.setPen(QPen(self.theme.grid, 1))
            painter.drawLine(QPointF(x, 0), QPointF(x, area.bottom() + 3))
            painter.setPen(self.theme.muted)
            painter.drawText(
                QRectF(x - 40, area.bottom() + 3, 80, line),
                Qt.AlignmentFlag.AlignHCenter,
                f"{100 * share:.0f}",
            )
        painter.drawText(
            QRectF(area.left(), area.bottom() + 3 + line, area.width(), line),
            Qt.AlignmentFlag.AlignHCenter,
            "share of all emotions (%)",
        )

    def _draw_row(
        self, painter: QPainter, area: QRectF, row: int, height: float, colour: QColor
    ) -> None:
        scale = area.width() / self.axis_end
        top = area.top() + row * height
        mean = float(self._emotions.training_mean[row])
        painter.fillRect(
            QRectF(area.left(), top + 0.68 * height, mean * scale, max(0.18 * height, 2)),
            self.theme.mean,
        )
        if self._shown is None:
            return
        share = float(self._shown.distribution[row])
        fill = QColor(colour)
        fill.setAlphaF(0.35 if self._faded else 1.0)
        bar = QRectF(area.left(), top + 0.14 * height, share * scale, 0.52 * height)
        painter.fillRect(bar, fill)
        if self._shown.radius is None:
            return
        low, high = band(self._shown.distribution, self._shown.radius)
        left, right = area.left() + low[row] * scale, area.left() + high[row] * scale
        middle, cap = bar.center().y(), 0.16 * height
        # A light line under the dark one keeps the band visible on top of any bar.
        halo = QColor(self.theme.card)
        halo.setAlphaF(0.75)
        pens = [QPen(halo, 3)] if bar.height() > 8 else []
        for pen in [*pens, QPen(self.theme.text, 1)]:
            painter.setPen(pen)
            painter.drawLine(QPointF(left, middle), QPointF(right, middle))
            for end in (left, right):
                painter.drawLine(QPointF(end, middle - cap), QPointF(end, middle + cap))

    def _draw_legend(self, painter: QPainter, line: float) -> None:
        font, metrics = self.font(), QFontMetricsF(self.font())
        radius = self._shown.radius if self._shown is not None else None
        entries = (
            "share now",
            "band" if radius is None else f"band (±{100 * radius:.0f})",
            "training mean",
        )
        marks = 3 * 26 + 2 * 12
        words = sum(metrics.horizontalAdvance(entry) for entry in entries)
        if words + marks > self.width():
            font = QFont(font)
            font.setPixelSize(max(int(font.pixelSize() * (self.width() - marks) / words), 7))
            metrics = QFontMetricsF(font)
            words = sum(metrics.horizontalAdvance(entry) for entry in entries)
        painter.setFont(font)
        width = words + marks
        x, y = (self.width() - width) / 2, self.height() - line / 2 - 1
        for index, entry in enumerate(entries):
            if index == 0:
                half = QRectF(x, y - 4, 10, 8)
                painter.fillRect(half, self.theme.positive)
                painter.fillRect(half.translated(10, 0), self.theme.negative)
            elif index == 1:
                painter.setPen(QPen(self.theme.text, 1))
                painter.drawLine(QPointF(x, y), QPointF(x + 20, y))
                for end in (x, x + 20):
                    painter.drawLine(QPointF(end, y - 3), QPointF(end, y + 3))
            else:
                painter.fillRect(QRectF(x, y - 2, 20, 4), self.theme.mean)
            x += 26
            painter.setPen(self.theme.muted)
            advance = metrics.horizontalAdvance(entry)
            painter.drawText(
                QRectF(x, y - line / 2, advance + 4, line), Qt.AlignmentFlag.AlignVCenter, entry
            )
            x += advance + 12


class DistributionPanel(Card):
    """The bars, and what they rest on."""

    def __init__(self, theme: Theme) -> None:
        super().__init__("Emotion shares now", theme)
        self.bars = DistributionBars(theme)
        self.faded = False  # what is shown is out of date
        self.body.addWidget(self.bars)
        self.setToolTip(
            "Share of each emotion in the newest window. The band reaches the uncertainty radius "
            "to either side; the grey bar is the mean over the training data."
        )

    def set_theme(self, theme: Theme) -> None:
        """Change colours."""
        super().set_theme(theme)
        self.bars.theme = theme

    def refresh(self, shown: Shown | None, now: float, hop: float) -> None:
        """Show the newest window, and say so if it is old, warming up or lacks a sensor."""
        late = 0.0 if shown is None else now - shown.arrived
        self.faded = late > 2 * hop + 2.0
        self.bars.show_window(shown, self.faded)
        if shown is None:
            self.set_remark("no window yet")
        elif self.faded:
            self.set_remark(f"▲ no new window for {late:.0f} s", "bad")
        else:
            missing = [modality_title(name) for name, used in shown.mask.items() if not used]
            remarks = [f"✕ without {', '.join(missing)}"] if missing else []
            if shown.warm_up:
                remarks.append("◐ warming up")
            text = " · ".join(remarks) or "● all sensors"
            self.set_remark(text, "warning" if remarks else "good")
