"""Wordings: the texts of questionnaires in several languages, as data files.

The words that ship lie in ``calibration/instruments/translations``, one file a language: texts of
items, anchors for five scores, an instruction, and the words on the form itself.
"""

from __future__ import annotations

import functools
import re
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from importlib import resources
from typing import Any

from calibration.ratings import MAX_ITEMS
from realtime.errors import InputError
from realtime.metadata import clean

LANGUAGES = ("en", "de", "fr", "es")
"""Languages that ship."""

FORM = {
    "title": "over the form",
    "done": "on the button that ends the rating",
    "skip": "on the button that leaves without one",
    "clear": "for the button that takes an answer back",
    "unanswered": "of an item without an answer",
    "progress": "with {answered} and {total}",
    "keys": "about the keys, with {lowest} and {highest}",
    "incomplete": "when some items have no answer, with {count}",
    "abandon": "when answers would be lost",
}
"""The words on the form, and where each is shown."""

MAX_FILE = 256 * 1024  # bytes of a file of texts
_MAX_LINE = 80  # characters of an anchor, an item's text or a title
_MAX_TEXT = 600  # characters of an instruction or a note
_LANGUAGE = re.compile(r"[a-z]{2,3}(-[A-Za-z0-9]{2,8}){0,3}")


@dataclass(frozen=True, slots=True)
class Wording:
    """The texts of one questionnaire in one language.

    Attributes
    ----------
    language : str
        Its code, such as ``de``.
    note : str
        Where the texts are from, and what they are good for; not shown to who answers.
    instruction : str
    anchors : tuple of str
        What each score stands for, the lowest first; empty where a score has no words of its own.
    items : mapping of str to str
        Text of each item by its name.
    form : mapping of str to str
        The words of the form itself, by the keys of `FORM`.
    """

    language: str
    note: str
    instruction: str
    anchors: tuple[str, ...]
    items: Mapping[str, str]
    form: Mapping[str, str]


@functools.cache
def shipped_words(language: str) -> Wording:
    """Return the words that ship in one of `LANGUAGES`; anchors are for five scores."""
    folder = resources.files("calibration") / "instruments" / "translations"
    table = parse_toml((folder / f"{language}.toml").read_text("utf-8"), language)
    if table.pop("language", None) != language:
        raise ValueError(f"the words of {language!r} say they are of another language")
    own = read_texts(table, language, "")
    if own.keys() != {field.name for field in fields(Wording)} - {"language"}:
        raise ValueError(f"the words of {language!r} are incomplete: {sorted(own)}")
    return Wording(language=language, **own)


def parse_toml(content: str, source: str) -> dict[str, Any]:
    """Read TOML; InputError if it is none, where `source` names the file."""
    try:
        return tomllib.loads(content)
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        raise InputError(f"{source!r} is not valid TOML ({error}): mend it") from error


def read_texts(table: object, source: str, where: str) -> dict[str, Any]:
    """Read the texts that a table holds, of those that a `Wording` has.

    Parameters
    ----------
    table : object
        What a file holds in the place of a language's texts.
    source, where : str
        The file, and the place in it with a dot at its end, for errors.

    Raises
    ------
    InputError
        If a key is unknown, or a text is none or too long.
    """
    known = [field.name for field in fields(Wording) if field.name != "language"]
    if not isinstance(table, dict):
        raise InputError(f"{source!r}: {where.rstrip('.')} is {table!r:.80}, must be a table")
    refuse_unknown(table, known, source, where)
    found: dict[str, Any] = {}
    for key, value in table.items():
        if key in ("note", "instruction"):
            found[key] = read_line(value, f"{where}{key}", source, _MAX_TEXT)
        elif key == "anchors":
            if not isinstance(value, list) or len(value) > MAX_ITEMS:
                raise InputError(
                    f"{source!r}: {where}anchors is {value!r:.80}, must be a list with a text for "
                    "each score"
                )
            found[key] = tuple(
                read_line(text, f"{where}anchors", source, empty=True) for text in value
            )
        else:
            found[key] = _read_table(value, key, source, where)
    if "form" in found:
        refuse_unknown(found["form"], list(FORM), source, f"{where}form.")
    return found


