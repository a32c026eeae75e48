"""TAILOR: common and private views, the discriminator between them, and a query a label."""

from __future__ import annotations

import pytest
import torch

from model.systems.tailor import Network, overlap, told_apart
from tests.model.systems.taught import (
    check_any_sensors,
    check_repeats,
    random_inputs,
    skill,
    untrained,
)

SIZES = {"eeg": 5, "gsr": 3, "video": 4}


def network() -> Network:
    """Return an untrained network of three modalities, without dropout."""
    torch.manual_seed(0)
    return Network(SIZES, ["eeg"], 4).eval()


def test_learns_a_linear_teacher() -> None:
    quick = untrained("tailor", epochs=12, batch_size=32, learning_rate=1e-2)
    assert skill(quick, count=160) > 0.35


def test_the_discriminator_is_helped_by_private_views_and_hindered_by_common_ones() -> None:
    """A step of the views along the gradient changes the discriminator's loss as it should."""
    made = network()
    for name, view, sign in (
        ("private_guess", made.private, -1),
        ("common_guess", made.common, 1),
    ):
        made.zero_grad()
        output = made(random_inputs(SIZES))
        before = told_apart(getattr(output, name), output.present)
        before.backward()
        with torch.no_grad():
            for weight in view.parameters():
                weight -= 0.1 * weight.grad
            after = told_apart(getattr(made(random_inputs(SIZES)), name), output.present)
        assert sign * (after - before).item() > 1e-5


def test_discriminator_loss_of_certain_and_of_even_guesses() -> None:
    present = torch.tensor([[True, True], [True, False]])
    right = 50 * torch.eye(2)[:, None, None, :].expand(2, 2, 3, 2)
    assert float(told_apart(right, present)) == pytest.approx(0, abs=1e-6)
    even = torch.zeros(2, 2, 3, 2)
    assert float(told_apart(even, present)) == pytest.approx(2 * 0.693147, abs=1e-5)
    # The one wrong guess is of a modality that is absent there.
    wrong = right.clone()
    wrong[1, 1] = right[0, 1]
    assert float(told_apart(wrong, present)) == pytest.approx(0, abs=1e-6)


def test_overlap_against_a_loop() -> None:
    generator = torch.Generator().manual_seed(2)
    private, common = torch.randn(2, 3, 4, 2, 5, generator=generator)
    present = torch.ones(3, 4, dtype=torch.bool)
    present[1, 2] = False
    expected = 0.0
    for row in range(4):
        for one in range(3):
            if present[one, row]:
                expected += float((private[one, row] @ common[one, row].T).norm() ** 2)
            for other in range(one):
                if present[one, row] and present[other, row]:
                    expected += float((private[one, row] @ private[other, row].T).norm() ** 2)
    assert float(overlap(private, common, present)) == pytest.approx(expected / 4, rel=1e-5)
    across = torch.eye(5)[:4].reshape(2, 1, 2, 5)
    alone = torch.ones(2, 1, dtype=torch.bool)
    assert float(overlap(across, torch.zeros_like(across), alone)) == 0


def test_each_label_has_a_query_of_its_own() -> None:
    made = network()
    with torch.no_grad():
        made.labels[1] = made.labels[0]
    logs = made(random_inputs(SIZES)).logs
    torch.testing.assert_close(logs[:, 0], logs[:, 1])
    assert (logs[:, 0] - logs[:, 2]).abs().max() > 1e-3


def test_common_view_of_an_absent_modality_does_not_count() -> None:
    made = network()
    with torch.no_grad():
        before = made(random_inputs(SIZES)).common_logs
        made.encoders.missing[1] += 5
        after = made(random_inputs(SIZES)).common_logs
    torch.testing.assert_close(before, after)


def test_any_sensors() -> None:
    check_any_sensors("tailor")


def test_repeats_with_the_seed() -> None:
    check_repeats("tailor")
