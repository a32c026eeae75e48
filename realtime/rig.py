"""A rig: which sensors form one setup, and how each is filtered, windowed and described.

Rigs are TOML files. The ones that ship lie in ``realtime/rigs``; users copy and edit them.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from dataclasses import MISSING, dataclass, fields
from importlib import resources
from pathlib import Path
from typing import Any

from realtime.errors import InputError

ROLES = ("primary", "auxiliary", "behavioural")

MAX_RUN = 4096  # channels that one line of a rig file may stand for
_RUN = re.compile(r"\[(\d{1,6})-(\d{1,6})\]")


@dataclass(frozen=True, slots=True)
class FilterSettings:
    """A causal Butterworth filter.

    Attributes
    ----------
    low, high : float or None
        Pass band in Hz; only `low` is a high-pass, only `high` a low-pass.
    order : int
    settle : float
        Seconds after a (re)start during which the output counts as missing.
    bridge : float
        Longest gap in seconds that is bridged by a straight line, for the filter alone.
    notch : float or None
        Mains frequency in Hz that is taken out, by a second-order notch of quality 30.
    """

    low: float | None = None
    high: float | None = None
    order: int = 2
    settle: float = 1.0
    bridge: float = 0.5
    notch: float | None = None


@dataclass(frozen=True, slots=True)
class ChannelSettings:
    """One channel of a modality: its name in the rig, and labels that it goes by, best first.

    A ``*`` in a label stands for any run of characters; case does not matter.
    """

    name: str
    labels: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class ModalitySettings:
    """One sensor of a rig.

    Attributes
    ----------
    name : str
        Key in the file, and prefix of its features (``ppg``).
    role : str
        ``primary``, ``auxiliary`` or ``behavioural``.
    features : str
        Name of a feature set (`realtime.features.FEATURE_SETS`).
    types : tuple of str
        LSL stream types that may carry it, best first.
    channels : tuple of ChannelSettings
    unit : str
        Samples are converted to it.
    rate : float
        Rate in 1/s of the grid that windows are cut from.
    rate_range : tuple of float
        Lowest and highest stream rate that is accepted (others are refused with the reason).
    window : float
        How far back a window reaches, in seconds.
    filter : FilterSettings
    min_valid : float
        Smallest share of valid samples with which the modality is used.
    max_age : float
        Greatest age of the newest sample, in seconds at a window's end, with which it is used.
    min_channels : int
        How many of the channels must be there; 0 for all. The others may be absent, and are NaN.
    options : tuple of (str, value)
        What the feature set lets a rig choose, such as the frequency bands of EEG.
    """

    name: str
    role: str
    features: str
    types: tuple[str, ...]
    channels: tuple[ChannelSettings, ...]
    unit: str
    rate: float
    rate_range: tuple[float, float]
    window: float
    filter: FilterSettings = FilterSettings()
    min_valid: float = 0.5
    max_age: float = 5.0
    min_channels: int = 0
    options: tuple[tuple[str, Any], ...] = ()

    @property
    def needed_channels(self) -> int:
        """How many channels must be there."""
        return self.min_channels or len(self.channels)

    @property
    def channel_names(self) -> tuple[str, ...]:
        """The rig's names of the channels, in order."""
        return tuple(channel.name for channel in self.channels)


@dataclass(frozen=True, slots=True)
class Rig:
    """A setup of sensors.

    Attributes
    ----------
    name, description : str
    hop : float
        Seconds between windows.
    warm_up : float
        Seconds of data before the first, partial window goes out.
    lateness : float
        Seconds of wall time that a complete modality waits for the others; under 2.
    modalities : tuple of ModalitySettings
        The primary one first.
    """

    name: str
    description: str
    hop: float
    warm_up: float
    lateness: float
    modalities: tuple[ModalitySettings, ...]

    def modality(self, name: str) -> ModalitySettings:
        """Return a modality by name; KeyError if the rig has none such."""
        for modality in self.modalities:
            if modality.name == name:
                return modality
        raise KeyError(name)


def shipped_rigs() -> tuple[str, ...]:
    """Names of the rigs that come with the package."""
    folder = resources.files("realtime") / "rigs"
    return tuple(
        sorted(
            item.name.removesuffix(".toml")
            for item in folder.iterdir()
            if item.name.endswith(".toml")
        )
    )


