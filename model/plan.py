"""Plan of an evaluation: what is to be compared, and whether it fits the data."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from model.datasets.feature_table import NO_RIG
from model.datasets.table import Table
from model.protocols import Fold, calibrated, protocol, protocol_notes
from model.settings import MpclSettings, Variant
from model.systems import PLACE, SYSTEMS, Entry, Options
from model.systems import preset as find_preset
from realtime.errors import InputError

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Plan:
    """What to evaluate.

    Attributes
    ----------
    protocol : str
    models : tuple of str
        Keys of `SYSTEMS`.
    seeds : tuple of int
    modalities : tuple of str
        What the systems that learn from sensors may use; empty for all.
    device, preset : str
        As in `Options`.
    settings : MpclSettings, optional
        What MPCL takes instead of its preset's.
    variants : mapping of str to Variant
        Changed forms of MPCL that stand in `models` by these names, for ablations.
    shots : tuple of int
        How many rated trials of the tested person are given, for ``calibrated-k``; empty for the
        protocol's own choice.
    """

    protocol: str
    models: tuple[str, ...]
    seeds: tuple[int, ...] = (0, 1, 2)
    modalities: tuple[str, ...] = ()
    device: str = "cpu"
    preset: str = "small"
    settings: MpclSettings | None = None
    variants: Mapping[str, Variant] = field(default_factory=dict)
    shots: tuple[int, ...] = ()

    def entry(self, model: str) -> Entry:
        """Return the registry's entry of a model; a variant has MPCL's."""
        return SYSTEMS["mpcl" if model in self.variants else model]

    def options(self, model: str, seed: int, roles: Mapping[str, str]) -> Options:
        """Return how a model is made."""
        settings = self.settings
        if model in self.variants:
            settings = self.variants[model].of(settings or find_preset(self.preset))
        return Options(seed, self.device, self.preset, roles, settings)

    def inputs(self, model: str) -> tuple[str, ...]:
        """Return which modalities a model that learns from sensors may use; empty for all."""
        return self.modalities if self.entry(model).learns_from_sensors else ()

    def missing(self, model: str) -> tuple[str, ...]:
        """Return which modalities are marked as missing for a model."""
        return self.variants[model].without if model in self.variants else ()

    def folds(self, table: Table) -> tuple[Fold, ...]:
        """Return the folds of all seeds; InputError if the protocol does not fit the table."""
        found: list[Fold] = []
        for seed in self.seeds:
            if self.shots:
                found += calibrated(table, seed, self.shots)
            else:
                found += protocol(self.protocol).split(table, seed)
        return tuple(found)


def applicable(table: Table, models: Sequence[str] = tuple(SYSTEMS)) -> tuple[str, ...]:
    """Return those of `models` that mean something on a table; what ``all`` stands for.

    Without an accelerometer there is no row `movement`. Where times were not published, as in all
    sets of published features, the references that look at the clock or at the place of a trial
    are left out.
    """
    left_out = set()
    if not _present(table, "acc"):
        left_out.add("movement")
    if table.rig == NO_RIG:
        left_out |= {name for name, one in SYSTEMS.items() if one.looks_at in ("clock", PLACE)}
    return tuple(name for name in models if name not in left_out)


def notes(table: Table, plan: Plan) -> tuple[str, ...]:
    """Return what a report must say of a plan on this table, in whole sentences."""
    absent = [name for name in table.features if not plan.modalities and not _present(table, name)]
    said = [f"{name} has no value in any rated window, and counts as missing." for name in absent]
    return (*protocol_notes(table, plan.protocol, plan.shots), *said)


def check(table: Table, plan: Plan) -> None:
    """Refuse a plan that does not fit the data, before anything is trained.

    Raises
    ------
    InputError
        One sentence that says what to do.
    """
    _check_words(plan)
    _check_labels(table)
    _check_inputs(table, plan)
    plan.folds(table)


def _check_words(plan: Plan) -> None:
    protocol(plan.protocol)
    find_preset(plan.preset)
    for model in plan.models:
        if model not in SYSTEMS and model not in plan.variants:
            raise InputError(f"no model {model!r}: use {', '.join(SYSTEMS)}")
        plan.entry(model).check()
        # A variant whose changes do not fit together says so here.
        plan.options(model, 0, {})
    if plan.device != "cpu":
        # Here, since torch takes seconds to load.
        from model.device import resolve_device

        resolve_device(plan.device)
    for what, given in (("models", plan.models), ("seeds", plan.seeds)):
        if not given:
            raise InputError(
                f"models {plan.models} and seeds {plan.seeds}: give at least one of each"
            )
        if len(set(given)) < len(given):
            raise InputError(f"{what} {', '.join(map(str, given))}: name each once")
    for name, numbers in (("seed", plan.seeds), ("number of given trials", plan.shots)):
        for number in numbers:
            if number < 0:
                raise InputError(f"{name} {number}: must be 0 or more")
    if plan.shots and plan.protocol != "calibrated-k":
        raise InputError(
            f"protocol {plan.protocol!r} gives no trials ({', '.join(map(str, plan.shots))} are "
            "asked for): use calibrated-k"
        )
    if len(set(plan.shots)) < len(plan.shots):
        raise InputError(f"given trials {', '.join(map(str, plan.shots))}: name each number once")


def _check_labels(table: Table) -> None:
    rated = table.rated
    if not rated.any():
        raise InputError(
            f"dataset {table.dataset!r} has no window with a complete rating (all labels are NaN): "
            "check its ratings"
        )
    shares = table.distribution[rated]
    if (shares < 0).any():
        raise InputError(
            f"dataset {table.dataset!r} has labels that are no distributions, one with a share of "
            f"{shares.min():g}: none may be below 0"
        )
    off = np.abs(shares.sum(axis=1) - 1)
    if off.max() > 1e-6:
        raise InputError(
            f"dataset {table.dataset!r} has labels that are no distributions, one sums to "
            f"{shares[off.argmax()].sum():g}: divide each by its sum"
        )


def _check_inputs(table: Table, plan: Plan) -> None:
    named = set(plan.modalities)
    for variant in plan.variants.values():
        named |= set(variant.without)
    for name in sorted(named):
        if name not in table.features:
            raise InputError(f"no modality {name!r} in the rig: use {', '.join(table.features)}")
    used = plan.modalities or tuple(table.features)
    primary = next(name for name, role in table.roles.items() if role == "primary")
    if any(plan.entry(model).network for model in plan.models):
        if primary not in used:
            raise InputError(
                f"modalities {', '.join(used)} lack the primary one, without which a network "
                f"cannot be trained: add {primary}"
            )
        if not _present(table, primary):
            raise InputError(
                f"the primary modality {primary!r} has no value in any rated window of "
                f"{table.dataset!r}: a network cannot be trained; leave networks out"
            )
    if "movement" in plan.models and not _present(table, "acc"):
        raise InputError("model 'movement' needs the modality 'acc': leave it out for this data")
    for name in plan.modalities:
        if not _present(table, name):
            raise InputError(
                f"modality {name!r} has no value in any rated window of {table.dataset!r}: leave "
                "it out"
            )
    if any(plan.entry(model).learns_from_sensors for model in plan.models) and not any(
        _present(table, name) for name in used
    ):
        raise InputError(
            f"no rated window of {table.dataset!r} has a value of {', '.join(used)}: check the "
            "recordings"
        )
    for name, values in table.features.items():
        wild = np.isinf(values)
        if wild.any():
            row, column = (int(place[0]) for place in np.nonzero(wild))
            raise InputError(
                f"{name} has {int(wild.sum())} infinite values in {table.dataset!r}, the first in "
                f"{table.names[name][column]} of {str(table.person[row])!r}: put NaN where a "
                "feature is unknown"
            )


def _present(table: Table, modality: str) -> bool:
    """Say whether a modality has a value in any rated window."""
    if modality not in table.features:
        return False
    rows = table.rated & table.mask[modality]
    return bool(np.isfinite(table.features[modality][rows]).any())
