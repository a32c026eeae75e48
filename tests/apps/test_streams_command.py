from __future__ import annotations

import json
import os
import subprocess
import sys
import uuid
from pathlib import Path
from typing import Any

import pytest

from apps.cli.main import main
from tests.data import data_folder


def listed(capsys: pytest.CaptureFixture[str], *words: str) -> dict[str, Any]:
    assert main(["streams", *words, "--json"]) == 0
    result: dict[str, Any] = json.loads(capsys.readouterr().out)
    return result


def test_muse(capsys: pytest.CaptureFixture[str]) -> None:
    path = str(data_folder("xdf") / "muse_eeg_ppg_acc_gyro_p001.xdf")
    result = listed(capsys, path)
    by_type = {stream["type"]: stream for stream in result["streams"]}
    assert {kind: s["modality"] for kind, s in by_type.items()} == {
        "GYRO": None,
        "ACC": "acc",
        "EEG": None,
        "PPG": "ppg",
    }
    ppg = by_type["PPG"]
    assert ppg["labels"] == ["LUX", "PPG", "RED"]
    assert ppg["nominal_rate"] == 64
    assert ppg["effective_rate"] == pytest.approx(64, rel=0.01)
    assert ppg["seconds"] == pytest.approx(25.0, abs=0.2)
    assert ppg["samples"] == 1602
    assert ppg["simulated"] is False
    assert ppg["replay"] is None
    assert by_type["EEG"]["remarks"] == ["nothing for the rig 'wrist'"]
    assert result["notes"] == ["no stream for eda, temperature."]


def test_a_battery_that_runs_at_ten_times_its_nominal_rate(
    capsys: pytest.CaptureFixture[str],
) -> None:
    path = str(data_folder("xdf") / "openmuse_opensignals_timing.xdf")
    streams = {s["name"]: s for s in listed(capsys, path)["streams"]}
    assert streams["Muse_BATTERY"]["nominal_rate"] == 0.1
    assert streams["Muse_BATTERY"]["effective_rate"] == pytest.approx(1.0, rel=0.01)
    assert "choose with --bind ppg=Muse_OPTICS" in " ".join(streams["Muse_OPTICS"]["remarks"])
    chosen = listed(capsys, path, "--bind", "ppg=Muse_OPTICS")
    assert {s["name"]: s["modality"] for s in chosen["streams"]}["Muse_OPTICS"] == "ppg"


def test_markers_and_empty_streams(capsys: pytest.CaptureFixture[str]) -> None:
    path = str(data_folder("xdf") / "emg_8ch_250hz_markers.xdf")
    streams = {s["name"]: s for s in listed(capsys, path)["streams"]}
    assert streams["MyMarkerStream"]["modality"] == "markers"
    assert streams["MyMarkerStream"]["samples"] == 160
    assert streams["obci_eeg1"]["modality"] is None
    empty = listed(capsys, str(data_folder("xdf") / "empty_streams.xdf"))
    assert any(s["samples"] == 0 and s["faults"] for s in empty["streams"])


def test_a_table_for_people(capsys: pytest.CaptureFixture[str], monkeypatch) -> None:
    monkeypatch.setenv("COLUMNS", "160")
    path = str(data_folder("xdf") / "muse_eeg_ppg_acc_gyro_p001.xdf")
    assert main(["streams", path]) == 0
    out = capsys.readouterr().out
    assert "took 'PPG' of 3 channels" in out
    assert "no stream for eda, temperature." in out


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["nowhere.xdf"], "there is no recording 'nowhere.xdf'"),
        (["{muse}", "--rig", "ankle"], "no rig 'ankle'"),
        (["{muse}", "--bind", "ppg"], "'ppg'"),
        (["{muse}", "--bind", "ppg=other"], "ppg='other' names no stream"),
        (["{muse}", "--bind", "ecg=Muse"], "'ecg', which the rig 'wrist' has not"),
    ],
)
def test_bad_input(words: list[str], sentence: str, capsys: pytest.CaptureFixture[str]) -> None:
    muse = str(data_folder("xdf") / "muse_eeg_ppg_acc_gyro_p001.xdf")
    assert main(["streams", *(word.format(muse=muse) for word in words)]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert sentence in err


# A process of its own, since liblsl takes its configuration once.
LIVE = """
import sys, threading, time
from realtime.lsl import configure
configure(loopback=True)
from realtime.outlet import open_outlet
from realtime.metadata import description_xml
from realtime.recording import Replay, StreamInfo

def publish(name, kind, labels, units, rate, **more):
    text = description_xml(labels, units, kind, **more)
    info = StreamInfo("", name, kind, rate, labels, units, name, description=text)
    return open_outlet(info)

if sys.argv[1] == "busy":
    eda = publish("sim-eda", "EDA", ("EDA",), ("uS",), 50.0, simulated=True)
    ppg = publish("old-ppg", "PPG", ("PPG",), ("a.u.",), 64.0, replay=Replay(0.0, 1.0))

    def push():
        while True:
            eda.push_sample([1.0])
            time.sleep(0.02)

    threading.Thread(target=push, daemon=True).start()
from apps.cli.main import main
status = main(["streams", "--seconds", "1.5", "--json"])
if sys.argv[1] == "busy":
    sys.stderr.write("listeners of the replay: %s\\n" % ppg.have_consumers())
sys.exit(status)
"""


def live(what: str, tmp_path: Path) -> subprocess.CompletedProcess[str]:
    env = dict(os.environ)
    env["AFFECTSTREAM_LSL_SESSION"] = f"test-{uuid.uuid4().hex[:12]}"
    return subprocess.run(
        [sys.executable, "-P", "-c", LIVE, what],
        capture_output=True,
        text=True,
        timeout=60,
        env=env,
        cwd=tmp_path,
    )


def test_the_network(tmp_path: Path) -> None:
    done = live("busy", tmp_path)
    assert done.returncode == 0, done.stderr
    result = json.loads(done.stdout)
    eda, ppg = (
        next(s for s in result["streams"] if s["name"] == name) for name in ("sim-eda", "old-ppg")
    )
    assert eda["simulated"] is True
    assert eda["modality"] == "eda"
    assert eda["effective_rate"] > 0
    assert "eda: simulated, no person" in eda["remarks"]
    # A player begins when it is listened to: a look must not start it.
    assert ppg["replay"] == {"offset": 0.0, "speed": 1.0}
    assert "effective_rate" not in ppg
    assert "listeners of the replay: False" in done.stderr


def test_an_empty_network(tmp_path: Path) -> None:
    done = live("silent", tmp_path)
    assert done.returncode == 2
    assert done.stdout == ""
    assert "no stream answered within 1.5 s" in done.stderr
    assert "affectstream doctor" in done.stderr
