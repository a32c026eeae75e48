"""``affectstream score --profile``: a recording by a person's own model, as it would be live."""

from __future__ import annotations

import dataclasses
import json
import time
from operator import attrgetter
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest

from apps.baselines import Baselines
from apps.cli.run import session_settings
from apps.session import Session
from calibration.profile_files import load_profile, save_profile
from model.checkpoint import load_checkpoint, save_checkpoint
from model.labels import PANAS10
from model.zoo import shipped_checkpoint
from realtime.files import open_recording
from realtime.markers import Event, format_marker, parse_marker
from realtime.offline import bind_recording
from realtime.recording import Marker
from realtime.rig import load_rig
from realtime.simulator.affect import Schedule, baseline, rest, stress
from realtime.simulator.person import Person
from tests.apps.commands import run_here
from tests.apps.test_score_command import write_xdf

RIG = load_rig("wrist")
SCORES = dict(zip(PANAS10.emotions, (2, 3, 1, 2, 4, 5, 3, 4, 4, 5), strict=True))
COLUMNS = list(PANAS10.emotions)


def marked(recording, *events):
    """Return a recording with more of our markers, at seconds of its clock."""
    key = recording.marker_streams[0].key
    more = [Marker(time, format_marker(event), key) for time, event in events]
    markers = sorted((*recording.markers, *more), key=attrgetter("time"))
    return dataclasses.replace(recording, markers=tuple(markers))


@pytest.fixture(scope="module")
def lab(tmp_path_factory):
    """A folder with a session that anna rated, and a later one of hers without a baseline."""
    folder = tmp_path_factory.mktemp("lab")
    rated = Person(1, Schedule((baseline(20.0),), (stress(15.0),))).to_recording(37)
    scores = Event("rating", trial="1", instrument="PANAS", items=SCORES, scale=(1.0, 5.0))
    write_xdf(marked(rated, (36.0, scores)), folder / "first.xdf")
    # A quarter of an hour after it, on the same clock.
    later = Person(1, Schedule((), (rest(300.0),))).to_recording(26)
    streams = tuple(dataclasses.replace(s, times=s.times + 900) for s in later.streams)
    later = dataclasses.replace(later, streams=streams, markers=())
    write_xdf(later, folder / "later.xdf")
    return folder


@pytest.fixture(scope="module")
def profiles(lab):
    """Where anna's profile is, as `calibrate --from` made it."""
    from apps.cli.main import main

    words = ["--from", lab / "first.xdf", "--participant", "anna", "--profiles", lab / "profiles"]
    assert main(["calibrate", *map(str, words)]) == 0
    return lab / "profiles"


@pytest.fixture(scope="module")
def scored(lab, profiles, tmp_path_factory):
    """Return a function that scores a recording, once for each choice of options."""
    out = tmp_path_factory.mktemp("scored")
    from apps.cli.main import main

    def score(name, *words):
        target = out / "-".join([name, *words])
        if not target.exists():
            own = ["--profiles", profiles] if "--profile" in words else []
            given = ["score", lab / name, "--features", "--out", target, *own, *words]
            assert main([str(word) for word in given]) == 0
        summary = json.loads((target / "score.json").read_text("utf-8"))
        tables = [pd.read_parquet(target / f"{n}.parquet") for n in ("predictions", "features")]
        return summary, *tables

    return score


def test_predictions_are_the_checkpoints_as_the_profile_changes_them(scored, profiles):
    model = load_profile(profiles, "anna").model
    assert model.step == "prior" and np.abs(model.shift).max() > 0.001
    _, plain, features = scored("first.xdf")
    summary, own, same = scored("first.xdf", "--profile", "anna")
    assert set(own["participant"]) == {"anna"}
    np.testing.assert_allclose(own[COLUMNS], model.moved(plain[COLUMNS].to_numpy()), atol=1e-12)
    assert np.abs(own[COLUMNS].to_numpy() - plain[COLUMNS].to_numpy()).max() > 0.001
    pd.testing.assert_series_equal(own["intensity"], plain["intensity"])
    pd.testing.assert_frame_equal(
        same.drop(columns="participant"), features.drop(columns="participant")
    )
    # Its own rest, which the recording states, counts for more than what the profile knows.
    assert set(own["baseline"][own["time"] > 20]) == {"stated"} == set(plain["baseline"][11:])
    assert summary["baseline"] == "stated"


def test_summary_table_and_parquet_say_whose_model_it_was(lab, profiles, scored, tmp_path, capsys):
    profile = load_profile(profiles, "anna")
    summary, _, _ = scored("later.xdf", "--profile", "anna")
    assert summary["profile"] == {
        "id": "anna",
        "hash": profile.hash,
        "step": "prior",
        "trials": 1,
        "radius": profile.model.radius,
        "baseline": True,
    }
    facts = pq.read_schema(Path(summary["folder"]) / "predictions.parquet").metadata
    assert json.loads(facts[b"affectstream.profile"]) == summary["profile"]
    assert scored("first.xdf")[0]["profile"] is None

    words = ("score", lab / "later.xdf", "--features", "--out", summary["folder"])
    capsys.readouterr()
    own = ("--profile", "anna", "--profiles")
    status, out, err = run_here(capsys, *words, *own, profiles)
    assert status == 0, err
    line = f"By the profile anna: prior kept, 1 rated trials, radius {profile.model.radius:.3f}"
    assert line in out

    # Another state of the profile is another model: its scores go elsewhere.
    model = dataclasses.replace(profile.model, radius=0.5)
    save_profile(dataclasses.replace(profile, model=model, hash=""), tmp_path)
    status, out, err = run_here(capsys, *words, *own, tmp_path)
    assert (status, out) == (2, "") and "give another --out" in err


