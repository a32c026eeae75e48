"""``affectstream sweep``: from a dataset to settings that ``evaluate`` takes."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path

import pytest

from apps.cli.main import main
from model import systems
from tests.model.datasets.writers import write_dmer_sample
from tests.model.people import TINY


def test_from_a_search_to_a_table(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(systems.PRESETS, "tiny", lambda: TINY)
    write_dmer_sample(tmp_path / "sample")
    data = ["--dataset", "dmer-sample", "--root", str(tmp_path / "sample")]
    data += ["--protocol", "paper-sd", "--preset", "tiny", "--json"]
    out = tmp_path / "found"
    assert main(["sweep", *data, "--trials", "2", "--out", str(out)]) == 0
    result = json.loads(capsys.readouterr().out)
    assert result["trials"] == 2
    assert "published training windows" in result["about"]
    assert result["validation_kl"]["best"] <= result["validation_kl"]["start"]
    best = ["--settings", str(out / "best.toml"), "--models", "mpcl", "--seeds", "1"]
    assert main(["evaluate", *data, *best, "--out", str(tmp_path / "table")]) == 0
    tested = json.loads(capsys.readouterr().out)["models"]["mpcl"]["kl"]["mean"]
    # The sweep tested its best on the very same windows.
    assert tested == pytest.approx(result["tested_kl"]["best"])


def test_without_optuna_it_says_how_to_get_it(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    found = importlib.util.find_spec
    monkeypatch.setattr(
        "model.sweep.find_spec", lambda name: None if name == "optuna" else found(name)
    )
    assert main(["sweep", "--dataset", "dmer-sample"]) == 2
    assert "pip install 'affectstream[sweep]'" in capsys.readouterr().err
