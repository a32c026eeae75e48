"""The guided session: every way through it, and killed at every step."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest

from calibration.guided import JOURNAL, Guided, OutOfTurn
from calibration.journal import Journal
from calibration.protocol import Protocol, parse_protocol
from calibration.ratings import Rating
from calibration.sensors import SensorCheck, check_sensors
from realtime.errors import InputError
from realtime.markers import Event, format_marker, parse_marker

PROTOCOL = parse_protocol(
    """
name = "lab"
title = "Lab"
consent = "Yes."
rest = 60
instrument = "short"
order = "random"
break_every = 2
break_seconds = 10
[[stimuli]]
kind = "breathing"
seconds = 20
condition = "calm"
[[stimuli]]
kind = "experimenter"
text = "Offer a glass of water."
condition = "drink"
[[stimuli]]
kind = "arithmetic"
seconds = 30
condition = "stress"
""",
    "lab",
)
SEED = 1
ORDER = PROTOCOL.sequence(SEED)
GOOD = (SensorCheck("ppg", True, "live", 0.9, ""), SensorCheck("eda", False, "lost", None, "lost"))


@dataclass
class Room:
    """A folder, a clock that stands still, and the events that came out."""

    folder: Path
    now: float = 100.0
    events: list[Event] = field(default_factory=list)
    opened: list[Guided] = field(default_factory=list)

    def open(self, protocol: Protocol = PROTOCOL, participant: str = "sub-07") -> Guided:
        guided = Guided(
            protocol, participant, self.folder, self.events.append, SEED, lambda: self.now
        )
        self.opened.append(guided)
        return guided

    def said(self) -> list[str]:
        """Return what was published since the last call, in short, and that it can be read."""
        short = []
        for event in self.events:
            assert event.participant == "sub-07"
            assert parse_marker(format_marker(event)) == event
            trial = f" {event.trial}" if event.trial else ""
            short.append(f"{event.event}{trial}{': ' if event.text else ''}{event.text}")
        self.events.clear()
        return short


@pytest.fixture(autouse=True)
def synced(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Count what goes to the disk instead of waiting for it: only processes are killed here."""
    calls: list[int] = []
    monkeypatch.setattr("os.fsync", calls.append)
    return calls


@pytest.fixture
def room(tmp_path: Path) -> Iterator[Room]:
    made = Room(tmp_path / "session")
    yield made
    for guided in made.opened:
        guided.close()


def answers(**scores: float | None) -> Rating:
    return Rating("short", {"upset": 2.0, "alert": None, **scores}, (1.0, 5.0))


def to_rest(guided: Guided) -> None:
    guided.agree()
    guided.sense(GOOD)
    guided.waive("eda")
    guided.confirm_sensors()


def to_first_trial(guided: Guided, room: Room) -> None:
    to_rest(guided)
    guided.start()
    room.now += 60
    guided.tick()
    assert guided.state == "stimulus"


def show(guided: Guided, room: Room) -> None:
    """Start a stimulus and let it end."""
    guided.start()
    assert guided.trial is not None
    if guided.seconds is None:
        guided.finish_stimulus()
    else:
        room.now += guided.seconds
        guided.tick("3 right" if guided.trial.condition == "stress" else "")
    assert guided.state == "rating"


def to_end(guided: Guided, room: Room) -> None:
    """Go on from wherever a session is, as a person would."""
    for _ in range(60):
        if guided.state == "consent":
            guided.agree()
        elif guided.state == "check":
            guided.sense(GOOD)
            if guided.can("confirm_sensors"):
                guided.confirm_sensors()
            else:
                guided.waive("eda")
        elif guided.state in ("rest", "break") and (guided.running or not guided.start()):
            room.now += guided.seconds or 0.0
            guided.tick()
        elif guided.state == "stimulus":
            show(guided, room)
        elif guided.state == "rating":
            guided.rate(answers())
        elif guided.state == "summary":
            guided.finish()
    assert guided.state == "finished"


