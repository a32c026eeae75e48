"""Binding: which streams serve as which modality of which participant.

Nothing is guessed: two devices for one role are an error that lists them, and everything that was
assumed, converted or left out is said in notes.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from realtime.choices import DEFAULT_PARTICIPANT, assign_participants, choices_of, is_called
from realtime.devices import Group, best_groups, complete, described, newest
from realtime.errors import InputError
from realtime.fit import Fit, Refusal, fit
from realtime.recording import StreamInfo
from realtime.rig import ModalitySettings, Rig
from realtime.units import Conversion

__all__ = [
    "AmbiguousBinding",
    "BindResult",
    "Binding",
    "Source",
    "UnknownChoice",
    "assign_participants",
    "bind",
    "modality_of",
    "remedy",
    "survey",
]


@dataclass(frozen=True, slots=True)
class Source:
    """Some channels of one stream.

    Attributes
    ----------
    stream : str
        Key of the stream.
    columns : tuple of int
        Columns of the stream's samples.
    channels : tuple of int
        The modality's channels that they become.
    convert : Conversion or None
        From the stream's unit to the rig's; None leaves samples as they are.
    rate : float
        Nominal rate of the stream in 1/s; 0 if irregular.
    """

    stream: str
    columns: tuple[int, ...]
    channels: tuple[int, ...]
    convert: Conversion | None
    rate: float


@dataclass(frozen=True, slots=True)
class Binding:
    """The streams that serve as one modality of one participant.

    Attributes
    ----------
    participant, modality : str
    sources : tuple of Source
        Together they give each of the modality's channels once; some may be absent if the rig
        needs fewer than all.
    notes : tuple of str
        What was chosen, assumed, converted and resampled.
    """

    participant: str
    modality: str
    sources: tuple[Source, ...]
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class BindResult:
    """What became of a participant's streams.

    Attributes
    ----------
    bindings : tuple of Binding
        In the rig's order.
    notes : tuple of str
        One sentence each, of every binding, refusal and doubt.
    refusals : mapping of str to tuple of str
        By stream key: the sentences that say why it was not taken.
    unbound : tuple of str
        Modalities of the rig that no stream serves.
    ambiguous : mapping of str to tuple of StreamInfo
        Modalities that several devices fit: one stream of each device.
    """

    bindings: tuple[Binding, ...] = ()
    notes: tuple[str, ...] = ()
    refusals: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    unbound: tuple[str, ...] = ()
    ambiguous: Mapping[str, tuple[StreamInfo, ...]] = field(default_factory=dict)


class AmbiguousBinding(InputError):
    """Several devices fit one role.

    Attributes
    ----------
    participant, modality : str
    candidates : tuple of StreamInfo
        One stream of each device.
    result : BindResult
        What could be bound without doubt.
    """

    def __init__(self, participant: str, modality: str, result: BindResult) -> None:
        self.participant = participant
        self.modality = modality
        self.result = result
        self.candidates = result.ambiguous[modality]
        listed = " and ".join(described(info) for info in self.candidates)
        remedies = " or ".join(
            remedy(participant, modality, info, self.candidates) for info in self.candidates
        )
        person = "" if participant == DEFAULT_PARTICIPANT else f" of {participant}"
        super().__init__(
            f"{len(self.candidates)} devices fit {modality}{person}, {listed}: "
            f"choose with {remedies}"
        )


class UnknownChoice(InputError):
    """A stream was chosen that is not there (yet), or that cannot serve."""


def bind(
    rig: Rig,
    streams: Sequence[StreamInfo],
    *,
    choices: Mapping[str, str] | None = None,
    participant: str = DEFAULT_PARTICIPANT,
) -> BindResult:
    """Bind one participant's streams to a rig.

    Parameters
    ----------
    rig : Rig
    streams : sequence of StreamInfo
        The participant's, or everybody's in a session of one.
    choices : mapping of str to str
        Modality to the source id, key or name of the stream that shall serve it. A modality may
        be written with the participant (``"P2.ppg"``); other participants' are ignored.
    participant : str

    Raises
    ------
    AmbiguousBinding
        If several devices fit a modality and none was chosen.
    UnknownChoice
        If a chosen stream is not there, or cannot serve.
    InputError
        If a choice names no modality of the rig.
    """
    result = survey(rig, streams, choices=choices, participant=participant)
    for modality in result.ambiguous:
        raise AmbiguousBinding(participant, modality, result)
    return result


def survey(
    rig: Rig,
    streams: Sequence[StreamInfo],
    *,
    choices: Mapping[str, str] | None = None,
    participant: str = DEFAULT_PARTICIPANT,
) -> BindResult:
    """Bind what is clear, and list in `BindResult.ambiguous` what is not; else as `bind`."""
    chosen = choices_of(choices or {}, participant)
    _check_roles(rig, chosen)
    current, notes = newest(streams)
    bindings: list[Binding] = []
    refusals: dict[str, list[str]] = {}
    unbound: list[str] = []
    ambiguous: dict[str, tuple[StreamInfo, ...]] = {}
    for modality in rig.modalities:
        wanted = chosen.get(modality.name)
        fits, refused = _judge(current, modality, participant, wanted)
        groups = complete(fits, modality, refused)
        if wanted is not None:
            groups = _choose(groups, current, modality.name, wanted, refused)
        for key, reason in refused.items():
            sentence = f"{modality.name}: {_named(current, key)} {reason}."
            refusals.setdefault(key, []).append(sentence)
            notes.append(sentence)
        best = best_groups(groups)
        if not best:
            unbound.append(modality.name)
            notes.append(f"{modality.name}: no stream.")
        elif len(best) > 1:
            ambiguous[modality.name] = tuple(group[0].stream for group in best)
        else:
            binding = _binding(participant, modality, best[0], groups)
            bindings.append(binding)
            names = " + ".join(described(item.stream) for item in best[0])
            clauses = "".join(f"; {note}" for note in binding.notes)
            notes.append(f"{modality.name}: {names}{clauses}.")
    return BindResult(
        tuple(bindings),
        tuple(notes),
        {key: tuple(sentences) for key, sentences in refusals.items()},
        tuple(unbound),
        ambiguous,
    )


def modality_of(stream: StreamInfo, rigs: Iterable[Rig]) -> str | None:
    """Return the first modality of the rigs that a stream could serve, wholly or in part."""
    for rig in rigs:
        for modality in rig.modalities:
            if isinstance(fit(stream, modality), Fit):
                return modality.name
    return None


def remedy(
    participant: str, modality: str, stream: StreamInfo, candidates: Sequence[StreamInfo]
) -> str:
    """Return the option that chooses a stream among candidates, by source id where that is one."""
    role = modality if participant == DEFAULT_PARTICIPANT else f"{participant}.{modality}"
    same = [other for other in candidates if other.source_id == stream.source_id]
    word = stream.source_id if stream.source_id and len(same) == 1 else stream.key
    quoted = word if re.fullmatch(r"[\w.:@%+-]+", word) else f'"{word}"'
    return f"--bind {role}={quoted}"


def _check_roles(rig: Rig, chosen: Mapping[str, str]) -> None:
    known = [modality.name for modality in rig.modalities]
    for role in chosen:
        if role not in known:
            raise InputError(
                f"--bind names {role!r}, which the rig {rig.name!r} has not: "
                f"use one of {', '.join(known)}"
            )


def _judge(
    streams: Sequence[StreamInfo],
    modality: ModalitySettings,
    participant: str,
    wanted: str | None,
) -> tuple[list[Fit], dict[str, str]]:
    verdicts = {info.key: fit(info, modality) for info in streams}
    called = [info for info in streams if wanted is not None and is_called(info, wanted)]
    if not any(isinstance(verdicts[info.key], Fit) for info in called):
        # None is it by itself: the user's word counts where the streams say nothing.
        verdicts.update({info.key: fit(info, modality, chosen=True) for info in called})
    fits: list[Fit] = []
    refused: dict[str, str] = {}
    for info in streams:
        verdict = verdicts[info.key]
        if isinstance(verdict, Fit):
            fits.append(verdict)
        elif isinstance(verdict, Refusal):
            refused[info.key] = verdict.reason
            if verdict.meaning:
                option = remedy(participant, modality.name, info, streams)
                refused[info.key] += f": say with {option} that {verdict.meaning}"
    return fits, refused


def _choose(
    groups: list[Group],
    streams: Sequence[StreamInfo],
    modality: str,
    wanted: str,
    refused: Mapping[str, str],
) -> list[Group]:
    called = [info for info in streams if is_called(info, wanted)]
    if not called:
        there = ", ".join(repr(info.source_id or info.key) for info in streams[:20])
        raise UnknownChoice(
            f"--bind {modality}={wanted!r} names no stream: use the source id, key or name of a "
            f"stream that is there ({there or 'there is none'})"
        )
    keys = {info.key for info in called}
    kept = [group for group in groups if any(item.stream.key in keys for item in group)]
    if not kept:
        first = next((info for info in called if info.key in refused), called[0])
        raise UnknownChoice(
            f"--bind {modality}={wanted!r}: {described(first)} cannot serve as {modality}, since "
            f"it {refused.get(first.key, 'carries nothing of the kind')}: choose another"
        )
    return kept


def _binding(
    participant: str,
    modality: ModalitySettings,
    group: Group,
    groups: list[Group],
) -> Binding:
    notes = list(dict.fromkeys(note for item in group for note in item.notes))
    given = {channel for item in group for channel in item.channels}
    missing = [name for i, name in enumerate(modality.channel_names) if i not in given]
    if missing:
        notes.insert(0, f"missing: {', '.join(missing)}; they stay empty, nothing is interpolated")
    if len(group) > 1:
        notes.insert(0, f"put together from {len(group)} streams")
    others = [repr(other[0].stream.type) for other in groups if other is not group]
    if others:
        notes.append(f"preferred to {', '.join(others)} of the same device")
    sources = tuple(
        Source(
            item.stream.key,
            item.columns,
            item.channels,
            None if item.conversion.is_identity else item.conversion,
            item.stream.rate,
        )
        for item in group
    )
    return Binding(participant, modality.name, sources, tuple(notes))


def _named(streams: Sequence[StreamInfo], key: str) -> str:
    return next((described(info) for info in streams if info.key == key), repr(key))
