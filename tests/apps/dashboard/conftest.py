"""A Qt application without a screen, whose warnings fail the test, and a clock to set."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")

from PySide6.QtCore import (
    QCoreApplication,
    QEvent,
    QMessageLogContext,
    QtMsgType,
    qInstallMessageHandler,
)
from PySide6.QtGui import QPalette
from PySide6.QtWidgets import QApplication, QMainWindow

from apps.dashboard.application import application

# The offscreen platform says this of dialogs; no real one does.
EXPECTED = (
    "This plugin does not support propagateSizeHints()",
    "This plugin does not support raise()",
)


class Clock:
    """Seconds that pass only when told."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture(autouse=True)
def qt() -> Iterator[QApplication]:
    """Give the application; afterwards no window is left and nothing was complained of."""
    complaints: list[str] = []

    def listen(kind: QtMsgType, context: QMessageLogContext, text: str | None) -> None:
        if kind != QtMsgType.QtDebugMsg and text not in EXPECTED:
            complaints.append(str(text))

    before = qInstallMessageHandler(listen)
    running = application()
    running.setPalette(QPalette(running.style().standardPalette()))
    yield running
    for widget in running.topLevelWidgets():
        if isinstance(widget, QMainWindow):  # what else there is belongs to it or to pyqtgraph
            widget.close()
            widget.deleteLater()
    QCoreApplication.sendPostedEvents(None, QEvent.Type.DeferredDelete.value)
    running.processEvents()
    qInstallMessageHandler(before)
    assert complaints == []
