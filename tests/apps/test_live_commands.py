"""``affectstream run`` and ``demo`` on real LSL streams from other processes.

Each session needs seconds of signals to come in. So those that need nothing of this process run in
LSL networks of their own, three at a time, beside each other.
"""

from __future__ import annotations

import dataclasses
import functools
import json
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pandas as pd
import pylsl
import pytest

from apps.link import LinkClient
from calibration.profile_files import load_profile, save_profile
from calibration.runs import LEAST
from model.checkpoint import save_checkpoint
from model.people import PeopleStatistics
from realtime import lsl
from realtime.files import open_recording
from realtime.markers import parse_marker
from tests.apps.commands import (
    environment,
    prompt_rig,
    result_of,
    run,
    run_here,
    running,
    start,
    until,
)
from tests.calibration.profiles import made
from tests.model.test_checkpoint import make_checkpoint

# The first test waits for its own session while two others start beside it.
pytestmark = pytest.mark.timeout(300)


def own_network(folder):
    """Return the environment of an LSL network and a folder of engines that nobody else uses."""
    return {**environment(), "AFFECTSTREAM_ENGINES": str(folder / "engines")}


# LSL clients like any other, in processes of their own since liblsl knows one network a process.
CONNECTED = """
import json, sys
from realtime.lsl import configure
configure(loopback=True)
import pylsl
"""
RECEIVE = f"""{CONNECTED}
(found,) = pylsl.resolve_byprop("type", "Affect", 1, 100)
inlet = pylsl.StreamInlet(found)
description = inlet.info(5.0)
pulled = [inlet.pull_sample(60.0) for _ in range(int(sys.argv[1]))]
rows, stamps = zip(*pulled)
told = dict(labels=description.get_channel_labels(), xml=description.as_xml())
print(json.dumps(dict(told, rows=rows, stamps=stamps)))
"""
WAIT_FOR_PULSES = f"""{CONNECTED}
sys.exit(len(pylsl.resolve_byprop("type", "PPG", int(sys.argv[1]), 100)) != int(sys.argv[1]))
"""


def client(code, number, env):
    """Start an LSL client."""
    return subprocess.Popen(
        [sys.executable, "-P", "-c", code, str(number)], env=env, stdout=subprocess.PIPE, text=True
    )


def demonstrate(rig, samples, folder):
    """Run a demo with a client; return what the client received, and the summary."""
    env = own_network(folder)
    words = ["demo", "--rig", rig, "--headless", "--seconds", "18", "--json"]
    with running(words, env) as child, client(RECEIVE, samples, env) as listener:
        try:
            summary = result_of(child, 200)
            received = json.loads(listener.communicate(timeout=60)[0])
        finally:
            listener.kill()
    return received, summary


def join_own_session(folder):
    """Run a demo under a user's own configuration, and list its streams with the same."""
    config = folder / "mine.cfg"
    config.write_text(
        "[multicast]\nAddressesOverride = {239.255.172.215}\nInterfaces = {127.0.0.1}\n"
        "TTLOverride = 0\n[ports]\nIPv6 = disable\n[lab]\nSessionID = my-own-lab\n"
    )
    env = {**own_network(folder), "LSLAPICFG": str(config)}
    del env["AFFECTSTREAM_LSL_SESSION"]
    with running(["demo", "--headless", "--seconds", "40", "--json"], env) as child:

        def listed():
            assert child.poll() is None
            status, text, _ = run(["streams", "--json"], env)
            return text if status == 0 and "simulated E4 ppg P1" in text else ""

        return until(listed, 100)


def watch_two_people(folder):
    """Record two people; return the summary."""
    env, rig = own_network(folder), prompt_rig(folder)
    words = ["run", "--rig", rig, "--seconds", "8", "--record", folder, "--link", "two", "--json"]
    with running(["simulate", "--people", "2"], env):
        return result_of(start(words, env), 200)


def watch_some_sensors(folder):
    """Watch a person without pulse and movement; return the summary."""
    env, rig = own_network(folder), prompt_rig(folder)
    words = ["run", "--rig", rig, "--seconds", "6", "--link", "subset", "--json"]
    with running(["simulate", "--drop", "ppg", "--drop", "acc"], env):
        return result_of(start(words, env), 200)


