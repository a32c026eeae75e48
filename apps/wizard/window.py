"""The wizard's window: shows the page of the guided session's state, beside an engine."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from pathlib import Path

from PySide6.QtCore import Qt, QTimer
from PySide6.QtGui import QAction, QCloseEvent, QKeyEvent, QKeySequence, QResizeEvent
from PySide6.QtWidgets import QAbstractButton, QMainWindow, QMessageBox

from apps.dashboard.choice import ChoiceDialog
from apps.dashboard.engine_watch import EngineWatch
from apps.dashboard.text import plain
from apps.dashboard.theme import current_theme
from apps.link import LinkClient
from apps.wizard.engine import SessionLink
from apps.wizard.frame import Frame
from apps.wizard.layout import rescale
from apps.wizard.pages import (
    BreakPage,
    CheckPage,
    ConsentPage,
    EndPage,
    Holder,
    Page,
    PausePage,
    ReadyPage,
    RestPage,
    SummaryPage,
)
from apps.wizard.rating import RatingForm
from apps.wizard.stimuli import Shown, check_stimuli, make_stimulus
from calibration.guided import ENDED, Guided, OutOfTurn
from calibration.instruments import Instrument
from calibration.protocol import Protocol
from realtime.errors import InputError

_log = logging.getLogger(__name__)

FRAME = 40  # ms: a circle that breathes moves smoothly
SLOW = 0.25  # s between looks at the sensors
WIDEST = 1000  # px of a questionnaire: the eye finds the way from an item to its scores


class Wizard(QMainWindow):
    """Guides a person through a protocol, beside an engine that measures.

    Parameters
    ----------
    protocol : Protocol
    instrument : Instrument
        The questionnaire after each trial.
    participant : str
        Pseudonym; also the engine's name for the person.
    folder : Path
        Of the session's journal; a session that is there is resumed.
    client : LinkClient or None
        The engine to listen to; None shows only what `link.apply` is given.
    restart : callable, optional
        Starts a new engine when this one has died, and returns a client; called in a thread of its
        own. Without it a button looks for an engine of the same name.
    seed : int, optional
        Of a random order.
    clock : callable
        Seconds of a monotonic clock.

    Raises
    ------
    InputError
        If a stimulus cannot be shown, the questionnaire is not there in the protocol's language,
        or the folder holds a session of another protocol or person.
    """

    def __init__(
        self,
        protocol: Protocol,
        instrument: Instrument,
        participant: str,
        folder: Path,
        client: LinkClient | None,
        restart: Callable[[], LinkClient] | None = None,
        seed: int | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        super().__init__()
        check_stimuli(protocol)
        self._instrument = instrument
        self._instrument.wording(protocol.language)
        self._clock = clock
        self.link = SessionLink(client, participant, clock)
        self.guided = Guided(protocol, participant, folder, self.link.publish, seed, clock)
        self.theme = current_theme()
        self.stimulus: Shown | None = None
        self._rating: tuple[str, Page] = ("", Page())
        self._shown: tuple[object, ...] = ()
        self._looked = -SLOW
        self._baseline_open = True  # whether this engine has a baseline is not known yet
        self._question: QMessageBox | None = None
        self._choice: ChoiceDialog | None = None
        self.setWindowTitle(f"affectstream  ·  {protocol.title}")
        self.setMinimumSize(720, 540)
        self.setPalette(self.theme.palette())
        self.frame = Frame(
            self.theme,
            lambda: self._watch.restart(self.link.client),
            self.pause_session,
            self.repeat_trial,
            self.end_session,
        )
        self.setCentralWidget(self.frame)
        self._watch = EngineWatch(self.frame.notice, restart, restart is not None)
        self._add_actions()
        if self.guided.dropped:
            self.say(self.guided.dropped)
        self._timer = QTimer(self)
        self._timer.setInterval(FRAME)
        self._timer.timeout.connect(self.tick)
        self._timer.start()
        self.tick()

    @property
    def page(self) -> Page:
        """The page that is shown."""
        return self.frame.page

    # What happens by itself.

    def tick(self) -> None:
        """Take in what the engine says, end what is over, and show the page of the state."""
        self._follow_engine()
        now = self._clock()
        if now - self._looked >= SLOW:
            self._looked = now
            self.guided.sense(self.link.checks())
            self._show_choice()
        remark = self.stimulus.remark if self.stimulus is not None else ""
        self._act(lambda: self.guided.tick(remark))

    def refresh(self) -> None:
        """Show the page that belongs to the state, and what is on it."""
        guided = self.guided
        key = (
            *(guided.state, guided.paused, len(guided.trials), guided.progress),
            guided.running and guided.state == "stimulus",
        )
        if key != self._shown:
            self._shown = key
            self._turn()
        page = self.page
        page.refresh(guided)
        if self.stimulus is not None:
            self.stimulus.advance(guided.elapsed)
        measures = self.link.ready and not self._watch.ended
        if page.primary is not None and isinstance(page, RestPage | ReadyPage | PausePage):
            # After a pause it can be asked for the baseline; before a start that must be known.
            known = isinstance(page, PausePage) or not self._baseline_open
            page.primary.setEnabled(measures and known)
        if isinstance(page, CheckPage):
            page.notice.setText(self._stranger())
        if isinstance(page, EndPage):
            page.profile.setText(self.link.profile)
        self.frame.refresh(guided, measures)

    def _follow_engine(self) -> None:
        restarted = self._watch.take_restarted()
        if restarted is not None:
            self.link.attach(restarted)
            self._baseline_open = True
        client = self.link.client
        if not self.link.poll() and client is not None and not self._watch.ended:
            self._watch.on_end(client, self.link.goodbye, self._clock())
            if self.guided.can("pause"):
                self._act(self.guided.pause)
        if self._baseline_open and self.link.ready and not self.guided.paused:
            self._baseline_open = False
            # After a crash or a restart the rest may be one that another engine has measured.
            if not self.link.baseline_stated and self.guided.can("rest_again"):
                self._act(lambda: self.guided.rest_again("the engine has not measured a rest"))
                if self.guided.state == "rating":
                    self.say("What was measured during this task is lost: repeat it (Ctrl+R).")

    def _show_choice(self) -> None:
        """Ask which of several devices is meant, as the dashboard does."""
        for message in self.link.choices:
            if self._choice is not None:
                self._choice.reject()
                self._choice.deleteLater()
                self._choice = None
            if message["candidates"]:
                self._choice = ChoiceDialog(message, self.link.send, self)
                self._choice.open()
        self.link.choices.clear()

    # Pages.

    def _turn(self) -> None:
        """Show another page."""
        if self.stimulus is not None:
            self.stimulus.stop()
            self.stimulus = None
        # Answers that were given before a pause are there after it.
        keep = self.page is self._rating[1] and self.guided.paused
        page = self._make_page()
        self.frame.set_page(page, keep)
        self._scale()
        page.refresh(self.guided)
        focus = page.first_focus()
        if focus is not None:
            focus.setFocus()
        if self.stimulus is not None:
            self.stimulus.begin()

    def _make_page(self) -> Page:
        guided = self.guided
        if guided.state in ENDED:
            return EndPage(guided, self.close)
        if guided.paused:
            return PausePage(guided, self.theme, self._act)
        if guided.state == "rating":
            return self._rating_page()
        if guided.state == "stimulus" and guided.running:
            return self._stimulus_page()
        pages: dict[str, Callable[..., Page]] = {
            "consent": ConsentPage,
            "check": CheckPage,
            "rest": RestPage,
            "stimulus": ReadyPage,
            "break": BreakPage,
            "summary": SummaryPage,
        }
        return pages[guided.state](guided, self.theme, self._act)

    def _stimulus_page(self) -> Page:
        stimulus, trial = self.guided.stimulus, self.guided.trial
        if stimulus is None or trial is None:
            raise ValueError("nothing is shown now")
        path = self.guided.protocol.path(stimulus)
        made = make_stimulus(stimulus, path, f"{self.guided.seed} {trial.trial}", self.theme)
        made.over.connect(self._end_stimulus)
        made.failed.connect(self._stimulus_failed)
        self.stimulus = made
        return Holder(made)

    def _rating_page(self) -> Page:
        guided, trial = self.guided, self.guided.trial
        if trial is None:
            raise ValueError("there is nothing to rate")
        if self._rating[0] == trial.trial:
            return self._rating[1]
        form = RatingForm(
            self._instrument,
            seed=f"{guided.seed} {trial.trial}",
            language=guided.protocol.language,
            trial=trial.trial,
            participant=guided.participant,
            theme=self.theme,
        )
        form.setMaximumWidth(WIDEST)
        form.rated.connect(lambda rating: self._act(lambda: guided.rate(rating)))
        form.skipped.connect(lambda: self._act(guided.skip_rating))
        self._rating = (trial.trial, Holder(form))
        return self._rating[1]

    def _end_stimulus(self) -> None:
        made = self.stimulus
        if made is not None:
            self._act(lambda: self.guided.finish_stimulus(made.remark))

    def _stimulus_failed(self, text: str) -> None:
        self._act(self.guided.pause)
        self.say(f"it cannot be played: {text}")

    # What the person does.

    def _act(self, action: Callable[[], None]) -> None:
        """Do something, show what comes of it, and why if it is refused."""
        try:
            action()
        except OutOfTurn as error:  # such as a click on what has just ended
            _log.debug("%s", error)
        except InputError as error:
            self.say(str(error))
        self.refresh()

    def say(self, text: str) -> None:
        """Show a message until the next one."""
        if plain(text, 300) != self.frame.message.text():
            _log.warning("%s", text)
        self.frame.say(text)

    def pause_session(self) -> None:
        """Pause, or go on."""
        if not self.guided.paused:
            self._act(self.guided.pause)
        elif self.page.primary is not None:
            self.page.primary.click()

    def repeat_trial(self) -> None:
        """Repeat the trial; asks first if that takes back one that is done."""
        guided = self.guided
        if guided.trial is not None:
            self._act(guided.repeat_trial)
        elif guided.can("repeat_trial"):
            self._ask("Repeat the last task? Its rating will not count.", guided.repeat_trial)

    def end_session(self) -> None:
        """End for good, after a question."""
        if self.guided.can("abort"):
            self._ask("End the session for good? It cannot be continued.", self.guided.abort)

    def _ask(self, text: str, action: Callable[[], None]) -> None:
        if self._question is not None:
            return
        box = self._question = QMessageBox(self)
        box.setTextFormat(Qt.TextFormat.PlainText)
        box.setWindowTitle("affectstream")
        box.setText(text)
        box.setStandardButtons(QMessageBox.StandardButton.Yes | QMessageBox.StandardButton.No)
        box.setDefaultButton(QMessageBox.StandardButton.No)

        def answered(chosen: int) -> None:
            self._question = None
            box.deleteLater()
            if chosen == QMessageBox.StandardButton.Yes.value:
                self._act(action)

        box.finished.connect(answered)
        box.open()

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Let Enter press the button that has the focus, or else the page's own."""
        if event.key() not in (Qt.Key.Key_Return, Qt.Key.Key_Enter) or event.isAutoRepeat():
            super().keyPressEvent(event)
            return
        focused = self.focusWidget()
        pressable = isinstance(focused, QAbstractButton) and focused.isEnabled()
        target = focused if pressable and focused.isVisible() else self.page.primary
        if isinstance(target, QAbstractButton) and target.isVisible():
            target.click()

    def _add_actions(self) -> None:
        for text, keys, slot in (
            ("Pause", "Ctrl+P", self.pause_session),
            ("Repeat task", "Ctrl+R", self.repeat_trial),
            ("End", "Ctrl+Shift+Q", self.end_session),
            ("Leave", "Ctrl+Q", self.close),
            ("Full screen", "F11", self._toggle_full_screen),
        ):
            action = QAction(text, self)
            action.setShortcut(QKeySequence(keys))
            action.triggered.connect(lambda _=False, slot=slot: slot())
            self.addAction(action)

    def _toggle_full_screen(self) -> None:
        if self.isFullScreen():
            self.showNormal()
        else:
            self.showFullScreen()

    # Layout, and the end.

    def _stranger(self) -> str:
        """Say so if the engine does not watch this person, or nothing is known yet."""
        watched, name = self.link.watched, self.guided.participant
        if not self.link.ready:
            return "Waiting for the engine …"
        if name in watched:
            return ""
        others = ", ".join(plain(other, 30) for other in watched[:5])
        return (
            f"The engine watches {others or 'nobody'}, but not {plain(name, 30)}: switch the "
            "sensors on, or start the engine for this participant."
        )

    def _scale(self) -> None:
        """Make text larger with the window."""
        pixels = round(min(max(min(self.height() / 42, self.width() / 64), 14), 26))
        rescale(self.frame, pixels)

    def resizeEvent(self, event: QResizeEvent) -> None:
        """Scale the text."""
        super().resizeEvent(event)
        self._scale()

    def closeEvent(self, event: QCloseEvent) -> None:
        """Leave; a session that is not over waits to be resumed."""
        self._timer.stop()
        if self.stimulus is not None:
            self.stimulus.stop()
        if self.guided.can("pause"):
            try:
                self.guided.pause()
            except InputError as error:
                _log.warning("%s", error)
        self.guided.close()
        self.link.close()
        super().closeEvent(event)
