"""Where running engines can be reached: one small file each in the user's own folder."""

from __future__ import annotations

import json
import logging
import os
import platform
import secrets
import shutil
from dataclasses import dataclass, field
from pathlib import Path

import platformdirs
import psutil

logger = logging.getLogger(__name__)


CAMERA = "camera"
"""Name of the link by which a camera process shows what it sees: it is no engine."""


@dataclass(frozen=True, slots=True)
class EngineAddress:
    """A running engine.

    Attributes
    ----------
    name : str
    pid : int
        Its process.
    started : float
        When that process started, in seconds since 1970; tells it from a later one of the same
        number.
    address : str
        Pipe or socket.
    authkey : bytes
        What proves to either end that the other belongs to the same user.
    file : Path
    """

    name: str
    pid: int
    started: float
    address: str
    authkey: bytes = field(repr=False)
    file: Path


def address_folder() -> Path:
    """Folder of the address files; the environment variable AFFECTSTREAM_ENGINES moves it."""
    own = os.environ.get("AFFECTSTREAM_ENGINES")
    if own:
        folder = Path(own)
    else:
        folder = platformdirs.user_data_path("affectstream", appauthor=False) / "engines"
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    return folder


def publish(name: str, address: str, authkey: bytes) -> Path:
    """Write the address file of this process's engine, complete or not at all, mode 0600."""
    folder = address_folder()
    content = {
        "name": name,
        "pid": os.getpid(),
        "started": psutil.Process().create_time(),
        "host": platform.node(),
        "address": address,
        "authkey": authkey.hex(),
    }
    part = folder / f".{secrets.token_hex(8)}.part"
    descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as stream:
        json.dump(content, stream)
    file = folder / f"{name}-{os.getpid()}-{secrets.token_hex(3)}.json"
    os.replace(part, file)
    return file


def withdraw(file: Path) -> None:
    """Remove an address file."""
    file.unlink(missing_ok=True)


def running_engines() -> list[EngineAddress]:
    """List the engines of this user on this computer, newest first; remove what dead ones left."""
    return [engine for engine in _running() if engine.name != CAMERA]


def _running() -> list[EngineAddress]:
    engines = []
    for file in address_folder().glob("*.json"):
        content = _read(file)
        if content is None or content["host"] != platform.node():
            continue  # unreadable, or another computer's in a shared home folder
        engine = _address(file, content)
        if engine is None:
            logger.warning("ignored the damaged address file %s: remove it", file)
        elif _lives(engine):
            engines.append(engine)
        else:
            _clean_up(engine)
    return sorted(engines, key=lambda engine: (engine.started, str(engine.file)), reverse=True)


def find_engine(target: str | Path | None) -> EngineAddress | None:
    """Find a running engine by address file or name, or the newest; None if there is none.

    The camera process is found by its name, too, but never as the newest.
    """
    for engine in running_engines() if target is None else _running():
        if target is None or engine.name == str(target) or engine.file == Path(target):
            return engine
    return None


def _read(file: Path) -> dict[str, object] | None:
    try:
        content = json.loads(file.read_text("utf-8"))
    except (OSError, ValueError):
        return None
    return content if isinstance(content, dict) and "host" in content else None


def _address(file: Path, content: dict[str, object]) -> EngineAddress | None:
    name, pid, started = content.get("name"), content.get("pid"), content.get("started")
    address, key = content.get("address"), content.get("authkey")
    if (
        not isinstance(name, str)
        or not isinstance(pid, int)
        or not isinstance(started, int | float)
        or not isinstance(address, str)
        or not isinstance(key, str)
    ):
        return None
    try:
        return EngineAddress(name, pid, float(started), address, bytes.fromhex(key), file)
    except ValueError:
        return None


def _lives(engine: EngineAddress) -> bool:
    try:
        process = psutil.Process(engine.pid)
        if process.status() == psutil.STATUS_ZOMBIE:
            return False
        # Linux computes the time from the boot clock, which can be adjusted by a little.
        return abs(process.create_time() - engine.started) < 2.0
    except psutil.NoSuchProcess:
        return False
    except psutil.AccessDenied:
        return True


def _clean_up(engine: EngineAddress) -> None:
    """Remove the address file of a dead engine, and its socket's folder."""
    withdraw(engine.file)
    folder = Path(engine.address).parent
    if folder.name.startswith("affectstream-"):
        shutil.rmtree(folder, ignore_errors=True)
