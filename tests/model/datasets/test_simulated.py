"""Simulated datasets: the same people every time, ratings that follow what they feel."""

from __future__ import annotations

import pickle
from pathlib import Path

import numpy as np
import pytest

from model.datasets import dataset
from model.datasets.convert import assemble, windows_to_arrays
from model.datasets.simulated import FIRST_SEED, PEOPLE, Plan, Simulated
from model.labels import PANAS10, distribution
from realtime.errors import InputError
from realtime.offline import bind_recording
from realtime.rig import load_rig

NAMES = ("simulated-chest", "simulated-dmer")


@pytest.fixture(params=NAMES)
def simulated(request: pytest.FixtureRequest) -> Simulated:
    found = dataset(request.param)
    assert isinstance(found, Simulated)
    return found


def test_sessions_have_every_condition_rated_several_times(simulated: Simulated) -> None:
    sessions = simulated.sessions(simulated.root())
    assert len({session.participant for session in sessions}) == PEOPLE
    rig = load_rig(simulated.rig)
    orders = set()
    for session in sessions:
        conditions = [trial.condition for trial in session.trials]
        orders.add(tuple(conditions))
        assert {one: conditions.count(one) for one in set(conditions)} == {
            **{"stress": simulated.plan.turns, "amusement": simulated.plan.turns},
            **{"rest": simulated.plan.turns},
        }
        assert session.baseline == (0.0, simulated.plan.baseline)
        assert session.trials[0].start == simulated.plan.baseline
        assert session.trials[-1].stop == simulated.plan.seconds
        for trial in session.trials:
            # The longest window fits in.
            assert trial.stop - trial.start >= max(m.window for m in rig.modalities)
            assert not trial.unanswered
            assert set(trial.ratings) == set(PANAS10.emotions)
            assert set(trial.ratings.values()) <= {1.0, 2.0, 3.0, 4.0, 5.0}
    # No clock can tell the conditions.
    assert len(orders) > PEOPLE / 2


def test_ratings_follow_the_state_and_the_person(simulated: Simulated) -> None:
    shares: dict[str, list[float]] = {"stress": [], "amusement": [], "rest": []}
    glad, people = [], []
    for session in simulated.sessions(simulated.root()):
        own = []
        for trial in session.trials:
            scores = np.array([trial.ratings[item] for item in PANAS10.emotions])
            own.append(distribution(scores))
            shares[trial.condition].append(float(PANAS10.negative_share(own[-1])))
            if trial.condition == "amusement":
                glad.append(trial.ratings["enthusiastic"])
        people.append(np.mean(own, axis=0))
    assert np.mean(shares["stress"]) > np.mean(shares["rest"]) + 0.1
    assert np.mean(shares["amusement"]) < np.mean(shares["rest"])
    assert np.std(shares["stress"]) > 0.01
    assert np.mean(glad) > 2.5
    assert np.std(people, axis=0).mean() > 0.005


def test_it_is_the_same_every_time_and_travels_to_other_processes(simulated: Simulated) -> None:
    first, again = (simulated.sessions(Path())[3] for _ in range(2))
    assert first.trials == again.trials
    for session in (first, again):
        assert pickle.loads(pickle.dumps(session)).trials == first.trials
    assert first.name == f"simulated-{FIRST_SEED + 3}"
    names = {path.name for path in first.files}
    assert {"person.py", "heart.py", "face.py", "simulated.py"} <= names
    assert all(path.is_file() for path in first.files)


def test_a_folder_is_refused(simulated: Simulated, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="leave --root out"):
        simulated.root(tmp_path)


def test_a_recording_goes_through_the_engine(
    simulated: Simulated, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A short session: every modality of the rig is there, and the table knows what it is."""
    monkeypatch.setattr(type(simulated), "plan", Plan(baseline=12.0, trial=3.0, turns=1))
    rig = load_rig(simulated.rig)
    session = simulated.sessions(Path())[0]
    recording = session.read()
    assert all(stream.info.simulated for stream in recording.streams)
    bound = bind_recording(recording, rig).bindings
    assert {binding.modality for binding in bound} == {m.name for m in rig.modalities}
    arrays = windows_to_arrays(recording, rig)
    for modality in rig.modalities:
        assert arrays[f"mask.{modality.name}"][-1], modality.name
        assert np.isfinite(arrays[f"features.{modality.name}"][-1]).any()
    table = assemble(simulated, rig, [session], [arrays])
    assert table.simulated
    assert "nothing about people" in table.note
    assert set(table.condition) == {"", "stress", "amusement", "rest"}
