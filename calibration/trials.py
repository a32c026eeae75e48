"""Rated trials: the windows of one person between two markers, and how they were rated."""

from __future__ import annotations

import itertools
import logging
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime

import numpy as np

from calibration.ratings import Rating
from calibration.runs import named
from model.adaptation import Evidence
from model.batch import Batch, Labels, concatenate
from model.labels import LabelSet
from realtime.errors import InputError

_log = logging.getLogger(__name__)

_JITTER = 0.01  # s between the times of one marker, live and in a recording


@dataclass(frozen=True, slots=True)
class RatedTrial:
    """One trial of one person.

    Attributes
    ----------
    trial, condition : str
    start, stop : float
        On the session's clock, in seconds; windows that end within (start, stop] belong to it.
    date : str
        When it was rated, ISO 8601 in UTC.
    batch : Batch
        Its N windows, normalised; at least one.
    rating : Rating
    """

    trial: str
    condition: str
    start: float
    stop: float
    date: str
    batch: Batch
    rating: Rating


def usable(
    trials: Sequence[RatedTrial], labels: LabelSet
) -> tuple[tuple[RatedTrial, ...], tuple[str, ...]]:
    """Return the trials whose ratings answer all items of a label set, and why others do not.

    Returns
    -------
    trials : tuple of RatedTrial
    left_out : tuple of str
        A sentence for each trial that is left out.
    """
    kept, left_out = [], []
    for trial in trials:
        reason = _refusal(trial.rating, labels)
        if reason is None:
            kept.append(trial)
        else:
            left_out.append(f"trial {named(trial.trial)} is left out: {reason}")
    return tuple(kept), tuple(left_out)


def merged(known: Sequence[RatedTrial], new: Sequence[RatedTrial]) -> tuple[RatedTrial, ...]:
    """Return a person's trials with those of another session.

    A trial with the start, stop and date of a known one is the same again, and replaces it under
    its name; so is one from the recording of a session that was rated live. Another one whose name
    is taken gets a number before it: ``2-1``.
    """
    result = {trial.trial: trial for trial in known}
    for trial in new:
        names = itertools.chain([trial.trial], (f"{n}-{trial.trial}" for n in itertools.count(2)))
        free = next(name for name in names if name not in result)
        name = next((one.trial for one in known if _is_same(one, trial)), free)
        rating = replace(trial.rating, trial=name)
        result[name] = replace(trial, trial=name, rating=rating)
    return tuple(result.values())


def _is_same(one: RatedTrial, other: RatedTrial) -> bool:
    """Tell whether two trials are one: nobody goes through two at a time.

    When a recording was made, its file says less exactly than the session knew.
    """
    if abs(one.start - other.start) > _JITTER or abs(one.stop - other.stop) > _JITTER:
        return False
    if one.date == other.date or not (one.date and other.date):
        return one.date == other.date
    apart = datetime.fromisoformat(one.date) - datetime.fromisoformat(other.date)
    return abs(apart.total_seconds()) < one.stop - one.start


def has_name(trial: RatedTrial, name: str) -> bool:
    """Tell whether a trial is called so, or was before `merged` put a number before it."""
    number, _, rest = trial.trial.partition("-")
    return trial.trial == name or (number.isdecimal() and rest == name)


def evidence(trials: Sequence[RatedTrial], labels: LabelSet) -> Evidence:
    """Return the windows of rated trials with their labels, as an adaptation takes them.

    Parameters
    ----------
    trials : sequence of RatedTrial
        Of one person, oldest first, with different names. Those that are not `usable` are left out.
    labels : LabelSet
        What the model predicts.

    Returns
    -------
    Evidence
        Trial after trial, as given.

    Raises
    ------
    InputError
        If no trial is left, or two have one name.
    """
    kept, left_out = usable(trials, labels)
    if not kept:
        raise InputError(
            f"none of {len(trials)} trials can be used ({'; '.join(left_out) or 'there are none'}"
            f"): rate at least one on all items of {labels.instrument}"
        )
    for sentence in left_out:
        _log.warning("%s", sentence)
    names = [trial.trial for trial in kept]
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        raise InputError(f"two trials are called {named(twice)}: rename one")
    counts = [len(trial.batch) for trial in kept]
    shares = np.array([trial.rating.shares(labels) for trial in kept])
    strength = np.array([trial.rating.intensity(labels) for trial in kept])
    return Evidence(
        concatenate([trial.batch for trial in kept]),
        Labels(np.repeat(shares, counts, axis=0), np.repeat(strength, counts)),
        np.repeat([trial.rating.participant for trial in kept], counts),
        np.repeat(names, counts),
    )


def _refusal(rating: Rating, labels: LabelSet) -> str | None:
    """Say why a rating is no label, or None."""
    missing = rating.missing(labels)
    if missing:
        return f"no answer for {', '.join(missing)}"
    if not np.isfinite(rating.shares(labels)).all():
        return "every score is the lowest, 0, which has no shares"
    return None
