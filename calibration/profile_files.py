"""Profiles in their folders: written in one step, read with everything checked.

The arrays' files are named after their content, and ``profile.json`` is replaced last: a crash at
any moment leaves the profile as it was, or as it is to be.
"""

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from calibration.profile import Profile, begin, check
from calibration.profile_checks import profile_id
from calibration.profile_format import (
    ARRAYS,
    DESCRIPTION,
    FAULTS,
    LIMITS,
    SESSIONS,
    decoded,
    encoded,
    kind_of,
    reason_of,
)
from realtime.errors import InputError

if TYPE_CHECKING:
    from model.checkpoint import Checkpoint
    from realtime.rig import Rig


def profile_folder(root: Path, name: str) -> Path:
    """Return where a person's profile lies, whether or not it exists.

    Raises
    ------
    InputError
        If `name` is no profile id, or the folder is a link to elsewhere.
    """
    folder = root / profile_id(name)
    if folder.is_symlink():
        raise InputError(
            f"the profile {name!r} in {str(root)!r} is a link to elsewhere: put the folder itself "
            "there, or name its own --profiles"
        )
    return folder


def has_profile(root: Path, name: str) -> bool:
    """Tell whether a person has a profile, usable or not; a guided session alone is none yet."""
    folder = profile_folder(root, name)
    return folder.is_dir() and any(one.name != SESSIONS for one in folder.iterdir())


def save_profile(profile: Profile, root: Path) -> Profile:
    """Write a profile into its folder in one step, and return it with its hash.

    Raises
    ------
    InputError
        If another profile is there, or this one has changed since it was read, or it cannot be
        written.
    """
    folder = profile_folder(root, profile.id)
    contents = encoded(profile)
    for name, content in contents.items():
        limit = LIMITS[kind_of(name)]
        if len(content) > limit:
            raise InputError(
                f"the profile {profile.id!r} has {len(content)} bytes of {kind_of(name)}, above "
                f"the {limit} that are kept: go on with a new profile"
            )
    description = contents.pop(DESCRIPTION)
    try:
        root.mkdir(parents=True, exist_ok=True)
        _refuse_other(profile, folder)
        # Nobody else on this computer has to see it.
        folder.mkdir(mode=0o700, exist_ok=True)
        for name, content in contents.items():
            _write(folder / name, content)
        _refuse_other(profile, folder)
        _write(folder / DESCRIPTION, description)
    except OSError as error:
        raise InputError(
            f"cannot write the profile {str(folder)!r} ({error.strerror}): make room there, or "
            "give another --profiles"
        ) from error
    _tidy(folder, contents)
    return dataclasses.replace(profile, hash=hashlib.sha256(description).hexdigest())


def load_profile(root: Path, name: str) -> Profile:
    """Read a person's profile.

    Raises
    ------
    InputError
        If there is none of that name, or it is damaged or does not fit together.
    """
    folder = profile_folder(root, name)
    for again in (True, False):
        try:
            description = read_file(folder / DESCRIPTION, LIMITS[DESCRIPTION])
        except FileNotFoundError as error:
            raise InputError(
                f"no profile {name!r} in {str(root)!r}: `affectstream profile list` shows which "
                "there are"
            ) from error
        except (OSError, ValueError) as error:
            raise refusal(folder, str(error)) from error

        def read(file: str, limit: int, description: bytes = description) -> bytes:
            return description if file == DESCRIPTION else read_file(folder / file, limit)

        try:
            profile = decoded(read)
        except FileNotFoundError as error:
            if again:  # replaced by a newer one meanwhile
                continue
            raise refusal(folder, f"{Path(error.filename).name} is missing") from error
        except OSError as error:
            raise refusal(folder, str(error.strerror)) from error
        except FAULTS as error:
            raise refusal(folder, reason_of(error)) from error
        break
    if profile.id != name:
        raise refusal(folder, f"it is of {profile.id!r}")
    return profile


def open_profile(root: Path, name: str, checkpoint: Checkpoint, rig: Rig) -> Profile:
    """Read a person's profile, or begin one.

    Raises
    ------
    InputError
        If it is of another checkpoint or rig, or damaged, or `name` is no pseudonym, or differs
        from that of another profile in capitals alone.
    """
    if not has_profile(root, name):
        begun = begin(name, checkpoint, rig)
        if root.is_dir():
            _refuse_other(begun, root / name)  # at the end of a session would be too late
        return begun
    known = load_profile(root, name)
    check(known, checkpoint, rig)
    return known


def read_file(path: Path, limit: int) -> bytes:
    """Return a file's content; ValueError if it has more than `limit` bytes."""
    with path.open("rb") as file:
        content = file.read(limit + 1)
    if len(content) > limit:
        raise ValueError(f"{path.name} has more than {limit} bytes")
    return content


def refusal(path: Path, reason: str) -> InputError:
    """Return the error for files that are no usable profile."""
    return InputError(
        f"{str(path)!r} is no usable profile ({' '.join(reason.split())[:300]}): import it again, "
        "or forget it and calibrate anew"
    )


def _refuse_other(profile: Profile, folder: Path) -> None:
    """Refuse to replace what this profile does not come from."""
    if not profile.hash:
        same = [
            one.name
            for one in folder.parent.iterdir()
            if one.name.lower() == profile.id.lower() and (one / DESCRIPTION).exists()
        ]
        if same:
            # Some systems do not tell Anna from anna.
            raise InputError(
                f"there is a profile {same[0]!r} in {str(folder.parent)!r} already: choose "
                "another id, or forget that one first"
            )
        return
    try:
        with (folder / DESCRIPTION).open("rb") as file:
            found = hashlib.file_digest(file, "sha256").hexdigest()
    except FileNotFoundError:
        found = ""
    if found != profile.hash:
        raise InputError(
            f"the profile {profile.id!r} was {'changed' if found else 'forgotten'} by someone "
            "else since it was read: load it again, and calibrate again"
        )


def _write(path: Path, content: bytes) -> None:
    """Write a file in one step, and wait until it is on the disk."""
    temporary = path.with_name(f".{path.name}.part")
    with temporary.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    os.replace(temporary, path)


def _tidy(folder: Path, needed: Mapping[str, bytes]) -> None:
    """Remove arrays that the profile no longer names, and what crashes left."""
    for path in folder.iterdir():
        left = path.name.startswith(".") and path.name.endswith(".part")
        if left or (ARRAYS.fullmatch(path.name) and path.name not in needed):
            # Who reads the former profile at this moment may still hold it open.
            with contextlib.suppress(OSError):
                path.unlink()
