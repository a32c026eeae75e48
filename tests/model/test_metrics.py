"""Metrics against other libraries and plain loops."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy import stats
from scipy.spatial import distance
from sklearn.metrics import roc_auc_score

from model import metrics


def pairs(seed: int, count: int = 20, emotions: int = 10) -> tuple[NDArray, NDArray]:
    """Random distributions, with some shares that are exactly 0 in one or both."""
    rng = np.random.default_rng(seed)
    u, v = rng.dirichlet(np.ones(emotions), (2, count))
    u[::3, 0] = 0
    v[::6, 0] = 0
    v[1::3, 2] = 0
    return u / u.sum(1, keepdims=True), v / v.sum(1, keepdims=True)


def by_hand(u: NDArray, v: NDArray) -> dict[str, float]:
    """The six formulas, one window, term by term."""
    clark = canberra = kl = common = 0.0
    for a, b in zip(u.tolist(), v.tolist(), strict=True):
        if a + b > 0:
            clark += ((a - b) / (a + b)) ** 2
            canberra += abs(a - b) / (a + b)
        if a > 0:
            kl += a * math.log(a / max(b, 2.0**-52))
        common += min(a, b)
    return {
        "chebyshev": distance.chebyshev(u, v),
        "clark": math.sqrt(clark),
        "canberra": canberra,
        "kl": kl,
        "cosine": 1 - distance.cosine(u, v),
        "intersection": common,
    }


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 10_000))
def test_the_six_agree_with_their_formulas(seed: int) -> None:
    u, v = pairs(seed)
    values = metrics.window_metrics(u, v)
    assert list(values) == list(metrics.METRICS)
    for row in range(len(u)):
        for name, expected in by_hand(u[row], v[row]).items():
            assert values[name][row] == pytest.approx(expected, abs=1e-12), name


def test_kl_and_canberra_agree_with_scipy() -> None:
    u, v = pairs(3)
    v = (v + 0.01) / (v + 0.01).sum(1, keepdims=True)
    np.testing.assert_allclose(metrics.kl_divergence(u, v), stats.entropy(u, v, axis=1), atol=1e-12)
    np.testing.assert_allclose(
        metrics.canberra(u, v), [distance.canberra(a, b) for a, b in zip(u, v, strict=True)]
    )


def test_truth_comes_first_in_kl() -> None:
    u, v = np.array([[1.0, 0.0]]), np.array([[0.5, 0.5]])
    assert metrics.kl_divergence(u, v)[0] == pytest.approx(math.log(2))
    assert metrics.kl_divergence(v, u)[0] > 10


def test_perfect_prediction() -> None:
    u, _ = pairs(1)
    values = metrics.window_metrics(u, u)
    for name in metrics.METRICS:
        expected = 1.0 if name in metrics.LARGER_IS_BETTER else 0.0
        np.testing.assert_allclose(values[name], expected, atol=1e-12)


def test_known_bounds_hold() -> None:
    u, v = pairs(2)
    variation = 1 - metrics.intersection(u, v)
    assert (metrics.chebyshev(u, v) <= variation + 1e-12).all()
    assert (2 * variation**2 <= metrics.kl_divergence(u, v) + 1e-12).all()  # Pinsker


@pytest.mark.parametrize(
    ("u", "v", "message"),
    [
        (np.full((2, 2), 0.5), np.full((3, 2), 0.5), r"\(2, 2\).*\(3, 2\)"),
        (np.full(2, 0.5), np.full(2, 0.5), "need the same"),
        (np.full((1, 2), 0.5), np.array([[0.5, 0.6]]), "prediction has a row that sums to 1.1"),
        (np.array([[1.5, -0.5]]), np.full((1, 2), 0.5), "truth has a share of -0.5"),
        (np.full((1, 2), 0.5), np.array([[np.nan, 1.0]]), "not finite"),
    ],
)
@pytest.mark.parametrize("metric", metrics.METRICS.values())
def test_bad_input_is_refused(metric, u: NDArray, v: NDArray, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        metric(u, v)


def test_average_rank_ties_share_the_smaller() -> None:
    # Columns: four distances (small is good), two similarities (large is good).
    scores = np.array(
        [
            [0.1, 1.0, 1.0, 0.1, 0.9, 0.9],
            [0.1, 2.0, 3.0, 0.2, 0.8, 0.7],
            [0.3, 3.0, 2.0, 0.2, 0.7, 0.8],
        ]
    )
    expected = [6 / 6, (1 + 2 + 3 + 2 + 2 + 3) / 6, (3 + 3 + 2 + 2 + 3 + 2) / 6]
    np.testing.assert_allclose(metrics.average_rank(scores), expected)
    with pytest.raises(ValueError, match=r"\(3, 5\)"):
        metrics.average_rank(scores[:, :5])


def test_skill() -> None:
    assert metrics.skill(0.05, 0.05) == 0.0
    assert metrics.skill(0.0, 0.05) == 1.0
    assert metrics.skill(0.1, 0.05) == pytest.approx(-1.0)
    with pytest.raises(ValueError, match="above 0"):
        metrics.skill(0.1, 0.0)


@pytest.mark.parametrize("seed", range(5))
def test_auc_agrees_with_sklearn_ties_included(seed: int) -> None:
    rng = np.random.default_rng(seed)
    flags = rng.random(200) < 0.3
    score = np.round(rng.normal(size=200) + flags, 1)
    assert metrics.stress_auc(flags, score) == pytest.approx(roc_auc_score(flags, score))


def test_auc_of_a_constant_is_one_half_and_of_one_kind_unknown() -> None:
    flags = np.array([True, False, False])
    assert metrics.stress_auc(flags, np.full(3, 0.2)) == 0.5
    assert math.isnan(metrics.stress_auc(np.ones(3, bool), np.arange(3.0)))
    with pytest.raises(ValueError, match="not finite"):
        metrics.stress_auc(flags, np.array([0.1, np.nan, 0.2]))


def test_order_is_spearmans_over_trial_means() -> None:
    trials = np.repeat(["rest", "stress", "fun", "meditation"], 5)
    reported = np.repeat([0.2, 0.6, 0.1, 0.3], 5)
    rng = np.random.default_rng(0)
    predicted = reported + rng.normal(0, 0.2, 20)
    names = ["rest", "stress", "fun", "meditation"]
    means = [predicted[trials == name].mean() for name in names]
    expected = stats.spearmanr([0.2, 0.6, 0.1, 0.3], means).statistic
    assert metrics.within_person_order(reported, predicted, trials) == pytest.approx(expected)


def test_order_is_unknown_without_differences() -> None:
    trials = np.repeat(["a", "b", "c"], 4)
    some = np.repeat([0.1, 0.2, 0.3], 4)
    assert math.isnan(metrics.within_person_order(some, np.full(12, 0.1), trials))
    assert math.isnan(metrics.within_person_order(np.full(12, 0.3), some, trials))
    assert math.isnan(metrics.within_person_order(some[:8], some[:8], trials[:8]))


def test_trial_means_against_a_loop() -> None:
    rng = np.random.default_rng(1)
    trials = rng.choice(["x", "y", "z"], 50)
    values = rng.normal(size=(50, 3))
    expected = [values[trials == name].mean(0) for name in ("x", "y", "z")]
    np.testing.assert_allclose(metrics.trial_means(values, trials), expected)
    with pytest.raises(ValueError, match="do not fit"):
        metrics.trial_means(values[:10], trials)


@pytest.mark.parametrize("seed", range(3))
def test_the_six_agree_with_python_ldl(seed: int) -> None:
    library = pytest.importorskip("pyldl.metrics")
    u, v = pairs(seed, count=60)
    # Rows whose truth or prediction is one emotion alone, and rows without any difference.
    u[:3], v[3:6] = np.eye(10)[:3], np.eye(10)[5:8]
    v[6:9] = u[6:9]
    ours = metrics.window_metrics(u, v)
    # The library clips both sides at 2.2e-16 in Clark, Canberra and KL divergence, where ours
    # counts 0 against 0 as nothing: the same, as far as 1e-9 can tell.
    assert ((u == 0) & (v == 0)).any() and ((u > 0) & (v == 0)).any()
    for name, values in ours.items():
        theirs = getattr(library, "kl_divergence" if name == "kl" else name)
        np.testing.assert_allclose(values, theirs(u, v, reduction=None), atol=1e-9, err_msg=name)
