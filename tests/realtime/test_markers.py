from __future__ import annotations

import json
import uuid
from dataclasses import replace

import pylsl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from realtime.discovery import Discovery
from realtime.markers import (
    EVENTS,
    Event,
    MarkerInlets,
    MarkerOutlet,
    format_marker,
    is_marker_stream,
    parse_marker,
)
from realtime.recording import Marker, StreamInfo
from tests.realtime.conftest import Source, found, until


@pytest.mark.parametrize(
    "event",
    [
        Event("session_start"),
        Event("baseline_start", participant="sub 07"),
        Event("trial_start", trial="3", condition="stress"),
        Event("rating", trial="3", instrument="PANAS", items={"upset": 2, "né": 5}, scale=(1, 5)),
        Event("rating", items={"né": 5, "alert": 1}, order=("né", "upset", "alert")),
        Event("note", text='he said "no", 25 µS'),
    ],
)
def test_events_survive_the_journey(event: Event) -> None:
    text = format_marker(event)
    assert "\n" not in text
    assert json.loads(text)["affectstream"] == 1
    assert parse_marker(text) == event


def test_counted_trials_become_names() -> None:
    assert parse_marker('{"affectstream": 1, "event": "trial_stop", "trial": 4}') == Event(
        "trial_stop", trial="4"
    )


@pytest.mark.parametrize(
    "text",
    [
        "",
        "stimulus/7",
        "[1, 2]",
        "{}",
        '{"affectstream": 2, "event": "note"}',
        '{"affectstream": 1, "event": "explode"}',
        '{"affectstream": 1, "event": ["note"]}',
        '{"affectstream": 1, "event": "note", "text": {}}',
        '{"affectstream": 1, "event": "rating", "items": {"a": NaN}}',
        '{"affectstream": 1, "event": "rating", "items": {"a": true}}',
        '{"affectstream": 1, "event": "rating", "items": {"a": 1' + "0" * 400 + "}}",
        '{"affectstream": 1, "event": "rating", "scale": [5, 1]}',
        '{"affectstream": 1, "event": "rating", "scale": "1-5"}',
        '{"affectstream": 1, "event": "rating", "items": {"a": 1, "a": 2}}',
        '{"affectstream": 1, "event": "rating", "items": {"a": 1, "a\\n": 2}}',
        '{"affectstream": 1, "event": "rating", "order": "upset"}',
        '{"affectstream": 1, "event": "rating", "order": ["upset", 2]}',
        '{"affectstream": 1, "event": "rating", "order": ["upset", " upset"]}',
        json.dumps({"affectstream": 1, "event": "rating", "order": [str(n) for n in range(257)]}),
        '{"a":' * 5000,
        '{"affectstream": 1, "event": "note", "text": "' + "x" * 20000 + '"}',
        '{"affectstream": 1,',
    ],
)
def test_what_is_not_ours_is_none(text: str) -> None:
    assert parse_marker(text) is None


@settings(max_examples=50)
@given(st.sampled_from(EVENTS), st.text(max_size=300))
def test_fields_are_tamed(event: str, text: str) -> None:
    hostile = json.dumps(
        {"affectstream": 1, "event": event, "text": text, "items": {text: 1}, "order": [text]}
    )
    parsed = parse_marker(hostile)
    if parsed is not None:
        shown = (parsed.text, *parsed.items, *parsed.order)
        assert not any(ord(c) < 32 or c == "\x7f" for c in "".join(shown))
        again = parse_marker(format_marker(parsed))
        assert again is not None
        assert again.event == event


def test_unknown_events_are_not_made() -> None:
    with pytest.raises(ValueError, match="explode"):
        Event("explode")


def test_what_counts_as_markers(ppg: StreamInfo) -> None:
    assert not is_marker_stream(ppg)
    assert not is_marker_stream(replace(ppg, rate=0.0))
    assert is_marker_stream(replace(ppg, rate=0.0, type="Markers", format="int32"))
    assert is_marker_stream(replace(ppg, format="string"))


def test_every_marker_stream_is_taken_in_but_our_own(
    source: Source, discovery: Discovery, ppg: StreamInfo
) -> None:
    words = replace(ppg, source_id=f"{ppg.source_id}-w", type="Markers", rate=0.0, format="string")
    codes = replace(
        words, source_id=f"{ppg.source_id}-c", format="int32", labels=("a", "b"), units=("", "")
    )
    source.open(words)
    source.open(codes)
    source.open(ppg)
    outlet = MarkerOutlet(uuid.uuid4().hex)
    for info in (words, codes, ppg, outlet.info):
        found(discovery, info.source_id)
    markers = MarkerInlets(discovery, own=[outlet.info.source_id])
    until(lambda: (markers.poll(), [i for i in markers.inlets if i._inlet is not None])[1][1:])
    taken = {inlet.info.source_id for inlet in markers.inlets}
    assert {words.source_id, codes.source_id} <= taken
    assert not {ppg.source_id, outlet.info.source_id} & taken

    source.push(words.source_id, ["two  words\x1b[31m", b"bad \xff utf-8"], [5.0, 7.0])
    source.push(codes.source_id, [[3, 4]], [6.0])
    received: list[tuple[float, Marker]] = []
    until(lambda: (received.extend(markers.poll()), len(received) == 3)[1])
    assert {(raw, m.time, m.text) for raw, m in received} == {
        (5.0, 5.0, "two  words[31m"),
        (6.0, 6.0, "3; 4"),
        (7.0, 7.0, "bad \ufffd utf-8"),
    }
    markers.close(2.0)


def test_the_operators_markers_reach_others(discovery: Discovery) -> None:
    outlet = MarkerOutlet(uuid.uuid4().hex)
    info = found(discovery, outlet.info.source_id)
    assert (info.type, info.format, info.rate) == ("Markers", "string", 0.0)
    inlet = pylsl.StreamInlet(discovery.handle(info.key), recover=False)
    inlet.open_stream(5.0)
    sent = [
        outlet.push(Event("baseline_start", participant="1"), 100.0),
        outlet.push(Event("note", text="now")),
    ]
    got = [inlet.pull_sample(5.0) for _ in range(2)]
    assert [(stamp, texts[0]) for texts, stamp in got] == [(m.time, m.text) for m in sent]
    assert sent[0].time == 100.0
    assert abs(sent[1].time - pylsl.local_clock()) < 60
    assert parse_marker(sent[1].text) == Event("note", text="now")
