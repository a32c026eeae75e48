"""What the person sees, hears or does in a trial: one widget a kind of stimulus."""

from __future__ import annotations

import math
import random
from pathlib import Path

from PySide6.QtCore import QPointF, QSize, Qt, Signal
from PySide6.QtGui import (
    QFont,
    QImageReader,
    QIntValidator,
    QPainter,
    QPaintEvent,
    QPixmap,
    QResizeEvent,
)
from PySide6.QtWidgets import QGridLayout, QLineEdit, QPushButton, QSizePolicy, QVBoxLayout, QWidget

from apps.dashboard.card import plain_label
from apps.dashboard.theme import Theme
from apps.wizard.layout import TARGET, button, centred_column, paragraph, reading, scaled
from calibration.protocol import BREATHS, Protocol, Stimulus
from realtime.errors import InputError

INHALE = 0.4  # of a breath: breathing out takes longer, as in most protocols of paced breathing
STEP = 13  # is subtracted again and again, as in the Trier social stress test (Kirschbaum 1993)
LARGEST = 9999  # answer that can be typed

TITLES = {
    "video": "A film",
    "picture": "A picture",
    "sound": "A sound",
    "text": "A text",
    "experimenter": "With the experimenter",
    "breathing": "Breathing",
    "recall": "A memory",
    "arithmetic": "Calculating",
}
BEFORE = {
    "video": "Watch the film to its end.",
    "picture": "Look at the picture as long as it is there.",
    "sound": "Listen to the end.",
    "text": "Read the text at your own pace. It stays until the time is over.",
    "experimenter": "The experimenter will tell you what to do.",
    "breathing": "Breathe in while the circle grows, and out while it shrinks.",
    "recall": "You will be asked to remember a moment. Stay with it until the time is over.",
    "arithmetic": "Calculate as quickly and as correctly as you can.",
}


def check_stimuli(protocol: Protocol) -> None:
    """Refuse a protocol whose stimuli cannot be shown here, before the session.

    Raises
    ------
    InputError
        If a picture cannot be read, or there is a video or a sound and no player for it.
    """
    for stimulus in protocol.stimuli:
        path = protocol.path(stimulus)
        if stimulus.kind == "picture":
            reader = QImageReader(str(path))
            if not reader.canRead():
                raise InputError(
                    f"the picture {stimulus.file!r} cannot be shown ({reader.errorString()}): save "
                    "it as PNG or JPEG"
                )
        if stimulus.kind in ("video", "sound"):
            need_player(stimulus)


def need_player(stimulus: Stimulus) -> None:
    """Raise InputError if Qt's player of videos and sounds cannot be loaded."""
    try:
        from PySide6 import QtMultimedia, QtMultimediaWidgets  # noqa: F401
    except ImportError as error:
        import PySide6

        version = PySide6.__version__
        raise InputError(
            f"the {stimulus.kind} {stimulus.file!r} needs Qt's player, which is not there "
            f"({error}): install PySide6-Addons=={version}, or let the experimenter play it (kind "
            '= "experimenter")'
        ) from error


def make_stimulus(stimulus: Stimulus, path: Path | None, seed: str, theme: Theme) -> Shown:
    """Build the widget of a stimulus.

    Parameters
    ----------
    stimulus : Stimulus
    path : Path or None
        Of its file.
    seed : str
        What is random in it depends on this alone.
    theme : Theme

    Raises
    ------
    InputError
        If its file cannot be shown.
    """
    kind = stimulus.kind
    if kind == "breathing":
        return Breathing(theme)
    if kind == "arithmetic":
        return Arithmetic(seed)
    if kind == "experimenter":
        return Experimenter(stimulus.text)
    if kind == "picture":
        return Picture(path)
    if kind in ("video", "sound"):
        need_player(stimulus)
        from apps.wizard.player import Player

        return Player(path, kind == "video")
    return Reading(stimulus.text) if kind == "text" else Recall(stimulus.text)


class Shown(QWidget):
    """A stimulus while it is shown; `begin`, then `advance` now and then, then `stop`."""

    over = Signal()
    """It has come to its end by itself."""

    failed = Signal(str)
    """It cannot be shown, and why."""

    def begin(self) -> None:
        """Start."""

    def advance(self, elapsed: float) -> None:
        """Show how it is after so many seconds."""

    def stop(self) -> None:
        """End."""

    @property
    def remark(self) -> str:
        """What came of it, for the record."""
        return ""


class Reading(Shown):
    """A text to read."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.text = reading(text)
        centred_column(self).addWidget(self.text, 1)
        self.setFocusProxy(self.text)


class Recall(Shown):
    """A moment to remember: the prompt stays."""

    def __init__(self, text: str) -> None:
        super().__init__()
        rows = centred_column(self)
        rows.addStretch(1)
        rows.addWidget(scaled(paragraph(text, centred=True), 1.3))
        rows.addStretch(1)


class Experimenter(Shown):
    """What the experimenter does, and a button to say that it is done."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.done = button("Done", "The experimenter has finished (Enter)")
        self.done.clicked.connect(self.over)
        rows = centred_column(self)
        rows.addStretch(1)
        rows.addWidget(scaled(paragraph(text, centred=True), 1.3))
        rows.addWidget(self.done, 0, Qt.AlignmentFlag.AlignCenter)
        rows.addStretch(1)
        self.setFocusProxy(self.done)


