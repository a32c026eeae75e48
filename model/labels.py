"""Label sets as data: which emotions were rated, how they feel, and on what scale."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from realtime.errors import InputError


@dataclass(frozen=True, slots=True)
class LabelSet:
    """The items of a questionnaire that a model predicts.

    Attributes
    ----------
    name : str
        Key in `LABEL_SETS`.
    instrument : str
        The questionnaire that the items come from, with its source.
    emotions : tuple of str
        Names of the C items, lower case.
    valence : tuple of int
        1 for each pleasant item, -1 for each unpleasant one.
    scale : tuple of float
        Lowest and highest score that an item can get.
    """

    name: str
    instrument: str
    emotions: tuple[str, ...]
    valence: tuple[int, ...]
    scale: tuple[float, float]

    def __post_init__(self) -> None:
        if len(set(self.emotions)) != len(self.emotions) or not self.emotions:
            raise ValueError(f"emotions {self.emotions!r} must be different, and at least one")
        if len(self.valence) != len(self.emotions) or not set(self.valence) <= {1, -1}:
            raise ValueError(f"valence {self.valence!r} must be 1 or -1 for each emotion")
        if not 0 <= self.scale[0] < self.scale[1]:
            raise ValueError(f"scale {self.scale!r} must be two rising numbers, not below 0")

    @property
    def positive(self) -> tuple[str, ...]:
        """Names of the pleasant items."""
        return tuple(e for e, v in zip(self.emotions, self.valence, strict=True) if v > 0)

    @property
    def negative(self) -> tuple[str, ...]:
        """Names of the unpleasant items."""
        return tuple(e for e, v in zip(self.emotions, self.valence, strict=True) if v < 0)

    def negative_share(self, distributions: NDArray[np.floating]) -> NDArray[np.float64]:
        """Return the share of unpleasant emotion, shape (...), of distributions (..., C)."""
        values = np.asarray(distributions, dtype=np.float64)
        if values.shape[-1:] != (len(self.emotions),):
            raise ValueError(f"distributions of shape {values.shape}: need (..., {len(self)})")
        return np.asarray(values[..., np.array(self.valence) < 0].sum(axis=-1))

    def __len__(self) -> int:
        return len(self.emotions)


_PANAS = "PANAS (Watson, Clark and Tellegen 1988)"

PANAS10 = LabelSet(
    name="panas10",
    instrument=f"{_PANAS}, the ten items of the DMER data set",
    emotions=(
        *("inspired", "alert", "excited", "enthusiastic", "determined"),
        *("afraid", "upset", "nervous", "scared", "distressed"),
    ),
    valence=(1, 1, 1, 1, 1, -1, -1, -1, -1, -1),
    scale=(1.0, 5.0),
)

IPANAS_SF = LabelSet(
    name="ipanas-sf",
    instrument="I-PANAS-SF (Thompson 2007)",
    emotions=(
        *("alert", "inspired", "determined", "attentive", "active"),
        *("upset", "hostile", "ashamed", "nervous", "afraid"),
    ),
    valence=(1, 1, 1, 1, 1, -1, -1, -1, -1, -1),
    scale=(1.0, 5.0),
)

EDL7 = LabelSet(
    name="edl7",
    instrument="seven emotions of the EDL data set (Shu et al. 2023)",
    emotions=("anger", "disgust", "sadness", "fear", "tenderness", "joy", "amusement"),
    valence=(-1, -1, -1, -1, 1, 1, 1),
    scale=(0.0, 1.0),  # shares: what was rated is not told
)

LABEL_SETS = {one.name: one for one in (PANAS10, IPANAS_SF, EDL7)}


def label_set(name: str) -> LabelSet:
    """Return a label set by name; InputError if there is none such."""
    if name not in LABEL_SETS:
        raise InputError(f"no label set {name!r}: use one of {', '.join(LABEL_SETS)}")
    return LABEL_SETS[name]


def distribution(ratings: NDArray[np.floating] | Sequence[float]) -> NDArray[np.float64]:
    """Turn raw scores into shares: each score over the sum of all.

    Parameters
    ----------
    ratings : array_like, shape (..., C)
        Scores, not negative; NaN where an item was not answered.

    Returns
    -------
    ndarray of float64, shape (..., C)
        Sums to 1; all NaN where an item is missing or every score is 0.
    """
    scores = _scores(ratings)
    with np.errstate(invalid="ignore", divide="ignore"):
        shares = scores / scores.sum(axis=-1, keepdims=True)
    return np.asarray(shares)


def intensity(
    ratings: NDArray[np.floating] | Sequence[float], scale: tuple[float, float]
) -> NDArray[np.float64]:
    """Return the mean score on its scale, 0 (all lowest) to 1 (all highest), shape (...).

    NaN where an item was not answered.
    """
    low, high = scale
    scores = _scores(ratings)
    if np.any((scores < low) | (scores > high)):
        wrong = scores[(scores < low) | (scores > high)][0]
        raise InputError(f"rating {wrong:g} lies outside the scale {low:g} to {high:g}: correct it")
    return np.asarray((scores.mean(axis=-1) - low) / (high - low))


def align(
    distributions: NDArray[np.floating], source: LabelSet, target: LabelSet
) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """Express distributions over one label set in the items of another.

    The items that both have keep their proportions and sum to 1; the others are 0 and masked.

    Parameters
    ----------
    distributions : ndarray, shape (N, len(source))
    source, target : LabelSet

    Returns
    -------
    aligned : ndarray of float64, shape (N, len(target))
    items : ndarray of bool, shape (len(target),)
        True for the items that `source` has.

    Raises
    ------
    InputError
        If the two share fewer than two items: nothing can be learned from one share.
    """
    given = np.asarray(distributions, dtype=np.float64)
    if given.ndim != 2 or given.shape[1] != len(source):
        raise ValueError(f"distributions of shape {given.shape}: need (N, {len(source)})")
    items = np.array([name in source.emotions for name in target.emotions])
    if items.sum() < 2:
        raise InputError(
            f"label sets {source.name!r} and {target.name!r} share {items.sum()} items: "
            "choose data that shares at least two"
        )
    aligned = np.zeros((len(given), len(target)))
    for column, name in enumerate(target.emotions):
        if items[column]:
            aligned[:, column] = given[:, source.emotions.index(name)]
    with np.errstate(invalid="ignore", divide="ignore"):
        aligned /= aligned.sum(axis=1, keepdims=True)
    return aligned, items


def _scores(ratings: NDArray[np.floating] | Sequence[float]) -> NDArray[np.float64]:
    scores = np.asarray(ratings, dtype=np.float64)
    if np.any(scores < 0) or np.any(np.isinf(scores)):
        wrong = scores[(scores < 0) | np.isinf(scores)][0]
        raise InputError(f"rating {wrong:g} is no score: give finite numbers, not below 0")
    return scores
