"""Pieces of an evaluation: one system's predictions on one fold, kept on disk."""

from __future__ import annotations

import hashlib
import json
import logging
import os
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from model.datasets.table import Rows, Table

log = logging.getLogger(__name__)

REFERENCE_CODE = frozenset({"batch", "evaluation", "labels", "protocols"})
"""Modules of `model` that every prediction of an evaluation depends on."""

OFF_PATH = frozenset(
    {"backends", "build", "checkpoint", "metrics", "pieces", "predictor", "report", "scores"}
)
"""Modules of `model` that change no prediction of an evaluation, not even a network's."""


@dataclass(frozen=True)
class Piece:
    """One system's predictions on one fold.

    Attributes
    ----------
    model, fold : str
    seed : int
    n_train : int
    rows : ndarray of int, shape (n_test,)
        Tested rows of the table.
    prediction : ndarray of float64, shape (n_test, C)
    train_mean : ndarray of float64, shape (C,)
        Mean training label, the zero of the skill.
    seconds : float
        Time to fit and predict.
    """

    model: str
    fold: str
    seed: int
    n_train: int
    rows: Rows
    prediction: NDArray[np.float64]
    train_mean: NDArray[np.float64]
    seconds: float


def data_digest(table: Table, also: Sequence[Table]) -> str:
    """Return a digest of everything in the tables that a prediction depends on."""
    digest = hashlib.sha256()
    for one in (table, *also):
        digest.update(repr((one.dataset, one.labels, one.stretches, one.hop)).encode())
        for name in sorted(one.features):
            digest.update(name.encode())
            digest.update(np.ascontiguousarray(one.features[name]).tobytes())
            digest.update(np.ascontiguousarray(one.mask[name]).tobytes())
        for values in (one.time, one.elapsed, one.distribution, one.intensity, one.is_baseline):
            digest.update(np.ascontiguousarray(values).tobytes())
        digest.update("\n".join(one.person.tolist()).encode())
    return digest.hexdigest()


def code_digest(network: bool) -> str:
    """Return a digest of the code that makes a system's predictions, and of normalisation."""
    package = resources.files("model")
    sources = [resources.files("realtime") / "baseline.py", package / "datasets" / "table.py"]
    sources += [one for one in (package / "systems").iterdir() if one.name.endswith(".py")]
    for item in package.iterdir():
        stem = item.name.removesuffix(".py")
        if item.name.endswith(".py") and (
            stem in REFERENCE_CODE or (network and stem not in OFF_PATH)
        ):
            sources.append(item)
    digest = hashlib.sha256()
    for item in sorted(sources, key=str):
        digest.update(f"\n{item.name}\n".encode() + item.read_bytes())
    return digest.hexdigest()


def read_piece(path: Path) -> Piece | None:
    """Read a finished piece; None where there is none, or a damaged one."""
    try:
        with np.load(path, allow_pickle=False) as stored:
            values: dict[str, Any] = {key: stored[key] for key in stored.files}
        meta = json.loads(str(values.pop("meta")))
        return Piece(**meta, **values)
    except FileNotFoundError:
        return None
    except (OSError, ValueError, EOFError, KeyError, TypeError, zipfile.BadZipFile) as error:
        log.warning("finished fold %s is damaged (%s): it is done again", path, error)
        return None


def write_piece(path: Path, piece: Piece) -> None:
    """Write at once or not at all, so that an interrupted run leaves no half file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_suffix(f".{os.getpid()}.tmp")
    meta = {
        "model": piece.model,
        "fold": piece.fold,
        "seed": piece.seed,
        "n_train": piece.n_train,
        "seconds": piece.seconds,
    }
    with draft.open("wb") as file:
        np.savez(
            file,
            meta=json.dumps(meta),
            rows=piece.rows,
            prediction=piece.prediction,
            train_mean=piece.train_mean,
        )
    draft.replace(path)
