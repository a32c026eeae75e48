"""What the training people tell of how a person is to be calibrated."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from model.adaptation import shifted
from model.serial import UNKNOWN, SerialVariance, in_order, serial_variance
from model.uncertainty import radius_of, scale, spread, total_variation

MOST_TRIALS = 12
"""Rated trials beyond which a radius is not tabled: nobody in our data has more."""


@dataclass(frozen=True, slots=True)
class PeopleStatistics:
    """How people's ratings vary, and how far calibrated predictions of them were off.

    Attributes
    ----------
    serial : SerialVariance
    spread : tuple of float
        Entry k - 1: mean spread (`model.uncertainty.spread`) of the first k rated trials; NaN for
        one trial.
    radius : tuple of float
        Entry k - 1: conformal radius at 90 % after k rated trials, for a person of typical spread.
        Empty where too few people rated two trials.
    """

    serial: SerialVariance = UNKNOWN
    spread: tuple[float, ...] = ()
    radius: tuple[float, ...] = ()

    def personal_radius(self, shares: NDArray[np.floating], population: float) -> float:
        """Return the radius of a person whose rated trials in order are `shares`, (k, C).

        Parameters
        ----------
        shares : ndarray, shape (k, C)
        population : float
            The radius of strangers, which stands where nothing is known.
        """
        if not len(shares) or not self.radius:
            return population
        place = min(len(shares), len(self.radius)) - 1
        factor = scale(spread(shares), self.spread[place], len(shares))
        return min(1.0, self.radius[place] * factor)

    def to_dict(self) -> dict[str, Any]:
        """Return plain values; NaN becomes None."""
        return {
            "serial": asdict(self.serial),
            "spread": [None if np.isnan(one) else one for one in self.spread],
            "radius": list(self.radius),
        }

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> PeopleStatistics:
        """Read what `to_dict` returned; ValueError, KeyError or TypeError if it makes no sense."""
        spreads = tuple(np.nan if one is None else float(one) for one in values["spread"])
        radius = tuple(float(one) for one in values["radius"])
        if len(spreads) != len(radius) or len(radius) > MOST_TRIALS:
            raise ValueError(f"{len(spreads)} spreads and {len(radius)} radii")
        if not all(0 <= one <= 1 for one in radius):
            raise ValueError(f"radius {radius} is not within 0 and 1")
        return cls(SerialVariance(**values["serial"]), spreads, radius)


def people_statistics(
    truth: NDArray[np.floating],
    prediction: NDArray[np.floating],
    groups: NDArray[np.str_],
    trials: NDArray[np.str_],
    level: float = 0.9,
) -> PeopleStatistics:
    """Measure people as strangers: each predicted by a model that was not fitted to them.

    Parameters
    ----------
    truth, prediction : ndarray, shape (N, C)
        Of windows, in order of time inside a person.
    groups, trials : ndarray of str, shape (N,)
        The person and the trial of each.
    level : float
        Coverage that the radii promise.
    """
    serial = serial_variance(truth, groups, trials)
    people = []
    for one in dict.fromkeys(groups.tolist()):
        own = groups == one
        names, labels = in_order(truth[own], trials[own])
        people.append((truth[own], prediction[own], trials[own], names, labels))
    spreads: list[float] = []
    radii: list[float] = []
    for count in range(1, MOST_TRIALS + 1):
        rated = [one for one in people if len(one[3]) > count]
        # Of fewer than nine people no 90 % quantile can be told.
        if len(rated) < level / (1 - level) - 1e-9:
            break
        first = [spread(labels[:count]) for *_, labels in rated]
        typical = float(np.mean(first))
        scores: list[NDArray[np.float64]] = []
        for own, (labels_of, guess, trial, names, labels) in zip(first, rated, strict=True):
            given = np.array([guess[trial == name].mean(axis=0) for name in names[:count]])
            later = ~np.isin(trial, names[:count])
            shift, keep = serial.shift(labels[:count], given)
            off = total_variation(labels_of[later], shifted(guess[later], shift, keep))
            scores.append(off / scale(own, typical, count))
        owner = np.repeat(np.arange(len(rated)), [len(one) for one in scores])
        kept = [trial[~np.isin(trial, names[:count])] for _, _, trial, names, _ in rated]
        numbers = _numbers(kept)
        spreads.append(typical)
        radii.append(min(1.0, radius_of(np.concatenate(scores), numbers, level, owner)))
    return PeopleStatistics(serial, tuple(spreads), tuple(radii))


def _numbers(trials: Sequence[NDArray[np.str_]]) -> NDArray[np.intp]:
    """Return a number for each window's trial; people's trials differ whatever their names."""
    numbers, offset = [], 0
    for one in trials:
        names, index = np.unique(one, return_inverse=True)
        numbers.append(index + offset)
        offset += len(names)
    return np.concatenate(numbers)
