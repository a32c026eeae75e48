"""What a session is to do."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from calibration.profile import Profile
from model.checkpoint import Checkpoint
from realtime.features.artefacts import ArtefactFilter
from realtime.rig import Rig


@dataclass(frozen=True)
class SessionSettings:
    """What a session is to do.

    Attributes
    ----------
    rig : Rig
    checkpoint : Checkpoint
    device : str
        ``auto``, ``cpu`` or ``cuda``.
    baseline : tuple of float or None
        Stretch of rest in seconds from the first sample.
    choices : mapping of str to str
        Chosen streams, as ``--bind`` gives them.
    participants : tuple of str
        Empty: whom the streams name, or "P1".
    record : Path or None
        Folder to record into from the start.
    record_frames : bool
        Record the frames of video streams as well, whenever a recording runs; else only what is
        computed from them.
    seconds : float or None
        Stop after so many seconds of running.
    wait : float or None
        Give up if no stream was found within so many seconds; None waits for ever.
    artefacts : mapping of str to ArtefactFilter
        What was fitted to participants' EEG.
    profiles : mapping of str to Profile
        By participant; begun or loaded, and fitting the checkpoint and the rig.
    profile_root : Path or None
        Folder that better profiles are saved to; None only where there are none.
    link : str or None
        Name under which dashboards find the engine; None: no dashboards.
    """

    rig: Rig
    checkpoint: Checkpoint
    device: str = "auto"
    baseline: tuple[float, float] | None = None
    choices: Mapping[str, str] = field(default_factory=dict)
    participants: tuple[str, ...] = ()
    record: Path | None = None
    record_frames: bool = False
    seconds: float | None = None
    wait: float | None = 10.0
    artefacts: Mapping[str, ArtefactFilter] = field(default_factory=dict)
    profiles: Mapping[str, Profile] = field(default_factory=dict)
    profile_root: Path | None = None
    link: str | None = None
