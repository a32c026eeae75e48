"""A person's guided sessions: a folder each, in the folder of their profile."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from calibration.guided import JOURNAL
from calibration.profile_format import SESSIONS
from calibration.protocol import Protocol

_OVER = ("finish", "abort", "decline")


def session_folder(profile: Path, protocol: Protocol) -> tuple[Path, tuple[str, ...]]:
    """Return where a guided session is kept: the newest that is not over, or else a new folder.

    Parameters
    ----------
    profile : Path
        Folder of the person's profile, which need not be there yet.
    protocol : Protocol

    Returns
    -------
    folder : Path
        Not made yet if it is new.
    notes : tuple of str
        A sentence for each session of another protocol that waits to be resumed.
    """
    root = profile / SESSIONS
    notes: list[str] = []
    for journal in sorted(root.glob(f"*/{JOURNAL}"), reverse=True):
        records = _records(journal)
        if any(record.get("do") in _OVER for record in records):
            continue
        head = records[0] if records else {}
        if not records or head.get("digest") == protocol.digest:
            return journal.parent, tuple(notes)
        notes.append(
            f"a session of another protocol ({str(head.get('protocol'))[:40]!r}), or of an earlier "
            f"version of it, was not ended: it stays in {str(journal.parent)!r}"
        )
    name = datetime.now(UTC).strftime("%Y%m%dT%H%M%SZ")
    folder, number = root / name, 1
    while folder.exists():
        number += 1
        folder = root / f"{name}-{number}"
    return folder, tuple(notes)


def _records(journal: Path) -> list[dict[str, Any]]:
    """Return what can be read of a journal; `Guided` says what is wrong with the rest."""
    found = []
    for line in journal.read_text("utf-8", errors="replace").splitlines():
        try:
            record = json.loads(line)
        except ValueError:
            continue
        if isinstance(record, dict):
            found.append(record)
    return found
