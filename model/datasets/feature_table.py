"""Features that others computed, as a table."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from model.datasets.base import FeatureDataset
from model.datasets.table import Table
from realtime.errors import InputError

NO_RIG = "none, published features"
HOP = 1.0
"""Seconds between windows of all feature datasets read here."""


@dataclass(frozen=True, slots=True)
class PersonFeatures:
    """One person's windows.

    Attributes
    ----------
    name : str
    features : mapping of str to ndarray, shape (N, D)
        By modality.
    trial, condition : sequence of str, length N
    distribution : ndarray of float64, shape (N, C)
    split : sequence of str, length N, or None
        As in `Table`.
    """

    name: str
    features: Mapping[str, NDArray[np.floating]]
    trial: Sequence[str]
    condition: Sequence[str]
    distribution: NDArray[np.float64]
    split: Sequence[str] | None = None


def feature_table(
    dataset: FeatureDataset,
    people: Sequence[PersonFeatures],
    roles: Mapping[str, str],
    names: Mapping[str, tuple[str, ...]],
) -> Table:
    """Join people's windows to a table.

    Times are not published: windows follow each other every second in the order of the file, and
    nobody has a stated baseline. Intensity is unknown, since only shares are published.

    Parameters
    ----------
    dataset : FeatureDataset
    people : sequence of PersonFeatures
    roles : mapping of str to str
        Role of each modality.
    names : mapping of str to tuple of str
        Feature names by modality.

    Raises
    ------
    InputError
        If a published feature is not finite: unlike a sensor, a file has no reason to lack one.
    """
    for one in people:
        for name in names:
            wild = ~np.isfinite(one.features[name])
            if wild.any():
                row, column = (int(place[0]) for place in np.nonzero(wild))
                raise InputError(
                    f"{dataset.name} has {int(wild.sum())} values of {name} that are not finite "
                    f"for {one.name!r}, the first in {names[name][column]} of window {row + 1}: "
                    "restore the file, or take the windows out"
                )
    count = [len(one.trial) for one in people]
    total = sum(count)
    time = np.concatenate([np.arange(1, size + 1) * HOP for size in count])
    features = {
        name: np.concatenate([one.features[name] for one in people]).astype(np.float32)
        for name in names
    }
    shares = np.concatenate([one.distribution for one in people])
    splits = [one.split for one in people if one.split is not None]
    return Table(
        dataset=dataset.name,
        rig=NO_RIG,
        labels=dataset.labels,
        stress=dataset.stress,
        hop=HOP,
        roles=dict(roles),
        names=dict(names),
        versions=dict.fromkeys(names, "as published"),
        features=features,
        mask={
            name: np.asarray(np.isfinite(values).any(axis=1)) for name, values in features.items()
        },
        person=np.repeat([one.name for one in people], count),
        trial=np.array([trial for one in people for trial in one.trial], dtype="U64"),
        condition=np.array([word for one in people for word in one.condition], dtype="U64"),
        time=time,
        elapsed=time,
        warm_up=np.zeros(total, dtype=bool),
        is_baseline=np.zeros(total, dtype=bool),
        distribution=shares,
        intensity=np.full(total, np.nan),
        stretches={one.name: None for one in people},
        note=dataset.note,
        split=np.array([word for part in splits for word in part]) if splits else None,
    )
