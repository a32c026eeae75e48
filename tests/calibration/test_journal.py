"""The journal: a guided session that was killed at any step goes on from there."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from calibration.guided import JOURNAL, Guided
from calibration.journal import Journal
from realtime.errors import InputError
from tests.calibration.guided_room import (
    GOOD,
    ORDER,
    PROTOCOL,
    Room,
    answers,
    show,
    to_end,
    to_rest,
)


def long_session(room: Room) -> list[str]:
    """Go through everything that can happen; return the journal's lines."""
    guided = room.open()
    to_rest(guided)
    guided.start()
    guided.pause()
    guided.resume()
    guided.start()
    room.now += 60
    guided.tick()
    show(guided, room)
    guided.rate(answers())
    guided.start()
    guided.pause()
    guided.resume()
    show(guided, room)
    guided.repeat_trial()
    show(guided, room)
    guided.skip_rating()
    guided.pause()
    guided.resume()
    guided.rest_again("a new engine")
    guided.start()
    room.now += 60
    guided.tick()
    to_end(guided, room)
    guided.close()
    return (room.folder / JOURNAL).read_text("utf-8").splitlines(keepends=True)


def test_killed_at_every_line_it_goes_on_to_its_end(room: Room, tmp_path: Path) -> None:
    lines = long_session(room)
    assert len(lines) > 25
    states = set()
    for cut in range(1, len(lines) + 1):
        other = Room(tmp_path / f"cut {cut}")
        other.folder.mkdir()
        (other.folder / JOURNAL).write_text("".join(lines[:cut]), "utf-8")
        done = json.loads(lines[cut - 1])
        guided = other.open()
        states.add(guided.state)
        assert guided.resumed and not guided.paused
        assert guided.state == "break" or not guided.running
        rated = guided.ratings
        said = other.said()
        if guided.state in ("consent", "finished"):
            assert said == []
        else:
            assert said[0] == "session_start: lab, resumed"
        if done["do" if cut > 1 else "journal"] == "rate":
            assert said[1:] == [f"rating {guided.trials[-1].trial}"]
        if done.get("do") == "start":
            # What ran starts again, and says so.
            assert said[-1].startswith(("note: rest starts", "note")) and "crash" in said[-1]
        to_end(guided, other)
        assert rated.items() <= guided.ratings.items()  # answered trials stay
        kept = [trial for trial in guided.trials if not trial.superseded]
        assert [trial.place for trial in kept] == list(ORDER)
        assert len({trial.trial for trial in guided.trials}) == len(guided.trials)
        guided.close()
        again = other.open()
        assert again.state == "finished" and again.ratings == guided.ratings
        again.close()
    assert states == {*("consent", "check", "rest", "stimulus", "rating"), "break", "summary"} | {
        "finished"
    }


def test_a_half_written_line_is_dropped_and_said(room: Room) -> None:
    lines = long_session(room)
    journal = room.folder / JOURNAL
    at = next(number for number, line in enumerate(lines) if '"rate"' in line)
    for piece in (lines[at][:-1], lines[at][:20], "\x00" * 40, "[]\n"):
        journal.write_text("".join(lines[:at]) + piece, "utf-8")
        guided = room.open()
        assert guided.state == "rating" and guided.ratings == {}
        assert "last line of the journal was damaged" in guided.dropped
        guided.rate(answers())
        guided.close()
        healed = room.open()
        assert not healed.dropped and len(healed.ratings) == 1
        healed.close()
    journal.write_text(lines[0][:30], "utf-8")  # killed while the first line was written
    guided = room.open()
    assert guided.state == "consent" and guided.dropped and not guided.resumed


def test_a_journal_of_something_else_is_refused(room: Room, tmp_path: Path) -> None:
    lines = long_session(room)
    journal = room.folder / JOURNAL
    with pytest.raises(InputError, match=r"belongs to another participant \('sub-07', not 'eve'\)"):
        room.open(participant="eve")
    with pytest.raises(InputError, match="belongs to another protocol"):
        room.open(replace(PROTOCOL, name="other"))
    with pytest.raises(InputError, match="belongs to another version of the protocol"):
        room.open(replace(PROTOCOL, rest=90.0))
    assert journal.read_text("utf-8") == "".join(lines)  # a refusal changes nothing
    for number, content, said in (
        (2, "{}\n", "line 3 of the journal .*'do' is missing"),
        (2, '{"do": "finish"}\n', "line 3 .*finish is not possible now: the state is check"),
        (2, '{"do": "__init__"}\n', "line 3 .* not possible"),
        (2, "nonsense\n", "line 3 of the journal .* is damaged: mend it"),
        (0, '{"a": 1}\n', "is no journal of a guided session"),
        (0, lines[0].replace('"order": [', '"order": [9, '), "line 1 .* stimuli that are not"),
        (4, '{"do": "confirm_sensors"}\n', "line 5"),
    ):
        journal.write_text("".join([*lines[:number], content, *lines[number + 1 :]]), "utf-8")
        with pytest.raises(InputError, match=said):
            room.open()
    shutil.rmtree(room.folder)
    room.folder.write_text("a file")
    with pytest.raises(InputError, match="cannot open the journal"):
        room.open()
    for name in ("", " x", "a\nb", "x" * 65):
        with pytest.raises(InputError, match="give a pseudonym"):
            room.open(participant=name)


def test_two_sessions_do_not_write_into_one_journal(room: Room) -> None:
    one, other = room.open(), room.open()
    one.agree()
    with pytest.raises(InputError, match="another program writes to"):
        other.agree()
    assert other.state == "consent"
    one.sense(GOOD[:1])
    one.confirm_sensors()
    assert one.state == "rest"


def test_every_line_is_on_the_disk_before_its_marker(tmp_path: Path, synced: list[int]) -> None:
    path = tmp_path / JOURNAL
    written: list[tuple[int, int]] = []
    guided = Guided(
        PROTOCOL, "sub-07", tmp_path, lambda _: written.append((path.stat().st_size, len(synced)))
    )
    before, syncs = path.stat().st_size, len(synced)
    guided.agree()
    guided.close()
    assert written == [(path.stat().st_size, syncs + 1)] and written[0][0] > before
    with Journal(path) as journal:
        assert [record.get("do") for record in journal.records] == [None, "agree"]
