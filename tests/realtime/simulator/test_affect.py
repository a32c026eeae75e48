from __future__ import annotations

from itertools import pairwise

import pytest

from realtime.simulator.affect import (
    DEMO,
    LAB,
    RAMP,
    Affect,
    Schedule,
    amusement,
    baseline,
    rest,
    stress,
)

SHORT = Schedule((baseline(10.0),), (stress(20.0), rest(30.0)))


def test_episodes_follow_each_other_for_ever() -> None:
    starts = [SHORT.start(number) for number in range(6)]
    assert starts == [0.0, 10.0, 30.0, 60.0, 80.0, 110.0]
    conditions = [SHORT.episode(number).condition for number in range(6)]
    assert conditions == ["baseline", "stress", "rest", "stress", "rest", "stress"]
    for number, start in enumerate(starts):
        assert SHORT.number(start) == number
        assert SHORT.number(start + 9.999) == number
    assert SHORT.episode(SHORT.number(10.0 + 50.0 * 10_000 + 1.0)).condition == "stress"


def test_events_name_baseline_and_trials() -> None:
    events = [(t, e.event, e.trial, e.condition) for t, e in SHORT.events(0.0, 61.0)]
    assert events == [
        (0.0, "baseline_start", "", ""),
        (10.0, "baseline_stop", "", ""),
        (10.0, "trial_start", "1", "stress"),
        (30.0, "trial_stop", "1", "stress"),
        (30.0, "trial_start", "2", "rest"),
        (60.0, "trial_stop", "2", "rest"),
        (60.0, "trial_start", "3", "stress"),
    ]


def test_events_do_not_depend_on_how_time_is_cut() -> None:
    whole = list(SHORT.events(0.0, 300.0))
    cuts = [0.0, 10.0, 10.04, 29.96, 30.0, 61.5, 200.0, 300.0]
    assert [e for a, b in pairwise(cuts) for e in SHORT.events(a, b)] == whole


def test_state_moves_between_episodes_without_a_jump() -> None:
    affect = Affect(SHORT, seed=3)
    states = [affect.state(0.1 * i) for i in range(1200)]
    for old, new in pairwise(states):
        for name in ("arousal", "valence", "stress"):
            assert 0.0 <= getattr(new, name) <= 1.0
            assert abs(getattr(new, name) - getattr(old, name)) < 0.05
    assert states[50].stress < 0.2
    assert states[int(10 * (10 + RAMP))].stress > 0.75
    assert states[150].condition == "stress"
    assert states[590].stress < 0.2


def test_state_is_a_function_of_seed_and_time() -> None:
    here, there = Affect(SHORT, 3), Affect(SHORT, 3)
    there.state(500.0)
    assert here.state(42.0) == there.state(42.0)
    assert Affect(SHORT, 4).state(42.0) != here.state(42.0)


def test_the_demo_changes_within_its_first_minute() -> None:
    assert [DEMO.episode(n).condition for n in range(4)] == [
        "baseline",
        "stress",
        "rest",
        "amusement",
    ]
    assert Affect(DEMO, 1).state(45.0).stress > 0.75
    assert LAB.start(1) == 300.0


def test_impossible_schedules_are_refused() -> None:
    with pytest.raises(ValueError, match="at least one episode"):
        Schedule((baseline(10.0),), ())
    with pytest.raises(ValueError, match="'amusement' lasts 0.0 s"):
        Schedule((), (amusement(0.0),))
