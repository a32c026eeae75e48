"""Instruments: questionnaires as data, those that ship and a lab's own.

An instrument is a TOML file with its items and its scale; ``calibration/instruments`` holds the
ones that ship, and ``ipanas-sf.toml`` there explains the format. The texts that people read are
`calibration.wordings`.
"""

from __future__ import annotations

import random
import re
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Any

from calibration.ratings import MAX_ITEMS, check_item
from calibration.wordings import (
    LANGUAGES,
    MAX_FILE,
    Wording,
    complete_wordings,
    parse_toml,
    read_language,
    read_line,
    read_texts,
    refuse_unknown,
    shipped_words,
)
from model.labels import LabelSet
from realtime.errors import InputError

INSTRUMENTS = ("ipanas-sf", "panas10", "panas")
"""Names of the instruments that ship."""

SCORES = (2, 11)
"""Fewest and most scores of a scale; more would not fit side by side."""

_NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,63}")


@dataclass(frozen=True, slots=True)
class Item:
    """One item of a questionnaire: its name in data, and 1 if it is pleasant or -1 if not."""

    name: str
    valence: int


@dataclass(frozen=True, slots=True)
class Instrument:
    """A questionnaire in which every item gets a whole score.

    Attributes
    ----------
    name, title, source : str
        Its name in data, its name for people, and the publication that it is from.
    items : tuple of Item
    scale : tuple of int
        Lowest and highest score, both included.
    wordings : mapping of str to Wording
        Its texts by language; complete in each.
    """

    name: str
    title: str
    source: str
    items: tuple[Item, ...]
    scale: tuple[int, int]
    wordings: Mapping[str, Wording]

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the items, in the order of the instrument."""
        return tuple(item.name for item in self.items)

    @property
    def scores(self) -> range:
        """The scores that an item can get, the lowest first."""
        return range(self.scale[0], self.scale[1] + 1)

    def wording(self, language: str) -> Wording:
        """Return the texts in a language; InputError if there are none."""
        if language not in self.wordings:
            raise InputError(
                f"the instrument {self.name!r} has no texts in {language!r}: use one of "
                f"{', '.join(self.wordings)}, or add [texts.LANGUAGE] to a file of your own"
            )
        return self.wordings[language]

    def shuffled(self, seed: int | str) -> tuple[str, ...]:
        """Return the names of the items in a random order, the same for the same seed."""
        names = list(self.names)
        random.Random(seed).shuffle(names)
        return tuple(names)

    def covers(self, labels: LabelSet) -> bool:
        """Tell whether it asks for every emotion of a label set, on the same scale."""
        items = {(item.name, item.valence) for item in self.items}
        wanted = set(zip(labels.emotions, labels.valence, strict=True))
        return wanted <= items and self.scale == labels.scale


def load_instrument(name: str | Path) -> Instrument:
    """Read an instrument that ships, by name, or a lab's own, by path.

    Raises
    ------
    InputError
        If there is no such instrument, the file is not TOML, a key is unknown, missing or absurd,
        or it calls itself as one that ships and is another.
    """
    text = str(name)
    if text in INSTRUMENTS:
        folder = resources.files("calibration") / "instruments"
        return parse_instrument((folder / f"{text}.toml").read_text("utf-8"), text)
    path = Path(name)
    if not path.is_file():
        raise InputError(
            f"no instrument {text!r}: give one of {', '.join(INSTRUMENTS)}, or the path of a TOML "
            "file"
        )
    try:
        with path.open("rb") as file:
            content = file.read(MAX_FILE + 1)
        if len(content) > MAX_FILE:
            raise InputError(f"{text!r} is larger than {MAX_FILE // 1024} KiB: no instrument is")
        instrument = parse_instrument(content.decode("utf-8-sig"), text)
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"cannot read the instrument {text!r} ({error}): mend it") from error
    if instrument.name in INSTRUMENTS:
        # Such a file may bring other words, but data that go by this name must stay comparable.
        shipped = load_instrument(instrument.name)
        if (set(instrument.items), instrument.scale) != (set(shipped.items), shipped.scale):
            raise InputError(
                f"{text!r} is called {instrument.name!r}, as an instrument that ships, but has "
                "other items or another scale: give it a name of its own"
            )
    return instrument


def parse_instrument(content: str, source: str) -> Instrument:
    """Build an instrument from TOML text; `source` names it in errors."""
    table = parse_toml(content, source)
    refuse_unknown(table, ("name", "title", "source", "scale", "items", "texts"), source, "")
    name = table.get("name")
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        raise InputError(
            f"{source!r}: name is {name!r:.80}, must be 1 to 64 small letters, digits, '.', '_' or "
            "'-'"
        )
    items = _read_items(table.get("items"), source)
    low, high = _read_scale(table.get("scale"), source)
    texts = table.get("texts", {})
    if not isinstance(texts, dict):
        raise InputError(f"{source!r}: texts is {texts!r:.80}, must be tables [texts.LANGUAGE]")
    own = {
        read_language(code, source): read_texts(entry, source, f"texts.{code}.")
        for code, entry in texts.items()
    }
    return Instrument(
        name=name,
        title=read_line(table.get("title", name), "title", source),
        source=read_line(table.get("source", "unpublished"), "source", source, 600),
        items=items,
        scale=(low, high),
        wordings=complete_wordings([item.name for item in items], high - low + 1, own, source),
    )


def chosen_instrument(source: str | Path, labels: LabelSet) -> Instrument:
    """Return the instrument that a protocol names, or `instrument_for` the model if it names none.

    Raises
    ------
    InputError
        As `load_instrument`, or if its ratings do not say all that the model predicts.
    """
    if source == "":
        return instrument_for(labels)
    named = load_instrument(source)
    missing = [name for name in labels.emotions if name not in named.names]
    if missing:
        raise InputError(
            f"the questionnaire {named.name!r} does not ask for {', '.join(missing)}, which the "
            "model predicts: name none in the protocol, and the model's own is asked"
        )
    return named


def instrument_for(labels: LabelSet) -> Instrument:
    """Return an instrument whose ratings say something about every emotion of a label set.

    The shortest that ships and covers the label set; or else one that asks for exactly its
    emotions: on its scale where that has 3 to 11 whole scores, and from 0 to 4 otherwise.
    """
    shipped = [load_instrument(name) for name in INSTRUMENTS]
    covering = [instrument for instrument in shipped if instrument.covers(labels)]
    if covering:
        return min(covering, key=lambda one: (one.name != labels.name, len(one.items)))
    low, high = (int(edge) for edge in labels.scale)
    whole = (low, high) == labels.scale and 3 <= high - low + 1 <= SCORES[1]
    scale = (low, high) if whole else (0, 4)
    between = [""] * (scale[1] - scale[0] - 1)
    own: dict[str, dict[str, Any]] = {}
    if len(between) != 3:  # the words that ship are for five scores; their ends fit any scale
        for code in LANGUAGES:
            words = shipped_words(code)
            anchors = (words.anchors[0], *between, words.anchors[-1])
            if all(name in words.items for name in labels.emotions) or code == "en":
                own[code] = {"anchors": anchors, "instruction": words.instruction}
    source = f"label set {labels.name}"
    pairs = zip(labels.emotions, labels.valence, strict=True)
    return Instrument(
        name=labels.name,
        title=labels.name,
        source=labels.instrument,
        items=_read_items(dict(pairs), source),
        scale=scale,
        wordings=complete_wordings(labels.emotions, scale[1] - scale[0] + 1, own, source),
    )


def _read_items(table: object, source: str) -> tuple[Item, ...]:
    if not isinstance(table, dict) or not 2 <= len(table) <= MAX_ITEMS:
        raise InputError(
            f"{source!r}: items is {table!r:.80}, must be a table [items] of 2 to {MAX_ITEMS} "
            "names, each with 1 (pleasant) or -1 (unpleasant)"
        )
    seen: set[str] = set()
    for name, valence in table.items():
        try:
            check_item(name)
        except InputError as error:
            raise InputError(f"{source!r}: {error}") from None
        if name.casefold() in seen:
            raise InputError(f"{source!r}: items has {name!r} twice: give each item one name")
        seen.add(name.casefold())
        if valence not in (1, -1) or not isinstance(valence, int) or isinstance(valence, bool):
            raise InputError(
                f"{source!r}: items.{name} is {valence!r:.40}, must be 1 (pleasant) or -1 "
                "(unpleasant)"
            )
    return tuple(Item(name, valence) for name, valence in table.items())


def _read_scale(value: object, source: str) -> tuple[int, int]:
    if (
        not isinstance(value, list)
        or len(value) != 2
        or not all(type(edge) is int for edge in value)
        or value[0] < 0
    ):
        raise InputError(
            f"{source!r}: scale is {value!r:.80}, must be the lowest and the highest score, whole "
            "numbers not below 0, such as [1, 5]"
        )
    low, high = value
    if not SCORES[0] <= high - low + 1 <= SCORES[1]:
        raise InputError(
            f"{source!r}: scale {value!r:.80} has {high - low + 1} scores, must have {SCORES[0]} "
            f"to {SCORES[1]}"
        )
    return low, high
