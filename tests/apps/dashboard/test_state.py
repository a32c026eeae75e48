"""What the dashboard makes of messages, well-formed and not."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from apps.dashboard.markers import readable
from apps.dashboard.state import HISTORY, State
from apps.dashboard.text import duration, modality_title, plain, tooltip, unit_title
from tests.apps.dashboard import messages


@pytest.fixture
def state() -> State:
    made = State()
    made.update(messages.hello(), 0.0)
    return made


def test_positive_emotions_come_first_in_their_own_order(state: State) -> None:
    assert state.emotions.names[:4] == ("alert", "inspired", "determined", "active")
    assert state.emotions.names[4:] == ("upset", "hostile", "ashamed", "nervous")
    shares = np.zeros(8)
    shares[[1, 2]] = 0.75, 0.25  # alert and hostile in the engine's order
    state.update(messages.window(1.0, smoothed=shares.tolist(), distribution=shares.tolist()), 0.0)
    shown = state.people["P1"].windows[-1]
    assert shown.smoothed[0] == 0.75 and shown.smoothed[5] == 0.25
    assert state.emotions.positive_share(shown.smoothed) == 0.75


def test_stream_is_lost_two_seconds_after_the_last_word(state: State) -> None:
    state.update(messages.streams(age=0.1), 100.0)
    assert {s.state for s in state.streams(101.8)} == {"live"}
    late = state.streams(102.0)
    assert {s.state for s in late} == {"lost"}
    assert late[0].age == pytest.approx(2.1)
    state.update(messages.streams(age=2.5), 103.0)
    assert {s.state for s in state.streams(103.0)} == {"lost"}
    state.update(messages.streams(age=None, state="waiting"), 104.0)
    assert {s.state for s in state.streams(200.0)} == {"waiting"}


def test_histories_are_bounded_and_restart_when_time_runs_back(state: State) -> None:
    for moment in range(2000):
        state.update(messages.window(float(moment)), 0.0)
        state.update({"t": "marker", "time": moment, "text": "m", "stream": "s"}, 0.0)
    windows = state.people["P1"].windows
    assert windows[0].time == 1999.0 - HISTORY and windows[-1].time == 1999.0
    assert len(state.markers) == 200
    state.update(messages.window(5.0), 0.0)
    assert [shown.time for shown in windows] == [5.0]


def test_a_greeting_with_more_people_keeps_what_is_known(state: State) -> None:
    state.update(messages.window(1.0), 0.0)
    state.update(messages.hello(("P1", "P2")), 1.0)
    assert list(state.people) == ["P1", "P2"] and len(state.people["P1"].windows) == 1


def test_banners_follow_the_streams(state: State) -> None:
    state.update(messages.streams(simulated=True), 0.0)
    assert (state.simulated, state.replay) == (True, False)
    state.update(messages.streams(replay=True), 0.0)
    assert (state.simulated, state.replay) == (False, True)


@pytest.mark.parametrize(
    "message",
    [
        messages.window(1.0, distribution=[1.0]),
        messages.window(1.0, smoothed=[math.nan] * 8),
        messages.window(1.0, time=math.inf),
        messages.window(1.0, mask=None),
        {**messages.signals(0, 1)[0], "modality": "brain"},
        {**messages.signals(0, 1)[0], "channels": 3},
        {**messages.signals(0, 1)[0], "times": b"123"},
        {**messages.signals(0, 1)[0], "values": 7},
        {"t": "streams", "streams": [{"name": "no key"}]},
        {"t": "streams", "streams": 5},
        {"t": "marker"},
        {**messages.hello(), "emotions": ["only one"]},
    ],
)
def test_absurd_message_is_refused_and_leaves_no_trace(
    state: State, message: dict[str, Any]
) -> None:
    state.update(messages.streams(), 0.0)
    with pytest.raises((KeyError, TypeError, ValueError, AttributeError)):
        state.update(message, 1.0)
    assert not state.people["P1"].windows and not state.markers
    assert len(state.streams(0.0)) == 4 and len(state.emotions.names) == 8


def test_missing_radius_and_intensity_are_known_to_be_missing(state: State) -> None:
    state.update(messages.window(1.0, radius=math.nan, intensity=None, reference=None), 0.0)
    shown = state.people["P1"].windows[-1]
    assert (shown.radius, shown.intensity, shown.reference) == (None, None, None)
    state.update({"t": "unheard of"}, 0.0)


def test_text_is_made_plain() -> None:
    assert plain("a\x00b\n\u202ec\u200b  d") == "a b c d"
    assert plain("x" * 10**6, 10) == "x" * 9 + "…"
    assert "<" not in tooltip("<b>&lt;x</b>") and "&" not in tooltip("<b>&lt;x</b>")
    assert (modality_title("ppg"), modality_title("skin_temp")) == ("PPG", "Skin temp")
    assert (unit_title("uS"), unit_title("furlongs")) == ("µS", "furlongs")
    assert (duration(75.9), duration(3700)) == ("1:15", "1:01:40")


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ('{"affectstream": 1, "event": "trial_start", "trial": 3}', "trial start: 3"),
        ('{"affectstream": 1, "event": "note", "text": "sneezed"}', "sneezed"),
        ('{"affectstream": 1, "event": "baseline_stop"}', "baseline stop"),
        ('{"event": "other program"}', '{"event": "other program"}'),
        ("{broken", "{broken"),
        ("S  1", "S  1"),
    ],
)
def test_own_events_are_shown_in_words(text: str, shown: str) -> None:
    assert readable(text) == shown
