"""HeLo learns a known teacher; its transport and its correlation are what they say."""

from __future__ import annotations

import numpy as np
import torch

from model.systems.deep import Inputs
from model.systems.helo import Correlation, transport
from tests.model.systems.taught import check_any_sensors, check_repeats, lesson, skill, untrained


def test_learns_a_linear_teacher() -> None:
    assert skill(untrained("helo", epochs=10), count=256) > 0.6


def test_any_sensors() -> None:
    check_any_sensors("helo")


def test_repeats_with_the_seed() -> None:
    check_repeats("helo")


def test_plans_bring_the_mass_where_it_belongs() -> None:
    torch.manual_seed(0)
    rows = torch.tensor([[0.5, 0.5, 0.0], [0.2, 0.3, 0.5]])
    columns = torch.tensor([[0.25] * 4, [0.1, 0.2, 0.3, 0.4]])
    plan = transport(torch.rand(2, 3, 4), rows, columns)
    # The columns' turn comes last; the rows are as near as 20 rounds bring them.
    torch.testing.assert_close(plan.sum(dim=2), rows, atol=3e-3, rtol=0)
    torch.testing.assert_close(plan.sum(dim=1), columns, atol=1e-6, rtol=0)
    assert (plan >= 0).all()


def test_plans_take_the_cheap_way() -> None:
    cost = 1 - torch.eye(4)[None]
    plan = transport(cost, torch.full((1, 4), 0.25), torch.full((1, 4), 0.25))
    assert (plan[0].diagonal() > 0.249).all()


def test_correlation_of_all_labels_so_far() -> None:
    draw = np.random.default_rng(0)
    labels = draw.dirichlet([1, 2, 3, 4], 90)
    labels[:, 3] = 0.5  # does not vary
    seen = Correlation(4)
    for part in np.split(labels, 3):
        found = seen.add(torch.from_numpy(part).float())
    np.testing.assert_allclose(found[:3, :3], np.corrcoef(labels[:, :3].T), atol=1e-5)
    assert not found[3].any()


def test_embeddings_follow_the_correlation_of_the_labels() -> None:
    train, labels = lesson(128, 0)
    system = untrained("helo", epochs=12, learning_rate=0.03)
    system.fit(train, labels, np.repeat("p", 128))
    embeddings = torch.nn.functional.normalize(system.network.emotions.detach(), dim=1)
    cosines = (embeddings @ embeddings.T).numpy()
    expected = np.corrcoef(labels.distribution.T)
    off = ~np.eye(4, dtype=bool)
    torch.manual_seed(1)
    first = torch.nn.functional.normalize(system.build(train.sizes, 4, 1).emotions.detach(), dim=1)
    start = np.abs((first @ first.T).numpy() - expected)[off].mean()
    assert np.abs(cosines - expected)[off].mean() < 0.5 * start


def test_a_missing_modality_plays_no_part() -> None:
    torch.manual_seed(0)
    sizes = {"ppg": 3, "eda": 2, "acc": 2}
    network = untrained("helo").build(sizes, 4, 1).eval()
    features = {name: torch.randn(9, size) for name, size in sizes.items()}
    for absent in sizes:
        mask = {name: torch.ones(9, dtype=torch.bool) for name in sizes}
        mask[absent] = torch.arange(9) > 3
        inputs = Inputs(features, mask, torch.zeros(9, dtype=torch.int64))
        other = inputs._replace(features={**features, absent: features[absent] + 3})
        first, second = network(inputs).logs, network(other).logs
        torch.testing.assert_close(first[:4], second[:4], atol=1e-5, rtol=0)
        assert (first[4:] - second[4:]).abs().max() > 1e-4
