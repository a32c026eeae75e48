"""Options that several commands share, read and checked."""

from __future__ import annotations

import os
import tomllib
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from realtime.errors import InputError

if TYPE_CHECKING:
    from model.settings import MpclSettings

SOMEBODY = "P1"
"""What a session calls the only person whom nobody named."""


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


def parse_words(text: str) -> tuple[str, ...]:
    """Read a comma-separated list of names; empty for none."""
    return tuple(dict.fromkeys(word.strip() for word in text.split(",") if word.strip()))


def parse_shots(text: str) -> tuple[int, ...]:
    """Read how many rated trials are given: ``0,1,2,4``; empty for the protocol's own choice.

    Raises
    ------
    InputError
        If one is no whole number from 0 on.
    """
    words = parse_words(text)
    if not all(word.isdecimal() for word in words):
        raise InputError(
            f"--shots {text!r} are no numbers of trials: write whole numbers from 0 on, such as "
            "0,1,2,4"
        )
    return tuple(sorted({int(word) for word in words}))


def check_folder(out: Path) -> None:
    """Refuse a folder that cannot be made or written to, before any work.

    Raises
    ------
    InputError
        If it, or the nearest folder above it that exists, is a file or not ours to write.
    """
    there = next(path for path in (out.absolute(), *out.absolute().parents) if path.exists())
    if not there.is_dir() or not os.access(there, os.W_OK | os.X_OK):
        raise InputError(
            f"--out {str(out)!r} is no folder that can be written to "
            f"({str(there)!r} is in the way): name another"
        )


def preset_of(protocol: str, given: str) -> str:
    """Return the recipe that was given, else the protocol's own.

    A model of one person learns from hundreds of windows that resemble the tested ones; a model for
    strangers from a handful of people who do not.
    """
    return given or ("person" if protocol in ("paper-sd", "trial-sd") else "small")


def parse_settings(file: Path | None, preset: MpclSettings) -> MpclSettings | None:
    """Read single numbers of MPCL's recipe from the table ``[mpcl]`` of a TOML file.

    Parameters
    ----------
    file : Path or None
    preset : MpclSettings
        What the file leaves out is taken from it.

    Returns
    -------
    MpclSettings or None
        None without a file.

    Raises
    ------
    InputError
        If the file cannot be read, is no TOML, has other tables, or a setting is unknown or absurd.
    """
    if file is None:
        return None
    from model.settings import MpclSettings

    try:
        with file.open("rb") as opened:
            tables = tomllib.load(opened)
    except (OSError, ValueError) as error:
        raise InputError(
            f"--settings {str(file)!r} cannot be read ({error}): give a TOML file with a table "
            "[mpcl]"
        ) from error
    values = tables.pop("mpcl", None)
    if not isinstance(values, dict) or tables:
        found = ", ".join(map(repr, tables)) or "none"
        raise InputError(
            f"--settings {str(file)!r} must have the table [mpcl] and nothing else (found besides: "
            f"{found}): write the settings below the line [mpcl]"
        )
    try:
        return MpclSettings.from_dict({**preset.to_dict(), **values})
    except InputError as error:
        raise InputError(f"--settings {str(file)!r}: {error}") from error
