"""Memory-guided Prototypical Co-occurrence Learning (MPCL, arXiv 2602.20530) as a network."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import torch
from torch import Tensor, nn

from model.alternatives import AddedFusion, CrossAttentionFusion, PooledEncoder
from model.compression import CompressionBlock
from model.encoders import MultiScaleFusion, TokenEncoder
from model.prototypes import PrototypeBank
from model.settings import MpclSettings
from realtime.errors import InputError


class MpclOutput(NamedTuple):
    """What the network says of N windows, and what its losses need.

    With C emotions, K prototypes, L physiological and as many behavioural tokens, width d. Entries
    of the behavioural side are None where the network has no behavioural modality.

    Attributes
    ----------
    log_distribution : Tensor, shape (N, C)
        Natural logarithm of the shares.
    intensity : Tensor, shape (N,)
        Mean rating on its scale, 0 to 1.
    physiological_weights, behavioural_weights : Tensor, shape (N, L, K)
        How strongly each token addresses each prototype.
    physiological_address, behavioural_address : Tensor, shape (N, K)
        The same, averaged over the tokens that exist.
    physiological_embedding, behavioural_embedding : Tensor, shape (N, d)
        Prototype-enhanced tokens, averaged; not of unit length. The tokens before, where the
        settings ask for co-occurrence of features.
    paired : Tensor of bool, shape (N,)
        Primary and behavioural modality are both there: PRD and PCL may use the row.
    slot_weights : tuple of Tensor, shapes (N, S_1, 2 L), (N, S_2, S_1) ... (N, C, S)
        How strongly each block's slots draw on the tokens or slots before; L instead of 2 L
        without a behavioural modality. Empty where an alternative without slots stands in.
    """

    log_distribution: Tensor
    intensity: Tensor
    physiological_weights: Tensor
    behavioural_weights: Tensor | None
    physiological_address: Tensor
    behavioural_address: Tensor | None
    physiological_embedding: Tensor
    behavioural_embedding: Tensor | None
    paired: Tensor
    slot_weights: tuple[Tensor, ...]


class Mpcl(nn.Module):
    """The network: tokens, multi-scale fusion, prototypes, compression, two heads.

    Any subset of the modalities may be missing in any row. A missing auxiliary modality takes its
    tokens with it; where all are missing, the primary modality's own tokens stand in. A missing
    primary or behavioural modality is a learned token. At inference every row is independent of
    the others.

    Parameters
    ----------
    settings : MpclSettings
    sizes : mapping of str to int
        Number of features of each modality.
    roles : mapping of str to str
        ``primary``, ``auxiliary`` or ``behavioural`` of (at least) each of them.
    emotions : int
        C.

    Raises
    ------
    InputError
        If there is not exactly one primary modality, or more than one behavioural one.
    """

    def __init__(
        self,
        settings: MpclSettings,
        sizes: Mapping[str, int],
        roles: Mapping[str, str],
        emotions: int,
    ) -> None:
        super().__init__()
        by_role = {
            role: [name for name in sizes if roles[name] == role]
            for role in ("primary", "auxiliary", "behavioural")
        }
        for role, least in (("primary", 1), ("behavioural", 0)):
            if not least <= len(by_role[role]) <= 1:
                raise InputError(
                    f"MPCL takes {'exactly' if least else 'at most'} one {role} modality, not "
                    f"{by_role[role]!r}: choose the modalities accordingly"
                )
        self.settings = settings
        self.sizes = dict(sizes)
        self.roles = {name: roles[name] for name in sizes}
        self.emotions = emotions
        self.primary = by_role["primary"][0]
        self.auxiliaries = tuple(by_role["auxiliary"])
        self.behavioural = by_role["behavioural"][0] if by_role["behavioural"] else None

        width, dropout = settings.width, settings.dropout
        blocks = max(len(self.auxiliaries), 1)
        self.length = blocks * settings.tokens
        self.primary_encoder = TokenEncoder(sizes[self.primary], settings.tokens, width, dropout)
        self.auxiliary_encoders = nn.ModuleList(
            TokenEncoder(sizes[name], settings.tokens, width, dropout) for name in self.auxiliaries
        )
        self.fusions = nn.ModuleList(_fusion(settings) for _ in self.auxiliaries)
        beta = settings.addressing * width**-0.5
        self.bank = PrototypeBank(settings.prototypes, width, beta)
        if self.behavioural is not None:
            self.behavioural_encoder = TokenEncoder(
                sizes[self.behavioural], self.length, width, dropout
            )
            self.behavioural_bank = (
                self.bank
                if settings.shared_bank
                else PrototypeBank(settings.prototypes, width, beta)
            )
        self.blocks = nn.ModuleList()
        if settings.compression == "hierarchical":
            for index, count in enumerate((*settings.slots, emotions)):
                start = torch.randn(count, width)
                if index == 0 and count <= settings.prototypes:
                    start = self.bank.contents[:count]
                self.blocks.append(CompressionBlock(start, settings.heads))
            self.head = nn.Linear(width, 1)
        else:
            layers = len(settings.slots) + 1 if settings.compression == "transformer" else 0
            self.encoder = PooledEncoder(width, settings.heads, layers)
            self.head = nn.Linear(width, emotions)
        self.intensity_head = nn.Linear(width, 1)
        self.prior: Tensor
        self.intensity_prior: Tensor
        self.register_buffer("prior", torch.zeros(emotions))
        self.register_buffer("intensity_prior", torch.zeros(()))

    @property
    def modalities(self) -> tuple[str, ...]:
        """Names of the modalities: primary, auxiliaries, behavioural."""
        last = () if self.behavioural is None else (self.behavioural,)
        return (self.primary, *self.auxiliaries, *last)

    @property
    def sources(self) -> tuple[tuple[str, ...], ...]:
        """The modalities that each stretch of `settings.tokens` input tokens comes from.

        One entry a stretch of T tokens, in the order of the first block's keys.
        """
        fused = tuple((self.primary, name) for name in self.auxiliaries) or ((self.primary,),)
        last = () if self.behavioural is None else ((self.behavioural,),) * len(fused)
        return (*fused, *last)

    def start_from(self, mean: Tensor, intensity: float) -> None:
        """Make the untrained network predict `mean` (C,) and `intensity` (0 to 1)."""
        with torch.no_grad():
            self.prior.copy_(torch.log(mean.clamp_min(1e-6)))
            self.intensity_prior.fill_(torch.logit(torch.tensor(intensity), eps=1e-3).item())
            for head in (self.head, self.intensity_head):
                head.weight.zero_()
                head.bias.zero_()

    def forward(self, features: Mapping[str, Tensor], mask: Mapping[str, Tensor]) -> MpclOutput:
        """Predict N windows.

        Parameters
        ----------
        features : mapping of str to Tensor of float32, shape (N, D)
            Normalised features of every modality; finite, also where masked.
        mask : mapping of str to Tensor of bool, shape (N,)
            True where the modality is present.
        """
        if self.training:
            features, mask = self._augment(features, mask)
        fused, exists = self._fuse(features, mask)
        rebuilt, weights = self.bank(fused)
        enhanced = fused + rebuilt
        address = _mean(weights, exists)
        raw = self.settings.cooccurrence == "feature"
        embedding = _mean(fused if raw else enhanced, exists)

        paired = mask[self.primary]
        behavioural_weights = behavioural_address = behavioural_embedding = None
        tokens, present = enhanced, exists
        if self.behavioural is not None:
            paired = paired & mask[self.behavioural]
            moved = self.behavioural_encoder(features[self.behavioural], mask[self.behavioural])
            rebuilt, behavioural_weights = self.behavioural_bank(moved)
            behavioural_embedding = (moved if raw else moved + rebuilt).mean(dim=1)
            moved = moved + rebuilt
            behavioural_address = behavioural_weights.mean(dim=1)
            tokens = torch.cat([enhanced, moved], dim=1)
            present = torch.cat([exists, _all_exist(moved)], dim=1)

        logits, summary, slot_weights = self._compress(tokens, present)
        strength = self.intensity_head(summary).squeeze(-1) + self.intensity_prior
        return MpclOutput(
            log_distribution=torch.log_softmax(logits + self.prior, dim=-1),
            intensity=torch.sigmoid(strength),
            physiological_weights=weights,
            behavioural_weights=behavioural_weights,
            physiological_address=address,
            behavioural_address=behavioural_address,
            physiological_embedding=embedding,
            behavioural_embedding=behavioural_embedding,
            paired=paired,
            slot_weights=slot_weights,
        )

    def _compress(
        self, tokens: Tensor, present: Tensor
    ) -> tuple[Tensor, Tensor, tuple[Tensor, ...]]:
        """Return logits (N, C), a summary of the window (N, d), and the slots' weights."""
        if not self.blocks:
            summary = self.encoder(tokens, present)
            return self.head(summary), summary, ()
        slot_weights = []
        for index, block in enumerate(self.blocks):
            tokens, drawn = block(tokens, present if index == 0 else None)
            slot_weights.append(drawn)
        return self.head(tokens).squeeze(-1), tokens.mean(dim=1), tuple(slot_weights)

    def _fuse(
        self, features: Mapping[str, Tensor], mask: Mapping[str, Tensor]
    ) -> tuple[Tensor, Tensor]:
        """Return physiological tokens (N, L, d), and which of them exist (N, L)."""
        primary = self.primary_encoder(features[self.primary], mask[self.primary])
        if not self.auxiliaries:
            return primary, _all_exist(primary)
        there = torch.stack([mask[name] for name in self.auxiliaries], dim=1)
        blocks = []
        for index, name in enumerate(self.auxiliaries):
            tokens = self.auxiliary_encoders[index](features[name], there[:, index])
            blocks.append(self.fusions[index](primary, tokens, there[:, index]))
        # Without any auxiliary modality the first block, which is then the primary one alone,
        # stays: otherwise the primary modality would be lost with them.
        first = torch.arange(len(self.auxiliaries), device=there.device) == 0
        kept = there | (first & ~there.any(dim=1, keepdim=True))
        exists = kept.repeat_interleave(self.settings.tokens, dim=1)
        return torch.cat(blocks, dim=1), exists

    def _augment(
        self, features: Mapping[str, Tensor], mask: Mapping[str, Tensor]
    ) -> tuple[Mapping[str, Tensor], Mapping[str, Tensor]]:
        """Add noise, and take modalities away at random, never a row's last one."""
        settings = self.settings
        if settings.noise:
            features = {
                name: features[name] + settings.noise * torch.randn_like(features[name])
                for name in self.modalities
            }
        if settings.modality_dropout:
            there = torch.stack([mask[name] for name in self.modalities], dim=1)
            chance = torch.rand(there.shape, device=there.device)
            kept = there & (chance >= settings.modality_dropout)
            kept = torch.where(kept.any(dim=1, keepdim=True), kept, there)
            mask = {name: kept[:, index] for index, name in enumerate(self.modalities)}
        return features, mask


def _fusion(settings: MpclSettings) -> nn.Module:
    """Return what joins the primary modality with one auxiliary modality."""
    if settings.fusion == "cross-attention":
        return CrossAttentionFusion(settings.width, settings.heads)
    if settings.fusion == "none":
        return AddedFusion(settings.width)
    return MultiScaleFusion(settings.width, settings.scales)


def _all_exist(tokens: Tensor) -> Tensor:
    """Return True for each token, (N, L), whatever N: ONNX would freeze a constant's shape."""
    return tokens[..., 0].isfinite()


def _mean(tokens: Tensor, exists: Tensor) -> Tensor:
    """Average tokens (N, L, x) over those that exist (N, L)."""
    weight = exists.to(tokens.dtype)
    total = (tokens * weight[..., None]).sum(dim=1)
    return total / weight.sum(dim=1, keepdim=True)
