"""The sensor check of a guided session."""

from __future__ import annotations

import pytest

from calibration.sensors import check_sensors


def stream(modality: str = "ppg", **changes: object) -> dict[str, object]:
    base = {"modality": modality, "participant": "P1", "state": "live", "quality": 0.9}
    return {**base, "valid": 1.0, **changes}


@pytest.mark.parametrize(
    ("changes", "passed", "reason"),
    [
        ({}, True, ""),
        ({"quality": 0.5, "valid": 0.5}, True, ""),
        ({"quality": 0.49}, False, "quality is 49%"),
        ({"valid": 0.2}, False, "only 20% of its samples"),
        ({"state": "lost"}, False, "stream is lost"),
        ({"quality": None, "valid": None}, False, "first window"),
        ({"quality": float("nan")}, False, "first window"),
        ({"quality": "good"}, False, "first window"),
        ({"participant": "P2"}, False, "no stream serves it"),
    ],
)
def test_a_sensor_passes_or_says_why_not(
    changes: dict[str, object], passed: bool, reason: str
) -> None:
    (check,) = check_sensors(["ppg"], [stream(**changes)], "P1")
    assert check.passed is passed
    assert reason in check.reason and bool(check.reason) is not passed


def test_all_streams_of_a_modality_must_pass() -> None:
    checks = check_sensors(
        ["eeg", "eda"], [stream("eeg"), stream("eeg", state="silent"), stream("eda")], "P1"
    )
    assert [(check.modality, check.passed) for check in checks] == [("eeg", False), ("eda", True)]
