"""EmoPairCompete: tables plain or gzipped, one clock a person, incomplete ratings."""

from __future__ import annotations

import gzip
from datetime import datetime, timedelta
from pathlib import Path

import numpy as np
import pytest

from model.datasets.emopaircompete import BASELINE_SECONDS, EmoPairCompete
from realtime.errors import InputError
from tests.data import data_folder

ITEMS = "upset,hostile,alert,ashamed,inspired,nervous,determined,attentive,afraid,active"


def small_dataset(root: Path, zipped: bool = False, seconds: int = 5) -> Path:
    """Write one person with two phases, the second round's first in the file system."""
    person = root / "dataset" / "D1_1" / "ID_1"
    for number, phase in enumerate(("round_1/phase1", "round_1/phase2")):
        folder = person / phase
        folder.mkdir(parents=True)
        start = datetime(2021, 12, 17, 16, 11, 55) + timedelta(minutes=10 * number)
        for name, rate in (("BVP", 64), ("EDA", 4), ("TEMP", 4)):
            lines = [f",{name},time"]
            for i in range(seconds * rate):
                stamp = start + timedelta(seconds=i / rate - (0.046875 if name == "BVP" else 0))
                lines.append(f"{i},{0.1 * i + number:.3f},{stamp.isoformat(sep=' ')}")
            text = "\n".join(lines) + "\n"
            if zipped:
                (folder / f"{name}.csv.gz").write_bytes(gzip.compress(text.encode()))
            else:
                (folder / f"{name}.csv").write_text(text)
        (folder / "response.csv").write_text(
            f",participant_ID,{ITEMS},frustrated\n0,7,1,1,2,1,2,2,3,{'' if number else 3},1,2,4\n"
        )
    return root


@pytest.mark.parametrize("zipped", [False, True])
def test_phases_are_on_one_clock(tmp_path: Path, zipped: bool) -> None:
    first, second = EmoPairCompete().sessions(small_dataset(tmp_path, zipped))
    assert first.participant == second.participant == "D1_1-ID_1"
    assert first.name == "D1_1-ID_1/round_1/phase1"
    # The clock starts at the whole minute, 16:11:00.
    assert first.trials[0].start == 55.0
    assert second.trials[0].start == 655.0
    recording = second.read()
    streams = {stream.info.key: stream for stream in recording.streams}
    assert streams["EDA"].times[0] == 655.0
    assert streams["BVP"].times[0] == pytest.approx(655 - 0.046875)
    assert recording.start == streams["BVP"].times[0]
    np.testing.assert_allclose(np.diff(streams["BVP"].times), 1 / 64, atol=1e-9)
    np.testing.assert_allclose(streams["TEMP"].samples[:3, 0], [1.0, 1.1, 1.2])


def test_ratings_and_baseline(tmp_path: Path) -> None:
    first, second = EmoPairCompete().sessions(small_dataset(tmp_path))
    assert first.trials[0].ratings["determined"] == 3
    assert first.trials[0].ratings["upset"] == 1
    assert first.trials[0].unanswered == ()
    assert second.trials[0].unanswered == ("attentive",)
    assert first.baseline == (55.0, 55.0 + 4.75)  # the whole of a recording this short
    assert second.baseline is None


@pytest.mark.parametrize(
    ("file", "message"),
    [("EDA.csv", r"lacks EDA.csv \(or EDA.csv.gz\)"), ("response.csv", "no file.*response.csv")],
)
def test_missing_files_are_named(tmp_path: Path, file: str, message: str) -> None:
    root = small_dataset(tmp_path)
    (root / "dataset/D1_1/ID_1/round_1/phase2" / file).unlink()
    with pytest.raises(InputError, match=message):
        EmoPairCompete().sessions(root)


def test_damaged_files_are_quoted(tmp_path: Path) -> None:
    folder = small_dataset(tmp_path, zipped=True) / "dataset/D1_1/ID_1/round_1/phase2"
    whole = (folder / "EDA.csv.gz").read_bytes()
    (folder / "EDA.csv.gz").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(InputError, match=r"cannot read .*EDA.csv.gz"):
        EmoPairCompete().sessions(tmp_path)
    (folder / "EDA.csv.gz").write_bytes(gzip.compress(b",EDA,time\n0,1.0,noon\n"))
    with pytest.raises(InputError, match=r"EDA.csv.gz.*ISO 8601"):
        EmoPairCompete().sessions(tmp_path)
    (folder / "EDA.csv.gz").write_bytes(gzip.compress(b",EDA,time\n"))
    with pytest.raises(InputError, match="has no samples"):
        EmoPairCompete().sessions(tmp_path)
    (folder / "EDA.csv.gz").write_bytes(whole)
    (folder / "response.csv").write_text("upset,hostile\n1,1\n")
    with pytest.raises(InputError, match="no column 'alert'"):
        EmoPairCompete().sessions(tmp_path)


def test_a_folder_that_is_not_the_dataset(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no folder dataset/D"):
        EmoPairCompete().sessions(tmp_path)


def test_real_people_have_twelve_recordings_in_order() -> None:
    sessions = EmoPairCompete().sessions(data_folder("emopaircompete"))
    people = {one.participant for one in sessions}
    assert len(people) == 24
    assert len(sessions) == 288
    assert sum(bool(one.trials[0].unanswered) for one in sessions) == 4
    for person in people:
        own = [one for one in sessions if one.participant == person]
        starts = [one.trials[0].start for one in own]
        assert starts == sorted(starts)
        assert starts[0] < 60
        assert [one.baseline is not None for one in own] == [True] + [False] * 11
        assert own[0].baseline[1] - own[0].baseline[0] <= BASELINE_SECONDS
