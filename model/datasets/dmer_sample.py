"""The one participant of DMER whose features were published with EmotionDict.

Liu, Yang, Shu, Yan, Zhang and Liu (2024): Emotion dictionary learning with modality attentions for
mixed emotion exploration. IEEE Transactions on Affective Computing.

One file, `data_feature_sample.mat`: 696 training and 179 test windows of a second, drawn at random
by the authors, so that neighbours are on both sides. Their program says what the numbers are: log2
of the mean power in four bands, of 18 electrodes, of GSR and of PPG; and 32 means of a VGG-16 layer
over the face. The order of electrodes is the one of DMER's files.
"""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar

import numpy as np

from model.datasets.base import FeatureDataset
from model.datasets.dmer_features import ELECTRODES
from model.datasets.feature_table import PersonFeatures, feature_table
from model.datasets.mat import Shape, read_mat
from model.datasets.table import Table
from model.labels import PANAS10, LabelSet
from realtime.errors import InputError

FILE = "data_feature_sample.mat"

_VARIABLES: dict[str, Shape] = {
    "eeg": (None, 18, 4),
    "gsr": (None, 1, 4),
    "ppg": (None, 1, 4),
    "video": (None, 32),
    "label": (None, len(PANAS10)),
}

_BANDS = ("4-8", "8-14", "14-31", "31-45")

NAMES = {
    "eeg": tuple(f"{electrode}.{band}" for electrode in ELECTRODES for band in _BANDS),
    "gsr": ("0-0.6", "0.6-1.2", "1.2-1.8", "1.8-2"),
    "ppg": _BANDS,
    "video": tuple(f"vgg_{number}" for number in range(32)),
}

ROLES = {"eeg": "primary", "gsr": "auxiliary", "ppg": "auxiliary", "video": "behavioural"}


class DmerSample(FeatureDataset):
    """Loader of the sample; the published split is kept in the table's `split`."""

    name: ClassVar[str] = "dmer-sample"
    folder: ClassVar[str] = "dmer_sample"
    source: ClassVar[str] = "https://github.com/shinyfang/EmotionDict (MIT)"
    labels: ClassVar[LabelSet] = PANAS10
    note: ClassVar[str] = (
        "One participant. The file shuffles the windows and names no film: windows of one label "
        "count as one trial, and the clock rows mean nothing here."
    )

    def table(self, root: Path) -> Table:
        """Read the file; InputError as the base class says."""
        path = root / FILE
        halves = {}
        for half in ("train", "test"):
            wanted = {f"{half}_{name}": shape for name, shape in _VARIABLES.items()}
            read = read_mat(path, wanted)
            parts = {name: read[f"{half}_{name}"] for name in _VARIABLES}
            if len({len(values) for values in parts.values()}) != 1:
                sizes = ", ".join(f"{name} {len(values)}" for name, values in parts.items())
                raise InputError(f"{str(path)!r} has {half} parts of {sizes} windows: restore it")
            if not len(parts["label"]):
                raise InputError(f"{str(path)!r} has 0 {half} windows: restore it")
            halves[half] = parts
        joined = {
            name: np.concatenate([halves[half][name] for half in ("train", "test")])
            for name in _VARIABLES
        }
        shares = joined.pop("label")
        good = (np.abs(shares.sum(axis=1) - 1) <= 1e-6) & (shares >= 0).all(axis=1)
        if not good.all():
            row = int(np.argmin(good))
            raise InputError(
                f"{str(path)!r} has {int((~good).sum())} labels that are no shares, the first in "
                f"window {row} (training windows first): smallest {shares[row].min():g}, sum "
                f"{shares[row].sum():g} instead of 1: restore it"
            )
        # Numbered by their place in the file, not by size.
        _, first, label = np.unique(
            np.round(shares, 9), axis=0, return_index=True, return_inverse=True
        )
        place = np.argsort(np.argsort(first))[label.reshape(-1)]
        person = PersonFeatures(
            name="sample",
            features={name: values.reshape(len(values), -1) for name, values in joined.items()},
            trial=[f"label {number + 1}" for number in place],
            condition=[""] * len(shares),
            distribution=shares,
            split=[half for half, parts in halves.items() for _ in range(len(parts["label"]))],
        )
        return feature_table(self, [person], ROLES, NAMES)
