"""The command `monitor`, attached to an engine that runs."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest
from PySide6.QtGui import QImage

from apps import processes
from apps.cli.main import main
from apps.link import LinkServer, running_engines
from apps.own_engine import OwnEngine
from realtime.errors import InputError
from tests.apps.dashboard.engine import EngineProcess


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("AFFECTSTREAM_ENGINES", str(tmp_path / "engines"))
    return tmp_path / "engines"


def test_screenshot_of_the_running_engine(folder: Path, tmp_path: Path) -> None:
    engine = EngineProcess(folder)
    picture = tmp_path / "shot.png"
    arguments = ["monitor", "--screenshot", str(picture), "--seconds", "0.5"]
    assert main([*arguments, "--size", "1280", "800"]) == 0
    assert QImage(str(picture)).width() == 1280
    assert [running.name for running in running_engines()] == ["lab"]  # goes on
    assert main(["monitor", "--seconds", "0.5"]) == 0  # a window that closes by itself
    missing = tmp_path / "no folder" / "shot.png"
    assert main([*arguments[:2], str(missing), "--seconds", "0.5"]) == 2
    engine.stop()


def test_an_engine_that_runs_is_not_taken_for_one_with_a_profile(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with LinkServer("lab"):
        assert main(["monitor", "--profile", "007"]) == 2
    assert "--profile '007' is for an engine that is started here" in capsys.readouterr().err


def test_unknown_engine_is_bad_input(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["monitor", "--engine", "nobody"]) == 2
    assert "no engine 'nobody' answers" in capsys.readouterr().err


@pytest.mark.skipif(sys.platform != "linux", reason="other systems always have a screen")
def test_no_screen_is_bad_input(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("DISPLAY", "WAYLAND_DISPLAY", "QT_QPA_PLATFORM"):
        monkeypatch.delenv(name, raising=False)
    assert main(["monitor"]) == 2
    assert "no screen" in capsys.readouterr().err


@pytest.mark.skipif(sys.platform == "win32", reason="has no groups of processes")
def test_ctrl_c_on_the_terminal_does_not_reach_the_engine_before_its_window() -> None:
    child = processes.start(["--version"], {})
    try:
        assert os.getpgid(child.pid) != os.getpgid(0)
    finally:
        processes.stop(child)


def test_engine_that_cannot_start_is_reported() -> None:
    own = OwnEngine(["--no-such-option"], "x", {})
    with pytest.raises(InputError, match="ended at once with status"):
        own.start()
    own.stop()
