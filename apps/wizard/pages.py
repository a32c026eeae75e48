"""The pages of a guided session that show no stimulus: one a state."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QGridLayout, QHBoxLayout, QLabel, QPushButton, QWidget

from apps.dashboard.card import plain_label, set_colour
from apps.dashboard.text import duration, modality_title, plain
from apps.dashboard.theme import Theme
from apps.wizard.layout import (
    Countdown,
    button,
    buttons,
    centred_column,
    heading,
    paragraph,
    reading,
    scaled,
)
from apps.wizard.stimuli import BEFORE, TITLES
from calibration.guided import Guided
from calibration.sensors import SensorCheck

Act = Callable[[Callable[[], None]], None]
"""Does something that the session may refuse, and shows why it was refused."""


class Page(QWidget):
    """One page.

    Attributes
    ----------
    primary : QPushButton or None
        What Enter presses.
    keys : str
        The page's own keys, for the line at the bottom.
    """

    primary: QPushButton | None = None
    keys = ""

    def refresh(self, guided: Guided) -> None:
        """Show how the session is now."""

    def first_focus(self) -> QWidget | None:
        """Return what keys go to when the page comes up."""
        return self.primary


class ConsentPage(Page):
    """What the person agrees to. Enter alone does not agree."""

    keys = "Tab, Space: choose"

    def __init__(self, guided: Guided, theme: Theme, act: Act) -> None:
        super().__init__()
        self.agree = button("I agree")
        self.decline = button("I do not agree", "The session ends, and nothing is measured")
        self.agree.clicked.connect(lambda: act(guided.agree))
        self.decline.clicked.connect(lambda: act(guided.decline))
        self._text = reading(guided.protocol.consent)
        self._text.setAccessibleName("Consent")
        rows = centred_column(self)
        rows.addWidget(heading(guided.protocol.title))
        rows.addWidget(self._text, 1)
        rows.addLayout(buttons(self.decline, self.agree))

    def first_focus(self) -> QWidget | None:
        """Let keys scroll the text."""
        return self._text


class CheckPage(Page):
    """Each sensor: whether it measures well, and a button to go without it if not."""

    def __init__(self, guided: Guided, theme: Theme, act: Act) -> None:
        super().__init__()
        self._guided, self._theme, self._act = guided, theme, act
        self.notice = paragraph()
        set_colour(self.notice, theme, "warning")
        self.lines: dict[str, tuple[QLabel, QLabel, QPushButton]] = {}
        self._grid = QGridLayout()
        self._grid.setHorizontalSpacing(18)
        self._grid.setVerticalSpacing(10)
        self._grid.setColumnStretch(1, 1)
        self.primary = button("Go on")
        self.primary.clicked.connect(lambda: act(guided.confirm_sensors))
        rows = centred_column(self)
        rows.addWidget(heading("Sensors"))
        rows.addWidget(
            paragraph(
                "Every sensor must measure well. Mend those that do not, or go on without them."
            )
        )
        rows.addLayout(self._grid)
        rows.addWidget(self.notice)
        rows.addStretch(1)
        rows.addLayout(buttons(self.primary))

    def refresh(self, guided: Guided) -> None:
        """Show each sensor."""
        if [check.modality for check in guided.checks] != list(self.lines):
            self._rebuild(guided.checks)
        for check in guided.checks:
            title, verdict, waive = self.lines[check.modality]
            waived = check.modality in guided.waived
            sign, colour = ("✓", "good") if check.passed else ("✕", "bad")
            if waived and not check.passed:
                sign, colour = "○", "muted"
            title.setText(f"{sign}  {modality_title(check.modality)}")
            set_colour(title, self._theme, colour)
            quality = "" if check.quality is None else f"quality {check.quality:.0%}"
            verdict.setText(quality if check.passed else plain(check.reason, 120))
            waive.setVisible(not check.passed)
            waive.setEnabled(not waived)
            name = modality_title(check.modality)
            waive.setText(f"Going without {name}" if waived else f"Go without {name}")
        if self.primary is not None:
            self.primary.setEnabled(guided.can("confirm_sensors"))

    def _rebuild(self, checks: Sequence[SensorCheck]) -> None:
        for line in self.lines.values():
            for old in line:
                self._grid.removeWidget(old)
                old.deleteLater()
        self.lines = {}
        for row, check in enumerate(checks):
            title, verdict = plain_label(bold=True), paragraph()
            waive = button("", "The session goes on although this sensor does not measure well")
            waive.clicked.connect(
                lambda _=False, name=check.modality: self._act(lambda: self._guided.waive(name))
            )
            parts: tuple[QWidget, ...] = (title, verdict, waive)
            for column, part in enumerate(parts):
                self._grid.addWidget(part, row, column)
            self.lines[check.modality] = (title, verdict, waive)


class RestPage(Page):
    """Rest, with the time that is left."""

    def __init__(self, guided: Guided, theme: Theme, act: Act) -> None:
        super().__init__()
        minutes = duration(guided.protocol.rest)
        self.primary = button("Start the rest")
        self.primary.clicked.connect(lambda: act(guided.start))
        self.ring = Countdown(theme)
        rows = centred_column(self)
        rows.addWidget(heading("Rest"))
        rows.addWidget(
            paragraph(
                f"Sit comfortably, with your hands still, and breathe as you like for {minutes} "
                "minutes. Keep your eyes open, and think of nothing in particular."
            )
        )
        rows.addWidget(self.ring, 1)
        rows.addLayout(buttons(self.primary))

    def refresh(self, guided: Guided) -> None:
        """Show the time."""
        self.ring.set_left(guided.left or 0.0, guided.seconds or 1.0)
        if self.primary is not None:
            self.primary.setVisible(not guided.running)


class BreakPage(Page):
    """A break that ends by itself."""

    def __init__(self, guided: Guided, theme: Theme, act: Act) -> None:
        super().__init__()
        self.ring = Countdown(theme)
        rows = centred_column(self)
        rows.addWidget(heading("A short break"))
        rows.addWidget(paragraph("Relax. You may move, but keep the sensors in place."))
        rows.addWidget(self.ring, 1)

    def refresh(self, guided: Guided) -> None:
        """Show the time."""
        self.ring.set_left(guided.left or 0.0, guided.seconds or 1.0)


class ReadyPage(Page):
    """What comes next, and a button to start it."""

    def __init__(self, guided: Guided, theme: Theme, act: Act) -> None:
        super().__init__()
        stimulus = guided.stimulus
        if stimulus is None:
            raise ValueError("there is no trial to start")
        said = stimulus.text if stimulus.kind not in ("text", "recall", "experimenter") else ""
        if stimulus.seconds is not None:
            said = f"{said or BEFORE[stimulus.kind]}\n\nIt lasts {duration(stimulus.seconds)}."
        self.primary = button("Start")
        self.primary.clicked.connect(lambda: act(guided.start))
        rows = centred_column(self)
        rows.addStretch(1)
        rows.addWidget(heading(TITLES[stimulus.kind]))
        rows.addWidget(scaled(paragraph(said or BEFORE[stimulus.kind]), 1.2))
        rows.addStretch(1)
        rows.addLayout(buttons(self.primary))


class PausePage(Page):
    """The session waits."""

    def __init__(self, guided: Guided, theme: Theme, act: Act) -> None:
        super().__init__()
        again = {
            "rest": "The rest starts again afterwards.",
            "break": "The break starts again afterwards.",
            "stimulus": "A task that was not finished starts again afterwards.",
        }
        self.primary = button("Go on")
        self.primary.clicked.connect(lambda: act(guided.resume))
        rows = centred_column(self)
        rows.addStretch(1)
        rows.addWidget(heading("Pause"))
        rows.addWidget(paragraph(again.get(guided.state, "Nothing is lost.")))
        rows.addStretch(1)
        rows.addLayout(buttons(self.primary))


class SummaryPage(Page):
    """What was done and answered."""

    def __init__(self, guided: Guided, theme: Theme, act: Act) -> None:
        super().__init__()
        self.primary = button("Finish")
        self.primary.clicked.connect(lambda: act(guided.finish))
        content = QWidget()
        self.table = QGridLayout(content)
        self.table.setHorizontalSpacing(24)
        for row, trial in enumerate(guided.trials):
            rating, items = trial.rating, 0
            if rating is not None:
                items = sum(score is not None for score in rating.items.values())
            if trial.superseded:
                answer = f"not counted: {trial.superseded}"
            elif rating is None:
                answer = "not rated"
            else:
                answer = f"{items} of {len(rating.items)} items rated"
            kind = TITLES[guided.protocol.stimuli[trial.place].kind]
            for column, text in enumerate((f"{trial.trial}.", kind, answer, trial.remark)):
                label = plain_label(text)
                set_colour(label, theme, "muted" if trial.superseded else "text")
                self.table.addWidget(label, row, column)
        self.table.setColumnStretch(3, 1)
        self.table.setRowStretch(len(guided.trials), 1)
        area = reading("")
        area.setWidget(content)
        rated = len(guided.ratings)
        rows = centred_column(self)
        rows.addWidget(heading("Thank you"))
        rows.addWidget(
            paragraph(f"{rated} of {guided.progress[1]} tasks were rated. Nothing else is asked.")
        )
        rows.addWidget(area, 1)
        rows.addLayout(buttons(self.primary))


class EndPage(Page):
    """The session is over; `profile` says what came of it."""

    def __init__(self, guided: Guided, close: Callable[[], object]) -> None:
        super().__init__()
        self.profile = paragraph()
        self.primary = button("Close")
        self.primary.clicked.connect(lambda: close())
        done = guided.state == "finished"
        said = (
            "The session is complete. You may take off the sensors."
            if done
            else "The session was ended before its end. You may take off the sensors."
        )
        rows = centred_column(self)
        rows.addStretch(1)
        rows.addWidget(heading("Done" if done else "Ended"))
        rows.addWidget(paragraph(said))
        rows.addWidget(self.profile)
        rows.addStretch(1)
        rows.addLayout(buttons(self.primary))


class Holder(Page):
    """A page that holds one widget, such as a stimulus or a questionnaire."""

    def __init__(self, content: QWidget, keys: str = "") -> None:
        super().__init__()
        self.content, self.keys = content, keys
        # What has a greatest width stands in the middle; anything else fills the page.
        layout = QHBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addStretch(0)
        layout.addWidget(content, 1)
        layout.addStretch(0)
        content.setFocusPolicy(
            content.focusPolicy() if content.focusProxy() else Qt.FocusPolicy.StrongFocus
        )

    def first_focus(self) -> QWidget | None:
        """Let the widget have the keys."""
        return self.content
