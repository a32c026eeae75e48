"""An engine's messages, made up: a wristband with a pulse, a slow EDA, and calm shares."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from apps.link import pack_signals

MODALITIES = {
    "ppg": ("a.u.", 64.0, ("BVP",)),
    "eda": ("uS", 4.0, ("EDA",)),
    "temperature": ("degC", 4.0, ("TEMP",)),
    "acc": ("g", 32.0, ("X", "Y", "Z")),
}
EMOTIONS = ("upset", "alert", "hostile", "inspired", "ashamed", "determined", "nervous", "active")
NEGATIVE = (True, False, True, False, True, False, True, False)


def hello(participants: tuple[str, ...] = ("P1",)) -> dict[str, Any]:
    return {
        "t": "hello",
        "version": "0.1.0",
        "rig": {
            "name": "wrist",
            "description": "Wristband",
            "hop": 1.0,
            "modalities": [
                {"name": name, "role": "primary", "unit": unit, "rate": rate, "channels": channels}
                for name, (unit, rate, channels) in MODALITIES.items()
            ],
        },
        "emotions": EMOTIONS,
        "negative": NEGATIVE,
        "training_mean": [1 / len(EMOTIONS)] * len(EMOTIONS),
        "checkpoint": {"name": "wrist", "hash": "0123456789abcdef", "trained_on": "nobody"},
        "participants": participants,
    }


def signals(start: float, stop: float, participant: str = "P1") -> list[dict[str, Any]]:
    made = []
    for index, (name, (_, rate, channels)) in enumerate(MODALITIES.items()):
        times = np.arange(math.ceil(start * rate), math.ceil(stop * rate)) / rate
        phases = 2 * np.pi * np.outer(times, np.arange(1, len(channels) + 1))
        made.append(pack_signals(participant, name, times, 10 * index + np.sin(phases)))
    return made


def window(moment: float, participant: str = "P1", **changes: Any) -> dict[str, Any]:
    shares = np.exp(0.5 * np.sin(moment / 20 + np.arange(len(EMOTIONS))))
    shares /= shares.sum()
    return {
        "t": "window",
        "participant": participant,
        "time": moment,
        "distribution": shares.tolist(),
        "smoothed": shares.tolist(),
        "radius": 0.08,
        "intensity": 0.4,
        "mask": dict.fromkeys(MODALITIES, True),
        "valid": dict.fromkeys(MODALITIES, 1.0),
        "quality": dict.fromkeys(MODALITIES, 0.9),
        "warm_up": False,
        "baseline": "running",
        "reference": {"positive": 0.5, "negative": 0.5},
        **changes,
    }


def streams(participant: str = "P1", **changes: Any) -> dict[str, Any]:
    return {
        "t": "streams",
        "streams": [
            {
                "key": name,
                "name": f"Band {name}",
                "modality": name,
                "participant": participant,
                "source_id": f"band-{name}",
                "state": "live",
                "age": 0.1,
                "nominal_rate": rate,
                "effective_rate": rate,
                "samples": 1000,
                "gaps": 0,
                "clock_resets": 0,
                "dropped": 0,
                "quality": 0.9,
                "valid": 1.0,
                "notes": [],
                "simulated": False,
                "replay": False,
                **changes,
            }
            for name, (_, rate, _) in MODALITIES.items()
        ],
        "latency_ms": {"p50": 40.0, "p99": 90.0},
    }
