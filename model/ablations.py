"""The ablations of the MPCL paper (Tables III to VIII, Figures 6 to 8), and one of loss weights.

Each is a set of changed forms of one recipe, the complete model first. What an ablation changes it
changes in whatever recipe it is given: the published one, or the one that two processor cores can
carry.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from model.settings import MpclSettings, Variant
from realtime.errors import InputError

COMPLETE = "mpcl"
"""Name of the variant without a change, which is the registry's MPCL."""

Variants = dict[str, Variant]


@dataclass(frozen=True, slots=True)
class Ablation:
    """One ablation.

    Attributes
    ----------
    name, title : str
    source : str
        Where the paper has it; empty for ours.
    settings : tuple of str
        Which of `MpclSettings` differ among its variants; empty where it is the modalities.
    changed : callable
        Makes the changed forms from recipe, roles of the modalities, and number of emotions.
    """

    name: str
    title: str
    source: str
    settings: tuple[str, ...]
    changed: Callable[[MpclSettings, Mapping[str, str], int], Variants]

    def variants(self, settings: MpclSettings, roles: Mapping[str, str], emotions: int) -> Variants:
        """Return the forms by name; `COMPLETE`, without a change, is the first.

        A form that the recipe is already is left out: it is the complete model.

        Parameters
        ----------
        settings : MpclSettings
            The recipe that is ablated.
        roles : mapping of str to str
            Role of each modality that is used.
        emotions : int
            C.
        """
        found = {COMPLETE: Variant()}
        for name, variant in self.changed(settings, roles, emotions).items():
            if variant.without or variant.of(settings) != settings:
                found[name] = variant
        return found


def ablation(name: str) -> Ablation:
    """Return an ablation by name; InputError lists the names if there is none such."""
    if name not in ABLATIONS:
        raise InputError(f"no ablation {name!r}: use one of {', '.join(ABLATIONS)}")
    return ABLATIONS[name]


def _modules(settings: MpclSettings, roles: Mapping[str, str], emotions: int) -> Variants:
    return {
        "without MSAF": Variant({"fusion": "none"}),
        "without PRD": Variant({"lambda_prd": 0.0}),
        "without PCL": Variant({"lambda_pcl": 0.0}),
        "without HSC": Variant({"compression": "none"}),
    }


def _modalities(settings: MpclSettings, roles: Mapping[str, str], emotions: int) -> Variants:
    return {f"without {name}": Variant(without=(name,)) for name in roles}


def _designs(settings: MpclSettings, roles: Mapping[str, str], emotions: int) -> Variants:
    return {
        "cross-attention fusion": Variant({"fusion": "cross-attention"}),
        "feature co-occurrence": Variant({"cooccurrence": "feature"}),
        "InfoNCE alignment": Variant({"alignment": "infonce"}),
        "Transformer encoder": Variant({"compression": "transformer"}),
    }


def _scales(settings: MpclSettings, roles: Mapping[str, str], emotions: int) -> Variants:
    sets = ((0.5,), (1.0,), (2.0,), (0.5, 1.0), (0.5, 2.0), (1.0, 2.0), (0.5, 1.0, 2.0))
    return {
        f"scales {', '.join(f'{scale:g}' for scale in scales)}": Variant({"scales": scales})
        for scales in sets
    }


def _prototypes(settings: MpclSettings, roles: Mapping[str, str], emotions: int) -> Variants:
    # The slots start as the bank's contents, so that they are fewer or more with it.
    before = settings.prototypes
    return {
        f"K = {count}": Variant(
            {
                "prototypes": count,
                "slots": tuple(max(1, round(slot * count / before)) for slot in settings.slots),
            }
        )
        for count in (10, 25, 50, 100, 200)
    }


def _blocks(settings: MpclSettings, roles: Mapping[str, str], emotions: int) -> Variants:
    """Blocks whose slots shrink by the same factor from one to the next, from K to C."""
    found: Variants = {}
    for blocks in range(1, 6):
        if blocks != len(settings.slots) + 1:
            counts = np.geomspace(settings.prototypes, emotions, blocks)[:-1]
            slots = tuple(round(float(count)) for count in counts)
            found[f"L = {blocks}"] = Variant({"slots": slots})
    return found


def _over(setting: str, symbol: str, values: tuple[float, ...]) -> Variants:
    return {f"{symbol} = {value:g}": Variant({setting: value}) for value in values}


def _weights(settings: MpclSettings, roles: Mapping[str, str], emotions: int) -> Variants:
    found: Variants = {}
    for name in ("lambda_prd", "lambda_pcl", "lambda_intensity"):
        found |= _over(name, name, (0.0, 0.01, 0.1, 1.0))
    return found


ABLATIONS: dict[str, Ablation] = {
    one.name: one
    for one in (
        Ablation(
            "modules",
            "MPCL without one of its modules",
            "Tables III and IV",
            ("fusion", "lambda_prd", "lambda_pcl", "compression"),
            _modules,
        ),
        Ablation(
            "modalities", "MPCL without one of the modalities", "Tables V and VI", (), _modalities
        ),
        Ablation(
            "designs",
            "MPCL with a standard design in place of one module",
            "Table VII",
            ("fusion", "cooccurrence", "alignment", "compression"),
            _designs,
        ),
        Ablation("scales", "Scales of the multi-scale fusion", "Table VIII", ("scales",), _scales),
        Ablation(
            "prototypes", "Number of prototypes K", "Figure 6", ("prototypes", "slots"), _prototypes
        ),
        Ablation(
            "temperature",
            "Temperature tau of the prototype relations",
            "Figure 7",
            ("relation_temperature",),
            lambda *_: _over("relation_temperature", "tau", (0.02, 0.05, 0.1, 0.2, 0.5, 1.0)),
        ),
        Ablation(
            "retrieval",
            "Inverse temperature beta of the co-occurrence retrieval",
            "Figure 7",
            ("retrieval",),
            lambda *_: _over("retrieval", "beta", (1.0, 2.0, 4.0, 8.0, 16.0, 32.0)),
        ),
        Ablation("blocks", "Compression blocks L", "Figure 8", ("slots",), _blocks),
        Ablation(
            "weights",
            "Weights of the losses beside the task loss",
            "",
            ("lambda_prd", "lambda_pcl", "lambda_intensity"),
            _weights,
        ),
    )
}
"""The ablations by name."""
