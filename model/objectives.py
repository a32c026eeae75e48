"""The losses of MPCL: task, prototype relations, co-occurrence, intensity, and their sum."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn.functional import cross_entropy, normalize

from model.hopfield import retrieve
from model.mpcl import Mpcl, MpclOutput


class Losses(NamedTuple):
    """Each loss, unweighted, and the weighted sum; scalars."""

    task: Tensor
    prd: Tensor
    pcl: Tensor
    intensity: Tensor
    total: Tensor


def task_loss(
    log_distribution: Tensor,
    target: Tensor,
    items: Tensor | None = None,
    weights: Tensor | None = None,
) -> Tensor:
    """Return the mean of KL(target || prediction) in nats.

    Parameters
    ----------
    log_distribution : Tensor, shape (N, C)
        Natural logarithm of the predicted shares.
    target : Tensor, shape (N, C)
        Reported shares; entries outside `items` are ignored.
    items : Tensor of bool, shape (N, C), optional
        Which emotions were rated. Both sides are renormalised over them.
    weights : Tensor, shape (N,), optional
        Weight of each row; 1 if left out. The sum is divided by N.
    """
    if items is not None:
        log_distribution = log_distribution.masked_fill(~items, -torch.inf)
        log_distribution = torch.log_softmax(log_distribution, dim=-1).masked_fill(~items, 0.0)
        target = target.masked_fill(~items, 0.0)
        target = target / target.sum(dim=-1, keepdim=True)
    divergence = (torch.xlogy(target, target) - target * log_distribution).sum(dim=-1)
    return _weighted_mean(divergence, weights)


def prd_loss(
    physiological_address: Tensor,
    behavioural_address: Tensor,
    physiological_relations: Tensor,
    behavioural_relations: Tensor,
) -> Tensor:
    """Return prototype relation distillation, the mean over rows in nats.

    The dominant prototype of one side teaches the other side's addressing what else belongs to
    it: KL(R_b[k_b] || w_p) + KL(R_p[k_p] || w_b), teachers without gradient.

    Parameters
    ----------
    physiological_address, behavioural_address : Tensor, shape (N, K)
        Addressing weights w, averaged over tokens.
    physiological_relations, behavioural_relations : Tensor, shape (K, K)
        Relations R among the prototypes of each bank; rows sum to 1.
    """
    if not len(physiological_address):
        return physiological_address.new_zeros(())
    from_behaviour = behavioural_relations.detach()[behavioural_address.argmax(dim=-1)]
    from_physiology = physiological_relations.detach()[physiological_address.argmax(dim=-1)]
    return _divergence(from_behaviour, physiological_address) + _divergence(
        from_physiology, behavioural_address
    )


def info_loob(anchors: Tensor, samples: Tensor, scale: float) -> Tensor:
    """Return InfoLOOB: like InfoNCE, with the pair itself left out of the denominator.

    Fuerst et al. 2022 (CLOOB): mean of -s_ii + log sum over j != i of exp(s_ij), s = scale times
    the inner product of unit vectors.

    Parameters
    ----------
    anchors, samples : Tensor, shape (N, d)
        Of unit length; row i of both belongs together. N is 2 or more.
    scale : float
        Inverse temperature.
    """
    similarity = scale * (anchors @ samples.transpose(0, 1))
    own = torch.eye(len(anchors), dtype=torch.bool, device=anchors.device)
    others = similarity.masked_fill(own, -torch.inf)
    return (torch.logsumexp(others, dim=1) - similarity.diagonal()).mean()


def info_nce(physiological: Tensor, behavioural: Tensor, scale: float) -> Tensor:
    """Return InfoNCE of both directions, as in CLIP (Radford et al. 2021).

    In place of `pcl_loss`, without retrieval. The two directions are added, as the two parts of
    SemLOOB are, where CLIP averages them: a weight of the loss then means the same for both.

    Parameters
    ----------
    physiological, behavioural : Tensor, shape (N, d)
        Embeddings of the same N windows; fewer than 2 give 0.
    scale : float
        Inverse temperature.
    """
    if len(physiological) < 2:
        return physiological.new_zeros(())
    first, second = normalize(physiological, dim=-1), normalize(behavioural, dim=-1)
    similarity = scale * (first @ second.transpose(0, 1))
    own = torch.arange(len(similarity), device=similarity.device)
    return cross_entropy(similarity, own) + cross_entropy(similarity.transpose(0, 1), own)


def pcl_loss(physiological: Tensor, behavioural: Tensor, beta: float, scale: float) -> Tensor:
    """Return the SemLOOB loss of prototypical co-occurrence learning; may be negative.

    Both sides retrieve from both sides of the batch, which reinforces what occurs together;
    pairs are then contrasted among the retrieved physiological and among the retrieved
    behavioural embeddings.

    Parameters
    ----------
    physiological, behavioural : Tensor, shape (N, d)
        Prototype-enhanced embeddings of the same N windows; fewer than 2 give 0.
    beta : float
        Inverse temperature of the retrieval.
    scale : float
        Inverse temperature of the contrast.
    """
    if len(physiological) < 2:
        return physiological.new_zeros(())
    first = normalize(physiological, dim=-1)
    second = normalize(behavioural, dim=-1)

    def recall(queries: Tensor, stored: Tensor) -> Tensor:
        return normalize(retrieve(queries, stored, stored, beta)[0], dim=-1)

    within_physiology = info_loob(recall(first, first), recall(second, first), scale)
    within_behaviour = info_loob(recall(second, second), recall(first, second), scale)
    return within_physiology + within_behaviour


def intensity_loss(prediction: Tensor, target: Tensor, weights: Tensor | None = None) -> Tensor:
    """Return the mean squared error of intensity, shape (N,); rows whose target is NaN give 0."""
    known = torch.isfinite(target)
    error = prediction - torch.where(known, target, prediction)
    return _weighted_mean(error * error, weights)


def total_loss(
    network: Mpcl,
    output: MpclOutput,
    target: Tensor,
    intensity: Tensor,
    items: Tensor | None = None,
    weights: Tensor | None = None,
) -> Losses:
    """Return all losses of a batch, and task + lambda_prd PRD + lambda_pcl PCL + lambda_int int.

    Rows without primary or behavioural modality are left out of PRD and PCL. A loss whose weight
    is 0, or that needs a behavioural modality which the network lacks, is 0 and not computed.
    """
    settings = network.settings
    task = task_loss(output.log_distribution, target, items, weights)
    strength = intensity_loss(output.intensity, intensity, weights)
    prd = pcl = task.new_zeros(())
    if output.behavioural_address is not None and output.behavioural_embedding is not None:
        rows = output.paired
        if settings.lambda_prd:
            prd = prd_loss(
                output.physiological_address[rows],
                output.behavioural_address[rows],
                network.bank.relations(settings.relation_temperature),
                network.behavioural_bank.relations(settings.relation_temperature),
            )
        if settings.lambda_pcl:
            pair = output.physiological_embedding[rows], output.behavioural_embedding[rows]
            if settings.alignment == "infonce":
                pcl = info_nce(*pair, settings.contrast)
            else:
                pcl = pcl_loss(*pair, settings.retrieval, settings.contrast)
    total = (
        task
        + settings.lambda_prd * prd
        + settings.lambda_pcl * pcl
        + settings.lambda_intensity * strength
    )
    return Losses(task, prd, pcl, strength, total)


def _divergence(teacher: Tensor, student: Tensor) -> Tensor:
    """Return the mean over rows of KL(teacher || student)."""
    # Softmax weights can underflow to 0; the floor keeps the logarithm finite.
    logs = torch.log(student.clamp_min(1e-12))
    return (torch.xlogy(teacher, teacher) - teacher * logs).sum(dim=-1).mean()


def _weighted_mean(values: Tensor, weights: Tensor | None) -> Tensor:
    return values.mean() if weights is None else (values * weights).mean()
