"""Whether one stream can serve as one modality: labels, type, rate and units.

Labels are trusted before the type, since a stream typed EEG may hold ECG, EMG or GSR; the type
decides where labels are absent or say too little.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from fnmatch import fnmatchcase

from realtime.recording import StreamInfo
from realtime.rig import ModalitySettings
from realtime.units import Conversion, converter, is_unstated

# Type of the streams that this program publishes its own predictions on.
PREDICTION_TYPE = "affect"
# A label that counts channels says nothing of what they measure.
_COUNTED = re.compile(r"(ch|chan|channel|data|sensor|raw)?[\s_:#.-]*\d*", re.IGNORECASE)
# Streams about other streams carry their labels, but not their signals.
_ABOUT = re.compile(r"quality|battery|impedance|contact|accuracy|marker|event", re.IGNORECASE)
# OpenSignals names a channel after its sensor, its device and its port.
_OPENSIGNALS = re.compile(r"[A-Z]+BIT(REV)?\d+", re.IGNORECASE)
# What labels commonly begin with, by what they measure.
_KINDS = {
    "ECG": re.compile(r"ECG|EKG"),
    "EMG": re.compile(r"EMG"),
    "EOG": re.compile(r"[HV]?EOG"),
    "EEG": re.compile(r"EEG|(FP|AF|FC|FT|CP|TP|PO|F|C|T|P|O)(\d{1,2}|Z)$"),
    "EDA": re.compile(r"EDA|GSR|SKIN_?COND|ELECTRODERMAL|SC[LR]?$"),
    "PPG": re.compile(r"PPG|BVP|PULSE|OPTICS"),
    "respiration": re.compile(r"RESP|RIP"),
    "acceleration": re.compile(r"ACC"),
    "rotation": re.compile(r"GYR"),
    "magnetic field": re.compile(r"MAG"),
    "temperature": re.compile(r"TEMP|THERM|SKT"),
    "battery": re.compile(r"BATT"),
    "a counter": re.compile(r"COUNTER|NSEQ|SAMPLE|TIMESTAMP|INTERPOLATE"),
}


@dataclass(frozen=True, slots=True)
class Fit:
    """How a stream can serve as a modality, wholly or with some of its channels.

    Attributes
    ----------
    stream : StreamInfo
    columns : tuple of int
        Columns of the stream.
    channels : tuple of int
        The rig's channels that they become, in ascending order.
    conversion : Conversion
    rank : tuple of int
        Place of the stream's type and of its worst label in the rig's lists; less is better.
    notes : tuple of str
        What was chosen, assumed, converted and resampled, a clause each.
    """

    stream: StreamInfo
    columns: tuple[int, ...]
    channels: tuple[int, ...]
    conversion: Conversion
    rank: tuple[int, int]
    notes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why a stream that looks like a modality cannot serve as it."""

    reason: str


def fit(stream: StreamInfo, modality: ModalitySettings) -> Fit | Refusal | None:
    """Judge one stream for one modality.

    Returns
    -------
    Fit, Refusal or None
        None if the stream has nothing to do with the modality.
    """
    if stream.format == "string" or stream.type.casefold() == PREDICTION_TYPE:
        return None
    type_rank = _rank(stream.type, modality.types)
    if type_rank is None and (_ABOUT.search(stream.type) or _ABOUT.search(stream.name)):
        return None
    labels = _labels(stream, modality)
    found, notes = _by_label(labels, modality, typed=type_rank is not None)
    if not found:
        if type_rank is None:
            return None
        placed = _by_position(stream, modality, labels)
        if isinstance(placed, Refusal):
            return placed
        found, notes = placed
    channels = tuple(sorted(found))
    columns = tuple(found[channel][1] for channel in channels)
    refusal = _refused_rate(stream, modality) or _refused_counts(stream, modality, columns)
    if refusal is not None:
        return refusal
    conversion = _conversion(stream, modality, columns)
    if isinstance(conversion, Refusal):
        return conversion
    if len(columns) < stream.channel_count:
        taken = ", ".join(repr(labels[column]) for column in columns)
        notes.append(f"took {taken} of {stream.channel_count} channels")
    notes += _unit_notes(stream, modality, columns, conversion)
    if stream.rate == 0:
        notes.append(f"irregular: resampled to {modality.rate:g} Hz by its time stamps")
    elif stream.rate != modality.rate:
        notes.append(f"resampled from {stream.rate:g} Hz to {modality.rate:g} Hz")
    if stream.simulated:
        notes.append("simulated, no person")
    if stream.replay is not None:
        notes.append("a replay, no live device")
    rank = (
        len(modality.types) if type_rank is None else type_rank,
        max(place for place, _ in found.values()),
    )
    return Fit(stream, columns, channels, conversion, rank, tuple(notes))


def kind(label: str) -> str | None:
    """Return what a channel label says that it measures, or None if it does not say."""
    text = _spelled(label).upper()
    return next((name for name, pattern in _KINDS.items() if pattern.match(text)), None)


