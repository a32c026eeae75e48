"""Causal normalisation: features as z-scores against the population and the person's baseline.

One formula serves training and live use. The centre and variance of each feature start from the
population's and move towards the person's baseline in proportion to how many seconds of it there
are: with n seconds the weight is ``n / (n + prior_seconds)``.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Features = Mapping[str, NDArray[np.float32]]


@dataclass(frozen=True)
class Population:
    """Statistics of the people that a model was trained on.

    Attributes
    ----------
    mean, std : mapping of str to ndarray of float64, shape (n_features,)
        By modality: the mean over people, and the typical spread inside a person.
    floor : float
        Smallest share of the population's variance that a person's variance may have.
    clip : float
        z-scores are cut to ± this.
    prior_seconds : float
        Seconds of baseline at which person and population weigh the same.
    """

    mean: Mapping[str, NDArray[np.float64]]
    std: Mapping[str, NDArray[np.float64]]
    floor: float = 0.25
    clip: float = 5.0
    prior_seconds: float = 30.0


@dataclass(frozen=True)
class Rest:
    """A person's features at rest, before normalisation, as a profile keeps them.

    Attributes
    ----------
    seconds, mean, variance : mapping of str to ndarray of float64, shape (n_features,)
        By modality: for how long each feature was there, its mean and its variance; 0 where it
        never was.
    """

    seconds: Mapping[str, NDArray[np.float64]]
    mean: Mapping[str, NDArray[np.float64]]
    variance: Mapping[str, NDArray[np.float64]]


def fit_population(people: Sequence[Features], **settings: float) -> Population:
    """Compute population statistics.

    Parameters
    ----------
    people : sequence of mapping of str to ndarray, shape (n_windows, n_features)
        Raw features of each person by modality; NaN where undefined.
    **settings : float
        `floor`, `clip`, `prior_seconds` of `Population`.

    Returns
    -------
    Population
        A feature that nobody has gets mean 0 and spread 1.
    """
    mean: dict[str, NDArray[np.float64]] = {}
    std: dict[str, NDArray[np.float64]] = {}
    for modality in people[0]:
        means, variances = [], []
        for person in people:
            values = np.asarray(person[modality], dtype=np.float64)
            present = np.isfinite(values)
            count = present.sum(axis=0)
            total = np.where(present, values, 0.0).sum(axis=0)
            centre = np.divide(total, count, out=np.full(total.shape, np.nan), where=count > 0)
            squares = np.where(present, (values - centre) ** 2, 0.0).sum(axis=0)
            means.append(centre)
            variances.append(
                np.divide(squares, count, out=np.full(total.shape, np.nan), where=count > 1)
            )
        mean[modality] = _mean_of_finite(np.array(means), 0.0)
        spread = np.sqrt(_mean_of_finite(np.array(variances), 1.0))
        std[modality] = np.where(spread > 1e-12, spread, 1.0)
    return Population(mean, std, **settings)


def _mean_of_finite(rows: NDArray[np.float64], fallback: float) -> NDArray[np.float64]:
    present = np.isfinite(rows)
    count = present.sum(axis=0)
    total = np.where(present, rows, 0.0).sum(axis=0)
    return np.divide(total, count, out=np.full(total.shape, fallback), where=count > 0)


class Normaliser:
    """Running z-scores of one person.

    Parameters
    ----------
    population : Population or None
        None leaves features as they are, with NaN replaced by 0.
    hop : float
        Seconds that one window stands for.
    stretch : tuple of float or None
        Start and stop of the stated baseline on the session's clock. Windows that end inside it
        (start < end <= stop) form the baseline. None: a running estimate over all windows.
    rest : Rest or None
        Of an earlier session; stands until this one states a baseline of its own.
    """

    def __init__(
        self,
        population: Population | None,
        hop: float = 1.0,
        stretch: tuple[float, float] | None = None,
        rest: Rest | None = None,
    ) -> None:
        self.population = population
        self.hop = hop
        self._stretch = stretch
        if population is None:
            return
        self._modalities = tuple(population.mean)
        sizes = [len(population.mean[modality]) for modality in self._modalities]
        self._cuts = np.cumsum([0, *sizes])
        self._mean = np.concatenate([population.mean[m] for m in self._modalities])
        self._variance = np.concatenate([population.std[m] for m in self._modalities]) ** 2
        self._running = _Moments(len(self._mean))
        self._stated = _Moments(len(self._mean))
        self._earlier = None if rest is None else _Moments.of(rest, self._modalities, hop)

    @property
    def stretch(self) -> tuple[float, float] | None:
        """The stated baseline, or None."""
        return self._stretch

    @property
    def rest(self) -> Rest | None:
        """The person's features in the stated baseline so far; None without one."""
        if self.population is None or not self._stated.total:
            return None
        return self._stated.rest(self._modalities, self._cuts, self.hop)

    def state_baseline(self, start: float, stop: float = math.inf) -> None:
        """State a baseline that begins at `start`, from now on; an open `stop` can be set later.

        Windows already seen do not count again; restating forgets the former baseline.
        """
        if self._stretch is None or self._stretch[0] != start:
            if self.population is not None:
                self._stated = _Moments(len(self._mean))
        self._stretch = (start, stop)

    def update(self, time: float, features: Features) -> tuple[dict[str, NDArray[np.float32]], str]:
        """Take in one window, in order of time, and return its z-scores.

        Parameters
        ----------
        time : float
            End of the window on the session's clock.
        features : mapping of str to ndarray of float32, shape (n_features,)

        Returns
        -------
        normalised : dict of str to ndarray of float32, shape (n_features,)
        baseline : str
            ``"none"``, ``"running"``, ``"profile"`` or ``"stated"``.
        """
        if self.population is None:
            plain = {m: np.nan_to_num(v, nan=0.0) for m, v in features.items()}
            return plain, "none"
        values = np.concatenate([features[m] for m in self._modalities]).astype(np.float64)
        self._running.add(values)
        moments, kind = self._running, "running"
        if self._earlier is not None:
            moments, kind = self._earlier, "profile"
        if self._stretch is not None:
            start, stop = self._stretch
            if start < time <= stop:
                self._stated.add(values)
            if self._stated.total and time > start:
                moments, kind = self._stated, "stated"
        seconds = moments.count * self.hop
        weight = seconds / (seconds + self.population.prior_seconds)
        centre = self._mean + weight * (moments.mean - self._mean)
        variance = self._variance + weight * (moments.variance - self._variance)
        variance = np.maximum(variance, self.population.floor * self._variance)
        scores = (values - centre) / np.sqrt(variance)
        scores = np.clip(scores, -self.population.clip, self.population.clip)
        scores = np.where(np.isfinite(scores), scores, 0.0).astype(np.float32)
        return {
            modality: scores[self._cuts[i] : self._cuts[i + 1]]
            for i, modality in enumerate(self._modalities)
        }, kind


