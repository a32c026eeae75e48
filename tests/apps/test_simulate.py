from __future__ import annotations

import json
import logging
from collections.abc import Iterator

import pytest

from apps.cli.main import main


@pytest.fixture(autouse=True)
def _logging() -> Iterator[None]:
    """Take back the handler that the command sets: its stream closes with the test."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    root.handlers[:] = handlers
    root.setLevel(level)


def test_simulate_publishes_for_the_time_given(capsys: pytest.CaptureFixture[str]) -> None:
    words = "simulate --layout emotibit --people 2 --seed 106 --drop ppg --seconds 0.4 --json"
    assert main(words.split()) == 0
    result = json.loads(capsys.readouterr().out)
    assert result["simulated"] is True
    assert result["layout"] == "emotibit"
    assert result["markers"] == 2
    assert len(result["streams"]) == 10
    assert {s["participant"] for s in result["streams"]} == {"P1", "P2"}
    assert all("simulated" in s["name"] for s in result["streams"])
    for stream in result["streams"]:
        assert stream["samples"] >= 0.4 * stream["rate"] - 1


@pytest.mark.parametrize(
    ("words", "quoted"),
    [
        ("--layout muse", "'muse'"),
        ("--drop eeg", "'eeg'"),
        ("--people 0", "--people 0"),
        ("--seed -3", "--seed -3"),
        ("--seconds 0", "--seconds 0"),
        ("--speed 3", "--speed"),
    ],
)
def test_bad_options_are_one_sentence_and_status_2(
    words: str, quoted: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["simulate", *words.split()]) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert quoted in captured.err.splitlines()[-1]