def test_a_session_from_consent_to_its_end(room: Room) -> None:
    guided = room.open()
    assert guided.state == "consent" and not guided.resumed and guided.progress == (0, 3)
    guided.agree()
    order = " ".join(str(place + 1) for place in ORDER)
    assert room.said() == [f"session_start: lab, order {order}"]

    assert not guided.can("confirm_sensors")
    guided.sense(GOOD)
    assert [check.modality for check in guided.failing] == ["eda"]
    with pytest.raises(OutOfTurn):
        guided.confirm_sensors()
    with pytest.raises(InputError, match=r"'ppg' is not among the sensors that fail \(eda\)"):
        guided.waive("ppg")
    guided.waive("eda")
    guided.waive("eda")  # once is enough
    guided.confirm_sensors()
    assert room.said() == ["note: goes without eda", "note: sensors: ppg passes, eda is waived"]

    guided.tick()
    assert (guided.running, guided.left) == (False, 60.0)
    guided.start()
    room.now += 59.5
    guided.tick()
    assert (guided.state, guided.left) == ("rest", 0.5)
    room.now += 0.6
    guided.tick()
    assert room.said() == ["baseline_start", "baseline_stop"]

    for number, place in enumerate(ORDER, start=1):
        stimulus = PROTOCOL.stimuli[place]
        assert guided.state == "stimulus" and guided.stimulus == stimulus
        show(guided, room)
        assert guided.trial is not None and guided.trial.condition == stimulus.condition
        guided.rate(answers(upset=float(number)))
        expected = [f"trial_start {number}", f"trial_stop {number}", f"rating {number}"]
        if stimulus.kind == "arithmetic":
            expected.insert(2, f"note {number}: 3 right")
        if number == 2:
            expected.append("note: break")
            assert guided.state == "break"
            room.now += 10
            guided.tick()
            expected.append("note: break over")
        assert room.said() == expected
        assert guided.progress == (number, 3)
    assert guided.state == "summary" and guided.stimulus is None
    assert [rating.items["upset"] for rating in guided.ratings.values()] == [1.0, 2.0, 3.0]
    assert all(rating.participant == "sub-07" for rating in guided.ratings.values())
    guided.finish()
    assert room.said() == ["session_stop"]
    assert guided.state == "finished" and not guided.can("abort")


def test_the_rating_event_holds_what_was_shown_and_answered(room: Room) -> None:
    guided = room.open()
    to_first_trial(guided, room)
    show(guided, room)
    room.events.clear()
    guided.rate(answers(upset=4.0))
    (event,) = room.events
    assert (event.event, event.trial, event.instrument) == ("rating", "1", "short")
    assert event.condition == PROTOCOL.stimuli[ORDER[0]].condition
    assert (event.items, event.order, event.scale) == ({"upset": 4.0}, ("upset", "alert"), (1, 5))


def test_no_answer_is_no_rating(room: Room) -> None:
    guided = room.open()
    to_first_trial(guided, room)
    show(guided, room)
    room.said()
    guided.rate(answers(upset=None))
    assert room.said() == ["note 1: not rated"]
    show(guided, room)
    guided.skip_rating()
    assert guided.ratings == {} and guided.progress == (2, 3)


def test_who_declines_leaves_no_marker(room: Room) -> None:
    guided = room.open()
    guided.decline()
    assert guided.state == "aborted" and room.said() == []
    guided.close()
    assert room.open().state == "aborted" and room.said() == []


@pytest.mark.parametrize("state", ["check", "rest", "stimulus", "rating"])
def test_abort_at_any_time_is_for_good(room: Room, state: str) -> None:
    guided = room.open()
    guided.agree()
    if state == "rest":
        guided.sense(GOOD[:1])
        guided.confirm_sensors()
        guided.start()
    elif state != "check":
        guided.sense(GOOD[:1])
        guided.confirm_sensors()
        guided.start()
        room.now += 60
        guided.tick()
        guided.start()
        if state == "rating":
            guided.finish_stimulus()
    assert guided.state == state
    room.said()
    guided.abort("the person\nfelt unwell")
    last = room.said()
    stops = {
        "rest": ["baseline_stop", "note: rest starts again: the session was aborted"],
        "stimulus": ["trial_stop 1", "note 1: superseded: the session was aborted"],
    }
    assert last == [
        *stops.get(state, []),
        "note: aborted: the person felt unwell",
        "session_stop",
    ]
    guided.close()
    again = room.open()
    assert again.state == "aborted" and again.resumed and room.said() == []


def test_pause_takes_back_what_runs(room: Room) -> None:
    guided = room.open()
    to_rest(guided)
    guided.start()
    room.said()
    guided.pause()
    assert room.said() == [
        "baseline_stop",
        "note: rest starts again: the session was paused",
        "note: pause",
    ]
    room.now += 500
    guided.tick()
    assert guided.state == "rest" and not guided.can("start") and not guided.can("pause")
    guided.resume()
    guided.start()
    assert guided.left == 60.0
    room.now += 60
    guided.tick()
    guided.start()
    room.said()
    guided.pause()
    assert room.said() == [
        "trial_stop 1",
        "note 1: superseded: the session was paused",
        "note: pause",
    ]
    guided.resume()
    guided.start()
    assert guided.trial is not None and guided.trial.trial == "2"
    assert guided.trial.place == guided.trials[0].place == ORDER[0]
    assert guided.progress == (0, 3)


def test_break_starts_again_after_a_pause(room: Room) -> None:
    guided = room.open()
    to_first_trial(guided, room)
    for _ in range(2):
        show(guided, room)
        guided.rate(answers())
    room.now += 6
    assert guided.left == 4.0
    guided.pause()
    room.now += 60
    guided.tick()
    guided.resume()
    assert (guided.state, guided.left) == ("break", 10.0)


