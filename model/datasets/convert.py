"""Conversion: every recording of a dataset is played through the engine; features are cached."""

from __future__ import annotations

import concurrent.futures
import hashlib
import json
import logging
import multiprocessing
import os
import time
import zipfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from importlib import resources
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Any

import numpy as np
import platformdirs
import scipy
from numpy.typing import NDArray

from model.datasets.base import Dataset, Session
from model.datasets.table import Table
from model.labels import distribution, intensity
from realtime.errors import InputError
from realtime.features import entries, feature_set
from realtime.offline import windows_of
from realtime.recording import Recording
from realtime.rig import Rig

log = logging.getLogger(__name__)

Arrays = dict[str, NDArray[Any]]
Progress = Callable[[str, int, int], None]
"""Called with a session's name, how many are done, and how many there are."""

OFF_PATH = {"correction", "discovery", "inlet", "live", "lsl", "markers", "outlet"} | {
    *("pace", "player", "presence", "recorder", "video_inlet"),
}
"""Modules of `realtime` that no offline sample goes through: their code changes no feature."""


def cache_folder() -> Path:
    """Return where converted recordings are kept."""
    return Path(platformdirs.user_cache_dir("affectstream")) / "converted"


def convert(
    dataset: Dataset,
    root: Path,
    rig: Rig,
    cache: Path | None = None,
    workers: int = 1,
    progress: Progress | None = None,
) -> Table:
    """Play a dataset through the engine and return its windows.

    Parameters
    ----------
    dataset : Dataset
    root : Path
        The dataset's folder.
    rig : Rig
    cache : Path, optional
        Where conversions are kept; by default in the user's cache folder. A file there is used
        only if recording, rig, engine and libraries are the same as when it was made.
    workers : int
        Processes that share the recordings.
    progress : callable, optional

    Raises
    ------
    InputError
        If the dataset is incomplete or a recording does not fit the rig.
    """
    sessions = dataset.sessions(root)
    folder = cache or cache_folder()
    folder.mkdir(parents=True, exist_ok=True)
    code = engine_digest()
    paths = [_path(folder, dataset.name, one, rig, code) for one in sessions]
    found = [read_arrays(path) for path in paths]
    missing = [index for index, arrays in enumerate(found) if arrays is None]
    if missing:
        log.info("converting %d of %d recordings of %s", len(missing), len(sessions), dataset.name)
    jobs = [(sessions[index], rig, paths[index]) for index in missing]
    done = 0
    for index, arrays in zip(missing, _run(jobs, workers), strict=True):
        found[index] = arrays
        done += 1
        if progress is not None:
            progress(sessions[index].name, done, len(missing))
    return assemble(dataset, rig, sessions, [arrays for arrays in found if arrays is not None])


def _run(jobs: Sequence[tuple[Session, Rig, Path]], workers: int) -> Iterator[Arrays]:
    """Yield each job's arrays in order."""
    if workers <= 1 or len(jobs) <= 1:
        yield from (convert_session(*job) for job in jobs)
        return
    context = multiprocessing.get_context("spawn")
    with concurrent.futures.ProcessPoolExecutor(min(workers, len(jobs)), context) as pool:
        yield from pool.map(convert_session, *zip(*jobs, strict=True))


def convert_session(session: Session, rig: Rig, path: Path) -> Arrays:
    """Convert one recording and keep it at `path`."""
    began = time.perf_counter()
    arrays = windows_to_arrays(session.read(), rig)
    _write_arrays(path, arrays)
    seconds = time.perf_counter() - began
    log.info("%s: %d windows in %.1f s", session.name, len(arrays["time"]), seconds)
    return arrays


def windows_to_arrays(recording: Recording, rig: Rig) -> Arrays:
    """Play a recording through the engine; return window ends, flags and raw features."""
    windows = list(windows_of(recording, rig))
    arrays: Arrays = {
        "time": np.array([window.time for window in windows], dtype=np.float64),
        "warm_up": np.array([window.warm_up for window in windows], dtype=bool),
    }
    for modality in rig.modalities:
        name = modality.name
        size = len(entries(modality))
        rows = [window.features[name] for window in windows]
        arrays[f"features.{name}"] = np.array(rows, dtype=np.float32).reshape(len(rows), size)
        arrays[f"mask.{name}"] = np.array([window.mask[name] for window in windows], dtype=bool)
    return arrays


