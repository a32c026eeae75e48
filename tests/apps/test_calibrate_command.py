"""``affectstream calibrate --from``: a recording in, a profile and a report out."""

from __future__ import annotations

import json
import sys
from dataclasses import replace
from importlib import resources

import pytest

from apps.cli.calibrate import _steps
from apps.cli.calibrated import _profile, guided
from calibration.personal import STEPS
from calibration.profile import begin
from calibration.profile_files import load_profile, save_profile
from model.checkpoint import load_checkpoint
from model.zoo import shipped_checkpoint
from realtime.rig import load_rig
from realtime.simulator.person import Person
from tests.apps.commands import run_here
from tests.apps.test_score_command import write_xdf
from tests.calibration.profiles import RIG, checkpoint, made
from tests.model.datasets.test_xdf import record


@pytest.fixture(scope="module")
def lab(tmp_path_factory):
    """A folder with a rated session of anna's, and one of somebody who rated nothing."""
    folder = tmp_path_factory.mktemp("lab")
    record(folder / "sub-anna/ses-1/recording.xdf", 1, 0.25)
    write_xdf(Person(3).to_recording(12), folder / "unrated.xdf")
    return folder


def test_a_recording_becomes_a_profile_and_the_same_one_again_adds_no_trial(lab, tmp_path, capsys):
    source = lab / "sub-anna/ses-1/recording.xdf"
    command = ("calibrate", "--from", source, "--profiles", tmp_path / "profiles")
    report = tmp_path / "pages" / "anna.html"
    status, out, err = run_here(capsys, *command, "--out", report, "--json")
    assert status == 0, err
    result = json.loads(out)
    assert result["participant"] == "anna"
    assert [(one["trial"], one["condition"], one["windows"]) for one in result["trials"]] == [
        ("1", "stress", 25),
        ("2", "rest", 25),
    ]
    assert result["baseline"] == [0.0, 20.0]
    tried = {one["name"]: one for one in result["predictors"]}
    assert {"none", "training mean", "own mean", result["step"]} <= set(tried)
    assert all(one["kl"] > 0 for one in tried.values())
    assert tried["own mean"]["trivial"] and not tried["none"]["trivial"]
    assert "anna" in report.read_text("utf-8")

    first = load_profile(tmp_path / "profiles", "anna")
    assert first.model.step == result["step"] and first.model.radius == result["radius"]
    assert first.history[0].before["kl"] == pytest.approx(tried["none"]["kl"])
    assert first.history[0].after["kl"] == pytest.approx(tried[result["step"]]["kl"])
    assert first.baseline is not None and first.baseline.seconds["acc"].max() == 10

    status, out, err = run_here(capsys, *command)
    assert status == 0, err
    for words in ("left-out trials", "before", "kept", "without sensors", "stress"):
        assert words in out
    again = load_profile(tmp_path / "profiles", "anna")
    assert [trial.trial for trial in again.trials] == ["1", "2"]
    assert len(again.history) == 2


def test_what_cannot_be_used_is_refused_before_any_profile_is_made(lab, tmp_path, capsys):
    profiles = tmp_path / "profiles"

    def refused(*words):
        status, out, err = run_here(capsys, "calibrate", "--profiles", profiles, *words)
        assert (status, out) == (2, "")
        return err

    rated = lab / "sub-anna/ses-1/recording.xdf"
    assert "has no rated trial" in refused("--from", lab / "unrated.xdf")
    assert "there is no recording" in refused("--from", lab / "absent.xdf")
    assert "'../x'" in refused("--from", rated, "--participant", "../x")
    assert "is a folder" in refused("--from", rated, "--out", tmp_path)
    assert "does not fit the rig" in refused(
        *("--from", rated, "--rig", "chest", "--checkpoint", shipped_checkpoint(load_rig("wrist")))
    )
    assert not profiles.exists()


