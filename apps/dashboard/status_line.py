"""The line at the bottom: the engine's last message, latency, drops, versions."""

from __future__ import annotations

import math
from collections.abc import Sequence

from PySide6.QtWidgets import QHBoxLayout, QWidget

from apps.dashboard.card import plain_label, set_colour
from apps.dashboard.state import State, StreamStatus
from apps.dashboard.text import plain
from apps.dashboard.theme import Theme

NOTE = 15.0  # s that a message stays


class StatusLine(QWidget):
    """Four texts in a row."""

    def __init__(self, theme: Theme) -> None:
        super().__init__()
        self.theme = theme
        self.note, self._latency = plain_label(), plain_label()
        self._drops, self._about = plain_label(), plain_label()
        self._note_until = -math.inf
        self.note.setMinimumWidth(1)  # a long message is cut
        self._latency.setToolTip(
            "From the arrival of the sample that completes a window to its published distribution"
        )
        self._drops.setToolTip("Samples that full queues dropped, and that clocks ruled out")
        layout = QHBoxLayout(self)
        layout.setContentsMargins(2, 0, 2, 4)
        layout.setSpacing(20)
        layout.addWidget(self.note, 1)
        for label in (self._latency, self._drops, self._about):
            layout.addWidget(label)

    def show_note(self, level: str, text: str, now: float) -> None:
        """Show a message for a while."""
        sign = {"warning": "▲ ", "error": "✕ ", "critical": "✕ "}.get(level.lower(), "")
        self.note.setText(sign + plain(text, 160))
        self.note.setToolTip("")
        set_colour(self.note, self.theme, "bad" if sign else "muted")
        self._note_until = now + NOTE

    def refresh(self, state: State, streams: Sequence[StreamStatus], now: float) -> None:
        """Show the state's figures."""
        if state.latency is None:
            self._latency.setText("latency –")
        else:
            p50, p99 = state.latency
            self._latency.setText(f"latency {p50:.0f} ms (p99 {p99:.0f} ms)")
        dropped = sum(status.dropped for status in streams)
        self._drops.setText(f"dropped {dropped} samples")
        version = f"affectstream {state.version}" if state.version else ""
        about = [text for text in (state.checkpoint, version) if text]
        self._about.setText(plain("  ·  ".join(about), 60))
        if now > self._note_until:
            self.note.setText("")
        for label in (self._latency, self._about):
            set_colour(label, self.theme, "muted")
        set_colour(self._drops, self.theme, "warning" if dropped else "muted")
