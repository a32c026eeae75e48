"""Held-out trials: what was reported, what was predicted without knowing it, and how far off."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from model.adaptation import shifted
from model.metrics import chebyshev, kl_divergence
from model.serial import SerialVariance
from model.uncertainty import total_variation

METRICS = {
    "kl": ("KL (nats)", kl_divergence),
    "chebyshev": ("Chebyshev", chebyshev),
    "tv": ("total variation", total_variation),
}
"""What a prediction is judged by: its name in words, and the function; smaller is better."""

BEFORE = "none"
"""The checkpoint without any calibration."""

TRIVIAL = {
    "training mean": "the mean rating of the people that the model was trained on, for everybody",
    "own mean": "the mean of the person's own other ratings",
    "shrunk mean": "the training mean, moved towards the person's own other ratings as far as "
    "ratings of the training people tell of their next ones",
}
"""Predictors that look at no sensor; calibration earns its place by what it adds to them."""


@dataclass(frozen=True)
class Held:
    """One rated trial, and what was predicted for it by what was fitted to the others.

    Attributes
    ----------
    trial, condition : str
    date : str
        When it was rated, ISO 8601; empty where unknown.
    truth : ndarray of float64, shape (C,)
        What was reported.
    predictions : mapping of str to ndarray of float64, shape (C,)
        Mean distribution over its windows, by rung of the ladder and by name in `TRIVIAL`.
    radius : float
        What the others gave as radius for it, in total variation.
    """

    trial: str
    condition: str
    date: str
    truth: NDArray[np.float64]
    predictions: Mapping[str, NDArray[np.float64]]
    radius: float


@dataclass(frozen=True)
class Scores:
    """How far predictions of k held-out trials were off.

    Attributes
    ----------
    names : tuple of str
        Of the predictors: the ladder's rungs, then the trivial ones.
    by_trial : mapping of str to mapping of str to ndarray of float64, shape (k,)
        By metric and predictor.
    by_emotion : mapping of str to ndarray of float64, shape (C,)
        By predictor, the mean absolute error of each share.
    """

    names: tuple[str, ...]
    by_trial: Mapping[str, Mapping[str, NDArray[np.float64]]]
    by_emotion: Mapping[str, NDArray[np.float64]]

    @property
    def trivial(self) -> tuple[str, ...]:
        """The predictors that look at no sensor."""
        return tuple(name for name in self.names if name in TRIVIAL)

    def mean(self, metric: str, name: str) -> float:
        """Return the mean of a metric over the trials."""
        return float(self.by_trial[metric][name].mean())


def figures(held: Sequence[Held], name: str) -> dict[str, float]:
    """Return the means of all metrics of one predictor, as a profile's history keeps them."""
    if not held:
        return {}
    found = score(held)
    return {metric: found.mean(metric, name) for metric in METRICS}


def score(held: Sequence[Held]) -> Scores:
    """Compare predictions with what was reported.

    Raises
    ------
    ValueError
        If the trials were not all predicted by the same, or shapes differ, or there are none.
    """
    if not held:
        raise ValueError("no held-out trials: give at least one")
    names = tuple(held[0].predictions)
    for one in held:
        if set(one.predictions) != set(names):
            raise ValueError(f"trial {one.trial!r} was predicted by {sorted(one.predictions)}")
    names = tuple(sorted(names, key=lambda name: name in TRIVIAL))
    truth = np.array([one.truth for one in held])
    guesses = {name: np.array([one.predictions[name] for one in held]) for name in names}
    return Scores(
        names,
        {
            metric: {name: function(truth, guess) for name, guess in guesses.items()}
            for metric, (_, function) in METRICS.items()
        },
        {name: np.abs(truth - guess).mean(axis=0) for name, guess in guesses.items()},
    )


def trivial_predictions(
    shares: NDArray[np.float64], mean: NDArray[np.float64], serial: SerialVariance
) -> dict[str, NDArray[np.float64]]:
    """Predict each of k trials without sensors, from the ratings of the others.

    Parameters
    ----------
    shares : ndarray, shape (k, C)
        What was reported, in order of time; at least two trials.
    mean : ndarray, shape (C,)
        Mean distribution of the training people.
    serial : SerialVariance
        How their ratings hang together.

    Returns
    -------
    dict of str to ndarray of float64, shape (k, C)
        By the names in `TRIVIAL`.
    """
    count = len(shares)
    if count < 2:
        raise ValueError(f"{count} trials: need two, so that one can be held out")
    weights = serial.weights(count - 1)
    keep = float(np.clip(1 - weights.sum(), 0.0, 1.0))
    own, shrunk = [], []
    for number in range(count):
        others = np.delete(shares, number, axis=0)
        own.append(others.mean(axis=0))
        shrunk.append(shifted(mean[None], weights @ (others - mean), keep)[0])
    predicted = (np.tile(mean, (count, 1)), np.array(own), np.array(shrunk))
    return dict(zip(TRIVIAL, predicted, strict=True))
