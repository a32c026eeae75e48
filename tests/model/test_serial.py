"""How ratings hang together: covariances that were put in come out, weights as closed forms."""

from __future__ import annotations

import numpy as np
import pytest

from model.serial import UNKNOWN, SerialVariance, in_order, serial_variance


def people(
    count: int, trials: int, person: float, drift: float, memory: float, noise: float, seed: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return labels of people whose ratings have known variances, in squared shares."""
    rng = np.random.default_rng(seed)

    def draw(variance: float) -> np.ndarray:
        one = rng.normal(0, 1, 4)
        # Deviations sum to 0, and their squares to the variance in expectation.
        return (one - one.mean()) * np.sqrt(variance / 3)

    shares, groups, names = [], [], []
    for number in range(count):
        own, mood = draw(person), draw(drift)
        for trial in range(trials):
            shares.append(0.25 + own + mood + draw(noise))
            groups.append(f"P{number}")
            names.append(f"T{trial:02}")
            mood = memory * mood + np.sqrt(1 - memory**2) * draw(drift)
    return np.array(shares), np.array(groups), np.array(names)


def test_the_variances_that_were_put_in_come_out() -> None:
    found = serial_variance(*people(600, 12, 0.002, 0.004, 0.6, 0.005, 0))
    lags = np.arange(8)
    told = found.person + found.drift * found.memory**lags
    np.testing.assert_allclose(told[1:], 0.002 + 0.004 * 0.6 ** lags[1:], atol=4e-4)
    assert found.noise + told[0] == pytest.approx(0.011, abs=5e-4)
    assert found.trials == 12


def test_without_drift_the_weights_are_those_of_shrinkage() -> None:
    plain = SerialVariance(person=1.0, drift=0.0, memory=0.5, noise=2.0, trials=12)
    for count in (1, 2, 5):
        # k / (k + noise / person), shared equally
        np.testing.assert_allclose(plain.weights(count), np.full(count, 1 / (count + 2)))


def test_the_latest_rating_tells_most_and_a_fading_mood_tells_less_of_a_longer_future() -> None:
    near = SerialVariance(person=0.1, drift=1.0, memory=0.7, noise=1.0, trials=5)
    weights = near.weights(4)
    assert (np.diff(weights) > 0).all()
    far = SerialVariance(person=0.1, drift=1.0, memory=0.7, noise=1.0, trials=30)
    assert far.weights(4).sum() < weights.sum() < 1


def test_a_shift_brings_predictions_towards_what_was_reported() -> None:
    plain = SerialVariance(person=1.0, drift=0.0, memory=0.5, noise=2.0, trials=12)
    reported = np.array([[0.4, 0.6], [0.6, 0.4]])
    shift, keep = plain.shift(reported, np.full((2, 2), [0.2, 0.8]))
    np.testing.assert_allclose(shift, [0.15, -0.15])  # half of a mean difference of 0.3
    assert keep == pytest.approx(0.5)


def test_too_few_people_leave_what_is_known_of_others() -> None:
    shares, groups, names = people(2, 12, 0.002, 0.004, 0.6, 0.005, 1)
    assert serial_variance(shares, groups, names) == UNKNOWN
    shares, groups, names = people(9, 2, 0.002, 0.004, 0.6, 0.005, 1)
    assert serial_variance(shares, groups, names) == UNKNOWN


def test_variances_that_make_no_sense_are_refused() -> None:
    with pytest.raises(ValueError, match="noise"):
        SerialVariance(person=1.0, drift=0.0, memory=0.5, noise=0.0, trials=12)
    with pytest.raises(ValueError, match="memory"):
        SerialVariance(person=1.0, drift=0.0, memory=1.5, noise=1.0, trials=12)


def test_trials_are_in_the_order_of_their_first_windows() -> None:
    names, means = in_order(np.array([[1.0], [3.0], [5.0]]), np.array(["b", "b", "a"]))
    assert names == ("b", "a")
    np.testing.assert_array_equal(means, [[2.0], [5.0]])
