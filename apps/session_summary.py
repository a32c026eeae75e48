"""What a session says of itself at its end."""

from __future__ import annotations

from typing import Any

from realtime.engine import Engine, Result
from realtime.live import LiveStreams


def stream_figures(live: LiveStreams, engine: Engine) -> list[dict[str, Any]]:
    """Return one row a bound stream: who it is, its rates (1/s), and what was missing in it.

    `dropped` counts samples that came and were not used: a flood, stamps that step back or belong
    to another clock, two samples in one cell, and what waited too long for its window.
    """
    rows: list[dict[str, Any]] = []
    for binding in live.bindings.values():
        signal = engine.participants[binding.participant].signals[binding.modality]
        for key, figures in live.statistics(binding).items():
            counts = signal.counts[key]
            info = live.inlets[key].info
            rows.append(
                {
                    "name": info.name,
                    "participant": binding.participant,
                    "modality": binding.modality,
                    "samples": figures.samples,
                    "effective_rate": figures.overall_rate,
                    "nominal_rate": info.rate,
                    "gaps": counts.gaps,
                    "missing_seconds": counts.missing,
                    "clock_resets": figures.clock_resets + counts.restarts,
                    "dropped": figures.dropped + counts.backward + counts.jumped,
                    "state": figures.state,
                    "notes": list(binding.notes),
                    "simulated": info.simulated,
                    "replay": info.replay is not None,
                }
            )
        rows[-1]["dropped"] += signal.dropped
    return rows


def result_figures(result: Result) -> dict[str, Any]:
    """Return a window's prediction as plain values."""
    return {
        "participant": result.window.participant,
        "time": result.window.time,
        "distribution": result.distribution.tolist(),
        "smoothed": result.smoothed.tolist(),
        "radius": result.radius,
        "intensity": result.intensity,
        "mask": dict(result.window.mask),
        "baseline": result.window.baseline,
        "warm_up": result.window.warm_up,
    }
