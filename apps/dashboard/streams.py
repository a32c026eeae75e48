"""The stream table: each stream's state, data age, rate and quality."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import QModelIndex, QPersistentModelIndex, QRectF, Qt
from PySide6.QtGui import QColor, QFont, QFontMetrics, QPainter
from PySide6.QtWidgets import (
    QAbstractItemView,
    QHeaderView,
    QStyledItemDelegate,
    QStyleOptionViewItem,
    QTableWidget,
    QTableWidgetItem,
)

from apps.dashboard.card import Card
from apps.dashboard.state import StreamStatus
from apps.dashboard.text import modality_title, plain, tooltip
from apps.dashboard.theme import Theme

COLUMNS = (
    ("State", "live; waiting for the stream; silent; lost (no data for 2 s); changed channels"),
    ("Sensor", "Modality of the rig that the stream serves"),
    ("Stream", "Name of the LSL stream"),
    ("Person", "Participant"),
    ("Age (s)", "Time since the newest sample was taken"),
    ("Rate (Hz)", "Effective rate, and nominal rate if that differs"),
    ("Valid (%)", "Valid samples in the window"),
    ("Quality (%)", "The sensor's own quality index"),
    ("Gaps", "Gaps in the data so far"),
    ("Resets", "Clock resets so far"),
    ("Dropped", "Samples dropped because a queue was full"),
    ("  Notes", "What was converted, resampled or is missing"),
)
STATE, SENSOR, STREAM, PERSON, AGE, RATE, VALID, QUALITY, GAPS, RESETS, DROPPED, NOTES = range(12)
# A sign of its own for each state, so that colour is not needed to tell them apart.
SIGNS = {"live": "●", "waiting": "○", "silent": "▲", "lost": "✕", "changed": "◆"}
_TINT = Qt.ItemDataRole.UserRole
_SHARE = Qt.ItemDataRole.UserRole + 1


class _CellPainter(QStyledItemDelegate):
    """Draws a tint behind a state, and a bar behind a share."""

    def paint(
        self,
        painter: QPainter,
        option: QStyleOptionViewItem,
        index: QModelIndex | QPersistentModelIndex,
    ) -> None:
        """Draw one cell."""
        tint = index.data(_TINT)
        if isinstance(tint, QColor):
            area = QRectF(option.rect).adjusted(2, 2, -2, -2)
            share = index.data(_SHARE)
            if isinstance(share, float):
                area.setWidth(area.width() * min(max(share, 0.0), 1.0))
            faint = QColor(tint)
            faint.setAlphaF(0.25)
            painter.fillRect(area, faint)
        super().paint(painter, option, index)


class StreamsPanel(Card):
    """All streams of the session."""

    def __init__(self, theme: Theme) -> None:
        super().__init__("Streams", theme)
        self.table = QTableWidget(0, len(COLUMNS))
        for column, (title, explanation) in enumerate(COLUMNS):
            head = QTableWidgetItem(title)
            head.setToolTip(explanation)
            head.setTextAlignment(_side(column))
            self.table.setHorizontalHeaderItem(column, head)
        self.table.setFrameShape(QTableWidget.Shape.NoFrame)
        self.table.setShowGrid(False)
        self.table.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        self.table.setSelectionMode(QAbstractItemView.SelectionMode.NoSelection)
        self.table.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self.table.setWordWrap(False)
        self.table.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.table.verticalHeader().hide()
        header = self.table.horizontalHeader()
        header.setHighlightSections(False)
        header.setSectionResizeMode(QHeaderView.ResizeMode.Fixed)
        header.setSectionResizeMode(NOTES, QHeaderView.ResizeMode.Stretch)
        self._painter = _CellPainter(self.table)
        self.table.setItemDelegate(self._painter)
        self.body.addWidget(self.table)

    def set_fonts(self, font: QFont) -> None:
        """Scale rows and columns."""
        font = QFont(font)
        font.setPixelSize(max(round(0.92 * font.pixelSize()), 10))
        self.table.setFont(font)
        self.table.horizontalHeader().setFont(font)
        metrics = QFontMetrics(font)
        self.table.verticalHeader().setDefaultSectionSize(round(metrics.height() * 1.45))
        widest = {
            STATE: "✕ waiting  ",
            SENSOR: "Temperature  ",
            STREAM: "a stream's name  ",
            PERSON: "participant",
            AGE: "Age (s)  ",
            RATE: "999.9 / 1000 ",
            VALID: "Valid (%)  ",
            QUALITY: "Quality (%)  ",
            GAPS: "Gaps  ",
            RESETS: "Resets  ",
            DROPPED: "Dropped  ",
        }
        for column, text in widest.items():
            self.table.setColumnWidth(column, metrics.horizontalAdvance(text) + 8)

    def refresh(self, statuses: Sequence[StreamStatus], people: int) -> None:
        """Show all streams, in their own order so that a row stays where it is."""
        self.table.setColumnHidden(PERSON, people < 2)
        # On a small screen the notes need the room more.
        letters = self.width() / max(self.font().pixelSize(), 1)
        self.table.setColumnHidden(RESETS, letters < 76)
        words = "a stream's long name and P1" if letters > 68 else "a stream's name  "
        wide = QFontMetrics(self.table.font()).horizontalAdvance(words) + 8
        if self.table.columnWidth(STREAM) != wide:
            self.table.setColumnWidth(STREAM, wide)
        self.table.setRowCount(len(statuses))
        for row, status in enumerate(statuses):
            self._fill(row, status)
        self._summarise(statuses)

    def _summarise(self, statuses: Sequence[StreamStatus]) -> None:
        count = {state: sum(s.state == state for s in statuses) for state in SIGNS}
        bad = [
            f"{SIGNS[state]} {count[state]} {state}"
            for state in ("lost", "changed", "silent", "waiting")
            if count[state]
        ]
        if not statuses:
            self.set_remark("none found yet")
        elif not bad:
            self.set_remark(f"● {len(statuses)} live", "good")
        else:
            colour = "bad" if count["lost"] else "warning"
            self.set_remark(" · ".join([*bad, f"{count['live']} live"]), colour)

    def _fill(self, row: int, status: StreamStatus) -> None:
        colour = self.theme.state(status.state)
        state = plain(status.state, 10)
        self._put(row, STATE, f"{SIGNS.get(status.state, '?')} {state}", tint=colour)
        self._put(row, SENSOR, modality_title(status.modality))
        about = f"{tooltip(status.name)} · source {tooltip(status.source_id or 'unnamed')}"
        self._put(row, STREAM, plain(status.name, 40), about)
        self._put(row, PERSON, plain(status.participant, 24))
        self._put(row, AGE, "–" if status.age is None else f"{min(status.age, 9999):.1f}")
        self._put(row, RATE, _rate(status))
        for column, share in ((VALID, status.valid), (QUALITY, status.quality)):
            known = share is not None
            text = f"{100 * share:.0f}" if share is not None else "–"
            enough = "good" if known and share >= 0.8 else "warning"  # type: ignore[operator]
            tint = getattr(self.theme, enough) if known else None
            self._put(row, column, text, tint=tint, share=share)
        for column, number in (
            (GAPS, status.gaps),
            (RESETS, status.clock_resets),
            (DROPPED, status.dropped),
        ):
            self._put(row, column, str(number))
        self._put(row, NOTES, "  " + plain(status.notes, 200), tooltip(status.notes))

    def _put(
        self,
        row: int,
        column: int,
        text: str,
        about: str = "",
        tint: QColor | None = None,
        share: float | None = None,
    ) -> None:
        item = self.table.item(row, column)
        if item is None:
            item = QTableWidgetItem()
            item.setTextAlignment(_side(column))
            self.table.setItem(row, column, item)
        if item.text() != text:
            item.setText(text)
        if about and item.toolTip() != about:
            item.setToolTip(about)
        if item.data(_TINT) != tint:
            item.setData(_TINT, tint)
        if item.data(_SHARE) != share:
            item.setData(_SHARE, share)
        item.setForeground(self.theme.text)


def _rate(status: StreamStatus) -> str:
    if status.effective_rate is None:
        return f"– / {status.nominal_rate:g}" if status.nominal_rate else "–"
    rate = f"{status.effective_rate:.1f}"
    return f"{rate} / {status.nominal_rate:g}" if status.nominal_rate else rate


def _side(column: int) -> Qt.AlignmentFlag:
    left = column in (STATE, SENSOR, STREAM, PERSON, NOTES)
    side = Qt.AlignmentFlag.AlignLeft if left else Qt.AlignmentFlag.AlignRight
    return side | Qt.AlignmentFlag.AlignVCenter