def assemble(
    dataset: Dataset, rig: Rig, sessions: Sequence[Session], converted: Sequence[Mapping]
) -> Table:
    """Join converted recordings to a table and label their windows."""
    count = [len(arrays["time"]) for arrays in converted]
    person = np.repeat([one.participant for one in sessions], count)
    clock = np.concatenate([arrays["time"] for arrays in converted])
    total = len(clock)
    trial = np.full(total, "", dtype="U64")
    condition = np.full(total, "", dtype="U64")
    shares = np.full((total, len(dataset.labels)), np.nan)
    strength = np.full(total, np.nan)
    is_baseline = np.zeros(total, dtype=bool)
    elapsed = np.zeros(total)
    stretches: dict[str, tuple[float, float] | None] = {}
    left_out = []
    for name in dict.fromkeys(one.participant for one in sessions):
        own = [one for one in sessions if one.participant == name]
        rows = person == name
        elapsed[rows] = clock[rows] - min(t.start for one in own for t in one.trials)
        stretch = next((one.baseline for one in own if one.baseline is not None), None)
        stretches[name] = stretch
        if stretch is not None:
            is_baseline |= rows & (clock > stretch[0]) & (clock <= stretch[1])
        for one in (t for session in own for t in session.trials):
            inside = rows & (clock > one.start) & (clock <= one.stop)
            trial[inside], condition[inside] = one.name, one.condition
            if one.unanswered:
                left_out.append(f"{name} {one.name}: no answer for {', '.join(one.unanswered)}")
                continue
            scores = [one.ratings[emotion] for emotion in dataset.labels.emotions]
            shares[inside] = distribution(scores)
            strength[inside] = intensity(scores, dataset.labels.scale)
    sets = {m.name: feature_set(m.features) for m in rig.modalities}
    return Table(
        dataset=dataset.name,
        rig=rig.name,
        labels=dataset.labels,
        stress=dataset.stress,
        hop=rig.hop,
        roles={m.name: m.role for m in rig.modalities},
        names={m.name: tuple(f.name for f in entries(m)) for m in rig.modalities},
        versions={name: f"{one.name} {one.version}" for name, one in sets.items()},
        features={name: _joined(converted, f"features.{name}") for name in sets},
        mask={name: _joined(converted, f"mask.{name}") for name in sets},
        person=person,
        trial=trial,
        condition=condition,
        time=clock,
        elapsed=elapsed,
        warm_up=_joined(converted, "warm_up"),
        is_baseline=is_baseline,
        distribution=shares,
        intensity=strength,
        stretches=stretches,
        left_out=tuple(left_out),
        note=dataset.note,
        simulated=dataset.simulated,
    )


def _joined(converted: Sequence[Mapping], key: str) -> NDArray:
    return np.concatenate([arrays[key] for arrays in converted])


def engine_digest() -> str:
    """Return a digest of all code and libraries that features depend on."""
    digest = hashlib.sha256(f"numpy {np.__version__} scipy {scipy.__version__}".encode())
    for name, content in sorted(_sources(resources.files("realtime"), "")):
        digest.update(f"\n{name}\n".encode() + content)
    return digest.hexdigest()


def _sources(folder: Traversable, prefix: str) -> list[tuple[str, bytes]]:
    found = []
    for item in folder.iterdir():
        stem = item.name.removesuffix(".py")
        if item.is_dir() and item.name not in ("__pycache__", "simulator", "rigs"):
            found += _sources(item, f"{prefix}{item.name}/")
        elif item.name.endswith(".py") and stem not in OFF_PATH:
            found.append((prefix + item.name, item.read_bytes()))
    return found


def _path(folder: Path, dataset: str, session: Session, rig: Rig, code: str) -> Path:
    """Return where a conversion is kept; the name changes with everything that it depends on."""
    files = []
    for path in session.files:
        try:
            state = path.stat()
        except OSError as error:
            raise InputError(f"cannot read {str(path)!r}: {error}; restore it") from error
        files.append([path.name, state.st_size, state.st_mtime_ns])
    key = json.dumps([dataset, session.name, files, repr(rig), code])
    name = "".join(c if c.isalnum() else "-" for c in f"{dataset}-{session.name}")
    return folder / f"{name}-{hashlib.sha256(key.encode()).hexdigest()[:24]}.npz"


def read_arrays(path: Path) -> Arrays | None:
    """Read a cached conversion; None where there is none, or a damaged one."""
    try:
        with np.load(path, allow_pickle=False) as stored:
            return {key: stored[key] for key in stored.files}
    except FileNotFoundError:
        return None
    except (OSError, ValueError, EOFError, zipfile.BadZipFile) as error:
        log.warning("cached conversion %s is damaged (%s): it is made again", path, error)
        return None


def _write_arrays(path: Path, arrays: Arrays) -> None:
    """Write at once or not at all, so that a crash leaves no half file."""
    draft = path.with_suffix(f".{os.getpid()}.tmp")
    with draft.open("wb") as file:
        np.savez(file, allow_pickle=False, **arrays)
    draft.replace(path)
