"""Which LSL configuration this process runs under, and how a child process joins it.

liblsl reads its configuration once, when the first outlet, inlet, stream description or resolver
is made, and content that a program hands over beats every file (seen with pylsl 1.18.6, liblsl
1.18.0: content wins over ``LSLAPICFG`` and over an ``lsl_api.cfg`` in the current folder, and has
no effect after the first stream description). So `configure` must come before any other LSL call,
and must look for the user's own file before it sets anything.
"""

from __future__ import annotations

import configparser
import logging
import os
import re
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pylsl

from realtime.errors import InputError

_log = logging.getLogger(__name__)

SESSION_VARIABLE = "AFFECTSTREAM_LSL_SESSION"

# Multicast on the loopback interface: 40 of 40 outlets of one machine resolve in 1 ms, where
# ResolveScope=machine finds only 32. liblsl calls every outlet that goes an error, several times;
# what matters of it is logged here, once. Answers come within a millisecond on one machine, so
# queries may follow each other faster than on a network.
_LOOPBACK = """[multicast]
AddressesOverride = {{239.255.172.215}}
Interfaces = {{127.0.0.1}}
TTLOverride = 0
[ports]
IPv6 = disable
[lab]
SessionID = {session}
[tuning]
MulticastMinRTT = 0.1
MulticastMaxRTT = 1.0
ContinuousResolveInterval = 0.2
[log]
level = -3
"""


@dataclass(frozen=True, slots=True)
class Configuration:
    """The LSL configuration in force.

    Attributes
    ----------
    source : str
        ``"loopback"`` (streams stay on this machine), ``"default"`` (the ordinary network), or
        the path of the user's own file.
    session : str
        LSL session id; streams of other sessions are invisible. LSL's own is ``"default"``.
    """

    source: str
    session: str

    def __str__(self) -> str:
        """Return one clause for logs and ``doctor``."""
        places = {"loopback": "this machine only", "default": "the network"}
        where = places.get(self.source, f"as set in {self.source}")
        return f"LSL on {where}, session {self.session}"


_in_force: Configuration | None = None


def configure(loopback: bool, session_id: str | None = None) -> Configuration:
    """Choose the LSL configuration of this process; call it before any other LSL function.

    A configuration of the user's own is always respected: nothing is set then. Otherwise a
    process that was started with `environment` joins its parent's loopback session, whatever
    `loopback` says.

    Parameters
    ----------
    loopback : bool
        Keep all streams on this machine, in a session of their own. With False nothing is set.
    session_id : str, optional
        Loopback session to join: letters, digits, ``-``, ``_`` and ``.``; a random one if left
        out.

    Returns
    -------
    Configuration
        What is in force. A second call changes nothing, as liblsl cannot change it either.

    Raises
    ------
    InputError
        If ``LSLAPICFG`` names a file that cannot be read, or the session id has characters that
        LSL queries cannot carry.
    """
    global _in_force
    if _in_force is not None:
        return _in_force
    user = user_file()
    inherited = os.environ.get(SESSION_VARIABLE, "")
    if user is not None:
        _in_force = Configuration(str(user), _session_of(user))
    elif loopback or inherited:
        session = session_id or inherited or f"affectstream-{uuid.uuid4().hex[:12]}"
        if not re.fullmatch(r"[\w.-]{1,64}", session, re.ASCII):
            raise InputError(
                f"LSL session id {session!r}: use up to 64 letters, digits, '-', '_' and '.'"
            )
        pylsl.set_config_content(_LOOPBACK.format(session=session))
        _in_force = Configuration("loopback", session)
    else:
        _in_force = Configuration("default", "default")
    _log.info("%s", _in_force)
    return _in_force


def environment(configuration: Configuration) -> dict[str, str]:
    """Return the environment variables with which a child process joins the same session."""
    if configuration.source == "loopback":
        return {SESSION_VARIABLE: configuration.session}
    if configuration.source == "default":
        return {}
    # The child may start in another folder, where ./lsl_api.cfg would not be found.
    return {"LSLAPICFG": configuration.source}


def user_file() -> Path | None:
    """Return the configuration file that liblsl would read, or None.

    The places are those that liblsl 1.18 looks at, in its order: ``LSLAPICFG``, the current
    folder, ``lsl_api`` in the home folder, ``/etc/lsl_api``.

    Raises
    ------
    InputError
        If ``LSLAPICFG`` names a file that cannot be read; liblsl would pass over it in silence.
    """
    named = os.environ.get("LSLAPICFG", "")
    if named and not _readable(Path(named)):
        raise InputError(
            f"LSLAPICFG names {named!r}, which cannot be read: correct it, or unset it"
        )
    for place in ([Path(named)] if named else []) + list(_places()):
        if _readable(place):
            return place.absolute()
    return None


def _places() -> Iterator[Path]:
    yield Path("lsl_api.cfg")
    # As liblsl expands "~", which is not how Path.home() does it on Windows.
    home = os.environ.get("HOME") or os.environ.get("USERPROFILE")
    if not home and "HOMEDRIVE" in os.environ and "HOMEPATH" in os.environ:
        home = os.environ["HOMEDRIVE"] + os.environ["HOMEPATH"]
    if home:
        yield Path(home) / "lsl_api" / "lsl_api.cfg"
    yield Path("/etc/lsl_api/lsl_api.cfg")


def _readable(path: Path) -> bool:
    try:
        with path.open("rb"):
            return path.is_file()
    except OSError:
        return False


def _session_of(path: Path) -> str:
    """Return the session id that a configuration file sets."""
    parser = configparser.ConfigParser(strict=False, interpolation=None, allow_no_value=True)
    try:
        parser.read_string(path.read_text("utf-8", errors="replace"))
    except configparser.Error as error:
        _log.warning("cannot parse %s (%s); liblsl falls back to its defaults", path, error)
        return "default"
    return parser.get("lab", "SessionID", fallback=None) or "default"
