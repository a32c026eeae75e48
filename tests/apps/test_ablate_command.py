"""``affectstream ablate``: from published features to the paper's kind of table."""

from __future__ import annotations

import json
from pathlib import Path

import pandas as pd
import pytest

from apps.cli.main import main
from model import systems
from model.datasets import dataset
from model.evaluation import Plan, run
from tests.model.datasets.writers import write_dmer_sample
from tests.model.people import TINY


@pytest.fixture
def words(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Return what every command line here has, on 60 made-up windows of one person."""
    monkeypatch.setitem(systems.PRESETS, "tiny", lambda: TINY)
    write_dmer_sample(tmp_path / "data")
    out = ["--out", str(tmp_path / "out"), "--preset", "tiny", "--json"]
    return ["--dataset", "dmer-sample", "--root", str(tmp_path / "data"), *out]


def test_a_table_of_variants_whose_complete_model_is_the_one_of_evaluate(
    words: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["ablate", "modalities", *words, "--seeds", "1"]) == 0
    result = json.loads(capsys.readouterr().out)
    variants = ["mpcl", *(f"without {name}" for name in ("eeg", "gsr", "ppg", "video"))]
    assert list(result["models"]) == variants
    made = tmp_path / "out" / "modalities"
    rows = pd.read_csv(made / "results.csv")
    assert list(rows["model"]) == variants
    assert rows["kl"].nunique() == 5  # nothing is another run under a new name
    assert "without video" in (made / "report.html").read_text(encoding="utf-8")
    markdown = (made / "table.md").read_text(encoding="utf-8")
    # The paper's own table V stands beside ours.
    assert "without eeg" in markdown
    assert "0.0412" in markdown

    folds = tmp_path / "out" / "folds"
    before = {path: path.stat().st_mtime_ns for path in folds.iterdir()}
    table = dataset("dmer-sample").table(tmp_path / "data")
    run(table, Plan("paper-sd", ("mpcl",), (0,), preset="tiny"), tmp_path / "out")
    assert {path: path.stat().st_mtime_ns for path in folds.iterdir()} == before


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (["colours"], "no ablation 'colours': use one of modules, modalities, designs"),
        (["modules", "--protocol", "no-such"], "no protocol 'no-such'"),
        (["modules", "--preset", "huge"], "no preset 'huge'"),
        (["modules", "--modalities", "gsr,video"], "primary"),
    ],
    ids=lambda value: value[0] if isinstance(value, list) else "",
)
def test_what_is_wrong_shows_before_any_training(
    change: list[str],
    message: str,
    words: list[str],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main(["ablate", change[0], *words, *change[1:]]) == 2
    shown = capsys.readouterr().err
    assert message in shown
    assert len(shown.strip().splitlines()) == 1
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("command", [["ablate", "scales"], ["evaluate", "--models", "mpcl"]])
def test_nothing_but_failures_is_said_without_a_table(
    command: list[str],
    words: list[str],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def fails(*given: object, **named: object) -> None:
        raise ValueError("no memory")

    monkeypatch.setattr("model.systems.mpcl.train", fails)
    assert main([*command, *words, "--protocol", "paper-sd", "--seeds", "1"]) == 1
    captured = capsys.readouterr()
    assert "ValueError: no memory" in captured.err
    assert "Traceback" not in captured.err
    assert not captured.out
    assert not list((tmp_path / "out").rglob("table.md"))
