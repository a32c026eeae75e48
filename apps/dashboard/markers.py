"""The markers panel: what came in, and a line to type one."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Sequence

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QAbstractItemView, QHBoxLayout, QLineEdit, QListWidget, QPushButton

from apps.dashboard.card import Card
from apps.dashboard.state import Marker
from apps.dashboard.text import plain, tooltip
from apps.dashboard.theme import Theme

MAX_TEXT = 200


def readable(text: str) -> str:
    """Return one of our own events in words, and any other marker as it is."""
    if not text.startswith("{") or len(text) > 10_000:
        return text
    try:
        content = json.loads(text)
    except (ValueError, RecursionError):
        return text
    if not isinstance(content, dict) or "affectstream" not in content:
        return text
    words = str(content.get("event", "event")).replace("_", " ")
    details = [
        str(content[key])
        for key in ("trial", "condition", "instrument", "text")
        if isinstance(content.get(key), str | int) and content[key] != ""
    ]
    if words == "note" and details:
        return " ".join(details)
    return f"{words}: {' '.join(details)}" if details else words


class MarkersPanel(Card):
    """Markers of all streams, the newest at the bottom.

    Parameters
    ----------
    theme : Theme
    send : callable
        Takes the text of a marker that the operator typed.
    """

    def __init__(self, theme: Theme, send: Callable[[str], None]) -> None:
        super().__init__("Markers", theme)
        self._send = send
        self._shown: list[Marker] = []
        self.list = QListWidget()
        self.list.setFrameShape(QListWidget.Shape.NoFrame)
        self.list.setSelectionMode(QAbstractItemView.SelectionMode.NoSelection)
        self.list.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self.list.setTextElideMode(Qt.TextElideMode.ElideRight)
        self.list.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.entry = QLineEdit()
        self.entry.setMaxLength(MAX_TEXT)
        self.entry.setPlaceholderText("type a marker, then Enter")
        self.entry.setToolTip("Text of a marker that is stamped now (Ctrl+M comes here)")
        self.entry.returnPressed.connect(self._submit)
        self.button = QPushButton("Send")
        self.button.setToolTip("Send the marker (Enter)")
        self.button.clicked.connect(self._submit)
        line = QHBoxLayout()
        line.addWidget(self.entry, 1)
        line.addWidget(self.button)
        self.body.addWidget(self.list, 1)
        self.body.addLayout(line)

    def refresh(self, markers: Sequence[Marker], newest: float | None) -> None:
        """Show markers; `newest` is the session's time now, which gives them their time of day."""
        if list(markers) == self._shown:
            return
        same = self._shown == list(markers)[: len(self._shown)]
        if not same:
            self.list.clear()
        start = self.list.count()
        for number, marker in enumerate(list(markers)[start:], start + 1):
            moment = time.time() if newest is None else time.time() - (newest - marker.time)
            clock = time.strftime("%H:%M:%S", time.localtime(min(max(moment, 0.0), 4e9)))
            origin = f"  ({plain(marker.stream, 24)})" if marker.stream else ""
            self.list.addItem(f"{number}  {clock}  {plain(readable(marker.text), 100)}{origin}")
            self.list.item(self.list.count() - 1).setToolTip(tooltip(marker.text))
        self._shown = list(markers)
        self.list.scrollToBottom()
        self.set_remark(f"{len(self._shown)}" if self._shown else "none yet")

    def _submit(self) -> None:
        text = self.entry.text().strip()
        if text:
            self._send(text)
            self.entry.clear()
