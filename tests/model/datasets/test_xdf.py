"""A lab's own recordings with ratings among their markers."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from model.datasets.convert import convert
from model.datasets.xdf import XdfRecordings
from model.labels import PANAS10, distribution
from realtime.errors import InputError
from realtime.markers import Event, format_marker
from realtime.rig import load_rig
from realtime.simulator.affect import Schedule, baseline, rest, stress
from realtime.simulator.person import Person
from realtime.xdf_writer import XdfWriter

SCORES = {
    "1": dict(zip(PANAS10.emotions, (2, 3, 1, 2, 4, 5, 3, 4, 4, 5), strict=True)),
    "2": dict(zip(PANAS10.emotions, (4, 2, 3, 4, 2, 1, 1, 2, 1, 1), strict=True)),
}
SCHEDULE = Schedule(opening=(baseline(20.0),), cycle=(stress(25.0), rest(25.0)))


def record(path: Path, seed: int, clock: float, ratings=SCORES, scale=(1.0, 5.0)) -> None:
    """Write a session of a simulated person who rates each trial after it."""
    made = Person(seed, SCHEDULE).to_recording(71.0)
    path.parent.mkdir(parents=True, exist_ok=True)
    marks = [(marker.time, marker.text) for marker in made.markers]
    for trial, items in ratings.items():
        event = Event("rating", trial=trial, instrument="PANAS", items=items, scale=scale)
        marks.append((70.0 + int(trial) / 10, format_marker(event)))
    with XdfWriter(path) as writer:
        for stream in made.streams:
            number = writer.add_stream(replace(stream.info, format="double64"))
            writer.write(number, stream.times + clock, stream.samples)
        number = writer.add_stream(made.marker_streams[0])
        writer.write(number, np.array([t for t, _ in marks]) + clock, [[m] for _, m in marks])


def test_rated_trials_of_several_sessions_become_one_persons_table(tmp_path: Path) -> None:
    # The second session's computer had booted in between: its clock overlaps the first one's.
    record(tmp_path / "sub-anna/ses-1/recording.xdf", 1, 1000.25)
    record(tmp_path / "sub-anna/ses-2/recording.xdf", 1, 990.5)
    record(tmp_path / "sub-ben/ses-1/recording.xdf", 2, 5.0, {"1": SCORES["1"]})
    # Somebody who left after the baseline.
    record(tmp_path / "sub-dora/ses-1/recording.xdf", 4, 7.0, {})
    sessions = XdfRecordings().sessions(tmp_path)
    assert [s.participant for s in sessions] == ["anna", "anna", "ben"]
    assert [t.name for s in sessions for t in s.trials] == ["1-1", "1-2", "2-1", "2-2", "1-1"]
    assert [t.condition for t in sessions[0].trials] == ["stress", "rest"]
    first = sessions[0]
    assert first.baseline == (0.25, 20.25)
    assert (first.trials[0].start, first.trials[0].stop) == (20.25, 45.25)
    assert sessions[1].trials[0].start == 86400 + 20.5

    table = convert(XdfRecordings(), tmp_path, load_rig("wrist"), tmp_path / "cache")
    anna = (table.person == "anna") & (table.trial == "2-2")
    assert anna.sum() == 25
    np.testing.assert_allclose(
        table.distribution[anna], np.tile(distribution(list(SCORES["2"].values())), (25, 1))
    )
    assert set(table.trial[table.person == "ben"]) == {"", "1-1"}
    assert table.is_baseline[table.person == "ben"].sum() == 11  # windows start after 10 s
    assert all(mask.any() for mask in table.mask.values())


def test_what_cannot_be_used_is_said(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no XDF file below"):
        XdfRecordings().sessions(tmp_path)
    record(tmp_path / "one.xdf", 1, 0.0, {})
    with pytest.raises(InputError, match="none of the 1 XDF files .* has a rated trial"):
        XdfRecordings().sessions(tmp_path)
    record(tmp_path / "two.xdf", 1, 0.0, SCORES, (0.0, 100.0))
    with pytest.raises(InputError, match=r"rates trial '1' on the scale \(0.0, 100.0\), must be"):
        XdfRecordings().sessions(tmp_path)


def test_an_item_that_was_not_answered_leaves_its_trial_out(tmp_path: Path) -> None:
    partly = {item: score for item, score in SCORES["2"].items() if item != "afraid"}
    record(tmp_path / "carl.xdf", 3, 0.0, {"1": SCORES["1"], "2": partly})
    (session,) = XdfRecordings().sessions(tmp_path)
    assert session.participant == "carl"
    assert session.trials[1].unanswered == ("afraid",)
