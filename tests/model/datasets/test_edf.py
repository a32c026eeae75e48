"""EDF: values, rates and annotations come back; damage is told."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from model.datasets.edf import open_edf
from realtime.errors import InputError
from tests.data import data_folder
from tests.model.datasets.writers import write_edf

LIMITS = (-3276.8, 3276.7)  # steps of 0.1


@pytest.fixture
def signals() -> dict[str, np.ndarray]:
    draw = np.random.default_rng(0)
    return {name: np.round(draw.normal(0, 200, 30), 1) for name in ("EEG Fp1-Pz", "Trigger")}


def test_signals_come_back(tmp_path: Path, signals: dict[str, np.ndarray]) -> None:
    path = tmp_path / "a.edf"
    write_edf(path, signals, 10, {"EEG Fp1-Pz": "uV"}, LIMITS)
    file = open_edf(path)
    assert file.labels == ("EEG Fp1-Pz", "Trigger")
    assert [signal.physical_dimension for signal in file.signals] == ["uV", ""]
    assert [signal.sampling_frequency for signal in file.signals] == [10.0, 10.0]
    for signal, values in zip(file.signals, signals.values(), strict=True):
        np.testing.assert_allclose(signal.data, values, atol=1e-9)
    assert file.annotations == ()


def test_annotations_come_back(tmp_path: Path, signals: dict[str, np.ndarray]) -> None:
    path = tmp_path / "a.edf"
    told = ((0.25, "60"), (1.5, "film µ"), (1.5, "x"), (2.75, "150"))
    write_edf(path, signals, 10, {}, LIMITS, told)
    file = open_edf(path)
    assert tuple((note.onset, note.text) for note in file.annotations) == told
    assert file.labels == tuple(signals)
    np.testing.assert_allclose(file.signals[1].data, signals["Trigger"], atol=1e-9)


def test_a_recorder_that_was_cut_off(
    tmp_path: Path, signals: dict[str, np.ndarray], caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "a.edf"
    write_edf(path, signals, 10, {}, LIMITS)
    content = path.read_bytes()
    path.write_bytes(content[:236] + b"-1      " + content[244:-7])
    assert len(open_edf(path).signals[0].data) == 20  # the whole records
    assert "Incomplete data record" in caplog.text


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda b: b"", "invalid literal"),
        (lambda b: b"no recording at all".ljust(600), "invalid literal"),
        (lambda b: b[:300], "out of range"),
        (lambda b: b[:192] + b"EDF+D" + b[197:], "interrupted"),
        (lambda b: b[:252] + b"many" + b[256:], "invalid literal"),
        (lambda b: b.replace(b"-32768  ", b"32767   "), "has no range"),
    ],
)
def test_damage_is_told(
    tmp_path: Path, signals: dict[str, np.ndarray], change: object, message: str
) -> None:
    path = tmp_path / "a.edf"
    write_edf(path, signals, 10, {}, LIMITS)
    path.write_bytes(change(path.read_bytes()))  # type: ignore[operator]
    with pytest.raises(InputError, match=f"no EDF file, or damaged .*({message})"):
        open_edf(path)


def test_an_absent_file(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="cannot read"):
        open_edf(tmp_path / "no.edf")


def test_a_real_file() -> None:
    file = open_edf(data_folder("eeg") / "dasps_S02.edf")
    assert len(file.labels) == 36
    assert {signal.sampling_frequency for signal in file.signals} == {128.0}
    af3 = file.get_signal("AF3").data
    # Emotiv's electrodes idle near 4200 uV; the file has 273 s.
    assert len(af3) == 273 * 128
    assert 4000 < np.median(af3) < 4400
