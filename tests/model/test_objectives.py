import dataclasses
import math

import numpy as np
import pytest
import torch

from model.mpcl import Mpcl
from model.objectives import (
    info_loob,
    info_nce,
    intensity_loss,
    pcl_loss,
    prd_loss,
    task_loss,
    total_loss,
)
from tests.model.people import EMOTIONS, ROLES, SIZES, TINY, teacher, windows

DRAW = np.random.default_rng(5)


def _shares(rows: int, columns: int) -> np.ndarray:
    return DRAW.dirichlet(np.ones(columns), rows)


def _softmax(values: np.ndarray) -> np.ndarray:
    raised = np.exp(values - values.max(axis=-1, keepdims=True))
    return raised / raised.sum(axis=-1, keepdims=True)


def _unit(rows: np.ndarray) -> np.ndarray:
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


def _loob(anchors: np.ndarray, samples: np.ndarray, scale: float) -> float:
    total = 0.0
    for i in range(len(anchors)):
        others = sum(
            math.exp(scale * anchors[i] @ samples[j]) for j in range(len(samples)) if j != i
        )
        total -= math.log(math.exp(scale * anchors[i] @ samples[i]) / others)
    return total / len(anchors)


def test_task_loss_is_the_mean_divergence() -> None:
    truth, guess = _shares(6, 4), _shares(6, 4)
    truth[0] = [0.5, 0.5, 0.0, 0.0]  # a share of 0 adds nothing
    weights = DRAW.random(6)
    rows = [
        sum(u * math.log(u / v) for u, v in zip(p, q, strict=True) if u > 0)
        for p, q in zip(truth, guess, strict=True)
    ]
    logs = torch.from_numpy(np.log(guess))
    assert task_loss(logs, torch.from_numpy(truth)).item() == pytest.approx(np.mean(rows))
    loss = task_loss(logs, torch.from_numpy(truth), weights=torch.from_numpy(weights))
    assert loss.item() == pytest.approx(np.mean(weights * rows))


def test_task_loss_over_the_items_that_a_sample_has() -> None:
    truth, guess = _shares(2, 5), _shares(2, 5)
    items = np.array([[True] * 5, [True, False, True, True, False]])
    p, q = truth[1, items[1]], guess[1, items[1]]
    p, q = p / p.sum(), q / q.sum()
    expected = (np.sum(truth[0] * np.log(truth[0] / guess[0])) + np.sum(p * np.log(p / q))) / 2
    logs = torch.from_numpy(np.log(guess)).requires_grad_()
    loss = task_loss(logs, torch.from_numpy(truth), torch.from_numpy(items))
    assert loss.item() == pytest.approx(expected)
    loss.backward()
    assert logs.grad is not None
    assert torch.isfinite(logs.grad).all()
    assert (logs.grad[1, [1, 4]] == 0).all()


def test_prototype_relation_distillation() -> None:
    physiological, behavioural = _shares(7, 5), _shares(7, 5)
    relations_p, relations_b = _shares(5, 5), _shares(5, 5)
    expected = 0.0
    for w_p, w_b in zip(physiological, behavioural, strict=True):
        teach_p, teach_b = relations_b[w_b.argmax()], relations_p[w_p.argmax()]
        expected += np.sum(teach_p * np.log(teach_p / w_p))
        expected += np.sum(teach_b * np.log(teach_b / w_b))
    given = [
        torch.from_numpy(x).requires_grad_()
        for x in (physiological, behavioural, relations_p, relations_b)
    ]
    loss = prd_loss(*given)
    assert loss.item() == pytest.approx(expected / 7)
    loss.backward()
    assert given[0].grad is not None
    assert given[2].grad is None  # teachers are detached
    assert prd_loss(*(x[:0] for x in given[:2]), *given[2:]).item() == 0.0


def test_leave_one_out_contrast() -> None:
    anchors, samples = (_unit(DRAW.standard_normal((6, 4))) for _ in range(2))
    loss = info_loob(torch.from_numpy(anchors), torch.from_numpy(samples), 3.0)
    assert loss.item() == pytest.approx(_loob(anchors, samples, 3.0))


