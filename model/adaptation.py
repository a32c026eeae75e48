"""Adaptation of a fitted system to one person, from a few rated trials of that person."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from model.batch import Batch, Labels
from model.metrics import trial_means
from model.systems.base import System, complete

SHRINKAGE = "shrinkage"
"""Name of the adaptation that every other one is compared with."""

DEFAULT_RATIO = 2.0
"""Variance between a person's trials, over that between people, where the training people cannot
tell; EmoPairCompete's 24 give 2.1."""


class Predicts(Protocol):
    """Anything that can be asked about windows."""

    def predict(self, batch: Batch) -> NDArray[np.floating]:
        """Return distributions, shape (N, C): non-negative rows that sum to 1."""
        ...


@dataclass(frozen=True, slots=True)
class Evidence:
    """N rated windows, as an adaptation sees them.

    Attributes
    ----------
    batch : Batch
        What the system was fitted to, or is asked about.
    labels : Labels
    groups, trials : ndarray of str, shape (N,)
        The person and the trial of each window.
    """

    batch: Batch
    labels: Labels
    groups: NDArray[np.str_]
    trials: NDArray[np.str_]


class Adaptation(Protocol):
    """Fits a system to one person.

    Attributes
    ----------
    name : str
        What its rows are called in tables.
    """

    @property
    def name(self) -> str:
        """What its rows are called in tables."""
        ...

    def __call__(self, system: System, population: Evidence, own: Evidence) -> Predicts:
        """Return the adapted system; the given one stays as it is.

        Parameters
        ----------
        system : System
            Fitted to `population`.
        population : Evidence
            The training people.
        own : Evidence
            Given trials of the one person; at least one.
        """
        ...


@dataclass(frozen=True)
class LabelShrinkage:
    """Moves every prediction towards what the person reported in the given trials.

    To each prediction is added w times the difference of the mean given label and the mean
    prediction on the given windows, both as means over k trials. The weight w = k / (k + ratio) is
    that of the best linear prediction of a person's mean, where `variance_ratio` of the training
    people's labels stands for the ratio (James and Stein's shrinkage with estimated variance
    components; Robinson 1991, "That BLUP is a good thing"). No share is moved below 1 - w of what
    it was, so that none reaches 0. For a constant prediction m this is (1 - w) m + w times the
    person's mean.
    """

    name: str = SHRINKAGE

    def __call__(self, system: System, population: Evidence, own: Evidence) -> Predicts:
        """Return the moved system; see the class."""
        rows = complete(population.labels)
        ratio = variance_ratio(
            population.labels.distribution[rows], population.groups[rows], population.trials[rows]
        )
        count = len(np.unique(own.trials))
        weight = count / (count + ratio)
        reported = trial_means(own.labels.distribution, own.trials).mean(axis=0)
        guessed = trial_means(np.asarray(system.predict(own.batch)), own.trials).mean(axis=0)
        return Shifted(system, weight * (reported - guessed), 1 - weight)


@dataclass(frozen=True)
class Shifted:
    """A system with a constant added to its predictions.

    Attributes
    ----------
    system : Predicts
    shift : ndarray, shape (C,)
        Sums to 0.
    keep : float
        No share falls below this share of what it was; 0 to 1.
    """

    system: Predicts
    shift: NDArray[np.float64]
    keep: float

    def predict(self, batch: Batch) -> NDArray[np.float64]:
        """Return distributions, shape (N, C)."""
        return shifted(np.asarray(self.system.predict(batch)), self.shift, self.keep)


def shifted(
    shares: NDArray[np.floating], shift: NDArray[np.floating], keep: float
) -> NDArray[np.float64]:
    """Add `shift` (C,) to distributions (N, C); no share falls below `keep` of what it was."""
    before = np.asarray(shares, dtype=np.float64)
    moved = np.maximum(before + shift, keep * before)
    return np.asarray(moved / moved.sum(axis=1, keepdims=True))


def variance_ratio(
    shares: NDArray[np.floating], groups: NDArray[np.str_], trials: NDArray[np.str_]
) -> float:
    """Return the variance of a person's trials over the variance of people's means.

    From a one-way analysis of variance with unequal numbers of trials, of each trial's mean label,
    summed over emotions (Searle, Casella and McCulloch 1992, chapter 3).

    Parameters
    ----------
    shares : ndarray, shape (N, C)
        Labels of windows.
    groups, trials : ndarray of str, shape (N,)
        The person and the trial of each.

    Returns
    -------
    float
        Infinite where people do not differ by more than their trials do; `DEFAULT_RATIO` where
        there is only one person, or nobody with two trials.
    """
    people = np.unique(groups)
    means = [trial_means(shares[groups == one], trials[groups == one]) for one in people]
    counts = np.array([len(one) for one in means])
    total = int(counts.sum())
    if len(people) < 2 or total == len(people):
        return DEFAULT_RATIO
    centres = np.array([one.mean(axis=0) for one in means])
    within = sum(float(((one - one.mean(axis=0)) ** 2).sum()) for one in means)
    within /= total - len(people)
    grand = np.average(centres, axis=0, weights=counts)
    between = float((counts * ((centres - grand) ** 2).sum(axis=1)).sum()) / (len(people) - 1)
    size = (total - float((counts**2).sum()) / total) / (len(people) - 1)
    variance = (between - within) / size
    return within / variance if variance > 0 else math.inf
