"""Running the dashboard: the Qt application around its window."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path

from PySide6.QtCore import QEventLoop, QTimer
from PySide6.QtWidgets import QApplication

from apps.dashboard.main_window import Dashboard
from apps.link import LinkClient
from realtime.errors import InputError


def has_screen() -> bool:
    """Whether Qt can be expected to open a window here."""
    if sys.platform != "linux" or os.environ.get("QT_QPA_PLATFORM"):
        return True
    return bool(os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"))


def need_screen() -> None:
    """Raise InputError if there is no screen to show a window on."""
    if not has_screen():
        raise InputError(
            "no screen to show the dashboard on (DISPLAY is not set): use `affectstream run`, "
            "or save a picture with `affectstream monitor --screenshot FILE`"
        )


def application() -> QApplication:
    """Return the process's Qt application, made if there is none."""
    running = QApplication.instance()
    if isinstance(running, QApplication):
        return running
    made = QApplication(["affectstream"])
    made.setApplicationName("affectstream")
    made.setStyle("Fusion")
    return made


def run_dashboard(
    client: LinkClient,
    restart: Callable[[], LinkClient] | None = None,
    auto_restart: bool = False,
    quit_engine: bool = False,
    seconds: float | None = None,
    rate_every: float | None = None,
) -> None:
    """Show the dashboard until its window is closed, or for some seconds.

    The other arguments are those of `Dashboard`; with `rate_every` the participant is asked for a
    rating every so many minutes.
    """
    made = application()
    window = Dashboard(client, restart, auto_restart, quit_engine)
    if rate_every is not None:
        window.rate_now.every(rate_every)
    before = signal.signal(signal.SIGINT, lambda _number, _frame: made.quit())
    window.resize(1280, 800)
    window.show()
    if seconds is not None:
        QTimer.singleShot(round(1000 * seconds), made.quit)
    made.exec()
    window.close()
    signal.signal(signal.SIGINT, before)


def save_screenshot(
    client: LinkClient, path: Path, seconds: float, size: tuple[int, int] = (1280, 800)
) -> None:
    """Listen for some seconds, then save a picture of the dashboard; needs no screen."""
    if not has_screen():
        os.environ["QT_QPA_PLATFORM"] = "offscreen"
    application()
    window = Dashboard(client)
    window.resize(*size)
    window.show()
    loop = QEventLoop()
    QTimer.singleShot(round(1000 * max(seconds, 0.2)), loop.quit)
    loop.exec()
    window.tick()
    try:
        window.render(path, size)
    finally:
        window.close()
