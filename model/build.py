"""Building a checkpoint: cross-fitting for its radius and figures, then training on everybody."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from model import metrics, scores
from model.batch import concatenate, concatenate_labels, some
from model.checkpoint import REPLAYED, Checkpoint, modality_inputs, require_complete
from model.datasets.table import Table, normalised, population_of
from model.evaluation import Plan, Progress, check, run_folds
from model.people import people_statistics
from model.pieces import Piece
from model.protocols import every_tenth, people_in_groups
from model.settings import MpclSettings
from model.training import train
from model.uncertainty import conformal_radius
from realtime.errors import InputError
from realtime.rig import Rig

GROUPS = 4
"""Groups of people that are each predicted by a model trained on the others."""


def build_checkpoint(
    table: Table,
    rig: Rig,
    work: Path,
    also: Sequence[Table] = (),
    settings: MpclSettings | None = None,
    seed: int = 0,
    device: str = "cpu",
    workers: int = 1,
    replay: bool = True,
    progress: Progress | None = None,
    report: Callable[[Mapping[str, Any]], None] | None = None,
) -> Checkpoint:
    """Train MPCL on all people of a table and say how far it may be off for a stranger.

    The conformal radius and the figures come from models that had not seen the person: the people
    are dealt to four groups, and each group is predicted by a model trained on the others. The
    checkpoint itself is trained on everybody.

    Parameters
    ----------
    table : Table
    rig : Rig
        The one that the table was converted with.
    work : Path
        Folder for what an interrupted build goes on from.
    also : sequence of Table
        Further people to train on.
    settings : MpclSettings, optional
        ``small``'s if left out.
    seed : int
    device : str
    workers : int
        Processes for the cross-fitting.
    replay : bool
        Keep a few training windows in the checkpoint, for adaptation to remember them by.
    progress : callable, optional
        Told of each finished group.
    report : callable, optional
        Told of each finished epoch of the last training.

    Raises
    ------
    InputError
        If the data do not suffice; nothing has been trained then.
    """
    settings = settings or MpclSettings.small()
    require_complete(settings)
    plan = Plan("loso", ("mpcl",), (seed,), device=device, settings=settings)
    check(table, plan)
    people = [person for person in table.people if len(table.rows([person]))]
    if len(people) < GROUPS:
        raise InputError(
            f"training needs at least {GROUPS} people with rated windows, {table.dataset!r} has "
            f"{len(people)}: add people"
        )
    folds = people_in_groups(table, GROUPS, seed)
    outcome = run_folds(table, plan, folds, work, also, workers, progress=progress)
    if outcome.failures:
        raise RuntimeError(f"training failed: {outcome.failures[0]}\n{outcome.failures[0].trace}")
    pieces = outcome.pieces
    rows = np.concatenate([piece.rows for piece in pieces])
    guess = np.concatenate([piece.prediction for piece in pieces])
    trials = np.char.add(np.char.add(table.person[rows], "/"), table.trial[rows])
    radius = conformal_radius(table.distribution[rows], guess, scores.LEVEL, trials)
    order = np.argsort(rows)
    known = people_statistics(
        table.distribution[rows[order]],
        guess[order],
        table.person[rows[order]],
        table.trial[rows[order]],
        scores.LEVEL,
    )

    own = every_tenth(table)
    extra = [(one, every_tenth(one)) for one in also]
    everyone = [(one, one.rows(one.people)) for one in (table, *also)]
    population = population_of(everyone)
    parts = [normalised(one, population, one.people)[chosen] for one, chosen in extra]
    labels = [one.targets(chosen, table.labels) for one, chosen in extra]
    batch = concatenate([normalised(table, population, people)[own], *parts])
    model = train(
        settings,
        batch,
        concatenate_labels([table.targets(own), *labels]),
        np.concatenate([table.person[own], *(one.person[chosen] for one, chosen in extra)]),
        table.roles,
        seed=seed,
        device=device,
        resume=work / "training.state",
        report=report,
    )
    return Checkpoint(
        ensemble=model.ensemble,
        settings=settings,
        rig=rig.name,
        modalities=modality_inputs(rig),
        labels=table.labels,
        population=population,
        mean=model.mean,
        radius=radius,
        trained_on="simulated" if any(one.simulated for one in (table, *also)) else "people",
        people=known,
        replay=model.ensemble.pack(some(batch, REPLAYED)) if replay else None,
        data=_data(table, also, people),
        metrics={
            "protocol": f"cross-fitting, {GROUPS} groups of people, each unseen by its model",
            **_figures(table, pieces),
            "radius_90": radius,
        },
        seed=seed,
    )


def _data(table: Table, also: Sequence[Table], people: Sequence[str]) -> dict[str, Any]:
    return {
        "dataset": table.dataset,
        "people": list(people),
        "trials": table.trial_count,
        "windows": int(table.rated.sum()),
        "windows_trained_on": len(every_tenth(table)),
        "left_out": list(table.left_out),
        "also": {one.dataset: len(one.people) for one in also},
        "feature_sets": dict(table.versions),
        "note": table.note,
    }


def _figures(table: Table, pieces: Sequence[Piece]) -> dict[str, Any]:
    """Return means over people, each predicted as a stranger, with bootstrap intervals."""
    single = [part for piece in pieces for part in _by_person(table, piece)]
    summary = scores.summarise(scores.fold_rows(table, single, "cross-fitting"))
    wanted = (*metrics.METRICS, "stress_auc", "order", "skill", "coverage")
    plain = scores.plain(summary)["mpcl"]
    return {name: plain[name] for name in wanted}


def _by_person(table: Table, piece: Piece) -> list[Piece]:
    """Split the predictions of a group into those of its people."""
    return [
        replace(
            piece,
            fold=str(person),
            person=str(person),
            rows=piece.rows[table.person[piece.rows] == person],
            prediction=piece.prediction[table.person[piece.rows] == person],
            inside={},
        )
        for person in dict.fromkeys(table.person[piece.rows].tolist())
    ]
