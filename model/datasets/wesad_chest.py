"""WESAD, chest: ECG, skin conductance, muscle activity and movement at 700 Hz.

Schmidt, Reiss, Duerichen, Marberger and Van Laerhoven (2018): Introducing WESAD, a multimodal
dataset for wearable stress and affect detection. ICMI.
"""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar

from model.datasets.base import Dataset, Session
from model.datasets.wesad import NOTE, SOURCE, person_folders, pickle_session
from model.datasets.wesad_pickle import read_chest
from model.labels import PANAS10, LabelSet


class WesadChest(Dataset):
    """Loader of `SX/SX.pkl` and `SX/SX_quest.csv`, as WESAD publishes them."""

    name: ClassVar[str] = "wesad-chest"
    folder: ClassVar[str] = "wesad"
    source: ClassVar[str] = SOURCE
    rig: ClassVar[str] = "chest"
    labels: ClassVar[LabelSet] = PANAS10
    stress: ClassVar[frozenset[str]] = frozenset({"TSST"})
    note: ClassVar[str] = NOTE

    def sessions(self, root: Path) -> tuple[Session, ...]:
        """List one recording a person; each file is read once for its labels, some seconds each."""
        return tuple(pickle_session(folder, read_chest) for folder in person_folders(root))
