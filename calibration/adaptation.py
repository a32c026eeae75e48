"""Adaptation of a checkpoint, or of any system under test, to one person."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from calibration.held import Held, trivial_predictions
from calibration.ladder import RUNGS, Base, Personal, Progress, Rated, fit
from calibration.personal import STEPS, PersonalModel
from calibration.trials import RatedTrial, evidence
from model.adaptation import Adaptation, Evidence, LabelShrinkage, Predicts
from model.batch import some
from model.checkpoint import REPLAYED, Checkpoint
from model.ensemble import Ensemble
from model.serial import in_order, serial_variance
from model.systems.base import System, complete
from realtime.errors import InputError


@dataclass(frozen=True)
class Ladder:
    """Adaptation by the ladder, for an evaluation (`model.adaptation.Adaptation`).

    Attributes
    ----------
    name : str
        What its rows are called.
    steps : tuple of str
        Those of `STEPS` that are switched on.
    guard : bool
        Keep the best rung; without, the highest one that can be reached.
    """

    name: str = "calibrated"
    steps: tuple[str, ...] = STEPS
    guard: bool = True

    def __call__(self, system: System, population: Evidence, own: Evidence) -> Predicts:
        """Return the adapted system; the given one stays as it is."""
        rows = complete(population.labels)
        ensemble = ensemble_of(system)
        base = Base(
            predict=lambda batch: np.asarray(system.predict(batch)),
            serial=serial_variance(
                population.labels.distribution[rows],
                population.groups[rows],
                population.trials[rows],
            ),
            ensemble=ensemble,
            replay=None if ensemble is None else ensemble.pack(some(population.batch, REPLAYED)),
        )
        names, shares = in_order(own.labels.distribution, own.trials)
        numbers = np.array([names.index(name) for name in own.trials.tolist()])
        return Personal(
            base, fit(base, Rated(own.batch, numbers, shares), self.steps, self.guard).model
        )


def adaptations(names: Sequence[str]) -> tuple[Adaptation, ...]:
    """Return adaptations by name: `LabelShrinkage`, the ladder, or a rung of it without the guard.

    Raises
    ------
    InputError
        If there is none such.
    """
    known: dict[str, Adaptation] = {"shrinkage": LabelShrinkage(), "calibrated": Ladder()}
    known |= {
        rung: Ladder(rung, steps, guard=False) for rung, steps in RUNGS.items() if rung != "none"
    }
    for name in names:
        if name not in known:
            raise InputError(f"no adaptation {name!r}: use {', '.join(known)}")
    return tuple(known[name] for name in names)


def ensemble_of(system: object) -> Ensemble | None:
    """Return the networks of a fitted system, None where it has none of MPCL's."""
    found = getattr(getattr(system, "model", None), "ensemble", None)
    return found if isinstance(found, Ensemble) else None


@dataclass(frozen=True)
class Calibration:
    """A checkpoint that was fitted to a person.

    Attributes
    ----------
    model : PersonalModel
    rungs : tuple of str
        The steps of the ladder that could be judged, in order.
    held : tuple of Held
        Each rated trial, predicted by what was fitted to the others; empty with one trial.
    left_out : tuple of str
        What could not be done, one sentence each.
    seconds : float
        How long it took.
    """

    model: PersonalModel
    rungs: tuple[str, ...]
    held: tuple[Held, ...]
    left_out: tuple[str, ...]
    seconds: float


def calibrate(
    checkpoint: Checkpoint,
    trials: Sequence[RatedTrial],
    progress: Progress | None = None,
    steps: Sequence[str] = STEPS,
) -> Calibration:
    """Fit a checkpoint to a person's rated trials.

    Parameters
    ----------
    checkpoint : Checkpoint
    trials : sequence of RatedTrial
        Of one person, oldest first; those without a complete rating are left out.
    progress : callable, optional
    steps : sequence of str
        Those of `STEPS` that are switched on.

    Raises
    ------
    InputError
        If no trial can be used.
    """
    began = time.perf_counter()
    own = evidence(trials, checkpoint.labels)
    names, shares = in_order(own.labels.distribution, own.trials)
    numbers = np.array([names.index(name) for name in own.trials.tolist()])
    base = Base(
        predict=lambda batch: checkpoint.ensemble.predict(batch)[0],
        serial=checkpoint.people.serial,
        ensemble=checkpoint.ensemble,
        replay=checkpoint.replay,
    )
    fitted = fit(base, Rated(own.batch, numbers, shares), steps, progress=progress)
    radius = checkpoint.people.personal_radius
    held = []
    simple = {}
    if len(names) > 1:
        simple = trivial_predictions(shares, checkpoint.mean, base.serial)
    by_name = {trial.trial: trial for trial in trials}
    for number, name in enumerate(names if len(names) > 1 else ()):
        predictions = {rung.name: rung.predictions[number] for rung in fitted.rungs}
        predictions |= {one: values[number] for one, values in simple.items()}
        held.append(
            Held(
                trial=name,
                condition=by_name[name].condition,
                date=by_name[name].date,
                truth=shares[number],
                predictions=predictions,
                radius=radius(np.delete(shares, number, axis=0), checkpoint.radius),
            )
        )
    left_out = []
    if checkpoint.replay is None and {"head", "adapters"} <= set(steps):
        left_out.append(
            "adapters: this checkpoint keeps no training windows to remember people by; one that "
            "`affectstream train` makes does"
        )
    return Calibration(
        model=replace(fitted.model, radius=radius(shares, checkpoint.radius)),
        rungs=tuple(rung.name for rung in fitted.rungs),
        held=tuple(held),
        left_out=tuple(left_out),
        seconds=time.perf_counter() - began,
    )
