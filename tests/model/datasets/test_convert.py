"""Conversion: through the engine, labelled by trial, cached but never stale."""

from __future__ import annotations

import dataclasses
import functools
import subprocess
import sys
from pathlib import Path
from typing import ClassVar

import numpy as np
import pytest

from model.datasets import convert as module
from model.datasets.base import Dataset, Session, Trial
from model.datasets.convert import OFF_PATH, convert, engine_digest, read_arrays
from model.labels import PANAS10, LabelSet
from realtime.features import FEATURE_SETS
from realtime.offline import windows_of
from realtime.rig import load_rig
from tests.realtime.synthetic import wristband

RIG = load_rig("wrist")
SCORES = dict(zip(PANAS10.emotions, [1, 2, 3, 4, 5, 1, 1, 1, 1, 1], strict=True))
SENSORS = ("ppg", "eda", "temperature")


class Small(Dataset):
    """Two people; the first in two recordings on one clock, the second with a missing answer."""

    name: ClassVar[str] = "small"
    folder: ClassVar[str] = "small"
    source: ClassVar[str] = "nowhere"
    labels: ClassVar[LabelSet] = PANAS10
    stress: ClassVar[frozenset[str]] = frozenset({"stress"})
    note: ClassVar[str] = "Made up."

    def sessions(self, root: Path) -> tuple[Session, ...]:
        def session(person: str, number: int, trials: tuple[Trial, ...], baseline) -> Session:
            read = functools.partial(wristband, 40.0, 100.0 * number, seed=number, sensors=SENSORS)
            return Session(
                person, f"{person}/{number}", trials, baseline, (root / f"{person}.csv",), read
            )

        rest = Trial("rest", "rest", 5.0, 35.0, SCORES)
        stress = Trial("stress", "stress", 110.5, 130.0, SCORES)
        missing = Trial("rest", "rest", 10.0, 30.0, {**SCORES, "upset": float("nan")})
        return (
            session("A", 0, (rest,), (5.0, 20.0)),
            session("A", 1, (stress,), None),
            session("B", 0, (missing,), None),
        )


@pytest.fixture
def root(tmp_path: Path) -> Path:
    folder = tmp_path / "data"
    folder.mkdir()
    for person in "AB":
        (folder / f"{person}.csv").write_text("signals")
    return folder


def made_again(root: Path, cache: Path, rig=RIG) -> list[str]:
    """Names of the recordings that a conversion does not find in the cache."""
    made: list[str] = []
    convert(Small(), root, rig, cache, progress=lambda name, done, total: made.append(name))
    return made


def test_windows_are_the_engines_own(root: Path, tmp_path: Path) -> None:
    table = convert(Small(), root, RIG, tmp_path / "cache")
    windows = list(windows_of(wristband(40.0, 0.0, seed=0, sensors=SENSORS), RIG))
    own = np.flatnonzero((table.person == "A") & (table.time < 100))
    np.testing.assert_array_equal(table.time[own], [window.time for window in windows])
    for modality in RIG.modalities:
        name = modality.name
        expected = np.array([window.features[name] for window in windows])
        np.testing.assert_array_equal(table.features[name][own], expected)
        np.testing.assert_array_equal(
            table.mask[name][own], [window.mask[name] for window in windows]
        )
        assert len(table.names[name]) == expected.shape[1]
        assert table.roles[name] == modality.role
    assert not table.mask["acc"].any()
    assert table.mask["eda"].any()


