"""The guided session: every way through it."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from calibration.guided import JOURNAL, OutOfTurn
from realtime.errors import InputError
from tests.calibration.guided_room import (
    GOOD,
    ORDER,
    PROTOCOL,
    Room,
    answers,
    show,
    to_end,
    to_first_trial,
    to_rest,
)


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
    assert room.events[-1].items == ({"upset": 2.0} if earlier.done else {})  # what is taken back
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
