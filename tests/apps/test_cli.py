from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import numpy as np
import pytest
import typer

from apps.cli import main as cli
from apps.cli.output import emit, plain
from realtime.errors import InputError


def run(*words: str, folder: Path | None = None) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-P", "-m", "apps", *words],
        capture_output=True,
        text=True,
        cwd=folder,
        timeout=60,
    )


@pytest.fixture
def command(monkeypatch: pytest.MonkeyPatch):
    """Add a command of the test's own, and run it."""

    def add(function, *words: str) -> int:
        module = type(sys)("apps.cli.trial")
        module.trial = function  # type: ignore[attr-defined]
        monkeypatch.setitem(sys.modules, "apps.cli.trial", module)
        monkeypatch.setitem(cli.COMMANDS, "trial", "A trial.")
        return cli.main(["trial", *words])

    return add


def test_help_names_every_command_without_loading_any() -> None:
    code = (
        "import sys; from apps.cli.main import main; main(['--help']); "
        "print(sorted({'torch', 'PySide6', 'numpy', 'pylsl', 'pandas'} & set(sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-P", "-c", code], capture_output=True, text=True, timeout=60
    )
    assert done.stdout.strip().endswith("[]")
    for name in cli.COMMANDS:
        assert f" {name} " in done.stdout


def test_version(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["--version"]) == 0
    assert capsys.readouterr().out == f"affectstream {cli.installed_version()}\n"


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["strems"], "No such command 'strems'"),
        (["--foo"], "No such option: --foo"),
        (["-v"], "Missing command"),
        (["streams", "--seconds", "soon"], "'soon'"),
    ],
)
def test_wrong_usage_is_one_line_and_status_2(
    words: list[str], sentence: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(words) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert sentence in err
    assert err.count("\n") == 1
    assert "--help`" in err


def test_bad_input_is_one_sentence_and_status_2(command, capsys) -> None:
    def trial() -> None:
        raise InputError("no rig 'x':\n give another")

    assert command(trial) == 2
    assert capsys.readouterr().err == "affectstream: no rig 'x': give another\n"


def test_a_failure_is_one_sentence_and_status_1(command, capsys) -> None:
    def trial() -> None:
        raise RuntimeError("the disk is full")

    assert command(trial) == 1
    assert capsys.readouterr().err == "affectstream: RuntimeError: the disk is full\n"
    assert command(trial, "--verbose") == 1
    err = capsys.readouterr().err
    assert "Traceback" in err
    assert err.endswith("affectstream: RuntimeError: the disk is full\n")


def test_an_interrupt_is_quiet(command, capsys) -> None:
    def trial() -> None:
        raise KeyboardInterrupt

    assert command(trial) == 130
    assert capsys.readouterr().err == ""


def test_parameters_and_exit_status_of_a_command(command, capsys) -> None:
    def trial(
        path: Annotated[Path, typer.Argument()],
        speed: Annotated[float, typer.Option()] = 1.0,
    ) -> None:
        emit({"path": path, "speed": speed}, True)
        raise typer.Exit(3)

    assert command(trial, "a b.xdf", "--speed", "2", "-v") == 3
    assert json.loads(capsys.readouterr().out) == {"path": "a b.xdf", "speed": 2.0}


@dataclass
class Finding:
    name: str
    values: np.ndarray


def test_results_are_one_json_object(capsys: pytest.CaptureFixture[str]) -> None:
    result = {
        "array": np.array([[1.5, np.nan], [np.inf, 0]]),
        "scalar": np.float32(0.5),
        "count": np.int64(3),
        "flag": np.bool_(True),
        "nan": float("nan"),
        "path": Path("a"),
        "finding": Finding("µS", np.arange(2)),
        "tuple": (1, None),
        3: {"b", "a"},
    }
    emit(result, True)
    out = capsys.readouterr().out
    assert out.count("\n") == 1
    assert json.loads(out) == {
        "array": [[1.5, None], [None, 0.0]],
        "scalar": 0.5,
        "count": 3,
        "flag": True,
        "nan": None,
        "path": "a",
        "finding": {"name": "µS", "values": [0, 1]},
        "tuple": [1, None],
        "3": ["a", "b"],
    }
    with pytest.raises(TypeError, match="object has no JSON form"):
        plain(object())


def test_hostile_text_is_printed_as_it_is(capsys: pytest.CaptureFixture[str]) -> None:
    emit({"name": "[red]Muse[/red] [link=x]"}, False)
    assert "[red]Muse[/red] [link=x]" in capsys.readouterr().out


def test_a_folder_with_a_model_and_apps_of_its_own(tmp_path: Path) -> None:
    (tmp_path / "apps").mkdir()
    for name in ("apps/__init__.py", "model.py", "realtime.py", "calibration.py"):
        (tmp_path / name).write_text(f"raise SystemExit('imported {name} of the user')")
    done = run("streams", "nowhere.xdf", folder=tmp_path)
    assert done.returncode == 2
    assert "there is no recording 'nowhere.xdf'" in done.stderr
    # And the command itself, where it is installed beside this Python.
    script = Path(sys.executable).with_name("affectstream" + (".exe" if os.name == "nt" else ""))
    if script.exists():
        done = subprocess.run(
            [script, "--version"], capture_output=True, text=True, cwd=tmp_path, timeout=60
        )
        assert done.stdout.startswith("affectstream ")
