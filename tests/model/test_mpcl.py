import dataclasses
import itertools

import numpy as np
import pytest
import torch

from model.batch import Batch
from model.encoders import MultiScaleFusion
from model.mpcl import Mpcl
from model.objectives import total_loss
from model.prototypes import PrototypeBank
from model.settings import MpclSettings
from realtime.errors import InputError
from tests.model.people import EMOTIONS, ROLES, SIZES, TINY, teacher, windows

QUIET = dataclasses.replace(TINY, modality_dropout=0.0)


def _network(settings: MpclSettings = TINY, names: tuple[str, ...] = tuple(SIZES)) -> Mpcl:
    torch.manual_seed(0)
    return Mpcl(settings, {name: SIZES[name] for name in names}, ROLES, EMOTIONS).eval()


def _inputs(batch: Batch) -> tuple[dict[str, torch.Tensor], dict[str, torch.Tensor]]:
    features = {name: torch.from_numpy(values) for name, values in batch.features.items()}
    return features, {name: torch.from_numpy(values) for name, values in batch.mask.items()}


def test_shapes() -> None:
    output = _network()(*_inputs(windows(7)))
    tokens = 2 * TINY.tokens  # two auxiliary modalities
    assert output.log_distribution.shape == (7, EMOTIONS)
    assert output.intensity.shape == (7,)
    assert output.physiological_weights.shape == (7, tokens, TINY.prototypes)
    assert output.behavioural_weights is not None
    assert output.behavioural_weights.shape == (7, tokens, TINY.prototypes)
    assert output.physiological_embedding.shape == (7, TINY.width)
    assert [tuple(w.shape[1:]) for w in output.slot_weights] == [(6, 8), (4, 6), (EMOTIONS, 4)]
    for weights in (output.physiological_weights, *output.slot_weights):
        torch.testing.assert_close(weights.sum(-1), torch.ones(weights.shape[:-1]))


@pytest.mark.parametrize(
    "present",
    [s for count in range(5) for s in itertools.combinations(SIZES, count)],
    ids=lambda names: "+".join(names) or "nothing",
)
def test_every_subset_of_modalities_gives_a_distribution_that_ignores_the_rest(
    present: tuple[str, ...],
) -> None:
    network = _network()
    gone = [name for name in SIZES if name not in present]
    features, mask = _inputs(windows(5).without(gone))
    output = network(features, mask)
    shares = output.log_distribution.exp()
    assert torch.isfinite(output.log_distribution).all()
    torch.testing.assert_close(shares.sum(1), torch.ones(5))
    assert ((output.intensity >= 0) & (output.intensity <= 1)).all()
    assert output.paired.all() == ("ppg" in present and "acc" in present)
    # What a masked modality holds is of no consequence, and what a present one holds is.
    for name in SIZES:
        other = {**features, name: features[name] + 1.0}
        same = torch.equal(network(other, mask).log_distribution, output.log_distribution)
        assert same == (name in gone)


def test_rows_are_independent_at_inference() -> None:
    network = _network()
    batch = windows(6)
    batch.mask["eda"][:3] = False
    batch.mask["ppg"][2:4] = False
    together = network(*_inputs(batch)).log_distribution
    for row in range(6):
        alone = network(*_inputs(batch[np.array([row])])).log_distribution
        torch.testing.assert_close(alone[0], together[row], atol=1e-6, rtol=0)


@pytest.mark.parametrize("names", [("ppg",), ("ppg", "acc"), ("ppg", "eda"), tuple(SIZES)])
def test_any_number_of_auxiliaries_and_no_behaviour(names: tuple[str, ...]) -> None:
    network = _network(names=names)
    batch = windows(4).only(names)
    labels = teacher(windows(4))
    output = network(*_inputs(batch))
    losses = total_loss(
        network,
        output,
        torch.from_numpy(labels.distribution).float(),
        torch.from_numpy(labels.intensity).float(),
    )
    assert torch.isfinite(torch.stack(list(losses))).all()
    assert (losses.prd == 0) == ("acc" not in names)
    assert network.sources[0][0] == "ppg"


