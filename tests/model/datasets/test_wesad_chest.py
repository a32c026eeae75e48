"""WESAD's pickle: the conditions of its labels, and both devices' signals, to the last sample."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from apps.cli.data import rig_for
from model.datasets import dataset
from model.datasets.convert import convert
from model.datasets.wesad import BASELINE_SECONDS, WesadWrist
from model.datasets.wesad_chest import WesadChest
from model.datasets.wesad_pickle import read_conditions
from model.labels import PANAS10
from realtime.binding import bind
from realtime.errors import InputError
from realtime.offline import windows_of
from realtime.recording import Recording
from realtime.rig import load_rig
from tests.data import data_folder
from tests.model.datasets.test_wesad import REST, STRESS, small_wesad
from tests.model.datasets.writers import pickle_of_python_2, write_wesad_pickle

ANSWERS = {"Base": REST, "TSST": STRESS, "Medi 1": REST, "Fun": REST, "Medi 2": REST}
STRETCHES = [(1, 5, 20), (2, 22, 34), (4, 36, 40), (7, 41, 42), (3, 43, 50), (4, 52, 56)]


def write(root: Path, people: tuple[str, ...] = ("S2", "S10")) -> dict[str, Any]:
    return {
        person: write_wesad_pickle(root, person, STRETCHES, 60, ANSWERS, seed)
        for seed, person in enumerate(people)
    }


def samples(recording: Recording) -> dict[str, np.ndarray]:
    return {stream.info.key: stream.samples for stream in recording.streams}


def test_conditions_come_from_the_labels(tmp_path: Path) -> None:
    write(tmp_path)
    sessions = WesadChest().sessions(tmp_path)
    assert [one.participant for one in sessions] == ["S2", "S10"]
    one = sessions[0]
    assert [(t.condition, t.start, t.stop) for t in one.trials] == [
        ("Base", 5, 20),
        ("TSST", 22, 34),
        ("Medi 1", 36, 40),
        ("Fun", 43, 50),
        ("Medi 2", 52, 56),
    ]
    assert one.baseline == (5, min(5 + BASELINE_SECONDS, 20))
    assert tuple(one.trials[1].ratings) == PANAS10.emotions
    assert list(one.trials[1].ratings.values()) == [1, 5, 4, 3, 4, 3, 3, 4, 2, 2]
    assert one.files == (tmp_path / "S2" / "S2.pkl",)


def test_the_chest_signals_come_back(tmp_path: Path) -> None:
    written = write(tmp_path)["S10"]["chest"]
    recording = WesadChest().sessions(tmp_path)[1].read()
    assert set(samples(recording)) == {"ECG", "EDA", "EMG", "ACC"}
    for stream in recording.streams:
        np.testing.assert_array_equal(stream.samples, written[stream.info.key])
        np.testing.assert_array_equal(stream.times, np.arange(42000) / 700)
    rig = load_rig("chest")
    result = bind(rig, [stream.info for stream in recording.streams], participant="S10")
    assert {one.modality for one in result.bindings} == {"ecg", "eda", "emg", "acc"}
    assert all(source.convert is None for one in result.bindings for source in one.sources)


def test_the_wrist_signals_come_back(tmp_path: Path) -> None:
    written = write(tmp_path)["S2"]["wrist"]
    one = WesadWrist().sessions(tmp_path)[0]
    assert one.trials == WesadChest().sessions(tmp_path)[0].trials
    got = samples(one.read())
    np.testing.assert_array_equal(got["ACC"], written["ACC"] / 64)
    for name in ("BVP", "EDA", "TEMP"):
        np.testing.assert_array_equal(got[name], written[name])


def test_the_pickle_and_the_wristbands_own_files_give_the_same_windows(tmp_path: Path) -> None:
    folder = tmp_path / "S2" / "S2_E4_Data"
    folder.mkdir(parents=True)
    written = write(tmp_path, ("S2",))["S2"]["wrist"]
    for name, rate in (("BVP", 64), ("EDA", 4), ("TEMP", 4), ("ACC", 32)):
        values = written[name]
        head = [[1.5e9] * values.shape[1], [rate] * values.shape[1]]
        np.savetxt(folder / f"{name}.csv", np.vstack([head, values]), "%.17g", ",")
    (one,) = WesadWrist().sessions(tmp_path)  # no segments.csv: from the pickle
    rows = ["subject,condition,e4_start_s,e4_end_s"]
    rows += [f"S2,{t.condition},{t.start},{t.stop}" for t in one.trials]
    (tmp_path / "segments.csv").write_text("\n".join(rows) + "\n")
    (other,) = WesadWrist().sessions(tmp_path)
    assert one.files != other.files
    assert one.trials == other.trials
    rig = load_rig("wrist")
    for first, second in zip(
        windows_of(one.read(), rig), windows_of(other.read(), rig), strict=True
    ):
        assert first.time == second.time
        for name in first.features:
            np.testing.assert_array_equal(first.features[name], second.features[name])


def test_people_with_files_and_people_with_a_pickle(tmp_path: Path) -> None:
    root = small_wesad(tmp_path)
    write_wesad_pickle(root, "S3", STRETCHES, 60, ANSWERS)
    sessions = WesadWrist().sessions(root)
    assert [(one.participant, len(one.trials)) for one in sessions] == [
        ("S2", 2),
        ("S3", 5),
        ("S10", 2),
    ]
    (root / "segments.csv").unlink()
    with pytest.raises(InputError, match=r"no 'segments.csv'.*everybody's SX.pkl"):
        WesadWrist().sessions(root)


def test_a_condition_that_was_interrupted_is_one(tmp_path: Path) -> None:
    write_wesad_pickle(tmp_path, "S2", [(1, 5, 10), (0, 10, 11), (1, 11, 20)], 30, {"Base": REST})
    assert read_conditions(tmp_path / "S2" / "S2.pkl") == ((1, 5.0, 20.0),)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ([1, 2], "has no 'label'"),
        ({"label": np.zeros(700, dtype=np.int32)}, "labels no condition"),
        ({"label": np.zeros((700, 2), dtype=np.int32)}, r"labels of shape \(700, 2\)"),
        ({"label": np.ones(700)}, r"labels of shape \(700,\)"),
    ],
)
def test_a_pickle_that_is_not_wesads(tmp_path: Path, content: Any, message: str) -> None:
    write(tmp_path, ("S2",))
    if isinstance(content, list):
        (tmp_path / "S2" / "S2.pkl").write_bytes(b"(lp0\n.")
    else:
        (tmp_path / "S2" / "S2.pkl").write_bytes(pickle_of_python_2(content))
    with pytest.raises(InputError, match=message):
        WesadChest().sessions(tmp_path)


@pytest.mark.parametrize(
    ("device", "key", "values", "message"),
    [
        ("chest", "ECG", np.zeros(7000), r"ECG of shape \(7000,\), needs \(samples, 1\)"),
        ("chest", "ACC", np.zeros((7000, 2)), r"ACC of shape \(7000, 2\), needs \(samples, 3\)"),
        ("wrist", "BVP", np.zeros((0, 1)), r"BVP of shape \(0, 1\)"),
        ("wrist", "TEMP", None, "has no 'TEMP'"),
    ],
)
def test_wrong_shapes(tmp_path: Path, device: str, key: str, values: Any, message: str) -> None:
    written = write(tmp_path, ("S2",))["S2"]
    if values is None:
        del written[device][key]
    else:
        written[device][key] = values
    label = np.repeat(np.array([1, 2, 4, 3, 4], dtype=np.int32), 700)
    content = {"signal": written, "label": label, "subject": "S2"}
    (tmp_path / "S2" / "S2.pkl").write_bytes(pickle_of_python_2(content))
    loader = WesadChest() if device == "chest" else WesadWrist()
    (one,) = loader.sessions(tmp_path)
    with pytest.raises(InputError, match=message):
        one.read()


def test_labels_and_questionnaire_must_tell_the_same(tmp_path: Path) -> None:
    write_wesad_pickle(tmp_path, "S2", STRETCHES, 60, {"Base": REST, "Fun": REST})
    with pytest.raises(InputError, match="S2: its labels tell Base, TSST, .* Base, Fun"):
        WesadChest().sessions(tmp_path)


@pytest.mark.parametrize("gone", ["S2.pkl", "S2_quest.csv"])
def test_missing_files_are_named(tmp_path: Path, gone: str) -> None:
    write(tmp_path, ("S2",))
    (tmp_path / "S2" / gone).unlink()
    with pytest.raises(InputError, match=f"S2 lacks the file .*{gone}"):
        WesadChest().sessions(tmp_path)


def test_each_dataset_knows_its_rig() -> None:
    rigs = {name: getattr(dataset(name), "rig", None) for name in ("wesad-wrist", "dmer", "edl")}
    assert rigs == {"wesad-wrist": "wrist", "dmer": "dmer", "edl": None}
    loaded = rig_for("wesad-chest", "")
    assert loaded is not None
    assert loaded.name == "chest"
    given = rig_for("wesad-chest", "wrist")
    assert given is not None
    assert given.name == "wrist"
    assert rig_for("edl", "") is None


def test_conversion_through_the_chest_rig(tmp_path: Path) -> None:
    write(tmp_path / "data", ("S2",))
    table = convert(WesadChest(), tmp_path / "data", load_rig("chest"), tmp_path / "cache")
    assert table.people == ("S2",)
    assert table.trial_count == 4  # the rest of 15 s is the baseline, as a whole
    for name, mask in table.mask.items():
        assert mask[table.time > 15].all(), name
    assert table.stressed.sum() == 12


def test_a_real_excerpt_binds_to_the_rig(tmp_path: Path) -> None:
    with np.load(data_folder("chest") / "S16_chest_excerpt.npz", allow_pickle=False) as stored:
        chest = {name: stored[name] for name in stored.files if name != "label"}
    count = len(chest["ECG"])
    label = np.repeat(np.array([1, 2], dtype=np.int32), [count // 2, count - count // 2])
    folder = tmp_path / "S16"
    folder.mkdir()
    content = {"signal": {"chest": chest, "wrist": {}}, "label": label, "subject": "S16"}
    (folder / "S16.pkl").write_bytes(pickle_of_python_2(content))
    (folder / "S16_quest.csv").write_text(f"# ORDER;Base;TSST\n# PANAS;{REST}\n# PANAS;{STRESS}\n")
    (one,) = WesadChest().sessions(tmp_path)
    recording = one.read()
    got = samples(recording)
    assert all(np.array_equal(got[name], chest[name]) for name in got)
    result = bind(load_rig("chest"), [stream.info for stream in recording.streams])
    assert len(result.bindings) == 4