class Picture(Shown):
    """A picture, as large as fits."""

    def __init__(self, path: Path | None) -> None:
        super().__init__()
        self._picture = QPixmap(str(path))
        if self._picture.isNull():
            raise InputError(f"the picture {str(path)!r} cannot be shown: save it as PNG or JPEG")
        self._label = plain_label()
        self._label.setAlignment(Qt.AlignmentFlag.AlignCenter)
        self._label.setMinimumSize(1, 1)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self._label)

    def resizeEvent(self, event: QResizeEvent) -> None:
        """Fit the picture in."""
        super().resizeEvent(event)
        ratio = self.devicePixelRatioF()
        fitted = self._picture.scaled(
            self.size() * ratio,
            Qt.AspectRatioMode.KeepAspectRatio,
            Qt.TransformationMode.SmoothTransformation,
        )
        fitted.setDevicePixelRatio(ratio)
        self._label.setPixmap(fitted)


class Breathing(Shown):
    """A circle that grows and shrinks at the pace of `BREATHS`."""

    def __init__(self, theme: Theme) -> None:
        super().__init__()
        self._theme = theme
        self.size_now, self.word = 0.0, "Breathe in"
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Expanding)

    def advance(self, elapsed: float) -> None:
        """Show the circle after so many seconds: `size_now` is 0 (small) to 1."""
        phase = (elapsed * BREATHS / 60.0) % 1.0
        inhales = phase < INHALE
        share = phase / INHALE if inhales else 1.0 - (phase - INHALE) / (1.0 - INHALE)
        self.size_now = 0.5 - 0.5 * math.cos(math.pi * share)
        self.word = "Breathe in" if inhales else "Breathe out"
        self.setAccessibleName(self.word)
        self.update()

    def sizeHint(self) -> QSize:
        """Most of the window."""
        return QSize(400, 400)

    def paintEvent(self, event: QPaintEvent) -> None:
        """Draw the circle, its greatest size, and the word."""
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        middle = QPointF(self.width() / 2, self.height() / 2)
        largest = min(self.width(), self.height()) / 2 - 6
        radius = largest * (0.4 + 0.6 * self.size_now)
        painter.setPen(self._theme.grid)
        painter.drawEllipse(middle, largest, largest)
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(self._theme.positive)
        painter.drawEllipse(middle, radius, radius)
        font = QFont(self.font())
        font.setPixelSize(max(round(largest / 9), 14))
        painter.setFont(font)
        painter.setPen(self._theme.card)
        painter.drawText(self.rect(), Qt.AlignmentFlag.AlignCenter, self.word)


class Arithmetic(Shown):
    """Serial subtraction, typed or tapped; a mistake leads back to the first number."""

    def __init__(self, seed: str) -> None:
        super().__init__()
        self.first = random.Random(seed).randrange(1000, 1100)
        self.number = self.first
        self.right = self.wrong = 0
        self.question = scaled(plain_label(), 2.2, bold=True)
        self.question.setAlignment(Qt.AlignmentFlag.AlignCenter)
        self.entry = QLineEdit()
        self.entry.setValidator(QIntValidator(0, LARGEST, self))
        self.entry.setMaxLength(len(str(LARGEST)))
        self.entry.setAlignment(Qt.AlignmentFlag.AlignCenter)
        self.entry.setAccessibleName("Answer")
        self.entry.setFixedWidth(4 * TARGET)
        self.entry.setMinimumHeight(TARGET)
        self.entry.returnPressed.connect(self._answer)
        self.verdict = paragraph(centred=True)
        self.keys: dict[str, QPushButton] = {}
        pad = QGridLayout()
        pad.setSpacing(6)
        for place, text in enumerate("789456123⌫0↵"):
            key = self.keys[text] = button(text)
            key.setMinimumWidth(0)
            key.setFixedWidth(round(1.4 * TARGET))
            key.setFocusPolicy(Qt.FocusPolicy.NoFocus)  # typing goes on
            key.clicked.connect(lambda _=False, text=text: self._tap(text))
            pad.addWidget(key, place // 3, place % 3)
        self.keys["⌫"].setAccessibleName("Delete")
        self.keys["↵"].setAccessibleName("Answer")
        rows = centred_column(self)
        rows.addStretch(1)
        rows.addWidget(self.question)
        rows.addWidget(self.entry, 0, Qt.AlignmentFlag.AlignCenter)
        rows.addWidget(self.verdict)
        rows.addLayout(pad)
        rows.setAlignment(pad, Qt.AlignmentFlag.AlignCenter)
        rows.addStretch(1)
        self.setFocusProxy(self.entry)
        self._ask()

    @property
    def remark(self) -> str:
        """The score."""
        return f"{self.right} right, {self.wrong} wrong"

    def stop(self) -> None:
        """Take no more answers."""
        self.setEnabled(False)

    def _ask(self) -> None:
        self.question.setText(f"{self.number} − {STEP} = ?")
        self.entry.clear()

    def _tap(self, text: str) -> None:
        if text == "↵":
            self._answer()
        elif text == "⌫":
            self.entry.backspace()
        else:
            self.entry.insert(text)

    def _answer(self) -> None:
        if not self.entry.text():
            return
        if int(self.entry.text()) == self.number - STEP:
            self.right += 1
            self.number -= STEP
            self.verdict.setText("✓ right")
            if self.number < STEP:
                self.number = self.first
        else:
            self.wrong += 1
            self.number = self.first
            self.verdict.setText(f"✕ wrong: again from {self.first}")
        self._ask()
