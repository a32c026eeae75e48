"""Running the wizard: the Qt application around its window."""

from __future__ import annotations

import signal
from collections.abc import Callable
from pathlib import Path

from apps.dashboard.application import application, has_screen
from apps.link import LinkClient
from apps.wizard.window import Wizard
from calibration.instruments import Instrument
from calibration.protocol import Protocol
from realtime.errors import InputError


def need_wizard_screen() -> None:
    """Raise InputError if there is no screen to show the session on."""
    if not has_screen():
        raise InputError(
            "no screen to show the session on (DISPLAY is not set): run it on a computer with one, "
            "or calibrate from a recording with `affectstream calibrate --from FILE`"
        )


def run_wizard(
    protocol: Protocol,
    instrument: Instrument,
    participant: str,
    folder: Path,
    client: LinkClient,
    restart: Callable[[], LinkClient] | None = None,
) -> str:
    """Show the wizard until its window is closed.

    The arguments are those of `Wizard`.

    Returns
    -------
    str
        The state in which the session was left: ``finished`` and ``aborted`` are final, any other
        is resumed by the next call with the same folder.

    Raises
    ------
    InputError
        If there is no screen, or as `Wizard`.
    """
    need_wizard_screen()
    made = application()
    window = Wizard(protocol, instrument, participant, folder, client, restart)
    before = signal.signal(signal.SIGINT, lambda _number, _frame: window.close())
    window.resize(1280, 800)
    window.show()
    made.exec()
    window.close()
    signal.signal(signal.SIGINT, before)
    return window.guided.state
