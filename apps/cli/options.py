"""Options that several commands share, read and checked."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from realtime.errors import InputError


def parse_baseline(text: str | None) -> tuple[float, float] | None:
    """Read ``START:STOP`` in seconds.

    Raises
    ------
    InputError
        If it is not two numbers, 0 <= START < STOP.
    """
    if text is None:
        return None
    parts = text.split(":")
    try:
        start, stop = (float(part) for part in parts)
    except ValueError:
        start, stop = 0.0, -1.0
    if not 0 <= start < stop < float("inf"):
        raise InputError(
            f"--baseline {text!r} is no stretch of time: write START:STOP in seconds, such as 0:300"
        )
    return start, stop


def parse_bindings(texts: Sequence[str]) -> dict[str, str]:
    """Read ``MODALITY=STREAM`` or ``PARTICIPANT.MODALITY=STREAM`` into a mapping.

    Raises
    ------
    InputError
        If one has no ``=``, or a role is given twice.
    """
    choices: dict[str, str] = {}
    for text in texts:
        role, sign, stream = text.partition("=")
        if not sign or not role.strip() or not stream.strip():
            raise InputError(
                f"--bind {text!r} is no choice: write MODALITY=STREAM, such as ppg=my-source-id"
            )
        if role.strip() in choices:
            raise InputError(f"--bind chooses {role.strip()!r} twice: give each role once")
        choices[role.strip()] = stream.strip()
    return choices


def parse_artefacts(texts: Sequence[str]) -> dict[str, str]:
    """Read ``FILE`` or ``PARTICIPANT=FILE`` into files of artefact filters by participant.

    A file alone is for whom it was fitted to.

    Raises
    ------
    InputError
        If a file is no artefact filter, or two are for one person.
    """
    from calibration.artefact_files import load_artefacts

    files: dict[str, str] = {}
    for text in texts:
        name, sign, file = text.partition("=")
        if not sign or Path(text).exists():
            name, file = "", text
        participant = name.strip() or load_artefacts(Path(file))[1]
        if participant in files:
            raise InputError(
                f"--artefacts {text!r} is the second filter for {participant!r}: give each "
                "person one, as PARTICIPANT=FILE"
            )
        files[participant] = file
    return files
