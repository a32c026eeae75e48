import dataclasses
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest
import torch

from model.batch import Labels
from model.settings import MpclSettings
from model.systems.mpcl import MpclSystem
from model.training import TrainedModel, train
from realtime.errors import InputError
from tests.model.people import EMOTIONS, ROLES, TINY, people, teacher, windows

BATCH = windows(96)
LABELS = teacher(BATCH)
GROUPS = people(96)
# Every random part is in use, so that a resumed training must repeat all of them.
BUSY = dataclasses.replace(
    TINY,
    dropout=0.2,
    noise=0.1,
    modality_dropout=0.3,
    smoothing=0.05,
    centring=0.5,
    equal_people=True,
    weight_decay=0.01,
    held_out=1,
    members=2,
    batch_size=48,
)


def _weights(model: TrainedModel) -> list[np.ndarray]:
    return [tensor.numpy() for m in model.ensemble.members for tensor in m.state_dict().values()]


def _same(first: TrainedModel, second: TrainedModel) -> bool:
    pairs = zip(_weights(first), _weights(second), strict=True)
    return all(np.array_equal(a, b) for a, b in pairs) and first.history == second.history


def _kl(truth: np.ndarray, guess: np.ndarray) -> float:
    return float(np.mean(np.sum(truth * np.log(truth / guess), axis=1)))


def test_a_teacher_is_recovered_on_new_windows() -> None:
    settings = dataclasses.replace(
        TINY, epochs=12, patience=0, learning_rate=0.01, modality_dropout=0.0
    )
    known, new = windows(384, seed=1), windows(200, seed=2)
    system = MpclSystem(ROLES, settings)
    model = system.fit(known, teacher(known), people(384))
    truth = teacher(new)
    guess = system.predict(new)
    assert guess.shape == (200, EMOTIONS)
    np.testing.assert_allclose(guess.sum(axis=1), 1, atol=1e-12)
    mean = np.broadcast_to(model.mean, guess.shape)
    assert _kl(truth.distribution, guess) < 0.4 * _kl(truth.distribution, mean)
    error = np.abs(model.predict_intensity(new) - truth.intensity).mean()
    assert error < 0.5 * np.abs(model.intensity - truth.intensity).mean()
    losses = [entry["task"] for entry in model.history]
    assert losses[-1] < 0.5 * losses[0]


def test_the_seed_decides_everything() -> None:
    torch.manual_seed(1)
    first = train(BUSY, BATCH, LABELS, GROUPS, ROLES, seed=3)
    torch.manual_seed(2)
    before = torch.get_rng_state()
    second = train(BUSY, BATCH, LABELS, GROUPS, ROLES, seed=3)
    assert torch.equal(torch.get_rng_state(), before)  # the caller's randomness is left alone
    assert _same(first, second)
    third = train(BUSY, BATCH, LABELS, GROUPS, ROLES, seed=4)
    assert not _same(first, third)
    one, two = (first.ensemble.members[i].state_dict()["head.weight"] for i in (0, 1))
    assert not torch.equal(one, two)


@pytest.mark.parametrize("after", [1, 4])
def test_an_interrupted_training_ends_as_it_would_have(tmp_path: Path, after: int) -> None:
    straight = train(BUSY, BATCH, LABELS, GROUPS, ROLES, seed=3)
    path = tmp_path / "folder" / "state.safetensors"
    seen: list[Mapping[str, object]] = []

    def stop(entry: Mapping[str, object]) -> None:
        seen.append(entry)
        if len(seen) == after:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train(BUSY, BATCH, LABELS, GROUPS, ROLES, seed=3, resume=path, report=stop)
    resumed = train(BUSY, BATCH, LABELS, GROUPS, ROLES, seed=3, resume=path, report=seen.append)
    assert _same(straight, resumed)
    assert seen == list(straight.history)


def test_a_state_of_another_training_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "state"
    quick = dataclasses.replace(TINY, epochs=1)
    train(quick, BATCH, LABELS, GROUPS, ROLES, resume=path)
    with pytest.raises(InputError, match="another seed"):
        train(quick, BATCH, LABELS, GROUPS, ROLES, seed=1, resume=path)
    path.write_bytes(path.read_bytes()[:100])
    with pytest.raises(InputError, match="cannot read the training state"):
        train(quick, BATCH, LABELS, GROUPS, ROLES, resume=path)


def test_early_stopping_keeps_the_best_epoch_of_the_held_out_people() -> None:
    settings = dataclasses.replace(TINY, epochs=12, patience=2, learning_rate=0.03)
    draw = np.random.default_rng(0)
    noise = Labels(draw.dirichlet(np.ones(EMOTIONS), 96), np.full(96, np.nan))
    model = train(settings, BATCH, noise, GROUPS, ROLES, validation=["p1"])
    assert model.held_out == (("p1",),)
    losses = [entry["held_out"] for entry in model.history]
    assert len(losses) == int(np.argmin(losses)) + 1 + settings.patience < settings.epochs
    rows = GROUPS == "p1"
    kept = _kl(noise.distribution[rows], model.predict(BATCH[rows]))
    assert kept == pytest.approx(min(losses), rel=1e-4)


def test_members_hold_out_different_people() -> None:
    settings = dataclasses.replace(TINY, epochs=1, members=2, held_out=2)
    model = train(settings, BATCH, LABELS, GROUPS, ROLES)
    assert sorted(model.held_out[0] + model.held_out[1]) == ["p0", "p1", "p2", "p3"]
    single = train(settings, BATCH, LABELS, np.full(96, "p0"), ROLES)
    assert single.held_out == ((), ())
    assert single.history[0]["held_out"] is None


def test_partial_label_sets_and_missing_modalities_train() -> None:
    items = np.ones((96, EMOTIONS), dtype=bool)
    items[::3, :2] = False
    shares = np.where(items, LABELS.distribution, 0.0)
    labels = Labels(shares / shares.sum(axis=1, keepdims=True), LABELS.intensity, items)
    batch = windows(96)
    batch.mask["ppg"][:40] = False
    batch.mask["acc"][20:60] = False
    model = train(TINY, batch, labels, GROUPS, ROLES)
    assert np.isfinite(model.predict(batch)).all()
    assert all(np.isfinite(entry["total"]) for entry in model.history)
    np.testing.assert_allclose(model.predict(batch.only(["eda"])).sum(axis=1), 1)


def test_what_does_not_fit_is_refused() -> None:
    with pytest.raises(InputError, match="'nobody'"):
        train(TINY, BATCH, LABELS, GROUPS, ROLES, validation=["nobody"])
    with pytest.raises(InputError, match="every person"):
        train(TINY, BATCH, LABELS, GROUPS, ROLES, validation=["p0", "p1", "p2", "p3"])
    with pytest.raises(InputError, match="95 labels"):
        train(TINY, BATCH, LABELS[:95], GROUPS, ROLES)
    with pytest.raises(InputError, match="'temperature' has no role"):
        train(TINY, BATCH, LABELS, GROUPS, {"ppg": "primary", "eda": "auxiliary"})
    broken = windows(96)
    broken.features["eda"][4, 0] = np.nan
    with pytest.raises(InputError, match="'eda' are not all finite"):
        train(TINY, broken, LABELS, GROUPS, ROLES)


def test_the_small_recipe_is_small() -> None:
    model = train(
        dataclasses.replace(MpclSettings.small(), epochs=1, members=1), BATCH, LABELS, GROUPS, ROLES
    )
    count = sum(parameter.numel() for parameter in model.ensemble.first.parameters())
    assert count < 60_000