def choose_a_device(folder):
    """Watch a person with two devices, without and with a choice; return both outcomes."""
    env, rig = own_network(folder), prompt_rig(folder)
    one = ["simulate", "--seed", "1", "--drop", "acc"]
    # Another device that is no second person: the same participant, another source id.
    two = ["simulate", "--seed", "9", "--drop", "acc"]
    choices = []
    for modality in ("ppg", "eda", "temperature"):
        choices += ["--bind", f"{modality}=affectstream-sim-9-{modality}"]
    words = ["run", "--rig", rig, "--seconds", "5", *choices, "--link", "chosen", "--json"]
    with running(one, env), running(two, env):
        with client(WAIT_FOR_PULSES, 2, env) as listener:
            assert listener.wait(110) == 0
        refused = run(["run", "--rig", rig, "--wait", "3", "--link", "both"], env)
        return refused, result_of(start(words, env), 200)


RADII = (0.31, 0.27)  # after one and two rated trials, of people whose ratings vary as theirs


def rate_twice(folder):
    """Let a person rate in one session, and watch them again with what came of it.

    Returns
    -------
    tuple
        The profile messages of the first session, its summary, what a client received in the
        second one, and that one's summary.
    """
    env, rig = environment(), prompt_rig(folder)  # this process is to find the engine
    known = PeopleStatistics(spread=(np.nan, 0.0), radius=RADII)
    model = folder / "model.safetensors"
    small = save_checkpoint(dataclasses.replace(make_checkpoint(1), people=known), model)
    words = ["run", "--rig", rig, "--checkpoint", model, "--profile", "p01", "--json"]
    words += ["--profiles", folder / "people", "--link"]
    rating = {
        "t": "event",
        "event": "rating",
        "participant": "p01",
        "instrument": "panas10",
        "scale": [1, 5],
        "items": {name: 1 + place % 5 for place, name in enumerate(small.emotions)},
        "age": 0.5,
    }
    told, times = [], []
    with running(["simulate"], env) as person:
        # Its first marker, which would begin a baseline, is for nobody.
        assert any("Publishing" in line for line in person.stderr)
        with running([*words, "rated", "--record", folder], env) as child:
            engine = LinkClient.connect("rated", timeout=100)

            def ready(trials, windows):
                for message in engine.poll():
                    if message["t"] == "profile":
                        told.append((message["state"], message["trials"]))
                    elif message["t"] == "window":
                        times.append(message["time"])
                return len(times) >= windows and ("ready", trials) in told

            until(lambda: ready(0, 2), 100)
            engine.send(rating)
            soon = time.monotonic() + LEAST + 2.0  # another rating needs a stretch of its own
            until(lambda: ready(1, 4) and time.monotonic() > soon, 100)
            engine.send(rating)
            until(lambda: ready(2, 0), 60)
            times.clear()
            until(lambda: ready(2, 2), 60)
            engine.send({"t": "quit"})
            first = result_of(child)
            engine.close()
        again = [*words, "again", "--seconds", "12"]
        with running(again, env) as child, client(RECEIVE, 2, env) as listener:
            try:
                second = result_of(child)
                received = json.loads(listener.communicate(timeout=60)[0])
            finally:
                listener.kill()
    return told, first, received, second


def find_nothing(folder):
    """Watch an empty network; return status, output and errors."""
    return run(["run", "--wait", "2", "--link", "none"], own_network(folder))


@pytest.fixture(scope="module")
def sessions(tmp_path_factory):
    """What becomes of each session, by name; they begin in this order, that of the tests."""
    made = {
        "wrist": functools.partial(demonstrate, "wrist", 4),
        "chest": functools.partial(demonstrate, "chest", 3),
        "dmer": functools.partial(demonstrate, "dmer", 3),
        "own session": join_own_session,
        "profile": rate_twice,
        "two people": watch_two_people,
        "some sensors": watch_some_sensors,
        "nothing": find_nothing,
        "two devices": choose_a_device,
    }
    with pytest.MonkeyPatch.context() as here, ThreadPoolExecutor(3) as pool:
        here.setenv("AFFECTSTREAM_ENGINES", str(tmp_path_factory.mktemp("engines")))
        yield {
            name: pool.submit(session, tmp_path_factory.mktemp("session"))
            for name, session in made.items()
        }


