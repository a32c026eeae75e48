"""What the engine tells its dashboards; the messages are listed in `apps.link`."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from apps.link import LinkServer, pack_signals
from model.labels import LabelSet
from realtime.binding import AmbiguousBinding
from realtime.engine import Cells, Engine, Result
from realtime.live import LiveStreams
from realtime.recording import Marker
from realtime.rig import ModalitySettings, Rig
from realtime.video import TEXTURE_TYPE

SIGNALS_EVERY = 0.05  # s
STREAMS_EVERY = 0.25  # s
FACE_FOUND = "face found"


class Broadcast:
    """Sends signals, windows and states to whoever is attached, at a screen's pace."""

    def __init__(self, server: LinkServer) -> None:
        self.server = server
        self._faces: frozenset[str] = frozenset()
        self._cells: dict[tuple[str, str], list[Cells]] = {}
        self._signals_sent = -math.inf
        self._streams_sent = -math.inf

    def hello(
        self,
        version: str,
        rig: Rig,
        labels: LabelSet,
        training_mean: NDArray[np.float64],
        checkpoint: dict[str, str | None],
        participants: Sequence[str],
    ) -> None:
        """Say what this engine is."""
        self._faces = frozenset(m.name for m in rig.modalities if _is_face(m))
        self.server.send(
            {
                "t": "hello",
                "version": version,
                "rig": {
                    "name": rig.name,
                    "description": rig.description,
                    "hop": rig.hop,
                    "modalities": [
                        {
                            "name": m.name,
                            "role": m.role,
                            "unit": m.unit,
                            "rate": m.rate,
                            "channels": [FACE_FOUND] if _is_face(m) else list(m.channel_names),
                            "face": _is_face(m),
                        }
                        for m in rig.modalities
                    ],
                },
                "emotions": list(labels.emotions),
                "negative": [valence < 0 for valence in labels.valence],
                "labels": {
                    "name": labels.name,
                    "instrument": labels.instrument,
                    "scale": list(labels.scale),
                },
                "training_mean": [float(x) for x in training_mean],
                "checkpoint": checkpoint,
                "participants": list(participants),
            }
        )

    def collect(self, cells: Sequence[Cells]) -> None:
        """Keep new signal cells until the next `signals` message."""
        for piece in cells:
            kept = piece
            if piece.modality in self._faces:
                kept = replace(piece, values=_face_found(piece.values))
            self._cells.setdefault((piece.participant, piece.modality), []).append(kept)

    def signals(self, now: float) -> None:
        """Send the collected cells, if it is time."""
        if now - self._signals_sent < SIGNALS_EVERY:
            return
        self._signals_sent = now
        for (participant, modality), pieces in self._cells.items():
            self.server.send(
                pack_signals(
                    participant,
                    modality,
                    np.concatenate([piece.times for piece in pieces]),
                    np.concatenate([piece.values for piece in pieces]),
                )
            )
        self._cells.clear()

    def window(self, result: Result, reference: dict[str, float] | None) -> None:
        """Send a window's prediction."""
        window = result.window
        self.server.send(
            {
                "t": "window",
                "participant": window.participant,
                "time": window.time,
                "distribution": result.distribution.tolist(),
                "smoothed": result.smoothed.tolist(),
                "radius": result.radius,
                "intensity": result.intensity,
                "mask": dict(window.mask),
                "valid": {m: round(v, 4) for m, v in window.valid.items()},
                "quality": {m: round(v, 4) for m, v in window.quality.items()},
                "warm_up": window.warm_up,
                "baseline": window.baseline,
                "reference": reference,
            }
        )

    def streams(
        self,
        now: float,
        live: LiveStreams,
        engine: Engine,
        latest: dict[str, Result],
        latency: dict[str, float | None],
    ) -> None:
        """Send every stream's state, if it is time."""
        if now - self._streams_sent < STREAMS_EVERY:
            return
        self._streams_sent = now
        rows = []
        for binding in live.bindings.values():
            result = latest.get(binding.participant)
            for key, figures in live.statistics(binding).items():
                info = live.inlets[key].info
                signal = engine.participants[binding.participant].signals[binding.modality]
                counts = signal.counts[key]
                rows.append(
                    {
                        "key": key,
                        "name": info.name,
                        "modality": binding.modality,
                        "participant": binding.participant,
                        "source_id": info.source_id,
                        "state": figures.state,
                        "age": figures.data_age,
                        "nominal_rate": info.rate,
                        "effective_rate": figures.rate,
                        "samples": figures.samples,
                        "gaps": counts.gaps,
                        "clock_resets": figures.clock_resets + counts.restarts,
                        "dropped": figures.dropped
                        + counts.backward
                        + counts.jumped
                        + signal.dropped,
                        "quality": result.window.quality[binding.modality] if result else None,
                        "valid": result.window.valid[binding.modality] if result else None,
                        "notes": list(binding.notes),
                        "simulated": info.simulated,
                        "replay": info.replay is not None,
                    }
                )
        self.server.send({"t": "streams", "streams": rows, "latency_ms": latency})

    def marker(self, marker: Marker) -> None:
        """Send an incoming marker."""
        self.server.send(
            {"t": "marker", "time": marker.time, "text": marker.text, "stream": marker.stream}
        )

    def baseline(
        self, participant: str, state: str, start: float | None, stop: float | None
    ) -> None:
        """Send where a person's baseline stands: ``idle``, ``marking`` or ``stated``."""
        self.server.send(
            {
                "t": "baseline",
                "participant": participant,
                "state": state,
                "start": start,
                "stop": stop,
            }
        )

    def profile(
        self, participant: str, state: str, trials: int, step: str, radius: float, text: str
    ) -> None:
        """Send where a person's profile stands: ``fitting``, ``ready`` or ``failed``."""
        self.server.send(
            {
                "t": "profile",
                "participant": participant,
                "state": state,
                "trials": trials,
                "step": step,
                "radius": radius,
                "text": text,
            }
        )

    def recording(self, path: str | None, since: float | None, fault: str | None) -> None:
        """Send what is being recorded."""
        self.server.send({"t": "recording", "path": path, "since": since, "fault": fault})

    def choice(self, problem: AmbiguousBinding) -> None:
        """Ask which of several devices is meant."""
        self.server.send(
            {
                "t": "choice",
                "participant": problem.participant,
                "modality": problem.modality,
                "candidates": [
                    {
                        "key": info.key,
                        "name": info.name,
                        "source_id": info.source_id,
                        "type": info.type,
                    }
                    for info in problem.candidates
                ],
                "message": str(problem),
            }
        )

    def log(self, level: str, text: str) -> None:
        """Send a line for the operator."""
        self.server.send({"t": "log", "level": level, "text": text})


def _is_face(modality: ModalitySettings) -> bool:
    """Tell whether a modality is texture counts, of which no screen can show all 768."""
    return any(name.casefold() == TEXTURE_TYPE.casefold() for name in modality.types)


def _face_found(counts: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return 1 where a face was found, 0 where not, NaN where nothing came, shape (n, 1)."""
    there = np.isfinite(counts).all(axis=1)
    return np.where(there, (counts > 0).any(axis=1), np.nan)[:, np.newaxis]
