"""A person before the wizard: runs the command in this process, and clicks and types.

``python -m tests.apps.wizard.robot LAST calibrate ...`` stops as if it were killed in the middle of
the task after the rating number LAST; 0: never. The wizard's clock goes twelve times as fast as the
engine's, which is real.
"""

from __future__ import annotations

import os
import sys
import time
from typing import Any

from PySide6.QtCore import Qt, QTimer
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QLabel

from apps.cli.main import main
from apps.wizard import application
from apps.wizard.pages import CheckPage, ConsentPage, EndPage, Holder, SummaryPage
from apps.wizard.rating import RatingForm
from apps.wizard.stimuli import Experimenter
from apps.wizard.window import Wizard

FAST = 12.0
PATIENCE = 90.0  # s
ANSWERS = (Qt.Key.Key_2, Qt.Key.Key_4, Qt.Key.Key_3)


class Robot:
    """Does what the page wants, ten times a second."""

    def __init__(self, wizard: Wizard, last: int) -> None:
        self.wizard, self.last, self.rated = wizard, last, 0
        self.end = time.monotonic() + PATIENCE
        self.timer = QTimer(wizard)
        self.timer.timeout.connect(self.act)
        self.timer.start(100)

    def act(self) -> None:
        if time.monotonic() > self.end:
            texts = [label.text() for label in self.wizard.page.findChildren(QLabel)]
            sys.stderr.write(f"stuck at {self.wizard.guided.state}: {texts}\n")
            os._exit(3)
        page = self.wizard.page
        content = page.content if isinstance(page, Holder) else None
        if isinstance(content, RatingForm):
            self.rate()
        elif isinstance(content, Experimenter):
            self.press(Qt.Key.Key_Return)
        elif content is not None:
            if self.last and self.rated == self.last:
                os._exit(9)
        elif isinstance(page, ConsentPage):
            self.click(page.agree)
        elif isinstance(page, CheckPage | SummaryPage):
            self.click(page.primary)
        elif isinstance(page, EndPage):
            if "rated trials" in page.profile.text():
                self.click(page.primary)
        elif page.primary is not None and page.primary.isVisible() and page.primary.isEnabled():
            self.press(Qt.Key.Key_Return)

    def rate(self) -> None:
        """Answer every item by its number key; the digits differ from trial to trial."""
        for place in range(10):
            self.press(ANSWERS[(self.rated + place) % len(ANSWERS)])
        self.press(Qt.Key.Key_Return)
        self.rated += 1

    def press(self, key: Qt.Key) -> None:
        QTest.keyClick(self.wizard.focusWidget() or self.wizard, key)

    def click(self, button: Any) -> None:
        if button.isEnabled():
            QTest.mouseClick(button, Qt.MouseButton.LeftButton)


def run(last: int, arguments: list[str]) -> int:
    def opened(*given: Any) -> Wizard:
        made = Wizard(*given, clock=lambda: FAST * time.monotonic())
        made.robot = Robot(made, last)  # type: ignore[attr-defined]  # lives as long
        return made

    application.Wizard = opened  # type: ignore[misc, assignment]
    return main(arguments)


if __name__ == "__main__":
    sys.exit(run(int(sys.argv[1]), sys.argv[2:]))
