"""Rated trials: which windows belong to which rating, however late either comes."""

from __future__ import annotations

import dataclasses
import math
from datetime import UTC, datetime

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from calibration.collector import MAX_EVENTS, TrialCollector, TrialSettings
from calibration.trials import evidence, merged, usable
from model.labels import PANAS10
from realtime.errors import InputError
from realtime.markers import Event
from realtime.window import Window

EPOCH = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
SCORES = dict(zip(PANAS10.emotions, (2, 3, 1, 2, 4, 5, 3, 4, 4, 5), strict=True))


def window(time, participant="anna", warm_up=False):
    """A window whose features tell when it ended."""
    features = {"ppg": np.array([time, np.nan], np.float32), "eda": np.array([-time], np.float32)}
    return Window(
        participant=participant,
        time=float(time),
        features=features,
        normalised={name: np.nan_to_num(values) for name, values in features.items()},
        mask={"ppg": True, "eda": time % 3 != 0},
        valid={},
        quality={},
        age={},
        warm_up=warm_up,
        baseline="running",
    )


def start(trial, time, condition="film", participant=""):
    return time, Event("trial_start", trial=trial, condition=condition, participant=participant)


def stop(trial, time, participant=""):
    return time, Event("trial_stop", trial=trial, participant=participant)


def rate(trial, time, participant="", **changes):
    items = {**SCORES, **changes}
    return time, Event(
        "rating",
        trial=trial,
        items={name: score for name, score in items.items() if score is not None},
        order=tuple(items),
        scale=(1.0, 5.0),
        instrument="panas10",
        participant=participant,
    )


def collector(**changes):
    return TrialCollector("anna", ("ppg", "eda"), 1.0, EPOCH, TrialSettings(**changes))


def feed(one, things):
    """Feed windows and events in the given order; return all that came out, call by call."""
    out = []
    for thing in things:
        out.append(one.window(thing) if isinstance(thing, Window) else one.event(*reversed(thing)))
    return out


def gather(things, **changes):
    """Return the last state of each trial, and the collector."""
    one = collector(**changes)
    given = [*feed(one, things), one.close()]
    trials = {trial.trial: trial for trials in given for trial in trials}
    return {name: trial for name, trial in trials.items() if name not in one.withdrawn}, one


def ends(trial):
    """The windows of a trial, by their end."""
    return trial.batch.features["ppg"][:, 0].tolist()


def windows(first, last):
    return [window(time) for time in range(first, last + 1)]


SESSION = [
    start("1", 20.5),
    stop("1", 30.2),
    rate("1", 33.0),
    start("2", 35.0),
    stop("2", 45.0),
    rate("2", 44.0, afraid=1),
]


@st.composite
def sessions(draw):
    """Events of a session of 120 s, with anything that people and programs do to markers."""
    moment = st.integers(0, 240).map(lambda half: half / 2)
    events = []
    for trial in draw(st.lists(st.sampled_from("abcd"), min_size=1, max_size=6)):
        begin, length = draw(moment), draw(st.integers(0, 80)) / 2
        events.append(start(trial, begin))
        if draw(st.integers(0, 5)):
            events.append(stop(trial, begin + length))
        for _ in range(draw(st.integers(0, 2))):
            events.append(rate(trial, draw(moment), alert=draw(st.sampled_from([1, 5, None]))))
    for _ in range(draw(st.integers(0, 3))):
        events.append(rate("", draw(moment)))
    if draw(st.booleans()):
        events.append((draw(moment), Event("baseline_start")))
        events.append((draw(moment), Event("baseline_stop")))
    return events


def same(left, right):
    assert left.keys() == right.keys()
    for name, one in left.items():
        other = right[name]
        assert dataclasses.replace(one, batch=None) == dataclasses.replace(other, batch=None)
        for kind in ("features", "mask"):
            for modality, values in getattr(one.batch, kind).items():
                np.testing.assert_array_equal(values, getattr(other.batch, kind)[modality])
        np.testing.assert_array_equal(one.batch.elapsed, other.batch.elapsed)


@settings(max_examples=30, deadline=None)
@given(sessions(), st.randoms(use_true_random=False))
def test_the_order_of_windows_and_events_does_not_matter(events, random):
    ordered, one = gather([*events, *windows(10, 130)])
    # Two events of one kind at one moment have no other order than that in which they come.
    if len({(time, event.event) for time, event in events}) < len(events):
        return
    shuffled = [*events, *windows(10, 130)]
    random.shuffle(shuffled)
    other, two = gather(shuffled)
    same(ordered, other)
    assert set(one.notes) == set(two.notes)


