"""How long this computer takes for a second of data, beside the plain way with NeuroKit2.

The plain way is what a lab writes first: every second, NeuroKit2's processing of each signal over
the whole window. Ours is the engine as sessions use it, on the same signals.
"""

from __future__ import annotations

import dataclasses
import functools
import math
import os
import platform
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from apps.bench_signals import SEED, plain_way, simulated
from realtime.baseline import Population
from realtime.chunk import Chunk
from realtime.errors import InputError
from realtime.offline import engine_for
from realtime.recording import Recording
from realtime.rig import Rig, load_rig
from realtime.window import Predictor, Window

LIVE_CHUNKS = 25
"""Chunks that a live stream's second comes in, in the row that says what cutting it up costs."""

ENOUGH = 0.5
"""Share of the time between two windows that all work for one may take: other programs, and the
dashboard, want to run too."""

WHOLE, WITHOUT_VIDEO, LIVE = "whole hop", "whole hop, no video", "whole hop, live chunks"
PREDICTION, TEXTURE = "prediction", "texture of 1 s video"

HOPS_EACH_ROUND = 5
"""Hops of ours that alternate with one of the plain way, so that both meet the same load."""


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the result; all times are medians in milliseconds of wall time.

    Attributes
    ----------
    rig : str
    part : str
        What is timed.
    budget_ms : float
        Time between two windows.
    ours_ms : float
    cpu_ms : float
        Processor time of all threads for the same, on average.
    plain_ms : float or None
        NeuroKit2 on the same signals, for a whole hop the sum over its modalities; None where it
        has nothing to compare.
    ratio : float or None
        Plain over ours.
    plain : str
        What the plain way runs, for a modality alone.
    """

    rig: str
    part: str
    budget_ms: float
    ours_ms: float
    cpu_ms: float
    plain_ms: float | None = None
    ratio: float | None = None
    plain: str = ""


def measure(rigs: tuple[str, ...], rounds: int) -> list[Row]:
    """Measure rigs, and the face textures where one of them has a face.

    Parameters
    ----------
    rigs : tuple of str
    rounds : int
        In each, `HOPS_EACH_ROUND` hops of ours and one of the plain way.
    """
    rows: list[Row] = []
    for name in rigs:
        rig = load_rig(name)
        rows += measure_rig(rig, rounds)
        if any(modality.features == "face" for modality in rig.modalities):
            rows.append(measure_texture(rig, rounds))
    return rows


def measure_rig(rig: Rig, rounds: int) -> list[Row]:
    """Measure a rig's whole hop, each modality alone, and its model where one ships."""
    predictor, population = _model(rig)
    longest = max(rig.warm_up, *(modality.window for modality in rig.modalities))
    fill = math.ceil(longest / rig.hop) * rig.hop
    recording = simulated(rig, fill + (rounds * HOPS_EACH_ROUND + 2) * rig.hop)
    plain = {m.name: plain_way(m, recording) for m in rig.modalities}
    parts = {m.name: dataclasses.replace(rig, modalities=(m,)) for m in rig.modalities}
    seen = tuple(m for m in rig.modalities if m.features != "face")
    if len(seen) < len(rig.modalities):
        parts[WITHOUT_VIDEO] = dataclasses.replace(rig, modalities=seen)
    runs = {part: _Hops(some, recording, population, fill, 1) for part, some in parts.items()}
    runs[WHOLE] = _Hops(rig, recording, population, fill, 1)
    runs[LIVE] = _Hops(rig, recording, population, fill, LIVE_CHUNKS)
    prediction = _Times()
    theirs: dict[str, list[float]] = {name: [] for name in plain}
    for _ in range(rounds):
        for _ in range(HOPS_EACH_ROUND):
            for run in runs.values():
                windows = run.hop()
            if predictor is not None:
                prediction.measure(functools.partial(predictor, windows))
        for name, (call, _) in plain.items():
            if call is not None:
                times = _Times()
                times.measure(call)
                theirs[name] += times.wall
    rows = []
    for part, run in runs.items():
        names = [modality.name for modality in run.rig.modalities]
        sums = [1e3 * statistics.median(theirs[name]) for name in names if theirs[name]]
        said = plain[part][1] if part in plain else ""
        rows.append(_row(rig, part, run.times, sum(sums) if sums else None, said))
    if predictor is not None:
        rows.append(_row(rig, PREDICTION, prediction))
    return rows


