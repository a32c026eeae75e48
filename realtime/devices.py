"""Which streams come from one device, and what they give together."""

from __future__ import annotations

import itertools
import re
from collections.abc import Sequence

from realtime.fit import Fit, lacking
from realtime.recording import StreamInfo
from realtime.rig import ModalitySettings

Group = tuple[Fit, ...]
"""Streams that together give the channels of one modality, as many as are needed."""


def described(stream: StreamInfo) -> str:
    """Return a stream's name, type and rate for messages."""
    rate = f"{stream.rate:g} Hz" if stream.rate else "irregular"
    return f"{stream.name!r} ({stream.type or 'no type'}, {rate})"


def newest(streams: Sequence[StreamInfo]) -> tuple[list[StreamInfo], list[str]]:
    """Keep the newest of streams that are the same one, as when a device was started again."""
    newest: dict[tuple[str, ...], StreamInfo] = {}
    notes = []
    for info in streams:
        # A device may give all its streams one source id, so name and type belong to it.
        identity = (info.source_id, info.name, info.type) if info.source_id else ("", info.key)
        other = newest.get(identity)
        if other is not None:
            notes.append(f"{described(info)} is there twice under one source id: took the newest.")
        if other is None or info.created_at >= other.created_at:
            newest[identity] = info
    return list(newest.values()), notes


def complete(fits: list[Fit], modality: ModalitySettings, refused: dict[str, str]) -> list[Group]:
    """Return every set of streams of one device that gives as many channels as are needed."""
    needed = modality.needed_channels
    groups: list[Group] = [(item,) for item in fits if len(item.channels) >= needed]
    parts: dict[str, list[Fit]] = {}
    for item in fits:
        if len(item.channels) < needed:
            parts.setdefault(device_of(item.stream), []).append(item)
    joined = [group for device in parts.values() for group in _join(device, modality)]
    if not joined and not groups:
        # Ids may differ in ways of their own; if each channel is there once there is no doubt.
        everything = _join([item for device in parts.values() for item in device], modality)
        joined = everything if len(everything) == 1 else []
    groups += joined
    used = {item.stream.key for group in groups for item in group}
    for item in itertools.chain.from_iterable(parts.values()):
        if item.stream.key not in used:
            refused[item.stream.key] = lacking(item.stream, item.channels, modality)
    return groups


def best_groups(groups: list[Group]) -> list[Group]:
    """Return the best group of each device: one if all is clear."""
    devices: dict[str, list[Group]] = {}
    for group in groups:
        devices.setdefault(device_of(group[0].stream), []).append(group)
    if len(devices) > 1 and _are_siblings([group[0].stream for group in groups]):
        devices = {"": groups}
    found = []
    for own in devices.values():
        # More channels are better, whatever they are called.
        ranks = [
            (-sum(len(item.channels) for item in group), max(item.rank for item in group))
            for group in own
        ]
        found += [group for group, rank in zip(own, ranks, strict=True) if rank == min(ranks)]
    return found


def device_of(stream: StreamInfo) -> str:
    """Return what the streams of one device have in common.

    Many devices append a stream's type or label to one id: ``E4-0123-ACC``, ``E4-0123-BVP``.
    """
    text = stream.source_id or f"{stream.hostname}/{stream.name}"
    text = re.sub(r"[^\w]|_", "", text).casefold()
    told = [stream.type, *(stream.labels if stream.channel_count == 1 else ())]
    for word in told:
        plain = re.sub(r"[^\w]|_", "", word).casefold()
        if len(plain) > 1 and plain != text:
            text = text.replace(plain, "")
    return re.sub(r"[xyz]$", "", text) if stream.channel_count == 1 else text


def _join(parts: list[Fit], modality: ModalitySettings) -> list[Group]:
    """Return the ways to put the channels together from streams of one channel each."""
    options: dict[tuple[int, ...], list[Fit]] = {}
    for item in sorted(parts, key=lambda item: item.channels):
        if len(item.channels) == 1:
            options.setdefault(item.channels, []).append(item)
    # A device with many like channels is no case for guesses, nor for endless lists.
    if len(options) < modality.needed_channels or any(len(same) > 4 for same in options.values()):
        return []
    return list(itertools.product(*options.values()))


def _are_siblings(streams: Sequence[StreamInfo]) -> bool:
    """Tell whether streams are one sensor's colours: ``PPGRed``, ``PPGInfrared``, ``PPGGreen``."""
    types = [info.type.casefold() for info in streams]
    shared = 0
    while len({text[: shared + 1] for text in types}) == 1 and shared < len(min(types, key=len)):
        shared += 1
    return (
        len({info.hostname for info in streams}) == 1
        and all(info.channel_count == 1 for info in streams)
        and len(set(types)) == len(types)
        and shared >= 3
        and all(len(text) > shared for text in types)
    )
