"""A wristband's recording with known pulse, made without the simulator."""

from __future__ import annotations

import dataclasses

import numpy as np

from realtime.recording import RecordedStream, Recording, StreamInfo

SENSORS = {
    "ppg": ("PPG", 64.0, ("BVP",), "a.u."),
    "eda": ("EDA", 4.0, ("EDA",), "uS"),
    "temperature": ("Temperature", 4.0, ("TEMP",), "degC"),
    "acc": ("ACC", 32.0, ("X", "Y", "Z"), "g"),
}


def wristband(seconds=100.0, start=0.0, heart_rate=72.0, seed=0, sensors=tuple(SENSORS)):
    """Return a Recording whose streams begin at `start`."""
    rng = np.random.default_rng(seed)
    streams = []
    for name in sensors:
        kind, rate, labels, unit = SENSORS[name]
        n = int(round(seconds * rate))
        t = np.arange(n) / rate
        noise = rng.normal(size=(n, len(labels)))
        if name == "ppg":
            phase = 2 * np.pi * (heart_rate / 60 * t + 0.3 * np.sin(2 * np.pi * 0.1 * t) / 6)
            samples = 50 * (np.cos(phase) + 0.3 * np.cos(2 * phase - 1))[:, None] + noise
        elif name == "eda":
            samples = 2 + 0.5 * np.sin(2 * np.pi * t / 40)[:, None] + 0.005 * noise
        elif name == "temperature":
            samples = 33 + 0.001 * t[:, None] + 0.005 * noise
        else:
            samples = np.array([0.1, 0.2, 0.97]) + 0.01 * noise
        info = StreamInfo(name, name, kind, rate, labels, (unit,) * len(labels), f"band-{name}")
        streams.append(RecordedStream(info, start + t, samples))
    return Recording("synthetic", tuple(streams), start=start)


def change(recording, name, edit):
    """Return the recording with `edit(times, samples) -> (times, samples)` done to one stream."""
    streams = []
    for stream in recording.streams:
        if stream.info.key == name:
            times, samples = edit(stream.times.copy(), stream.samples.copy())
            stream = dataclasses.replace(stream, times=times, samples=samples)
        streams.append(stream)
    return dataclasses.replace(recording, streams=tuple(streams))
