"""Pieces of known predictions, made without any training."""

from __future__ import annotations

import numpy as np

from model.datasets.table import Table
from model.pieces import Piece


def known_pieces(
    table: Table, models: dict[str, float], seeds: tuple[int, ...] = (0,), k: int = 0
) -> list[Piece]:
    """Return a piece a person: each system's part of the truth, the rest equal shares.

    A system at 1 predicts the truth, one at 0 equal shares. ``mpcl`` has an inside: four
    prototypes, of which a window addresses two equally, and losses that fall from 4 by halves.
    """
    made = []
    for model, part in models.items():
        for seed in seeds:
            for person in table.people:
                rows = table.rows([person])
                truth = table.distribution[rows]
                inside = {}
                if model == "mpcl":
                    address = np.tile([0.0, 0.5, 0.5, 0.0], (len(rows), 1))
                    losses = np.outer(4.0 / 2.0 ** np.arange(3), [1.0, 2.0, -1.0, 0.5, 2.5])
                    inside = {"address": address, "losses": losses}
                made.append(
                    Piece(
                        model=model,
                        fold=person,
                        seed=seed,
                        n_train=10,
                        rows=rows,
                        prediction=part * truth + (1 - part) / truth.shape[1],
                        train_mean=np.full(truth.shape[1], 1 / truth.shape[1]),
                        seconds=0.5,
                        person=person,
                        k=k,
                        inside=inside,
                    )
                )
    return made
