"""The checkpoints that ship, one safetensors file a rig, with a model card each."""

from __future__ import annotations

from pathlib import Path

from model.checkpoint import check_rig, load_checkpoint
from realtime.errors import InputError
from realtime.rig import Rig

FOLDER = Path(__file__).parent


def shipped_checkpoint(rig: Rig) -> Path:
    """Return the checkpoint that ships for a rig, or for one that gives the same features.

    Raises
    ------
    InputError
        If none does.
    """
    named = FOLDER / f"{rig.name}.safetensors"
    if named.is_file():
        return named
    for path in sorted(FOLDER.glob("*.safetensors")):
        try:
            check_rig(load_checkpoint(path), rig)
        except InputError:
            continue
        return path
    raise InputError(
        f"no checkpoint ships for the rig {rig.name!r}: give --checkpoint FILE, or make one with "
        "`affectstream train`"
    )
