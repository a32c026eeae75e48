"""Ratings: the raw scores that a person gave after a trial, and what they say as labels."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from model.labels import LabelSet, distribution
from model.labels import intensity as mean_intensity
from realtime.errors import InputError
from realtime.markers import Event
from realtime.metadata import clean

# A rating of this size at most fits into a marker, whatever its names are.
MAX_ITEMS = 64
MAX_NAME = 48  # characters of an item
MAX_TEXT = 256  # characters of the other names


@dataclass(frozen=True, slots=True)
class Rating:
    """One filled-in questionnaire.

    Attributes
    ----------
    instrument : str
        Name of the questionnaire, such as ``ipanas-sf``.
    items : mapping of str to float or None
        Raw score of each item, in the order in which they were shown; None where unanswered.
    scale : tuple of float
        Lowest and highest score.
    trial : str
        The trial that it belongs to.
    participant : str
        Who answered; empty where there is one person only.

    Raises
    ------
    InputError
        If a score lies outside the scale, an item is there twice, or a name is no short line.
    """

    instrument: str
    items: Mapping[str, float | None]
    scale: tuple[float, float]
    trial: str = ""
    participant: str = ""

    def __post_init__(self) -> None:
        for what in ("instrument", "trial", "participant"):
            _check_name(f"the {what} of a rating", getattr(self, what), MAX_TEXT)
        low, high = _checked_scale(self.scale)
        if not 1 <= len(self.items) <= MAX_ITEMS:
            raise InputError(f"a rating of {len(self.items)} items: give 1 to {MAX_ITEMS}")
        seen: set[str] = set()
        for name, score in self.items.items():
            check_item(name)
            if name.casefold() in seen:
                raise InputError(f"a rating has the item {name!r} twice: give each item one name")
            seen.add(name.casefold())
            # Written so that NaN is refused too.
            if score is not None and not low <= score <= high:
                raise InputError(
                    f"the score {score:g} of {name!r} lies outside the scale {low:g} to {high:g}: "
                    "correct it, or leave the item unanswered"
                )
        scores = {name: None if s is None else float(s) for name, s in self.items.items()}
        object.__setattr__(self, "items", scores)
        object.__setattr__(self, "scale", (low, high))

    @property
    def order(self) -> tuple[str, ...]:
        """The items in the order in which they were shown."""
        return tuple(self.items)

    @property
    def unanswered(self) -> tuple[str, ...]:
        """The items without a score, in the order in which they were shown."""
        return tuple(name for name, score in self.items.items() if score is None)

    @property
    def complete(self) -> bool:
        """Whether every item was answered."""
        return not self.unanswered

    def missing(self, labels: LabelSet) -> tuple[str, ...]:
        """Return the items of a label set that were not answered, or not asked for."""
        return tuple(name for name in labels.emotions if self.items.get(name) is None)

    def shares(self, labels: LabelSet) -> NDArray[np.float64]:
        """Return the rating as a distribution over a label set's C emotions, shape (C,).

        Each score over the sum of all, where the scores stand on the label set's scale. Scores of
        another scale are mapped to it by a straight line, lowest to lowest and highest to highest.
        All NaN where the rating lacks an emotion (see `missing`), or all stand at 0.
        """
        low, high = labels.scale
        return distribution(low + (high - low) * self._unit_scores(labels))

    def intensity(self, labels: LabelSet) -> float:
        """Return how strongly a label set's emotions were felt: 0 (all lowest) to 1 (all highest).

        NaN where the rating lacks one of them.
        """
        return float(mean_intensity(self._unit_scores(labels), (0.0, 1.0)))

    def to_event(self) -> Event:
        """Return the rating as an event for a marker, from which `from_event` makes it again."""
        return Event(
            event="rating",
            participant=self.participant,
            trial=self.trial,
            instrument=self.instrument,
            items={name: score for name, score in self.items.items() if score is not None},
            scale=self.scale,
            order=self.order,
        )

    @classmethod
    def from_event(cls, event: Event, scale: tuple[float, float] | None = None) -> Rating:
        """Build a rating from an event, of ours or of another program.

        Parameters
        ----------
        event : Event
            A ``rating``. Items that are in its `order` alone are unanswered; without an order, the
            items are taken in the order of the marker.
        scale : tuple of float, optional
            Lowest and highest score, for an event that names no scale.

        Raises
        ------
        InputError
            If the event is no rating, has no scale, or its scores do not fit its scale.
        """
        scale = event.scale or scale
        if event.event != "rating" or (not event.items and not event.order):
            raise InputError(
                f"the marker {event.event!r} of trial {event.trial!r} is no rating: send the event "
                "'rating' with items"
            )
        if scale is None:
            raise InputError(
                f"the rating of trial {event.trial!r} names no scale: send the lowest and the "
                'highest score with it, such as "scale": [1, 5]'
            )
        names = dict.fromkeys((*event.order, *event.items))
        return cls(
            instrument=event.instrument,
            items={name: event.items.get(name) for name in names},
            scale=scale,
            trial=event.trial,
            participant=event.participant,
        )

    def _unit_scores(self, labels: LabelSet) -> NDArray[np.float64]:
        """Return the scores of a label set's emotions on a scale from 0 to 1, shape (C,)."""
        low, high = self.scale
        found = (self.items.get(name) for name in labels.emotions)
        scores = np.array([math.nan if score is None else score for score in found])
        return np.asarray((scores - low) / (high - low))


def check_item(name: str) -> None:
    """Raise InputError if a text cannot be the name of an item."""
    _check_name("the name of an item", name, MAX_NAME)
    if not name:
        raise InputError("the name of an item is empty: give it one")


def _check_name(what: str, text: str, limit: int) -> None:
    if not isinstance(text, str) or text != clean(text, limit):
        raise InputError(
            f"{what} is {text!r:.80}, must be one line of at most {limit} printable characters, "
            "without spaces around it"
        )


def _checked_scale(scale: tuple[float, float]) -> tuple[float, float]:
    low, high = (float(edge) for edge in scale)
    if not (math.isfinite(low) and math.isfinite(high) and low < high):
        raise InputError(f"the scale of a rating is {scale!r}, must be two rising numbers")
    return low, high
