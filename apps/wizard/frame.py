"""What is around every page of the wizard: where one is, what is wrong, keys and buttons."""

from __future__ import annotations

from collections.abc import Callable

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QHBoxLayout, QProgressBar, QPushButton, QVBoxLayout, QWidget

from apps.dashboard.banner import EngineNotice
from apps.dashboard.card import plain_label, set_colour
from apps.dashboard.text import modality_title, plain
from apps.dashboard.theme import Theme
from apps.wizard.layout import scaled
from apps.wizard.pages import Page
from calibration.guided import ENDED, Guided


class Frame(QWidget):
    """Holds one page at a time.

    Parameters
    ----------
    theme : Theme
    restart, pause, repeat, end : callable
        What the buttons do.
    """

    def __init__(
        self,
        theme: Theme,
        restart: Callable[[], None],
        pause: Callable[[], None],
        repeat: Callable[[], None],
        end: Callable[[], None],
    ) -> None:
        super().__init__()
        self.page = Page()
        self.place, self.warning = plain_label(bold=True), plain_label()
        set_colour(self.warning, theme, "bad")
        self.warning.setMinimumWidth(1)
        self.progress = _bar("Progress")
        self.progress.setMaximumSize(320, 10)
        self.notice = EngineNotice(theme, restart)
        self.message = plain_label()
        self.message.setWordWrap(True)
        set_colour(self.message, theme, "bad")
        self.message.hide()
        self.time = _bar("Time left")
        self.time.setFixedHeight(6)
        self.help = scaled(plain_label(), 0.8)
        self.help.setWordWrap(True)
        set_colour(self.help, theme, "muted")
        head = QHBoxLayout()
        head.addWidget(self.place)
        head.addWidget(self.warning, 1)
        head.addWidget(self.progress)
        self.pause, self.repeat = QPushButton("Pause"), QPushButton("Repeat task")
        self.end = QPushButton("End …")
        self.end.setToolTip("End for good (Ctrl+Shift+Q)")
        foot = QHBoxLayout()
        foot.addWidget(self.help, 1)
        for made, slot in ((self.pause, pause), (self.repeat, repeat), (self.end, end)):
            made.setFocusPolicy(Qt.FocusPolicy.NoFocus)  # each has a key; the page keeps the focus
            made.clicked.connect(lambda _=False, slot=slot: slot())
            foot.addWidget(made)
        layout = self._layout = QVBoxLayout(self)
        layout.setContentsMargins(24, 16, 24, 12)
        layout.setSpacing(12)
        layout.addLayout(head)
        layout.addWidget(self.notice)
        layout.addWidget(self.message)
        layout.addWidget(self.page, 1)
        layout.addWidget(self.time)
        layout.addLayout(foot)

    def set_page(self, page: Page, keep: bool) -> None:
        """Show another page; the one before is kept for later, or deleted."""
        old, self.page = self.page, page
        self._layout.replaceWidget(old, page)
        old.hide()
        if not keep:
            old.deleteLater()
        page.show()

    def refresh(self, guided: Guided, measures: bool) -> None:
        """Show how far the session is; `measures` if the state of the sensors is known."""
        done, whole = guided.progress
        self.progress.setRange(0, max(whole, 1))
        self.progress.setValue(done)
        in_task = guided.state in ("stimulus", "rating") and done < whole
        self.place.setText(f"Task {done + 1} of {whole}" if in_task else "")
        watched = measures and guided.state in ("rest", "stimulus", "rating", "break")
        names = ", ".join(modality_title(check.modality) for check in guided.failing)
        self.warning.setText(f"▲ {names}: check the sensor" if watched and names else "")
        left = guided.left
        runs = guided.state == "stimulus" and guided.running and left is not None
        self.time.setVisible(runs)
        if left is not None and guided.seconds:
            self.time.setValue(round(1000 * left / guided.seconds))
        for made, action in (
            (self.pause, "pause"),
            (self.repeat, "repeat_trial"),
            (self.end, "abort"),
        ):
            made.setEnabled(guided.can(action))
            made.setVisible(guided.state not in ("consent", *ENDED))
        self.progress.setVisible(guided.state not in ("consent", "check", *ENDED))
        self.help.setText(self._keys(guided))

    def _keys(self, guided: Guided) -> str:
        """Return the keys that do something now."""
        primary = self.page.primary
        keys = [self.page.keys] if self.page.keys else []
        if primary is not None and primary.isVisible() and primary.isEnabled():
            keys.append(f"Enter: {primary.text().lower()}")
        if guided.can("pause"):
            keys.append("Ctrl+P: pause")
        if guided.can("repeat_trial"):
            keys.append("Ctrl+R: repeat")
        if guided.state not in ENDED:
            keys.append("Ctrl+Q: leave, to be continued")
        return "   ·   ".join([*keys, "F11: full screen"])

    def say(self, text: str) -> None:
        """Show a message until the next one."""
        self.message.setText(plain(text, 300))
        self.message.setVisible(bool(text))


def _bar(name: str) -> QProgressBar:
    bar = QProgressBar()
    bar.setRange(0, 1000)
    bar.setTextVisible(False)
    bar.setAccessibleName(name)
    return bar