class _Moments:
    """Count, mean and variance of each entry, NaN left out (Welford's recurrence)."""

    def __init__(self, size: int) -> None:
        self.total = 0
        self.count = np.zeros(size)
        self.mean = np.zeros(size)
        self._squares = np.zeros(size)

    def add(self, values: NDArray[np.float64]) -> None:
        self.total += 1
        present = np.isfinite(values)
        self.count += present
        delta = np.where(present, values - self.mean, 0.0)
        self.mean += delta / np.maximum(self.count, 1.0)
        self._squares += delta * np.where(present, values - self.mean, 0.0)

    @classmethod
    def of(cls, rest: Rest, modalities: Sequence[str], hop: float) -> _Moments:
        made = cls(sum(len(rest.mean[modality]) for modality in modalities))
        made.count = np.concatenate([rest.seconds[m] for m in modalities]) / hop
        made.mean = np.concatenate([rest.mean[m] for m in modalities])
        made._squares = np.concatenate([rest.variance[m] for m in modalities]) * made.count
        return made

    def rest(self, modalities: Sequence[str], cuts: NDArray[np.intp], hop: float) -> Rest:
        edges = list(zip(modalities, cuts[:-1], cuts[1:], strict=True))
        return Rest(
            seconds={m: self.count[a:b] * hop for m, a, b in edges},
            mean={m: self.mean[a:b].copy() for m, a, b in edges},
            variance={m: self.variance[a:b] for m, a, b in edges},
        )

    @property
    def variance(self) -> NDArray[np.float64]:
        return self._squares / np.maximum(self.count, 1.0)


def normalise(
    times: NDArray[np.float64],
    features: Features,
    population: Population,
    stretch: tuple[float, float] | None = None,
    hop: float = 1.0,
) -> dict[str, NDArray[np.float32]]:
    """Normalise a whole session, causally, by the same steps as live.

    Parameters
    ----------
    times : ndarray, shape (n_windows,)
        Ends of the windows, ascending.
    features : mapping of str to ndarray, shape (n_windows, n_features)
    population : Population
    stretch : tuple of float or None
        The stated baseline on the clock of `times`.
    hop : float
        Seconds that one window stands for.

    Returns
    -------
    dict of str to ndarray of float32, shape (n_windows, n_features)
    """
    normaliser = Normaliser(population, hop, stretch)
    result = {m: np.zeros(np.shape(features[m]), dtype=np.float32) for m in population.mean}
    for row, time in enumerate(times):
        scores, _ = normaliser.update(float(time), {m: features[m][row] for m in population.mean})
        for modality, values in scores.items():
            result[modality][row] = values
    return result
