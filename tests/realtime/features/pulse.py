"""Pulse waves for the tests: made up, and as the engine filters them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy import signal

BLOCKS = (1, 7, 64, None)
"""Block sizes that must all give the same bytes; None is everything at once."""


def band_pass(raw: NDArray[np.float64], rate: float) -> NDArray[np.float64]:
    """The wrist rig's pulse filter."""
    sections = signal.butter(2, (0.5, 8.0), "bandpass", fs=rate, output="sos")
    filtered: NDArray[np.float64] = signal.sosfilt(sections, raw - raw[0])
    return filtered


def beat_times(seconds: float, seed: int = 0, interval: float = 0.8) -> NDArray[np.float64]:
    """Times of beats with breathing and noise in their intervals."""
    random = np.random.default_rng(seed)
    times = [0.4]
    while times[-1] < seconds:
        breath = 0.04 * np.sin(2 * np.pi * 0.25 * times[-1])
        times.append(times[-1] + interval + breath + 0.01 * random.standard_normal())
    return np.array(times[:-1])


def pulse_wave(times: NDArray[np.float64], rate: float, seconds: float) -> NDArray[np.float64]:
    """A wave with a systolic and a dicrotic peak after each beat."""
    grid = np.arange(round(seconds * rate)) / rate
    wave = np.zeros(len(grid))
    for time in times:
        since = grid - time
        wave += np.exp(-0.5 * (since / 0.08) ** 2) + 0.35 * np.exp(
            -0.5 * ((since - 0.33) / 0.09) ** 2
        )
    return wave


def read_e4(path: Path) -> tuple[float, float, NDArray[np.float64]]:
    """Start, rate and samples of an E4 file with one column."""
    numbers = np.array(path.read_text("utf-8").split(), dtype=np.float64)
    return float(numbers[0]), float(numbers[1]), numbers[2:]
