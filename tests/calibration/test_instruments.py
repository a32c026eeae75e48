from __future__ import annotations

import tomllib
from importlib import resources
from pathlib import Path

import pytest

from calibration.instruments import (
    INSTRUMENTS,
    chosen_instrument,
    instrument_for,
    load_instrument,
    parse_instrument,
)
from calibration.wordings import FORM, LANGUAGES, MAX_FILE, shipped_words
from model.labels import EDL7, IPANAS_SF, LABEL_SETS, PANAS10, LabelSet
from realtime.errors import InputError

FOLDER = resources.files("calibration") / "instruments"

OWN = """
name = "calm-3"
title = "Calm or not"
scale = [0, 2]
[items]
calm = 1
afraid = -1
"at ease" = 1
[texts.en]
instruction = "How did you feel?"
anchors = ["no", "some", "yes"]
[texts.de]
instruction = "Wie haben Sie sich gefühlt?"
anchors = ["nein", "etwas", "ja"]
items = { calm = "ruhig", "at ease" = "wohl" }
"""


def changed(old: str, new: str) -> str:
    assert OWN.count(old) == 1
    return OWN.replace(old, new)


def test_every_file_that_ships_is_listed() -> None:
    files = {item.name for item in FOLDER.iterdir() if item.is_file()}
    assert files == {f"{name}.toml" for name in INSTRUMENTS}
    words = {item.name for item in (FOLDER / "translations").iterdir()}
    assert words == {f"{code}.toml" for code in LANGUAGES}


@pytest.mark.parametrize("name", INSTRUMENTS)
def test_what_ships_is_complete_in_every_language(name: str) -> None:
    instrument = load_instrument(name)
    assert instrument.name == name
    assert tuple(instrument.wordings) == LANGUAGES
    assert list(instrument.scores) == [1, 2, 3, 4, 5]
    for wording in instrument.wordings.values():
        assert tuple(wording.items) == instrument.names
        assert len(set(wording.items.values())) == len(instrument.items)
        assert len(set(wording.anchors)) == 5
        assert wording.instruction
        assert wording.form.keys() == FORM.keys()
    positive = [item.name for item in instrument.items if item.valence == 1]
    assert len(positive) * 2 == len(instrument.items)


def test_the_items_are_those_of_the_label_sets() -> None:
    for name, labels in (("ipanas-sf", IPANAS_SF), ("panas10", PANAS10)):
        items = {(item.name, item.valence) for item in load_instrument(name).items}
        assert items == set(zip(labels.emotions, labels.valence, strict=True))
    panas = load_instrument("panas")
    assert len(panas.items) == 20
    assert panas.covers(PANAS10)
    assert panas.covers(IPANAS_SF)


@pytest.mark.parametrize("code", [code for code in LANGUAGES if code != "en"])
def test_translations_say_that_they_are_ours(code: str) -> None:
    words = shipped_words(code)
    assert "not validated" in words.note
    english = shipped_words("en")
    assert words.items.keys() == english.items.keys()
    assert {emotion for labels in LABEL_SETS.values() for emotion in labels.emotions} <= set(
        words.items
    )
    for key, text in english.form.items():
        for mark in ("{answered}", "{total}", "{count}", "{lowest}", "{highest}"):
            assert (mark in text) == (mark in words.form[key]), f"{key} {mark}"


def test_a_labs_own(tmp_path: Path) -> None:
    path = tmp_path / "calm.toml"
    path.write_bytes(b"\xef\xbb\xbf" + OWN.replace("\n", "\r\n").encode())  # as Notepad saves it
    own = load_instrument(path)
    assert own.names == ("calm", "afraid", "at ease")
    assert [item.valence for item in own.items] == [1, -1, 1]
    # Instruction and anchors are its own, so that languages without them are not offered.
    assert tuple(own.wordings) == ("en", "de")
    assert own.wording("en").items == {"calm": "calm", "afraid": "afraid", "at ease": "at ease"}
    german = own.wording("de")
    assert german.items == {"calm": "ruhig", "afraid": "ängstlich", "at ease": "wohl"}
    assert german.anchors == ("nein", "etwas", "ja")
    assert german.form == shipped_words("de").form
    with pytest.raises(InputError, match="'fr'.*en, de"):
        own.wording("fr")


def test_words_that_ship_complete_a_list_of_five_scores() -> None:
    small = parse_instrument('name = "a"\nscale = [0, 4]\nitems = { joy = 1, fear = -1 }', "a")
    assert tuple(small.wordings) == LANGUAGES
    assert small.wording("es").items == {"joy": "alegría", "fear": "miedo"}
    odd = parse_instrument('name = "a"\nscale = [0, 4]\nitems = { joy = 1, bored = -1 }', "a")
    assert tuple(odd.wordings) == ("en",)


def test_a_language_of_ones_own_needs_every_text() -> None:
    swedish = changed("[texts.en]", "[texts.sv]")
    with pytest.raises(InputError, match=r"texts\.sv\.items\.calm.*texts\.sv\.form\.done"):
        parse_instrument(swedish, "own.toml")
    form = "".join(f'{key} = "x"\n' for key in FORM)
    items = '\nitems = { calm = "lugn", afraid = "rädd", "at ease" = "väl" }\n'
    more = swedish.replace("[texts.de]", f"{items}\n[texts.sv.form]\n{form}\n[texts.de]")
    assert tuple(parse_instrument(more, "own.toml").wordings) == ("de", "sv")


