"""The journal of a session: one JSON object a line, on disk before anything else happens."""

from __future__ import annotations

import json
import logging
import os
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any

from realtime.errors import InputError

_log = logging.getLogger(__name__)

_MAX_FILE = 64 * 2**20  # bytes; a session of a thousand trials has 2 MB


class Journal:
    """An append-only file that survives a crash at any moment.

    A last line that was not written to its end is dropped from the file when it is opened, with a
    warning.

    Parameters
    ----------
    path : Path
        Made if it is not there, with its folder.

    Attributes
    ----------
    records : list of dict
        What was in the file when it was opened.
    dropped : str
        What was dropped of the last line, in one sentence; empty if nothing was.

    Raises
    ------
    InputError
        If the file cannot be made, read or written to, or is damaged before its last line.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.records: list[dict[str, Any]] = []
        self.dropped = ""
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            # Without buffering: a line is one write.
            self._file = path.open("r+b" if path.exists() else "x+b", buffering=0)
        except OSError as error:
            raise InputError(
                f"cannot open the journal {str(path)!r} ({error.strerror}): move it away"
            ) from error
        try:
            self._size = self._read()
        except BaseException:
            self._file.close()
            raise

    def append(self, record: Mapping[str, Any]) -> None:
        """Write a record, and return when it is on the disk.

        Raises
        ------
        InputError
            If the disk is full, or another program has written to the journal in the meantime.
        """
        line = json.dumps(record, ensure_ascii=False, allow_nan=False).encode() + b"\n"
        try:
            if os.fstat(self._file.fileno()).st_size != self._size:
                raise InputError(
                    f"another program writes to {str(self.path)!r}: end this session or the other"
                )
            written = self._file.write(line)
            if written != len(line):
                self._file.truncate(self._size)
                self._file.seek(self._size)
                raise OSError(0, "only a part of a line could be written")
            os.fsync(self._file.fileno())
        except OSError as error:
            raise InputError(
                f"cannot write to the journal {str(self.path)!r} ({error.strerror}): make room on "
                "the disk"
            ) from error
        self._size += len(line)

    @property
    def closed(self) -> bool:
        """Whether nothing can be written any more."""
        return self._file.closed

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    def __enter__(self) -> Journal:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def _read(self) -> int:
        """Read all records, cut off a damaged end, and return the length in bytes."""
        if os.fstat(self._file.fileno()).st_size > _MAX_FILE:
            raise InputError(f"{str(self.path)!r} is no journal of a session: it is too long")
        content = self._file.read(_MAX_FILE)
        lines = content.splitlines(keepends=True)
        good = 0
        for number, line in enumerate(lines, start=1):
            record = _parse(line)
            if record is None:
                if number < len(lines):
                    raise InputError(
                        f"line {number} of the journal {str(self.path)!r} is damaged: mend it, "
                        "or move it away"
                    )
                self.dropped = (
                    f"the last line of the journal was damaged ({len(line)} bytes) and was dropped"
                )
                _log.warning("%s: %s", self.path, self.dropped)
                self._file.truncate(good)
                os.fsync(self._file.fileno())
                break
            self.records.append(record)
            good += len(line)
        self._file.seek(good)
        return good


def _parse(line: bytes) -> dict[str, Any] | None:
    """Return a line's record; None if it has no end or is no JSON object."""
    if not line.endswith(b"\n"):
        return None
    try:
        record = json.loads(line)
    except (ValueError, RecursionError):
        return None
    return record if isinstance(record, dict) else None
