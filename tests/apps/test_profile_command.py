"""``affectstream profile``: list, show, export, import and forget, as a person types them."""

from __future__ import annotations

import io
import json
import sys
from pathlib import Path
from typing import Any

import pytest

from apps.cli.main import main
from calibration.profile_files import save_profile
from tests.calibration.profiles import made


class Terminal(io.StringIO):
    """A person at the keyboard."""

    def isatty(self) -> bool:
        return True


class Command:
    """The command on one store."""

    def __init__(self, root: Path, capsys: pytest.CaptureFixture[str]) -> None:
        self.root, self._capsys = root, capsys

    def __call__(self, *words: object) -> tuple[int, str, str]:
        status = main(["profile", *map(str, words), "--profiles", str(self.root)])
        return status, *self._capsys.readouterr()

    def json(self, *words: object) -> Any:
        status, out, err = self(*words, "--json")
        assert status == 0, err
        assert len(out.splitlines()) == 1
        return json.loads(out)


@pytest.fixture
def command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Command:
    save_profile(made(), tmp_path / "store")
    return Command(tmp_path / "store", capsys)


def test_a_profile_is_listed_shown_moved_and_forgotten(command: Command, tmp_path: Path) -> None:
    (listed,) = command.json("list")["profiles"]
    assert (listed["id"], listed["rig"], listed["trials"]) == ("P1", "wrist", 3)
    shown = command.json("show", "P1")
    assert shown["history"][0]["after"]["kl"] == 0.1
    assert shown["ratings"][2]["items"]["upset"] is None
    path = tmp_path / "P1.zip"
    moved = command.json("export", "P1", path)
    assert moved == {"id": "P1", "path": str(path), "bytes": path.stat().st_size}
    assert command.json("import", path, "--as", "P2")["id"] == "P2"
    sizes = {one.name: one.stat().st_size for one in (command.root / "P1").iterdir()}
    removal = command.json("forget", "P1", "--yes")
    assert {one["name"]: one["size"] for one in removal["removed"]} == sizes
    assert removal["beyond"] and not (command.root / "P1").exists()
    assert [one["id"] for one in command.json("list")["profiles"]] == ["P2"]


def test_a_person_reads_what_there_is(command: Command, tmp_path: Path) -> None:
    (command.root / "half").mkdir()
    (command.root / "half" / "left.txt").write_text("left by somebody", "utf-8")
    status, out, _ = command("list")
    assert status == 0 and "P1" in out and "damaged" in out
    assert "holds no profile.json" in " ".join(out.split())
    status, out, _ = command("show", "P1")
    assert status == 0 and "recall, glad" in out and "profile.json" in out
    status, out, _ = command("forget", "half", "--yes")
    assert status == 0 and "half is forgotten" in out and "session recordings" in out


@pytest.mark.parametrize(("typed", "status"), [("P1\n", 0), ("P2\n", 2), ("", 130)])
def test_forgetting_asks_for_the_id_again(
    typed: str, status: int, command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "stdin", Terminal(typed))
    found, out, err = command("forget", "P1", "--json")
    assert found == status
    assert (command.root / "P1").exists() == bool(status)
    assert "Type the id again" in err
    if status == 0:
        assert json.loads(out)["id"] == "P1"
    if status == 2:
        assert "'P2' is not 'P1': nothing was removed" in err


def test_nobody_is_forgotten_without_a_terminal_or_a_word(
    command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "stdin", io.StringIO("P1\n"))
    status, out, err = command("forget", "P1")
    assert (status, out) == (2, "") and "add --yes" in err
    assert (command.root / "P1").exists()


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("burn", "P1"), "cannot 'burn': give one of list, show, export, import, forget"),
        (("show",), "needs ID: write `affectstream profile show ID`"),
        (("list", "P1"), "was given 'P1', needs nothing"),
        (("export", "P1"), "needs ID and FILE"),
        (("show", "P1", "--yes"), "--yes is for forget alone"),
        (("show", "P1", "--as", "P2"), "--as 'P2' is for import alone"),
        (("show", "P9"), "no profile 'P9'"),
        (("forget", "../P1", "--yes"), "profile id '../P1'"),
        (("import", "absent.zip"), "cannot read 'absent.zip'"),
    ],
)
def test_what_is_wrong_is_said_in_one_line(
    words: tuple[str, ...], said: str, command: Command
) -> None:
    status, out, err = command(*words)
    assert (status, out) == (2, "")
    assert said in err and len(err.strip().splitlines()) == 1
