"""The sensor check before a session: which modalities of a rig measure well enough."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

LEAST = 0.5
"""Smallest share of valid samples, and smallest quality index, that pass. Windows below this share
of valid samples are not used at all by the rigs that ship."""


@dataclass(frozen=True, slots=True)
class SensorCheck:
    """What became of the check of one modality.

    Attributes
    ----------
    modality : str
    passed : bool
    state : str
        Of its worst stream: ``live``, ``waiting``, ``silent``, ``lost``, ``changed``; ``missing``
        without any.
    quality : float or None
        Its own quality index, 0 to 1; None before the first window.
    reason : str
        Why it did not pass, and what to do; empty if it did.
    """

    modality: str
    passed: bool
    state: str
    quality: float | None
    reason: str


def check_sensors(
    modalities: Sequence[str], streams: Sequence[Mapping[str, Any]], participant: str
) -> tuple[SensorCheck, ...]:
    """Say of each modality whether it measures well enough.

    Parameters
    ----------
    modalities : sequence of str
        Of the rig.
    streams : sequence of mapping
        With modality, participant, state, quality and valid, as the engine's ``streams`` message
        has them. Several may serve one modality: all of them must pass.
    participant : str

    Returns
    -------
    tuple of SensorCheck
        One a modality, in order.
    """
    found = []
    for modality in modalities:
        serving = [
            _judge(modality, stream)
            for stream in streams
            if (stream.get("modality"), stream.get("participant")) == (modality, participant)
        ]
        missing = SensorCheck(
            modality, False, "missing", None, "no stream serves it: switch the sensor on"
        )
        found.append(min(serving, key=lambda check: check.passed, default=missing))
    return tuple(found)


def _judge(modality: str, stream: Mapping[str, Any]) -> SensorCheck:
    state = str(stream.get("state"))
    quality, valid = _share(stream.get("quality")), _share(stream.get("valid"))
    if state != "live":
        reason = f"its stream is {state}: check that the device sends"
    elif quality is None or valid is None:
        reason = "its first window is not there yet: wait some seconds"
    elif valid < LEAST:
        reason = f"only {valid:.0%} of its samples are valid: check the connection"
    elif quality < LEAST:
        reason = f"its quality is {quality:.0%}, must be {LEAST:.0%}: check how the sensor sits"
    else:
        reason = ""
    return SensorCheck(modality, not reason, state, quality, reason)


def _share(value: object) -> float | None:
    if not isinstance(value, int | float) or isinstance(value, bool) or not math.isfinite(value):
        return None
    return min(max(float(value), 0.0), 1.0)
