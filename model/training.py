"""Training of MPCL: seeded, resumable, with early stopping on held-out training people."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from rich.progress import Progress

from model.batch import Batch, Labels
from model.device import one_thread, resolve_device
from model.ensemble import Ensemble
from model.fitting import fit_member
from model.mpcl import Mpcl
from model.settings import MpclSettings
from model.systems.base import check_labels
from model.targets import mean_distribution, mean_intensity, person_weights
from model.training_state import TrainingState, fingerprint
from realtime.errors import InputError
from realtime.rig import ROLES

_log = logging.getLogger(__name__)

Report = Callable[[Mapping[str, Any]], None]


@dataclass(frozen=True)
class TrainedModel:
    """A trained ensemble, on the CPU, in evaluation mode.

    Attributes
    ----------
    settings : MpclSettings
    ensemble : Ensemble
    mean : ndarray of float64, shape (C,)
        Mean distribution of the training people.
    intensity : float
        Their mean intensity; 0.5 where nobody has one.
    history : tuple of dict
        One entry an epoch: ``member``, ``epoch``, the training losses ``task``, ``prd``, ``pcl``,
        ``intensity`` and ``total``, and ``held_out`` (KL of the held-out people, or None).
    held_out : tuple of tuple of str
        Whom each member held out.
    seed : int
    """

    settings: MpclSettings
    ensemble: Ensemble
    mean: NDArray[np.float64]
    intensity: float
    history: tuple[Mapping[str, Any], ...]
    held_out: tuple[tuple[str, ...], ...]
    seed: int

    def predict(self, batch: Batch) -> NDArray[np.float64]:
        """Return distributions, shape (N, C)."""
        return self.ensemble.predict(batch)[0]

    def predict_intensity(self, batch: Batch) -> NDArray[np.float64]:
        """Return mean ratings on their scale, 0 to 1, shape (N,)."""
        return self.ensemble.predict(batch)[1]


def train(
    settings: MpclSettings,
    batch: Batch,
    labels: Labels,
    groups: NDArray[np.str_],
    roles: Mapping[str, str],
    validation: Sequence[str] | None = None,
    seed: int = 0,
    device: str = "cpu",
    progress: bool = False,
    resume: Path | None = None,
    report: Report | None = None,
) -> TrainedModel:
    """Train MPCL.

    The result depends on data, settings and seed alone: on one computer's CPU to the last bit,
    whether or not the training was interrupted. The CPU's part takes one thread.

    Parameters
    ----------
    settings : MpclSettings
    batch : Batch
        N windows of the training people.
    labels : Labels
    groups : ndarray of str, shape (N,)
        The person of each window.
    roles : mapping of str to str
        Role of each modality of the batch (`realtime.rig.ROLES`).
    validation : sequence of str, optional
        Training people to hold out for early stopping. Left out, each member holds out
        `settings.held_out` people, others than the members before as far as they go round.
    seed : int
    device : str
        ``auto``, ``cpu`` or ``cuda``.
    progress : bool
        Show a progress bar.
    resume : Path, optional
        File that keeps the state after each epoch, and that an interrupted training goes on from.
    report : callable, optional
        Called with each epoch's entry of the history.

    Raises
    ------
    InputError
        If data, roles, people or device do not fit.
    """
    _check(batch, labels, groups, roles, validation)
    target = resolve_device(device)
    folds = _held_out(settings, np.unique(groups), validation, seed)
    state = TrainingState()
    mark = ""
    if resume is not None:
        description = {
            "settings": settings.to_dict(),
            "roles": {name: roles[name] for name in batch.modalities},
            "seed": seed,
            "held_out": folds,
        }
        mark = fingerprint(batch, labels, groups, description)
        if resume.exists():
            state = TrainingState.load(resume, mark)
            _log.info("going on after epoch %d of member %d", state.epoch, state.member)
    bar = Progress() if progress else nullcontext()
    with bar as shown, one_thread():
        task = None
        if shown is not None:
            total = settings.members * settings.epochs
            task = shown.add_task("training", total=total, completed=len(state.history))

        def advance(entry: Mapping[str, Any]) -> None:
            if resume is not None:
                state.save(resume, mark)
            if shown is not None and task is not None:
                done = state.member * settings.epochs + state.epoch
                shown.update(task, completed=done, description=f"loss {entry['total']:.4f}")
            _log.debug("epoch %s", entry)
            if report is not None:
                report(entry)

        while state.member < settings.members:
            held = np.isin(groups, folds[state.member])
            fit_member(settings, batch, labels, groups, roles, held, state, seed, target, advance)
        if shown is not None and task is not None:
            shown.update(task, completed=settings.members * settings.epochs)
    members = []
    for weights in state.finished:
        with torch.random.fork_rng([]):  # initial weights are drawn, and thrown away
            network = Mpcl(settings, batch.sizes, roles, labels.distribution.shape[1])
        network.load_state_dict(weights)
        members.append(network)
    weights_of_windows = person_weights(groups) if settings.equal_people else None
    return TrainedModel(
        settings=settings,
        ensemble=Ensemble(members),
        mean=mean_distribution(labels, weights_of_windows),
        intensity=mean_intensity(labels, weights_of_windows),
        history=tuple(state.history),
        held_out=tuple(folds),
        seed=seed,
    )


def _held_out(
    settings: MpclSettings,
    people: NDArray[np.str_],
    validation: Sequence[str] | None,
    seed: int,
) -> list[tuple[str, ...]]:
    """Return whom each member holds out."""
    if validation is not None:
        return [tuple(str(person) for person in validation)] * settings.members
    count = min(settings.held_out, len(people) - 1) if settings.patience else 0
    order = np.random.default_rng(seed).permutation(people)
    folds = []
    for member in range(settings.members):
        picks = (member * count + np.arange(count)) % len(people)
        folds.append(tuple(str(person) for person in order[picks]))
    return folds


def _check(
    batch: Batch,
    labels: Labels,
    groups: NDArray[np.str_],
    roles: Mapping[str, str],
    validation: Sequence[str] | None,
) -> None:
    """Refuse training data that do not fit together."""
    check_labels(labels)
    if len(labels) != len(batch) or groups.shape != (len(batch),):
        raise InputError(
            f"{len(batch)} windows, {len(labels)} labels and groups of shape {groups.shape}: "
            "give one label and one person a window"
        )
    for name, values in batch.features.items():
        if name not in roles:
            raise InputError(f"modality {name!r} has no role: give one of {', '.join(ROLES)}")
        if not np.isfinite(values).all():
            raise InputError(
                f"features of {name!r} are not all finite: normalise them, which turns NaN into 0"
            )
    people = set(groups.tolist())
    for person in validation or ():
        if person not in people:
            raise InputError(
                f"held-out person {person!r} is not in the training data: use one of "
                f"{', '.join(sorted(people))}"
            )
    if validation is not None and people <= set(validation):
        raise InputError("every person is held out: leave at least one to train on")
