"""Reports: every column, the papers' layout, and everything that must stand beside a table."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from numpy.typing import NDArray

from model.ablations import ablation
from model.datasets.table import Table
from model.evaluation import Failure, Outcome, Plan, run
from model.pieces import Piece
from model.report import COLUMNS, Report, report
from model.report.findings import gather, result_of
from model.report.grid import escape
from model.report.table import grids, table_of
from model.settings import MpclSettings
from tests.model.tables import synthetic_table

MODELS = ("trees", "clock", "movement", "train-mean", "subject-mean", "uniform")
COMMAND = "affectstream evaluate --dataset synthetic"


@pytest.fixture(scope="module")
def loso(tmp_path_factory: pytest.TempPathFactory) -> Report:
    table = synthetic_table(people=4, seconds=120)
    plan = Plan("loso", MODELS, seeds=(0,), modalities=("ppg", "eda"))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("model.systems.trees.TREES", 20)
        outcome = run(table, plan, tmp_path_factory.mktemp("out"))
    return report(table, plan, outcome.pieces, command=COMMAND)


def lines_under(markdown: str, title: str) -> list[str]:
    """Return the rows of the table below a title."""
    part = markdown.split(f"## {title}\n")[1].split("\n## ")[0]
    return [line for line in part.splitlines() if line.startswith("|")]


def test_csv_has_a_row_a_fold_and_the_agreed_columns(loso: Report, tmp_path: Path) -> None:
    csv, markdown, page = loso.save(tmp_path / "new" / "folder")
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
    assert markdown.read_text(encoding="utf-8") == loso.markdown
    assert page.read_text(encoding="utf-8").startswith("<!DOCTYPE html>")


def test_the_table_says_what_was_done(loso: Report) -> None:
    for words in (
        "protocol loso",
        "4 subjects, 20 trials, 2320 windows",
        "seeds 0",
        "causal",
        "every tenth",
        "Sensors: ppg, eda",
        "Made up.",
        "P9 Fun: no answer for upset",
        "subject-mean (oracle)",
        "| trees - clock | stress AUC |",
        "Python 3.",
        "scikit-learn",
        f"Command: {COMMAND}",
    ):
        assert words in loso.markdown, words


def test_rows_stand_under_their_kind_and_references_have_no_rank(loso: Report) -> None:
    rows = lines_under(loso.markdown, "The six metrics")
    assert rows[0].startswith("| system | Chebyshev ↓ | Clark ↓ | Canberra ↓ | KL ↓ | cosine ↑ |")
    names = [row.split("|")[1].strip() for row in rows[2:]]
    assert names == [
        *("**trees**", "trees", "**references, not ranked**", "clock", "movement", "train-mean"),
        *("subject-mean (oracle)", "uniform"),
    ]
    assert rows[3].count("(1)") == 7
    assert all("(" not in row.replace("(oracle)", "") for row in rows[5:])
    assert len({row.count("|") for row in rows}) == 1
    monitor = lines_under(loso.markdown, "What a monitor needs")
    assert all("[" in row for row in monitor if row.startswith("| trees |"))
    assert len({row.count("|") for row in monitor}) == 1


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
    assert result["failures"] == []


def test_paper_sd_states_the_leak_and_shows_it(tmp_path: Path) -> None:
    table = synthetic_table(people=3)
    plan = Plan("paper-sd", ("nearest-clock", "subject-mean", "train-mean"), seeds=(0,))
    found = gather(table, plan, run(table, plan, tmp_path).pieces)
    text = table_of(found)
    assert "THIS SPLIT LEAKS" in text
    assert "(oracle)" not in text
    assert "Printed" not in text
    assert found.summary["nearest-clock"]["kl"].mean < 0.005  # type: ignore[union-attr]
    assert found.summary["train-mean"]["kl"].mean > 0.01  # type: ignore[union-attr]


def with_styles(table: Table) -> Table:
    """Return the table with half of each label being what that person always says."""
    rng = np.random.default_rng(0)
    styles = rng.dirichlet(np.full(table.distribution.shape[1], 0.5), len(table.people))
    own = styles[[table.people.index(person) for person in table.person]]
    return dataclasses.replace(table, distribution=(table.distribution + own) / 2)


def guesses(table: Table, models: dict[str, float], people: int, k: int = 0) -> list[Piece]:
    """Return pieces that miss the truth by a known share of the uniform distribution."""
    made = []
    for number in range(people):
        name = table.people[number]
        rows = table.rows([name])
        truth = table.distribution[rows]
        mean: NDArray[np.float64] = table.distribution[table.rated].mean(axis=0)
        for model, miss in models.items():
            for seed in (0, 1):
                share = miss * (1 + 0.1 * seed + 0.05 * number)
                made.append(
                    Piece(
                        model=model,
                        fold=name,
                        person=name,
                        seed=seed,
                        n_train=100,
                        rows=rows,
                        prediction=(1 - share) * truth + share / truth.shape[1],
                        train_mean=mean,
                        seconds=1.0,
                    )
                )
    return made


def test_ranks_are_those_of_the_learned_systems() -> None:
    table = synthetic_table(people=3)
    misses = {"uniform": 0.01, "mpcl": 0.2, "dldl": 0.1, "sa-bfgs": 0.3, "trees": 0.1}
    plan = Plan("loso", tuple(misses), seeds=(0, 1), preset="person")
    found = gather(table, plan, guesses(table, misses, people=3))
    lines = lines_under(table_of(found), "The six metrics")
    rows = {row.split("|")[1].strip(): row for row in lines}
    for name, rank in (("mpcl", 3), ("dldl", 1), ("sa-bfgs", 4), ("trees", 1)):
        assert rows[name].count(f"({rank})") == 7, name
    assert f"| {(3):.2f} (3) |" in rows["mpcl"]
    assert "(" not in rows["uniform"]
    assert [name for name in rows if name.startswith("**")] == [
        *("**networks**", "**classical**", "**trees**", "**references, not ranked**")
    ]
    assert result_of(found)["ranks"]["mpcl"]["average"] == 3


def test_recipes_of_networks_are_said() -> None:
    table = synthetic_table(people=3)
    misses = {"mpcl": 0.2, "dldl": 0.1}
    own = MpclSettings(width=16, heads=2)
    plan = Plan("loso", tuple(misses), seeds=(0, 1), preset="small", settings=own)
    text = table_of(gather(table, plan, guesses(table, misses, people=3)))
    assert "differs from the published recipe in width 16, heads 2." in text
    assert "Recipe of dldl: epochs 8, batch size 128" in text


def test_one_person_has_no_interval_but_a_range_over_seeds() -> None:
    table = synthetic_table(people=1)
    misses = {"mpcl": 0.2, "trees": 0.1, "train-mean": 0.4}
    plan = Plan("paper-sd", tuple(misses), seeds=(0, 1))
    found = gather(table, plan, guesses(table, misses, people=1))
    text = table_of(found)
    row = next(
        line for line in lines_under(text, "What a monitor needs") if line.startswith("| mpcl |")
    )
    by_seed = found.rows[found.rows["model"] == "mpcl"]["kl"]
    assert f"{by_seed.mean():.4f} {{{by_seed.min():.4f}, {by_seed.max():.4f}}}" in row
    assert "[" not in row
    assert "1 subject, 5 trials" in text
    json.dumps(result_of(found), allow_nan=False)


def test_printed_rows_stand_beside_the_same_data_and_say_whose_they_are() -> None:
    table = dataclasses.replace(synthetic_table(people=2), dataset="wesad-wrist")
    misses = {"trees": 0.1, "train-mean": 0.4}
    plan = Plan("paper-sd", tuple(misses), seeds=(0, 1))
    text = table_of(gather(table, plan, guesses(table, misses, people=2)))
    assert "table I, WESAD, subject-dependent" in text
    assert "means of 15 people; above stands 2 people of wesad-wrist" in text
    assert "printed are those of the chest" in text
    assert "(1) MPCL: Chebyshev 0.0046 lies above" in text


def test_failures_are_listed() -> None:
    table = synthetic_table(people=2)
    plan = Plan("paper-sd", ("train-mean", "trees"), seeds=(0, 1))
    failure = Failure("trees", "P1", "P1", 0, "ValueError: no luck", "Traceback ...")
    found = gather(table, plan, guesses(table, {"train-mean": 0.4}, 2), failures=[failure])
    assert "FAILED" in table_of(found)
    assert "ValueError: no luck" in table_of(found)
    assert result_of(found)["failures"] == [str(failure)]


@pytest.fixture(scope="module")
def shots(tmp_path_factory: pytest.TempPathFactory) -> tuple[Table, Plan, Outcome]:
    table = with_styles(synthetic_table(people=4))
    models = ("train-mean", "place", "subject-mean")
    plan = Plan("calibrated-k", models, seeds=(0,), shots=(0, 1, 2))
    return table, plan, run(table, plan, tmp_path_factory.mktemp("shots"))


def test_calibration_is_shown_by_k(shots: tuple[Table, Plan, Outcome]) -> None:
    table, plan, outcome = shots
    found = gather(table, plan, outcome.pieces)
    made = {grid.title: grid for grid in grids(found)}
    kl = made["KL ↓ by k"]
    assert kl.header == ("system and adaptation", "k = 0", "k = 1", "k = 2")
    rows = {row[0]: row[1:] for row in kl.rows}
    assert list(rows) == [
        *("train-mean", "train-mean, shrinkage", "place", "place, shrinkage"),
        "subject-mean (oracle)",
    ]
    assert rows["train-mean"][0] == rows["train-mean, shrinkage"][0]
    assert rows["train-mean"][2] != rows["train-mean, shrinkage"][2]
    assert all("[" in cell for row in rows.values() for cell in row)
    value = found.summary["train-mean, k = 2, shrinkage"]["kl"]
    assert rows["train-mean, shrinkage"][2].startswith(f"{value.mean:.4f} [")  # type: ignore[union-attr]
    worse = {row[0]: row[1:] for row in made["People made worse"].rows}
    assert set(worse) == {"train-mean, shrinkage", "place, shrinkage"}
    assert worse["train-mean, shrinkage"][0] == "-"
    assert worse["train-mean, shrinkage"][1].endswith(" of 4")
    assert "The six metrics" not in made
    assert found.ranks == {}


def test_an_ablation_is_shown_against_the_complete_model() -> None:
    table = dataclasses.replace(synthetic_table(people=3), dataset="wesad-chest")
    modules = ablation("modules")
    variants = modules.variants(MpclSettings.small(), table.roles, len(table.labels))
    misses = dict(zip(variants, (0.1, 0.2, 0.1, 0.3, 0.25), strict=True))
    plan = Plan(
        "loso",
        tuple(variants),
        seeds=(0, 1),
        variants={name: variants[name] for name in variants if name != "mpcl"},
    )
    found = gather(table, plan, guesses(table, misses, people=3), ablation=modules)
    text = table_of(found)
    assert "MPCL without one of its modules" in text.splitlines()[0]
    rows = {
        row.split("|")[1].strip(): row.split("|")[2:-1]
        for row in lines_under(text, "Difference to the complete model, mpcl")[2:]
    }
    assert list(rows) == ["without MSAF", "without PRD", "without PCL", "without HSC"]
    assert rows["without PRD"][3].split() == ["+0.0000", "[+0.0000,", "+0.0000]"]
    worse = found.rows.groupby("model")["kl"].mean()
    difference = worse["without PCL"] - worse["mpcl"]
    assert rows["without PCL"][3].strip().startswith(f"{difference:+.4f} [+")
    assert float(rows["without PCL"][5].split()[0]) < 0
    assert "table IV, WESAD, subject-independent" in text
    assert "| without PRD | 0.0486 |" in text
    assert "without PRD (lambda prd 0)" in text
    first = lines_under(text, "The six metrics")
    assert first[2].startswith("| mpcl |")
    assert first[2].count("[") == 6
    assert "average rank" not in first[0]


def test_text_from_data_cannot_break_a_table() -> None:
    name = "a|b <script>\n[x](http://y) *z*"
    shown = escape(name)
    assert shown == r"a\|b \<script\> [x]\(http://y) \*z\*"
    table = dataclasses.replace(synthetic_table(people=2), dataset=name)
    plan = Plan("paper-sd", ("train-mean",), seeds=(0, 1))
    text = table_of(gather(table, plan, guesses(table, {"train-mean": 0.4}, 2)))
    assert text.splitlines()[0] == f"# {shown}, protocol paper-sd"
    assert "<script>" not in text.replace(r"\<", "")