def test_demo_publishes_and_ends_by_itself(sessions):
    received, summary = sessions["wrist"].result()
    rows, labels = np.array(received["rows"]), received["labels"]
    np.testing.assert_allclose(np.diff(received["stamps"]), 1.0, atol=1e-9)
    assert labels[-3:] == ["radius", "intensity", "valid"]
    assert labels[:-3] == summary["emotions"]
    np.testing.assert_allclose(rows[:, :-3].sum(axis=1), 1, atol=1e-5)
    assert "<simulated>true</simulated>" in received["xml"]
    assert summary["windows"] >= 5
    last = summary["last"]
    assert sum(last["distribution"]) == pytest.approx(1, abs=1e-6)
    assert min(last["distribution"]) >= 0
    assert all(last["mask"].values()) and 0 < last["radius"] < 1
    assert summary["demonstration"] is False and summary["notice"] is None
    assert summary["latency_ms"]["p50"] > 0 and summary["latency_ms"]["p99"] > 0
    assert {row["modality"] for row in summary["streams"]} == {"ppg", "eda", "temperature", "acc"}
    for row in summary["streams"]:
        assert row["samples"] > 0 and row["gaps"] == 0
        assert row["effective_rate"] == pytest.approx(row["nominal_rate"], rel=0.02)
    assert summary["dropped"] == 0
    # The person's baseline begins with a marker, which the engine must not miss.
    assert last["baseline"] == "stated"


@pytest.mark.parametrize(
    ("rig", "modalities"),
    [("chest", {"ecg", "eda", "emg", "acc"}), ("dmer", {"eeg", "ppg", "gsr", "face"})],
)
def test_demo_of_the_other_rigs_says_that_its_weights_only_demonstrate(rig, modalities, sessions):
    received, summary = sessions[rig].result()
    rows, labels, xml = np.array(received["rows"]), received["labels"], received["xml"]
    assert labels[:-3] == summary["emotions"]
    np.testing.assert_allclose(rows[:, :-3].sum(axis=1), 1, atol=1e-5)
    assert "<simulated>true</simulated>" in xml
    notice = "demonstration weights: not trained on people"
    assert f"<notice>{notice}</notice>" in xml
    assert summary["rig"] == rig and summary["simulated"] is True
    assert summary["demonstration"] is True and summary["notice"] == notice
    assert summary["windows"] >= 4
    last = summary["last"]
    assert {m for m, used in last["mask"].items() if used} == modalities
    assert sum(last["distribution"]) == pytest.approx(1, abs=1e-6)
    assert last["baseline"] == "stated"
    assert {row["modality"] for row in summary["streams"]} == modalities
    for row in summary["streams"]:
        assert row["gaps"] == 0
        assert row["effective_rate"] == pytest.approx(row["nominal_rate"], rel=0.02)
    assert summary["dropped"] == 0


def test_own_lsl_configuration_is_respected(sessions):
    """The demo joins the session of the user's file, where a client with the same file sees it."""
    assert "simulated E4 ppg P1" in sessions["own session"].result()
    assert not prediction_streams()


def test_two_people_are_recorded_and_predicted_together(sessions):
    summary = sessions["two people"].result()
    assert summary["participants"] == ["P1", "P2"]
    folder = Path(summary["recording"])
    assert folder.parts[-2:] == ("sub-P1-P2", "ses-1")
    table = pd.read_parquet(folder / "predictions.parquet")
    assert set(table["participant"]) == {"P1", "P2"}
    assert len(table) == summary["windows"]
    recording = open_recording(folder / "recording.xdf")
    types = [stream.info.type for stream in recording.streams]
    assert types.count("PPG") == 2 and types.count("Affect") == 2
    assert all(s.info.simulated for s in recording.streams)
    assert json.loads((folder / "session.json").read_text())["rig"] == "wrist"
    assert (folder / "events.tsv").read_text().startswith("onset\ttext\tstream")


def test_who_rates_is_watched_by_their_own_model_from_then_on(sessions):
    told, first, received, second = sessions["profile"].result()
    # Of states that follow each other fast, a client may get the last one only.
    assert set(told) <= {("fitting", 0), ("fitting", 1), *(("ready", k) for k in range(3))}
    assert list(dict.fromkeys(k for state, k in told if state == "ready")) == [0, 1, 2]
    own = first["profiles"]["p01"]
    assert (own["trials"], own["calibrations"], first["participants"]) == (2, 2, ["p01"])
    # The outlet's radius is a stranger's, then the person's, in the recording too.
    folder = Path(first["recording"])
    radii = pd.read_parquet(folder / "predictions.parquet")["radius"]
    assert list(dict.fromkeys(radii)) == pytest.approx([0.123, RADII[0], own["radius"]])
    recording = open_recording(folder / "recording.xdf")
    (outlet,) = [one for one in recording.streams if one.info.type == "Affect"]
    np.testing.assert_allclose(outlet.samples[:, -3], radii, rtol=1e-6)
    # So are the ratings, when they were asked for.
    ratings = [one for one in recording.markers if '"rating"' in one.text]
    assert [parse_marker(one.text).items["alert"] for one in ratings] == [2.0, 2.0]
    profile = load_profile(folder.parents[1] / "people", "p01")
    assert profile.model.radius == own["radius"]
    for trial, marker in zip(profile.trials, ratings, strict=True):
        assert trial.stop == pytest.approx(marker.time, abs=1e-3)
    # The next session begins with it.
    assert second["profiles"]["p01"] == own
    assert np.array(received["rows"])[:, -3] == pytest.approx(own["radius"], rel=1e-6)


