"""The dashboard's window: takes messages, lays out the panels, redraws twenty times a second."""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from PySide6.QtCore import QSize, Qt, QTimer
from PySide6.QtGui import QCloseEvent, QFont, QResizeEvent
from PySide6.QtWidgets import (
    QApplication,
    QGridLayout,
    QMainWindow,
    QMessageBox,
    QVBoxLayout,
    QWidget,
)

from apps.dashboard.actions import add_actions
from apps.dashboard.balance import BalancePanel
from apps.dashboard.banner import EngineNotice, SourceBanner
from apps.dashboard.camera import CameraLink, CameraPanel
from apps.dashboard.choice import ChoiceDialog
from apps.dashboard.controls import Controls
from apps.dashboard.distribution import DistributionPanel
from apps.dashboard.engine_watch import EngineWatch
from apps.dashboard.markers import MarkersPanel
from apps.dashboard.rate_now import RateNow, profile_note
from apps.dashboard.signals import SignalsPanel
from apps.dashboard.state import Person, State, StreamStatus
from apps.dashboard.status_line import StatusLine
from apps.dashboard.streams import StreamsPanel
from apps.dashboard.theme import current_theme
from apps.dashboard.timeline import TimelinePanel
from apps.link import LinkClient
from realtime.errors import InputError

logger = logging.getLogger(__name__)

FRAME = 50  # ms
SLOW = 0.25  # s between redraws of what changes slowly
# Best first: of several streams that serve one sensor, its plot shows the worst.
STATES = ("live", "waiting", "silent", "changed", "lost")


