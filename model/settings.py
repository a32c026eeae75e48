"""Every number that MPCL has, in one frozen table."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from realtime.errors import InputError

CHOICES: Mapping[str, tuple[str, ...]] = {
    "fusion": ("associative", "cross-attention", "none"),
    "compression": ("hierarchical", "transformer", "none"),
    "cooccurrence": ("prototype", "feature"),
    "alignment": ("semloob", "infonce"),
}
"""What stands in for a module in an ablation; the first of each is MPCL."""


@dataclass(frozen=True, slots=True)
class MpclSettings:
    """Structure, losses and training of MPCL (arXiv 2602.20530).

    The defaults are the published recipe, with our choices where the text leaves a number open;
    everything that it does not have (regularisers for few people) is off.

    Attributes
    ----------
    width : int
        Width d of every token.
    tokens : int
        Tokens T of a modality.
    heads : int
        Attention heads of a compression block.
    prototypes : int
        Prototypes K of a bank.
    shared_bank : bool
        One bank for physiological and behavioural tokens instead of one each.
    scales : tuple of float
        Inverse temperatures of the multi-scale fusion, in units of 1/sqrt(d).
    addressing : float
        Inverse temperature of prototype addressing, in units of 1/sqrt(d).
    relation_temperature : float
        Temperature tau of the relations among prototypes.
    retrieval : float
        Inverse temperature beta of the co-occurrence retrieval, on unit vectors.
    contrast : float
        Inverse temperature 1/tau' of the SemLOOB loss.
    slots : tuple of int
        Slots of the compression blocks before the last one, which has one slot an emotion.
    fusion : str
        ``associative``: retrieval at several scales. ``cross-attention``: a Transformer's
        multi-head cross-attention. ``none``: the sum of the two modalities' tokens.
    compression : str
        ``hierarchical``: ever fewer slots. ``transformer``: as many encoder layers, tokens
        averaged. ``none``: tokens averaged.
    cooccurrence : str
        What co-occurrence learning compares: tokens enhanced by a ``prototype``, or the
        ``feature`` tokens before.
    alignment : str
        ``semloob``: contrast after retrieval from the batch. ``infonce``: contrast without it.
    lambda_prd, lambda_pcl, lambda_intensity : float
        Weights of prototype relation distillation, co-occurrence learning and intensity beside
        the task loss.
    modality_dropout : float
        Chance that a present modality is taken away from a training sample; one always stays.
    dropout : float
        Dropout of token entries after the encoders.
    noise : float
        Standard deviation of Gaussian noise on the normalised features, in training.
    prior : bool
        The untrained model predicts the training mean instead of the uniform distribution.
    smoothing : float
        Share of the training mean that is mixed into each label, 0 to 1.
    centring : float
        How much of the difference between a person's mean label and the training mean is taken
        out of that person's training labels, 0 to 1. At 1 the model learns what changes inside
        people and nothing of how they differ.
    equal_people : bool
        Each person weighs the same in the losses, instead of each window.
    learning_rate, weight_decay : float
        Of Adam, the decay decoupled (AdamW); without decay the two are the same.
    batch_size, epochs : int
    patience : int
        Epochs without a better held-out loss after which a training ends; 0 trains all epochs.
    held_out : int
        Training people whom a member holds out for early stopping where the caller names none.
    members : int
        Networks with different seeds (and held-out people) whose predictions are averaged.
    """

    width: int = 128
    tokens: int = 8
    heads: int = 4
    prototypes: int = 100
    shared_bank: bool = False
    scales: tuple[float, ...] = (0.5, 1.0, 2.0)
    addressing: float = 1.0
    relation_temperature: float = 0.1
    retrieval: float = 8.0
    contrast: float = 30.0
    slots: tuple[int, ...] = (100, 50)
    fusion: str = "associative"
    compression: str = "hierarchical"
    cooccurrence: str = "prototype"
    alignment: str = "semloob"
    lambda_prd: float = 1.0
    lambda_pcl: float = 1.0
    lambda_intensity: float = 1.0
    modality_dropout: float = 0.1
    dropout: float = 0.0
    noise: float = 0.0
    prior: bool = False
    smoothing: float = 0.0
    centring: float = 0.0
    equal_people: bool = False
    learning_rate: float = 1e-3
    weight_decay: float = 0.0
    batch_size: int = 128
    epochs: int = 400
    patience: int = 0
    held_out: int = 1
    members: int = 1

    def __post_init__(self) -> None:
        whole = ("width", "tokens", "heads", "prototypes", "batch_size", "epochs", "members")
        for name in whole:
            self._require(name, getattr(self, name) >= 1, "1 or more")
        for name in ("patience", "held_out"):
            self._require(name, getattr(self, name) >= 0, "0 or more")
        self._require("heads", self.width % self.heads == 0, f"a divisor of width {self.width}")
        self._require("scales", bool(self.scales), "at least one number")
        self._require("scales", all(_positive(scale) for scale in self.scales), "above 0")
        self._require("slots", all(count >= 1 for count in self.slots), "1 or more each")
        # The first block's slots start as a copy of the bank's contents.
        self._require(
            "slots",
            not self.slots or self.slots[0] <= self.prototypes,
            f"at most {self.prototypes} (prototypes) in the first block",
        )
        for name in ("addressing", "relation_temperature", "retrieval", "contrast"):
            self._require(name, _positive(getattr(self, name)), "above 0")
        self._require("learning_rate", _positive(self.learning_rate), "above 0")
        for name in ("lambda_prd", "lambda_pcl", "lambda_intensity", "noise", "weight_decay"):
            value = getattr(self, name)
            self._require(name, math.isfinite(value) and value >= 0, "0 or more")
        for name in ("modality_dropout", "dropout"):
            self._require(name, 0 <= getattr(self, name) < 1, "0 or more and below 1")
        for name in ("smoothing", "centring"):
            self._require(name, 0 <= getattr(self, name) <= 1, "0 to 1")
        for name, choices in CHOICES.items():
            self._require(name, getattr(self, name) in choices, f"one of {', '.join(choices)}")

    def _require(self, name: str, holds: bool, must: str) -> None:
        if not holds:
            raise InputError(f"setting {name} is {getattr(self, name)!r}, must be {must}")

    @classmethod
    def full(cls) -> MpclSettings:
        """Return the published recipe: a GPU's work (2 to 3 million weights, 400 epochs)."""
        return cls()

    @classmethod
    def small(cls) -> MpclSettings:
        """Return the recipe for a handful of training people and a processor core or two.

        Few, large steps on a narrow network, with noise as strong as the z-scores themselves: with
        eleven training people that generalised better than early stopping on one of them. What was
        tried stands in the model card.
        """
        return cls(
            width=32,
            tokens=2,
            heads=2,
            prototypes=16,
            slots=(16,),
            lambda_prd=0.01,
            lambda_pcl=0.01,
            lambda_intensity=0.1,
            modality_dropout=0.3,
            dropout=0.3,
            noise=1.0,
            prior=True,
            centring=1.0,
            equal_people=True,
            learning_rate=3e-3,
            weight_decay=0.1,
            batch_size=256,
            epochs=12,
            patience=0,
            held_out=1,
        )

    @classmethod
    def person(cls) -> MpclSettings:
        """Return the recipe for a model of one person: trained and tested on the same one.

        Half the published width and tokens, twice its rate, half its epochs, light noise. Chosen
        among eight on inner folds of the training windows of the public DMER sample, none of its
        test windows: weak auxiliary losses (at a weight of 0.1 both, it learned a third slower)
        and weak noise were best.
        """
        return cls(
            width=64,
            tokens=4,
            prototypes=50,
            slots=(50, 25),
            lambda_prd=0.01,
            lambda_pcl=0.01,
            noise=0.3,
            dropout=0.1,
            prior=True,
            learning_rate=2e-3,
            epochs=200,
        )

    @classmethod
    def demonstration(cls) -> MpclSettings:
        """Return the small recipe for the short sessions of simulated people.

        They give a sixth of the windows of WESAD's: smaller batches and more epochs make up for it
        in steps. With the batches of `small` the network hardly leaves its prior (stress AUC of
        simulated DMER people 0.54, against 0.98).
        """
        return dataclasses.replace(cls.small(), batch_size=32, epochs=30)

    def to_dict(self) -> dict[str, Any]:
        """Return the settings as plain values, for JSON."""
        values = dataclasses.asdict(self)
        return {k: list(v) if isinstance(v, tuple) else v for k, v in values.items()}

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> MpclSettings:
        """Build settings from plain values; keys left out keep the published recipe's.

        Raises
        ------
        InputError
            If a key is unknown, or a value has the wrong type or is absurd.
        """
        defaults = {field.name: field.default for field in dataclasses.fields(cls)}
        built: dict[str, Any] = {}
        for key, value in values.items():
            if key not in defaults:
                raise InputError(f"unknown setting {key!r}: use one of {', '.join(defaults)}")
            built[key] = _converted(key, value, defaults[key])
        return cls(**built)


