"""Whether one stream can serve as one modality: labels, type, rate and units.

Labels are trusted before the type, since a stream typed EEG may hold ECG, EMG or GSR; the type
decides where labels are absent or say too little.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from functools import lru_cache

from realtime.errors import InputError
from realtime.labels import columns_by_label, is_counted, kind, listed, place_of
from realtime.recording import StreamInfo
from realtime.rig import ChannelSettings, ModalitySettings
from realtime.units import Conversion, converter, is_unstated
from realtime.video import TEXTURE_TYPE, frame_format, is_video, texture_of

# Type of the streams that this program publishes its own predictions on.
PREDICTION_TYPE = "affect"
# Streams about other streams carry their labels, but not their signals.
_ABOUT = re.compile(r"quality|battery|impedance|contact|accuracy|marker|event", re.IGNORECASE)
# So many labels of a wide stream are read for what they say, at most.
_READ = 512
# OpenSignals names a channel after its sensor, its device and its port.
_OPENSIGNALS = re.compile(r"[A-Z]+BIT(REV)?\d+", re.IGNORECASE)
# Channels of these are axes, which every device sends in the order X, Y, Z. Electrodes have no
# such order.
_AXES = frozenset({"acceleration", "rotation", "magnetic field"})


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
    """Why a stream that looks like a modality cannot serve as it.

    Attributes
    ----------
    reason : str
    meaning : str
        What the user would say by choosing the stream all the same; empty if that is no help.
    """

    reason: str
    meaning: str = ""


def fit(
    stream: StreamInfo, modality: ModalitySettings, chosen: bool = False
) -> Fit | Refusal | None:
    """Judge one stream for one modality.

    Parameters
    ----------
    stream : StreamInfo
    modality : ModalitySettings
    chosen : bool
        The user says that this stream is the modality: where labels say nothing, its channels are
        taken in their order, or by number (``#1`` is the first) where the rig names numbers, and
        its type does not matter.

    Returns
    -------
    Fit, Refusal or None
        None if the stream has nothing to do with the modality.
    """
    if stream.format == "string" or stream.type.casefold() == PREDICTION_TYPE:
        return None
    if is_video(stream):
        return _fit_video(stream, modality)
    type_rank = place_of(stream.type, modality.types)
    if type_rank is None and (_ABOUT.search(stream.type) or _ABOUT.search(stream.name)):
        return None
    labels = _labels(stream, modality)
    if type_rank is None and not chosen and not any(labels):
        return None
    if chosen:
        labels = tuple(label or f"#{number}" for number, label in enumerate(labels, 1))
    found, notes = _by_label(labels, modality, typed=chosen or type_rank is not None)
    if not found:
        if type_rank is None and not chosen:
            return None
        placed = _by_position(stream, modality, labels, chosen)
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
        taken = listed([repr(labels[column]) for column in columns])
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


def _fit_video(stream: StreamInfo, modality: ModalitySettings) -> Fit | Refusal | None:
    """Judge a video stream as the texture stream that its frames become."""
    if place_of(TEXTURE_TYPE, modality.types) is None:
        return None
    try:
        texture = texture_of(stream)
        verdict = fit(texture, modality)
        face_crop = frame_format(stream).face_crop
    except InputError as error:
        return Refusal(str(error))
    if not isinstance(verdict, Fit):
        return verdict
    found = "" if face_crop else ", in which a face is found first"
    note = f"made from {stream.type} frames{found}"
    # A camera's own texture stream is better than its frames.
    rank = (len(modality.types) + 1, verdict.rank[1])
    return replace(
        verdict,
        stream=replace(stream, rate=texture.rate),
        rank=rank,
        notes=(note, *verdict.notes),
    )


def lacking(stream: StreamInfo, channels: tuple[int, ...], modality: ModalitySettings) -> str:
    """Say that a stream gives only some of a modality's channels, and what to do about it."""
    names = modality.channel_names
    have = listed([names[channel] for channel in channels])
    if not _is_montage(modality.channels):
        return f"gives only {have} of {', '.join(names)}"
    labels = [label for label in stream.labels if label]
    return (
        f"gives {f'only {have}' if have else 'none'} of the rig's {len(names)} channels "
        f"({listed(names)}), at least {modality.needed_channels} are needed, and it has "
        + (
            f"{listed(labels)}: copy the rig file and list your own montage"
            if labels
            else f"{stream.channel_count} without labels: label them in the device's software, or "
            "copy the rig file, list your own montage and choose the stream with --bind"
        )
    )


@lru_cache(maxsize=64)
def _kinds(channels: tuple[ChannelSettings, ...]) -> frozenset[str | None]:
    """Return what the labels of a rig's channels say that they measure."""
    return frozenset(kind(label) for channel in channels for label in channel.labels)


def _is_montage(channels: tuple[ChannelSettings, ...]) -> bool:
    """Tell whether the order of a modality's channels is the user's own affair."""
    return len(channels) > 1 and not _kinds(channels) & _AXES


def _labels(stream: StreamInfo, modality: ModalitySettings) -> tuple[str, ...]:
    """Return the stream's labels; a lone nameless channel is called as its stream."""
    if stream.channel_count == 1 and is_counted(stream.labels[0]):
        for text in (stream.type, stream.name):
            if any(place_of(text, channel.labels) is not None for channel in modality.channels):
                return (text,)
    return stream.labels


def _by_label(
    labels: tuple[str, ...], modality: ModalitySettings, typed: bool
) -> tuple[dict[int, tuple[int, int]], list[str]]:
    """Find the rig's channels among labels: channel to (place of its label, column)."""
    # "X" or "IR" alone may be anything unless the stream's type says what.
    hits = columns_by_label(labels, modality.channels, shortest=1 if typed else 3)
    notes = [
        f"took the first of {same} channels that could be {modality.channels[channel].name}"
        for channel, (_, _, same) in hits.items()
        if same > 1
    ]
    return {channel: (place, column) for channel, (place, column, _) in hits.items()}, notes


def _by_position(
    stream: StreamInfo, modality: ModalitySettings, labels: tuple[str, ...], chosen: bool
) -> tuple[dict[int, tuple[int, int]], list[str]] | Refusal:
    """Take the channels in their order, if the type or the user says what they are."""
    own = _kinds(modality.channels)
    quoted = listed([repr(label) for label in labels[:9]])
    named = [label for label in list(dict.fromkeys(labels))[:_READ] if not is_counted(label)]
    others = sorted({said for label in named if (said := kind(label)) and said not in own})
    montage = _is_montage(modality.channels)
    if others and (not montage or all(kind(label) in others for label in named)):
        typed = place_of(stream.type, modality.types) is not None
        return Refusal(
            (f"is typed {stream.type!r}, but its labels" if typed else "has labels that")
            + f" say {' and '.join(others)} ({quoted})"
        )
    names = modality.channel_names
    if montage and (named or stream.channel_count != len(names)):
        return Refusal(lacking(stream, (), modality))
    if stream.channel_count != len(names):
        said = f"no label among {quoted} says" if any(stream.labels) else "no labels that say"
        return Refusal(
            f"has {stream.channel_count} channels, and {said} which "
            f"{'is' if len(names) == 1 else 'are'} {', '.join(names)}"
        )
    if montage and not chosen:
        return Refusal(
            f"has {len(names)} channels like the rig, but nothing says which is which",
            f"they are {', '.join(names)}, in this order",
        )
    worst = max(len(channel.labels) for channel in modality.channels)
    placed = {channel: (worst, channel) for channel in range(len(modality.channels))}
    return placed, [
        "labels say nothing: channels taken in their order" + (", as chosen" if montage else "")
    ]


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
