"""EmotionDict learns a known teacher; its dictionary, tokens and auxiliary losses."""

from __future__ import annotations

import numpy as np
import torch
from torch.nn import TransformerEncoderLayer

from model.systems.deep import Inputs
from model.systems.emotiondict import ELEMENTS, Dictionary, cut, sinusoids
from model.systems.stacked import StackedEncoderLayer
from tests.model.systems.taught import check_any_sensors, check_repeats, lesson, skill, untrained


def test_learns_a_linear_teacher() -> None:
    assert skill(untrained("emotiondict", epochs=20, learning_rate=4e-3), count=256) > 0.3


def test_any_sensors() -> None:
    check_any_sensors("emotiondict")


def test_repeats_with_the_seed() -> None:
    check_repeats("emotiondict")


def test_the_dictionary_stays_orthonormal_while_it_learns() -> None:
    torch.manual_seed(0)
    dictionary = Dictionary()
    before = dictionary.elements().detach()
    (dictionary.elements() * torch.randn(128)).sum().backward()
    with torch.no_grad():
        dictionary.free -= 5 * dictionary.free.grad
    after = dictionary.elements()
    torch.testing.assert_close(after @ after.T, torch.eye(ELEMENTS), atol=1e-5, rtol=0)
    assert (after - before).abs().max() > 0.1


def test_tokens_are_the_bands_of_the_paper() -> None:
    electrodes, bands = np.meshgrid(np.arange(18), np.arange(5), indexing="ij")
    stored = torch.tensor((100 * electrodes + bands).reshape(1, -1))
    np.testing.assert_array_equal(cut(stored)[0, 3], 100 * np.arange(18) + 3)
    assert cut(torch.zeros(2, 27)).shape == (2, 2, 18)
    assert cut(torch.ones(2, 4)).sum() == 8


def test_position_codes() -> None:
    codes = sinusoids(5, 8)
    np.testing.assert_allclose(codes[3, 4], np.sin(3 / 10000 ** (4 / 8)), rtol=1e-6)
    np.testing.assert_allclose(codes[3, 5], np.cos(3 / 10000 ** (4 / 8)), rtol=1e-6)


def test_stacked_layers_are_layers_side_by_side() -> None:
    torch.manual_seed(0)
    stacked = StackedEncoderLayer(2, 8, 2, 12).eval()
    tokens, attended = torch.randn(2, 3, 5, 8), torch.rand(2, 3, 5) > 0.4
    attended[:, :, 0] = True
    together, last = stacked(tokens, attended), stacked(tokens, attended, last=True)
    torch.testing.assert_close(last, together[:, :, -1:])
    for stack in range(2):
        plain = TransformerEncoderLayer(8, 2, 12, batch_first=True)
        pairs = [
            (plain.self_attn.in_proj_weight, plain.self_attn.in_proj_bias, stacked.attend),
            (plain.self_attn.out_proj.weight, plain.self_attn.out_proj.bias, stacked.mix),
            (plain.linear1.weight, plain.linear1.bias, stacked.widen),
            (plain.linear2.weight, plain.linear2.bias, stacked.narrow),
        ]
        with torch.no_grad():
            for weight, bias, of in pairs:
                weight.copy_(of.weight[stack].T)
                bias.copy_(of.bias[stack, 0])
        expected = plain.eval()(tokens[stack], src_key_padding_mask=~attended[stack])
        torch.testing.assert_close(together[stack], expected, atol=1e-5, rtol=0)


def test_auxiliary_losses_pull_the_modalities_to_the_whole() -> None:
    train, labels = lesson(64, 0)
    system = untrained("emotiondict")
    torch.manual_seed(0)
    network = system.build(train.sizes, 4, 1)
    mask = {name: torch.ones(64, dtype=torch.bool) for name in train.modalities}
    features = {name: torch.from_numpy(values) for name, values in train.features.items()}
    inputs = Inputs(features, mask, torch.zeros(64, dtype=torch.int64))
    target = torch.from_numpy(labels.distribution).float()
    whole = system.loss(network, inputs, target, torch.ones(64))
    none = Inputs(features, {name: ~one for name, one in mask.items()}, inputs.person)
    output = network(none)
    assert not any(present.any() for _, present in output.auxiliary)
    # Without any of them present, only the task is left.
    torch.manual_seed(1)
    alone = system.loss(network, none, target, torch.ones(64))
    torch.manual_seed(1)
    logs = network(none).logs
    task = (target * (target.log() - logs)).sum(dim=1).mean()
    torch.testing.assert_close(alone, task)
    assert whole > task
    primary, others = network(inputs).auxiliary
    whole.backward()
    assert (network.single.enter.weight.grad.abs().sum(dim=(1, 2)) > 0).all()
    assert primary[0].shape == others[0].shape == (64, 128)