@dataclass(frozen=True, slots=True)
class Variant:
    """A changed form of a recipe, for an ablation.

    Attributes
    ----------
    changes : mapping of str to object
        Settings that differ.
    without : tuple of str
        Modalities that are marked as missing in every window, in training and test. The network
        keeps its shape: it cannot be built without its primary modality, and what a variant lacks
        is then the information alone.
    """

    changes: Mapping[str, Any] = field(default_factory=dict)
    without: tuple[str, ...] = ()

    def of(self, settings: MpclSettings) -> MpclSettings:
        """Return the recipe with the changes made."""
        return dataclasses.replace(settings, **self.changes)


def _positive(value: float) -> bool:
    return math.isfinite(value) and value > 0


def _converted(key: str, value: Any, like: Any) -> Any:
    """Return `value` as the type of the default `like`, or raise InputError."""
    number = isinstance(value, int | float) and not isinstance(value, bool)
    if isinstance(like, bool):
        if isinstance(value, bool):
            return value
    elif isinstance(like, int):
        if number and value == int(value):
            return int(value)
    elif isinstance(like, float):
        if number:
            return float(value)
    elif isinstance(like, str):
        if isinstance(value, str):
            return value
    elif isinstance(value, list | tuple):
        return tuple(_converted(key, entry, like[0]) for entry in value)
    wanted = "a list" if isinstance(like, tuple) else type(like).__name__
    raise InputError(f"setting {key} is {value!r}, must be of type {wanted}")
