"""Pieces of an evaluation: one system's predictions on one fold, kept on disk."""

from __future__ import annotations

import hashlib
import json
import logging
import os
import re
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from importlib import metadata, resources
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from model.datasets.table import Rows, Table
from model.systems import Entry

log = logging.getLogger(__name__)

REFERENCE_CODE = frozenset({"batch", "labels", "metrics", "protocols", "task"})
"""Modules of `model` that every prediction of an evaluation depends on."""

NETWORK_CODE = frozenset({"device", "objectives", "targets"})
"""Those that every network's depend on besides."""

MPCL_CODE = frozenset(
    {"alternatives", "compression", "encoders", "ensemble", "fitting", "hopfield", "mpcl"}
    | {"prototypes", "settings", "training", "training_state"}
)
"""Those that MPCL's depend on besides."""

COMPUTED_WITH = ("numpy", "scipy", "scikit-learn", "torch", "python-ldl")
"""Packages whose versions every prediction depends on."""

UNADAPTED = "none"
"""What stands for an adaptation where trials are given and the system is left as it is."""

_NEIGHBOUR = re.compile(r"^from model\.systems\.(\w+) import", re.MULTILINE)

INSIDE = "inside_"
"""Prefix of the arrays of `Piece.inside` in a file."""


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
        Time to fit, adapt and predict.
    person : str
        As in `Fold`.
    k : int
        Rated trials of the person that were given.
    adaptation : str
        What they were given to, `UNADAPTED` if to nothing; empty where none were given.
    inside : mapping of str to ndarray
        What a network shows of itself for the report; empty for others. MPCL: ``address`` (n_test,
        K) how strongly each tested window addresses each physiological prototype, ``losses``
        (epochs, 5) the mean task, PRD, PCL, intensity and total loss of each training epoch.
    """

    model: str
    fold: str
    seed: int
    n_train: int
    rows: Rows
    prediction: NDArray[np.float64]
    train_mean: NDArray[np.float64]
    seconds: float
    person: str
    k: int = 0
    adaptation: str = ""
    inside: Mapping[str, NDArray[np.floating]] = field(default_factory=dict)


def data_digest(table: Table, also: Sequence[Table]) -> str:
    """Return a digest of everything in the tables that a prediction depends on."""
    digest = hashlib.sha256()
    for one in (table, *also):
        named = (one.dataset, one.labels, one.stretches, one.hop, sorted(one.roles.items()))
        digest.update(repr(named).encode())
        for name in sorted(one.features):
            digest.update(name.encode())
            digest.update(np.ascontiguousarray(one.features[name]).tobytes())
            digest.update(np.ascontiguousarray(one.mask[name]).tobytes())
        for values in (one.time, one.elapsed, one.distribution, one.intensity, one.is_baseline):
            digest.update(np.ascontiguousarray(values).tobytes())
        for words in (one.person, one.trial):
            digest.update("\n".join(words.tolist()).encode())
    return digest.hexdigest()


def code_digest(entry: Entry) -> str:
    """Return a digest of the code that makes a system's predictions, and of normalisation."""
    package = resources.files("model")
    sources = [resources.files("realtime") / "baseline.py", package / "datasets" / "table.py"]
    sources += [package / "systems" / f"{name}.py" for name in _imported(entry.module)]
    modules = REFERENCE_CODE | (NETWORK_CODE if entry.network else set())
    sources += [
        package / f"{name}.py"
        for name in (modules | (MPCL_CODE if entry.module == "mpcl" else set()))
    ]
    # Another version of these may give other bits.
    digest = hashlib.sha256("\n".join(map(_version, COMPUTED_WITH)).encode())
    for item in sorted(sources, key=str):
        digest.update(f"\n{item.name}\n".encode() + item.read_bytes())
    return digest.hexdigest()


def _version(package: str) -> str:
    try:
        return f"{package} {metadata.version(package)}"
    except metadata.PackageNotFoundError:
        return package


def _imported(module: str) -> set[str]:
    """Return a module of `model.systems` and those of its neighbours that it imports."""
    found, fresh = {"base"}, {module}
    while fresh:
        found |= fresh
        folder = resources.files("model") / "systems"
        sources = [(folder / f"{name}.py").read_text(encoding="utf-8") for name in fresh]
        fresh = {name for text in sources for name in _NEIGHBOUR.findall(text)} - found
    return found


def read_piece(path: Path) -> Piece | None:
    """Read a finished piece; None where there is none, or a damaged one."""
    try:
        with np.load(path, allow_pickle=False) as stored:
            values: dict[str, Any] = {key: stored[key] for key in stored.files}
        meta = json.loads(str(values.pop("meta")))
        inside = {
            key.removeprefix(INSIDE): values.pop(key) for key in list(values) if key[:7] == INSIDE
        }
        return Piece(**meta, **values, inside=inside)
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
        "person": piece.person,
        "seed": piece.seed,
        "k": piece.k,
        "adaptation": piece.adaptation,
        "n_train": piece.n_train,
        "seconds": piece.seconds,
    }
    inside: dict[str, Any] = {INSIDE + name: array for name, array in piece.inside.items()}
    with draft.open("wb") as file:
        np.savez(
            file,
            meta=json.dumps(meta),
            rows=piece.rows,
            prediction=piece.prediction,
            train_mean=piece.train_mean,
            **inside,
        )
    draft.replace(path)
