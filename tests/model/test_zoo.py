"""The checkpoint that ships: fits its rig, tells stress from rest, takes other devices."""

from __future__ import annotations

import numpy as np
import pytest

from calibration.statements import stated_rest
from model.checkpoint import DEMONSTRATION, check_rig, load_checkpoint
from model.metrics import stress_auc
from model.predictor import Predictor
from model.zoo import FOLDER, shipped_checkpoint
from realtime.errors import InputError
from realtime.files import open_recording
from realtime.offline import score
from realtime.rig import load_rig, parse_rig
from realtime.simulator.affect import Schedule, baseline, rest, stress
from realtime.simulator.layouts import EMOTIBIT, WORN_FOR, layout
from realtime.simulator.person import Person
from tests.data import data_folder

RIG = load_rig("wrist")
SCHEDULE = Schedule(opening=(baseline(180.0),), cycle=(stress(180.0), rest(300.0)))


@pytest.fixture(scope="module")
def predictor():
    return Predictor(load_checkpoint(shipped_checkpoint(RIG)), "cpu")


def results(recording, predictor):
    return list(
        score(
            recording,
            RIG,
            predictor,
            predictor.checkpoint.population,
            baseline=stated_rest(recording),
        )
    )


def negative(found, predictor):
    shares = np.array([r.distribution for r in found])
    return shares[:, np.array(predictor.negative)].sum(axis=1)


def test_ships_small_with_a_card_and_says_what_it_is():
    path = shipped_checkpoint(RIG)
    assert path.stat().st_size < 12e6
    checkpoint = load_checkpoint(path)
    check_rig(checkpoint, RIG)
    assert checkpoint.trained_on == "people"
    assert 0 < checkpoint.radius < 1
    card = (FOLDER / "wrist.md").read_text("utf-8")
    assert checkpoint.hash[:12] in card


@pytest.mark.parametrize("name", ["chest", "dmer"])
def test_demonstrations_say_so_and_follow_a_simulated_person(name):
    """A person whom the training has not seen; three conditions of a minute and a half."""
    rig = load_rig(name)
    path = shipped_checkpoint(rig)
    assert path.name == f"{name}.safetensors"
    assert path.stat().st_size < 12e6
    checkpoint = load_checkpoint(path)
    check_rig(checkpoint, rig)
    assert checkpoint.demonstration
    card = (FOLDER / f"{name}.md").read_text("utf-8")
    assert checkpoint.hash in card
    assert DEMONSTRATION.casefold() in card.casefold()

    device = layout(WORN_FOR[name])
    schedule = Schedule((baseline(60.0),), (stress(90.0), rest(90.0)))
    recording = Person(11, schedule, device.rates).to_recording(240.0, device)
    model = Predictor(checkpoint, "cpu")
    found = list(
        score(recording, rig, model, checkpoint.population, baseline=stated_rest(recording))
    )
    times = np.array([result.window.time for result in found])
    # The chest's windows of 60 s lie inside their condition in its last half minute.
    tense, calm = (times > 120) & (times <= 150), (times > 210) & (times <= 240)
    shares = negative(found, model)
    auc = stress_auc(tense[tense | calm], shares[tense | calm])
    assert auc > 0.9, f"stress AUC {auc:.3f} of a simulated person"


@pytest.mark.parametrize("seed", [1, 2, 5])
def test_separates_a_simulated_persons_stress_from_rest(predictor, seed):
    person = Person(seed, schedule=SCHEDULE)
    recording = person.to_recording(660)
    found = results(recording, predictor)
    labels, kept = [], []
    for i, result in enumerate(found):
        # A minute for the window to lie inside the stress; two more after it, as skin conductance
        # takes minutes to come back, in the simulated person as in real ones.
        since = result.window.time
        if 60 < since <= 180 or 240 < since <= 360 or since > 540:
            labels.append(240 < since <= 360)
            kept.append(i)
    shares = negative(found, predictor)[kept]
    auc = stress_auc(np.array(labels), shares)
    assert auc > 0.9


def test_other_device_one_stream_a_channel(predictor):
    recording = Person(1, rates=EMOTIBIT.rates).to_recording(70, EMOTIBIT)
    found = results(recording, predictor)
    assert all(found[-1].window.mask.values())
    np.testing.assert_allclose([r.distribution.sum() for r in found], 1, atol=1e-9)


def test_muse_recording(predictor):
    recording = open_recording(data_folder("xdf") / "muse_eeg_ppg_acc_gyro_p001.xdf")
    found = results(recording, predictor)
    assert {m for m, used in found[-1].window.mask.items() if used} == {"ppg", "acc"}
    np.testing.assert_allclose([r.distribution.sum() for r in found], 1, atol=1e-9)


def test_a_rig_without_any_checkpoint_is_told_what_to_do():
    content = (FOLDER.parents[1] / "realtime" / "rigs" / "wrist.toml").read_text("utf-8")
    content = content.replace("window = 60.0", "window = 30.0")
    other = parse_rig(content.replace('name = "wrist"', 'name = "mine"'), "mine.toml")
    with pytest.raises(InputError, match="no checkpoint ships for the rig 'mine'"):
        shipped_checkpoint(other)
