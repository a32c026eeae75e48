"""Systems by name, and what each is allowed to look at."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib import import_module
from importlib.util import find_spec
from typing import Literal

from model.settings import MpclSettings
from model.systems.base import System
from realtime.errors import InputError

log = logging.getLogger(__name__)

PERSON = "person"
"""The one entry of the batches of systems that look at the person: a number for each."""

PLACE = "place"
"""The one entry of the batches of systems that look at the place: which trial of the person's
session it is, counted from 0 in order of time."""

LIBRARY = "pyldl"
"""Import name of python-ldl, which brings the classical systems; the extra ``papers``."""


@dataclass(frozen=True, slots=True)
class Options:
    """How a system is made.

    Attributes
    ----------
    seed : int
    device : str
        ``auto``, ``cpu`` or ``cuda``; only networks look at it.
    preset : str
        Recipe of the networks: ``small`` for strangers, or another key of `PRESETS`.
    roles : mapping of str to str
        Role of each modality; only networks look at it.
    settings : MpclSettings or None
        What MPCL takes instead of its preset's.
    """

    seed: int = 0
    device: str = "cpu"
    preset: str = "small"
    roles: Mapping[str, str] = field(default_factory=dict)
    settings: MpclSettings | None = None


Kind = Literal["network", "linear", "classical", "trees", "reference"]


@dataclass(frozen=True, slots=True)
class Entry:
    """A system of the registry.

    Attributes
    ----------
    about : str
        One line for the legend of a table: what it is, and its source.
    module, name : str
        Where its class is, below `model.systems`. The class is made with (roles, preset, seed,
        device) if it is a network, without anything if it is a reference, with (seed) otherwise.
    kind : str
    looks_at : str
        ``features``; or ``person`` or ``place``, for references that take a batch of that alone.
    """

    about: str
    module: str
    name: str
    kind: Kind = "reference"
    looks_at: Literal["features", "clock", "person", "place"] = "features"

    @property
    def network(self) -> bool:
        """Computes with torch."""
        return self.kind == "network"

    @property
    def learns_from_sensors(self) -> bool:
        """Its rows depend on which modalities are used."""
        return self.kind != "reference"

    def build(self, options: Options) -> System:
        """Make an unfitted system.

        Raises
        ------
        InputError
            If it needs an extra that is not installed, or there is no such preset.
        """
        self.check()
        # Imported here: torch takes seconds to load, and the references do without it.
        made = getattr(import_module(f"model.systems.{self.module}"), self.name)
        if self.module == "mpcl":
            settings = options.settings or preset(options.preset)
            system: System = made(options.roles, settings, options.seed, options.device)
        elif self.network:
            preset(options.preset)
            system = made(options.roles, options.preset, options.seed, options.device)
        else:
            system = made() if self.module == "references" else made(options.seed)
        return system

    @property
    def installed(self) -> bool:
        """The library that it needs is there."""
        return self.module != "classical" or find_spec(LIBRARY) is not None

    def check(self) -> None:
        """Refuse a system whose library is not installed; InputError says how to get it."""
        if not self.installed:
            raise InputError(
                f"model of {LIBRARY!r} is asked for, which is not installed: "
                "pip install 'affectstream[papers]', or leave it out"
            )


PRESETS = {
    "small": MpclSettings.small,
    "person": MpclSettings.person,
    "full": MpclSettings.full,
    "demonstration": MpclSettings.demonstration,
}
"""Recipes of MPCL by name."""


def preset(name: str) -> MpclSettings:
    """Return a recipe by name; InputError if there is none such."""
    if name not in PRESETS:
        raise InputError(f"no preset {name!r}: use one of {', '.join(PRESETS)}")
    return PRESETS[name]()


SYSTEMS: dict[str, Entry] = {
    "mpcl": Entry("MPCL (arXiv 2602.20530)", "mpcl", "MpclSystem", "network"),
    "emotiondict": Entry("EmotionDict (Liu et al. 2024)", "emotiondict", "EmotionDict", "network"),
    "helo": Entry("HeLo (Zheng et al. 2025), from the description", "helo", "Helo", "network"),
    "maet": Entry("MAET (Jiang et al. 2023)", "maet", "Maet", "network"),
    "carat": Entry("CARAT (Peng et al. 2024)", "carat", "Carat", "network"),
    "tailor": Entry("TAILOR (Zhang et al. 2022)", "tailor", "Tailor", "network"),
    "misa": Entry("MISA (Hazarika et al. 2020)", "misa", "Misa", "network"),
    "edlconv": Entry(
        "EDLConv (Shu et al. 2023), from the description", "edlconv", "EdlConv", "network"
    ),
    "dldl": Entry("DLDL (Gao et al. 2017)", "dldl", "Dldl", "network"),
    "cad": Entry("CAD loss (Wen et al. 2023) on the network of DLDL", "cad", "Cad", "network"),
    "ldl-lrr": Entry("LDL-LRR (Jia et al. 2023)", "classical", "LdlLrr", "linear"),
    "tlr-ldl": Entry("TLR-LDL (Kou et al. 2024)", "tlr_ldl", "TlrLdl", "linear"),
    "edl-lrl": Entry("EDL-LRL (Jia et al. 2019)", "edl_lrl", "EdlLrl", "linear"),
    "pt-bayes": Entry("PT-Bayes (Geng 2016)", "classical", "PtBayes", "classical"),
    "pt-svm": Entry("PT-SVM (Geng 2016)", "pt_svm", "PtSvm", "classical"),
    "aa-knn": Entry("AA-KNN (Geng 2016)", "classical", "AaKnn", "classical"),
    "aa-bp": Entry("AA-BP (Geng 2016)", "aa_bp", "AaBp", "classical"),
    "sa-iis": Entry("SA-IIS (Geng 2016)", "sa_iis", "SaIis", "classical"),
    "sa-bfgs": Entry("SA-BFGS (Geng 2016)", "classical", "SaBfgs", "classical"),
    "sa-cpnn": Entry("SA-CPNN (Geng et al. 2013)", "sa_cpnn", "SaCpnn", "classical"),
    "trees": Entry("extremely randomised trees on the features", "trees", "Trees", "trees"),
    "clock": Entry("reference: trees on elapsed time alone", "trees", "Clock", looks_at="clock"),
    "movement": Entry("reference: trees on ACC alone", "trees", "Movement"),
    "nearest-clock": Entry(
        "reference: label of the nearest training window in time",
        *("references", "NearestOnClock"),
        looks_at="clock",
    ),
    "place": Entry(
        "reference: mean training label of the trial's place in the session",
        *("references", "PlaceMean"),
        looks_at="place",
    ),
    "train-mean": Entry("reference: mean training label", "references", "TrainMean"),
    "subject-mean": Entry(
        "reference: the person's own mean label", "references", "SubjectMean", looks_at="person"
    ),
    "uniform": Entry("reference: equal shares", "references", "Uniform"),
}

__all__ = [
    *("PERSON", "PLACE", "PRESETS", "SYSTEMS", "Entry", "Options", "System"),
    *("names", "preset"),
]


def names(text: str) -> tuple[str, ...]:
    """Read a list of systems, ``a,b`` or ``all``.

    ``all`` leaves out systems whose library is not installed, and says so in the log.

    Raises
    ------
    InputError
        If one is unknown or the list is empty.
    """
    if text.strip() == "all":
        absent = [name for name, entry in SYSTEMS.items() if not entry.installed]
        if absent:
            log.warning(
                "left out: %s; pip install 'affectstream[papers]' brings them", ", ".join(absent)
            )
        return tuple(name for name in SYSTEMS if name not in absent)
    chosen = tuple(dict.fromkeys(name.strip() for name in text.split(",") if name.strip()))
    if "all" in chosen:
        raise InputError(f"models {text!r}: all stands alone, or name each")
    for name in chosen:
        if name not in SYSTEMS:
            raise InputError(f"no model {name!r}: use {', '.join(SYSTEMS)} or all")
    if not chosen:
        raise InputError(f"no model in {text!r}: use {', '.join(SYSTEMS)} or all")
    return chosen
