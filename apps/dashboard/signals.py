"""The signals panel: one plot a modality, the last seconds of each."""

from __future__ import annotations

import math
import warnings
from collections.abc import Mapping, Sequence

import numpy as np
import pyqtgraph as pg
from numpy.typing import NDArray
from PySide6.QtCore import QPointF, Qt
from PySide6.QtGui import QFont, QFontMetricsF
from PySide6.QtWidgets import QGraphicsSimpleTextItem

from apps.dashboard.card import Card, plain_label, set_colour
from apps.dashboard.state import SPAN, Modality, Person, StreamStatus
from apps.dashboard.text import modality_title, plain, unit_title
from apps.dashboard.theme import Theme

# More channels than these are drawn one below the other, each on a line of its own.
OVERLAID = 6
# Shares of the panel's height: a plot of rows, of curves, and of a face that is there or not.
TALL, USUAL, LOW = 13, 3, 2
SMALLEST_LETTERS = 9  # pixels


class SignalPlot:
    """The plot of one modality.

    Parameters
    ----------
    plot : pyqtgraph.PlotItem
    modality : Modality
    theme : Theme
    last : bool
        Whether it is the lowest plot, which alone carries the time axis.
    """

    def __init__(self, plot: pg.PlotItem, modality: Modality, theme: Theme, last: bool) -> None:
        self.modality = modality
        self._plot, self._theme, self._last = plot, theme, last
        self._channels = 0
        # A curve a channel; where channels have rows of their own, a curve a colour, since each
        # costs as much as its points.
        self._curves: list[pg.PlotCurveItem] = []
        self._range = (np.nan, np.nan)
        self._steps = np.empty(0)
        self._centre = np.empty(0)
        self._small = 9
        self._named: tuple[list[tuple[float, str]], QFont] | None = None
        plot.hideButtons()
        plot.setMouseEnabled(False, False)
        plot.vb.setXRange(-SPAN, 0.0, padding=0)
        plot.setClipToView(False)
        plot.showGrid(x=True, y=True, alpha=0.25)
        moments = [(-s, f"−{s}" if s else "0") for s in range(0, round(SPAN) + 1, 5)]
        plot.getAxis("bottom").setTicks([moments])
        self._heading = self._add_text()
        self._value = self._add_text()
        self._alarm = self._add_text()
        self._legend: list[QGraphicsSimpleTextItem] = []
        for side in ("left", "bottom"):
            axis = plot.getAxis(side)
            # Axes are drawn once and kept as pictures: they cost more than the curves.
            axis.setCacheMode(axis.CacheMode.DeviceCoordinateCache)
            axis.setStyle(maxTickLevel=0)
            axis.setPen(theme.grid)
            axis.setTextPen(theme.muted)
        if last:
            plot.getAxis("bottom").setLabel(
                "time before the newest sample (s)", color=theme.muted.name()
            )
        else:
            plot.getAxis("bottom").setStyle(showValues=False)

    def set_font(self, font: QFont) -> None:
        """Scale all text."""
        small = QFont(font)
        self._small = max(round(font.pixelSize() * 0.85), 9)
        small.setPixelSize(self._small)
        self._named = None
        for side in ("left", "bottom"):
            self._plot.getAxis(side).setStyle(tickFont=small)
        self._plot.getAxis("left").setWidth(round(font.pixelSize() * 3.6))
        bottom = self._plot.getAxis("bottom")
        bottom.setHeight(round(font.pixelSize() * 2.7) if self._last else 6)
        if self._last:
            bottom.label.setFont(small)
        bold = QFont(font)
        bold.setBold(True)
        self._heading.setFont(bold)
        self._value.setFont(font)
        alarm = QFont(bold)
        alarm.setPixelSize(round(font.pixelSize() * 1.6))
        self._alarm.setFont(alarm)
        for item in self._legend:
            item.setFont(bold)

    def refresh(self, person: Person, status: StreamStatus | None, slow: bool) -> None:
        """Draw the newest samples; with `slow`, the scale and the texts as well."""
        trace = person.traces.get(self.modality.name)
        if trace is not None:
            if self._channels != trace.channels:
                self._set_channels(trace.channels)
                slow = True
            now = person.newest
            # Rows are low: half as fine is as good to the eye, and half the work.
            columns = self._plot.vb.width() / (2 if trace.channels > OVERLAID else 1)
            times, values = trace.view(now - SPAN, max(int(columns), 50))
            if slow:
                self._scale(values)
            self._draw(times - now, values)
        elif self.modality.face and slow:
            self._scale(np.empty((0, 1), np.float32))
        if slow:
            self._show_texts(trace is not None, status)

    def _add_text(self) -> QGraphicsSimpleTextItem:
        item = QGraphicsSimpleTextItem(self._plot.vb)
        item.setZValue(100)
        return item

    def _set_channels(self, count: int) -> None:
        for curve in self._curves:
            self._plot.removeItem(curve)
        for text in self._legend:
            text.scene().removeItem(text)
        self._legend = []
        colours = self._theme.channels
        self._channels = count
        # Width 1 and no antialiasing: either costs several times as much to draw.
        self._curves = [
            pg.PlotCurveItem(
                pen=pg.mkPen(colours[index % len(colours)], width=1),
                skipFiniteCheck=False,
                connect="finite",
                antialias=False,
            )
            for index in range(min(count, len(colours)) if count > OVERLAID else count)
        ]
        for curve in self._curves:
            self._plot.addItem(curve)
        self._range = (np.nan, np.nan)
        names = [plain(name, 12) for name in self.modality.channels[:count]]
        if 1 < count <= OVERLAID:
            for index, name in enumerate(names):
                item = self._add_text()
                item.setFont(self._heading.font())
                item.setText(name)
                item.setBrush(colours[index % len(colours)])
                self._legend.append(item)

    def _scale(self, values: NDArray[np.float32]) -> None:
        """Fit the vertical axis when the signal leaves it, or when it is much too wide."""
        if self.modality.face:
            self._plot.vb.setYRange(-0.6, 2.6, padding=0)
            self._plot.getAxis("left").setTicks([[(0.0, "no"), (1.0, "yes")]])
            return
        finite = np.isfinite(values)
        if not finite.any():
            return
        count = values.shape[1]
        if count > OVERLAID:
            with np.errstate(all="ignore"), warnings.catch_warnings():
                warnings.simplefilter("ignore", RuntimeWarning)  # a channel that is missing
                self._centre = np.nan_to_num(np.nanmedian(values, axis=0))
            spread = float(np.nanpercentile(np.abs(values - self._centre), 98))
            if not 0.5 < spread / max(self._range[1], 1e-12) < 1.2:
                self._range = (0.0, max(spread, 1e-9))
            self._steps = np.arange(count - 1.0, -1.0, -1.0)
            self._fit_rows(count)
            return
        low, high = float(values[finite].min()), float(values[finite].max())
        # A flat line is drawn flat, not as magnified noise.
        least = max(1e-3 * max(abs(low), abs(high)), 1e-6)
        if high - low < least:
            middle = (high + low) / 2
            low, high = middle - least / 2, middle + least / 2
        bottom, top = self._range
        if not (bottom <= low and high <= top and (high - low) > 0.5 * (top - bottom)):
            margin = 0.1 * (high - low)
            self._range = (low - margin, high + margin)
            # The upper quarter is kept for the heading.
            self._plot.vb.setYRange(low - margin, high + margin + 0.4 * (high - low), padding=0)

    def _fit_rows(self, count: int) -> None:
        """Leave room for the heading, and name every row, or as many as can be read."""
        height = max(self._plot.vb.height(), 1.0)
        line = 1.5 * self._heading.font().pixelSize()
        room = max(height - line, line)
        # A blink may rise a row and a half above the first row: it stays below the heading.
        rows = count + 1.2
        self._plot.vb.setYRange(-0.7, rows * (1 + line / room) - 0.7, padding=0)
        pitch = room / rows
        letters = QFont(self._heading.font())
        letters.setBold(False)
        letters.setPixelSize(int(min(max(pitch, SMALLEST_LETTERS), self._small)))
        every = max(1, math.ceil(0.9 * letters.pixelSize() / pitch))
        names = self.modality.channels[:count]
        ticks = [
            (count - 1.0 - index, plain(name, 8))
            for index, name in enumerate(names)
            if index % every == 0
        ]
        axis = self._plot.getAxis("left")
        if (ticks, letters) != self._named:  # the axis is drawn anew each time that it is told
            self._named = (ticks, letters)
            axis.setStyle(tickFont=letters)
            axis.setTicks([ticks])

    def _draw(self, times: NDArray[np.float64], values: NDArray[np.float32]) -> None:
        if values.shape[1] > OVERLAID:
            if not len(self._steps):
                return
            scaled = (values - self._centre) / (2.0 * self._range[1]) + self._steps
            # A missing value after each row lifts the pen.
            rows = np.vstack([scaled, np.full(scaled.shape[1], np.nan)]).T
            moments = np.append(times, 0.0)
            for index, curve in enumerate(self._curves):
                own = rows[index :: len(self._curves)]
                curve.setData(np.tile(moments, len(own)), own.ravel())
            return
        for index, curve in enumerate(self._curves):
            curve.setData(times, values[:, index])

    def _show_texts(self, present: bool, status: StreamStatus | None) -> None:
        theme = self._theme
        unit = unit_title(self.modality.unit)
        heading = f"{modality_title(self.modality.name)} ({unit})"
        if self.modality.face:
            heading = f"{modality_title(self.modality.name)} found"
        if self._channels > OVERLAID:
            heading += f", {2 * self._range[1]:.3g} {unit} a row"
        self._heading.setText(heading)
        self._heading.setBrush(theme.text)
        state = status.state if status is not None else "waiting"
        lost = state not in ("live", "waiting")
        self._alarm.setText(_alarm(status) if lost else "" if present else "waiting for a stream")
        self._alarm.setBrush(theme.state(state) if lost else theme.muted)
        rate = status.effective_rate if status is not None else None
        self._value.setText("" if rate is None or lost else f"{rate:.1f} Hz")
        self._value.setBrush(theme.muted)
        for curve in self._curves:
            curve.setOpacity(0.35 if lost else 1.0)
        self._place()

    def _place(self) -> None:
        """Put the texts: heading left, channel names beside it, rate right, alarm centred."""
        box = self._plot.vb.rect()
        metrics = QFontMetricsF(self._heading.font())
        self._heading.setPos(QPointF(6, 2))
        left = 6 + self._heading.boundingRect().width() + metrics.averageCharWidth() * 2
        for item in self._legend:
            item.setPos(QPointF(left, 2))
            left += item.boundingRect().width() + metrics.averageCharWidth()
        self._value.setPos(QPointF(box.width() - self._value.boundingRect().width() - 6, 2))
        alarm = self._alarm.boundingRect()
        self._alarm.setPos(
            QPointF((box.width() - alarm.width()) / 2, (box.height() - alarm.height()) / 2)
        )