def test_prototypical_co_occurrence_learning() -> None:
    physiological, behavioural = (DRAW.standard_normal((6, 4)) for _ in range(2))
    p, b = _unit(physiological), _unit(behavioural)

    def recall(queries: np.ndarray, stored: np.ndarray) -> np.ndarray:
        return _unit(_softmax(8.0 * queries @ stored.T) @ stored)

    expected = _loob(recall(p, p), recall(b, p), 30.0) + _loob(recall(b, b), recall(p, b), 30.0)
    given = torch.from_numpy(physiological), torch.from_numpy(behavioural)
    assert pcl_loss(*given, 8.0, 30.0).item() == pytest.approx(expected)
    assert pcl_loss(given[0][:1], given[1][:1], 8.0, 30.0).item() == 0.0


def test_contrast_without_retrieval() -> None:
    physiological, behavioural = (DRAW.standard_normal((6, 4)) for _ in range(2))
    similarity = 30.0 * _unit(physiological) @ _unit(behavioural).T
    expected = sum(
        -np.mean(np.log(np.diagonal(_softmax(scores)))) for scores in (similarity, similarity.T)
    )
    given = torch.from_numpy(physiological), torch.from_numpy(behavioural)
    assert info_nce(*given, 30.0).item() == pytest.approx(expected)
    assert info_nce(*given[::-1], 30.0).item() == pytest.approx(expected)
    assert info_nce(given[0][:1], given[1][:1], 30.0).item() == 0.0


def test_the_alignment_chooses_the_contrast() -> None:
    batch = windows(8)
    labels = teacher(batch)
    features = {name: torch.from_numpy(values) for name, values in batch.features.items()}
    mask = {name: torch.from_numpy(values) for name, values in batch.mask.items()}
    found = {}
    for alignment in ("semloob", "infonce"):
        torch.manual_seed(0)
        settings = dataclasses.replace(TINY, alignment=alignment)
        network = Mpcl(settings, SIZES, ROLES, EMOTIONS).eval()
        output = network(features, mask)
        target = torch.from_numpy(labels.distribution).float()
        losses = total_loss(network, output, target, torch.from_numpy(labels.intensity).float())
        found[alignment] = losses.pcl.item()
    assert output.behavioural_embedding is not None
    pair = output.physiological_embedding, output.behavioural_embedding
    assert found["infonce"] == pytest.approx(info_nce(*pair, TINY.contrast).item())
    assert found["semloob"] == pytest.approx(pcl_loss(*pair, TINY.retrieval, TINY.contrast).item())


def test_intensity_loss_leaves_unknown_ratings_out() -> None:
    guess = torch.tensor([0.2, 0.9, 0.4], requires_grad=True)
    loss = intensity_loss(guess, torch.tensor([0.5, float("nan"), 0.4]))
    assert loss.item() == pytest.approx(0.09 / 3)
    loss.backward()
    assert guess.grad is not None
    assert guess.grad.tolist() == pytest.approx([-0.2, 0.0, 0.0])


def test_the_total_weighs_its_parts_and_leaves_unpaired_rows_out() -> None:
    settings = dataclasses.replace(TINY, lambda_prd=0.3, lambda_pcl=0.2, lambda_intensity=0.5)
    torch.manual_seed(0)
    network = Mpcl(settings, SIZES, ROLES, EMOTIONS).eval()
    batch = windows(8)
    batch.mask["ppg"][:2] = False
    batch.mask["acc"][2] = False
    labels = teacher(batch)
    features = {name: torch.from_numpy(values) for name, values in batch.features.items()}
    mask = {name: torch.from_numpy(values) for name, values in batch.mask.items()}
    target = torch.from_numpy(labels.distribution).float()
    strength = torch.from_numpy(labels.intensity).float()
    output = network(features, mask)
    losses = total_loss(network, output, target, strength)
    weighed = losses.task + 0.3 * losses.prd + 0.2 * losses.pcl + 0.5 * losses.intensity
    assert losses.total.item() == pytest.approx(weighed.item())
    rows = torch.arange(3, 8)
    part = network({n: v[rows] for n, v in features.items()}, {n: m[rows] for n, m in mask.items()})
    paired = total_loss(network, part, target[rows], strength[rows])
    assert losses.prd.item() == pytest.approx(paired.prd.item(), rel=1e-4)
    assert losses.pcl.item() == pytest.approx(paired.pcl.item(), rel=1e-4)

    nobody = output._replace(paired=torch.zeros(8, dtype=torch.bool))
    alone = total_loss(network, nobody, target, strength)
    assert alone.prd.item() == alone.pcl.item() == 0.0
