"""``affectstream score --features`` for a lab's own rig, which has no checkpoint yet."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from apps.cli.main import main
from realtime.xdf_writer import XdfWriter
from tests.data import data_folder
from tests.realtime.test_recordings_rigs import chest_strap

OWN_RIGS = Path(__file__).parents[2] / "docs" / "rigs"


@pytest.fixture(scope="module")
def strap(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("strap") / "strap.xdf"
    with XdfWriter(path) as writer:
        for stream in chest_strap(45.0)[0].streams:
            writer.write(writer.add_stream(stream.info), stream.times, stream.samples)
    return path


def score(capsys, *words: object) -> tuple[int, dict, str]:
    status = main(["score", *map(str, words), "--json"])
    out, err = capsys.readouterr()
    return status, json.loads(out)["recordings"][0] if out else {}, err


def test_features_need_no_checkpoint(strap, tmp_path, capsys) -> None:
    out = tmp_path / "out"
    words = (strap, "--rig", OWN_RIGS / "chest-strap.toml", "--features", "--out", out)
    status, summary, _ = score(capsys, *words)
    assert status == 0
    assert summary["files"] == ["features.parquet"]
    assert sorted(p.name for p in out.iterdir()) == ["features.parquet", "score.json"]
    assert summary["notice"].startswith("nothing was predicted, since no checkpoint")
    assert summary["checkpoint"] is None
    assert summary["emotions"] == summary["mean_distribution"] == []
    assert summary["used"]["ecg"] > 0.9
    table = pd.read_parquet(out / "features.parquet")
    assert len(table) == summary["windows"] == 36
    assert table["ecg.ECG_Rate_Mean"].iloc[-1] == pytest.approx(60 / 0.85, rel=0.03)
    assert {"ecg.HRV_RMSSD", "ppg.heart_rate"} <= set(table)
    # A second time, what is done is kept.
    before = (out / "features.parquet").stat().st_mtime_ns
    assert score(capsys, *words)[1] == summary
    assert (out / "features.parquet").stat().st_mtime_ns == before


def test_without_features_the_missing_checkpoint_is_an_error(strap, tmp_path, capsys) -> None:
    rig = OWN_RIGS / "chest-strap.toml"
    status, _, errors = score(capsys, strap, "--rig", rig, "--out", tmp_path / "out")
    assert status == 2
    assert "no checkpoint ships for the rig 'chest-strap'" in errors
    assert "--features for the features alone" in errors.replace("\n", " ")
    assert not (tmp_path / "out").exists()


def test_features_of_another_program_are_never_overwritten(strap, tmp_path, capsys) -> None:
    (tmp_path / "features.parquet").write_bytes(b"mine")
    rig = OWN_RIGS / "chest-strap.toml"
    status, _, errors = score(capsys, strap, "--rig", rig, "--features", "--out", tmp_path)
    assert status == 2
    assert "give another --out" in errors.replace("\n", " ")
    assert (tmp_path / "features.parquet").read_bytes() == b"mine"


@pytest.mark.parametrize(
    ("name", "rig", "binds", "modalities"),
    [
        ("muse_eeg_ppg_acc_gyro_p001", OWN_RIGS / "muse.toml", (), {"eeg", "ppg", "acc"}),
        ("openmuse_opensignals_timing", "chest", (), {"eda", "acc"}),
        (
            *("openmuse_opensignals_timing", "dmer", ("--bind", "ppg=Muse_OPTICS")),
            {"ppg", "gsr"},
        ),
    ],
)
def test_real_recordings(name, rig, binds, modalities, tmp_path, capsys) -> None:
    path = data_folder("xdf") / f"{name}.xdf"
    status, summary, errors = score(
        capsys, path, "--rig", rig, *binds, "--features", "--out", tmp_path / "out"
    )
    assert status == 0, errors
    assert {m for m, share in summary["used"].items() if share > 0} == modalities
    table = pd.read_parquet(tmp_path / "out" / "features.parquet")
    for modality in modalities:
        own = table[[column for column in table if column.startswith(f"{modality}.")]]
        assert np.isfinite(own.to_numpy()).any()
    if rig == "dmer":
        notes = " ".join(summary["notes"])
        assert "eeg: 'Muse_EEG' (EEG, 256 Hz) gives none of the rig's 18 channels" in notes


def test_muscles_typed_eeg_are_refused_with_a_remedy(tmp_path, capsys) -> None:
    path = data_folder("xdf") / "emg_8ch_250hz_markers.xdf"
    for rig in ("wrist", "chest", "dmer"):
        status, _, errors = score(
            capsys, path, "--rig", rig, "--features", "--out", tmp_path / "out"
        )
        assert status == 2
        assert "'obci_eeg1' (EEG)" in errors.replace("\n", " ")
        if rig == "dmer":
            assert "it has 8 without labels: label them" in errors.replace("\n", " ")
