"""Electrocardiograms for the tests: made up, read from files, filtered as the engine does."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy import signal

from tests.data import data_folder

WAVES = {
    "P": (-0.17, 0.12, 0.022),
    "Q": (-0.028, -0.10, 0.008),
    "R": (0.0, 1.00, 0.010),
    "S": (0.028, -0.20, 0.009),
    "T": (0.26, 0.30, 0.045),
}
"""Time from the R peak in s, height in mV and width in s (standard deviation)."""

BEAT_CODES = {*range(1, 14), 25, 30, 31, 34, 35, 38, 41}
"""Annotation codes that are beats, in the MIT format."""


def ecg_wave(
    times: NDArray[np.float64],
    rate: float,
    seconds: float,
    heights: NDArray[np.float64] | float = 1.0,
    t_wave: float = 0.3,
) -> NDArray[np.float64]:
    """P, Q, R, S and T around each of some times, in mV."""
    grid = np.arange(round(seconds * rate)) / rate
    wave = np.zeros(len(grid))
    for time, size in zip(times, np.broadcast_to(heights, len(times)), strict=True):
        near = slice(int(np.searchsorted(grid, time - 0.4)), int(np.searchsorted(grid, time + 0.6)))
        for name, (at, height, width) in WAVES.items():
            height = t_wave if name == "T" else height
            since = grid[near] - time - at
            wave[near] += size * height * np.exp(-0.5 * (since / width) ** 2)
    return wave


def filtered(raw: NDArray[np.float64], rate: float) -> NDArray[np.float64]:
    """The chest rig's ECG filter, without its settling time."""
    sections = signal.butter(2, (0.5, 40.0), "bandpass", fs=rate, output="sos")
    result: NDArray[np.float64]
    result, _ = signal.sosfilt(sections, raw, zi=signal.sosfilt_zi(sections) * raw[0])
    return result


def read_signal(name: str) -> tuple[NDArray[np.float64], float]:
    """ECG and rate of one of the recordings."""
    if name == "S16":
        with np.load(data_folder("chest") / "S16_chest_excerpt.npz") as file:
            return file["ECG"][:, 0].astype(np.float64), 700.0
    folder = data_folder("biosignal")
    if name == "100":
        return read_212(folder / "wfdb__100.dat"), 360.0
    if name.startswith("118"):
        return np.loadtxt(folder / f"heartpy__{name}.csv"), 360.0
    if name == "biosppy":
        return np.loadtxt(folder / "biosppy__ecg.txt"), 1000.0
    rate = 1000.0 if name.endswith("1000hz") else 100.0
    path = folder / f"neurokit__{name}.csv"
    return np.loadtxt(path, delimiter=",", skiprows=1, usecols=0), rate


def read_beats(name: str) -> NDArray[np.float64]:
    """Samples of the annotated beats of a recording."""
    folder = data_folder("biosignal")
    if name == "100":
        return read_annotations(folder / "wfdb__100.atr")
    return np.loadtxt(folder / f"heartpy__{name}_ann.csv")


def read_212(path: Path) -> NDArray[np.float64]:
    """First of two leads in format 212: two 12-bit numbers in three bytes; in mV."""
    low, middle, _ = np.fromfile(path, np.uint8).reshape(-1, 3).astype(np.int64).T
    value = low + ((middle & 0x0F) << 8)
    return (np.where(value > 2047, value - 4096, value) - 1024) / 200.0


def read_annotations(path: Path) -> NDArray[np.float64]:
    """Samples of the beats in an MIT annotation file: 6 bits of code, 10 bits of time step."""
    words = np.fromfile(path, "<u2").astype(np.int64).tolist()
    beats, sample, at = [], 0, 0
    while words[at]:
        code, value = words[at] >> 10, words[at] & 0x3FF
        at += 1
        if code == 59:  # a long step follows
            sample += (words[at] << 16) + words[at + 1]
            at += 2
        elif code == 63:  # a text follows
            at += (value + 1) // 2
        elif code < 60:
            sample += value
            if code in BEAT_CODES:
                beats.append(sample)
    return np.array(beats, dtype=np.float64)


def agreement(
    found: NDArray[np.float64], true: NDArray[np.float64], tolerance: float
) -> tuple[float, float]:
    """Sensitivity and positive predictivity in per cent; each beat found counts for one."""
    free = np.ones(len(found), dtype=np.bool_)
    for beat in true:
        distance = np.where(free, np.abs(found - beat), np.inf)
        if distance.min() <= tolerance:
            free[distance.argmin()] = False
    hits = np.count_nonzero(~free)
    return 100.0 * hits / len(true), 100.0 * hits / len(found)
