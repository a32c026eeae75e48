"""The dialog in which the user says which of several devices serves a role."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from PySide6.QtCore import Qt
from PySide6.QtWidgets import (
    QDialog,
    QDialogButtonBox,
    QListWidget,
    QListWidgetItem,
    QVBoxLayout,
    QWidget,
)

from apps.dashboard.card import plain_label
from apps.dashboard.text import modality_title, plain

MAX_CANDIDATES = 100


class ChoiceDialog(QDialog):
    """Lists devices that fit one role; nothing is chosen until the user does.

    Parameters
    ----------
    message : mapping
        The engine's `choice` message.
    bind : callable
        Takes the `bind` message when a device was chosen.
    parent : QWidget
    """

    def __init__(
        self,
        message: Mapping[str, Any],
        bind: Callable[[dict[str, Any]], None],
        parent: QWidget,
    ) -> None:
        super().__init__(parent)
        self.setPalette(parent.palette())
        self.setFont(parent.font())
        self._bind = bind
        self._participant = str(message["participant"])
        self._modality = str(message["modality"])
        role = modality_title(self._modality)
        self.setWindowTitle(f"Which device is the {role}?")
        person = plain(self._participant, 30)
        question = plain_label(f"Several devices fit {role} of {person}. Choose one:", bold=True)
        reason = plain_label(plain(message.get("message") or "", 300))
        reason.setWordWrap(True)
        self.list = QListWidget()
        for candidate in list(message["candidates"])[:MAX_CANDIDATES]:
            name, source = plain(candidate["name"], 50), plain(candidate.get("source_id"), 60)
            kind = plain(candidate.get("type"), 20)
            item = QListWidgetItem(f"{name}   ·   type {kind}   ·   source {source}")
            item.setData(Qt.ItemDataRole.UserRole, str(candidate["key"]))
            self.list.addItem(item)
        buttons = QDialogButtonBox()
        self.use = buttons.addButton("Use this device", QDialogButtonBox.ButtonRole.AcceptRole)
        self.later = buttons.addButton("Decide later", QDialogButtonBox.ButtonRole.RejectRole)
        self.use.setEnabled(False)
        self.list.itemSelectionChanged.connect(
            lambda: self.use.setEnabled(bool(self.list.selectedItems()))
        )
        self.list.itemActivated.connect(lambda item: self.accept())
        buttons.accepted.connect(self.accept)
        buttons.rejected.connect(self.reject)
        layout = QVBoxLayout(self)
        for widget in (question, reason, self.list, buttons):
            layout.addWidget(widget)
        self.setMinimumWidth(min(620, max(parent.width() - 80, 300)))

    def accept(self) -> None:
        """Bind the chosen device and close."""
        chosen = self.list.selectedItems()
        if not chosen:
            return
        self._bind(
            {
                "t": "bind",
                "participant": self._participant,
                "modality": self._modality,
                "key": chosen[0].data(Qt.ItemDataRole.UserRole),
            }
        )
        super().accept()
