"""Datasets by name."""

from __future__ import annotations

from model.datasets.base import Dataset, FeatureDataset, Session, Trial
from model.datasets.dmer import Dmer
from model.datasets.dmer_features import DmerFeatures
from model.datasets.dmer_sample import DmerSample
from model.datasets.edl import Edl
from model.datasets.emopaircompete import EmoPairCompete
from model.datasets.simulated import SimulatedChest, SimulatedDmer
from model.datasets.wesad import WesadWrist
from model.datasets.wesad_chest import WesadChest
from model.datasets.xdf import XdfRecordings
from realtime.errors import InputError

DATASETS: dict[str, Dataset | FeatureDataset] = {
    one.name: one
    for one in (
        *(WesadWrist(), WesadChest(), EmoPairCompete(), Dmer()),
        *(DmerFeatures(), DmerSample(), Edl()),
        *(SimulatedChest(), SimulatedDmer()),
        XdfRecordings(),
    )
}

__all__ = ["DATASETS", "Dataset", "FeatureDataset", "Session", "Trial", "dataset"]


def dataset(name: str) -> Dataset | FeatureDataset:
    """Return a dataset's loader by name; InputError if there is none such."""
    if name not in DATASETS:
        raise InputError(f"no dataset {name!r}: use one of {', '.join(DATASETS)}")
    return DATASETS[name]