def _spelled(text: str) -> str:
    return re.sub(r"[\s.:/-]+", "_", text.strip()).casefold()


def _rank(text: str, patterns: tuple[str, ...]) -> int | None:
    """Return the place of the first pattern that fits, or None."""
    spelled = _spelled(text)
    for place, pattern in enumerate(patterns):
        # Square brackets are no wildcards in a rig file.
        if spelled and fnmatchcase(spelled, _spelled(pattern).replace("[", "[[]")):
            return place
    return None


def _labels(stream: StreamInfo, modality: ModalitySettings) -> tuple[str, ...]:
    """Return the stream's labels; a lone nameless channel is called as its stream."""
    if stream.channel_count == 1 and _COUNTED.fullmatch(stream.labels[0]):
        for text in (stream.type, stream.name):
            if any(_rank(text, channel.labels) is not None for channel in modality.channels):
                return (text,)
    return stream.labels


def _by_label(
    labels: tuple[str, ...], modality: ModalitySettings, typed: bool
) -> tuple[dict[int, tuple[int, int]], list[str]]:
    """Find the rig's channels among labels: channel to (place of its label, column)."""
    found: dict[int, tuple[int, int]] = {}
    notes = []
    for channel, settings in enumerate(modality.channels):
        places = []
        for column, label in enumerate(labels):
            place = _rank(label, settings.labels)
            # "X" or "IR" alone may be anything unless the stream's type says what.
            if place is not None and (typed or len(label.strip()) > 2):
                places.append((place, column))
        if places:
            found[channel] = min(places)
            same = sum(place == found[channel][0] for place, _ in places)
            if same > 1:
                notes.append(f"took the first of {same} channels that could be {settings.name}")
    return found, notes


def _by_position(
    stream: StreamInfo, modality: ModalitySettings, labels: tuple[str, ...]
) -> tuple[dict[int, tuple[int, int]], list[str]] | Refusal:
    """Take the channels of a stream whose type alone fits in their order."""
    own = {kind(label) for channel in modality.channels for label in channel.labels}
    others = sorted({said for label in labels if (said := kind(label)) and said not in own})
    listed = ", ".join(repr(label) for label in labels[:8]) + (", ..." if len(labels) > 8 else "")
    if others:
        return Refusal(
            f"is typed {stream.type!r}, but its labels {listed} say {' and '.join(others)}"
        )
    if stream.channel_count != len(modality.channels):
        return Refusal(
            f"has {stream.channel_count} channels, and no label among {listed} says which "
            f"{'is' if len(modality.channels) == 1 else 'are'} "
            f"{', '.join(channel.name for channel in modality.channels)}"
        )
    worst = max(len(channel.labels) for channel in modality.channels)
    placed = {channel: (worst, channel) for channel in range(len(modality.channels))}
    return placed, ["labels say nothing: channels taken in their order"]


def _refused_rate(stream: StreamInfo, modality: ModalitySettings) -> Refusal | None:
    low, high = modality.rate_range
    if stream.rate == 0 or low <= stream.rate <= high:
        return None
    return Refusal(f"runs at {stream.rate:g} Hz, outside the rig's {low:g} to {high:g} Hz")


def _refused_counts(
    stream: StreamInfo, modality: ModalitySettings, columns: tuple[int, ...]
) -> Refusal | None:
    if is_unstated(modality.unit):
        return None
    for column in columns:
        label = stream.labels[column]
        if _OPENSIGNALS.fullmatch(label.strip()) and is_unstated(stream.units[column]):
            return Refusal(
                f"gives raw converter counts (OpenSignals channel {label!r} without a unit), which "
                f"are no {modality.unit}: switch on unit conversion in OpenSignals"
            )
    return None


def _conversion(
    stream: StreamInfo, modality: ModalitySettings, columns: tuple[int, ...]
) -> Conversion | Refusal:
    units = {stream.units[column] for column in columns}
    conversions = set()
    for unit in sorted(units):
        # Without a statement the rig's own unit is assumed, and said so.
        found = Conversion() if is_unstated(unit) else converter(unit, modality.unit)
        if found is None:
            return Refusal(f"has the unit {unit!r}, which cannot be converted to {modality.unit}")
        conversions.add(found)
    if len(conversions) > 1:
        return Refusal(f"mixes the units {', '.join(repr(unit) for unit in sorted(units))}")
    return conversions.pop()


def _unit_notes(
    stream: StreamInfo,
    modality: ModalitySettings,
    columns: tuple[int, ...],
    conversion: Conversion,
) -> list[str]:
    if is_unstated(modality.unit):
        return []
    if any(is_unstated(stream.units[column]) for column in columns):
        return [f"states no unit: taken for {modality.unit}"]
    if not conversion.is_identity:
        return [f"converted from {stream.units[columns[0]]} to {modality.unit}"]
    return []