def fast_enough(rows: list[Row]) -> bool:
    """Tell whether each rig's hop, cut as streams are, and its prediction leave time to spare."""
    for rig in {row.rig for row in rows}:
        part = {row.part: row for row in rows if row.rig == rig}
        taken = sum(part[name].ours_ms for name in (LIVE, PREDICTION) if name in part)
        texture = part[TEXTURE].ours_ms if TEXTURE in part else 0.0
        if max(taken, texture) > ENOUGH * part[LIVE].budget_ms:
            return False
    return True


def measure_texture(rig: Rig, rounds: int) -> Row:
    """Measure what the camera process computes from a second of frames of one face."""
    from realtime.features import lbp_top

    rng = np.random.default_rng(SEED)
    count = round(lbp_top.RATE) + 2 * lbp_top.TEMPORAL_RADIUS
    frames = rng.integers(0, 256, (count, lbp_top.SIZE, lbp_top.SIZE), dtype=np.uint8)
    times = _Times()
    for _ in range(rounds * HOPS_EACH_ROUND):
        times.measure(lambda: lbp_top.texture_counts(frames))
    return _row(rig, TEXTURE, times)


class _Times:
    """Wall and processor time of calls."""

    def __init__(self) -> None:
        self.wall: list[float] = []
        self.processor: list[float] = []

    def measure(self, call: Callable[[], Any]) -> Any:
        before = time.process_time()
        begin = time.perf_counter()
        result = call()
        self.wall.append(time.perf_counter() - begin)
        self.processor.append(time.process_time() - before)
        return result


class _Hops:
    """An engine whose windows are full, and what each further hop takes."""

    def __init__(
        self,
        rig: Rig,
        recording: Recording,
        population: Population | None,
        fill: float,
        chunks: int,
    ) -> None:
        kept = {modality.name for modality in rig.modalities}
        streams = tuple(s for s in recording.streams if s.info.key in kept)
        recording = dataclasses.replace(recording, streams=streams)
        if population is not None:
            mean = {name: population.mean[name] for name in kept}
            population = dataclasses.replace(population, mean=mean)
        self.rig = rig
        self.times = _Times()
        self._engine = engine_for(recording, rig, "P1", None, population, None)
        self._rounds = recording.rounds(rig.hop / chunks)
        self._until = fill
        for chunk in self._next_chunks():
            self._engine.push(chunk)
        self._engine.windows_until(self._until)

    def hop(self) -> list[Window]:
        """Push one more second of each stream, and take the window that it completes."""
        self._until += self.rig.hop
        chunks = self._next_chunks()
        windows: list[Window] = self.times.measure(lambda: self._push(chunks))
        if len(windows) != 1:
            raise RuntimeError(f"a hop of {self.rig.name!r} gave {len(windows)} windows, not 1")
        return windows

    def _next_chunks(self) -> list[Chunk]:
        found: list[Chunk] = []
        until = -math.inf
        while until < self._until - 1e-6:
            until, chunks = next(self._rounds)
            found += chunks
        return found

    def _push(self, chunks: list[Chunk]) -> list[Window]:
        for chunk in chunks:
            self._engine.push(chunk)
        return self._engine.windows_until(self._until)


def describe() -> dict[str, Any]:
    """Describe this computer and what was measured on it."""
    from importlib.metadata import version

    return {
        "processor": _processor(),
        "cores": os.cpu_count(),
        "system": f"{platform.system()} {platform.release()}",
        "python": platform.python_version(),
        **{name: version(name) for name in ("numpy", "scipy", "neurokit2", "torch")},
        "torch_threads": 1,  # `model.device.one_thread`
    }


def _processor() -> str:
    """Name of the processor; Python's own answer on Linux is often empty."""
    try:
        for line in Path("/proc/cpuinfo").read_text("utf-8").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    except OSError:
        pass
    return platform.processor() or platform.machine()


def _row(rig: Rig, part: str, times: _Times, plain_ms: float | None = None, plain: str = "") -> Row:
    ours = 1e3 * statistics.median(times.wall)
    return Row(
        rig.name,
        part,
        1e3 * rig.hop,
        ours,
        1e3 * statistics.mean(times.processor),
        plain_ms,
        None if plain_ms is None else plain_ms / ours,
        plain,
    )


def _model(rig: Rig) -> tuple[Predictor | None, Population | None]:
    """Return the model that ships for a rig and its statistics, if one does."""
    from model.checkpoint import check_rig, load_checkpoint
    from model.predictor import Predictor as Resident
    from model.zoo import shipped_checkpoint

    try:
        path = shipped_checkpoint(rig)
    except InputError:  # a rig of the user's own
        return None, None
    checkpoint = load_checkpoint(path)
    check_rig(checkpoint, rig)
    return Resident(checkpoint), checkpoint.population
