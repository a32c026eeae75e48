"""Which stream a user chose for which role, and whose streams are whose."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from realtime.devices import device_of
from realtime.errors import InputError
from realtime.metadata import clean, parse_xml
from realtime.recording import StreamInfo

DEFAULT_PARTICIPANT = "P1"


def choices_of(
    choices: Mapping[str, str], participant: str, first: str | None = None
) -> dict[str, str]:
    """Return one participant's choices by modality.

    Parameters
    ----------
    choices : mapping of str to str
    participant : str
    first : str, optional
        The participant whom choices without a name belong to; by default the same one.
    """
    own = {}
    if first is None or participant == first:
        own = {role: stream for role, stream in choices.items() if "." not in role}
    for role, stream in choices.items():
        person, dot, modality = role.rpartition(".")
        if dot and person == participant:
            own[modality] = stream
    return own


def assign_participants(
    streams: Sequence[StreamInfo],
    participants: Sequence[str] = (),
    choices: Mapping[str, str] | None = None,
) -> dict[str, list[StreamInfo]]:
    """Tell several people's streams apart.

    A stream belongs to whom a choice gives it (with all other streams of the same device), else
    to whom its metadata names (``<desc><subject><id>``), else to the first participant.

    Parameters
    ----------
    streams : sequence of StreamInfo
    participants : sequence of str
        Who is watched. Empty: all subjects that the streams name if there are several and choices
        name nobody else; else those whom choices name; else one person, "P1".
    choices : mapping of str to str
        As for `bind`, of all participants.

    Raises
    ------
    InputError
        If a choice names somebody who is not watched.
    """
    choices = choices or {}
    named = list(dict.fromkeys(role.rpartition(".")[0] for role in choices if "." in role))
    subjects = {info.key: subject for info in streams if (subject := subject_of(info))}
    people = list(dict.fromkeys(participants))
    several = sorted(set(subjects.values()))
    if not people and len(several) > 1 and set(named) <= set(several):
        people = several
    elif not people and named:
        people = named if len(named) > 1 else list(dict.fromkeys([DEFAULT_PARTICIPANT, *named]))
    elif not people:
        people = [DEFAULT_PARTICIPANT]
    for person in named:
        if person not in people:
            raise InputError(
                f"--bind names the participant {person!r}, who is not watched: "
                f"use one of {', '.join(people)}, or add --participant {person}"
            )
    owners: dict[str, str] = {}
    for role, stream in choices.items():
        person = role.rpartition(".")[0] or people[0]
        devices = {device_of(info) for info in streams if is_called(info, stream)}
        owners.update({info.key: person for info in streams if device_of(info) in devices})
    known = any(subject in people for subject in subjects.values())
    groups: dict[str, list[StreamInfo]] = {person: [] for person in people}
    for info in streams:
        subject = subjects.get(info.key, "")
        owner = owners.get(info.key) or (subject if known and subject else people[0])
        if owner in groups:
            groups[owner].append(info)
    return groups


def subject_of(stream: StreamInfo) -> str:
    """Return the subject's id in a stream's metadata, or nothing."""
    if "<subject" not in stream.description:
        return ""
    try:
        return clean(parse_xml(stream.description).findtext("subject/id"), 64)
    except InputError:
        return ""


def is_called(stream: StreamInfo, text: str) -> bool:
    """Tell whether a user's word names a stream: its key, source id or name."""
    names = (stream.key, stream.source_id, stream.name)
    return text.casefold() in (name.casefold() for name in names)
