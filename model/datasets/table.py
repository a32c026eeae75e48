"""A dataset after the engine: one row a window, with raw features and labels."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from model.batch import Batch, Labels
from model.labels import LabelSet, align
from realtime.baseline import Population, fit_population, normalise

Rows = NDArray[np.intp]


@dataclass(frozen=True)
class Table:
    """Windows of every person of a dataset, in order of person and time.

    Attributes
    ----------
    dataset, rig : str
        Names.
    labels : LabelSet
    stress : frozenset of str
        Conditions that were meant to stress.
    hop : float
        Seconds between windows.
    roles : mapping of str to str
        Role of each modality in the rig.
    names : mapping of str to tuple of str
        Feature names by modality.
    versions : mapping of str to str
        Feature set and version by modality, ``"ppg 1"``.
    features : mapping of str to ndarray of float32, shape (N, D)
        Raw, by modality; NaN where undefined.
    mask : mapping of str to ndarray of bool, shape (N,)
    person, trial, condition : ndarray of str, shape (N,)
        Trial and condition are empty outside the trials.
    time : ndarray of float64, shape (N,)
        Window ends on the person's clock, in seconds.
    elapsed : ndarray of float64, shape (N,)
        Seconds since the person's session started, which is when the first trial did.
    warm_up, is_baseline : ndarray of bool, shape (N,)
        Baseline windows end inside the person's stated stretch of rest; they are never tested.
    distribution : ndarray of float64, shape (N, C)
        NaN where a window has no complete rating.
    intensity : ndarray of float64, shape (N,)
    stretches : mapping of str to tuple of float or None
        Each person's stated baseline, on the person's clock.
    left_out : tuple of str
        Trials without a complete rating, one sentence each.
    note : str
        What every report of this dataset must say.
    split : ndarray of str, shape (N,), or None
        ``"train"`` or ``"test"`` where the dataset was published with a split of its own.
    simulated : bool
        Nobody was measured.
    """

    dataset: str
    rig: str
    labels: LabelSet
    stress: frozenset[str]
    hop: float
    roles: Mapping[str, str]
    names: Mapping[str, tuple[str, ...]]
    versions: Mapping[str, str]
    features: Mapping[str, NDArray[np.float32]]
    mask: Mapping[str, NDArray[np.bool_]]
    person: NDArray[np.str_]
    trial: NDArray[np.str_]
    condition: NDArray[np.str_]
    time: NDArray[np.float64]
    elapsed: NDArray[np.float64]
    warm_up: NDArray[np.bool_]
    is_baseline: NDArray[np.bool_]
    distribution: NDArray[np.float64]
    intensity: NDArray[np.float64]
    stretches: Mapping[str, tuple[float, float] | None]
    left_out: tuple[str, ...] = ()
    note: str = ""
    split: NDArray[np.str_] | None = None
    simulated: bool = False

    def __len__(self) -> int:
        return len(self.time)

    @property
    def people(self) -> tuple[str, ...]:
        """Names of the people, in order of their first window."""
        _, first = np.unique(self.person, return_index=True)
        return tuple(str(self.person[row]) for row in np.sort(first))

    @property
    def rated(self) -> NDArray[np.bool_]:
        """Windows to train on and to test: completely rated, and outside the baseline."""
        return np.isfinite(self.distribution).all(axis=1) & ~self.is_baseline

    @property
    def stressed(self) -> NDArray[np.bool_]:
        """Windows of a condition that was meant to stress."""
        return np.isin(self.condition, sorted(self.stress))

    @property
    def trial_count(self) -> int:
        """Number of trials with windows to train on or to test."""
        rated = self.rated
        return len(set(zip(self.person[rated], self.trial[rated], strict=True)))

    def rows(self, people: Sequence[str]) -> Rows:
        """Return the indices of the rated windows of some people."""
        return np.flatnonzero(self.rated & np.isin(self.person, list(people)))

    def targets(self, rows: Rows, to: LabelSet | None = None) -> Labels:
        """Return the labels at `rows`, in this table's items or aligned to another label set."""
        shares = self.distribution[rows]
        if to is None or to == self.labels:
            return Labels(shares, self.intensity[rows])
        aligned, items = align(shares, self.labels, to)
        return Labels(aligned, self.intensity[rows], np.tile(items, (len(aligned), 1)))


def population_of(tables: Sequence[tuple[Table, Rows]]) -> Population:
    """Fit population statistics to the given training windows and their people's baselines."""
    people = []
    for table, rows in tables:
        chosen = np.zeros(len(table), dtype=bool)
        chosen[rows] = True
        for person in dict.fromkeys(table.person[rows].tolist()):
            own = (table.person == person) & (chosen | table.is_baseline)
            people.append({name: values[own] for name, values in table.features.items()})
    return fit_population(people)


def normalised(table: Table, population: Population, people: Sequence[str]) -> Batch:
    """Return the windows of some people as a batch as long as the table; the others' rows are 0.

    The z-scores are causal and by the same steps as live. Where a person's baseline is stated, the
    windows between trials have no influence on any rated one and are left at 0 as well.
    """
    scores = {name: np.zeros_like(values) for name, values in table.features.items()}
    for person in people:
        own = table.person == person
        stretch = table.stretches[person]
        if stretch is not None:
            own &= table.rated | table.is_baseline
        rows = np.flatnonzero(own)
        part = {name: values[rows] for name, values in table.features.items()}
        for name, values in normalise(
            table.time[rows], part, population, stretch, table.hop
        ).items():
            scores[name][rows] = np.where(table.mask[name][rows, None], values, np.float32(0))
    return Batch(scores, dict(table.mask), table.elapsed)