@pytest.mark.parametrize("when", ["running", "rating", "waiting", "break", "summary"])
def test_a_repeated_trial_gets_its_own_id(room: Room, when: str) -> None:
    guided = room.open()
    to_first_trial(guided, room)
    rounds = {"running": 0, "rating": 0, "waiting": 1, "break": 2, "summary": 3}[when]
    for _ in range(rounds):
        while guided.state != "stimulus":
            room.now += 10
            guided.tick()
        show(guided, room)
        guided.rate(answers())
    if when in ("running", "rating"):
        guided.start()
    if when == "rating":
        guided.finish_stimulus()
    earlier = guided.trials[-1]
    before = guided.progress
    room.said()
    guided.repeat_trial()
    assert room.said()[-1] == f"note {earlier.trial}: superseded: it is repeated"
    assert guided.state == "stimulus" and not guided.running
    assert guided.progress == (max(before[0] - (rounds > 0), 0), 3)
    show(guided, room)
    assert guided.trial is not None
    assert guided.trial.trial == str(int(earlier.trial) + 1)
    assert guided.trial.place == earlier.place
    guided.rate(answers())
    to_end(guided, room)
    assert earlier.trial not in guided.ratings and len(guided.ratings) == 3
    assert [t.place for t in guided.trials if not t.superseded] == list(ORDER)


def test_a_trial_can_be_repeated_twice(room: Room) -> None:
    guided = room.open()
    to_first_trial(guided, room)
    for _ in range(2):
        show(guided, room)
        guided.repeat_trial()
    to_end(guided, room)
    assert [bool(t.superseded) for t in guided.trials] == [True, True, False, False, False]


def test_rest_again_when_the_baseline_is_lost(room: Room) -> None:
    guided = room.open()
    to_first_trial(guided, room)
    show(guided, room)
    room.said()
    guided.rest_again("a new engine")
    assert room.said() == ["note: rest again: a new engine"]
    assert guided.state == "rating"  # first what was felt
    guided.rate(answers())
    assert guided.state == "rest"
    guided.start()
    room.now += 60
    guided.tick()
    assert guided.state == "stimulus"
    guided.rest_again("once more")
    assert guided.state == "rest"
    guided.start()
    guided.repeat_trial()
    assert guided.state == "rest" and not guided.running
    to_end(guided, room)
    assert len(guided.ratings) == 3


def test_what_is_out_of_turn_changes_nothing(room: Room) -> None:
    guided = room.open()
    size = (room.folder / JOURNAL).stat().st_size
    calls: list[Callable[[], object]] = [
        guided.start,
        guided.pause,
        guided.resume,
        guided.repeat_trial,
        guided.skip_rating,
        guided.finish,
        guided.finish_stimulus,
        guided.confirm_sensors,
        lambda: guided.rest_again("why"),
        lambda: guided.rate(answers()),
        lambda: guided.rate(answers(upset=None)),
        guided.abort,
    ]
    for call in calls:
        with pytest.raises(OutOfTurn, match="the state is consent"):
            call()
    assert room.events == [] and (room.folder / JOURNAL).stat().st_size == size


# Killed and resumed.


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
        (2, "nonsense\n", "line 3 of the journal .* is damaged: mend or remove"),
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


# The sensor check.


def stream(modality: str = "ppg", **changes: object) -> dict[str, object]:
    base = {"modality": modality, "participant": "P1", "state": "live", "quality": 0.9}
    return {**base, "valid": 1.0, **changes}


@pytest.mark.parametrize(
    ("changes", "passed", "reason"),
    [
        ({}, True, ""),
        ({"quality": 0.5, "valid": 0.5}, True, ""),
        ({"quality": 0.49}, False, "quality is 49%"),
        ({"valid": 0.2}, False, "only 20% of its samples"),
        ({"state": "lost"}, False, "stream is lost"),
        ({"quality": None, "valid": None}, False, "first window"),
        ({"quality": float("nan")}, False, "first window"),
        ({"quality": "good"}, False, "first window"),
        ({"participant": "P2"}, False, "no stream serves it"),
    ],
)
def test_a_sensor_passes_or_says_why_not(
    changes: dict[str, object], passed: bool, reason: str
) -> None:
    (check,) = check_sensors(["ppg"], [stream(**changes)], "P1")
    assert check.passed is passed
    assert reason in check.reason and bool(check.reason) is not passed


def test_all_streams_of_a_modality_must_pass() -> None:
    checks = check_sensors(
        ["eeg", "eda"], [stream("eeg"), stream("eeg", state="silent"), stream("eda")], "P1"
    )
    assert [(check.modality, check.passed) for check in checks] == [("eeg", False), ("eda", True)]
