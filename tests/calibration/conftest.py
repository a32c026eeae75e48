"""Fixtures of guided sessions."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.calibration.guided_room import Room


@pytest.fixture
def synced(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Count what goes to the disk instead of waiting for it: only processes are killed here."""
    calls: list[int] = []
    monkeypatch.setattr("os.fsync", calls.append)
    return calls


@pytest.fixture
def room(tmp_path: Path, synced: list[int]) -> Iterator[Room]:
    made = Room(tmp_path / "session")
    yield made
    for guided in made.opened:
        guided.close()
