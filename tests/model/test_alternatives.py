"""Standard designs in place of MPCL's modules: right, able to learn, and as robust as what they
replace."""

from __future__ import annotations

import dataclasses
import itertools

import numpy as np
import pytest
import torch

from model.alternatives import AddedFusion, CrossAttentionFusion, PooledEncoder
from model.batch import Batch
from model.mpcl import Mpcl, MpclOutput
from model.objectives import total_loss
from model.settings import MpclSettings
from model.training import train
from tests.model.people import EMOTIONS, ROLES, SIZES, TINY, people, teacher, windows

CHANGES: list[dict[str, str]] = [
    {"fusion": "cross-attention"},
    {"fusion": "none"},
    {"compression": "transformer"},
    {"compression": "none"},
    {"cooccurrence": "feature"},
    {"alignment": "infonce"},
]
alternatives = pytest.mark.parametrize("changes", CHANGES, ids=lambda c: "-".join(*c.items()))


def _settings(changes: dict[str, str], **more: object) -> MpclSettings:
    return dataclasses.replace(TINY, **changes, **more)


def _network(settings: MpclSettings) -> Mpcl:
    torch.manual_seed(0)
    return Mpcl(settings, SIZES, ROLES, EMOTIONS).eval()


def _output(network: Mpcl, batch: Batch) -> MpclOutput:
    features = {name: torch.from_numpy(values) for name, values in batch.features.items()}
    mask = {name: torch.from_numpy(values) for name, values in batch.mask.items()}
    return network(features, mask)


@alternatives
def test_rows_are_independent_whatever_is_missing(changes: dict[str, str]) -> None:
    network = _network(_settings(changes))
    subsets = [s for count in range(5) for s in itertools.combinations(SIZES, count)]
    batch = windows(len(subsets))
    for row, present in enumerate(subsets):
        for name in SIZES:
            batch.mask[name][row] = name in present
    learning = _output(network, batch).log_distribution
    torch.testing.assert_close(learning.exp().sum(1), torch.ones(len(subsets)))
    # torch's Transformer layers compute in another way where no gradient is asked for.
    with torch.inference_mode():
        together = _output(network, batch).log_distribution
        torch.testing.assert_close(together, learning, atol=1e-6, rtol=0)
        for row, present in enumerate(subsets):
            one = batch[np.array([row])]
            # What a masked modality holds is of no consequence.
            for name in SIZES:
                if name not in present:
                    one.features[name][:] = 1e3
            alone = _output(network, one).log_distribution
            torch.testing.assert_close(alone[0], together[row], atol=1e-6, rtol=0)


@alternatives
def test_every_parameter_learns(changes: dict[str, str]) -> None:
    network = _network(_settings(changes, modality_dropout=0.0)).train()
    batch = windows(16)
    batch.mask["ppg"][:2] = False
    batch.mask["acc"][2:4] = False
    labels = teacher(batch)
    losses = total_loss(
        network,
        _output(network, batch),
        torch.from_numpy(labels.distribution).float(),
        torch.from_numpy(labels.intensity).float(),
    )
    losses.total.backward()
    for name, parameter in network.named_parameters():
        # A missing auxiliary takes its tokens with it; a key's bias moves all scores alike.
        if not (name.startswith("auxiliary_encoders") and name.endswith("missing")):
            assert parameter.grad is not None, name
            assert parameter.grad.abs().sum() > 0, name


@pytest.mark.parametrize(
    "changes",
    [
        {"fusion": "cross-attention", "compression": "transformer", "alignment": "infonce"},
        {"fusion": "none", "compression": "none", "cooccurrence": "feature"},
    ],
    ids=["standard", "nothing"],
)
def test_they_learn_a_linear_teacher(changes: dict[str, str]) -> None:
    settings = _settings(
        changes, width=16, epochs=6, patience=0, learning_rate=0.01, modality_dropout=0.0
    )
    known, new = windows(400, seed=1), windows(200, seed=2)
    model = train(settings, known, teacher(known), people(400), ROLES)
    truth = teacher(new).distribution

    def divergence(shares: np.ndarray) -> float:
        return float((truth * np.log(truth / shares)).sum(axis=1).mean())

    assert divergence(model.predict(new)) < 0.5 * divergence(model.mean[None])


