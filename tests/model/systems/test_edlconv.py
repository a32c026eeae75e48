"""EDLConv: a map of modalities and features, and convolutions along both."""

from __future__ import annotations

import torch

from model.systems.deep import Inputs
from tests.model.systems.taught import check_any_sensors, check_repeats, skill, untrained

SIZES = {"eeg": 5, "gsr": 3, "video": 4}


def inputs(count: int = 6) -> Inputs:
    """Return random windows of three modalities, GSR missing in the first."""
    generator = torch.Generator().manual_seed(0)
    mask = {name: torch.ones(count, dtype=torch.bool) for name in SIZES}
    mask["gsr"][0] = False
    features = {name: torch.randn(count, size, generator=generator) for name, size in SIZES.items()}
    return Inputs(features, mask, torch.zeros(count, dtype=torch.int64))


def test_learns_a_linear_teacher() -> None:
    quick = untrained("edlconv", epochs=8, learning_rate=3e-3)
    assert skill(quick, count=256) > 0.6


def test_missing_modalities_are_rows_of_zeros() -> None:
    network = untrained("edlconv").build(SIZES, 4, 1).eval()
    rows = network.map(inputs())
    assert rows.shape[:2] == (6, 3)
    assert not rows[0, 1].any()
    assert rows[1:].abs().sum(dim=2).min() > 0


def test_first_convolutions_look_along_features_and_the_last_across_modalities() -> None:
    """The response to a change of one modality stays in its row, until the last convolution."""
    network = untrained("edlconv").build(SIZES, 4, 1).eval()
    before = inputs()
    after = before._replace(features={**before.features, "eeg": before.features["eeg"] + 1})
    pair = [network.along_features(network.map(one)[:, None]) for one in (before, after)]
    changed = (pair[0] - pair[1]).abs().amax(dim=(0, 1, 3)) > 1e-6
    assert changed.tolist() == [True, False, False]
    later = [network.across_modalities(one) for one in pair]
    changed = (later[0] - later[1]).abs().amax(dim=(0, 1, 3)) > 1e-6
    assert changed.tolist() == [True, True, False]


def test_any_sensors() -> None:
    check_any_sensors("edlconv")


def test_repeats_with_the_seed() -> None:
    check_repeats("edlconv")
