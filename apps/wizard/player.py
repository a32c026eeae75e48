"""Videos and sounds, through Qt's player; it comes with PySide6-Addons, which is optional."""

from __future__ import annotations

from pathlib import Path

from PySide6.QtCore import Qt, QUrl
from PySide6.QtMultimedia import QAudioOutput, QMediaPlayer
from PySide6.QtMultimediaWidgets import QVideoWidget
from PySide6.QtWidgets import QVBoxLayout, QWidget

from apps.wizard.layout import paragraph, scaled
from apps.wizard.stimuli import Shown


class Player(Shown):
    """Plays a file to its end, or until it is stopped.

    Parameters
    ----------
    path : Path or None
    picture : bool
        Whether there is something to see.
    """

    def __init__(self, path: Path | None, picture: bool) -> None:
        super().__init__()
        self._player = QMediaPlayer(self)
        self._sound = QAudioOutput(self)
        self._player.setAudioOutput(self._sound)
        shown: QWidget = scaled(paragraph("Listen.", centred=True), 1.5)
        if picture:
            shown = QVideoWidget()
            shown.setAspectRatioMode(Qt.AspectRatioMode.KeepAspectRatio)
            self._player.setVideoOutput(shown)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(shown)
        self._player.mediaStatusChanged.connect(self._on_status)
        self._player.errorOccurred.connect(lambda _kind, text: self.failed.emit(text))
        self._player.setSource(QUrl.fromLocalFile(str(path)))

    def begin(self) -> None:
        """Play."""
        self._player.play()

    def stop(self) -> None:
        """Stop playing."""
        self._player.stop()

    def _on_status(self, status: QMediaPlayer.MediaStatus) -> None:
        if status == QMediaPlayer.MediaStatus.EndOfMedia:
            self.over.emit()
