"""A protocol: what a guided calibration session shows, in which order, and how it is rated.

Protocols are TOML files. The one that ships lies in ``calibration/protocols`` and needs no other
files; labs copy it, and list their own pictures, videos and sounds beside it.
"""

from __future__ import annotations

import hashlib
import json
import random
import re
import tomllib
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from importlib import resources
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import Any

from realtime.errors import InputError
from realtime.metadata import clean

ORDERS = ("fixed", "random")
REST = (60.0, 180.0)
"""Seconds of rest, shortest and longest. A shorter one makes a poor baseline; in a longer one
people grow restless."""

BREATHS = 6.0
"""Breaths a minute of paced breathing: near the resonance of the baroreflex, at which heart rate
follows the breath most (Lehrer and Gevirtz 2014)."""

_MAX_FILE = 1_000_000  # bytes of a protocol, and of a text that it shows
_MAX_TEXT = 20_000  # characters that are shown
_MAX_SECONDS = 3600.0
_MAX_STIMULI = 200
_MAX_TRIALS = 500  # their order fits into one marker


@dataclass(frozen=True, slots=True)
class _Needs:
    """What a kind of stimulus must have (True), may have (None) or must not have (False)."""

    file: bool | None
    text: bool | None
    seconds: bool | None


KINDS: Mapping[str, _Needs] = {
    "video": _Needs(file=True, text=None, seconds=None),
    "picture": _Needs(file=True, text=None, seconds=True),
    "sound": _Needs(file=True, text=None, seconds=None),
    "text": _Needs(file=None, text=None, seconds=True),
    "experimenter": _Needs(file=False, text=True, seconds=None),
    "breathing": _Needs(file=False, text=None, seconds=True),
    "recall": _Needs(file=False, text=True, seconds=True),
    "arithmetic": _Needs(file=False, text=None, seconds=True),
}


@dataclass(frozen=True, slots=True)
class Stimulus:
    """One thing that a person sees, hears or does, and rates afterwards.

    Attributes
    ----------
    kind : str
        One of `KINDS`.
    condition : str
        What it is meant to bring about, such as ``stress``; goes into the markers and is not
        shown to the person.
    text : str
        Of a text, what is read; of recall and experimenter, what to do; else what is said before.
    file : str
        Relative to the protocol's folder; empty without one.
    seconds : float or None
        How long it lasts; None: until a video or sound is over, or the experimenter says done.
    """

    kind: str
    condition: str
    text: str = ""
    file: str = ""
    seconds: float | None = None


@dataclass(frozen=True, slots=True)
class Protocol:
    """A guided session.

    Attributes
    ----------
    name : str
    title : str
    consent : str
        What the person agrees to; paragraphs with an empty line between them.
    rest : float
        Seconds of rest before the first trial.
    instrument : str
        Name of the questionnaire, or a TOML file relative to the protocol's folder; empty for the
        one of the model that is fitted.
    language : str
        In which its items are shown, such as ``en``.
    order : str
        ``fixed``, or ``random``: shuffled anew in every repeat.
    repeats : int
        How often the whole list is gone through.
    break_every : int
        Trials between two breaks; 0: no breaks.
    break_seconds : float
    stimuli : tuple of Stimulus
    folder : Path or None
        Where its files are; None for a protocol that ships.
    """

    name: str
    title: str
    consent: str
    rest: float
    instrument: str
    language: str
    order: str
    repeats: int
    break_every: int
    break_seconds: float
    stimuli: tuple[Stimulus, ...]
    folder: Path | None = None

    def path(self, stimulus: Stimulus) -> Path | None:
        """Return where a stimulus's file is; None if it has none."""
        if not stimulus.file or self.folder is None:
            return None
        return self.folder / stimulus.file

    @property
    def instrument_source(self) -> str | Path:
        """The questionnaire's name, or the path of its file; empty if none is named."""
        if self.folder is not None and self.instrument.endswith(".toml"):
            return self.folder / self.instrument
        return self.instrument

    @property
    def digest(self) -> str:
        """Hash of everything but the folder: a session can be resumed with the same one only."""
        content = {key: value for key, value in asdict(self).items() if key != "folder"}
        return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()

    def sequence(self, seed: int) -> tuple[int, ...]:
        """Return the place in `stimuli` of each trial, in order."""
        draw = random.Random(seed)
        places: list[int] = []
        for _ in range(self.repeats):
            block = list(range(len(self.stimuli)))
            if self.order == "random":
                draw.shuffle(block)
            places += block
        return tuple(places)


