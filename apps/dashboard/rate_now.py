"""Rate now: asks a participant how they feel, at once or every few minutes, while all goes on."""

from __future__ import annotations

import json
import secrets
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from PySide6.QtCore import QObject, QTimer

from apps.dashboard.text import counted, plain
from apps.wizard.rating import RatingDialog
from calibration.instruments import Instrument, instrument_for
from calibration.ratings import MAX_TEXT, Rating
from realtime.errors import InputError
from realtime.markers import format_marker
from realtime.metadata import clean

if TYPE_CHECKING:
    from apps.dashboard.main_window import Dashboard


# What `calibration.collector` takes a rating without a trial to be about.
QUESTION = "How strongly did you feel each of these during the last minute?"


def profile_note(message: Mapping[str, Any]) -> tuple[str, str]:
    """Return level and text of what the engine says of a person's profile."""
    who = plain(message["participant"], 30)
    if message["state"] == "failed":
        return "warning", f"{who}: {message['text']}"
    if message["state"] == "fitting":
        return "info", f"{who}: fitting the model to what was rated"
    trials, step, radius = int(message["trials"]), message["step"], float(message["radius"])
    if not trials:
        return "info", f"{who}: has a profile, and has rated nothing yet"
    return "info", f"{who}: {counted(trials)}, step {plain(step, 20)}, radius {radius:.3f}"


class RateNow(QObject):
    """Opens the questionnaire of the engine's model, and sends the answers as a marker.

    The rating is about the time before the question, so its marker gets the moment when the person
    was asked, however long the answer takes. An answer that finds the engine dead goes to the next
    one, for the recording.

    Parameters
    ----------
    window : Dashboard
    clock : callable
        Seconds of a monotonic clock.

    Attributes
    ----------
    dialog : RatingDialog or None
        The question that is open.
    """

    def __init__(self, window: Dashboard, clock: Callable[[], float] = time.monotonic) -> None:
        super().__init__(window)
        self._window, self._clock = window, clock
        self._asked = 0.0
        self._waiting: list[tuple[float, dict[str, Any]]] = []
        self.dialog: RatingDialog | None = None
        self._timer = QTimer(self)
        self._timer.timeout.connect(self.ask)

    @property
    def _connected(self) -> bool:
        return self._window.client is not None and self._window.client.alive

    def every(self, minutes: float) -> None:
        """Ask every so many minutes from now on."""
        self._timer.start(round(minutes * 60_000))

    def ask(self) -> None:
        """Ask the participant that is shown.

        A question that is open stays; if nothing of it is answered, it is about now from now on.
        """
        if self.dialog is not None:
            if all(score is None for score in self.dialog.form.rating.items.values()):
                self._asked = self._clock()
            self.dialog.raise_()
            return
        window = self._window
        labels, name = window.state.labels, window.controls.participants.currentData()
        if not self._connected or labels is None or name is None:
            window.note("warning", "nobody to ask: wait for the engine")
            return
        try:
            if name != clean(name, MAX_TEXT):
                raise InputError(f"no marker can name {name[:40]!r}: give --participant")
            instrument = _about_now(instrument_for(labels))
        except InputError as error:
            window.note("warning", f"cannot ask: {error}")
            return
        self._asked = self._clock()
        self.dialog = RatingDialog(
            instrument,
            seed=secrets.randbits(32),
            participant=name,
            theme=window.theme,
            parent=window,
        )
        if len(window.state.people) > 1:
            self.dialog.setWindowTitle(f"{self.dialog.windowTitle()}  ·  {plain(name, 30)}")
        self.dialog.rated.connect(self._rated)
        self.dialog.finished.connect(self._close)
        self.dialog.open()

    def catch_up(self) -> None:
        """Send what was answered, while there was no engine too."""
        if not self._connected:
            return
        waiting, self._waiting = self._waiting, []
        for asked, fields in waiting:
            self._window.send({**fields, "t": "event", "age": self._clock() - asked})

    def _rated(self, rating: Rating) -> None:
        self._waiting.append((self._asked, json.loads(format_marker(rating.to_event()))))
        person = self._window.state.people.get(rating.participant)
        if not self._connected:
            self._window.note("warning", "no engine: the rating waits for the next one")
            return
        self.catch_up()
        if person is None or person.own is None:
            who = plain(rating.participant, 30)
            self._window.note(
                "info", f"{who} has no profile (--profile): the rating is a marker and no more"
            )

    def _close(self) -> None:
        if self.dialog is not None:
            self.dialog.deleteLater()
        self.dialog = None


def _about_now(instrument: Instrument) -> Instrument:
    """Return the instrument with a question that does not speak of a part that has ended."""
    words = replace(instrument.wording("en"), instruction=QUESTION)
    return replace(instrument, wordings={"en": words})
