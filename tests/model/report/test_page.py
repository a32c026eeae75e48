"""The page: everything is there, inlined, escaped, and what is missing leaves a sentence."""

from __future__ import annotations

import base64
import dataclasses
import re
from html.parser import HTMLParser
from xml.etree import ElementTree

import numpy as np
import pytest

from model.datasets.table import Table
from model.evaluation import Failure, Plan
from model.pieces import Piece
from model.report.figures import data_uri
from model.report.findings import Findings, gather
from model.report.page import contents, render
from model.report.sections import setting_effects, systems_at_a_glance
from model.settings import MpclSettings, Variant
from tests.model.report.pieces import known_pieces
from tests.model.tables import synthetic_table

TABLE = synthetic_table(people=3, seconds=10)
MODELS = {"mpcl": 0.8, "dldl": 0.5, "trees": 0.4, "train-mean": 0.1, "uniform": 0.0}
HOSTILE = "</td><script>alert('$x$')</script>&\x1b"
VOID = {"meta", "img", "br"}


class Page(HTMLParser):
    """What a page consists of; fails where a tag is not closed in order."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.words: dict[str, str] = {}
        self.section = ""
        self.feed(text)
        self.close()
        assert not self.open

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)
        if tag == "section":
            self.section = str(dict(attrs)["id"])

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.words[self.section] = self.words.get(self.section, "") + data

    def having(self, name: str) -> list[dict[str, str | None]]:
        return [attributes for tag, attributes in self.tags if tag == name]


def found_in(table: Table, models: dict[str, float], protocol: str = "loso") -> Findings:
    plan = Plan(protocol, tuple(models), seeds=(0,))
    return gather(table, plan, known_pieces(table, models))


@pytest.fixture(scope="module")
def text() -> str:
    return render(found_in(TABLE, MODELS))


def test_every_section_is_there_with_its_figures(text: str) -> None:
    page = Page(text)
    images = page.having("img")
    # intervals, samples, correlations, confusion, prototypes, losses, costs
    assert len(images) == 7
    for image in images:
        assert len(str(image["alt"])) > 30
        source = str(image["src"])
        assert source.startswith("data:image/svg+xml;base64,")
        root = ElementTree.fromstring(base64.b64decode(source.partition(",")[2]))
        assert root.tag.endswith("svg")
    sections = [one["id"] for one in page.having("section")]
    assert len(set(sections)) == len(sections)
    links = [str(one["href"]) for one in page.having("a")]
    assert links == [f"#{key}" for key in sections]
    assert "most frequent emotion of each person (oracle)" in page.words["confusion"]
    assert "2.0 of 4 for a single window" in page.words["prototypes"]
    assert "Every fold of every system was finished" in page.words["failures"]


def test_the_page_loads_and_runs_nothing(text: str) -> None:
    page = Page(text)
    assert not page.having("script") and not page.having("link")
    assert not re.search(r"(src|href)=\"(?!data:|#)", text)
    policy = next(one for one in page.having("meta") if "http-equiv" in one)
    assert str(policy["content"]).startswith("default-src 'none'")


def test_tables_have_headers_for_columns_and_rows(text: str) -> None:
    page = Page(text)
    scopes = [one.get("scope") for one in page.having("th")]
    assert set(scopes) == {"col", "row", "rowgroup"}
    assert len(page.having("caption")) == len(page.having("table")) > 4


def test_the_same_findings_give_the_same_bytes(text: str) -> None:
    (picture,) = systems_at_a_glance(found_in(TABLE, MODELS)).pictures
    assert data_uri(picture.figure) == Page(text).having("img")[0]["src"]


@pytest.fixture(scope="module")
def bare() -> Page:
    """One person with a hostile name, no stress, no network, and a failure."""
    alone = synthetic_table(people=1, seconds=10)
    table = dataclasses.replace(
        alone,
        dataset=HOSTILE,
        note=HOSTILE,
        stress=frozenset(),
        person=np.full(len(alone), HOSTILE),
        trial=np.array([one + HOSTILE if one else "" for one in alone.trial]),
        stretches={HOSTILE: alone.stretches["P0"]},
    )
    found = found_in(table, {"trees": 0.5, "uniform": 0.0}, "paper-sd")
    failure = Failure("trees", HOSTILE, HOSTILE, 0, f"ValueError: {HOSTILE}", "")
    return Page(render(dataclasses.replace(found, failures=[failure])))


def test_hostile_names_are_text(bare: Page) -> None:
    assert not bare.having("script")
    for section in ("", "samples", "failures"):
        assert "<script>alert('$x$')</script>" in bare.words[section]
    for image in bare.having("img"):
        ElementTree.fromstring(base64.b64decode(str(image["src"]).partition(",")[2]))


def test_what_is_missing_leaves_a_sentence(bare: Page) -> None:
    assert "MPCL was not run" in bare.words["prototypes"]
    assert "MPCL was not run" in bare.words["losses"]
    assert "there is no stress AUC" in bare.words["intervals"]
    assert "Only one person was tested" in bare.words["intervals"]
    assert "No other network was run" in bare.words["correlations"]
    assert "nothing for this kind of data" in bare.words["published"]


def test_references_alone_make_a_page() -> None:
    sections = {one.key: one for one in contents(found_in(TABLE, {"uniform": 0.0}))}
    assert "No two of the systems" in sections["paired"].text[0]


def calibrated(k: int, adaptation: str, part: float) -> list[Piece]:
    pieces = known_pieces(TABLE, {"mpcl": part, "train-mean": part / 2}, k=k)
    return [
        dataclasses.replace(one, fold=f"{one.fold}, k = {k}", adaptation=adaptation)
        for one in pieces
    ]


def test_calibration_is_shown_by_k_and_by_person() -> None:
    pieces = calibrated(0, "", 0.2) + calibrated(2, "none", 0.2) + calibrated(2, "shrinkage", 0.6)
    plan = Plan("calibrated-k", ("mpcl", "train-mean"), seeds=(0,), shots=(0, 2))
    sections = {one.key: one for one in contents(gather(TABLE, plan, pieces))}
    assert len(sections["calibration"].pictures) == 1
    assert "mpcl, shrinkage" in sections["calibration"].pictures[0].alt
    (grid,) = sections["people"].tables
    assert [row[0] for row in grid.rows] == ["mpcl", "train-mean"]
    assert [row[-1] for row in grid.rows] == ["0 of 3", "0 of 3"]
    worse = calibrated(0, "", 0.2) + calibrated(2, "none", 0.2) + calibrated(2, "shrinkage", 0.1)
    sections = {one.key: one for one in contents(gather(TABLE, plan, worse))}
    assert sections["people"].tables[0].rows[0][-1] == "3 of 3"


def test_a_setting_that_variants_change_alone_is_drawn_in_order() -> None:
    models = {"mpcl": 0.8, "tau = 0.5": 0.6, "tau = 0.05": 0.7, "both": 0.5}
    changes = {
        "tau = 0.5": {"relation_temperature": 0.5},
        "tau = 0.05": {"relation_temperature": 0.05},
        "both": {"relation_temperature": 0.2, "retrieval": 4.0},
    }
    variants = {name: Variant(changes=one) for name, one in changes.items()}
    plan = Plan("loso", tuple(models), (0,), settings=MpclSettings(), variants=variants)
    (section,) = setting_effects(gather(TABLE, plan, known_pieces(TABLE, models)))
    assert section.key == "effect-relation_temperature"
    ticks = re.findall(r"([\d.]+): ", section.pictures[0].alt)
    assert ticks == ["0.05", "0.1", "0.5"]


def test_prototypes_are_drawn_although_the_slots_follow_them() -> None:
    models = {"mpcl": 0.8, "K = 50": 0.6, "K = 200": 0.7}
    variants = {
        "K = 50": Variant({"prototypes": 50, "slots": (50, 25)}),
        "K = 200": Variant({"prototypes": 200, "slots": (200, 100)}),
    }
    plan = Plan("loso", tuple(models), (0,), settings=MpclSettings(), variants=variants)
    (section,) = setting_effects(gather(TABLE, plan, known_pieces(TABLE, models)))
    assert section.key == "effect-prototypes"
    assert "slots" in section.text[0]
    assert re.findall(r"(\d+): ", section.pictures[0].alt) == ["50", "100", "200"]
