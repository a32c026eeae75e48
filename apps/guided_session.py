"""A guided session with an engine of its own behind it, which fits and saves the profile."""

from __future__ import annotations

import logging
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

_log = logging.getLogger(__name__)

ENGINE = "calibration"
"""Name of the engine's link."""


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
        or no engine starts.
    """
    shown = load_protocol(protocol)
    instrument = chosen_instrument(shown.instrument_source, labels)
    folder, notes = session_folder(profile_folder(root, profile.id), shown)
    for sentence in notes:
        _log.warning("%s", sentence)
    need_wizard_screen()
    who = ["--profile", profile.id, "--profiles", str(root)]
    environment = lsl.environment(lsl.configure(loopback=False))
    own = OwnEngine([*options, *who, "--link", ENGINE], ENGINE, environment)
    try:
        return run_wizard(shown, instrument, profile.id, folder, own.start(), own.start)
    finally:
        own.stop()