def load_rig(name: str | Path) -> Rig:
    """Read a rig that ships, by name, or a user's own, by path.

    Raises
    ------
    InputError
        If there is no such rig, or the file is not TOML, or a key is unknown, missing or absurd.
    """
    text = str(name)
    if text in shipped_rigs():
        content = (resources.files("realtime") / "rigs" / f"{text}.toml").read_text("utf-8")
        return parse_rig(content, text)
    path = Path(name)
    if not path.is_file():
        raise InputError(
            f"no rig {text!r}: give one of {', '.join(shipped_rigs())}, or the path of a TOML file"
        )
    try:
        content = path.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"cannot read the rig file {text!r}: {error}") from error
    return parse_rig(content, text)


def parse_rig(content: str, source: str) -> Rig:
    """Build a rig from TOML text; `source` names it in errors."""
    try:
        table = tomllib.loads(content)
    except tomllib.TOMLDecodeError as error:
        raise InputError(f"rig file {source!r} is not valid TOML: {error}") from error
    modalities = table.pop("modalities", None)
    if not isinstance(modalities, dict) or not modalities:
        raise InputError(f"rig file {source!r} has no [modalities.NAME] table: add at least one")
    own = {"name": str, "description": str, "hop": float, "warm_up": float, "lateness": float}
    _refuse_unknown(table, own, source, "")
    values = {key: _value(table, key, kind, source, "") for key, kind in own.items()}
    built = [_modality(key, entry, source) for key, entry in modalities.items()]
    rig = Rig(**values, modalities=tuple(sorted(built, key=lambda m: ROLES.index(m.role))))
    _check(rig, source)
    return rig


def _modality(name: str, entry: Any, source: str) -> ModalitySettings:
    where = f"modalities.{name}."
    if not isinstance(entry, dict):
        raise InputError(f"rig file {source!r}: modalities.{name} must be a table, not {entry!r}")
    known = [field.name for field in fields(ModalitySettings) if field.name != "name"]
    _refuse_unknown(entry, known, source, where)
    role = _value(entry, "role", str, source, where)
    if role not in ROLES:
        raise InputError(
            f"rig file {source!r}: {where}role is {role!r}, must be one of {', '.join(ROLES)}"
        )
    types = entry.get("types")
    if not isinstance(types, list) or not types or not all(isinstance(t, str) for t in types):
        raise InputError(f"rig file {source!r}: {where}types is {types!r}, must be a list of names")
    channels = entry.get("channels")
    if (
        not isinstance(channels, dict)
        or not channels
        or not all(
            isinstance(labels, list) and labels and all(isinstance(t, str) for t in labels)
            for labels in channels.values()
        )
    ):
        raise InputError(
            f"rig file {source!r}: {where}channels is {channels!r}, must map each channel's name "
            'to a list of labels, such as { BVP = ["BVP", "PPG"] }'
        )
    limits = entry.get("rate_range")
    if (
        not isinstance(limits, list)
        or len(limits) != 2
        or not all(_is_number(x) for x in limits)
        or not 0 < limits[0] <= limits[1]
    ):
        raise InputError(
            f"rig file {source!r}: {where}rate_range is {limits!r}, must be [lowest, highest] in Hz"
        )
    filter_table = entry.get("filter", {})
    if not isinstance(filter_table, dict):
        raise InputError(f"rig file {source!r}: {where}filter must be a table")
    _refuse_unknown(
        filter_table, [f.name for f in fields(FilterSettings)], source, f"{where}filter."
    )
    kinds = {
        **{"low": float, "high": float, "order": int, "settle": float},
        **{"bridge": float, "notch": float},
    }
    filter_values = {
        key: _value(filter_table, key, kinds[key], source, f"{where}filter.")
        for key in filter_table
    }
    optional = {
        key: _value(entry, key, kind, source, where)
        for key, kind in (("min_valid", float), ("max_age", float), ("min_channels", int))
        if key in entry
    }
    options = entry.get("options", {})
    if not isinstance(options, dict):
        raise InputError(f"rig file {source!r}: {where}options must be a table, not {options!r}")
    return ModalitySettings(
        name=name,
        role=role,
        features=_value(entry, "features", str, source, where),
        types=tuple(types),
        channels=_channels(channels, source, where),
        unit=_value(entry, "unit", str, source, where),
        rate=_value(entry, "rate", float, source, where),
        rate_range=(float(limits[0]), float(limits[1])),
        window=_value(entry, "window", float, source, where),
        filter=FilterSettings(**filter_values),
        options=tuple((key, _frozen(value)) for key, value in sorted(options.items())),
        **optional,
    )