def test_what_a_guided_session_needs_is_asked_for_before_it(tmp_path, capsys, monkeypatch):
    def refused(*words):
        words = ("calibrate", "--profiles", tmp_path / "profiles", *words)
        status, out, err = run_here(capsys, *words)
        assert (status, out) == (2, "")
        return " ".join(err.split())

    guided = ("--participant", "p01")
    assert "needs --participant ID" in refused()
    assert "--protocol 'basic' is for a guided session" in refused(
        *("--from", "x.xdf", "--protocol", "basic")
    )
    assert "--baseline '0:60' is for --from" in refused(*guided, "--baseline", "0:60")
    assert "no protocol 'none'" in refused(*guided, "--protocol", "none")
    text = (resources.files("calibration") / "protocols" / "basic.toml").read_text("utf-8")
    path = tmp_path / "other.toml"
    path.write_text('instrument = "ipanas-sf"\n' + text, "utf-8")
    assert "'ipanas-sf' does not ask for excited" in refused(*guided, "--protocol", path)
    assert "'../p'" in refused("--participant", "../p")
    assert "--without 'heads': no such step; use prior" in refused(*guided, "--without", "heads")
    if sys.platform == "linux":
        for name in ("DISPLAY", "WAYLAND_DISPLAY", "QT_QPA_PLATFORM"):
            monkeypatch.delenv(name, raising=False)
        assert "no screen" in refused(*guided)
    assert not (tmp_path / "profiles").exists()


def test_a_recording_of_nobody_known_is_not_added_to_somebodys_profile(lab, tmp_path, capsys):
    rig = load_rig("wrist")
    save_profile(begin("P1", load_checkpoint(shipped_checkpoint(rig)), rig), tmp_path)
    words = ("calibrate", "--from", lab / "unrated.xdf", "--profiles", tmp_path)
    status, _, err = run_here(capsys, *words)
    assert status == 2
    assert "there is a profile 'P1'" in err and "--participant ID" in err


def test_whose_recording_it_is_the_folder_says_and_not_the_file(tmp_path):
    rig = load_rig("wrist")
    checkpoint = load_checkpoint(shipped_checkpoint(rig))

    def whose(path):
        return _profile(tmp_path / "profiles", None, str(tmp_path / path), checkpoint, rig).id

    assert whose("sub-anna/ses-1/sub-anna_ses-1_task-film.xdf") == "anna"
    assert whose("sub-anna_ses-1.xdf") == "P1"
    (tmp_path / "sub-ben").mkdir()  # an E4 folder
    assert whose("sub-ben") == "ben"


def test_what_a_guided_session_had_no_time_to_fit_is_fitted_after_it(tmp_path, monkeypatch):
    def answered(trial):
        rating = replace(trial.rating, items={**trial.rating.items, "upset": 2.0})
        return replace(trial, rating=rating)

    def ended(protocol, profile, root, labels, options):
        save_profile(replace(profile, trials=tuple(map(answered, made(count=2).trials))), root)
        return "finished"

    monkeypatch.setattr("apps.guided_session.guided_session", ended)
    words = (tmp_path, "basic", "P1", RIG, checkpoint(), ())
    found = guided(*words, ("prior",))
    assert [one["from"] for one in found.summary["trials"]] == ["session", "session"]
    kept = load_profile(tmp_path, "P1")
    assert (kept.model.trials, kept.model.step) == (2, found.summary["step"])
    assert (kept.hash, len(kept.history)) == (found.profile.hash, 1)
    # Where nothing new was rated, the figures of what there is are given all the same.
    assert kept.steps == ("prior",)
    again = guided(*words, None)
    assert [one["from"] for one in again.summary["trials"]] == ["profile", "profile"]
    assert again.better is not None
    assert load_profile(tmp_path, "P1").hash == again.profile.hash
    assert len(again.profile.history) == 1
    assert load_profile(tmp_path, "P1").steps == ("prior",)
    assert guided(*words, _steps(["none"])).profile.steps == STEPS
