"""CARAT: prototypes, restoration, contrast and shuffling."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch.nn.functional import normalize

from model.systems.carat import MOMENTUM, TEMPERATURE, Network, classes, contrast
from tests.model.systems.taught import (
    check_any_sensors,
    check_repeats,
    random_inputs,
    skill,
    untrained,
)

SIZES = {"eeg": 5, "gsr": 3, "video": 4}


def network() -> Network:
    """Return an untrained network of three modalities and four labels."""
    torch.manual_seed(0)
    return Network(SIZES, 4)


def test_learns_a_linear_teacher() -> None:
    quick = untrained("carat", epochs=16, batch_size=32, learning_rate=1e-2)
    assert skill(quick, count=160) > 0.35


def test_prototypes_move_as_one_window_at_a_time_of_equal_codes_would() -> None:
    made = network()
    named = torch.tensor([[True, True, False, False], [True, False, True, False]])
    present = torch.tensor([[True, True], [True, False], [True, True]]).reshape(3, 2)
    code = normalize(torch.randn(3, 1, 4, 8), dim=-1).expand(3, 2, 4, 8)
    made.move_prototypes(code, named, present)
    expected = torch.zeros_like(made.prototypes)
    for row in range(2):
        for modality in range(3):
            for label in range(4):
                if present[modality, row]:
                    side = int(named[row, label])
                    old = expected[side, modality, label]
                    new = MOMENTUM * old + (1 - MOMENTUM) * code[modality, row, label]
                    expected[side, modality, label] = new
    torch.testing.assert_close(made.prototypes, expected)


def test_the_prototype_more_alike_is_recalled() -> None:
    made = network().eval()
    made.prototypes = normalize(torch.randn(2, 3, 4, 8), dim=-1)
    side = torch.randint(0, 2, (3, 5, 4))
    wanted = torch.where(
        side[..., None] == 1, made.prototypes[1][:, None], made.prototypes[0][:, None]
    )
    torch.testing.assert_close(made.recalled(3 * wanted), wanted)
    # In training both count, the one more alike more.
    mixed = made.train().recalled(3 * wanted)
    assert (mixed - wanted).norm(dim=-1).min() > 1e-3
    likeness = torch.einsum("mncd,kmcd->mnck", normalize(mixed, dim=-1), made.prototypes)
    assert (likeness.argmax(dim=-1) == side).float().mean() == 1


def test_a_modality_is_restored_from_the_others_and_its_own_stand_in() -> None:
    made = network()
    others, own = torch.randn(2, 3, 5, 4, 16)
    before = made._restored(others, own)
    for modality in range(3):
        moved = others.clone()
        moved[modality] += 1
        changed = (made._restored(moved, own) - before).abs().amax(dim=(1, 2, 3)) > 1e-4
        assert changed.tolist() == [one != modality for one in range(3)]
        moved = own.clone()
        moved[modality] += 1
        changed = (made._restored(others, moved) - before).abs().amax(dim=(1, 2, 3)) > 1e-4
        assert changed.tolist() == [one == modality for one in range(3)]


def test_contrast_against_a_loop() -> None:
    named = torch.tensor([[True, False], [True, True], [False, False]])
    kinds = classes(named, 2)
    assert len(kinds.unique()) == 8
    assert kinds[1, 0, 0] == kinds[1, 1, 0] != kinds[0, 0, 0]
    codes = normalize(torch.randn(2, 2, 3, 2, 8), dim=-1)
    present = torch.ones(2, 3, 2, dtype=torch.bool)
    present[1, 2] = False
    rows = [
        (codes[v, m, n, c], int(kinds[m, n, c]))
        for v in range(2)
        for m in range(2)
        for n in range(3)
        for c in range(2)
        if present[m, n, c]
    ]
    losses = []
    for place, (code, kind) in enumerate(rows):
        rest = [row for index, row in enumerate(rows) if index != place]
        scale = np.log(sum(np.exp(float(code @ other) / TEMPERATURE) for other, _ in rest))
        pairs = [float(code @ other) / TEMPERATURE for other, one in rest if one == kind]
        losses.append(np.mean([scale - likeness for likeness in pairs]))
    assert float(contrast(codes, kinds, present)) == pytest.approx(np.mean(losses), rel=1e-4)


def test_shuffled_labels_bring_their_features_along() -> None:
    """A label's feature that holds its share predicts the shuffled truth without error."""
    made = network()
    target = torch.softmax(torch.randn(64, 4), dim=-1)
    features = torch.zeros(3, 64, 4, 16)
    features[..., 0] = target.log()
    made.aggregate = torch.nn.Sequential(torch.nn.Linear(4 * 16, 4, bias=False))
    with torch.no_grad():
        made.aggregate[0].weight.zero_()
        for label in range(4):
            made.aggregate[0].weight[label, 16 * label] = 1
    assert made.shuffled(features, target).item() == pytest.approx(0, abs=1e-4)
    # Had the truth stayed where it was, the error would be that of a stranger's ratings.
    assert made.shuffled(features.flip(1), target).item() > 0.1


def test_prediction_is_the_mean_of_both_and_absent_modalities_score_nothing() -> None:
    made = network().eval()
    with torch.no_grad():
        output = made(random_inputs(SIZES))
        largest, joint = output.largest[2].exp(), output.joint.exp()
        torch.testing.assert_close(output.logs[1:].exp(), (largest + joint.mean(0))[1:] / 2)
        torch.testing.assert_close(
            output.logs[0].exp(), (largest[0] + joint[[0, 2], 0].mean(0)) / 2
        )


def test_any_sensors() -> None:
    check_any_sensors("carat")


def test_repeats_with_the_seed() -> None:
    check_repeats("carat")