def read_line(
    value: object, where: str, source: str, limit: int = _MAX_LINE, empty: bool = False
) -> str:
    """Return a text as one line without control characters; InputError if it is none, or long."""
    text = clean(value, 2 * limit) if isinstance(value, str) else ""
    if not isinstance(value, str) or len(text) > limit or not (text or empty):
        raise InputError(
            f"{source!r}: {where} is {value!r:.80}, must be a text of "
            f"{'at most' if empty else '1 to'} {limit} characters"
        )
    return text


def refuse_unknown(table: Mapping[str, Any], known: Sequence[str], source: str, where: str) -> None:
    """Raise InputError if a table holds a key that means nothing."""
    for key in table:
        if key not in known:
            raise InputError(
                f"{source!r}: {where}{key!r:.60} is unknown: use {', '.join(map(str, known))}"
            )


def read_language(code: str, source: str) -> str:
    """Return a language's code; InputError if it is none."""
    if not _LANGUAGE.fullmatch(code):
        raise InputError(
            f"{source!r}: the language {code!r:.40} is no code: write it as 'de' or 'pt-BR'"
        )
    return code


def complete_wordings(
    names: Sequence[str], count: int, own: Mapping[str, Mapping[str, Any]], source: str
) -> dict[str, Wording]:
    """Complete the texts of a questionnaire from the words that ship.

    Parameters
    ----------
    names : sequence of str
        Its items.
    count : int
        How many scores an item can get.
    own : mapping of str to mapping
        What `read_texts` found of its own, by language. These languages must get complete;
        another one is left out if it does not.
    source : str
        The questionnaire's file, for errors.

    Raises
    ------
    InputError
        If texts are lacking, or belong to no item or score.
    """
    wordings = {}
    for code in dict.fromkeys((*LANGUAGES, *own)):
        where = f"texts.{code}."
        given = own.get(code, {})
        items = {name: name for name in names} if code == "en" else {}
        shipped: dict[str, Any] = {}
        if code in LANGUAGES:
            words = shipped_words(code)
            items |= {name: words.items[name] for name in names if name in words.items}
            shipped = {"note": words.note, "form": words.form}
            # In all languages instruction and anchors must say the same: all own, or all shipped.
            if not any("instruction" in texts for texts in own.values()):
                shipped["instruction"] = words.instruction
            if count == len(words.anchors) and not any("anchors" in t for t in own.values()):
                shipped["anchors"] = words.anchors
        refuse_unknown(given.get("items", {}), names, source, f"{where}items.")
        items |= given.get("items", {})
        form = {**shipped.get("form", {}), **given.get("form", {})}
        texts = {"note": "", **shipped, **given, "items": items, "form": form}
        lacking = [f"{where}{key}" for key in ("instruction", "anchors") if key not in texts]
        lacking += [f"{where}items.{name}" for name in names if name not in items]
        lacking += [f"{where}form.{key} ({FORM[key]})" for key in FORM if key not in form]
        if not lacking:
            _check_anchors(texts["anchors"], count, source, where)
            texts["items"] = {name: items[name] for name in names}
            wordings[code] = Wording(language=code, **texts)
        elif code in own or (code == "en" and not own):
            raise InputError(f"{source!r} lacks {', '.join(lacking)}: add these texts")
    return wordings


def _check_anchors(anchors: tuple[str, ...], count: int, source: str, where: str) -> None:
    if len(anchors) != count or not anchors[0] or not anchors[-1]:
        raise InputError(
            f"{source!r}: {where}anchors is {list(anchors)!r:.80} for {count} scores, must have "
            "one text each, of which only those in the middle may be empty"
        )


def _read_table(value: object, key: str, source: str, where: str) -> dict[str, str]:
    if not isinstance(value, dict) or len(value) > 4 * MAX_ITEMS:
        raise InputError(
            f"{source!r}: {where}{key} is {value!r:.80}, must be a table of texts by name"
        )
    limit = _MAX_LINE if key == "items" else 2 * _MAX_LINE
    return {
        name: read_line(text, f"{where}{key}.{name:.40}", source, limit)
        for name, text in value.items()
    }
