"""Profiles from computer to computer: one ZIP file with a manifest of SHA-256 sums."""

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
import io
import json
import os
import stat
import zipfile
import zlib
from pathlib import Path

from calibration.profile import Profile
from calibration.profile_checks import profile_id
from calibration.profile_files import load_profile, read_file, save_profile
from calibration.profile_format import (
    ARRAYS,
    FAULTS,
    LIMITS,
    decoded,
    encoded,
    kind_of,
    reason_of,
)
from realtime.errors import InputError

MANIFEST = "manifest.json"
FORMAT = "profile-export-1"

_LIMITS = {**LIMITS, MANIFEST: 1 << 16}
_MEMBERS = len(_LIMITS)  # one file of each kind
_FAULTS = (*FAULTS, zipfile.BadZipFile, zlib.error, EOFError)
# What begins each entry of a ZIP file's directory. Few stand in arrays by chance.
_ENTRY = b"PK\x01\x02"
_MAX_ENTRIES = 64
_DATE = (1980, 1, 1, 0, 0, 0)  # of every member: the same profile gives the same file


def export_profile(root: Path, name: str, path: Path) -> Path:
    """Write a profile as one ZIP file, and return its path; no file is ever overwritten.

    Raises
    ------
    InputError
        If there is no such profile, or it is damaged, or the file exists, is not called ``.zip``,
        or cannot be written.
    """
    if path.suffix.lower() != ".zip":
        raise InputError(f"{str(path)!r} is no name for an export: give one that ends .zip")
    files = encoded(load_profile(root, name))
    manifest = {
        "format": FORMAT,
        "id": name,
        "files": {file: hashlib.sha256(content).hexdigest() for file, content in files.items()},
    }
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        text = json.dumps(manifest, indent=1) + "\n"
        for file, content in {MANIFEST: text.encode("utf-8"), **files}.items():
            member = zipfile.ZipInfo(file, _DATE)
            member.compress_type = zipfile.ZIP_DEFLATED
            member.external_attr = (stat.S_IFREG | 0o600) << 16
            archive.writestr(member, content)
    temporary = path.with_name(f".{path.name}.part")
    try:
        path.open("xb").close()  # ours from here on
    except OSError as error:
        raise InputError(
            f"cannot export to {str(path)!r} ({error.strerror}): nothing is overwritten; give "
            "the path of a new file"
        ) from error
    try:
        temporary.write_bytes(packed.getvalue())
        os.replace(temporary, path)
    except OSError as error:
        for one in (temporary, path):
            with contextlib.suppress(OSError):
                one.unlink()
        raise InputError(
            f"cannot write {str(path)!r} ({error.strerror}): make room there, or give another path"
        ) from error
    return path


def import_profile(root: Path, path: Path, name: str = "") -> Profile:
    """Take in what `export_profile` wrote, whoever made the file, and return the profile.

    Parameters
    ----------
    root : Path
    path : Path
    name : str
        The id that it gets here; its own if empty.

    Raises
    ------
    InputError
        If the file cannot be read or is no sound export, or the id is taken.
    """
    if name:
        profile_id(name)
    try:
        profile = decoded_archive(read_file(path, sum(_LIMITS.values())))
    except OSError as error:
        raise InputError(
            f"cannot read {str(path)!r} ({error.strerror}): give the path of a .zip file that "
            "`affectstream profile export` wrote"
        ) from error
    except RuntimeError as error:
        # RecursionError and NotImplementedError are of this kind as well as zipfile's own.
        raise _refusal(path, str(error)) from error
    except _FAULTS as error:
        raise _refusal(path, reason_of(error)) from error
    saved = save_profile(dataclasses.replace(profile, id=name or profile.id, hash=""), root)
    return load_profile(root, saved.id)  # whose ratings bear its own id


def decoded_archive(content: bytes) -> Profile:
    """Build a profile from an export's bytes, trusting none of them.

    No path of the archive is ever used: members are read by the names that a profile has, and
    anything else in it refuses the whole.

    Raises
    ------
    Exception
        ValueError and the like, if it is no sound export.
    """
    # Before a directory of millions of entries is read.
    if content.count(_ENTRY) > _MAX_ENTRIES:
        raise ValueError("it holds too many files")
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        files = _members(archive)
    manifest = json.loads(files.pop(MANIFEST).decode("utf-8"))
    if manifest["format"] != FORMAT:
        raise ValueError(f"its format is {str(manifest['format'])[:80]!r}, not {FORMAT!r}")
    sums = {file: hashlib.sha256(one).hexdigest() for file, one in files.items()}
    for file in sorted({*sums, *manifest["files"]}):
        if sums.get(file) != manifest["files"].get(file):
            raise ValueError(f"{file[:80]!r} is not the file that its manifest names")

    def read(file: str, limit: int) -> bytes:
        return files[file]  # its size was checked

    return decoded(read)


def _members(archive: zipfile.ZipFile) -> dict[str, bytes]:
    """Return an archive's files by name; ValueError for any that an export does not have."""
    members = archive.infolist()
    if len(members) > _MEMBERS:
        raise ValueError(f"it holds {len(members)} files, an export has {_MEMBERS}")
    files: dict[str, bytes] = {}
    for member in members:
        file = member.filename
        if file not in _LIMITS and not ARRAYS.fullmatch(file):
            raise ValueError(f"it holds {file[:80]!r}, which no export has")
        kind = kind_of(file)
        if kind in map(kind_of, files):
            raise ValueError(f"it holds a second {kind!r}")
        if stat.S_IFMT(member.external_attr >> 16) not in (0, stat.S_IFREG):
            raise ValueError(f"{file!r} is a link or a device")
        if member.flag_bits & 0x1:
            raise ValueError(f"{file!r} is encrypted")
        if member.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
            raise ValueError(f"{file!r} is packed in an unknown way")
        limit = _LIMITS[kind]
        # What it says of its size may be false: no more than the limit is unpacked.
        with archive.open(member) as stream:
            content = stream.read(limit + 1)
        if len(content) > limit:
            raise ValueError(f"{file!r} unpacks to more than {limit} bytes")
        files[file] = content
    return files


def _refusal(path: Path, reason: str) -> InputError:
    return InputError(
        f"{str(path)!r} is no usable export of a profile ({' '.join(reason.split())[:300]}): "
        "export it again with `affectstream profile export`"
    )