def test_roles_are_checked() -> None:
    with pytest.raises(InputError, match="exactly one primary"):
        Mpcl(TINY, {"eda": 4}, ROLES, EMOTIONS)
    with pytest.raises(InputError, match="at most one behavioural"):
        Mpcl(TINY, SIZES, {**ROLES, "eda": "behavioural"}, EMOTIONS)


@pytest.mark.parametrize("shared", [False, True])
def test_every_parameter_learns(shared: bool) -> None:
    network = _network(dataclasses.replace(QUIET, shared_bank=shared)).train()
    batch = windows(16)
    batch.mask["ppg"][:2] = False  # so that every null token takes part
    batch.mask["acc"][2:4] = False
    labels = teacher(batch)
    losses = total_loss(
        network,
        network(*_inputs(batch)),
        torch.from_numpy(labels.distribution).float(),
        torch.from_numpy(labels.intensity).float(),
    )
    losses.total.backward()
    for name, parameter in network.named_parameters():
        if name.startswith("auxiliary_encoders") and name.endswith("missing"):
            continue  # an auxiliary modality that is missing takes its tokens with it
        assert parameter.grad is not None, name
        assert parameter.grad.abs().sum() > 0, name
    assert (network.behavioural_bank is network.bank) == shared


def test_the_first_slots_start_as_the_banks_contents() -> None:
    network = _network()
    first = network.blocks[0].slots
    torch.testing.assert_close(first, network.bank.contents)
    assert first is not network.bank.contents


def test_starting_from_the_training_mean() -> None:
    network = _network()
    mean = torch.tensor([0.1, 0.2, 0.3, 0.4])
    network.start_from(mean, 0.25)
    output = network(*_inputs(windows(3)))
    torch.testing.assert_close(output.log_distribution.exp(), mean.expand(3, -1))
    torch.testing.assert_close(output.intensity, torch.full((3,), 0.25))


def test_modality_dropout_takes_modalities_away_but_never_the_last() -> None:
    network = _network(dataclasses.replace(TINY, modality_dropout=0.5)).train()
    batch = windows(400).without(["eda", "temperature"])
    features, mask = _inputs(batch)
    _, kept = network._augment(features, mask)
    there = torch.stack([kept[name] for name in SIZES], dim=1)
    assert there.any(dim=1).all()
    assert not kept["eda"].any()
    assert 0.65 < kept["ppg"].float().mean() < 0.85  # 0.5, and 0.25 where both would go
    network.eval()
    first, second = (network(features, mask).log_distribution for _ in range(2))
    assert torch.equal(first, second)


def test_fusion_joins_one_retrieval_a_scale() -> None:
    torch.manual_seed(0)
    fusion = MultiScaleFusion(4, (0.5, 2.0))
    primary, auxiliary = torch.randn(1, 3, 4), torch.randn(1, 3, 4)
    query = (primary @ fusion.query.weight.T)[0]
    key, value = ((auxiliary @ w.weight.T)[0] for w in (fusion.key, fusion.value))
    parts = [torch.softmax(s / 2 * query @ key.T, dim=-1) @ value for s in (0.5, 2.0)]
    gained = torch.cat(parts, dim=-1) @ fusion.output.weight.T + fusion.output.bias
    expected = torch.nn.functional.layer_norm(primary[0] + gained, (4,))
    there = torch.ones(1, dtype=torch.bool)
    torch.testing.assert_close(fusion(primary, auxiliary, there)[0], expected)
    alone = torch.nn.functional.layer_norm(primary, (4,))
    torch.testing.assert_close(fusion(primary, auxiliary, ~there), alone)


def test_prototype_relations_are_row_softmax_of_cosines() -> None:
    torch.manual_seed(0)
    bank = PrototypeBank(5, 4, beta=0.5)
    contents = bank.contents.detach().double().numpy()
    unit = contents / np.linalg.norm(contents, axis=1, keepdims=True)
    expected = np.exp(unit @ unit.T / 0.1)
    expected /= expected.sum(axis=1, keepdims=True)
    np.testing.assert_allclose(bank.relations(0.1).detach().numpy(), expected, atol=1e-5)