def test_a_profile_of_another_model_or_rig_or_no_pseudonym_is_refused(tmp_path, capsys):
    save_profile(made("p01"), tmp_path)
    words = ("run", "--profiles", tmp_path, "--wait", "1", "--profile")
    for more, reason in (
        (("p01",), "does not fit the checkpoint"),
        (("p01", "--rig", "chest"), "does not fit the rig 'chest': it was made with 'wrist'"),
        (("Anna B",), "'Anna B' cannot be used: give 1 to 64 letters, digits, - and _"),
        (("../p01",), "'../p01' cannot be used"),
    ):
        status, out, errors = run_here(capsys, *words, *more)
        assert (status, out) == (2, ""), errors
        assert reason in " ".join(errors.split())


def test_subset_of_sensors(sessions):
    summary = sessions["some sensors"].result()
    assert {m for m, used in summary["last"]["mask"].items() if used} == {"eda", "temperature"}
    assert sum(summary["last"]["distribution"]) == pytest.approx(1, abs=1e-6)


def test_no_stream_is_one_sentence_and_status_2(sessions):
    status, out, errors = sessions["nothing"].result()
    assert (status, out) == (2, "")
    assert "found no stream for the rig 'wrist'" in errors


def test_two_devices_for_one_role_are_listed_not_guessed(sessions):
    (status, out, errors), summary = sessions["two devices"].result()
    assert (status, out) == (2, "")
    assert "affectstream-sim-1-ppg" in errors and "affectstream-sim-9-ppg" in errors
    assert "--bind ppg=" in errors
    assert {row["samples"] > 0 for row in summary["streams"]} == {True}
    assert len(summary["streams"]) == 3


# In this process's own network, after the others, since it looks at when things happen.


def prediction_streams():
    """Return the source ids of prediction streams on the network of this process."""
    return sorted(info.source_id() for info in pylsl.resolve_byprop("type", "Affect", 1, 0.3))


def receive(source, samples, seconds=60):
    """Receive predictions as any LSL client would, from now on; return stamps and rows."""
    (found,) = until(lambda: pylsl.resolve_byprop("source_id", source, 1, 0.5), seconds)
    inlet = pylsl.StreamInlet(found)
    rows, stamps = [], []
    end = time.monotonic() + seconds
    while len(rows) < samples and time.monotonic() < end:
        sample, stamp = inlet.pull_sample(1.0)
        if sample is not None:
            rows.append(sample)
            stamps.append(stamp)
    return np.array(stamps), np.array(rows)


def test_lost_stream_is_masked_and_comes_back():
    shared = {**environment(), **lsl.environment(lsl.configure(loopback=True))}
    others = ["simulate", "--drop", "ppg"]
    only = ["simulate", "--drop", "eda", "--drop", "temperature", "--drop", "acc"]
    with running(others, shared), running(only, shared) as pulse:
        child = start(["run", "--seconds", "45", "--link", "lost", "--json"], shared)
        (source,) = until(prediction_streams, 60)
        # On a busy machine the first windows come late, and all at once.
        until(lambda: pylsl.local_clock() - receive(source, 1)[0][-1] < 2.5, 30)
        pulse.kill()
        stamps, rows = receive(source, 10)
        np.testing.assert_allclose(np.diff(stamps), 1.0, atol=1e-9)
        # A quarter of the input is gone once the newest pulse is over five seconds old.
        assert rows[-1, -1] < 0.8
        with running(only, shared):
            summary = result_of(child)
    pulse_row = next(row for row in summary["streams"] if row["modality"] == "ppg")
    assert pulse_row["gaps"] >= 1
    assert summary["windows"] >= 15
