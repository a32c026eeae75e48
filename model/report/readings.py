"""What the page shows beyond the tables, read from pieces: arrays in, arrays out."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from model.datasets.table import Rows, Table
from model.metrics import kl_divergence
from model.pieces import Piece
from model.settings import MpclSettings

Array = NDArray[np.float64]

TIE = 1e-6
"""Shares that differ by less are equal: ratings are whole numbers, networks compute in float32."""

QUANTILES = {"low error": 0.1, "median error": 0.5, "high error": 0.9}
"""Which tested windows are drawn, as quantiles of the error. The very best and worst window would
show luck and accidents."""

LOSSES = ("task", "PRD", "PCL", "intensity")
"""Loss terms in the order of `Piece.inside`, without their total."""


def uncalibrated(pieces: Sequence[Piece], model: str) -> list[Piece]:
    """Return a system's pieces that no rated trial of the tested person went into.

    Under ``calibrated-k`` these are the ones of the smallest k, so that each window is there once.
    """
    own = [one for one in pieces if one.model == model and one.adaptation in ("", "none")]
    fewest = min((one.k for one in own), default=0)
    return [one for one in own if one.k == fewest]


def predictions(pieces: Sequence[Piece], model: str, seed: int) -> tuple[Rows, Array]:
    """Return all tested rows of a system and seed, in order, with its predictions (N, C)."""
    own = [one for one in uncalibrated(pieces, model) if one.seed == seed]
    if not own:
        return np.zeros(0, dtype=np.intp), np.zeros((0, 0))
    rows = np.concatenate([one.rows for one in own])
    order = np.argsort(rows, kind="stable")
    return rows[order], np.concatenate([one.prediction for one in own])[order]


@dataclass(frozen=True, slots=True)
class Sample:
    """A tested window with several systems' predictions.

    Attributes
    ----------
    error : str
        Key of `QUANTILES`.
    row : int
        Row of the table.
    kl : float
        Of the system that the window was chosen by.
    truth : ndarray, shape (C,)
    guesses : mapping of str to ndarray, shape (C,)
    """

    error: str
    row: int
    kl: float
    truth: Array
    guesses: Mapping[str, Array]


def samples(table: Table, pieces: Sequence[Piece], models: Sequence[str]) -> list[Sample]:
    """Return tested windows at the `QUANTILES` of the first system's KL, with all systems' guesses.

    Of the first seed that every system was tested with. A system that was not tested on a chosen
    window is left out there.
    """
    seeds = [{one.seed for one in uncalibrated(pieces, model)} for model in models]
    shared = sorted(set.intersection(*seeds)) if seeds else []
    if not shared:
        return []
    rows, guess = predictions(pieces, models[0], shared[0])
    kl = kl_divergence(table.distribution[rows], guess)
    by_error = np.argsort(kl, kind="stable")
    others = {model: predictions(pieces, model, shared[0]) for model in models}
    found = []
    for error, quantile in QUANTILES.items():
        place = by_error[round(quantile * (len(rows) - 1))]
        row = int(rows[place])
        guesses = {
            model: own[np.flatnonzero(tested == row)[0]]
            for model, (tested, own) in others.items()
            if row in tested
        }
        found.append(Sample(error, row, float(kl[place]), table.distribution[row], guesses))
    return found


@dataclass(frozen=True, slots=True)
class Correlations:
    """Pearson correlations between emotions over tested windows.

    Attributes
    ----------
    true, predicted : ndarray, shape (C, C)
        Mean over seeds; NaN where an emotion's share does not vary.
    agreement : float
        Pearson correlation between the entries above both diagonals; NaN with fewer than three.
    difference : float
        Mean absolute difference of these entries.
    """

    true: Array
    predicted: Array
    agreement: float
    difference: float


def correlations(table: Table, pieces: Sequence[Piece], model: str) -> Correlations | None:
    """Return how emotions go together in truth and in a system's predictions.

    None where fewer than three windows were tested.
    """
    true, predicted = [], []
    for seed in sorted({one.seed for one in uncalibrated(pieces, model)}):
        rows, guess = predictions(pieces, model, seed)
        if len(rows) >= 3:
            true.append(pearson(table.distribution[rows]))
            predicted.append(pearson(guess))
    if not true:
        return None
    a, b = np.mean(true, axis=0), np.mean(predicted, axis=0)
    above = np.triu_indices(len(a), k=1)
    known = np.isfinite(a[above]) & np.isfinite(b[above])
    u, v = a[above][known], b[above][known]
    if len(u) < 3:
        return Correlations(a, b, math.nan, math.nan)
    return Correlations(
        a, b, float(pearson(np.column_stack([u, v]))[0, 1]), float(np.abs(u - v).mean())
    )


def pearson(values: Array) -> Array:
    """Return the correlations (C, C) between the columns of (N, C); NaN for constant columns."""
    deviations = values - values.mean(axis=0)
    lengths = np.sqrt((deviations**2).sum(axis=0))
    # Rounding leaves a constant column a length of about 1e-16 times its size.
    lengths[lengths <= TIE * np.sqrt(len(values))] = math.nan
    unit = deviations / lengths
    return np.asarray(unit.T @ unit).clip(-1, 1)


def tops(distributions: Array) -> Array:
    """Return which emotions are dominant, (N, C) weights that sum to 1: ties share equally."""
    best = distributions >= distributions.max(axis=1, keepdims=True) - TIE
    return np.asarray(best / best.sum(axis=1, keepdims=True))


@dataclass(frozen=True, slots=True)
class Confusion:
    """True by predicted dominant emotion.

    Attributes
    ----------
    shares : ndarray, shape (C, C)
        Row i: how windows dominated by emotion i are predicted; NaN where there are none.
    windows : ndarray, shape (C,)
        Windows that each emotion dominates, ties counted in parts.
    hits : float
        Share of windows whose predicted dominant emotion is one of the true ones.
    constant, personal : float
        The same for always naming the most frequent emotion of all tested windows, or of each
        person's tested windows.
    ties : float
        Share of windows in which several emotions share the highest rating.
    """

    shares: Array
    windows: Array
    hits: float
    constant: float
    personal: float
    ties: float


def confusion(table: Table, pieces: Sequence[Piece], model: str) -> Confusion | None:
    """Return the confusion of the dominant emotion over all seeds; None without pieces."""
    own = uncalibrated(pieces, model)
    if not own:
        return None
    rows = np.concatenate([one.rows for one in own])
    truth = tops(table.distribution[rows])
    guess = tops(np.concatenate([one.prediction for one in own]))
    is_top = truth > 0
    people = table.person[rows]
    personal = sum(
        is_top[people == person].mean(axis=0).max() * np.mean(people == person)
        for person in np.unique(people)
    )
    counts = truth.T @ guess
    with np.errstate(invalid="ignore"):
        shares = counts / counts.sum(axis=1, keepdims=True)
    return Confusion(
        shares=shares,
        windows=truth.sum(axis=0) / len({one.seed for one in own}),
        hits=float((guess * is_top).sum(axis=1).mean()),
        constant=float(is_top.mean(axis=0).max()),
        personal=float(personal),
        ties=float((is_top.sum(axis=1) > 1).mean()),
    )


@dataclass(frozen=True, slots=True)
class Usage:
    """Which prototypes a trained network uses.

    Attributes
    ----------
    fold : str
    seed : int
        The network shown; every fold trains a bank of its own, whose indices mean nothing in
        another.
    weights : ndarray, shape (C, K)
        Mean addressing weight of each prototype in windows of each true dominant emotion, the most
        used prototype first; NaN where an emotion dominates no tested window.
    window : tuple of float
        Effective number of prototypes that one window addresses, exp of the entropy: mean over
        windows, then its mean, lowest and highest over all networks.
    bank : tuple of float
        The same for the mean addressing of all tested windows together.
    prototypes : int
    """

    fold: str
    seed: int
    weights: Array
    window: tuple[float, float, float]
    bank: tuple[float, float, float]
    prototypes: int


def usage(table: Table, pieces: Sequence[Piece], model: str) -> Usage | None:
    """Return how the prototypes of a system are used; None where it does not tell.

    The network with the median KL is shown.
    """
    own = [one for one in uncalibrated(pieces, model) if "address" in one.inside]
    if not own:
        return None
    addresses = [np.asarray(one.inside["address"], dtype=np.float64) for one in own]
    window = [float(effective(address).mean()) for address in addresses]
    bank = [float(effective(address.mean(axis=0))) for address in addresses]
    kl = [kl_divergence(table.distribution[one.rows], one.prediction).mean() for one in own]
    shown = int(np.argsort(kl, kind="stable")[(len(kl) - 1) // 2])
    truth = tops(table.distribution[own[shown].rows])
    with np.errstate(invalid="ignore"):
        weights = (truth.T @ addresses[shown]) / truth.sum(axis=0)[:, None]
    by_use = np.argsort(-addresses[shown].mean(axis=0), kind="stable")
    return Usage(
        fold=own[shown].fold,
        seed=own[shown].seed,
        weights=weights[:, by_use],
        window=(float(np.mean(window)), min(window), max(window)),
        bank=(float(np.mean(bank)), min(bank), max(bank)),
        prototypes=addresses[shown].shape[1],
    )


def effective(weights: Array) -> Array:
    """Return the effective number of entries used, exp of the entropy, over the last axis."""
    logs = np.log(weights, out=np.zeros_like(weights), where=weights > 0)
    return np.asarray(np.exp(-(weights * logs).sum(axis=-1)))


def contributions(pieces: Sequence[Piece], model: str, settings: MpclSettings) -> Array | None:
    """Return what each of the `LOSSES` adds to the total in each epoch, shape (epochs, 4).

    Mean over all networks that trained that long. None where the system does not tell.
    """
    own = [one.inside["losses"] for one in uncalibrated(pieces, model) if "losses" in one.inside]
    longest = max((len(one) for one in own), default=0)
    if not longest:
        return None
    stacked = np.full((len(own), longest, len(LOSSES)), math.nan)
    for place, one in enumerate(own):
        stacked[place, : len(one)] = one[:, : len(LOSSES)]
    return np.asarray(np.nanmean(stacked, axis=0) * loss_weights(settings))


def loss_weights(settings: MpclSettings) -> Array:
    """Return the weights of the `LOSSES`, shape (4,)."""
    return np.array(
        [1.0, settings.lambda_prd, settings.lambda_pcl, settings.lambda_intensity],
    )
