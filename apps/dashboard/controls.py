"""The bar at the top: who is shown, the baseline, the recording, and a menu."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from PySide6.QtCore import Qt
from PySide6.QtGui import QColor, QPalette
from PySide6.QtWidgets import QComboBox, QHBoxLayout, QMenu, QPushButton, QWidget

from apps.dashboard.card import plain_label, set_colour
from apps.dashboard.state import OwnModel, Person, State
from apps.dashboard.text import counted, duration, plain, tooltip
from apps.dashboard.theme import Theme

RECORDING = QColor("#971c15")
MARKING = QColor("#1f6fb0")


class Controls(QWidget):
    """Buttons of the session.

    Parameters
    ----------
    theme : Theme
    toggle_baseline, toggle_recording : callable
    """

    def __init__(
        self,
        theme: Theme,
        toggle_baseline: Callable[[], None],
        toggle_recording: Callable[[], None],
    ) -> None:
        super().__init__()
        self.theme = theme
        self.rig = plain_label("affectstream", bold=True)
        self.participants = QComboBox()
        self.participants.setToolTip("Whose signals and emotions are shown (Ctrl+Tab: the next)")
        self.participants.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToContents)
        self.participants.setAccessibleName("Participant")
        self.own = plain_label()
        self.own.hide()
        self.baseline = QPushButton("Mark baseline")
        self.baseline.setToolTip(
            "Start or stop a stretch of rest that the person is compared with (Ctrl+B)"
        )
        self.baseline.clicked.connect(toggle_baseline)
        self.baseline_text = plain_label()
        self.record = QPushButton("● Record")
        self.record.setToolTip("Start or stop recording all streams and predictions (Ctrl+R)")
        self.record.clicked.connect(toggle_recording)
        self.record_text = plain_label()
        self.record_text.setMinimumWidth(1)
        self.menu = QMenu(self)
        self.menu_button = QPushButton("Menu")
        self.menu_button.setToolTip("Rate now, full screen, picture, stop")
        self.menu_button.setMenu(self.menu)
        layout = QHBoxLayout(self)
        layout.setContentsMargins(2, 0, 2, 0)
        layout.setSpacing(8)
        layout.addWidget(self.rig)
        layout.addWidget(self.participants)
        layout.addWidget(self.own)
        layout.addSpacing(12)
        layout.addWidget(self.baseline)
        layout.addWidget(self.baseline_text)
        layout.addSpacing(12)
        layout.addWidget(self.record)
        layout.addWidget(self.record_text, 1)
        layout.addWidget(self.menu_button)

    def set_participants(self, names: Sequence[str]) -> None:
        """List the participants; the one that is shown stays, also while an engine restarts."""
        self.participants.setVisible(self.participants.count() > 0 or bool(names))
        listed = [self.participants.itemData(i) for i in range(self.participants.count())]
        if not names or listed == list(names):
            return
        current = self.participants.currentData()
        self.participants.blockSignals(True)
        self.participants.clear()
        for name in names:
            self.participants.addItem(plain(name, 30), name)
        index = self.participants.findData(current, Qt.ItemDataRole.UserRole)
        self.participants.setCurrentIndex(max(index, 0))
        self.participants.blockSignals(False)

    def refresh(self, state: State, person: Person | None, now: float, connected: bool) -> None:
        """Show the profile, the baseline and the recording."""
        self.rig.setText(f"affectstream  ·  {plain(state.rig_name, 30)}" if state.rig_name else "")
        self.rig.setVisible(bool(state.rig_name))
        own = None if person is None else person.own
        self.own.setVisible(own is not None)
        if own is not None:
            self.own.setText(_own_text(own))
            self.own.setToolTip(_own_tip(own))
            set_colour(self.own, self.theme, "bad" if own.state == "failed" else "muted")
        self.baseline.setEnabled(connected and person is not None)
        self.record.setEnabled(connected)
        marking = person is not None and person.baseline == "marking"
        self.baseline.setText("■ Stop baseline" if marking else "Mark baseline")
        self._tint(self.baseline, MARKING if marking else None)
        self.baseline_text.setText(_baseline_text(person, now))
        set_colour(self.baseline_text, self.theme, "text" if marking else "muted")
        recording = state.recording is not None and connected
        self.record.setText("■ Stop recording" if recording else "● Record")
        self._tint(self.record, RECORDING if recording else None)
        if not connected:
            self.record_text.setText("no engine")
            set_colour(self.record_text, self.theme, "muted")
        elif state.recording_fault is not None:
            self.record_text.setText(f"▲ recording failed: {plain(state.recording_fault, 120)}")
            set_colour(self.record_text, self.theme, "bad")
        elif recording:
            since = state.recording_since
            length = "" if since is None else f"{duration(now - since)}  "
            self.record_text.setText(f"{length}{plain(_tail(state.recording or ''), 70)}")
            set_colour(self.record_text, self.theme, "text")
        else:
            self.record_text.setText("not recording")
            set_colour(self.record_text, self.theme, "muted")

    def _tint(self, button: QPushButton, colour: QColor | None) -> None:
        palette = self.theme.palette()
        if colour is not None:
            palette.setColor(QPalette.ColorRole.Button, colour)
            palette.setColor(QPalette.ColorRole.ButtonText, QColor("#ffffff"))
        if button.palette() != palette:
            button.setPalette(palette)


def _own_text(own: OwnModel) -> str:
    if own.state == "fitting":
        return "◐ own model: fitting"
    sign = "▲ " if own.state == "failed" else "● " if own.trials else "○ "
    return f"{sign}own model: {counted(own.trials)}"


def _own_tip(own: OwnModel) -> str:
    if own.state == "failed":
        return tooltip(own.text)
    if not own.trials:
        return "Nothing is rated yet: F8 asks for a rating, which fits the model to the person"
    return tooltip(
        f"The model rests on {counted(own.trials)} (step {own.step}), and the band reaches "
        f"{100 * own.radius:.0f} points to either side. F8 asks for another rating"
    )


def _baseline_text(person: Person | None, now: float) -> str:
    if person is None:
        return ""
    if person.baseline == "marking":
        since = person.baseline_since
        return "" if since is None else f"{duration(now - since)}  the person rests"
    if person.baseline == "stated":
        start, stop = person.baseline_start, person.baseline_stop
        return "● stated" if start is None or stop is None else f"● {duration(stop - start)} stated"
    newest = person.windows[-1].baseline if person.windows else ""
    kinds = {"running": "○ running estimate", "profile": "◐ rest of an earlier session"}
    return kinds.get(newest, "○ none")


def _tail(path: str) -> str:
    """Return the end of a path, which tells more than its beginning."""
    return path if len(path) <= 60 else "…" + path[-59:]