def test_the_networks_differ_only_where_they_should() -> None:
    def shapes(network: Mpcl, part: str) -> list[tuple[int, ...]]:
        return [tuple(p.shape) for n, p in network.named_parameters() if n.startswith(part)]

    complete = _network(TINY)
    crossed = _network(_settings({"fusion": "cross-attention"}))
    for part in ("primary_encoder", "auxiliary_encoders", "bank", "blocks", "head"):
        assert shapes(crossed, part) == shapes(complete, part)
    assert [type(one) for one in crossed.fusions] == [CrossAttentionFusion] * 2
    encoded = _network(_settings({"compression": "transformer"}))
    assert shapes(encoded, "fusions") == shapes(complete, "fusions")
    assert len(encoded.encoder.layers) == len(complete.blocks)
    assert not len(_network(_settings({"compression": "none"})).encoder.layers)
    assert _output(encoded, windows(2)).slot_weights == ()


def test_cross_attention_asks_the_auxiliary_with_the_primary() -> None:
    torch.manual_seed(0)
    fusion = CrossAttentionFusion(8, 2)
    primary, auxiliary = torch.randn(3, 4, 8), torch.randn(3, 4, 8)
    there = torch.tensor([True, True, False])
    fused = fusion(primary, auxiliary, there)
    order = torch.tensor([2, 0, 3, 1])
    # Keys have no order, queries do.
    torch.testing.assert_close(fusion(primary, auxiliary[:, order], there), fused)
    torch.testing.assert_close(fusion(primary[:, order], auxiliary, there), fused[:, order])
    changed = (fusion(primary, auxiliary + 1.0, there) - fused).abs().amax(dim=(1, 2))
    assert (changed > 1e-3).tolist() == [True, True, False]
    # Two heads, by hand.
    query, key, value = (
        part.unflatten(-1, (2, 4)).transpose(1, 2)
        for part in (
            torch.nn.functional.linear(tokens, weight, bias)
            for tokens, weight, bias in zip(
                (primary, auxiliary, auxiliary),
                fusion.attention.in_proj_weight.chunk(3),
                fusion.attention.in_proj_bias.chunk(3),
                strict=True,
            )
        )
    )
    drawn = torch.softmax(query @ key.transpose(-2, -1) / 2.0, dim=-1) @ value
    drawn = fusion.attention.out_proj(drawn.transpose(1, 2).flatten(-2))
    tokens = fusion.norm(primary + drawn)
    expected = fusion.last_norm(tokens + fusion.feed_forward(tokens))
    torch.testing.assert_close(fused[:2], expected[:2])


def test_without_fusion_tokens_are_added() -> None:
    primary, auxiliary = torch.randn(2, 3, 4), torch.randn(2, 3, 4)
    fused = AddedFusion(4)(primary, auxiliary, torch.tensor([True, False]))
    norm = torch.nn.functional.layer_norm
    torch.testing.assert_close(fused[0], norm((primary + auxiliary)[0], (4,)))
    torch.testing.assert_close(fused[1], norm(primary[1], (4,)))


@pytest.mark.parametrize("layers", [0, 2])
def test_an_encoder_sees_the_tokens_that_exist_and_no_others(layers: int) -> None:
    torch.manual_seed(0)
    encoder = PooledEncoder(8, 2, layers).eval()
    tokens = torch.randn(2, 5, 8)
    present = torch.ones(2, 5, dtype=torch.bool)
    present[0, 3:] = False
    with torch.inference_mode():
        summary = encoder(tokens, present)
        short = encoder(tokens[:1, :3], present[:1, :3])
    torch.testing.assert_close(summary[0], short[0])
    if not layers:
        torch.testing.assert_close(summary[1], tokens[1].mean(dim=0))


def test_co_occurrence_of_features_leaves_the_prototypes_out() -> None:
    enhanced = _network(TINY)
    raw = _network(_settings({"cooccurrence": "feature"}))
    batch = windows(6)
    first, second = _output(enhanced, batch), _output(raw, batch)
    torch.testing.assert_close(first.log_distribution, second.log_distribution)
    for side in ("physiological", "behavioural"):
        bank = enhanced.bank if side == "physiological" else enhanced.behavioural_bank
        address = getattr(first, f"{side}_address")
        # E = F + P, and the mean of P is the mean address times the contents.
        gained = getattr(first, f"{side}_embedding") - getattr(second, f"{side}_embedding")
        torch.testing.assert_close(gained, address @ bank.contents)
