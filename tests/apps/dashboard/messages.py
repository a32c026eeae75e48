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
# What a webcam, an EEG cap and two sensors of the hand send, and what a chest strap does.
DMER = {
    "eeg": (
        "uV",
        300.0,
        tuple("Fp1 Fp2 F7 F3 Fz F4 F8 T3 C3 Cz C4 T4 T5 P3 P4 T6 O1 O2".split()),
    ),
    "ppg": ("a.u.", 100.0, ("PPG",)),
    "gsr": ("uS", 4.0, ("GSR",)),
    "face": ("a.u.", 30.0, ("face found",)),
}
CHEST = {
    "ecg": ("mV", 700.0, ("ECG",)),
    "eda": ("uS", 10.0, ("EDA",)),
    "emg": ("mV", 700.0, ("EMG",)),
    "acc": ("g", 100.0, ("X", "Y", "Z")),
}
Modalities = dict[str, tuple[str, float, tuple[str, ...]]]
EMOTIONS = ("upset", "alert", "hostile", "inspired", "ashamed", "determined", "nervous", "active")
NEGATIVE = (True, False, True, False, True, False, True, False)


def hello(
    participants: tuple[str, ...] = ("P1",), modalities: Modalities = MODALITIES
) -> dict[str, Any]:
    return {
        "t": "hello",
        "version": "0.1.0",
        "rig": {
            "name": "wrist",
            "description": "Wristband",
            "hop": 1.0,
            "modalities": [
                {
                    "name": name,
                    "role": "primary",
                    "unit": unit,
                    "rate": rate,
                    "channels": channels,
                    "face": name == "face",
                }
                for name, (unit, rate, channels) in modalities.items()
            ],
        },
        "emotions": EMOTIONS,
        "negative": NEGATIVE,
        "training_mean": [1 / len(EMOTIONS)] * len(EMOTIONS),
        "checkpoint": {"name": "wrist", "hash": "0123456789abcdef", "trained_on": "nobody"},
        "participants": participants,
    }


def signals(
    start: float, stop: float, participant: str = "P1", modalities: Modalities = MODALITIES
) -> list[dict[str, Any]]:
    made = []
    for index, (name, (_, rate, channels)) in enumerate(modalities.items()):
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


def preview(participant: str = "P1", **changes: Any) -> dict[str, Any]:
    grey = np.add.outer(np.arange(90), np.arange(120)).astype(np.uint8)
    return {
        "t": "preview",
        "participant": participant,
        "width": 120,
        "height": 90,
        "frame": grey.tobytes(),
        "boxes": [[40, 20, 40, 46, participant]],
        "crop": np.full((128, 128), 200, np.uint8).tobytes(),
        "sight": "face found",
        **changes,
    }


def streams(
    participant: str = "P1", modalities: Modalities = MODALITIES, **changes: Any
) -> dict[str, Any]:
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
            for name, (_, rate, _) in modalities.items()
        ],
        "latency_ms": {"p50": 40.0, "p99": 90.0},
    }
