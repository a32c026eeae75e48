"""EDL: seven emotions from short films, told from ECG, heart rate, skin conductance, temperature.

Shu, Yang, Liu, Zhang, Zhao and Liu (2023): Emotion distribution learning based on peripheral
physiological signals. IEEE Transactions on Affective Computing 14(3), 2470-2483.

The article says what was computed (39 features of ECG, 7 of heart rate, 39 of GSR, 4 of skin
temperature; 38 participants, 14 films, seven emotions), but no layout of the files has been
published: they are given on request. The layout read here is this program's own, a plain one to
which they are easily brought: a file `N.mat` for participant N = 1 ... 38 with the variables

- `ecg` (windows, 39), `hr` (windows, 7), `gsr` (windows, 39), `skt` (windows, 4);
- `film` (windows), from 1 to 14;
- `label` (14 films, 7 emotions): shares, or scores that are taken over their sum, in the order
  anger, disgust, sadness, fear, tenderness, joy, amusement; NaN where a film was not rated.
"""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar

import numpy as np

from model.datasets.base import FeatureDataset
from model.datasets.feature_table import PersonFeatures, feature_table
from model.datasets.mat import read_mat
from model.datasets.table import Table
from model.labels import EDL7, LabelSet, distribution
from realtime.errors import InputError

PARTICIPANTS = 38
FILMS = 14

SIZES = {"ecg": 39, "hr": 7, "gsr": 39, "skt": 4}

ROLES = {"ecg": "primary", "hr": "auxiliary", "gsr": "auxiliary", "skt": "behavioural"}
"""The data have no behaviour: temperature stands in where a network wants one."""


class Edl(FeatureDataset):
    """Loader of feature files in the layout above."""

    name: ClassVar[str] = "edl"
    folder: ClassVar[str] = "edl"
    source: ClassVar[str] = "the authors, https://doi.org/10.1109/TAFFC.2022.3163609 (on request)"
    labels: ClassVar[LabelSet] = EDL7
    note: ClassVar[str] = (
        "Published features; a window's time is its place in the file, so the clock rows mean "
        "nothing here."
    )

    def table(self, root: Path) -> Table:
        """Read every participant's file; InputError as the base class says."""
        files = sorted(
            (path for path in root.glob("*.mat") if path.stem.isdecimal()),
            key=lambda path: int(path.stem),
        )
        if not files:
            raise InputError(f"no file 1.mat, 2.mat ... in {str(root)!r}: see docs/datasets.md")
        names = {
            modality: tuple(f"{modality}_{number + 1}" for number in range(size))
            for modality, size in SIZES.items()
        }
        return feature_table(self, [_person(path) for path in files], ROLES, names)


def _person(path: Path) -> PersonFeatures:
    if not 1 <= int(path.stem) <= PARTICIPANTS:
        raise InputError(
            f"{str(path)!r} is participant {path.stem}, EDL has 1 to {PARTICIPANTS}: take it away"
        )
    wanted = {name: (None, size) for name, size in SIZES.items()}
    read = read_mat(path, {**wanted, "film": (None,), "label": (FILMS, len(EDL7))})
    film = read["film"]
    if any(len(read[name]) != len(film) for name in SIZES) or not len(film):
        sizes = ", ".join(f"{name} {len(read[name])}" for name in (*SIZES, "film"))
        raise InputError(f"{str(path)!r} has {sizes} windows, needs equally many: correct it")
    if not np.isin(film, np.arange(1, FILMS + 1)).all():
        raise InputError(f"{str(path)!r} has a film outside 1 to {FILMS}: correct it")
    number = film.astype(int)
    return PersonFeatures(
        name=path.stem,
        features={name: read[name] for name in SIZES},
        trial=[f"film {one}" for one in number],
        condition=[f"film {one}" for one in number],
        distribution=distribution(read["label"])[number - 1],
    )
