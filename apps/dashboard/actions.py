"""Keyboard shortcuts, and the menu."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING

from PySide6.QtGui import QAction, QKeySequence

if TYPE_CHECKING:
    from apps.dashboard.main_window import Dashboard


def add_actions(window: Dashboard) -> None:
    """Give a dashboard its shortcuts; those that have no button are in the menu as well."""
    controls = window.controls
    for text, keys, slot, listed in (
        ("Mark baseline", "Ctrl+B", controls.baseline.click, False),
        ("Record", "Ctrl+R", controls.record.click, False),
        ("Type a marker", "Ctrl+M", window.markers.entry.setFocus, False),
        ("Next participant", "Ctrl+Tab", lambda: _next_participant(window), False),
        ("Rate now", "F8", window.rate_now.ask, True),
        ("Full screen", "F11", lambda: _toggle_full_screen(window), True),
        ("Save a picture", "Ctrl+P", lambda: _save_picture(window), True),
        ("Stop engine and close", "Ctrl+Shift+Q", window.stop_engine, True),
        ("Close", "Ctrl+Q", window.close_by_hand, True),
    ):
        action = QAction(text, window)
        action.setShortcut(QKeySequence(keys))
        action.triggered.connect(lambda _=False, slot=slot: slot())
        window.addAction(action)
        if listed:
            controls.menu.addAction(action)


def _next_participant(window: Dashboard) -> None:
    box = window.controls.participants
    if box.count():
        box.setCurrentIndex((box.currentIndex() + 1) % box.count())


def _toggle_full_screen(window: Dashboard) -> None:
    if window.isFullScreen():
        window.showNormal()
    else:
        window.showFullScreen()


def _save_picture(window: Dashboard) -> None:
    path = Path.home() / time.strftime("affectstream-%Y%m%d-%H%M%S.png")
    if window.grab().save(str(path), "PNG"):
        window.note("info", f"picture saved as {path}")
    else:
        window.note("error", f"cannot write {path}")
