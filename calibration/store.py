"""The profiles of a lab: which there are, and how one is forgotten."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import platformdirs

from calibration.profile import Profile
from calibration.profile_checks import profile_id
from calibration.profile_files import has_profile, load_profile, profile_folder
from calibration.profile_format import DESCRIPTION
from realtime.errors import InputError

BEYOND = (
    "exports of the profile, reports and session recordings that lie elsewhere",
    "backups and copies of the folder",
    "what a running program holds in memory: end sessions that use the profile",
)
"""What forgetting cannot know of, and has to be seen to by hand."""


@dataclass(frozen=True, slots=True)
class File:
    """A file of a profile.

    Attributes
    ----------
    name : str
        Path within the profile's folder, with forward slashes.
    size : int
        In bytes.
    """

    name: str
    size: int


@dataclass(frozen=True)
class Entry:
    """One profile in the list.

    Attributes
    ----------
    id : str
    files : tuple of File
        All that lies in its folder.
    profile : Profile or None
        None where it cannot be used.
    problem : str
        Why not; else empty.
    """

    id: str
    files: tuple[File, ...]
    profile: Profile | None
    problem: str = ""


@dataclass(frozen=True)
class Removal:
    """What was forgotten.

    Attributes
    ----------
    id : str
    folder : Path
        It is gone too.
    removed : tuple of File
    beyond : tuple of str
        What may still be there, and must be seen to by hand.
    """

    id: str
    folder: Path
    removed: tuple[File, ...]
    beyond: tuple[str, ...] = BEYOND


def default_root() -> Path:
    """Return where profiles lie unless another folder is named, in the user's own data."""
    return platformdirs.user_data_path("affectstream", appauthor=False) / "profiles"


def list_profiles(root: Path) -> list[Entry]:
    """Return all profiles by id, damaged ones with what is wrong.

    Raises
    ------
    InputError
        If `root` is no folder that can be read; one that does not exist yet has no profiles.
    """
    try:
        names = sorted(one.name for one in os.scandir(root) if one.is_dir(follow_symlinks=False))
    except FileNotFoundError:
        return []
    except OSError as error:
        raise InputError(
            f"cannot read the profiles in {str(root)!r} ({error.strerror}): give another --profiles"
        ) from error
    return [entry(root, name) for name in names if _is_id(name)]


def entry(root: Path, name: str) -> Entry:
    """Return one profile, and what is wrong with it if it cannot be used.

    Raises
    ------
    InputError
        If there is nothing of that name.
    """
    folder = _existing(root, name)
    try:
        files = tuple(_files(folder))
        return Entry(name, files, load_profile(root, name))
    except InputError as error:
        if not (folder / DESCRIPTION).exists():
            problem = f"{str(folder)!r} holds no {DESCRIPTION}: forget it"
            if not has_profile(root, name):
                problem = "nothing is fitted yet: go on with `affectstream calibrate`, or forget it"
            return Entry(name, files, None, problem)
        return Entry(name, files, None, str(error))


def forget(root: Path, name: str) -> Removal:
    """Remove a profile with everything that lies in its folder, damaged or not.

    Links are removed, never what they lead to.

    Raises
    ------
    InputError
        If there is nothing of that name, or a file cannot be removed; the rest is, and
        forgetting again removes what is left.
    """
    folder = _existing(root, name)
    files = _files(folder)
    # First what makes it a profile: nothing can use the half of one.
    files.sort(key=lambda one: one.name != DESCRIPTION)
    removed, left = [], []
    for one in files:
        try:
            (folder / one.name).unlink()
            removed.append(one)
        except OSError as error:
            left.append(f"{one.name} ({error.strerror})")
    if not left:
        try:
            for inside, folders, _ in os.walk(folder, topdown=False):
                for below in folders:
                    (Path(inside) / below).rmdir()
            folder.rmdir()
        except OSError as error:
            left.append(f"{error.filename} ({error.strerror})")
    if left:
        raise InputError(
            f"of the profile {name!r} in {str(root)!r} {len(removed)} files were removed, but not "
            f"{', '.join(left[:5])}: close what uses it, and forget it again"
        )
    return Removal(name, folder, tuple(removed))


def summary(one: Entry) -> dict[str, Any]:
    """Describe a profile as plain values; of a damaged one what is known."""
    described: dict[str, Any] = {
        "id": one.id,
        "usable": one.profile is not None,
        "bytes": sum(file.size for file in one.files),
    }
    if one.profile is None:
        return {**described, "problem": one.problem}
    profile = one.profile
    return {
        **described,
        "rig": profile.rig,
        "checkpoint": profile.checkpoint,
        "labels": profile.labels.name,
        "emotions": profile.labels.emotions,
        "created": profile.created,
        "calibrated": profile.history[-1].date if profile.history else None,
        "calibrations": len(profile.history),
        "trials": len(profile.trials),
        "step": profile.model.step,
        "radius": profile.model.radius,
        "baseline": profile.baseline is not None,
        "steps": profile.steps,
    }


def details(one: Entry) -> dict[str, Any]:
    """Describe a profile with its history, its rated trials and its files, as plain values."""
    described = {**summary(one), "files": one.files}
    if one.profile is None:
        return described
    profile = one.profile
    return {
        **described,
        "setup": dict(profile.setup),
        "history": profile.history,
        "ratings": [
            {
                "trial": trial.trial,
                "condition": trial.condition,
                "date": trial.date,
                "windows": len(trial.batch),
                "instrument": trial.rating.instrument,
                "scale": trial.rating.scale,
                "items": dict(trial.rating.items),
            }
            for trial in profile.trials
        ],
    }


def _existing(root: Path, name: str) -> Path:
    folder = profile_folder(root, name)
    if not folder.is_dir():
        raise InputError(
            f"no profile {name!r} in {str(root)!r}: `affectstream profile list` shows which there "
            "are"
        )
    return folder


def _is_id(name: str) -> bool:
    try:
        return profile_id(name) == name
    except InputError:  # something else that lies there
        return False


def _files(folder: Path) -> list[File]:
    """Return everything in a folder that is no folder, without following links."""
    found = []
    for inside, folders, names in os.walk(folder):
        linked = [one for one in folders if (Path(inside) / one).is_symlink()]
        for name in [*names, *linked]:
            path = Path(inside) / name
            size = path.lstat().st_size
            found.append(File(path.relative_to(folder).as_posix(), size))
    return sorted(found, key=lambda one: one.name)
