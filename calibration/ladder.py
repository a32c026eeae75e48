"""The ladder: steps that fit a model to one person, and the guard that picks one of them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy.stats import t as student

from calibration.personal import STEPS, PersonalModel
from calibration.tuning import Lesson, tune
from model.batch import Batch
from model.ensemble import Ensemble
from model.metrics import kl_divergence
from model.serial import SerialVariance

RUNGS = {
    "none": (),
    "prior": ("prior",),
    "baseline": ("prior", "baseline"),
    "head": ("prior", "head"),
    "adapters": ("prior", "head", "adapters"),
}
"""The steps that each rung takes together."""

_DOUBT = 0.1  # chance of leaving the prior's rung for nothing, at each comparison
_PRIOR_TRIALS = 4.0  # how many trials the population's centre of features counts for
_TUNED_ON = 8  # windows of a trial that weights are tuned to; neighbours nearly repeat each other
_JUDGED_ON = 40  # windows of a trial left out that a rung is judged on

Progress = Callable[[str, int, int], None]
"""Called with what was done, how much of it, and of how much."""


@dataclass(frozen=True)
class Base:
    """What is fitted to a person.

    Attributes
    ----------
    predict : callable
        From a batch of N windows to distributions (N, C).
    serial : SerialVariance
        How the training people's ratings hang together.
    ensemble : Ensemble or None
        The networks, where the system has any; without, nothing can be tuned.
    replay : ndarray of float32, shape (R, columns), or None
        Windows of the training people, as `Ensemble.pack` returns them.
    """

    predict: Callable[[Batch], NDArray[np.floating]]
    serial: SerialVariance
    ensemble: Ensemble | None = None
    replay: NDArray[np.float32] | None = None


@dataclass(frozen=True)
class Rated:
    """A person's rated trials, in order of time.

    Attributes
    ----------
    batch : Batch
        N windows.
    trial : ndarray of int, shape (N,)
        The number of each window's trial, 0 to k - 1.
    shares : ndarray of float64, shape (k, C)
        What was reported.
    """

    batch: Batch
    trial: NDArray[np.intp]
    shares: NDArray[np.float64]

    def without(self, number: int) -> Rated:
        """Return the trials but one."""
        kept = self.trial != number
        trial = self.trial[kept]
        return Rated(
            self.batch[kept], trial - (trial > number), np.delete(self.shares, number, axis=0)
        )

    def thinned(self, most: int) -> NDArray[np.intp]:
        """Return rows of at most `most` windows of each trial, evenly spread."""
        rows = [np.flatnonzero(self.trial == number) for number in range(len(self.shares))]
        return np.concatenate(
            [own[np.linspace(0, len(own) - 1, min(most, len(own))).round().astype(int)]
             for own in rows]
        )  # fmt: skip

    def means(self, values: NDArray[np.floating]) -> NDArray[np.float64]:
        """Return the mean over each trial's windows of values (N, C), shape (k, C)."""
        return np.array([values[self.trial == n].mean(axis=0) for n in range(len(self.shares))])


@dataclass(frozen=True)
class Rung:
    """One step of the ladder, judged on trials that it did not see.

    Attributes
    ----------
    name : str
        Key in `RUNGS`.
    predictions : ndarray of float64, shape (k, C)
        Mean distribution of each trial, by what was fitted to the others; NaN with one trial.
    kl : ndarray of float64, shape (k,)
        Mean divergence of each trial's windows.
    """

    name: str
    predictions: NDArray[np.float64]
    kl: NDArray[np.float64]


@dataclass(frozen=True)
class Fitted:
    """What came of a person's trials.

    Attributes
    ----------
    model : PersonalModel
        With the radius still to be set.
    rungs : tuple of Rung
    """

    model: PersonalModel
    rungs: tuple[Rung, ...]


@dataclass(frozen=True)
class Personal:
    """A fitted system as one person's model has it."""

    base: Base
    model: PersonalModel

    def predict(self, batch: Batch) -> NDArray[np.float64]:
        """Return distributions, shape (N, C)."""
        return self.model.moved(_raw(self.base, self.model, batch))


