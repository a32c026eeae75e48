"""WESAD: its questionnaires against the collected scores, and what is said when files lack."""

from __future__ import annotations

import math
import shutil
from pathlib import Path

import pandas as pd
import pytest

from model.datasets import dataset
from model.datasets.wesad import BASELINE_SECONDS, WesadWrist, read_panas
from model.labels import PANAS10
from realtime.errors import InputError
from tests.data import data_folder

STRESS = "3;2;4;1;3;3;1;2;1;4;2;4;3;1;5;4;4;4;2;3;3;3;2;1;3;1"
REST = "1;1;3;2;1;3;1;1;1;2;2;2;2;1;4;3;4;4;2;2;2;1;2;1;;"


def small_wesad(root: Path, people: tuple[str, ...] = ("S2", "S10")) -> Path:
    """Write two people with ten seconds of constant signals."""
    rows = ["subject,condition,e4_start_s,e4_end_s"]
    for person in people:
        folder = root / person / f"{person}_E4_Data"
        folder.mkdir(parents=True)
        for name, rate, cell in (
            ("BVP", 64, "1.0"),
            ("EDA", 4, "0.5"),
            ("TEMP", 4, "33"),
            ("ACC", 32, "1,2,63"),
        ):
            columns = cell.count(",") + 1
            head = [",".join([str(v)] * columns) for v in (1500000000.0, float(rate))]
            (folder / f"{name}.csv").write_text("\n".join(head + [cell] * (10 * rate)) + "\n")
        (root / person / f"{person}_quest.csv").write_text(
            f"# Subj;{person}\n# ORDER;Base;TSST;sRead;;\n# PANAS;{REST}\n# PANAS;{STRESS}\n"
        )
        rows += [f"{person},Base,100,1200", f"{person},TSST,1500,2100.5"]
    (root / "segments.csv").write_text("\n".join(rows) + "\n")
    return root


def test_a_persons_session(tmp_path: Path) -> None:
    sessions = WesadWrist().sessions(small_wesad(tmp_path))
    assert [one.participant for one in sessions] == ["S2", "S10"]
    one = sessions[0]
    assert [(t.condition, t.start, t.stop) for t in one.trials] == [
        ("Base", 100.0, 1200.0),
        ("TSST", 1500.0, 2100.5),
    ]
    assert one.baseline == (100.0, 100.0 + BASELINE_SECONDS)
    assert tuple(one.trials[1].ratings) == PANAS10.emotions
    # inspired alert excited enthusiastic determined | afraid annoyed nervous scared distressed
    assert list(one.trials[1].ratings.values()) == [1, 5, 4, 3, 4, 3, 3, 4, 2, 2]
    recording = one.read()
    assert {stream.info.key for stream in recording.streams} == {"BVP", "EDA", "TEMP", "ACC"}


def test_24_and_26_answers_have_their_own_order(tmp_path: Path) -> None:
    path = tmp_path / "S1_quest.csv"
    path.write_text(f"# ORDER;Base;TSST\n# PANAS;{REST}\n# PANAS;{STRESS}\n")
    answers = read_panas(path)
    assert len(answers["Base"]) == 24
    assert len(answers["TSST"]) == 26
    assert "angry" not in answers["Base"]
    assert list(answers["TSST"])[-3:] == ["angry", "irritated", "sad"]


def test_an_answer_that_is_missing_stays_unanswered(tmp_path: Path) -> None:
    root = small_wesad(tmp_path, ("S2",))
    path = root / "S2" / "S2_quest.csv"
    path.write_text(path.read_text().replace("4;3;4;4;2;2;2;1;2;1;;", "4;Nan;4;4;2;2;2;1;2;1;;"))
    rest, stress = WesadWrist().sessions(root)[0].trials
    assert rest.unanswered == ("nervous",)
    assert stress.unanswered == ()


@pytest.mark.parametrize(
    ("gone", "message"),
    [
        ("segments.csv", "no 'segments.csv'.*e4_start_s"),
        ("S2/S2_quest.csv", "S2 lacks the file.*S2_quest.csv"),
        ("S10/S10_E4_Data/EDA.csv", "S10 lacks the file.*EDA.csv"),
    ],
)
def test_missing_files_are_named(tmp_path: Path, gone: str, message: str) -> None:
    root = small_wesad(tmp_path)
    (root / gone).unlink()
    with pytest.raises(InputError, match=message):
        WesadWrist().sessions(root)


