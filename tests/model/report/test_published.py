"""Printed rows: transcribed as printed, and every fault of them found, and no other."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
from numpy.typing import NDArray

from model import metrics
from model.report.published import (
    EMOTIONS,
    PublishedRow,
    PublishedTable,
    beside,
    impossible,
    published_grid,
    tables,
)


def rows_of(source: str, number: str, data: str, protocol: str) -> dict[str, PublishedRow]:
    found = [
        table
        for table in tables()
        if (table.source, table.number, table.data, table.protocol)
        == (source, number, data, f"subject-{protocol}")
    ]
    assert len(found) == 1
    return {row.name: row for row in found[0].rows}


PRINTED = """
mpcl I dmer dependent: MPCL: 0.0346 0.2369 0.6068 0.0177 0.9874 0.9427
mpcl I wesad dependent: TLR-LDL: 0.0622 0.5381 1.3586 0.2051 0.9541 0.8746
mpcl II dmer independent: PT-SVM: 0.1462 1.2877 2.0459 0.5528 0.8295 0.7762
mpcl II wesad independent: HeLo: 0.0403 0.3455 0.9329 0.0283 0.9790 0.9154
mpcl III dmer independent: without PCL: 0.0871 0.6759 1.7638 0.1296 0.8967 0.8168
mpcl IV wesad dependent: without HSC: 0.0068 0.0563 0.1342 0.0009 0.9980 0.9912
mpcl V dmer dependent: without EEG: 0.0412 0.2847 0.7259 0.0296 0.9735 0.9242
mpcl VI wesad independent: without ACC: 0.0515 0.3758 1.0865 0.0415 0.9604 0.8872
mpcl VII dmer dependent: InfoNCE alignment: 0.0374 0.2648 0.6784 0.0246 0.9782 0.9316
mpcl VII wesad independent: Transformer encoder: 0.0367 0.3207 0.9248 0.0282 0.9782 0.9224
mpcl VIII dmer independent: two scales, the first: 0.0774 0.6023 1.6102 0.1051 0.9221 0.8453
emotiondict 3 dmer dependent: EmotionDict: 0.0717 0.4729 1.2297 0.0592 0.9419 0.8686
emotiondict 3 edl dependent: PT-Bayes: 0.7568 2.4055 6.2638 12.0230 0.3862 0.2182
emotiondict 4 dmer independent: MISA: 0.1116 0.6507 1.5958 0.1390 0.8536 0.8145
emotiondict 4 edl independent: DLDL: 0.1822 0.7995 0.1942 0.2040 0.8355 0.7212
emotiondict 5 dmer independent: without auxiliary loss 2: 0.0856 0.5975 1.6827 0.0913 0.9171 0.8273
emotiondict 5 edl dependent: without the dictionary: 0.1952 1.0496 2.8569 0.2327 0.7818 0.7038
emotiondict 6 dmer dependent: without GSR: 0.0792 0.5581 1.4939 0.0776 0.9246 0.8415
emotiondict 6 dmer independent: without video: 0.0998 0.6191 1.6976 0.1021 0.9023 0.8181
"""


@pytest.mark.parametrize("line", PRINTED.strip().splitlines())
def test_numbers_are_as_printed(line: str) -> None:
    where, name, numbers = line.split(": ")
    row = rows_of(*where.split())[name]
    assert list(row.values.values()) == [float(one) for one in numbers.split()]


def test_every_table_is_there() -> None:
    counts = Counter((table.source, table.number) for table in tables())
    assert counts == {
        **{("mpcl", number): 2 for number in ("III", "IV", "V", "VI", "VIII")},
        **{("mpcl", "I"): 2, ("mpcl", "II"): 2, ("mpcl", "VII"): 4},
        **{("emotiondict", number): 2 for number in ("3", "4", "6")},
        ("emotiondict", "5"): 4,
    }
    sizes = {(table.source, table.number): len(table.rows) for table in tables()}
    assert (sizes["mpcl", "I"], sizes["mpcl", "VIII"], sizes["emotiondict", "4"]) == (11, 7, 12)


def test_ranks_stand_beside_the_comparisons() -> None:
    row = rows_of("mpcl", "I", "dmer", "dependent")["EmotionDict"]
    assert tuple(row.ranks.values()) == (5, 5, 6, 5, 7, 5)
    assert row.average == 5.5
    assert not rows_of("mpcl", "III", "dmer", "dependent")["MPCL"].ranks


def computed(words: str) -> set[tuple[str, str, str, str, str]]:
    """Return the rows with a fault whose sentence has these words."""
    return {
        (table.source, table.number, table.data, table.protocol.removeprefix("subject-"), row.name)
        for table in tables()
        for row in table.rows
        if any(words in fault for fault in row.faults)
    }


def test_chebyshev_above_its_bound_is_found() -> None:
    complete = {
        ("mpcl", number, "wesad", "dependent", "MPCL") for number in ("I", "IV", "VI", "VII")
    }
    assert computed("above 1 - intersection") == complete | {
        ("mpcl", "VI", "wesad", "dependent", "without EMG"),
        ("mpcl", "VI", "wesad", "dependent", "without EDA"),
        ("mpcl", "VII", "wesad", "dependent", "cross-attention fusion"),
        ("mpcl", "VII", "wesad", "dependent", "Transformer encoder"),
    }


def test_kl_below_pinskers_bound_is_found() -> None:
    assert computed("Pinsker") == {("mpcl", "I", "dmer", "dependent", "LDL-LRR")}


def test_wrong_ranks_are_found() -> None:
    wrong = {one for one in computed("the printed numbers give") if one[0] == "mpcl"}
    assert wrong == {
        ("mpcl", "I", "dmer", "dependent", "AA-KNN"),
        ("mpcl", "I", "dmer", "dependent", "TLR-LDL"),
        ("mpcl", "II", "wesad", "independent", "CAD"),
    }
    # The misprinted Canberra takes the first rank in what was printed, and moves two others.
    assert {one[1:] for one in computed("the printed numbers give") if one[0] != "mpcl"} == {
        ("3", "dmer", "dependent", "EDL-LRL"),
        ("3", "dmer", "dependent", "DLDL"),
        ("3", "edl", "dependent", "DLDL"),
        ("3", "edl", "dependent", "EDLConv"),
        ("4", "edl", "independent", "MISA"),
        ("4", "edl", "independent", "DLDL"),
        ("4", "edl", "independent", "EmotionDict"),
    }
    assert computed("average rank") == {
        ("emotiondict", "4", "dmer", "independent", "MISA"),
        ("emotiondict", "4", "dmer", "independent", "EmotionDict"),
        ("emotiondict", "4", "edl", "independent", "EDL-LRL"),
    }


def test_clark_and_canberra_that_do_not_fit_are_found() -> None:
    assert computed("above Canberra") == {("emotiondict", "4", "edl", "independent", "DLDL")}
    assert computed("Clark =") == {
        ("emotiondict", "4", "edl", "independent", "TAILOR"),
        ("emotiondict", "5", "dmer", "dependent", "without the dictionary"),
        ("emotiondict", "5", "edl", "dependent", "without the dictionary"),
        ("emotiondict", "5", "edl", "dependent", "without auxiliary loss"),
    }


def test_what_only_reading_shows_is_noted() -> None:
    assert computed("does not fit") == {("mpcl", "I", "dmer", "dependent", "AA-KNN")}
    assert computed("a factor ten") == {("emotiondict", "4", "edl", "independent", "DLDL")}
    assert computed("repeats the Chebyshev") == {
        ("emotiondict", "5", "dmer", "dependent", "without the dictionary")
    }
    assert computed("in table 3") == {("emotiondict", "5", "edl", "dependent", "EmotionDict")}


def test_every_other_row_is_sound() -> None:
    faulty = {
        (table.source, table.number, table.data, table.protocol, row.name)
        for table in tables()
        for row in table.rows
        if row.faults
    }
    assert len(faulty) == 27
    assert sum(len(table.rows) for table in tables()) == 190


def test_the_notes_ratios_hold() -> None:
    """The note on AA-KNN says how Canberra and Clark relate in the rows beside it."""
    rows = rows_of("mpcl", "I", "dmer", "dependent")
    ratios = {name: row.values["canberra"] / row.values["clark"] for name, row in rows.items()}
    odd = ratios.pop("AA-KNN")
    assert round(odd, 1) == 1.9
    assert 2.4 < min(ratios.values()) < 2.5
    assert 2.8 < max(ratios.values()) < 2.9


def means(seed: int, emotions: int) -> dict[str, float]:
    rng = np.random.default_rng(seed)
    sharp = rng.choice([0.05, 1.0, 50.0])
    u: NDArray[np.float64] = rng.dirichlet(np.full(emotions, sharp), 40)
    v = rng.dirichlet(np.full(emotions, rng.choice([0.05, 1.0, 50.0])), 40)
    close = (1 - (weight := rng.uniform(0, 1, (40, 1)))) * u + weight * v
    values = metrics.window_metrics(u, close / close.sum(axis=1, keepdims=True))
    return {name: round(float(one.mean()), 4) for name, one in values.items()}


def test_no_true_result_is_called_impossible() -> None:
    for seed in range(150):
        assert impossible(means(seed, 10), 10) == ()


def test_the_tightest_true_results_pass() -> None:
    """Two shares change places by the same amount: Chebyshev is 1 - intersection."""
    u = np.array([[0.5, 0.3, 0.2]])
    v = np.array([[0.4231, 0.3769, 0.2]])
    values = {name: round(float(one[0]), 4) for name, one in metrics.window_metrics(u, v).items()}
    assert impossible(values, 3) == ()
    assert len(impossible({**values, "chebyshev": values["chebyshev"] + 0.0003}, 3)) == 1


def test_only_the_same_kind_of_data_and_protocol_stands_beside() -> None:
    def numbers(found: tuple[PublishedTable, ...]) -> list[tuple[str, str]]:
        return [(table.source, table.number) for table in found]

    assert numbers(beside("dmer-sample", "paper-sd")) == [("mpcl", "I"), ("emotiondict", "3")]
    assert numbers(beside("wesad-wrist", "loso")) == [("mpcl", "II")]
    assert numbers(beside("edl", "loso")) == [("emotiondict", "4")]
    assert numbers(beside("wesad-chest", "paper-sd", "modalities")) == [("mpcl", "VI")]
    assert beside("wesad-wrist", "trial-sd") == ()
    assert beside("emopaircompete", "loso") == ()
    assert beside("simulated-dmer", "loso") == ()
    assert set(EMOTIONS) == {table.data for table in tables()}


def test_what_the_transcript_lost_is_said() -> None:
    (scales,) = beside("dmer-sample", "paper-sd", "scales")
    assert "lost the scale sets" in published_grid(scales, "1 person").about


def test_the_grid_marks_faults_and_says_whose_mean_it_is() -> None:
    grid = published_grid(beside("wesad-chest", "paper-sd")[0], "15 people of wesad-chest")
    assert "means of 15 people" in grid.about
    assert grid.rows[-1][0] == "MPCL (1)"
    assert grid.rows[-1][1:3] == ("0.0046 (1)", "0.0417 (1)")
    assert grid.rows[-1][-1] == "1.00 (1)"
    assert grid.notes == (
        "(1) MPCL: Chebyshev 0.0046 lies above 1 - intersection = 0.0026, which cannot be.",
    )
    assert all(len(row) == len(grid.header) for row in grid.rows)