def test_labels_follow_the_trials(root: Path, tmp_path: Path) -> None:
    table = convert(Small(), root, RIG, tmp_path / "cache")
    first = table.person == "A"
    np.testing.assert_array_equal(table.is_baseline, first & (table.time > 5) & (table.time <= 20))
    np.testing.assert_array_equal(
        table.rated,
        first
        & (((table.time > 20) & (table.time <= 35)) | ((table.time > 110.5) & (table.time <= 130))),
    )
    np.testing.assert_array_equal(
        table.stressed, first & (table.time > 110.5) & (table.time <= 130)
    )
    np.testing.assert_allclose(
        table.distribution[table.rated][0], np.array([*SCORES.values()]) / 20
    )
    np.testing.assert_allclose(table.intensity[table.rated], (2.0 - 1) / 4)
    # The session of a person starts with its first trial, and goes on through all recordings.
    np.testing.assert_array_equal(table.elapsed[first], table.time[first] - 5)
    assert table.stretches == {"A": (5.0, 20.0), "B": None}
    assert table.trial_count == 2
    assert table.people == ("A", "B")


def test_incomplete_ratings_are_left_out_and_told(root: Path, tmp_path: Path) -> None:
    table = convert(Small(), root, RIG, tmp_path / "cache")
    assert table.left_out == ("B rest: no answer for upset",)
    assert not table.rated[table.person == "B"].any()
    assert (table.person == "B").sum() > 20  # still there, for the running estimate


def test_two_processes_give_the_same(root: Path, tmp_path: Path) -> None:
    first = convert(Small(), root, RIG, tmp_path / "one")
    second = convert(Small(), root, RIG, tmp_path / "two", workers=2)
    for name in first.features:
        assert first.features[name].tobytes() == second.features[name].tobytes()
    np.testing.assert_array_equal(first.time, second.time)


def test_the_cache_is_used_and_never_stale(
    root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cache = tmp_path / "cache"
    assert made_again(root, cache) == ["A/0", "A/1", "B/0"]
    assert made_again(root, cache) == []
    (root / "B.csv").write_text("other signals")
    assert made_again(root, cache) == ["B/0"]
    other = dataclasses.replace(RIG, warm_up=20.0)
    assert made_again(root, cache, other) == ["A/0", "A/1", "B/0"]
    monkeypatch.setattr(module, "engine_digest", lambda: "another version")
    assert len(made_again(root, cache)) == 3


def test_a_damaged_file_in_the_cache_is_made_again(root: Path, tmp_path: Path) -> None:
    cache = tmp_path / "cache"
    whole = convert(Small(), root, RIG, cache)
    files = sorted(cache.iterdir())
    assert len(files) == 3
    files[0].write_bytes(files[0].read_bytes()[:-50])
    content = bytearray(files[1].read_bytes())
    content[len(content) // 2] ^= 255
    files[1].write_bytes(bytes(content))
    files[2].write_bytes(b"")
    assert len(made_again(root, cache)) == 3
    again = convert(Small(), root, RIG, cache)
    assert again.features["ppg"].tobytes() == whole.features["ppg"].tobytes()
    assert sorted(cache.iterdir()) == files


def test_no_pickle_is_read_from_the_cache(tmp_path: Path) -> None:
    path = tmp_path / "evil.npz"
    np.savez(path, time=np.array([{"a": 1}], dtype=object))
    assert read_arrays(path) is None


def test_the_digest_follows_the_code(tmp_path: Path) -> None:
    assert engine_digest() == engine_digest()
    names = {name for name, _ in module._sources(module.resources.files("realtime"), "")}
    assert {"offline.py", "signal.py", "features/ppg.py", "clock.py", "e4.py"} <= names


def test_modules_off_the_path_are_never_loaded_by_a_conversion() -> None:
    code = (
        "import sys, realtime.offline, realtime.e4; "
        "print(*[m.split('.')[1] for m in sys.modules if m.startswith('realtime.')])"
    )
    loaded = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    names = set(loaded.stdout.split())
    assert "engine" in names
    assert not names & OFF_PATH
    assert "simulator" not in names


def test_feature_sets_of_the_rig_are_named(root: Path, tmp_path: Path) -> None:
    table = convert(Small(), root, RIG, tmp_path / "cache")
    kind = FEATURE_SETS["eda"]
    assert table.versions["eda"] == f"eda {kind.version}"
    assert table.names["eda"] == tuple(one.name for one in kind.features)