@settings(max_examples=30, deadline=None)
@given(sessions())
def test_nothing_is_counted_twice_and_every_rated_second_once(events):
    trials, _ = gather([*events, *windows(10, 130)])
    counted = [end for trial in trials.values() for end in ends(trial)]
    assert len(counted) == len(set(counted))
    rest, began = [], None
    for time, event in sorted(events, key=lambda pair: (pair[0], pair[1].event.endswith("start"))):
        if event.event == "baseline_start":
            began = time
        elif event.event == "baseline_stop" and began is not None:
            rest.append((began, time))
            began = None
    if began is not None:
        rest.append((began, math.inf))
    rated = {
        float(end)
        for end in range(10, 131)
        for trial in trials.values()
        if trial.start < end <= trial.stop
    }
    resting = {end for end in rated for begin, until in rest if begin < end <= until}
    assert set(counted) == rated - resting


def test_a_trial_comes_as_soon_as_its_rating_and_its_windows_are_there():
    one = collector()
    out = feed(one, [*windows(10, 29), *SESSION[:2], window(30)])
    assert not any(out)  # no rating yet
    (trial,) = one.event(SESSION[2][1], SESSION[2][0])
    assert (trial.trial, trial.condition, trial.start, trial.stop) == ("1", "film", 20.5, 30.2)
    assert ends(trial) == list(range(21, 31))
    assert trial.date == "2026-03-01T12:00:33+00:00"
    assert trial.rating.items == SCORES and trial.rating.participant == "anna"
    assert trial.batch.modalities == ("ppg", "eda")
    np.testing.assert_array_equal(trial.batch.elapsed, np.arange(21, 31) - 20.5)
    # Rated before it ended, and windows come later than events: it is the last window that counts.
    assert not any(feed(one, [*SESSION[3:], *windows(31, 44)]))
    (second,) = one.window(window(45))
    assert ends(second) == list(range(36, 46))
    assert not any(feed(one, windows(46, 60))) and one.close() == []
    assert one.notes == ()


def test_the_same_window_and_the_same_event_again_change_nothing():
    once, _ = gather([*SESSION, *windows(10, 50)])
    one = collector()
    doubled = [thing for thing in [*SESSION, *windows(10, 50)] for _ in range(2)]
    given = [trial for trials in feed(one, doubled) for trial in trials]
    assert [trial.trial for trial in given] == ["1", "2"]
    same(once, {trial.trial: trial for trial in given})


def test_partial_windows_count_as_in_training_and_the_baseline_does_not():
    events = [*SESSION[:3], (24.0, Event("baseline_start")), (26.0, Event("baseline_stop"))]
    rows = [window(time, warm_up=time < 28) for time in range(10, 40)]
    trials, _ = gather([*events, *rows])
    assert ends(trials["1"]) == [21, 22, 23, 24, 27, 28, 29, 30]
    one = collector()
    one.state_baseline(20.0, 22.0)
    (trial,) = feed(one, [*SESSION[:3], *rows])[-10]
    assert ends(trial)[0] == 23.0


def test_a_trial_inside_the_baseline_or_without_signals_is_told():
    trials, one = gather([*SESSION, *windows(10, 20), *windows(46, 60)])
    assert trials == {}
    assert [note[:29] for note in one.notes] == [
        "trial '1' has no windows of i",
        "trial '2' has no windows of i",
    ]


def test_another_rating_replaces_the_first_and_that_is_said():
    one = collector()
    feed(one, [*SESSION[:3], *windows(10, 40)])
    (again,) = one.event(*reversed(rate("1", 50.0, alert=5)))
    assert again.rating.items["alert"] == 5
    assert again.date == "2026-03-01T12:00:50+00:00"
    assert ends(again) == list(range(21, 31))
    assert one.notes == ("trial '1' is rated more than once: the last one holds",)
    # An earlier one that comes late does not.
    assert one.event(*reversed(rate("1", 31.0, alert=2))) == []


def test_a_trial_that_is_run_again_counts_from_its_last_start():
    interrupted = [start("1", 12.0), start("1", 20.0), stop("1", 25.0), rate("1", 26.0)]
    trials, one = gather([*interrupted, *windows(10, 40)])
    assert ends(trials["1"]) == list(range(21, 26))
    assert "starts again before it stopped" in one.notes[0]
    repeated = [*SESSION[:3], start("1", 35.0, "again"), stop("1", 40.0), rate("1", 41.0, alert=5)]
    trials, one = gather([*repeated, *windows(10, 50)])
    assert (trials["1"].condition, ends(trials["1"])) == ("again", list(range(36, 41)))
    assert trials["1"].rating.items["alert"] == 5
    assert one.notes == ("trial '1' was run again: its last rated run counts",)
    # While the second run has no rating, the first one stays.
    trials, one = gather([*repeated[:5], *windows(10, 50)])
    assert ends(trials["1"]) == list(range(21, 31))
    assert one.notes == ("trial '1' has no rating: it is left out",)


