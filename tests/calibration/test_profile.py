"""Profiles: what is saved comes back, whole or not at all, and nothing unsound gets in."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import os
import string
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from safetensors.numpy import load, save

from calibration.personal import PersonalModel
from calibration.profile import Profile, begin, calibrated, check, profile_id
from calibration.profile_files import load_profile, open_profile, save_profile
from calibration.profile_format import decoded, encoded
from calibration.ratings import Rating
from calibration.trials import RatedTrial
from model.labels import IPANAS_SF
from realtime.baseline import Rest
from realtime.errors import InputError
from realtime.rig import FilterSettings
from tests.calibration.profiles import RIG, checkpoint, made, personal, trial

WINDOWS = (
    "CON",
    "con",
    "Prn",
    "aux",
    "NUL",
    *(f"{p}{n}" for p in ("COM", "lpt") for n in range(10)),
)


HOSTILE = (
    *("", ".", "..", "../x", "a/b", "a\\b", "/etc", "C:", "-x", "_x", "a b", "a\n", "é", "a\0"),
    *("x" * 65, "a.zip", *WINDOWS),
)


@given(st.text(max_size=80) | st.from_regex(r"[A-Za-z0-9_-]{1,64}", fullmatch=True))
def test_an_id_is_a_plain_name_or_refused(text: str) -> None:
    allowed = string.ascii_letters + string.digits
    plain = 0 < len(text) <= 64 and text[0] in allowed and set(text) <= {*allowed, "-", "_"}
    if plain and text.lower() not in map(str.lower, WINDOWS):
        assert profile_id(text) == text
        return
    with pytest.raises(InputError) as caught:
        profile_id(text)
    assert len(str(caught.value).splitlines()) == 1


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_ids_are_refused(text: str, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="profile id"):
        profile_id(text)
    with pytest.raises(InputError, match="profile id"):
        load_profile(tmp_path, text)
    with pytest.raises(InputError, match="profile id"):
        begin(text, checkpoint(), RIG)


def same(one: Profile, other: Profile) -> None:
    """Compare by what is written: profiles hold arrays."""
    assert encoded(one) == encoded(other)


def test_a_round_trip_changes_nothing(tmp_path: Path) -> None:
    written = made()
    saved = save_profile(written, tmp_path / "new")
    read = load_profile(tmp_path / "new", "P1")
    assert read.hash == saved.hash != ""
    same(read, written)
    for field in ("setup", "labels", "history", "created", "checkpoint", "rig"):
        assert getattr(read, field) == getattr(written, field), field
    assert (read.model.step, read.model.keep, read.model.radius) == ("adapters", 0.4, 0.31)
    np.testing.assert_array_equal(read.model.shift, written.model.shift)
    for ours, theirs in zip(read.trials, written.trials, strict=True):
        assert ours.rating == theirs.rating
        assert list(ours.rating.items) == list(theirs.rating.items)  # as they were shown
        for name, values in theirs.batch.features.items():
            np.testing.assert_array_equal(ours.batch.features[name], values)
            np.testing.assert_array_equal(ours.batch.mask[name], theirs.batch.mask[name])
        np.testing.assert_array_equal(ours.batch.elapsed, theirs.batch.elapsed)
    assert read.baseline is not None and written.baseline is not None
    for name, values in written.baseline.variance.items():
        np.testing.assert_array_equal(read.baseline.variance[name], values)
    assert sorted(path.name.partition("-")[0] for path in (tmp_path / "new/P1").iterdir()) == [
        "model",
        "profile.json",
        "trials",
    ]


def test_everything_that_there_is_gets_written() -> None:
    """A new field of these must be saved too: see `profile_format`."""
    fields = {
        kind: [field.name for field in dataclasses.fields(kind)]
        for kind in (PersonalModel, RatedTrial, Rating)
    }
    assert set(fields[PersonalModel]) == {
        *("step", "trials", "shift", "keep", "centre", "weights", "radius"),
    }
    assert set(fields[RatedTrial]) == {
        *("trial", "condition", "start", "stop", "date", "batch", "rating"),
    }
    assert set(fields[Rating]) == {"instrument", "items", "scale", "trial", "participant"}


def test_a_beginner_has_the_checkpoints_radius(tmp_path: Path) -> None:
    fresh = begin("new-1", checkpoint(), RIG)
    save_profile(fresh, tmp_path)
    read = load_profile(tmp_path, "new-1")
    assert (read.model.step, read.model.radius, read.trials) == ("none", checkpoint().radius, ())
    assert not read.model.shift.any() and read.baseline is None
    check(read, checkpoint(), RIG)


def test_a_later_rating_goes_on_from_what_is_there(tmp_path: Path) -> None:
    first = save_profile(made(count=2), tmp_path)
    again = load_profile(tmp_path, "P1")
    more = calibrated(again, personal(3, seed=5), [*again.trials, trial(2)], {}, {})
    second = save_profile(more, tmp_path)
    read = load_profile(tmp_path, "P1")
    assert [one.trial for one in read.trials] == ["0", "1", "2"]
    assert [one.trials for one in read.history] == [2, 3]
    assert read.baseline is not None
    assert len(list((tmp_path / "P1").iterdir())) == 3  # the former arrays are gone
    # Who still has the first one would undo the second.
    with pytest.raises(InputError, match="was changed by someone else"):
        save_profile(calibrated(first, personal(2), first.trials, {}, {}), tmp_path)
    assert load_profile(tmp_path, "P1").hash == second.hash


def test_another_person_is_never_overwritten(tmp_path: Path) -> None:
    save_profile(made(), tmp_path)
    for name in ("P1", "p1"):
        with pytest.raises(InputError, match="there is a profile 'P1'"):
            save_profile(made(name), tmp_path)
    with pytest.raises(InputError, match="there is a profile 'P1'"):
        open_profile(tmp_path, "p1", checkpoint(), RIG)  # a session could not keep its ratings
    assert open_profile(tmp_path, "P2", checkpoint(), RIG).id == "P2"
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "elsewhere")
    for act in (
        lambda: save_profile(made("link"), tmp_path),
        lambda: load_profile(tmp_path, "link"),
    ):
        with pytest.raises(InputError, match="a link to elsewhere"):
            act()


@pytest.mark.parametrize("crash", range(3))
def test_a_crash_leaves_the_old_or_the_new_profile(
    crash: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    old = save_profile(made(), tmp_path)
    new = calibrated(old, personal(4, 1), [*old.trials, trial(3)], {"kl": 1.0}, {"kl": 0.5})
    replace = os.replace
    done: list[str] = []

    def fails(source: Path, target: Path) -> None:
        if len(done) == crash:
            raise KeyboardInterrupt  # as though the power had gone
        done.append(Path(target).name)
        replace(source, target)

    monkeypatch.setattr(os, "replace", fails)
    with pytest.raises(KeyboardInterrupt):
        save_profile(new, tmp_path)
    monkeypatch.undo()
    read = load_profile(tmp_path, "P1")
    assert read.hash == old.hash
    same(read, old)
    # Trying again succeeds, and tidies up.
    saved = save_profile(new, tmp_path)
    same(load_profile(tmp_path, "P1"), saved)
    assert len(list((tmp_path / "P1").iterdir())) == 3


def test_a_crash_after_the_exchange_leaves_the_new_profile(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    old = save_profile(made(), tmp_path)
    new = calibrated(old, personal(3, 1), old.trials, {}, {})

    def fails(path: Path) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(Path, "unlink", fails)
    with pytest.raises(KeyboardInterrupt):
        save_profile(new, tmp_path)
    monkeypatch.undo()
    assert [one.step for one in load_profile(tmp_path, "P1").history] == ["adapters"] * 2


def rewritten(change: Callable[[dict[str, Any]], None]) -> Callable[[Path], None]:
    def act(folder: Path) -> None:
        path = folder / "profile.json"
        raw = json.loads(path.read_text("utf-8"))
        change(raw)
        path.write_text(json.dumps(raw), "utf-8")

    return act


def entry(*keys: str | int, value: Any) -> Callable[[Path], None]:
    def change(raw: dict[str, Any]) -> None:
        for key in keys[:-1]:
            raw = raw[key]  # type: ignore[index]
        raw[keys[-1]] = value  # type: ignore[index]

    return rewritten(change)


def cut(folder: Path) -> None:
    (path,) = folder.glob("trials-*")
    path.write_bytes(path.read_bytes()[:-1])


def gone(folder: Path) -> None:
    (path,) = folder.glob("model-*")
    path.unlink()


def deep(folder: Path) -> None:
    (folder / "profile.json").write_text("[" * 100_000, "utf-8")


@pytest.mark.parametrize(
    ("damage", "reason"),
    [
        (cut, "not what was written"),
        (gone, "is missing"),
        (deep, "no usable profile"),
        (entry("format", value="checkpoint-1"), "its format is 'checkpoint-1'"),
        (entry("id", value="P2"), "it is of 'P2'"),
        (entry("id", value="../../x"), "profile id"),
        (entry("id", value=7), "no usable profile"),
        (entry("files", "model", value="../../../../etc/passwd"), "files names"),
        (entry("files", "model", value="0" * 64), "is missing"),
        (entry("checkpoint", value="ab"), "no SHA-256"),
        (entry("created", value="yesterday"), "yesterday"),
        (entry("created", value="2026-03-04T05:06:07"), "time zone"),
        (entry("rig", value="wrist\x1b[2J"), "characters that do not show"),
        (entry("setup", value={"ppg.\u202ex": 1}), "characters that do not show"),
        (entry("labels", "valence", value=[1]), "valence"),
        (entry("labels", "emotions", value=["glad\n"] * 10), "glad"),
        (entry("model", "radius", value=float("nan")), "radius nan"),
        (entry("model", "keep", value=2), "keep 2"),
        (entry("model", "trials", value=-1), "-1 trials"),
        (entry("model", "centre", value=["moonlight"]), "centre/moonlight"),
        (entry("model", "weights", value=["../x"]), "weights/../x"),
        (entry("baseline", value=["moonlight"]), "moonlight"),
        (entry("trials", 0, "rating", "items", value=[["a", 9]]), "9"),
        (entry("trials", 0, "rating", "items", value=[["a", 1], ["a", 2]]), "an item twice"),
        (entry("trials", 0, "rating", "scale", value=[5, 1]), "scale"),
        (entry("trials", 0, "stop", value=float("inf")), "inf"),
        (entry("trials", 0, "stop", value=10**400), "no usable profile"),
        (entry("trials", 0, "trial", value="x" * 5000), "too long"),
        (entry("trials", 0, "modalities", value=[]), "no usable profile"),
        (entry("history", 0, "after", value={"kl": float("inf")}), "figure 'kl'"),
        (entry("history", value=None), "no usable profile"),
    ],
)
def test_damaged_profiles_are_refused(
    damage: Callable[[Path], None], reason: str, tmp_path: Path
) -> None:
    save_profile(made(), tmp_path)
    damage(tmp_path / "P1")
    with pytest.raises(InputError, match="no usable profile") as caught:
        load_profile(tmp_path, "P1")
    assert reason in str(caught.value)
    assert len(str(caught.value).splitlines()) == 1 and "\x1b" not in str(caught.value)


@pytest.mark.parametrize(
    ("kind", "name", "value"),
    [
        ("model", "shift", np.full(10, np.nan)),
        ("model", "shift", np.full(10, 0.1)),
        ("model", "shift", np.zeros(9)),
        ("model", "centre/ppg", np.zeros(3, dtype=np.float32)),
        ("model", "weights/member0/head.weight/up", np.zeros((10, 2))),
        ("trials", "1/elapsed", np.zeros(4)),
        ("trials", "1/elapsed", np.array([0, np.inf, 1.0])),
        ("trials", "1/mask/ppg", np.zeros(3, dtype=np.float32)),
        ("trials", "0/features/ppg", np.zeros((3, 2), dtype=np.float32)),
        ("trials", "0/features/ppg", None),
    ],
)
def test_arrays_that_do_not_fit_are_refused(kind: str, name: str, value: np.ndarray | None) -> None:
    """Whoever writes such arrays also writes the sums that fit them."""
    files = encoded(made())
    (old,) = (one for one in files if one.startswith(kind))
    arrays = load(files[old])
    if value is None:
        del arrays[name]
    else:
        arrays[name] = value
    content = save(arrays)
    digest = hashlib.sha256(content).hexdigest()
    raw = json.loads(files["profile.json"])
    raw["files"][kind] = digest
    files[f"{kind}-{digest[:16]}.safetensors"] = content
    files["profile.json"] = json.dumps(raw).encode()
    with pytest.raises((ValueError, KeyError)):
        decoded(lambda file, limit: files[file])


def test_a_huge_file_is_not_read(tmp_path: Path) -> None:
    save_profile(made(), tmp_path)
    with (tmp_path / "P1" / "profile.json").open("r+b") as file:
        file.truncate(1 << 40)  # without a byte on the disk
    with pytest.raises(InputError, match="more than 33554432 bytes"):
        load_profile(tmp_path, "P1")


def test_the_checkpoint_and_the_rig_it_was_made_with_are_accepted() -> None:
    renamed = dataclasses.replace(RIG.modalities[0], types=("Other",), max_age=9.0)
    check(made(), checkpoint(), RIG)
    check(made(), checkpoint(), dataclasses.replace(RIG, modalities=(renamed, *RIG.modalities[1:])))


def test_another_checkpoint_or_rig_is_refused_with_the_reason() -> None:
    profile = made()

    def refused(reason: str, profile: Profile = profile, **changes: Any) -> None:
        given = {"checkpoint": checkpoint(), "rig": RIG, **changes}
        with pytest.raises(InputError, match=reason) as caught:
            check(profile, given["checkpoint"], given["rig"])
        assert "'P1' does not fit" in str(caught.value)

    refused("rig 'mine': it was made with 'wrist'", rig=dataclasses.replace(RIG, name="mine"))
    other = dataclasses.replace(checkpoint(), hash="cd" * 32)
    refused("checkpoint 'cdcdcdcdcdcd'.*made with 'abababababab'", checkpoint=other)
    first = dataclasses.replace(RIG.modalities[0], filter=FilterSettings(low=0.7))
    changed = dataclasses.replace(RIG, modalities=(first, *RIG.modalities[1:]))
    refused("ppg.filter.high was .* and is None", rig=changed)
    fewer = dataclasses.replace(RIG, modalities=RIG.modalities[:-1])
    refused("acc.channels was .* and is None", rig=fewer)
    # It names the right ones, and is not theirs.
    refused("emotions", profile=dataclasses.replace(profile, labels=IPANAS_SF))
    weights = {"member7/head.weight": np.zeros((1, 8), dtype=np.float32)}
    model = dataclasses.replace(profile.model, weights=weights)
    refused("network 7", profile=dataclasses.replace(profile, model=model))
    model = dataclasses.replace(profile.model, centre={"eeg": np.zeros(3, dtype=np.float32)})
    refused("centre of eeg", profile=dataclasses.replace(profile, model=model))
    # A session could not begin with the half of it.
    assert profile.baseline is not None
    kinds = dataclasses.asdict(profile.baseline).items()
    half = Rest(**{kind: {n: a for n, a in of.items() if n != "eda"} for kind, of in kinds})
    refused("the baseline lacks eda", profile=dataclasses.replace(profile, baseline=half))
    check(dataclasses.replace(profile, baseline=None), checkpoint(), RIG)
