"""People with and without a model of their own in one batch."""

from __future__ import annotations

import numpy as np
import pytest

from calibration.ladder import Base, Personal
from calibration.personal import PersonalModel
from calibration.predictor import PersonalPredictor
from calibration.tuning import Lesson, tune
from model.batch import from_windows
from model.serial import UNKNOWN
from realtime.errors import InputError
from tests.model.people import windows
from tests.model.test_predictor import CHECKPOINT, SIZES, _windows

EMOTIONS = len(CHECKPOINT.emotions)


def personal() -> PersonalModel:
    """Return a model in which everything differs from the checkpoint."""
    ensemble = CHECKPOINT.ensemble
    target = np.tile(np.linspace(1, 2, EMOTIONS) / np.linspace(1, 2, EMOTIONS).sum(), (8, 1))
    lesson = Lesson(ensemble.pack(windows(8, 4, SIZES)), target, np.full(8, 1 / 8))
    shift = np.zeros(EMOTIONS)
    shift[:2] = 0.02, -0.02
    first = ensemble.names[0]
    return PersonalModel(
        step="adapters",
        trials=3,
        shift=shift,
        keep=0.5,
        centre={first: np.full(SIZES[first], 0.3, dtype=np.float32)},
        weights=tune(ensemble, lesson, adapters=True),
        radius=0.123,
    )


def test_each_person_is_predicted_by_their_own_model() -> None:
    model = personal()
    both = _windows(windows(9, 2, SIZES))
    predictor = PersonalPredictor(CHECKPOINT, "cpu", {"p1": model})
    found = predictor(both)
    strangers = [row for row, one in enumerate(both) if one.participant == "p0"]
    own = [row for row, one in enumerate(both) if one.participant == "p1"]
    plain = predictor.population(both)
    np.testing.assert_allclose(found.distributions[strangers], plain.distributions[strangers])
    np.testing.assert_array_equal(found.radius[strangers], CHECKPOINT.radius)
    np.testing.assert_array_equal(found.radius[own], 0.123)
    # The same as calibration itself computed.
    ensemble = CHECKPOINT.ensemble
    base = Base(lambda batch: ensemble.predict(batch)[0], UNKNOWN, ensemble)
    batch = from_windows([both[row] for row in own], ensemble.names)
    expected = Personal(base, model).predict(batch)
    np.testing.assert_allclose(found.distributions[own], expected, atol=1e-5)
    assert np.abs(found.distributions[own] - plain.distributions[own]).max() > 0.01


def test_a_model_can_be_adopted_while_the_session_runs() -> None:
    both = _windows(windows(4, 2, SIZES))
    predictor = PersonalPredictor(CHECKPOINT, "cpu")
    before = predictor(both).distributions
    predictor.adopt("p0", PersonalModel("none", 1, np.zeros(EMOTIONS), radius=0.2))
    after = predictor(both)
    np.testing.assert_allclose(after.distributions, before, atol=1e-6)
    np.testing.assert_array_equal(after.radius, np.where([True, False] * 2, 0.2, CHECKPOINT.radius))
    assert len(predictor([]).distributions) == 0
    assert len(predictor.explain(both)) == 4


def test_models_of_other_checkpoints_are_refused() -> None:
    with pytest.raises(InputError, match=f"3 emotions, the checkpoint has {EMOTIONS}"):
        PersonalPredictor(CHECKPOINT, "cpu", {"p0": PersonalModel("none", 1, np.zeros(3))})
    odd = {"member0/head.weight": np.zeros((1, 3), dtype=np.float32)}
    wrong = PersonalModel("head", 2, np.zeros(EMOTIONS), weights=odd)
    with pytest.raises(InputError, match="does not fit the checkpoint"):
        PersonalPredictor(CHECKPOINT, "cpu", {"p0": wrong})
