"""Readings of the page: numbers whose answer is known."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from model.metrics import kl_divergence
from model.report import readings
from model.settings import MpclSettings
from tests.model.report.pieces import known_pieces
from tests.model.tables import synthetic_table

TABLE = synthetic_table(people=3, seconds=12)


def test_samples_lie_at_the_stated_quantiles_of_the_first_systems_error() -> None:
    pieces = known_pieces(TABLE, {"trees": 0.0, "mpcl": 0.5}, seeds=(0, 1))
    found = readings.samples(TABLE, pieces, ["mpcl", "trees"])
    assert [one.error for one in found] == list(readings.QUANTILES)
    rows = np.flatnonzero(TABLE.rated)
    truth = TABLE.distribution[rows]
    kl = kl_divergence(truth, 0.5 * truth + 0.05)
    for one, quantile in zip(found, readings.QUANTILES.values(), strict=True):
        assert one.kl == pytest.approx(np.quantile(kl, quantile, method="nearest"), abs=1e-9)
        assert one.truth == pytest.approx(TABLE.distribution[one.row])
        assert one.guesses["mpcl"] == pytest.approx(0.5 * one.truth + 0.05)
        assert one.guesses["trees"] == pytest.approx(np.full(10, 0.1))


def test_correlations_agree_where_predictions_scale_the_truth() -> None:
    found = readings.correlations(TABLE, known_pieces(TABLE, {"mpcl": 0.5}), "mpcl")
    assert found is not None
    assert found.agreement == pytest.approx(1)
    assert found.difference == pytest.approx(0, abs=1e-9)
    expected = np.corrcoef(TABLE.distribution[TABLE.rated].T)
    assert found.true == pytest.approx(expected)


def test_constant_predictions_have_no_correlations() -> None:
    found = readings.correlations(TABLE, known_pieces(TABLE, {"uniform": 0.0}), "uniform")
    assert found is not None
    assert np.isnan(found.predicted).all()
    assert np.isnan(found.agreement)


def test_tied_emotions_share_a_window() -> None:
    weights = readings.tops(np.array([[0.4, 0.4, 0.2], [0.2, 0.3, 0.5]]))
    assert weights.tolist() == [[0.5, 0.5, 0], [0, 0, 1]]


def test_confusion_counts_hits_beside_the_constants() -> None:
    shares = np.full((len(TABLE), 10), np.nan)
    rated = np.flatnonzero(TABLE.rated)
    shares[rated] = 0.05
    # Three quarters of P0's windows are dominated by the first emotion, all others by the second.
    own = TABLE.rows(["P0"])
    shares[rated, 1] = 0.55
    shares[own[: 3 * len(own) // 4], 0] = 0.55
    shares[own[: 3 * len(own) // 4], 1] = 0.05
    table = dataclasses.replace(TABLE, distribution=shares)
    first = len(own[: 3 * len(own) // 4]) / len(rated)
    perfect = readings.confusion(table, known_pieces(table, {"mpcl": 1.0}), "mpcl")
    assert perfect is not None
    assert perfect.hits == 1
    assert perfect.constant == pytest.approx(1 - first)
    assert perfect.personal == pytest.approx(1 - (len(own) - 3 * len(own) // 4) / len(rated))
    assert perfect.ties == 0
    assert perfect.shares[:2, :2].tolist() == [[1, 0], [0, 1]]
    assert np.isnan(perfect.shares[2:]).all()
    blind = readings.confusion(table, known_pieces(table, {"uniform": 0.0}), "uniform")
    assert blind is not None
    assert blind.hits == pytest.approx(0.1)


def test_prototype_usage_counts_effective_prototypes() -> None:
    pieces = known_pieces(TABLE, {"mpcl": 0.5})
    found = readings.usage(TABLE, pieces, "mpcl")
    assert found is not None
    assert found.window == pytest.approx((2, 2, 2))
    assert found.bank == pytest.approx((2, 2, 2))
    assert found.prototypes == 4
    used = np.isfinite(found.weights).all(axis=1)
    assert found.weights[used] == pytest.approx(np.tile([0.5, 0.5, 0, 0], (used.sum(), 1)))
    assert readings.usage(TABLE, known_pieces(TABLE, {"trees": 0.5}), "trees") is None


def test_a_window_and_the_bank_are_told_apart() -> None:
    address = np.eye(4)
    assert readings.effective(address) == pytest.approx(np.ones(4))
    assert readings.effective(address.mean(axis=0)) == pytest.approx(4)


def test_loss_terms_are_weighted_and_averaged_over_those_that_trained_that_long() -> None:
    pieces = known_pieces(TABLE, {"mpcl": 0.5})
    short = dataclasses.replace(pieces[0], inside={"losses": np.full((1, 5), 10.0)})
    settings = MpclSettings(lambda_prd=0.1, lambda_pcl=0.01, lambda_intensity=2.0)
    added = readings.contributions([short, *pieces[1:]], "mpcl", settings)
    assert added is not None
    assert added.shape == (3, 4)
    assert added[0] == pytest.approx([6, 2.6 / 3, 0.02 / 3, 28 / 3], rel=1e-9)
    assert added[2] == pytest.approx([1, 0.2, -0.01, 1])


def test_only_what_no_trial_was_given_to_is_read() -> None:
    pieces = known_pieces(TABLE, {"mpcl": 0.5}) + known_pieces(TABLE, {"mpcl": 1.0}, k=4)
    assert readings.uncalibrated(pieces, "mpcl") == pieces[: len(TABLE.people)]