def fit(
    base: Base,
    rated: Rated,
    steps: Sequence[str] = STEPS,
    guard: bool = True,
    progress: Progress | None = None,
) -> Fitted:
    """Fit a model to a person.

    The guard predicts each rated trial by every rung that was fitted to the others. The prior is
    where it starts from, since it helped most people of every data set that we have; another rung,
    or none, takes its place only if it is better by more than chance would give it in one case of
    ten (a paired one-sided t-test over trials). With one trial nothing can be judged, and only the
    prior moves.

    Parameters
    ----------
    base : Base
    rated : Rated
        At least one trial.
    steps : sequence of str
    guard : bool
    progress : callable, optional
    """
    unknown = sorted(set(steps) - set(STEPS))
    if unknown:
        raise ValueError(f"step {unknown[0]!r}: use {', '.join(STEPS)}")
    count = len(rated.shares)
    reachable = [
        name
        for name, needed in RUNGS.items()
        if set(needed) <= set(steps) and (count > 1 or set(needed) <= {"prior"})
        and (base.ensemble is not None or not {"head", "adapters"} & set(needed))
        and (base.replay is not None or "adapters" not in needed)
    ]  # fmt: skip
    rungs: list[Rung] = []
    total = len(reachable) + 1
    for done, name in enumerate(reachable if guard else ()):
        rungs.append(_judged(base, rated, name))
        if progress is not None:
            progress(name, done + 1, total)
    chosen = _choose(rungs) if guard and count > 1 else reachable[-1]
    model = replace(fit_rung(base, rated, chosen), step=chosen)
    if progress is not None:
        progress(chosen, total, total)
    return Fitted(model, tuple(rungs))


def fit_rung(base: Base, rated: Rated, name: str) -> PersonalModel:
    """Fit one rung of the ladder to all given trials."""
    steps = RUNGS[name]
    count, emotions = rated.shares.shape
    model = PersonalModel(step=name, trials=count, shift=np.zeros(emotions))
    if "baseline" in steps:
        model = replace(model, centre=_centre(rated))
    if "head" in steps:
        assert base.ensemble is not None
        rows = rated.thinned(_TUNED_ON)
        guess = rated.means(base.predict(rated.batch))
        # What changes from trial to trial is taught; the person's own level is the prior's part.
        target = np.maximum(rated.shares - rated.shares.mean(axis=0) + guess.mean(axis=0), 0.0)
        target /= target.sum(axis=1, keepdims=True)
        trial = rated.trial[rows]
        lesson = Lesson(
            base.ensemble.pack(rated.batch[rows]),
            target[trial],
            1 / (np.bincount(trial)[trial] * count),
            base.replay,
        )
        model = replace(model, weights=tune(base.ensemble, lesson, "adapters" in steps))
    if "prior" in steps:
        guess = rated.means(_raw(base, model, rated.batch))
        shift, keep = base.serial.shift(rated.shares, guess)
        model = replace(model, shift=shift, keep=keep)
    return model


def _raw(base: Base, model: PersonalModel, batch: Batch) -> NDArray[np.float64]:
    """Return what the person's networks say before the shift."""
    centred = model.centred(batch)
    if not model.weights:
        return np.asarray(base.predict(centred), dtype=np.float64)
    assert base.ensemble is not None
    return model.networks(base.ensemble).predict(centred)[0]


def _centre(rated: Rated) -> dict[str, NDArray[np.float32]]:
    """Return the mean features of the trials, shrunk towards the population's, which are 0."""
    weight = len(rated.shares) / (len(rated.shares) + _PRIOR_TRIALS)
    centre = {}
    for name, values in rated.batch.features.items():
        means = [
            values[own].mean(axis=0)
            for number in range(len(rated.shares))
            if (own := (rated.trial == number) & rated.batch.mask[name]).any()
        ]
        if means:
            centre[name] = (weight * np.mean(means, axis=0)).astype(np.float32)
    return centre


def _judged(base: Base, rated: Rated, name: str) -> Rung:
    """Predict each trial by what was fitted to the others."""
    count, emotions = rated.shares.shape
    if count < 2:
        return Rung(name, np.full((count, emotions), np.nan), np.full(count, np.nan))
    predictions, divergence = [], []
    for number in range(count):
        model = fit_rung(base, rated.without(number), name)
        own = np.flatnonzero(rated.trial == number)
        own = own[np.linspace(0, len(own) - 1, min(_JUDGED_ON, len(own))).round().astype(int)]
        guess = Personal(base, model).predict(rated.batch[own])
        truth = np.tile(rated.shares[number], (len(own), 1))
        predictions.append(guess.mean(axis=0))
        divergence.append(float(kl_divergence(truth, guess).mean()))
    return Rung(name, np.array(predictions), np.array(divergence))


def _choose(rungs: Sequence[Rung]) -> str:
    """Return the rung to keep; see `fit`."""
    by_name = {rung.name: rung for rung in rungs}
    start = by_name.get("prior", rungs[0])
    better = [rung for rung in rungs if rung is not start and _beats(rung.kl, start.kl)]
    return min(better, key=lambda rung: float(rung.kl.mean()), default=start).name


def _beats(one: NDArray[np.float64], other: NDArray[np.float64]) -> bool:
    """Tell whether errors (k,) are smaller than others of the same trials, beyond chance."""
    gain = other - one
    error = float(gain.std(ddof=1)) / len(gain) ** 0.5
    return float(gain.mean()) > float(student.ppf(1 - _DOUBT, len(gain) - 1)) * error
