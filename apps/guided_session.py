"""A guided session with an engine of its own behind it, which fits and saves the profile."""

from __future__ import annotations

import logging
import os
from collections.abc import Sequence
from pathlib import Path

from apps.own_engine import OwnEngine
from apps.wizard.application import need_wizard_screen, run_wizard
from calibration.instruments import chosen_instrument
from calibration.profile import Profile
from calibration.profile_files import profile_folder
from calibration.protocol import load_protocol
from calibration.sessions import session_folder
from model.labels import LabelSet
from realtime import lsl
from realtime.errors import InputError

_log = logging.getLogger(__name__)


def guided_session(
    protocol: str, profile: Profile, root: Path, labels: LabelSet, options: Sequence[str]
) -> str:
    """Guide a person through a protocol.

    The session's journal lies in the person's profile and goes when it is forgotten; one that was
    not ended is resumed. The engine adds what is rated to the profile.

    Parameters
    ----------
    protocol : str
        A name that ships, or a path.
    profile : Profile
        The person's, begun or loaded.
    root : Path
        Folder of the profiles.
    labels : LabelSet
        What the model predicts; its questionnaire is asked if the protocol names none.
    options : sequence of str
        Of `affectstream run`, besides participant and profile.

    Returns
    -------
    str
        The state in which the session was left; see `apps.wizard.application.run_wizard`.

    Raises
    ------
    InputError
        If there is no such protocol, its questionnaire does not fit the model, there is no screen,
        no engine starts, or nothing can be written where profiles lie.
    """
    shown = load_protocol(protocol)
    instrument = chosen_instrument(shown.instrument_source, labels)
    person = profile_folder(root, profile.id)
    folder, notes = session_folder(person, shown)
    for sentence in notes:
        _log.warning("%s", sentence)
    need_wizard_screen()
    who = ["--profile", profile.id, "--profiles", str(root)]
    environment = lsl.environment(lsl.configure(loopback=False))
    # Two people may be guided on one computer: neither window must find the other's engine.
    name = f"calibration-{os.getpid()}"
    own = OwnEngine([*options, *who, "--link", name], name, environment)
    try:
        client = own.start()
        _make_private(person)
        return run_wizard(shown, instrument, profile.id, folder, client, own.start)
    finally:
        own.stop()


def _make_private(folder: Path) -> None:
    """Make the folder of a profile: nobody else on this computer has to see the journal in it."""
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(
            f"cannot make the folder {str(folder)!r} ({error.strerror}): make room there, or give "
            "another --profiles"
        ) from error
