"""What a recording says of itself: whose streams, where rest was, and which trials are its own."""

from __future__ import annotations

import dataclasses
from datetime import UTC, datetime, timedelta

import pytest

from calibration.statements import own_streams, rated_within, stated_rest, taken_as
from realtime.errors import InputError
from realtime.files import open_recording
from realtime.markers import Event, format_marker
from realtime.recording import Marker, Recording
from tests.apps.test_score_command import write_xdf
from tests.calibration.profiles import trial
from tests.calibration.test_recordings import BEGIN, SEGMENTS, write_e4
from tests.realtime.synthetic import wristband


def of(*people: str) -> Recording:
    """Return a wristband's recording, its streams worn by people in turn; empty says nothing."""
    made = wristband(12.0)
    streams = []
    for place, stream in enumerate(made.streams):
        name = people[place % len(people)]
        text = f"<desc><subject><id>{name}</id></subject></desc>" if name else ""
        info = dataclasses.replace(stream.info, description=text)
        streams.append(dataclasses.replace(stream, info=info))
    return dataclasses.replace(made, path="pair.xdf", streams=tuple(streams))


def keys(recording: Recording) -> set[str]:
    return {stream.info.key for stream in recording.streams}


def test_streams_of_others_are_left_out_and_nobody_is_guessed() -> None:
    everything = keys(of(""))
    assert len(everything) == 4
    assert (
        keys(own_streams(of("ann", "bob"), "ann")) | keys(own_streams(of("ann", "bob"), "bob"))
        == everything
    )
    assert len(keys(own_streams(of("ann", "bob"), "ann"))) == 2
    # One person's streams are theirs, whatever they are called.
    assert keys(own_streams(of("ann"), "P1")) == keys(own_streams(of(""), "P1")) == everything
    assert keys(own_streams(of("ann", ""), "ann")) == everything
    with pytest.raises(InputError, match="are of 'ann', 'bob', and not of 'carl': give one of"):
        own_streams(of("ann", "bob"), "carl")
    assert taken_as(of("ann", ""), "P1") == ["the streams name 'ann': taken as P1"]
    assert taken_as(of("ann", ""), "ann") == taken_as(of(""), "P1") == []
    chosen = own_streams(of("ann", "bob"), "carl", {"ppg": "band-ppg"})
    assert keys(chosen) == everything
    with pytest.raises(InputError, match="not of 'carl'"):
        own_streams(of("ann", "bob"), "carl", {"ann.ppg": "band-ppg"})


def test_rest_is_what_markers_of_that_person_state() -> None:
    def at(*marks: tuple[float, Event]) -> Recording:
        markers = tuple(Marker(100.0 + time, format_marker(event)) for time, event in marks)
        return dataclasses.replace(wristband(30.0, start=100.0), path="x.xdf", markers=markers)

    start, stop = "baseline_start", "baseline_stop"
    pair = at(
        (1.0, Event(start, "ann")),
        (2.0, Event(start, "bob")),
        (8.0, Event(stop, "ann")),
        (9.0, Event(stop, "bob")),
    )
    assert stated_rest(pair, "ann") == (1.0, 8.0) and stated_rest(pair, "bob") == (2.0, 9.0)
    with pytest.raises(InputError, match="about 'ann', 'bob', and not about 'carl'"):
        stated_rest(pair, "carl")
    # A session of one, and of those whom nobody named.
    assert stated_rest(at((3.0, Event(start, "ann")), (5.0, Event(stop, "ann")))) == (3.0, 5.0)
    assert stated_rest(at((3.0, Event(start)), (5.0, Event(stop))), "ann") == (3.0, 5.0)
    # Bob's rest is not Ann's.
    half = at((1.0, Event(start, "bob")), (8.0, Event(stop, "bob")), (9.0, Event(start, "ann")))
    assert stated_rest(half, "ann") is None


def test_rest_is_what_the_tables_of_a_wristband_state(tmp_path) -> None:
    folder = write_e4(tmp_path / "S1_E4_Data", 20.0)
    (folder / "segments.csv").write_text("\n".join(SEGMENTS.split("\n")[:2]))
    # Ratings are not needed for it.
    (folder / "ratings.csv").unlink()
    assert stated_rest(open_recording(folder)) == (0.0, 15.0)
    (folder / "segments.csv").write_text("trial,condition,start,stop\na,,1,5\n")
    assert stated_rest(open_recording(folder)) is None
    (folder / "segments.csv").write_text("trial,condition,start,stop\nbaseline,,15,0\n")
    with pytest.raises(InputError, match="row 2 of 'segments.csv' stops at '0'"):
        stated_rest(open_recording(folder))


def test_trials_of_a_wristbands_recording_are_known_by_their_dates(tmp_path) -> None:
    """Its clock begins at 0 in each recording, so that the clock alone tells nothing."""
    recording = open_recording(write_e4(tmp_path / "S1_E4_Data", 20.0))

    def rated(start: float, begun: float, clock: float = 0.0) -> int:
        date = datetime.fromtimestamp(begun + start + 3, UTC).isoformat(timespec="seconds")
        start += clock
        one = dataclasses.replace(trial(1), start=start, stop=start + 3, date=date)
        return len(rated_within(recording, [one]))

    assert rated(10.0, BEGIN) == 1
    # Its last trial may be marked to end after the last sample.
    assert rated(19.0, BEGIN) == 1
    # Other recordings of the same morning, and another time.
    assert rated(10.0, BEGIN + 120) == rated(10.0, BEGIN - 120) == rated(30.0, BEGIN) == 0
    # A live session had another clock, and watched the same wristband.
    assert rated(10.0, BEGIN, clock=7000.0) == 1


def test_trials_of_an_xdf_file_are_known_by_its_clock_and_its_day(tmp_path) -> None:
    write_xdf(wristband(20.0, start=5000.0), tmp_path / "x.xdf")
    recording = open_recording(tmp_path / "x.xdf")
    today = datetime.now().astimezone()

    def rated(start: float, date: datetime | None) -> int:
        text = "" if date is None else date.isoformat(timespec="seconds")
        one = dataclasses.replace(trial(1), start=start, stop=start + 3, date=text)
        return len(rated_within(recording, [one]))

    assert rated(5010.0, today) == 1
    # Before and after it on the same clock, and on the clock of another day.
    assert rated(4900.0, today) == rated(5020.5, today) == 0
    assert rated(5010.0, today - timedelta(days=1)) == 0
    # Of an undated trial, or an undated file, the clock alone tells.
    assert rated(5010.0, None) == 1
    undated = tmp_path / "undated.xdf"
    undated.write_bytes((tmp_path / "x.xdf").read_bytes().replace(b"datetime>", b"date_was>"))
    recording = open_recording(undated)
    assert rated(5010.0, today - timedelta(days=1)) == 1
    assert rated(4900.0, today) == 0