def test_a_trial_that_is_taken_back_counts_no_more_but_one_of_its_name_that_follows_does():
    back = (50.0, Event("note", trial="2", text="superseded: it is repeated"))
    other = (51.0, Event("note", trial="1", text="it was loud"))
    things = [*windows(1, 60), *SESSION, back, other]
    trials, one = gather(things)
    assert list(trials) == ["1"]
    assert one.withdrawn == {"2"}
    assert "trial '2' was taken back: it is left out" in one.notes
    assert gather(things[::-1])[0].keys() == {"1"}
    again = [start("2", 52), stop("2", 58), rate("2", 59)]
    trials, one = gather([*things, *again])
    assert list(trials) == ["1", "2"]
    assert ends(trials["2"]) == list(range(53, 59))
    assert not one.withdrawn
    # Long after, when it is half forgotten, nothing is said of it.
    one = collector(memory=60.0)
    feed(one, [*things, *windows(61, 200)])
    assert not [note for note in one.notes if "not known" in note or "had not started" in note]


def test_what_overlaps_counts_to_the_rated_trial_that_started_last():
    outer = [start("outer", 10.0), stop("outer", 40.0), rate("outer", 41.0)]
    inner = [start("inner", 20.0), stop("inner", 30.0)]
    trials, one = gather([*outer, *inner, *windows(10, 50)])
    assert ends(trials["outer"]) == list(range(11, 41))
    assert "trials 'outer' and 'inner' overlap" in one.notes[0]
    trials, _ = gather([*outer, *inner, *windows(10, 50), rate("inner", 60.0)])
    assert ends(trials["inner"]) == list(range(21, 31))
    assert ends(trials["outer"]) == [*range(11, 21), *range(31, 41)]
    whole = [start("whole", 10.5), stop("whole", 40.5), rate("whole", 42.0)]
    trials, one = gather([*outer, *windows(10, 50), *whole])
    assert list(trials) == ["whole"] and one.withdrawn == {"outer"}


def test_a_rating_without_a_trial_is_about_the_last_seconds():
    trials, one = gather([*windows(10, 200), rate("", 150.25)])
    assert ends(trials["now-150.250"]) == list(range(91, 151))
    assert one.notes == ()
    shorter, _ = gather([*windows(10, 200), rate("", 150.0)], now=15.0)
    assert ends(shorter["now-150.000"]) == list(range(136, 151))
    with pytest.raises(InputError, match="about 5 s: give 10 s at least"):
        TrialSettings(now=5.0)


def test_a_rating_without_a_trial_never_reaches_into_something_else():
    running = [start("1", 100.0), stop("1", 180.0), rate("1", 181.0)]
    trials, one = gather([*running, *windows(10, 200), rate("", 130.0), rate("", 150.0)])
    assert ends(trials["now-130.000"]) == list(range(101, 131))
    assert ends(trials["now-150.000"]) == list(range(131, 151))
    assert ends(trials["1"]) == list(range(151, 181))
    assert one.notes == ()
    trials, one = gather([*running, *windows(10, 200), rate("", 185.0)])
    assert list(trials) == ["1"]
    assert one.notes == (
        "the rating at 185.0 s names no trial and comes 5.0 s after the last start, stop or "
        "rating: it needs 10 s of its own, and is left out",
    )


def test_what_does_not_fit_together_is_told(caplog):
    events = [
        rate("7", 40.0),
        start("1", 12.0),
        stop("1", 20.0),
        start("2", 22.0),
        stop("9", 25.0),
        rate("1", 26.0, afraid=9),
        start("", 30.0),
        (31.0, Event("rating", trial="1")),
        (math.nan, Event("trial_stop", trial="1")),
    ]
    trials, one = gather([*events, *windows(10, 50)])
    assert trials == {}
    told = [
        "a rating is for trial '7', which is not known to have started: it is left out",
        "trial '9' stops, but had not started",
        "a trial without a name starts: name it, or it cannot be rated",
        "an event trial_stop has no time: it is left out",
        "trial '1' has no rating: it is left out",
        "trial '2' never stopped: it is left out",
    ]
    assert set(told) <= set(one.notes)
    rest = [note for note in one.notes if note not in told]
    assert len(rest) == 2
    assert any("score 9 of 'afraid' lies outside the scale 1 to 5" in note for note in rest)
    assert all(f"anna: {note}" in caplog.messages for note in one.notes)
    assert len(caplog.messages) == len(set(caplog.messages))


def test_a_rating_that_came_before_its_trials_start_was_known_is_used():
    late = [*windows(10, 40), SESSION[2], SESSION[1]]
    trials, one = gather([*late, SESSION[0]])
    assert ends(trials["1"]) == list(range(21, 31))
    assert one.notes == ()