def shipped_protocols() -> tuple[str, ...]:
    """Names of the protocols that come with the package."""
    folder = resources.files("calibration") / "protocols"
    names = (item.name for item in folder.iterdir())
    return tuple(sorted(name.removesuffix(".toml") for name in names if name.endswith(".toml")))


def load_protocol(source: str | Path) -> Protocol:
    """Read a protocol that ships, by name, or a lab's own, by path.

    Raises
    ------
    InputError
        If there is no such protocol; if it is not TOML; if a key is unknown, missing or absurd; or
        if a file that it names is missing or lies outside its folder.
    """
    text = str(source)
    if text in shipped_protocols():
        content = (resources.files("calibration") / "protocols" / f"{text}.toml").read_text("utf-8")
        return parse_protocol(content, text)
    path = Path(source)
    if not path.is_file():
        raise InputError(
            f"no protocol {text!r}: give one of {', '.join(shipped_protocols())}, or the path of a "
            "TOML file"
        )
    return parse_protocol(_read(path, f"the protocol {text!r}"), text, path.parent)


def parse_protocol(content: str, source: str, folder: Path | None = None) -> Protocol:
    """Build a protocol from TOML text.

    Parameters
    ----------
    content : str
    source : str
        Names it in errors.
    folder : Path, optional
        Where its files are; without one it can name none.

    Raises
    ------
    InputError
        As `load_protocol`.
    """
    try:
        table = tomllib.loads(content)
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        raise InputError(f"protocol {source!r} is not valid TOML: {error}") from error
    entries = table.pop("stimuli", None)
    read = _Reader(source, table, "")
    name = read.text("name", limit=40)
    if not re.fullmatch(r"[a-z0-9][a-z0-9_-]*", name):
        read.refuse("name", name, "small letters, digits, - and _")
    if not isinstance(entries, list) or not 1 <= len(entries) <= _MAX_STIMULI:
        raise InputError(
            f"protocol {source!r} needs 1 to {_MAX_STIMULI} [[stimuli]] tables: list what is shown"
        )
    protocol = Protocol(
        name=name,
        title=read.text("title", limit=120),
        consent=read.text("consent"),
        rest=read.number("rest", *REST, "s"),
        instrument=read.text("instrument", limit=200, default=""),
        language=read.text("language", limit=20, default="en"),
        order=read.choice("order", ORDERS),
        repeats=read.count("repeats", 1, 20, 1),
        break_every=read.count("break_every", 0, 100, 0),
        break_seconds=read.number("break_seconds", 5.0, _MAX_SECONDS, "s", 30.0),
        stimuli=tuple(
            _stimulus(entry, source, f"stimuli[{place}].", folder)
            for place, entry in enumerate(entries, start=1)
        ),
        folder=None if folder is None else folder.resolve(),
    )
    read.refuse_unknown()
    if protocol.instrument.endswith(".toml"):
        read.file("instrument", protocol.instrument, folder)
    if len(protocol.stimuli) * protocol.repeats > _MAX_TRIALS:
        read.refuse("repeats", protocol.repeats, f"so few that there are {_MAX_TRIALS} trials")
    return protocol


def _stimulus(entry: Any, source: str, where: str, folder: Path | None) -> Stimulus:
    if not isinstance(entry, dict):
        raise InputError(f"protocol {source!r}: {where[:-1]} is {entry!r}, must be a table")
    read = _Reader(source, entry, where)
    kind = read.choice("kind", tuple(KINDS))
    needs = KINDS[kind]
    for key in ("file", "text", "seconds"):
        needed = getattr(needs, key)
        if needed is True and key not in entry:
            raise InputError(f"protocol {source!r}: {where}{key} is missing: a {kind} needs one")
        if needed is False and key in entry:
            raise InputError(
                f"protocol {source!r}: {where}{key} is {_short(entry[key])}: a {kind} has none, "
                "remove it"
            )
    stimulus = Stimulus(
        kind=kind,
        condition=read.text("condition", limit=60),
        text=read.text("text") if "text" in entry else "",
        file=read.text("file", limit=400) if "file" in entry else "",
        seconds=read.number("seconds", 1.0, _MAX_SECONDS, "s") if "seconds" in entry else None,
    )
    read.refuse_unknown()
    if not stimulus.file:
        if kind == "text" and not stimulus.text:
            raise InputError(f"protocol {source!r}: {where}text is missing: give text or file")
        return stimulus
    path = read.file("file", stimulus.file, folder)
    if kind != "text":
        return stimulus
    if stimulus.text:
        raise InputError(f"protocol {source!r}: {where[:-1]} has text and file: leave one out")
    content = _tidy(_read(path, f"{where}file of protocol {source!r}"))
    if not 0 < len(content) <= _MAX_TEXT:
        raise InputError(
            f"protocol {source!r}: {where}file {stimulus.file!r} has {len(content)} characters, "
            f"must have 1 to {_MAX_TEXT}"
        )
    return Stimulus(kind, stimulus.condition, content, stimulus.file, stimulus.seconds)


