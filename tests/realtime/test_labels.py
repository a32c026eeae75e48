from __future__ import annotations

import pytest

from realtime.labels import columns_by_label, is_counted, kind, listed, place_of
from realtime.rig import ChannelSettings


@pytest.mark.parametrize(
    ("label", "says"),
    [
        ("ECG", "ECG"),
        ("ECGBIT1", "ECG"),
        ("EKG-II", "ECG"),
        ("EMG 3", "EMG"),
        ("VEOG", "EOG"),
        ("Fp1", "EEG"),
        ("fp1.", "EEG"),
        ("Fc5.", "EEG"),
        ("EEG Fp1-Ref", "EEG"),
        ("C3-A2", "EEG"),
        ("FP1-F7", "EEG"),
        ("EEG_TP9", "EEG"),
        ("POz", "EEG"),
        ("AF7", "EEG"),
        ("C1_left_leg", None),
        ("EDABITREV4", "EDA"),
        ("GSR", "EDA"),
        ("PULSEOXI3", "PPG"),
        ("OPTICS_LO_NIR", "PPG"),
        ("RESPBIT0", "respiration"),
        ("ACC_X", "acceleration"),
        ("GYRO_X", "rotation"),
        ("TEMP", "temperature"),
        ("LUX2", "light"),
        ("BATTERY_PERCENT", "battery"),
        ("Right AUX", "an auxiliary input"),
        ("AUX_RIGHT", "an auxiliary input"),
        ("AUX_4", "an auxiliary input"),
        ("nSeq", "a counter"),
        ("COUNTER", "a counter"),
        ("MARKER_HARDWARE", "a trigger"),
        ("RAW5", None),
        ("ch:00", None),
        ("X", None),
        ("", None),
    ],
)
def test_kinds_of_labels_that_were_met(label: str, says: str | None) -> None:
    assert kind(label) == says


def test_labels_that_only_count() -> None:
    assert all(map(is_counted, ("", "Ch1", "ch:00", "7", "Channel 3", "RAW5")))
    assert not any(map(is_counted, ("X", "Fp1", "E1", "AUX_1")))


def test_the_best_label_wins_and_the_first_column_of_several() -> None:
    channels = (ChannelSettings("T3", ("T3", "T7", "T3-*")), ChannelSettings("Q", ("Q[1]*",)))
    found = columns_by_label(("T3-Ref", "t7", "q[1]x", "T7", "Q1"), channels, shortest=1)
    assert found == {0: (1, 1, 2), 1: (0, 2, 1)}
    assert columns_by_label(("t7", "q[1]x"), channels, shortest=3) == {1: (0, 1, 1)}


def test_a_derivation_between_two_electrodes_is_neither() -> None:
    channels = tuple(ChannelSettings(name, (name, f"{name}-*")) for name in ("Fp1", "F7", "C3"))
    # A common reference, whatever it is, leaves an electrode an electrode.
    for labels in (
        ("Fp1-A2", "F7-A1", "C3-A2"),
        ("Fp1-Cz", "F7-Cz", "C3-Cz"),
        ("Fp1-LE", "F7-LE", "C3-LE"),
    ):
        assert [column for _, column, _ in columns_by_label(labels, channels, 1).values()] == [
            *range(3)
        ]
    assert not columns_by_label(("FP1-F7", "F7-T7", "C3-P3"), channels, 1)
    # Unless the rig says that this is what it wants.
    own = (ChannelSettings("left", ("FP1-F7",)),)
    assert columns_by_label(("FP1-F7", "F7-T7"), own, 1) == {0: (0, 0, 1)}


def test_places_and_lists() -> None:
    assert place_of("accelerometer x", ("ACC*", "Accelerometer_X")) == 0
    assert place_of("EEG", ("ECG", "E*G")) == 1
    assert place_of(" ", ("*",)) is None
    assert listed(["a", "b"]) == "a, b"
    assert listed(["a", "b", "c"], most=2) == "a, b, ..."
