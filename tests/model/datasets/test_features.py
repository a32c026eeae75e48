"""Published features: what the files hold is in the table, and labelled by film."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import scipy.io

from apps.cli.main import main
from model.datasets import FeatureDataset
from model.datasets.dmer_features import ELECTRODES, DmerFeatures
from model.datasets.dmer_sample import DmerSample
from model.datasets.edl import Edl
from model.labels import distribution
from realtime.errors import InputError
from realtime.rig import load_rig
from tests.data import data_folder
from tests.model.datasets.writers import write_dmer_features, write_dmer_sample, write_edl


def changed(path: Path, **values: object) -> None:
    """Write a MATLAB file again with other variables; None takes one away."""
    content = {k: v for k, v in scipy.io.loadmat(path).items() if not k.startswith("__")}
    content |= values
    scipy.io.savemat(path, {k: v for k, v in content.items() if v is not None})


def test_dmers_features(tmp_path: Path) -> None:
    written = write_dmer_features(tmp_path, 7)
    write_dmer_features(tmp_path, 12, seconds=6)
    table = DmerFeatures().table(tmp_path)
    assert table.people == ("7", "12")
    own = np.flatnonzero(table.person == "7")
    assert len(own) == 32 * 4
    assert table.trial_count == 64
    assert {name: len(names) for name, names in table.names.items()} == {
        "eeg": 90,
        "gsr": 28,
        "ppg": 27,
        "face": 768,
    }
    assert all(table.features[name].shape[1] == len(table.names[name]) for name in table.names)
    row = own[6]  # the third window of film 1: seconds 3 to 7 of it
    assert (table.trial[row], table.condition[row]) == ("film 1", "positive")
    electrode, band = 5, 2
    column = table.names["eeg"].index(f"{ELECTRODES[electrode]}.alpha")
    assert table.features["eeg"][row, column] == np.float32(written["feas"][8 + 6, band, electrode])
    np.testing.assert_array_equal(
        table.features["face"][row], written["lbps_all"][8 + 6].astype(np.float32)
    )
    # Statistics keep their sign; those of the spectrum are magnitudes.
    gsr = written["feas_gsr"][6]
    np.testing.assert_allclose(table.features["gsr"][row, :21], gsr.real[:21], rtol=1e-6)
    np.testing.assert_allclose(table.features["gsr"][row, 21], abs(gsr[21]), rtol=1e-6)
    assert table.features["gsr"][row, 21] >= 2
    np.testing.assert_allclose(table.distribution[row], written["dis_label"][1], rtol=1e-12)
    assert set(table.condition) == {"positive", "negative", "mixed"}
    assert np.isnan(table.intensity).all()


def test_its_electrodes_are_the_rigs() -> None:
    assert set(ELECTRODES) == set(load_rig("dmer").modality("eeg").channel_names)


def test_the_sample(tmp_path: Path) -> None:
    written = write_dmer_sample(tmp_path)
    table = DmerSample().table(tmp_path)
    assert table.split is not None
    for half in ("train", "test"):
        rows = table.split == half
        for name in ("eeg", "gsr", "ppg", "video"):
            expected = written[f"{half}_{name}"].reshape(rows.sum(), -1).astype(np.float32)
            np.testing.assert_array_equal(table.features[name][rows], expected)
        np.testing.assert_array_equal(table.distribution[rows], written[f"{half}_label"])
    # One trial a label, numbered in order of the file.
    assert table.trial[0] == "label 1"
    for trial in set(table.trial):
        assert len(np.unique(table.distribution[table.trial == trial], axis=0)) == 1
    assert len(set(table.trial)) == len(np.unique(table.distribution, axis=0)) == 6
    np.testing.assert_array_equal(table.time, np.arange(1, 76))


def test_edl(tmp_path: Path) -> None:
    written = write_edl(tmp_path, 10)
    other = write_edl(tmp_path, 9)
    table = Edl().table(tmp_path)
    assert table.people == ("9", "10")
    own = table.person == "10"
    for name in ("ecg", "hr", "gsr", "skt"):
        np.testing.assert_array_equal(table.features[name][own], written[name].astype(np.float32))
    shares = distribution(other["label"])
    np.testing.assert_allclose(table.distribution[~own], np.repeat(shares, 2, axis=0), atol=1e-12)
    assert table.labels.negative == ("anger", "disgust", "sadness", "fear")
    assert table.trial_count == 28
    assert set(table.roles.values()) == {"primary", "auxiliary", "behavioural"}


def test_a_film_that_was_not_rated_is_not_used(tmp_path: Path) -> None:
    labels = write_edl(tmp_path, 1)["label"]
    labels[3, 2] = np.nan
    changed(tmp_path / "1.mat", label=labels)
    table = Edl().table(tmp_path)
    assert set(table.trial[~table.rated]) == {"film 4"}


@pytest.mark.parametrize(
    ("loader", "write", "file", "values", "message"),
    [
        (DmerFeatures(), write_dmer_features, "eegfea.mat", {"feas": np.zeros((256, 18, 5))},
         r"feas of shape \(256, 18, 5\), needs \(any, 5, 18\)"),
        (DmerFeatures(), write_dmer_features, "perifea.mat", {"feas_ppg": None},
         "no variable 'feas_ppg'"),
        (DmerFeatures(), write_dmer_features, "videoFea.mat", {"vids": np.zeros(9)},
         "256 rows of face, but 9 numbers of films"),
        (DmerFeatures(), write_dmer_features, "datas.mat", {"dis_label": np.ones((31, 10))},
         r"dis_label of shape \(31, 10\)"),
        (DmerFeatures(), write_dmer_features, "eegfea.mat", {"feas": np.zeros((256, 5, 18)) + 1j},
         "no variable 'feas' of numbers"),
        (Edl(), write_edl, "1.mat", {"hr": np.zeros((5, 7))}, "hr 5, .* film 28 windows"),
        (Edl(), write_edl, "1.mat", {"film": np.full(28, 15)}, "a film outside 1 to 14"),
        (Edl(), write_edl, "1.mat", {"skt": "text"}, "no variable 'skt' of numbers"),
    ],
)  # fmt: skip
def test_what_does_not_fit_is_told(
    tmp_path: Path, loader: FeatureDataset, write, file: str, values: dict, message: str
) -> None:
    write(tmp_path, 1)
    (path,) = tmp_path.rglob(file)
    changed(path, **values)
    with pytest.raises(InputError, match=message):
        loader.table(tmp_path)


def test_missing_and_damaged_files_are_told(tmp_path: Path) -> None:
    for loader, message in (
        (DmerFeatures(), "no folder 1, 2, 5"),
        (DmerSample(), "no file .*data_feature_sample.mat"),
        (Edl(), r"no file 1.mat, 2.mat"),
    ):
        with pytest.raises(InputError, match=message):
            loader.table(tmp_path)
    write_edl(tmp_path, 39)
    with pytest.raises(InputError, match="participant 39, EDL has 1 to 38"):
        Edl().table(tmp_path)
    path = tmp_path / "data_feature_sample.mat"
    for content in (b"", b"no file of MATLAB" * 20):
        path.write_bytes(content)
        with pytest.raises(InputError, match="no MATLAB file, or damaged"):
            DmerSample().table(tmp_path)
    write_dmer_sample(tmp_path)
    whole = path.read_bytes()
    for length in range(0, len(whole), len(whole) // 40):
        path.write_bytes(whole[:length])
        with pytest.raises(InputError):
            DmerSample().table(tmp_path)
    path.write_bytes(b"MATLAB 7.3 MAT-file".ljust(116) + bytes(8) + b"\x00\x02IM" + bytes(64))
    with pytest.raises(InputError, match=r"version 7\.3"):
        DmerSample().table(tmp_path)
    write_dmer_sample(tmp_path)
    changed(path, test_gsr=np.zeros((3, 1, 4)))
    with pytest.raises(InputError, match="test parts of eeg 15, gsr 3"):
        DmerSample().table(tmp_path)
    write_dmer_sample(tmp_path)
    changed(path, train_label=np.ones((60, 10)))
    with pytest.raises(InputError, match="labels that are no shares"):
        DmerSample().table(tmp_path)


def test_what_features_without_signals_cannot_serve_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_dmer_sample(tmp_path / "data")
    words = ["--dataset", "dmer-sample", "--root", str(tmp_path / "data")]
    models = ["--protocol", "paper-sd", "--models", "trees,train-mean", "--seeds", "1", "--json"]
    out = ["--out", str(tmp_path / "out")]
    for more, message in (
        (["--rig", "wrist"], "leave --rig wrist out"),
        (["--also", "wesad-wrist"], "leave --also out"),
        (["--modalities", "acc"], "no modality 'acc'"),
    ):
        assert main(["evaluate", *words, *models, *out, *more]) == 2
        assert message in " ".join(capsys.readouterr().err.split())
    assert main(["train", *words, "--out", str(tmp_path / "a.safetensors")]) == 2
    said = " ".join(capsys.readouterr().err.split())
    assert "a checkpoint needs a dataset of signals" in said


def test_the_real_sample_gives_the_known_figures() -> None:
    table = DmerSample().table(data_folder("dmer_sample"))
    assert table.split is not None
    train, test = table.split == "train", table.split == "test"
    assert (train.sum(), test.sum()) == (696, 179)
    truth = table.distribution[test]
    mean = table.distribution[train].mean(axis=0)
    kl = (truth * np.log(truth / mean)).sum(axis=1).mean()
    chebyshev = np.abs(truth - mean).max(axis=1).mean()
    assert kl == pytest.approx(0.062, abs=5e-4), f"KL of the training mean is {kl:.4f}"
    assert chebyshev == pytest.approx(0.100, abs=5e-4), f"Chebyshev is {chebyshev:.4f}"
    from sklearn.ensemble import ExtraTreesRegressor

    inputs = np.concatenate(list(table.features.values()), axis=1)
    trees = ExtraTreesRegressor(100, random_state=0).fit(inputs[train], table.distribution[train])
    shares = trees.predict(inputs[test])
    kl = (truth * np.log(truth / shares)).sum(axis=1).mean()
    assert kl == pytest.approx(0.0128, abs=1e-3), f"KL of trees is {kl:.4f}"