def _channels(
    table: Mapping[str, list[str]], source: str, where: str
) -> tuple[ChannelSettings, ...]:
    """Build channels; ``[0-255]`` in a name and its labels stands for each number in turn."""
    built = []
    for name, labels in table.items():
        run = _RUN.search(name)
        if run is None:
            built.append(ChannelSettings(name, tuple(labels)))
            continue
        first, last = int(run[1]), int(run[2])
        if not 0 <= last - first < MAX_RUN:
            raise InputError(
                f"rig file {source!r}: {where}channels has {name!r}, must run upwards over at "
                f"most {MAX_RUN} numbers"
            )
        for number in map(str, range(first, last + 1)):
            built.append(
                ChannelSettings(
                    name.replace(run[0], number),
                    tuple(label.replace(run[0], number) for label in labels),
                )
            )
    return tuple(built)


def _frozen(value: Any) -> Any:
    """Turn lists and tables into tuples, so that settings cannot be changed by mistake."""
    if isinstance(value, list):
        return tuple(_frozen(item) for item in value)
    if isinstance(value, dict):
        return tuple((key, _frozen(item)) for key, item in value.items())
    return value


def _check(rig: Rig, source: str) -> None:
    """Refuse numbers that cannot work."""

    def refuse(what: str, value: object, must: str) -> None:
        raise InputError(f"rig file {source!r}: {what} is {value!r}, must be {must}")

    if not 0.1 <= rig.hop <= 60:
        refuse("hop", rig.hop, "0.1 to 60 s")
    if not 0 < rig.lateness < 2:
        refuse("lateness", rig.lateness, "above 0 and under 2 s")
    if not rig.hop <= rig.warm_up <= 600:
        refuse("warm_up", rig.warm_up, "at least one hop and at most 600 s")
    primaries = [m.name for m in rig.modalities if m.role == "primary"]
    if len(primaries) != 1:
        refuse("the number of primary modalities", len(primaries), "exactly 1")
    for modality in rig.modalities:
        where = f"modalities.{modality.name}."
        if not modality.name.isidentifier():
            refuse("a modality's name", modality.name, "letters, digits and underscores")
        if not 0.1 <= modality.rate <= 20000:
            refuse(f"{where}rate", modality.rate, "0.1 to 20000 Hz")
        if not rig.hop <= modality.window <= 3600:
            refuse(f"{where}window", modality.window, "at least one hop and at most 3600 s")
        low, high = modality.filter.low, modality.filter.high
        nyquist = modality.rate / 2
        for key, edge in (("low", low), ("high", high), ("notch", modality.filter.notch)):
            if edge is not None and not 0 < edge < nyquist:
                refuse(f"{where}filter.{key}", edge, f"above 0 and below {nyquist:g} Hz")
        if low is not None and high is not None and low >= high:
            refuse(f"{where}filter.low", low, f"below filter.high = {high:g} Hz")
        if not 1 <= modality.filter.order <= 10:
            refuse(f"{where}filter.order", modality.filter.order, "1 to 10")
        if not 0 <= modality.filter.settle <= 60:
            refuse(f"{where}filter.settle", modality.filter.settle, "0 to 60 s")
        if not 0 <= modality.filter.bridge <= 10:
            refuse(f"{where}filter.bridge", modality.filter.bridge, "0 to 10 s")
        if not 0 < modality.min_valid <= 1:
            refuse(f"{where}min_valid", modality.min_valid, "above 0 and at most 1")
        if not 0 <= modality.min_channels <= len(modality.channels):
            refuse(
                f"{where}min_channels",
                modality.min_channels,
                f"0 (all) to {len(modality.channels)}, the number of channels",
            )
        if not 0 < modality.max_age <= 60:
            refuse(f"{where}max_age", modality.max_age, "above 0 and at most 60 s")


def _refuse_unknown(table: Mapping[str, Any], known: Any, source: str, where: str) -> None:
    for key in table:
        if key not in known:
            raise InputError(
                f"rig file {source!r} has an unknown key {where + key!r}: "
                f"use one of {', '.join(known)}"
            )


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _value(table: Mapping[str, Any], key: str, kind: type, source: str, where: str) -> Any:
    value = table.get(key, MISSING)
    if value is MISSING:
        raise InputError(f"rig file {source!r} lacks the key {where + key!r}: add it")
    if kind is str and isinstance(value, str):
        return value
    if kind is int and isinstance(value, int) and not isinstance(value, bool):
        return value
    if kind is float and _is_number(value):
        return float(value)
    names = {str: "text", int: "a whole number", float: "a number"}
    raise InputError(f"rig file {source!r}: {where + key} is {value!r}, must be {names[kind]}")
