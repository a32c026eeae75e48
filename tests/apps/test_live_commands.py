"""``affectstream run`` and ``demo`` on real LSL streams from other processes."""

from __future__ import annotations

import json
import time

import numpy as np
import pandas as pd
import pylsl
import pytest

from realtime import lsl
from realtime.files import open_recording
from tests.apps.commands import environment, result_of, run, running, start, until


@pytest.fixture
def shared():
    """Environment of the test process's own LSL session."""
    own = lsl.environment(lsl.configure(loopback=True))
    return {**environment(), **own}


def receive(source, samples, seconds=60):
    """Receive a prediction stream as any LSL client would; return stamps, rows, labels."""
    (found,) = until(lambda: pylsl.resolve_byprop("source_id", source, 1, 0.5), seconds)
    inlet = pylsl.StreamInlet(found)
    description = inlet.info(5.0)
    labels = description.get_channel_labels()
    rows, stamps = [], []
    end = time.monotonic() + seconds
    while len(rows) < samples and time.monotonic() < end:
        sample, stamp = inlet.pull_sample(1.0)
        if sample is not None:
            rows.append(sample)
            stamps.append(stamp)
    return np.array(stamps), np.array(rows), labels, description.as_xml()


def prediction_streams():
    """Return the source ids of prediction streams on the network."""
    return sorted(info.source_id() for info in pylsl.resolve_byprop("type", "Affect", 1, 0.3))


def test_demo_publishes_and_ends_by_itself(shared):
    child = start(["demo", "--headless", "--seconds", "18", "--json"], shared)
    (source,) = until(prediction_streams, 80)
    stamps, rows, labels, xml = receive(source, 4)
    summary = result_of(child)
    np.testing.assert_allclose(np.diff(stamps), 1.0, atol=1e-9)
    assert labels[-3:] == ["radius", "intensity", "valid"]
    assert labels[:-3] == summary["emotions"]
    np.testing.assert_allclose(rows[:, :-3].sum(axis=1), 1, atol=1e-5)
    assert "<simulated>true</simulated>" in xml
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
def test_demo_of_the_other_rigs_says_that_its_weights_only_demonstrate(rig, modalities, shared):
    words = ["demo", "--rig", rig, "--headless", "--seconds", "16", "--json"]
    child = start(words, shared)
    (source,) = until(prediction_streams, 80)
    _, rows, labels, xml = receive(source, 3)
    summary = result_of(child)
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


def test_own_lsl_configuration_is_respected(tmp_path):
    """The demo joins the session of the user's file, where a client with the same file sees it."""
    config = tmp_path / "mine.cfg"
    config.write_text(
        "[multicast]\nAddressesOverride = {239.255.172.215}\nInterfaces = {127.0.0.1}\n"
        "TTLOverride = 0\n[ports]\nIPv6 = disable\n[lab]\nSessionID = my-own-lab\n"
    )
    env = {**environment(), "LSLAPICFG": str(config)}
    del env["AFFECTSTREAM_LSL_SESSION"]
    with running(["demo", "--headless", "--seconds", "40", "--json"], env) as child:

        def listed():
            assert child.poll() is None
            status, text, _ = run(["streams", "--json"], env)
            return status == 0 and "simulated E4 ppg P1" in text

        until(listed, 60)
    assert not prediction_streams()


def test_two_people_are_recorded_and_predicted_together(shared, tmp_path):
    with running(["simulate", "--people", "2"], shared):
        child = start(
            ["run", "--seconds", "16", "--record", tmp_path, "--link", "two", "--json"], shared
        )
        summary = result_of(child)
    assert summary["participants"] == ["P1", "P2"]
    folder = tmp_path / "sub-P1-P2" / "ses-1"
    assert summary["recording"] == str(folder)
    table = pd.read_parquet(folder / "predictions.parquet")
    assert set(table["participant"]) == {"P1", "P2"}
    assert len(table) == summary["windows"]
    recording = open_recording(folder / "recording.xdf")
    types = [stream.info.type for stream in recording.streams]
    assert types.count("PPG") == 2 and types.count("Affect") == 2
    assert all(s.info.simulated for s in recording.streams)
    assert json.loads((folder / "session.json").read_text())["rig"] == "wrist"
    assert (folder / "events.tsv").read_text().startswith("onset\ttext\tstream")


def test_lost_stream_is_masked_and_comes_back(shared):
    others = ["simulate", "--drop", "ppg"]
    only = ["simulate", "--drop", "eda", "--drop", "temperature", "--drop", "acc"]
    with running(others, shared), running(only, shared) as pulse:
        child = start(["run", "--seconds", "45", "--link", "lost", "--json"], shared)
        (source,) = until(prediction_streams, 60)
        # On a busy machine the first windows come late, and all at once.
        until(lambda: pylsl.local_clock() - receive(source, 1)[0][-1] < 2.5, 30)
        pulse.kill()
        begin = time.monotonic()
        stamps, rows, _, _ = receive(source, 10)
        assert time.monotonic() - begin < 17
        np.testing.assert_allclose(np.diff(stamps), 1.0, atol=1e-9)
        # A quarter of the input is gone once the newest pulse is over five seconds old.
        assert rows[-1, -1] < 0.8
        with running(only, shared):
            summary = result_of(child)
    pulse_row = next(row for row in summary["streams"] if row["modality"] == "ppg")
    assert pulse_row["gaps"] >= 1
    assert summary["windows"] >= 15


def test_subset_of_sensors(shared):
    with running(["simulate", "--drop", "ppg", "--drop", "acc"], shared):
        child = start(["run", "--seconds", "14", "--link", "subset", "--json"], shared)
        summary = result_of(child)
    assert {m for m, used in summary["last"]["mask"].items() if used} == {"eda", "temperature"}
    assert sum(summary["last"]["distribution"]) == pytest.approx(1, abs=1e-6)


def test_no_stream_is_one_sentence_and_status_2():
    status, out, errors = run(["run", "--wait", "2", "--link", "none"])
    assert (status, out) == (2, "")
    assert "found no stream for the rig 'wrist'" in errors


def test_two_devices_for_one_role_are_listed_not_guessed(shared):
    one = ["simulate", "--seed", "1", "--drop", "acc"]
    # Another device that is no second person: the same participant, another source id.
    two = ["simulate", "--seed", "9", "--drop", "acc"]
    with running(one, shared), running(two, shared):
        until(lambda: len(pylsl.resolve_byprop("type", "PPG", 2, 0.5)) == 2)
        status, out, errors = run(["run", "--wait", "3", "--link", "both"], shared)
        assert (status, out) == (2, "")
        assert "affectstream-sim-1-ppg" in errors and "affectstream-sim-9-ppg" in errors
        assert "--bind ppg=" in errors
        choices = []
        for modality in ("ppg", "eda", "temperature"):
            choices += ["--bind", f"{modality}=affectstream-sim-9-{modality}"]
        child = start(["run", "--seconds", "13", *choices, "--link", "chosen", "--json"], shared)
        summary = result_of(child)
    assert {row["samples"] > 0 for row in summary["streams"]} == {True}
    assert len(summary["streams"]) == 3
