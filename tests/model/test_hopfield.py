import numpy as np
import pytest
import torch

from model.hopfield import association, energy, retrieve


def _softmax(values: np.ndarray) -> np.ndarray:
    shifted = np.exp(values - values.max(axis=-1, keepdims=True))
    return shifted / shifted.sum(axis=-1, keepdims=True)


@pytest.mark.parametrize("shared", [False, True])
def test_retrieval_is_the_published_formula(shared: bool) -> None:
    draw = np.random.default_rng(0)
    queries = draw.standard_normal((5, 3) if shared else (2, 5, 3))
    keys, values = draw.standard_normal((2, 4, 3)), draw.standard_normal((2, 4, 6))
    found, weights = retrieve(*(torch.from_numpy(x) for x in (queries, keys, values)), 1.7)
    for row in range(2):
        own = queries if shared else queries[row]
        expected = _softmax(1.7 * own @ keys[row].T)
        np.testing.assert_allclose(weights[row].numpy(), expected, atol=1e-12)
        np.testing.assert_allclose(found[row].numpy(), expected @ values[row], atol=1e-12)


def test_patterns_that_do_not_exist_get_no_weight() -> None:
    draw = torch.Generator().manual_seed(1)
    queries, keys = (torch.randn(2, 3, 4, generator=draw) for _ in range(2))
    present = torch.tensor([[True, False, True], [True, True, True]])
    weights = association(queries, keys, 1.0, present[:, None, :])
    assert (weights[0, :, 1] == 0).all()
    torch.testing.assert_close(weights[0][:, [0, 2]], association(queries[0], keys[0, [0, 2]], 1.0))


def test_retrieval_lowers_the_energy_and_finds_a_stored_pattern() -> None:
    draw = torch.Generator().manual_seed(2)
    stored = torch.nn.functional.normalize(torch.randn(20, 16, generator=draw), dim=-1)
    state = stored[:5] + 0.1 * torch.randn(5, 16, generator=draw)
    beta = 30.0
    found, _ = retrieve(state, stored, stored, beta)
    assert (energy(found, stored, beta) < energy(state, stored, beta)).all()
    torch.testing.assert_close(found, stored[:5], atol=0.05, rtol=0)
