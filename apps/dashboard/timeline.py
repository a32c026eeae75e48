"""The timeline panel: the smoothed distribution over the last minutes, as stacked areas."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import pairwise

import numpy as np
import pyqtgraph as pg
from numpy.typing import NDArray
from PySide6.QtCore import QRectF, Qt
from PySide6.QtGui import QColor, QFont, QPainter, QPolygonF
from PySide6.QtWidgets import QStyleOptionGraphicsItem, QWidget

from apps.dashboard.card import Card
from apps.dashboard.state import HISTORY, Emotions, Marker, Person
from apps.dashboard.text import plain
from apps.dashboard.theme import Theme

MAX_MARKS = 40
# Pixels by which the first and last label of an axis may stick out of it.
LABEL_MARGIN = 40
MARK_LABEL = {"position": 0.9, "anchors": [(0.5, 0.5), (0.5, 0.5)]}


def runs(times: NDArray[np.float64], gap: float) -> list[slice]:
    """Cut times into stretches without a step longer than `gap`."""
    breaks = np.flatnonzero(np.diff(times) > gap) + 1
    edges = [0, *breaks.tolist(), len(times)]
    return [slice(a, b) for a, b in pairwise(edges) if b > a]


class StackedAreas(pg.GraphicsObject):  # type: ignore[misc]
    """Areas stacked from 0 to 1; time runs along x."""

    def __init__(self) -> None:
        super().__init__()
        self._areas: list[tuple[QColor, QPolygonF]] = []
        self._bounds = QRectF(0, 0, 1, 1)

    def set_shares(
        self,
        times: NDArray[np.float64],
        shares: NDArray[np.float64],
        colours: Sequence[QColor],
        hop: float,
    ) -> None:
        """Draw shares of shape (n, C) at times (n,), each window from its own end to the next."""
        self._areas = []
        edges = np.concatenate([np.zeros((len(times), 1)), np.cumsum(shares, axis=1)], axis=1)
        for run in runs(times, 1.6 * hop) if len(times) else []:
            # A window's shares hold from the hop before its end to its end.
            x = np.concatenate([times[run][:1] - hop, times[run]])
            y = np.concatenate([edges[run][:1], edges[run]])
            outline = np.concatenate([x, x[::-1]])
            for index, colour in enumerate(colours):
                sides = np.concatenate([y[:, index], y[::-1, index + 1]])
                self._areas.append((colour, pg.functions.arrayToQPolygonF(outline, sides)))
        self.prepareGeometryChange()
        first = float(times[0]) - hop if len(times) else 0.0
        self._bounds = QRectF(first, 0, max(float(times[-1]) - first, 1) if len(times) else 1, 1)
        self.update()

    def boundingRect(self) -> QRectF:
        """Return what is covered."""
        return self._bounds

    def paint(
        self,
        painter: QPainter,
        option: QStyleOptionGraphicsItem,
        widget: QWidget | None = None,
    ) -> None:
        """Draw the areas."""
        painter.setPen(Qt.PenStyle.NoPen)
        for colour, polygon in self._areas:
            painter.setBrush(colour)
            painter.drawPolygon(polygon)


class TimelinePanel(Card):
    """Stacked areas with the emotions' names, the markers, and the baseline."""

    def __init__(self, theme: Theme) -> None:
        minutes = round(HISTORY / 60)
        super().__init__(f"Emotion shares, last {minutes} minutes (smoothed)", theme)
        self._view = pg.PlotWidget(enableMenu=False)
        self._view.setFrameShape(self._view.Shape.NoFrame)
        self._view.setMinimumSize(260, 110)
        self._view.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self.body.addWidget(self._view)
        self.setToolTip(
            "Positive emotions from below, negative ones from above. The dashed line is the "
            "positive share during the person's own baseline; numbers are markers."
        )
        plot = self._plot = self._view.getPlotItem()
        plot.hideButtons()
        plot.setMouseEnabled(False, False)
        plot.vb.setXRange(-HISTORY, 0, padding=0)
        plot.vb.setYRange(0, 1, padding=0)
        plot.showAxis("right")
        plot.getAxis("left").setTicks([[(i / 4, str(25 * i)) for i in range(5)]])
        ticks = [(-60.0 * i, f"−{i}" if i else "now") for i in range(minutes + 1)]
        plot.getAxis("bottom").setTicks([ticks])
        self.areas = StackedAreas()
        plot.addItem(self.areas)
        self._border = pg.PlotCurveItem(connect="finite", antialias=True)
        self._reference = pg.InfiniteLine(angle=0)
        self._rest = pg.LinearRegionItem(movable=False)
        self._rest_name = pg.TextItem("baseline", anchor=(0.5, 1.0))
        self._rest_name.setZValue(15)
        plot.addItem(self._rest_name, ignoreBounds=True)
        plot.getAxis("right").setStyle(tickLength=0)
        plot.getAxis("right").setTicks([[]])
        self._marks: list[pg.InfiniteLine] = []
        for item in (self._border, self._reference, self._rest):
            item.setZValue(10)
            plot.addItem(item)
        self._emotions = Emotions()
        self._small = QFont()
        self.set_theme(theme)

    def set_emotions(self, emotions: Emotions) -> None:
        """Change the areas."""
        self._emotions = emotions
        self._plot.getAxis("right").setTicks([[]])
        self.set_fonts(self.font())

    def set_fonts(self, font: QFont) -> None:
        """Scale all text."""
        small = self._small = QFont(font)
        small.setPixelSize(max(round(font.pixelSize() * 0.85), 9))
        for side in ("left", "bottom", "right"):
            axis = self._plot.getAxis(side)
            axis.setStyle(tickFont=small, hideOverlappingLabels=LABEL_MARGIN)
            if side != "right":
                axis.label.setFont(small)
        self._rest_name.setFont(small)
        # Half a line above, so that the topmost number is whole.
        self._plot.layout.setContentsMargins(0, round(0.6 * font.pixelSize()), 0, 0)
        self._plot.getAxis("left").setWidth(round(font.pixelSize() * 3.6))
        self._plot.getAxis("bottom").setHeight(round(font.pixelSize() * 2.7))
        longest = max((len(plain(name, 16)) for name in self._emotions.names), default=8)
        self._plot.getAxis("right").setWidth(round(small.pixelSize() * (0.62 * longest + 1.5)))

    def set_theme(self, theme: Theme) -> None:
        """Change colours."""
        super().set_theme(theme)
        self._view.setBackground(theme.card)
        for side in ("left", "bottom", "right"):
            axis = self._plot.getAxis(side)
            axis.setPen(theme.grid)
            axis.setTextPen(theme.muted if side != "right" else theme.text)
        self._plot.getAxis("left").setLabel("share (%)", color=theme.muted.name())
        self._plot.getAxis("bottom").setLabel("time before now (min)", color=theme.muted.name())
        self._border.setPen(pg.mkPen(theme.card, width=2))
        dashes = pg.mkPen(theme.text, width=2, style=Qt.PenStyle.DashLine)
        self._reference.setPen(dashes)
        shade = QColor(theme.card)
        shade.setAlphaF(0.35)
        self._rest.setBrush(shade)
        for line in self._rest.lines:
            line.setPen(pg.mkPen(theme.text, width=1, style=Qt.PenStyle.DotLine))
        self._rest_name.setColor(theme.text)
        self._rest_name.fill = pg.mkBrush(theme.card)

    def refresh(self, person: Person, markers: Iterable[Marker], hop: float) -> None:
        """Draw a participant's history."""
        windows = person.windows
        now = windows[-1].time if windows else 0.0
        times = np.array([shown.time for shown in windows]) - now
        count = len(self._emotions.names)
        shares = np.array([shown.smoothed for shown in windows]).reshape(len(times), count)
        colours = self.theme.emotions(self._emotions.negative)
        self.areas.set_shares(times, shares, colours, hop)
        self._show_border(times, shares, hop)
        reference = windows[-1].reference if windows else None
        self._reference.setVisible(reference is not None)
        self._reference.setPos(reference or 0.0)
        self._show_rest(person, now)
        self._show_marks(markers, now if windows else None)
        if windows:
            self._show_names(shares[-1])

    def _show_border(
        self, times: NDArray[np.float64], shares: NDArray[np.float64], hop: float
    ) -> None:
        if not len(times):
            self._border.setData([], [])
            return
        border = self._emotions.positive_share(shares)
        breaks = np.flatnonzero(np.diff(times) > 1.6 * hop) + 1
        self._border.setData(np.insert(times, breaks, np.nan), np.insert(border, breaks, np.nan))

    def _show_rest(self, person: Person, now: float) -> None:
        start, stop = person.baseline_start, person.baseline_stop
        visible = start is not None and bool(person.windows)
        if start is not None:
            self._rest.setRegion((start - now, (now if stop is None else stop) - now))
            visible = visible and (stop is None or stop > now - HISTORY)
            left, right = (max(edge, -HISTORY) for edge in self._rest.getRegion())
            middle = (left + right) / 2
            # Near the edges the name hangs on the edge, not on the middle.
            hang = 1.0 if middle > -0.1 * HISTORY else 0.0 if middle < -0.9 * HISTORY else 0.5
            self._rest_name.setAnchor((hang, 1.0))
            self._rest_name.setPos({0.0: left, 0.5: middle, 1.0: min(right, 0.0)}[hang], 0.02)
        self._rest.setVisible(visible)
        self._rest_name.setVisible(visible)

    def _show_marks(self, markers: Iterable[Marker], now: float | None) -> None:
        shown = [
            (number, marker.time - now)
            for number, marker in enumerate(markers, 1)
            if now is not None and -HISTORY < marker.time - now <= 5.0
        ][-MAX_MARKS:]
        for line in self._marks[len(shown) :]:
            self._plot.removeItem(line)
        del self._marks[len(shown) :]
        while len(self._marks) < len(shown):
            line = pg.InfiniteLine(angle=90, label="", labelOpts=MARK_LABEL)
            line.setZValue(20)
            self._marks.append(line)
            self._plot.addItem(line)
        for line, (number, moment) in zip(self._marks, shown, strict=True):
            line.setPen(pg.mkPen(self.theme.text, width=1))
            line.label.setColor(self.theme.text)
            line.label.fill = pg.mkBrush(self.theme.card)
            line.label.setFont(self._small)
            line.label.setFormat(str(number))
            line.setPos(min(moment, 0.0))

    def _show_names(self, shares: NDArray[np.float64]) -> None:
        """Name the areas at their right end where there is room."""
        height = max(self._plot.vb.height(), 1.0)
        room = 1.1 * self._plot.getAxis("right").style["tickFont"].pixelSize() / height
        tops = np.cumsum(shares)
        middles = tops - shares / 2
        ticks, last = [], -np.inf
        for middle, share, name in zip(middles, shares, self._emotions.names, strict=True):
            if middle - last >= room and share >= 0.5 * room and room / 2 < middle < 1 - room / 4:
                ticks.append((float(middle), plain(name, 16)))
                last = middle
        self._plot.getAxis("right").setTicks([ticks])