class Dashboard(QMainWindow):
    """Shows an engine's session.

    Parameters
    ----------
    client : LinkClient or None
        The engine to listen to; None shows only what `apply` is given.
    restart : callable, optional
        Starts a new engine and returns a client that is attached to it; called in a thread of
        its own. Without it the button looks for an engine of the same name.
    auto_restart : bool
        Restart an engine that died, without a click, three times a minute at most.
    quit_engine : bool
        Closing the window stops the engine.
    clock : callable
        Seconds of a monotonic clock.
    """

    def __init__(
        self,
        client: LinkClient | None,
        restart: Callable[[], LinkClient] | None = None,
        auto_restart: bool = False,
        quit_engine: bool = False,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        super().__init__()
        self.client = client
        self.state = State()
        self._quit_engine, self._clock = quit_engine, clock
        self._goodbye = False
        self._resume_recording = False
        self._last_slow = -math.inf
        self._new_window = True
        self._faults: set[str] = set()
        self._statuses: dict[str, StreamStatus] = {}
        self._choices: dict[tuple[str, str], ChoiceDialog] = {}
        self._camera_link = CameraLink()
        self.setWindowTitle("affectstream")
        self.setMinimumSize(960, 640)
        self._build()
        self._watch = EngineWatch(self.notice, restart, auto_restart)
        self.rate_now = RateNow(self, clock)
        add_actions(self)
        self.change_theme()
        self._timer = QTimer(self)
        self._timer.setInterval(FRAME)
        self._timer.timeout.connect(self.tick)
        self._timer.start()

    # What the engine says

    def apply(self, message: Mapping[str, Any]) -> None:
        """Take in one message; one that does not fit is reported once and left out."""
        kind = str(message.get("t"))
        try:
            if kind == "choice":
                self._ask(message)
            elif kind == "log":
                self.note(str(message["level"]), str(message["text"]))
            elif kind == "bye":
                self._goodbye = True
            elif kind == "preview":
                self.camera.apply(message, self._clock())
            else:
                self.state.update(message, self._clock())
                if kind == "hello":
                    self._greet()
                elif kind == "window":
                    self._new_window = True
                elif kind == "profile":
                    self.note(*profile_note(message))
                elif kind == "recording" and self.state.recording is not None:
                    self._resume_recording = False
        except (KeyError, TypeError, ValueError, AttributeError, OverflowError) as error:
            if kind not in self._faults:
                self._faults.add(kind)
                logger.warning("left out a %s message that does not fit: %r", kind, error)

    def tick(self) -> None:
        """Take in what has arrived, and redraw."""
        restarted = self._watch.take_restarted()
        if restarted is not None:
            self.attach(restarted)
        if self.client is not None:
            alive = self.client.alive  # asked first: what came before the end is not missed
            for message in self.client.poll():
                self.apply(message)
            if not alive and not self._watch.ended:
                recording = self.state.recording is not None and not self._goodbye
                self._resume_recording = self._resume_recording or recording
                self._watch.on_end(self.client, self._goodbye, self._clock())
        if self.state.has_face:
            for message in self._camera_link.poll():
                if message["t"] == "preview":  # not the camera's "bye"
                    self.apply(message)
        self.refresh()

    def refresh(self, everything: bool = False) -> None:
        """Redraw what is due."""
        now = self._clock()
        slow = everything or now - self._last_slow >= SLOW
        if slow:
            self._last_slow = now
            if current_theme() is not self.theme:  # the desktop's palette has changed
                self.change_theme()
            self._refresh_slow(now)
        person = self.person or Person()
        self.signals.refresh(person, self._statuses, slow)
        if everything or self._new_window:
            self._new_window = False
            self.timeline.refresh(person, self.state.markers, self.state.hop)
            self._refresh_shares(now)

    @property
    def person(self) -> Person | None:
        """The participant that is shown."""
        return self.state.people.get(self.controls.participants.currentData())

    def _refresh_slow(self, now: float) -> None:
        self.controls.set_participants(list(self.state.people))
        shown, person = self.controls.participants.currentData(), self.person
        streams = self.state.streams(now)
        self._statuses = {}
        for status in streams:
            if status.participant in (shown, ""):
                other = self._statuses.get(status.modality)
                if other is None or _badness(status) > _badness(other):
                    self._statuses[status.modality] = status
            if status.state == "live":
                self._drop_choice(status.participant, status.modality)
        self.streams.refresh(streams, len(self.state.people))
        self.controls.refresh(self.state, person, now, not self._watch.ended)
        self.source.set_source(self.state.simulated, self.state.replay, self.state.notice)
        newest = person.windows[-1].time if person is not None and person.windows else None
        self.markers.refresh(self.state.markers, newest)
        self.status.refresh(self.state, streams, now)
        self._refresh_shares(now)
        if self.state.has_face:
            face = next(m.name for m in self.state.modalities if m.face)
            self.camera.refresh(str(shown or ""), self._statuses.get(face), now)

    def _refresh_shares(self, now: float) -> None:
        person, state = self.person, self.state
        shown = person.windows[-1] if person is not None and person.windows else None
        self.distribution.refresh(shown, now, state.hop)
        self.balance.refresh(shown, state.emotions, self.distribution.faded)

    def note(self, level: str, text: str) -> None:
        """Show a message in the status line for a while."""
        self.status.show_note(level, text, self._clock())

    # What the user says

    def send(self, message: dict[str, Any]) -> None:
        """Send a message to the engine, if there is one."""
        if self.client is not None and self.client.alive:
            self.client.send(message)

    def toggle_baseline(self) -> None:
        """Start or stop the baseline of the participant that is shown."""
        person, name = self.person, self.controls.participants.currentData()
        if person is not None:
            action = "stop" if person.baseline == "marking" else "start"
            self.send({"t": "baseline", "participant": name, "action": action})

    def toggle_recording(self) -> None:
        """Start or stop the recording."""
        self._resume_recording = False
        action = "start" if self.state.recording is None else "stop"
        self.send({"t": "record", "action": action})

    def attach(self, client: LinkClient) -> None:
        """Listen to another engine from now on."""
        if self.client is not None:
            self.client.close()
        self.client, self.state = client, State()
        self._goodbye = False
        self._new_window = True
        for key in list(self._choices):
            self._drop_choice(*key)

    def render(  # type: ignore[override]
        self, path: str | Path, size: tuple[int, int] = (1280, 800)
    ) -> None:
        """Save a picture of the window, `size` pixels wide and high, as PNG."""
        self.resize(QSize(*size))
        if not self.isVisible():
            self.show()
        for _ in range(3):  # layouts settle, then plots learn their width
            QApplication.processEvents()
            self.refresh(everything=True)
        QApplication.processEvents()
        if not self.grab().save(str(path), "PNG"):
            raise InputError(f"cannot write the picture {str(path)!r}: choose another file")

    def _greet(self) -> None:
        state = self.state
        self.controls.set_participants(list(state.people))
        self.signals.set_modalities(state.modalities)
        self._place_camera()
        self.distribution.bars.set_emotions(state.emotions)
        self.timeline.set_emotions(state.emotions)
        self._last_slow = -math.inf
        if self._resume_recording:  # the engine before died while it recorded: a new segment
            self._resume_recording = False
            self.send({"t": "record", "action": "start"})
        self.rate_now.catch_up()

    def _ask(self, message: Mapping[str, Any]) -> None:
        participant, modality = str(message["participant"]), str(message["modality"])
        self._drop_choice(participant, modality)
        solved = any(
            (status.participant, status.modality, status.state) == (participant, modality, "live")
            for status in self.state.streams(self._clock())
        )
        if message["candidates"] and not solved:
            dialog = ChoiceDialog(message, self.send, self)
            self._choices[participant, modality] = dialog
            dialog.open()

    def _drop_choice(self, participant: str, modality: str) -> None:
        dialog = self._choices.pop((participant, modality), None)
        if dialog is not None:
            dialog.reject()
            dialog.deleteLater()

    # Layout

    def _build(self) -> None:
        theme = self.theme = current_theme()
        self.controls = Controls(theme, self.toggle_baseline, self.toggle_recording)
        self.controls.participants.currentIndexChanged.connect(lambda _: self.refresh(True))
        self.source = SourceBanner(theme)
        self.notice = EngineNotice(theme, lambda: self._watch.restart(self.client))
        self.signals = SignalsPanel(theme)
        self.distribution = DistributionPanel(theme)
        self.balance = BalancePanel(theme)
        self.timeline = TimelinePanel(theme)
        self.camera = CameraPanel(theme)
        self.camera.hide()
        self.streams = StreamsPanel(theme)
        self.markers = MarkersPanel(theme, lambda text: self.send({"t": "marker", "text": text}))
        self.status = StatusLine(theme)
        grid = self._grid = QGridLayout()
        grid.setSpacing(8)
        # Twelve columns: signals left, emotions right, streams and markers below.
        grid.addWidget(self.signals, 0, 0, 2, 5)
        grid.addWidget(self.distribution, 0, 5, 1, 4)
        grid.addWidget(self.balance, 0, 9, 1, 3)
        grid.addWidget(self.timeline, 1, 5, 1, 7)
        grid.addWidget(self.streams, 2, 0, 1, 9)
        grid.addWidget(self.markers, 2, 9, 1, 3)
        for column in range(12):
            grid.setColumnStretch(column, 1)
            grid.setColumnMinimumWidth(column, 10)
        for row, stretch in enumerate((30, 25, 19)):
            grid.setRowStretch(row, stretch)
        content = QWidget()
        layout = QVBoxLayout(content)
        layout.setContentsMargins(8, 8, 8, 2)
        layout.setSpacing(8)
        for part in (self.controls, self.notice, self.source):
            layout.addWidget(part)
        layout.addLayout(grid, 1)
        layout.addWidget(self.status)
        self.setCentralWidget(content)

    def _place_camera(self) -> None:
        """Show the camera beside the timeline, for rigs that watch a face."""
        shown = self.state.has_face
        self._grid.removeWidget(self.timeline)
        self._grid.addWidget(self.timeline, 1, 5, 1, 4 if shown else 7)
        if shown:
            self._grid.addWidget(self.camera, 1, 9, 1, 3)
        self.camera.setVisible(shown)

    def change_theme(self) -> None:
        """Take the colours of the desktop's palette."""
        self.theme = current_theme()
        self.setPalette(self.theme.palette())
        for panel in (
            self.signals,
            self.distribution,
            self.balance,
            self.timeline,
            self.camera,
            self.streams,
            self.markers,
        ):
            panel.set_theme(self.theme)
        for part in (self.controls, self.source, self.notice, self.status):
            part.theme = self.theme
        self._scale()
        self.refresh(everything=True)

    def _scale(self) -> None:
        """Make text larger with the window, so that a big screen reads across the room."""
        pixels = round(min(max(min(self.height() / 61, self.width() / 98), 11), 22))
        if self.font().pixelSize() != pixels:
            font = QFont(self.font())
            font.setPixelSize(pixels)
            self.setFont(font)
        for panel in (self.signals, self.timeline, self.streams):
            panel.set_fonts(self.font())

    def resizeEvent(self, event: QResizeEvent) -> None:
        """Scale the text."""
        super().resizeEvent(event)
        self._scale()

    # The end

    def close_by_hand(self) -> None:
        """Close, unless that would end a recording and the user would rather not."""
        if self._may_close():
            self.close()

    def stop_engine(self) -> None:
        """Stop the engine and close, with the same question."""
        before, self._quit_engine = self._quit_engine, True
        if self._may_close():
            self.close()
        else:
            self._quit_engine = before

    def _may_close(self) -> bool:
        """Ask before a running recording is ended with the engine."""
        if not self._quit_engine or self.state.recording is None or self._watch.ended:
            return True
        box = QMessageBox(self)
        box.setWindowTitle("Recording")
        box.setTextFormat(Qt.TextFormat.PlainText)
        box.setText("A recording is running. End it, stop the engine and close?")
        box.setStandardButtons(QMessageBox.StandardButton.Close | QMessageBox.StandardButton.Cancel)
        box.setDefaultButton(QMessageBox.StandardButton.Cancel)
        return box.exec() == QMessageBox.StandardButton.Close

    def closeEvent(self, event: QCloseEvent) -> None:
        """Detach; the engine goes on unless it is to stop with the window."""
        if event.spontaneous() and not self._may_close():
            event.ignore()
            return
        self._timer.stop()
        if self._quit_engine:
            self.send({"t": "quit"})
        if self.client is not None:
            self.client.close()
        self._camera_link.close()
        super().closeEvent(event)


def _badness(status: StreamStatus) -> int:
    return STATES.index(status.state) if status.state in STATES else len(STATES)