def test_others_events_are_ignored_and_others_windows_refused():
    mine = [start("1", 12.0, participant="anna"), stop("1", 20.0), rate("1", 21.0)]
    theirs = [stop("1", 15.0, participant="ben"), rate("1", 22.0, "ben", alert=5)]
    trials, one = gather([*mine, *theirs, *windows(10, 30)])
    assert ends(trials["1"]) == list(range(13, 21))
    assert trials["1"].rating.items["alert"] == SCORES["alert"] and one.notes == ()
    with pytest.raises(ValueError, match="a window of 'ben', not 'anna'"):
        one.window(window(40, "ben"))


def test_memory_is_bounded_over_many_hours():
    one = collector(memory=100.0)
    given = []
    for number in range(25):
        begin = 40.0 * number + 20.0
        events = [start(str(number), begin), stop(str(number), begin + 20), rate("", begin + 35)]
        if number % 2:
            events.append(rate(str(number), begin + 21))
        given += feed(one, [*events, *windows(int(begin) - 9, int(begin) + 30)])
        assert len(one._rows) <= 100
        assert len(one._events) <= 20 and len(one._given) <= 10
    names = [trial.trial for trials in given for trial in trials]
    assert len(names) == len(set(names))
    assert len([name for name in names if name.startswith("now")]) == 24
    assert len(names) == 24 + 12


def test_a_trial_longer_than_the_memory_keeps_its_end_and_says_so():
    one = collector(memory=100.0)
    feed(one, [start("1", 10.0), *windows(10, 300), stop("1", 300.0)])
    (trial,) = one.event(*reversed(rate("1", 301.0)))
    assert ends(trial) == list(range(201, 301))
    assert one.notes == ("trial '1' was rated after 100 s: its start is forgotten",)
    assert feed(one, windows(301, 350)) == [[]] * 50


def test_a_flood_of_events_is_bounded():
    one = collector()
    feed(one, windows(10, 40))
    one.events([start(str(n), 20.0 + n / 1e4) for n in range(3 * MAX_EVENTS)])
    assert len(one._events) <= MAX_EVENTS
    assert any("the oldest are forgotten" in note for note in one.notes)


def test_evidence_takes_complete_ratings_and_names_the_others(caplog):
    events = [*SESSION, start("3", 46.0), stop("3", 50.0), rate("3", 51.0, alert=None)]
    trials, _ = gather([*events, *windows(10, 60)])
    kept, left_out = usable(list(trials.values()), PANAS10)
    assert [trial.trial for trial in kept] == ["1", "2"]
    assert left_out == ("trial '3' is left out: no answer for alert",)
    given = evidence(list(trials.values()), PANAS10)
    assert left_out[0] in caplog.messages
    assert given.trials.tolist() == ["1"] * 10 + ["2"] * 10
    assert set(given.groups.tolist()) == {"anna"}
    np.testing.assert_array_equal(
        given.batch.features["ppg"][:, 0], [*range(21, 31), *range(36, 46)]
    )
    np.testing.assert_allclose(given.labels.distribution[0], np.array([*SCORES.values()]) / 33)
    np.testing.assert_allclose(given.labels.intensity[[0, -1]], [(3.3 - 1) / 4, (2.9 - 1) / 4])
    with pytest.raises(InputError, match="none of 1 trials can be used .*no answer for alert"):
        evidence([trials["3"]], PANAS10)
    with pytest.raises(InputError, match="two trials are called '1'"):
        evidence([trials["1"], trials["1"]], PANAS10)


def test_trials_of_another_session_are_added_and_the_same_ones_are_not():
    first, _ = gather([*SESSION, *windows(10, 60)])
    again, _ = gather([*SESSION, *windows(10, 60)])
    one = collector()
    one._epoch = datetime(2026, 3, 2, tzinfo=UTC)
    feed(one, [*SESSION, *windows(10, 60)])
    date = "2026-03-02T00:00:00+00:00"
    tuesday = [dataclasses.replace(trial, date=date) for trial in first.values()]
    both = merged(merged([*first.values()], tuesday), [*again.values()])
    assert [trial.trial for trial in both] == ["1", "2", "2-1", "2-2"]
    assert [trial.rating.trial for trial in both] == ["1", "2", "2-1", "2-2"]
    third = merged(both, [dataclasses.replace(first["1"], date="2026-03-03T00:00:00+00:00")])
    assert third[-1].trial == "3-1"
    assert merged(third, tuesday) == third
    # Of the recording of a session that was rated live; and of two that began alike.
    begun = first["1"].start
    recorded = dataclasses.replace(first["1"], start=begun + 1e-4, date="2026-03-01T12:00:35+00:00")
    assert [trial.start for trial in merged([first["1"]], [recorded])] == [begun + 1e-4]
    later = dataclasses.replace(first["1"], date="2026-03-01T12:00:50+00:00")
    assert [trial.trial for trial in merged([first["1"]], [later])] == ["1", "2-1"]