class SignalsPanel(Card):
    """All modalities of one participant."""

    def __init__(self, theme: Theme) -> None:
        super().__init__("Signals", theme)
        self.set_remark("filtered")
        self._view: pg.GraphicsLayoutWidget | None = None
        self._waiting = plain_label("waiting for the engine")
        self._waiting.setAlignment(Qt.AlignmentFlag.AlignCenter)
        self.body.addWidget(self._waiting)
        self.plots: list[SignalPlot] = []
        self._modalities: tuple[Modality, ...] = ()
        self.set_theme(theme)

    def set_modalities(self, modalities: Sequence[Modality]) -> None:
        """Make one plot for each modality."""
        if self.plots and tuple(modalities) == self._modalities:
            return
        self._modalities = tuple(modalities)
        self.plots = []
        if self._view is not None:
            self.body.removeWidget(self._view)
            self._view.close()
            self._view.deleteLater()
            self._view = None
        self._waiting.setVisible(not self._modalities)
        set_colour(self._waiting, self.theme, "muted")
        if not self._modalities:
            return
        view = self._view = pg.GraphicsLayoutWidget()
        view.setFrameShape(view.Shape.NoFrame)
        view.setMinimumSize(200, 120)
        view.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        view.setBackground(self.theme.card)
        view.ci.layout.setContentsMargins(0, 0, 0, 0)
        view.ci.layout.setSpacing(2)
        self.body.addWidget(view)
        for row, modality in enumerate(self._modalities):
            last = row == len(self._modalities) - 1
            plot = view.addPlot(row=row, col=0, enableMenu=False)
            tall = len(modality.channels) > OVERLAID
            share = TALL if tall else LOW if modality.face else USUAL
            view.ci.layout.setRowStretchFactor(row, share)
            self.plots.append(SignalPlot(plot, modality, self.theme, last))
        self.set_fonts(self.font())

    def set_fonts(self, font: QFont) -> None:
        """Scale all text."""
        for plot in self.plots:
            plot.set_font(font)

    def set_theme(self, theme: Theme) -> None:
        """Change colours."""
        super().set_theme(theme)
        modalities, self._modalities = self._modalities, ()
        self.set_modalities(modalities)

    def refresh(
        self, person: Person, statuses: Mapping[str, StreamStatus], slow: bool = True
    ) -> None:
        """Draw; `statuses` by modality; `slow` as in `SignalPlot.refresh`."""
        for plot in self.plots:
            plot.refresh(person, statuses.get(plot.modality.name), slow)


def _alarm(status: StreamStatus | None) -> str:
    if status is None:
        return ""
    age = "" if status.age is None else f"  {status.age:.1f} s"
    return f"{status.state.upper()}{age}"
