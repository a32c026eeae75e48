import numpy as np
import pytest

from model.uncertainty import conformal_radius, coverage, total_variation


def test_total_variation() -> None:
    assert total_variation(np.array([1.0, 0.0]), np.array([0.0, 1.0])) == pytest.approx(1)
    rows = total_variation(np.array([[0.5, 0.5], [0.7, 0.3]]), np.array([[0.5, 0.5], [0.4, 0.6]]))
    np.testing.assert_allclose(rows, [0.0, 0.3])
    with pytest.raises(ValueError, match="shape"):
        total_variation(np.ones(2), np.ones(3))


def _at(distances: list[float]) -> tuple[np.ndarray, np.ndarray]:
    values = np.array(distances)
    return np.stack([values, 1 - values], axis=1), np.tile([0.0, 1.0], (len(values), 1))


def test_radius_is_the_split_conformal_quantile() -> None:
    truth, guess = _at([i / 100 for i in range(1, 20)])
    # ceil(0.9 * 20) = the 18th smallest of 19
    assert conformal_radius(truth, guess, 0.9) == pytest.approx(0.18)
    few = _at([0.1, 0.2, 0.3])
    assert conformal_radius(*few, 0.9) == 1.0
    with pytest.raises(ValueError, match="coverage"):
        conformal_radius(truth, guess, 1.0)


def test_a_trial_counts_once_however_many_windows_it_has() -> None:
    truth, guess = _at([i / 100 for i in range(1, 20)])
    rows = np.concatenate([np.arange(19), np.zeros(500, dtype=int)])
    trials = rows.astype(str)
    assert conformal_radius(truth[rows], guess[rows], 0.9, trials) == pytest.approx(0.18)
    assert coverage(truth[rows], guess[rows], 0.1, trials) == pytest.approx(10 / 19)


def test_new_trials_are_covered_as_promised() -> None:
    draw = np.random.default_rng(0)

    def trials(count: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        truth = np.repeat(draw.dirichlet(np.full(5, 3.0), count), 8, axis=0)
        guess = np.stack([draw.dirichlet(30 * row + 1) for row in truth])
        return truth, guess, np.repeat(np.arange(count), 8).astype(str)

    covered = []
    for _ in range(40):
        truth, guess, groups = trials(60)
        radius = conformal_radius(truth, guess, 0.9, groups)
        fresh = trials(60)
        covered.append(coverage(fresh[0], fresh[1], radius, fresh[2]))
    assert 0.885 < np.mean(covered) < 0.94