def test_what_the_profile_was_fitted_to_is_not_called_held_out(scored):
    words = "this recording holds 1 of the 1 rated trials of the profile 'anna' ('1')"
    own = [note for note in scored("first.xdf", "--profile", "anna")[0]["notes"] if words in note]
    assert len(own) == 1 and "not held out" in own[0]
    for summary in (scored("first.xdf")[0], scored("later.xdf", "--profile", "anna")[0]):
        assert not any("held out" in note for note in summary["notes"])


def test_rest_comes_from_the_recording_else_the_profile_else_the_running_estimate(
    lab, profiles, scored, tmp_path, capsys
):
    profile = load_profile(profiles, "anna")
    _, plain, _ = scored("later.xdf")
    _, own, _ = scored("later.xdf", "--profile", "anna")
    assert set(plain["baseline"]) == {"running"} and set(own["baseline"]) == {"profile"}
    moved = profile.model.moved(plain[COLUMNS].to_numpy())
    assert np.abs(own[COLUMNS].to_numpy() - moved).max() > 1e-3

    _, stated, _ = scored("later.xdf", "--profile", "anna", "--baseline", "0:14")
    assert set(stated["baseline"]) == {"stated"}

    # A profile of somebody of whom no rest was recorded, and whose radius is another.
    model = dataclasses.replace(profile.model, radius=0.5)
    ben = dataclasses.replace(profile, id="ben", baseline=None, model=model, hash="")
    save_profile(ben, tmp_path)
    words = ("--profile", "ben", "--profiles", tmp_path, "--out", tmp_path / "o")
    status, _, err = run_here(capsys, "score", lab / "later.xdf", *words)
    assert status == 0, err
    summary = json.loads((tmp_path / "o" / "score.json").read_text("utf-8"))
    assert summary["baseline"] == "running" and summary["profile"]["baseline"] is False
    found = pd.read_parquet(tmp_path / "o" / "predictions.parquet")
    np.testing.assert_allclose(found[COLUMNS], moved, atol=1e-12)
    assert set(found["radius"]) == {0.5} != set(plain["radius"])


@pytest.mark.parametrize("name", ["first.xdf", "later.xdf"])
def test_a_live_session_with_the_profile_says_the_same(name, lab, profiles, scored):
    """The engine, the models and the baselines of `run --profile`, fed bit by bit."""
    _, expected, _ = scored(name, "--profile", "anna")
    recording = open_recording(lab / name)
    session = Session(session_settings("wrist", profiles=["anna"], profile_root=profiles))
    baselines = Baselines(session.engine, None, None, lambda *stretch: None)
    results = []
    try:
        session.engine.bind(bind_recording(recording, RIG, "anna").bindings)
        due = [(marker.time, parse_marker(marker.text)) for marker in recording.markers]
        for until, chunks in recording.rounds(0.3):
            while due and due[0][0] <= until:
                moment, event = due.pop(0)
                baselines.take(event, moment)
            for chunk in chunks:
                session.engine.push(chunk, time.perf_counter())
            results += session.engine.predict(session.engine.windows_now(time.perf_counter()))
    finally:
        session.close()
    assert len(expected) - 2 <= len(results) <= len(expected)
    times = [result.window.time for result in results]
    assert times == list(expected["time"][: len(times)])
    assert [r.window.baseline for r in results] == list(expected["baseline"][: len(times)])
    shares = np.array([result.distribution for result in results])
    np.testing.assert_allclose(shares, expected[COLUMNS][: len(times)], atol=1e-6)
    assert {result.radius for result in results} == set(expected["radius"])


def test_what_does_not_fit_is_refused(lab, profiles, tmp_path, capsys):
    def refused(*words, source=lab / "later.xdf"):
        status, out, err = run_here(capsys, "score", source, "--out", tmp_path / "o", *words)
        assert (status, out) == (2, "")
        assert not (tmp_path / "o").exists()
        return " ".join(err.split())

    here = ("--profiles", profiles)
    assert "no profile 'carl' in" in (said := refused("--profile", "carl", *here))
    assert "it has anna; make one" in said and not (profiles / "carl").exists()
    nowhere = tmp_path / "none"
    assert "it has none" in refused("--profile", "anna", "--profiles", nowhere)
    assert not nowhere.exists()
    assert "'../anna' cannot name a folder" in refused("--profile", "../anna", *here)
    assert "says where, not whose" in refused(*here)
    assert "name two people" in refused("--profile", "anna", "--participant", "ben", *here)
    said = refused("--profile", "anna", "--rig", "chest", *here)
    assert "does not fit the rig 'chest': it was made with 'wrist'" in said
    weights = tmp_path / "other.safetensors"
    shipped = load_checkpoint(shipped_checkpoint(RIG))
    save_checkpoint(dataclasses.replace(shipped, trained_on="simulated"), weights)
    said = refused("--profile", "anna", "--checkpoint", weights, *here)
    assert "does not fit the checkpoint" in said and "choose that checkpoint" in said

    # Whose baseline it is cannot be guessed.
    pair = Person(1).to_recording(12)
    rests = [Event("baseline_start", "ben"), Event("baseline_stop", "carl")]
    write_xdf(marked(pair, *((5.0, event) for event in rests)), tmp_path / "pair.xdf")
    said = refused("--profile", "anna", *here, source=tmp_path / "pair.xdf")
    assert "are about 'ben', 'carl', and not about 'anna'" in said
