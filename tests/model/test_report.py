"""Reports: every column, and everything that must stand beside a table."""

from __future__ import annotations

import json
from pathlib import Path

import pandas as pd
import pytest

from model.evaluation import Plan, run
from model.report import COLUMNS, Report, report
from tests.model.tables import synthetic_table

MODELS = ("trees", "clock", "movement", "train-mean", "subject-mean", "uniform")


@pytest.fixture(scope="module")
def loso(tmp_path_factory: pytest.TempPathFactory) -> Report:
    table = synthetic_table(people=4, seconds=120)
    plan = Plan("loso", MODELS, seeds=(0,), modalities=("ppg", "eda"))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("model.systems.trees.TREES", 20)
        pieces = run(table, plan, tmp_path_factory.mktemp("out"))
    return report(table, plan, pieces)


def test_csv_has_a_row_a_fold_and_the_agreed_columns(loso: Report, tmp_path: Path) -> None:
    csv, _ = loso.save(tmp_path / "new" / "folder")
    rows = pd.read_csv(csv)
    agreed = (
        "model dataset protocol fold seed n_train n_test chebyshev clark canberra kl cosine "
        "intersection stress_auc order"
    ).split()
    assert list(rows.columns) == list(COLUMNS)
    assert list(rows.columns)[: len(agreed)] == agreed
    assert len(rows) == len(MODELS) * 4
    assert set(rows[rows["model"] == "trees"]["modalities"]) == {"ppg+eda"}
    assert rows[rows["model"] == "clock"]["modalities"].isna().all()


def test_the_table_says_what_was_done(loso: Report, tmp_path: Path) -> None:
    _, path = loso.save(tmp_path)
    text = path.read_text(encoding="utf-8")
    for words in (
        "protocol loso",
        "4 subjects, 20 trials, 2320 windows",
        "seeds 0",
        "causal",
        "every 10th second",
        "Sensors: ppg, eda",
        "Made up.",
        "P9 Fun: no answer for upset",
        "subject-mean (oracle)",
        "| trees - clock | stress AUC |",
    ):
        assert words in text, words
    rows = [line for line in text.splitlines() if line.startswith("| ") and "[" in line]
    assert all(line.count("|") == rows[0].count("|") for line in rows[: len(MODELS)])


def test_the_result_is_json_with_intervals(loso: Report) -> None:
    result = json.loads(json.dumps(loso.result, allow_nan=False))
    auc = result["models"]["trees"]["stress_auc"]
    assert auc["low"] <= auc["mean"] <= auc["high"]
    assert auc["mean"] > 0.9
    assert result["models"]["uniform"]["stress_auc"]["mean"] == 0.5
    assert result["models"]["uniform"]["order"] is None
    assert {"first": "trees", "second": "clock", "metric": "stress_auc"}.items() <= result[
        "paired"
    ][0].items()
    assert result["subjects"] == 4


def test_paper_sd_states_the_leak_and_shows_it(tmp_path: Path) -> None:
    table = synthetic_table(people=3)
    plan = Plan("paper-sd", ("nearest-clock", "subject-mean", "train-mean"), seeds=(0,))
    made = report(table, plan, run(table, plan, tmp_path))
    assert "THIS SPLIT LEAKS" in made.markdown
    assert "(oracle)" not in made.markdown
    assert made.result["models"]["nearest-clock"]["kl"]["mean"] < 0.005
    assert made.result["models"]["train-mean"]["kl"]["mean"] > 0.01
