"""The store: what is there is told, what moves is checked, and what is forgotten is gone."""

from __future__ import annotations

import hashlib
import io
import json
import os
import stat
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from calibration import exchange
from calibration.exchange import decoded_archive, export_profile, import_profile
from calibration.profile_files import load_profile, save_profile
from calibration.profile_format import encoded
from calibration.store import default_root, details, entry, forget, list_profiles, summary
from realtime.errors import InputError
from tests.calibration.profiles import made

Members = list[tuple[zipfile.ZipInfo, bytes]]


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Return a store with one profile."""
    save_profile(made(), tmp_path / "store")
    return tmp_path / "store"


def test_the_list_has_the_damaged_ones_too(root: Path) -> None:
    assert list_profiles(root / "absent") == []
    save_profile(made("anna", count=1), root)
    (root / "P1" / "profile.json").write_text("{}", "utf-8")
    (root / "half").mkdir()
    (root / "half" / "model-0.safetensors").write_bytes(b"12345")
    (root / "no id").mkdir()
    (root / "file").write_text("x", "utf-8")
    damaged, usable, half = sorted(list_profiles(root), key=lambda one: one.id)
    assert [damaged.id, usable.id, half.id] == ["P1", "anna", "half"]
    assert "no usable profile" in damaged.problem and usable.problem == ""
    assert "holds no profile.json: forget it" in half.problem
    told = summary(usable)
    assert (told["usable"], told["trials"], told["step"]) == (True, 1, "adapters")
    assert told["bytes"] == sum(p.stat().st_size for p in (root / "anna").iterdir())
    assert summary(half) == {**summary(half), "usable": False, "bytes": 5}


def test_details_have_the_raw_ratings(root: Path) -> None:
    told = details(entry(root, "P1"))
    assert [one["trial"] for one in told["ratings"]] == ["0", "1", "2"]
    first = made().trials[0].rating
    assert told["ratings"][0]["items"] == first.items
    assert told["history"][0].after == {"kl": 0.1, "tv": 0.25}


def test_forgetting_removes_everything_and_says_so(root: Path, tmp_path: Path) -> None:
    save_profile(made("anna"), root)
    folder = root / "P1"
    (folder / "plots" / "deep").mkdir(parents=True)
    (folder / "plots" / "deep" / "a.svg").write_bytes(b"123")
    (folder / "report.html").write_bytes(b"12")
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "kept").write_text("x", "utf-8")
    (folder / "link").symlink_to(elsewhere)
    sizes = {p.name: p.stat().st_size for p in folder.iterdir() if p.is_file()}
    removal = forget(root, "P1")
    assert not folder.exists() and removal.folder == folder
    told = {one.name: one.size for one in removal.removed}
    assert told["plots/deep/a.svg"] == 3
    assert {name: told[name] for name in sizes} == sizes and "link" in told
    assert any("exports" in one and "session recordings" in one for one in removal.beyond)
    assert (elsewhere / "kept").exists()
    assert [one.id for one in list_profiles(root)] == ["anna"]
    with pytest.raises(InputError, match="no profile 'P1'"):
        forget(root, "P1")


def test_who_is_forgotten_does_not_come_back_from_a_running_session(root: Path) -> None:
    held = load_profile(root, "P1")
    forget(root, "P1")
    with pytest.raises(InputError, match="was forgotten by someone else"):
        save_profile(held, root)
    assert not (root / "P1").exists()


def test_what_cannot_be_removed_is_named_and_can_be_tried_again(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    unlink = Path.unlink

    def refuses(path: Path) -> None:
        if path.name.startswith("trials"):
            raise PermissionError(13, "in use", str(path))
        unlink(path)

    monkeypatch.setattr(Path, "unlink", refuses)
    with pytest.raises(InputError, match=r"2 files were removed, but not trials-.*in use"):
        forget(root, "P1")
    monkeypatch.undo()
    assert [one.profile for one in list_profiles(root)] == [None]  # nothing can use it
    assert len(forget(root, "P1").removed) == 1


def test_profiles_lie_in_the_users_own_data() -> None:
    assert default_root().parts[-2:] == ("affectstream", "profiles")


def test_an_export_comes_back_the_same(root: Path, tmp_path: Path) -> None:
    path = export_profile(root, "P1", tmp_path / "one.zip")
    again = export_profile(root, "P1", tmp_path / "two.ZIP")
    assert path.read_bytes() == again.read_bytes()
    taken = import_profile(tmp_path / "other", path)
    assert encoded(taken) == encoded(load_profile(root, "P1"))
    assert sorted(p.name for p in tmp_path.iterdir()) == ["one.zip", "other", "store", "two.ZIP"]


def test_a_renamed_import_has_nothing_of_the_former_name(root: Path, tmp_path: Path) -> None:
    path = export_profile(root, "P1", tmp_path / "one.zip")
    with pytest.raises(InputError, match="there is a profile 'P1'"):
        import_profile(root, path)
    with pytest.raises(InputError, match="profile id"):
        import_profile(root, path, "../P2")
    taken = import_profile(root, path, "P2")
    assert taken.id == "P2" and {one.rating.participant for one in taken.trials} == {"P2"}
    assert b"P1" not in (root / "P2" / "profile.json").read_bytes()
    assert [one.id for one in list_profiles(root)] == ["P1", "P2"]


def test_nothing_is_overwritten_by_an_export(root: Path, tmp_path: Path) -> None:
    path = tmp_path / "one.zip"
    path.write_text("mine", "utf-8")
    with pytest.raises(InputError, match="nothing is overwritten"):
        export_profile(root, "P1", path)
    assert path.read_text("utf-8") == "mine"
    for wrong in (tmp_path / "one.txt", tmp_path / "absent" / "one.zip"):
        with pytest.raises(InputError, match="one"):
            export_profile(root, "P1", wrong)
        assert not wrong.exists()


def test_a_failed_export_leaves_nothing(
    root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(source: Path, target: Path) -> None:
        raise OSError(28, "no space left")

    monkeypatch.setattr(os, "replace", full)
    with pytest.raises(InputError, match="no space left"):
        export_profile(root, "P1", tmp_path / "one.zip")
    assert [one.name for one in tmp_path.iterdir()] == ["store"]


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    folder = tmp_path_factory.mktemp("export")
    save_profile(made(), folder)
    return export_profile(folder, "P1", folder / "one.zip").read_bytes()


def unpacked(content: bytes) -> Members:
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        return [(one, archive.read(one)) for one in archive.infolist()]


def packed(members: Members) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for member, content in members:
            archive.writestr(member, content)
    return buffer.getvalue()


def added(name: str) -> Callable[[Members], None]:
    return lambda members: members.append((zipfile.ZipInfo(name), b"x"))


def renamed(name: str) -> Callable[[Members], None]:
    def change(members: Members) -> None:
        members[-1] = (zipfile.ZipInfo(name), members[-1][1])

    return change


def linked(members: Members) -> None:
    members[1][0].external_attr = (stat.S_IFLNK | 0o777) << 16


def changed(members: Members) -> None:
    member, content = members[1]
    members[1] = (member, content[:-1] + bytes([content[-1] ^ 1]))


def swollen(members: Members) -> None:
    """Make profile.json what packs small and unpacks to gigabytes, the sums of which fit."""
    member, content = members[-1]
    members[-1] = (member, b" " * (33 << 20) + content)


def bzipped(members: Members) -> None:
    members[0][0].compress_type = zipfile.ZIP_BZIP2


def unlisted(members: Members) -> None:
    member, content = members[0]
    manifest = json.loads(content)
    manifest["files"].pop("profile.json")
    members[0] = (member, json.dumps(manifest).encode())


def other_format(members: Members) -> None:
    members[0] = (members[0][0], b'{"format": "zip", "files": {}}')


def hostile_id(members: Members) -> None:
    """Name the person like a path, in a file whose sum fits."""
    content = members[-1][1].replace(b'"id": "P1"', b'"id": "../../P1"')
    members[-1] = (members[-1][0], content)
    manifest = json.loads(members[0][1])
    manifest["files"]["profile.json"] = hashlib.sha256(content).hexdigest()
    members[0] = (members[0][0], json.dumps(manifest).encode())


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (renamed("../../profile.json"), "'../../profile.json', which no export has"),
        (renamed("/etc/profile.json"), "'/etc/profile.json', which no export has"),
        (renamed("C:\\profile.json"), "which no export has"),
        (renamed("model-0123456789abcdef.safetensors"), "a second 'model'"),
        (added("readme.txt"), "holds 5 files"),
        (linked, "a link or a device"),
        (changed, "not the file that its manifest names"),
        (swollen, "unpacks to more than 33554432 bytes"),
        (bzipped, "packed in an unknown way"),
        (unlisted, "not the file that its manifest names"),
        (other_format, "its format is 'zip'"),
        (hostile_id, "profile id '../../P1'"),
        (lambda members: members.pop(0), "'manifest.json' is missing"),
        (lambda members: members.pop(1), "not the file that its manifest names"),
        (lambda members: members.clear(), "'manifest.json' is missing"),
    ],
)
def test_hostile_archives_are_refused(
    change: Callable[[Members], None], reason: str, exported: bytes, tmp_path: Path
) -> None:
    members = unpacked(exported)
    change(members)
    (tmp_path / "bad.zip").write_bytes(packed(members))
    with pytest.raises(InputError, match="no usable export") as caught:
        import_profile(tmp_path / "store", tmp_path / "bad.zip")
    assert reason in str(caught.value)
    assert len(str(caught.value).splitlines()) == 1
    assert [one.name for one in tmp_path.iterdir()] == ["bad.zip"]


def test_an_archive_of_very_many_files_is_not_even_listed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    many = packed([(zipfile.ZipInfo(f"{number}"), b"") for number in range(300)])
    (tmp_path / "bad.zip").write_bytes(many)
    monkeypatch.setattr(exchange.zipfile, "ZipFile", None)
    with pytest.raises(InputError, match="too many files"):
        import_profile(tmp_path / "store", tmp_path / "bad.zip")


def test_what_says_it_is_encrypted_is_refused(exported: bytes, tmp_path: Path) -> None:
    content = bytearray(exported)
    place = content.index(b"PK\x01\x02")
    content[place + 8] |= 1
    (tmp_path / "bad.zip").write_bytes(content)
    with pytest.raises(InputError, match="is encrypted"):
        import_profile(tmp_path / "store", tmp_path / "bad.zip")


def test_other_files_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="cannot read"):
        import_profile(tmp_path / "store", tmp_path / "absent.zip")
    (tmp_path / "bad.zip").write_text("no archive", "utf-8")
    with pytest.raises(InputError, match="no usable export"):
        import_profile(tmp_path / "store", tmp_path / "bad.zip")


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_a_damaged_archive_is_the_same_profile_or_refused(
    data: st.DataObject, exported: bytes, tmp_path: Path
) -> None:
    content = bytearray(exported)
    for _ in range(data.draw(st.integers(1, 3))):
        place = data.draw(st.integers(0, len(content) - 1))
        content[place] = data.draw(st.integers(0, 255))
    cut = data.draw(st.integers(0, len(content)) | st.just(len(content)))
    path = tmp_path / "bad.zip"
    path.write_bytes(content[:cut])
    store = tmp_path / "store"
    try:
        taken = import_profile(store, path)
    except InputError:
        assert not store.exists()
        return
    assert encoded(taken) == encoded(decoded_archive(exported))
    forget(store, "P1")
    store.rmdir()
