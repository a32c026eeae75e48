"""Datasets by name."""

from __future__ import annotations

from model.datasets.base import Dataset, Session, Trial
from model.datasets.emopaircompete import EmoPairCompete
from model.datasets.wesad import WesadWrist
from realtime.errors import InputError

DATASETS: dict[str, Dataset] = {one.name: one for one in (WesadWrist(), EmoPairCompete())}

__all__ = ["DATASETS", "Dataset", "Session", "Trial", "dataset"]


def dataset(name: str) -> Dataset:
    """Return a dataset's loader by name; InputError if there is none such."""
    if name not in DATASETS:
        raise InputError(f"no dataset {name!r}: use one of {', '.join(DATASETS)}")
    return DATASETS[name]
