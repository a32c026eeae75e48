"""The ladder: each step against what is known of it, and a guard that does no harm."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from calibration.adaptation import Ladder, adaptations
from calibration.ladder import RUNGS, Base, Personal, Rated, fit, fit_rung
from calibration.personal import PersonalModel
from calibration.tuning import Lesson, encoder_matrices, tune
from model.adaptation import Evidence
from model.batch import Batch, Labels
from model.ensemble import Ensemble
from model.metrics import kl_divergence
from model.mpcl import Mpcl
from model.serial import SerialVariance
from model.systems.references import TrainMean
from realtime.errors import InputError
from tests.model.people import EMOTIONS, ROLES, SIZES, TINY, windows

SERIAL = SerialVariance(person=1.0, drift=0.0, memory=0.5, noise=2.0, trials=12)
MEAN = np.full(EMOTIONS, 0.25)


@pytest.fixture(scope="module")
def ensemble() -> Ensemble:
    torch.manual_seed(3)
    return Ensemble([Mpcl(TINY, SIZES, ROLES, EMOTIONS) for _ in range(2)])


@pytest.fixture(scope="module")
def base(ensemble: Ensemble) -> Base:
    return Base(
        lambda batch: ensemble.predict(batch)[0], SERIAL, ensemble, ensemble.pack(windows(16, 9))
    )


def constant(batch: Batch) -> np.ndarray:
    return np.tile(MEAN, (len(batch), 1))


def rated(shares: np.ndarray, each: int = 6, seed: int = 0) -> Rated:
    count = len(shares)
    return Rated(windows(count * each, seed), np.repeat(np.arange(count), each), shares)


def near(*first: float) -> np.ndarray:
    """Return distributions with these first shares, the rest equal."""
    return np.array([[one, *[(1 - one) / (EMOTIONS - 1)] * (EMOTIONS - 1)] for one in first])


def test_the_prior_is_the_best_linear_prediction() -> None:
    own = rated(near(0.40, 0.46))
    model = fit_rung(Base(constant, SERIAL), own, "prior")
    # Two trials against a ratio of 2: half of the mean difference of 0.18.
    assert model.shift[0] == pytest.approx(0.09)
    assert model.shift.sum() == pytest.approx(0)
    guess = Personal(Base(constant, SERIAL), model).predict(own.batch)
    np.testing.assert_allclose(guess[:, 0], 0.34)


def test_with_one_trial_only_the_prior_moves(base: Base) -> None:
    found = fit(base, rated(near(0.5)))
    assert found.model.step == "prior"
    assert not found.model.weights
    assert not found.model.centre
    assert [rung.name for rung in found.rungs] == ["none", "prior"]
    assert np.isnan(found.rungs[1].kl).all()


def test_the_guard_leaves_a_person_alone_whom_the_prior_harms() -> None:
    # Ratings swing evenly around what is predicted: the others always point the wrong way.
    own = rated(near(*[0.15, 0.35] * 4))
    assert fit(Base(constant, SERIAL), own).model.step == "none"
    assert fit(Base(constant, SERIAL), own, guard=False).model.step == "baseline"
    steady = rated(near(0.48, 0.52, 0.5, 0.5, 0.49, 0.51, 0.5, 0.5))
    assert fit(Base(constant, SERIAL), steady).model.step == "prior"


def test_the_guard_predicts_each_trial_without_having_seen_it(base: Base) -> None:
    own = rated(near(0.3, 0.5, 0.4))
    rungs = {rung.name: rung for rung in fit(base, own).rungs}
    assert list(rungs) == list(RUNGS)
    model = fit_rung(base, own.without(1), "prior")
    seen = own.batch[own.trial == 1]
    expected = Personal(base, model).predict(seen).mean(axis=0)
    np.testing.assert_allclose(rungs["prior"].predictions[1], expected)
    # Another rating of the trial left out changes nothing in what is predicted for it.
    other = replace(own, shares=near(0.3, 0.9, 0.4))
    again = {rung.name: rung for rung in fit(base, other).rungs}
    for name, rung in rungs.items():
        np.testing.assert_array_equal(rung.predictions[1], again[name].predictions[1])


def test_the_baseline_takes_off_what_the_person_always_has(base: Base) -> None:
    own = rated(near(0.3, 0.4, 0.5, 0.6))
    features = {**own.batch.features, "eda": own.batch.features["eda"] * 0 + 2}
    mask = {**own.batch.mask, "acc": np.zeros(len(own.batch), dtype=bool)}
    own = replace(own, batch=Batch(features, mask, own.batch.elapsed))
    model = fit_rung(base, own, "baseline")
    np.testing.assert_allclose(model.centre["eda"], 1.0)  # 4 trials against 4
    assert "acc" not in model.centre
    absent = replace(own, batch=own.batch.without(["eda"])).batch
    np.testing.assert_array_equal(model.centred(absent).features["eda"], 0)
    np.testing.assert_allclose(model.centred(own.batch).features["eda"], 1.0)


def test_tuning_learns_what_the_person_shows_and_remembers_the_others(
    ensemble: Ensemble, monkeypatch: pytest.MonkeyPatch
) -> None:
    own = windows(48, 1)
    sign = own.features["ppg"][:, 0] > 0
    target = near(*np.where(sign, 0.6, 0.1))
    others = windows(32, 5)
    table, replay = ensemble.pack(own), ensemble.pack(others)
    weight = np.full(48, 1 / 48)

    def after(replayed: np.ndarray | None, adapters: bool) -> tuple[float, float]:
        weights = tune(ensemble, Lesson(table, target, weight, replayed), adapters)
        model = PersonalModel("x", 4, np.zeros(EMOTIONS), weights=weights)
        networks = model.networks(ensemble)
        kept = kl_divergence(ensemble.predict(others)[0], networks.predict(others)[0]).mean()
        return float(kl_divergence(target, networks.predict(own)[0]).mean()), float(kept)

    start = float(kl_divergence(target, ensemble.predict(own)[0]).mean())
    held, held_moved = after(replay, adapters=True)
    # Held less near the population than a real person's are, the made-up networks move farther.
    monkeypatch.setattr("calibration.tuning._PULL", 0.003)
    head, _ = after(replay, adapters=False)
    full, full_moved = after(replay, adapters=True)
    forgot, forgot_moved = after(None, adapters=True)
    assert full < held < start
    assert head < 0.99 * start
    assert full < 0.93 * head
    assert forgot < full
    assert forgot_moved > 1.5 * full_moved > 3 * held_moved
    # The given networks stay as they are.
    assert float(kl_divergence(target, ensemble.predict(own)[0]).mean()) == start


def test_adapters_are_low_rank_changes_of_every_encoder(ensemble: Ensemble) -> None:
    lesson = Lesson(ensemble.pack(windows(12)), near(*[0.4] * 12), np.full(12, 1 / 12))
    weights = tune(ensemble, lesson, adapters=True)
    member = ensemble.first
    matrices = encoder_matrices(member)
    assert len(matrices) == len(SIZES)
    model = PersonalModel("adapters", 2, np.zeros(EMOTIONS), weights=weights)
    changed = dict(model.networks(ensemble).first.named_parameters())
    for name, before in member.named_parameters():
        moved = (changed[name] - before).detach()
        if name in matrices:
            assert torch.linalg.matrix_rank(moved, rtol=1e-3) <= 2
            assert moved.abs().max() > 0
        elif name != "head.weight" and "bank." not in name:
            assert torch.equal(moved, torch.zeros_like(moved))


def test_weights_of_other_networks_are_refused(ensemble: Ensemble) -> None:
    def apply(**weights: np.ndarray) -> None:
        named = {name.replace("__", "/"): value for name, value in weights.items()}
        PersonalModel("head", 2, np.zeros(EMOTIONS), weights=named).networks(ensemble)

    one = np.zeros((1, TINY.width), dtype=np.float32)
    with pytest.raises(ValueError, match="network 7"):
        apply(**{"member7__head.weight": one})
    with pytest.raises(ValueError, match="no weight 'tail'"):
        apply(member0__tail=one)
    with pytest.raises(ValueError, match="needs"):
        apply(**{"member0__head.weight": one[:, :3]})
    with pytest.raises(ValueError, match="low-rank"):
        apply(**{"member0__primary_encoder.project.weight__up": one})


def test_an_evaluation_can_hand_trials_to_any_system() -> None:
    shares = np.repeat(near(0.2, 0.3, 0.4, 0.3, 0.2, 0.5, 0.6, 0.5, 0.4), 4, axis=0)
    batch = windows(len(shares))
    labels = Labels(shares, np.full(len(shares), np.nan))
    people = np.repeat(["a", "b", "c"], 12)
    trials = np.tile(np.repeat(["1", "2", "3"], 4), 3)
    system = TrainMean()
    system.fit(batch, labels, people)
    population = Evidence(batch, labels, people, trials)
    own = Evidence(batch[:8], labels[:8], people[:8], trials[:8])
    (ladder, prior) = adaptations(("calibrated", "prior"))
    assert isinstance(ladder, Ladder)
    before = system.predict(batch)[0, 0]
    after = prior(system, population, own).predict(batch)[0, 0]
    assert 0.25 < after < before
    assert ladder(system, population, own).predict(batch).shape == shares.shape
    with pytest.raises(InputError, match="no adaptation 'magic'"):
        adaptations(("magic",))