class _Reader:
    """Takes checked values out of a table."""

    def __init__(self, source: str, table: dict[str, Any], where: str) -> None:
        self._source, self._table, self._where = source, table, where
        self._known: list[str] = []

    def refuse(self, key: str, value: object, must: str) -> None:
        raise InputError(
            f"protocol {self._source!r}: {self._where}{key} is {_short(value)}, must be {must}"
        )

    def refuse_unknown(self) -> None:
        known = dict.fromkeys([*self._known, *(("file", "text", "seconds") if self._where else ())])
        for key in self._table:
            if key not in known:
                raise InputError(
                    f"protocol {self._source!r} has an unknown key {_short(self._where + key)}: "
                    f"use one of {', '.join(known)}"
                )

    def text(self, key: str, limit: int = _MAX_TEXT, default: str | None = None) -> str:
        value = self._get(key, default)
        if not isinstance(value, str) or not (_tidy(value) or value == default):
            self.refuse(key, value, "text")
        if len(value) > limit:
            self.refuse(key, value, f"at most {limit} characters long")
        return _tidy(value)

    def choice(self, key: str, among: tuple[str, ...]) -> str:
        value = self._get(key)
        if value not in among:
            self.refuse(key, value, f"one of {', '.join(among)}")
        return str(value)

    def count(self, key: str, lowest: int, highest: int, default: int) -> int:
        value = self._get(key, default)
        if not isinstance(value, int) or isinstance(value, bool) or not lowest <= value <= highest:
            self.refuse(key, value, f"a whole number from {lowest} to {highest}")
        return int(value)

    def number(
        self, key: str, lowest: float, highest: float, unit: str, default: float | None = None
    ) -> float:
        value = self._get(key, default)
        number = isinstance(value, int | float) and not isinstance(value, bool)
        if not number or not lowest <= value <= highest:
            self.refuse(key, value, f"{lowest:g} to {highest:g} {unit}")
        return float(value)

    def file(self, key: str, name: str, folder: Path | None) -> Path:
        """Return the path of a file that lies in the protocol's folder, and nowhere else."""
        if folder is None:
            self.refuse(key, name, "left out: a protocol that ships has no files")
        inside = Path() if folder is None else folder.resolve()
        parts = PurePosixPath(name)
        # What another system takes for a path out of the folder is refused on this one too.
        rooted = parts.is_absolute() or PureWindowsPath(name).drive or "\\" in name
        if rooted or ".." in parts.parts:
            self.refuse(key, name, "a path below the protocol's folder, with / between its parts")
        path = (inside / name).resolve()
        if not path.is_relative_to(inside):
            self.refuse(key, name, "in the protocol's folder, not a link out of it")
        if not path.is_file():
            raise InputError(
                f"protocol {self._source!r}: {self._where}{key} {name!r} is not there: put the "
                f"file into {str(inside)!r}, or correct its name"
            )
        return path

    def _get(self, key: str, default: Any = None) -> Any:
        self._known.append(key)
        value = self._table.get(key, default)
        if value is None:
            raise InputError(
                f"protocol {self._source!r} lacks the key {self._where + key!r}: add it"
            )
        return value


def _tidy(text: str) -> str:
    """Return paragraphs of printable text, one a line, with an empty line between them."""
    paragraphs = re.split(r"\n\s*\n", text.replace("\r\n", "\n"))
    tidied = (clean(paragraph, len(paragraph) + 1) for paragraph in paragraphs)
    return "\n\n".join(paragraph for paragraph in tidied if paragraph)


def _read(path: Path, what: str) -> str:
    try:
        if path.stat().st_size > _MAX_FILE:
            raise InputError(f"{what} is longer than {_MAX_FILE} bytes: shorten it")
        return path.read_text("utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"cannot read {what}: {error}: save it as UTF-8 text") from error


def _short(value: object) -> str:
    shown = repr(value)
    return shown if len(shown) <= 80 else shown[:79] + "…"
