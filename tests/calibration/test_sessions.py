"""Which guided session goes on, and which begins."""

from __future__ import annotations

from pathlib import Path

import pytest

from calibration.guided import JOURNAL
from calibration.profile_files import has_profile
from calibration.protocol import parse_protocol
from calibration.sessions import session_folder
from calibration.store import entry, forget
from realtime.errors import InputError
from tests.calibration.guided_room import HEAD, PROTOCOL, STIMULI, Room, to_first_trial


def test_newest_session_that_is_not_over_goes_on(tmp_path: Path, synced: list[int]) -> None:
    profile = tmp_path / "p01"
    first, notes = session_folder(profile, PROTOCOL)
    assert first.parent == profile / "sessions"
    assert not profile.exists()
    assert notes == ()
    room = Room(first)
    guided = room.open()
    to_first_trial(guided, room)
    guided.close()
    assert session_folder(profile, PROTOCOL)[0] == first
    other = parse_protocol(HEAD.replace('"lab"', '"other"') + STIMULI, "other")
    second, notes = session_folder(profile, other)
    assert second != first
    assert len(notes) == 1
    assert "of another protocol ('lab')" in notes[0]
    room.open().abort()
    room.opened[-1].close()
    third, notes = session_folder(profile, PROTOCOL)
    assert third != first
    assert notes == ()
    # A file that was cut off before its first line was whole begins anew in its place.
    (third / JOURNAL).parent.mkdir()
    (third / JOURNAL).write_bytes(b'{"journal": "gui')
    assert session_folder(profile, PROTOCOL)[0] == third


def test_session_without_profile_is_listed_and_forgotten(tmp_path: Path, synced: list[int]) -> None:
    room = Room(session_folder(tmp_path / "p01", PROTOCOL)[0])
    room.open().close()
    assert not has_profile(tmp_path, "p01")
    assert "nothing is fitted yet: go on" in entry(tmp_path, "p01").problem
    removed = forget(tmp_path, "p01").removed
    assert [one.name.rpartition("/")[2] for one in removed] == [JOURNAL]
    assert not (tmp_path / "p01").exists()
    with pytest.raises(InputError, match="no profile 'p01'"):
        entry(tmp_path, "p01")
