"""Fitting a checkpoint to rated trials, and the same ladder in an evaluation."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from calibration.adaptation import adaptations, calibrate
from calibration.held import TRIVIAL
from calibration.ladder import RUNGS
from calibration.trials import RatedTrial
from model.checkpoint import REPLAYED
from model.evaluation import Plan, run
from model.people import PeopleStatistics
from realtime.errors import InputError
from tests.calibration.profiles import checkpoint, sizes, trial
from tests.model.people import TINY, windows
from tests.model.tables import synthetic_table

KNOWN = PeopleStatistics(spread=(np.nan, 0.2, 0.2), radius=(0.4, 0.3, 0.25))


def rated(count: int) -> list[RatedTrial]:
    """Return completely rated trials."""
    trials = [trial(number) for number in range(count)]
    return [
        replace(one, rating=replace(one.rating, items={**one.rating.items, "upset": 2.0}))
        for one in trials
    ]


def test_every_trial_is_predicted_by_the_others_beside_the_trivial_predictors() -> None:
    replay = checkpoint().ensemble.pack(windows(REPLAYED, 8, sizes()))
    opened = replace(checkpoint(), people=KNOWN, replay=replay)
    told: list[tuple[int, int]] = []
    found = calibrate(opened, rated(3), lambda what, done, total: told.append((done, total)))
    assert found.rungs == tuple(RUNGS)
    assert not found.left_out
    assert told == [(done, 6) for done in range(1, 7)]
    assert [one.trial for one in found.held] == ["0", "1", "2"]
    assert found.model.trials == 3
    for one in found.held:
        assert list(one.predictions) == [*RUNGS, *TRIVIAL]
        for shares in one.predictions.values():
            assert shares.sum() == pytest.approx(1)
        # Two trials, as variable as they are against what is typical.
        assert 0.15 < one.radius < 0.6
    assert 0.12 < found.model.radius < 0.5


def test_one_trial_moves_the_prior_alone_and_says_what_is_left_out() -> None:
    found = calibrate(replace(checkpoint(), people=KNOWN), rated(1))
    assert found.model.step == "prior"
    assert found.model.radius == pytest.approx(0.4)
    assert found.held == ()
    assert "adapters" in found.left_out[0]
    with pytest.raises(InputError, match="none of 2 trials can be used"):
        calibrate(checkpoint(), [trial(0), trial(1)])


def test_an_evaluation_gives_each_persons_first_trials_to_the_ladder(tmp_path: Path) -> None:
    table = synthetic_table(people=3, seconds=20)
    plan = Plan("calibrated-k", ("mpcl",), seeds=(0,), shots=(2,), settings=replace(TINY, epochs=1))
    outcome = run(table, plan, tmp_path, adaptations=adaptations(("adapters", "calibrated")))
    assert not outcome.failures
    by = {(piece.person, piece.adaptation): piece.prediction for piece in outcome.pieces}
    assert {kind for _, kind in by} == {"none", "adapters", "calibrated"}
    for person in table.people:
        assert np.abs(by[person, "adapters"] - by[person, "none"]).max() > 1e-4
    # A second run takes what is there, and does only what is new.
    before = {path.name: path.stat().st_mtime_ns for path in (tmp_path / "folds").iterdir()}
    run(table, plan, tmp_path, adaptations=adaptations(("adapters", "prior")))
    after = {path.name: path.stat().st_mtime_ns for path in (tmp_path / "folds").iterdir()}
    assert {name: after[name] for name in before} == before
    assert len(after) == len(before) + 3