def test_the_words_of_a_shipped_one_may_be_replaced_but_not_its_items(tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    shipped = (FOLDER / "panas10.toml").read_text("utf-8")
    path.write_text(f'{shipped}\n[texts.de]\nitems = {{ alert = "wach" }}\n', "utf-8")
    assert load_instrument(path).wording("de").items["alert"] == "wach"
    path.write_text(shipped.replace("alert = 1", "calm = 1"), "utf-8")
    with pytest.raises(InputError, match="'panas10'.*name of its own"):
        load_instrument(path)


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("scale = [0, 2]", "scale = 3", "scale is 3"),
        ("scale = [0, 2]", "scale = [2, 0]", "-1 scores"),
        ("scale = [0, 2]", "scale = [-1, 1]", "not below 0"),
        ("scale = [0, 2]", "scale = [0, 0.5]", "whole"),
        ("scale = [0, 2]", "scale = [0, 100]", "101 scores"),
        ("scale = [0, 2]", "", "scale is None"),
        ("scale = [0, 2]", "scale = [0, 3]", "for 4 scores"),
        ('name = "calm-3"', 'name = "../calm"', "'../calm'"),
        ('name = "calm-3"', "", "name is None"),
        ('title = "Calm or not"', f'title = "{"x" * 81}"', "title is"),
        ('title = "Calm or not"', "colour = 1", "'colour' is unknown"),
        ("calm = 1\n", "calm = 2\n", r"items\.calm is 2"),
        ("calm = 1\n", "calm = true\n", "items.calm is True"),
        ("calm = 1\n", "calm = 1\nCalm = 1\n", "'Calm' twice"),
        ("calm = 1\n", "calm = 1\ncalm = 1\n", "not valid TOML"),
        ("calm = 1\n", '"ca\\u001blm" = 1\n', "printable"),
        ("calm = 1\n", '"" = 1\n', "empty"),
        ('calm = 1\nafraid = -1\n"at ease" = 1\n', "calm = 1\n", "2 to 64"),
        ('calm = "ruhig"', 'clam = "ruhig"', "'clam' is unknown"),
        ('calm = "ruhig", ', "", r"lacks texts\.de\.items\.calm"),
        ('calm = "ruhig"', "calm = 5", "items.calm is 5"),
        ('["nein", "etwas", "ja"]', '["nein", "etwas", ""]', "one text each"),
        ('["nein", "etwas", "ja"]', '"nein"', "anchors is 'nein'"),
        ("[texts.de]", "[texts.German]", "'German' is no code"),
        ('anchors = ["no", "some", "yes"]', "form.ok = 'x'", "'ok' is unknown"),
        ('anchors = ["no", "some", "yes"]', "", r"lacks texts\.en\.anchors"),
        ("scale = [0, 2]", "scale = " + "[" * 5000, "not valid TOML"),
    ],
)
def test_bad_files_are_refused_with_the_reason(old: str, new: str, said: str) -> None:
    with pytest.raises(InputError, match=said) as caught:
        parse_instrument(changed(old, new), "own.toml")
    assert "own.toml" in str(caught.value)
    assert len(str(caught.value)) < 700


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="'nope'.*ipanas-sf"):
        load_instrument("nope")
    path = tmp_path / "big.toml"
    path.write_bytes(b"#" * (MAX_FILE + 1))
    with pytest.raises(InputError, match="larger"):
        load_instrument(path)
    path.write_bytes(b"name = '\xff'")
    with pytest.raises(InputError, match="cannot read"):
        load_instrument(path)


def test_every_label_set_gets_an_instrument() -> None:
    assert instrument_for(PANAS10).name == "panas10"
    assert instrument_for(IPANAS_SF).name == "ipanas-sf"
    made = instrument_for(EDL7)  # its scale is that of shares: none to answer on
    assert (made.names, made.scale) == (EDL7.emotions, (0, 4))
    assert tuple(made.wordings) == LANGUAGES
    few = LabelSet("few", "mine", ("guilty", "proud"), (-1, 1), (1.0, 5.0))
    assert instrument_for(few).name == "panas"
    wide = LabelSet("wide", "mine", ("joy", "bored"), (1, -1), (1.0, 7.0))
    made = instrument_for(wide)
    assert (made.scale, tuple(made.wordings)) == ((1, 7), ("en",))
    assert made.wording("en").anchors == ("very slightly or not at all", *[""] * 5, "extremely")
    turned = LabelSet("turned", "mine", ("alert", "proud"), (-1, 1), (1.0, 5.0))
    assert instrument_for(turned).names == ("alert", "proud")


def test_a_protocol_may_name_what_asks_for_all_that_the_model_predicts(tmp_path: Path) -> None:
    assert chosen_instrument("", PANAS10).name == "panas10"
    assert chosen_instrument("panas", IPANAS_SF).name == "panas"
    own = tmp_path / "own.toml"
    items = "".join(f"{name} = 1\n" for name in ("glad", "calm"))
    own.write_text(f'name = "own"\nscale = [1, 5]\n[items]\n{items}', "utf-8")
    wide = LabelSet("wide", "mine", ("glad", "calm"), (1, 1), (1.0, 7.0))
    assert chosen_instrument(own, wide).name == "own"  # ratings know their own scale
    with pytest.raises(
        InputError, match=r"'ipanas-sf' does not ask for excited, .*the model's own"
    ):
        chosen_instrument("ipanas-sf", PANAS10)


def test_the_order_is_random_and_repeatable() -> None:
    panas = load_instrument("panas")
    orders = [panas.shuffled(f"anna/{trial}") for trial in range(20)]
    assert orders == [panas.shuffled(f"anna/{trial}") for trial in range(20)]
    assert len(set(orders)) == 20
    assert all(sorted(order) == sorted(panas.names) for order in orders)


def test_examples_in_comments_hold() -> None:
    """The file that explains the format is itself an instrument."""
    table = tomllib.loads((FOLDER / "ipanas-sf.toml").read_text("utf-8"))
    assert set(table) == {"name", "title", "source", "scale", "items"}