@pytest.mark.parametrize(
    ("file", "old", "new", "message"),
    [
        ("segments.csv", "e4_start_s", "start", "lacks the column 'e4_start_s'"),
        ("segments.csv", "S2,TSST,1500,2100.5\n", "", "no row 'S2', 'TSST'"),
        ("S2/S2_quest.csv", "# PANAS", "# STAI", "no lines '# ORDER' and '# PANAS'"),
        ("S2/S2_quest.csv", "# PANAS;1;1;3;", "# PANAS;1;1;", "has 23 PANAS answers"),
        ("S2/S2_quest.csv", "# PANAS;1;1;3;", "# PANAS;1;x;3;", "answer 'x'"),
        ("S2/S2_quest.csv", ";Base;", ";Rest;", "segments.csv has no row 'S2', 'Rest'"),
    ],
)
def test_damaged_files_are_quoted(
    tmp_path: Path, file: str, old: str, new: str, message: str
) -> None:
    root = small_wesad(tmp_path, ("S2",))
    text = (root / file).read_text()
    assert old in text
    (root / file).write_text(text.replace(old, new))
    with pytest.raises(InputError, match=message):
        WesadWrist().sessions(root)


def test_a_folder_that_is_not_wesad(tmp_path: Path) -> None:
    (tmp_path / "notes").mkdir()
    with pytest.raises(InputError, match="no folder S2"):
        WesadWrist().sessions(tmp_path)


def test_the_root_is_given_or_from_the_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    loader = dataset("wesad-wrist")
    monkeypatch.delenv("AFFECTSTREAM_DATA", raising=False)
    with pytest.raises(InputError, match="set AFFECTSTREAM_DATA.*get it from https://"):
        loader.root()
    monkeypatch.setenv("AFFECTSTREAM_DATA", str(tmp_path))
    with pytest.raises(InputError, match="no folder.*wesad_wrist"):
        loader.root()
    (tmp_path / "wesad_wrist").mkdir()
    assert loader.root() == tmp_path / "wesad_wrist"
    assert loader.root(tmp_path) == tmp_path
    with pytest.raises(InputError, match="'wesad'.*wesad-wrist"):
        dataset("wesad")


def test_real_questionnaires_agree_with_the_collected_scores() -> None:
    root = data_folder("wesad_wrist")
    expected = pd.read_csv(root / "panas.csv")
    checked = 0
    for person, rows in expected.groupby("subject"):
        answers = read_panas(root / str(person) / f"{person}_quest.csv")
        for row in rows.itertuples():
            score = answers[row.condition][row.item.lower()]
            assert score == row.score or (math.isnan(score) and math.isnan(row.score))
            checked += 1
    assert checked == len(expected) > 1000


def test_real_sessions_have_five_trials_and_the_ten_items(tmp_path: Path) -> None:
    root = data_folder("wesad_wrist")
    sessions = WesadWrist().sessions(root)
    assert len(sessions) == 12
    table = pd.read_csv(root / "panas10.csv").set_index(["subject", "condition"])
    for one in sessions:
        assert len(one.trials) == 5
        assert one.baseline is not None
        assert one.baseline[1] - one.baseline[0] == BASELINE_SECONDS
        for trial in one.trials:
            for item, score in trial.ratings.items():
                known = table.loc[(one.participant, trial.condition), item]
                assert score == known or (math.isnan(score) and math.isnan(known))
    unanswered = [(s.participant, t.name) for s in sessions for t in s.trials if t.unanswered]
    assert unanswered == [("S5", "Medi 1")]


def test_real_layout_survives_a_copy_of_one_person(tmp_path: Path) -> None:
    """A user with one person's folder and the times gets that person."""
    source = data_folder("wesad_wrist")
    shutil.copytree(source / "S2", tmp_path / "S2")
    shutil.copy(source / "segments.csv", tmp_path)
    (one,) = WesadWrist().sessions(tmp_path)
    assert one.participant == "S2"
    assert one.read().start == 0.0
