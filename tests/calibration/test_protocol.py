"""Protocols: what is read from a TOML file, and what is refused."""

from __future__ import annotations

import dataclasses
import os
from pathlib import Path

import pytest

from calibration.protocol import KINDS, load_protocol, parse_protocol, shipped_protocols
from realtime.errors import InputError

HEAD = """
name = "lab"
title = "Lab"
consent = "Yes."
rest = 60
instrument = "ipanas-sf"
order = "fixed"
"""
STIMULI = """
[[stimuli]]
kind = "breathing"
seconds = 20
condition = "calm"

[[stimuli]]
kind = "picture"
file = "pictures/a.png"
seconds = 5
condition = "picture"

[[stimuli]]
kind = "video"
file = "b.mp4"
condition = "film"

[[stimuli]]
kind = "text"
file = "c.txt"
seconds = 30
condition = "neutral"

[[stimuli]]
kind = "experimenter"
text = "Offer a glass of water."
condition = "drink"
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    inside = tmp_path / "lab"
    (inside / "pictures").mkdir(parents=True)
    (inside / "pictures" / "a.png").write_bytes(b"a")
    (inside / "b.mp4").write_bytes(b"b")
    (inside / "c.txt").write_text("One line\nof text.\r\n\r\nAnd \x07another.", "utf-8")
    (inside / "own.toml").write_text("")
    (tmp_path / "secret.png").write_bytes(b"s")
    (inside / "lab.toml").write_text(HEAD + STIMULI, "utf-8")
    return inside


def test_a_labs_own_protocol_is_read(folder: Path) -> None:
    protocol = load_protocol(folder / "lab.toml")
    assert [s.kind for s in protocol.stimuli] == [
        *("breathing", "picture", "video", "text", "experimenter")
    ]
    assert [s.seconds for s in protocol.stimuli] == [20.0, 5.0, None, 30.0, None]
    assert protocol.path(protocol.stimuli[1]) == folder / "pictures" / "a.png"
    assert protocol.path(protocol.stimuli[0]) is None
    assert protocol.stimuli[3].text == "One line of text.\n\nAnd another."
    assert (protocol.repeats, protocol.break_every) == (1, 0)
    assert protocol.sequence(5) == (0, 1, 2, 3, 4)
    assert protocol.instrument_source == "ipanas-sf"
    own = (HEAD + STIMULI).replace("ipanas-sf", "own.toml")
    assert parse_protocol(own, "lab", folder).instrument_source == folder / "own.toml"


def test_what_ships_works_without_files() -> None:
    assert "basic" in shipped_protocols()
    for name in shipped_protocols():
        protocol = load_protocol(name)
        assert protocol.name == name
        assert not any(stimulus.file for stimulus in protocol.stimuli)
    basic = load_protocol("basic")
    assert {s.kind for s in basic.stimuli} == {"breathing", "recall", "arithmetic", "text"}
    assert len({s.condition for s in basic.stimuli}) == 5


def test_random_order_is_shuffled_anew_in_every_repeat() -> None:
    basic = dataclasses.replace(load_protocol("basic"), repeats=4)
    order = basic.sequence(7)
    assert order == basic.sequence(7) != basic.sequence(8)
    blocks = [order[start : start + 5] for start in range(0, 20, 5)]
    assert all(sorted(block) == [0, 1, 2, 3, 4] for block in blocks)
    assert len(set(blocks)) > 1


def test_digest_changes_with_what_is_shown(folder: Path, tmp_path: Path) -> None:
    protocol = load_protocol(folder / "lab.toml")
    elsewhere = tmp_path / "elsewhere"
    folder.rename(elsewhere)
    assert load_protocol(elsewhere / "lab.toml").digest == protocol.digest
    (elsewhere / "c.txt").write_text("Something else.")
    assert load_protocol(elsewhere / "lab.toml").digest != protocol.digest


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("rest = 60", "rest = 20", r"rest is 20, must be 60 to 180 s"),
        ("rest = 60", "rest = nan", r"rest is nan, must be 60 to 180 s"),
        ("rest = 60", "rest = true", r"rest is True, must be 60 to 180 s"),
        ("rest = 60", "rest = '60'", r"rest is '60', must be 60 to 180 s"),
        ("rest = 60", "", r"lacks the key 'rest': add it"),
        ("rest = 60", "rest = 60\nrepeats = 0", r"repeats is 0, must be a whole number from 1 to"),
        ("rest = 60", "rest = 60\nrepeats = 1.5", r"repeats is 1.5, must be a whole number"),
        ("rest = 60", "rest = 60\nresst = 60", r"unknown key 'resst': use one of name, title"),
        ("rest = 60", "rest = ", r"not valid TOML"),
        ('"fixed"', '"sorted"', r"order is 'sorted', must be one of fixed, random"),
        ('"fixed"', '["fixed"]', r"order is \['fixed'\], must be one of"),
        ('"lab"', '"../lab"', r"name is '../lab', must be small letters"),
        ('"Lab"', '"  "', r"title is '  ', must be text"),
        ('"Yes."', "7", r"consent is 7, must be text"),
        ('"ipanas-sf"', '"../own.toml"', r"instrument is '../own.toml', must be a path below"),
        ('"ipanas-sf"', '"other.toml"', r"instrument 'other.toml' is not there"),
        ("[[stimuli]]", "[[stimulus]]", r"unknown key 'stimulus'"),
        ('"breathing"', '"dancing"', r"stimuli\[1\].kind is 'dancing', must be one of video"),
        ('"breathing"', '"recall"', r"stimuli\[1\].text is missing: a recall needs one"),
        ('"breathing"', '"breathing"\nfile = "b.mp4"', r"a breathing has none, remove it"),
        (
            '"breathing"',
            '"breathing"\npace = 6',
            r"unknown key 'stimuli\[1\].pace': use one of kin",
        ),
        ("seconds = 20", "seconds = 0", r"stimuli\[1\].seconds is 0, must be 1 to 3600 s"),
        ("seconds = 20", "", r"stimuli\[1\].seconds is missing"),
        ('condition = "calm"', "", r"lacks the key 'stimuli\[1\].condition'"),
        ("pictures/a.png", "pictures/z.png", r"'pictures/z.png' is not there: put the file into"),
        ("pictures/a.png", "pictures", r"'pictures' is not there"),
        ("pictures/a.png", "../secret.png", r"must be a path below the protocol's folder"),
        ("pictures/a.png", "/etc/passwd", r"must be a path below the protocol's folder"),
        ("pictures/a.png", "C:/a.png", r"must be a path below the protocol's folder"),
        ("pictures/a.png", "..\\\\secret.png", r"must be a path below the protocol's folder"),
        ('"c.txt"', '"c.txt"\ntext = "x"', r"stimuli\[4\] has text and file: leave one out"),
        ('file = "c.txt"', "", r"stimuli\[4\].text is missing: give text or file"),
    ],
)
def test_what_cannot_work_is_refused_with_a_hint(
    folder: Path, old: str, new: str, said: str
) -> None:
    content = (HEAD + STIMULI).replace(old, new, 1)
    assert content != HEAD + STIMULI
    with pytest.raises(InputError, match=said) as caught:
        parse_protocol(content, "lab.toml", folder)
    assert "lab.toml" in str(caught.value)


def test_files_that_are_no_protocol_are_refused(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"no protocol 'advanced': give one of basic"):
        load_protocol("advanced")
    (folder / "lab.toml").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(InputError, match="save it as UTF-8"):
        load_protocol(folder / "lab.toml")
    (folder / "c.txt").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(InputError, match="save it as UTF-8"):
        parse_protocol(HEAD + STIMULI, "lab", folder)
    (folder / "c.txt").write_text("x" * 30_000)
    with pytest.raises(InputError, match="30000 characters, must have 1 to 20000"):
        parse_protocol(HEAD + STIMULI, "lab", folder)
    with pytest.raises(InputError, match=r"needs 1 to 200 \[\[stimuli\]\] tables"):
        parse_protocol(HEAD, "lab")
    with pytest.raises(InputError, match="a protocol that ships has no files"):
        parse_protocol(HEAD + STIMULI, "lab")


@pytest.mark.skipif(os.name == "nt", reason="links need rights there")
def test_a_link_out_of_the_folder_is_refused(folder: Path, tmp_path: Path) -> None:
    (folder / "pictures" / "a.png").unlink()
    (folder / "pictures" / "a.png").symlink_to(tmp_path / "secret.png")
    with pytest.raises(InputError, match="not a link out of it"):
        load_protocol(folder / "lab.toml")


def test_every_kind_says_what_it_needs() -> None:
    shown = (Path(__file__).parents[2] / "calibration" / "protocols" / "basic.toml").read_text()
    assert all(f" {kind}" in shown for kind in KINDS)
