"""A guided session by real clicks and keys, on real streams; the monitor uses its profile."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from apps.dashboard.main_window import Dashboard
from apps.link import running_engines
from apps.own_engine import OwnEngine
from calibration.profile_files import load_profile
from realtime.files import open_recording
from realtime.markers import parse_marker
from tests.apps.commands import environment, prompt_rig, run, running, until
from tests.apps.dashboard.conftest import qt

__all__ = ["qt"]  # a fixture

ROOT = Path(__file__).parents[2]
PROTOCOL = """
name = "short"
title = "Short"
consent = "Yes."
rest = 60
order = "fixed"
[[stimuli]]
kind = "breathing"
seconds = 48
condition = "calm"
[[stimuli]]
kind = "text"
text = "A pencil is made in two halves."
seconds = 48
condition = "neutral"
[[stimuli]]
kind = "recall"
text = "Think of yesterday."
seconds = 48
condition = "past"
"""


def robot(last, words, env):
    """Run the command before a robot and return (status, stdout, stderr)."""
    command = [sys.executable, "-P", "-m", "tests.apps.wizard.robot", str(last), *map(str, words)]
    done = subprocess.run(
        command, env=env, cwd=ROOT, capture_output=True, text=True, timeout=150, check=False
    )
    return done.returncode, done.stdout, done.stderr


@pytest.mark.timeout(300)
def test_session_is_killed_and_resumed_and_the_monitor_uses_its_profile(qt, tmp_path, monkeypatch):
    monkeypatch.setenv("AFFECTSTREAM_ENGINES", str(tmp_path / "engines"))
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    env, rig, root = environment(), prompt_rig(tmp_path), tmp_path / "profiles"
    (tmp_path / "short.toml").write_text(PROTOCOL, "utf-8")
    words = ["calibrate", "--rig", rig, "--participant", "p01", "--profiles", root]
    words += ["--protocol", tmp_path / "short.toml", "--record", tmp_path / "recordings"]
    words += ["--out", tmp_path / "report.html", "--json"]
    with running(["simulate", "--layout", "emotibit", "--wait", "200"], env):
        status, _, err = robot(1, words, env)
        assert status == 9, err
        # The engine outlives the window for as long as it takes to keep what was rated.
        until(lambda: not running_engines(), 60)
        before = load_profile(root, "p01")
        assert [trial.condition for trial in before.trials] == ["calm"]

        status, out, err = robot(0, words, env)
        assert status == 0, err
        assert not running_engines()
        summary = json.loads(out)
        assert summary["state"] == "finished"
        assert [one["from"] for one in summary["trials"]] == ["profile", "session", "session"]
        after = load_profile(root, "p01")
        assert [trial.condition for trial in after.trials] == ["calm", "neutral", "past"]
        assert summary["step"] == after.model.step
        assert after.baseline is not None
        assert "own mean" in (tmp_path / "report.html").read_text("utf-8")

        # What was marked is in the recordings, those of both attempts.
        said = [
            event.event
            for path in sorted((tmp_path / "recordings").rglob("*.xdf"))
            for marker in open_recording(str(path)).markers
            if (event := parse_marker(marker.text)) is not None and event.participant == "p01"
        ]
        assert said.count("rating") == 3
        assert said.count("baseline_stop") == 2

        # The monitor finds the profile, and predicts with it from the first window on.
        options = ["--rig", str(rig), "--profile", "p01", "--profiles", str(root)]
        own = OwnEngine([*options, "--link", "watched"], "watched", env)
        try:
            client = own.start()
            dashboard = Dashboard(client)

            def person():
                """Return what the dashboard knows of the person, once it has shown a window."""
                dashboard.tick()
                known = dashboard.state.people.get("p01")
                return known if known is not None and known.windows else None

            shown = until(person, 60)
            newest = shown.windows[-1]
            assert newest.radius == pytest.approx(after.model.radius)
            assert newest.baseline == "profile"
            said = dashboard.controls.baseline_text
            until(lambda: dashboard.tick() or "earlier session" in said.text())
            assert (shown.own.trials, shown.own.step) == (3, after.model.step)
            dashboard.close()
        finally:
            own.stop()
    status, out, _ = run(["profile", "forget", "p01", "--profiles", root, "--yes"])
    assert status == 0
    assert "guided.jsonl" in out
    assert not (root / "p01").exists()
