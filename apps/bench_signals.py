"""Made-up signals of every kind that a rig may ask for, and NeuroKit2's way with each."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from realtime.recording import RecordedStream, Recording, StreamInfo
from realtime.rig import ModalitySettings, Rig

SEED = 1

DEVICE_RATES = {("chest", "eda"): 700.0, ("chest", "acc"): 700.0}
"""Rates of devices that differ from their rig's grid: WESAD's RespiBAN sends all at 700 Hz."""

_HEART = ("ecg",)
_PULSE = ("ppg", "ppg_statistics")
_SKIN = ("eda", "eda_summary", "gsr_statistics")
_MUSCLE = ("emg",)


def simulated(rig: Rig, seconds: float) -> Recording:
    """Return a recording of everything that a rig takes, one stream a modality.

    NeuroKit2 simulates heart, pulse, skin and muscle; movement is gravity and noise, face textures
    are counts of a Poisson process, and all else is noise.
    """
    streams = []
    for modality in rig.modalities:
        rate = DEVICE_RATES.get((rig.name, modality.name), modality.rate)
        samples = _samples(modality, rate, seconds)
        info = StreamInfo(
            modality.name,
            modality.name,
            modality.types[0],
            rate,
            tuple(channel.labels[0] for channel in modality.channels),
            (modality.unit,) * len(modality.channels),
            modality.name,
            simulated=True,
        )
        streams.append(RecordedStream(info, np.arange(len(samples)) / rate, samples))
    return Recording("simulated", tuple(streams))


def _samples(modality: ModalitySettings, rate: float, seconds: float) -> NDArray[np.float64]:
    """Return samples of a modality, shape (n, channels), in its unit."""
    import neurokit2 as nk

    rng = np.random.default_rng(SEED)
    count, width = round(seconds * rate), len(modality.channels)
    # Whole seconds, as NeuroKit2 wants them.
    common = {"duration": int(np.ceil(seconds)), "random_state": SEED}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        if modality.features in _HEART:
            wave = nk.ecg_simulate(**common, sampling_rate=round(rate))
        elif modality.features in _PULSE:
            wave = 50.0 * nk.ppg_simulate(**common, sampling_rate=max(round(rate), 20))
        elif modality.features in _SKIN:
            # One response in ten seconds; made at 100 Hz at least, since its shape needs that.
            step = max(1, round(100.0 / rate))
            responses = max(1, round(seconds / 10))
            wave = 2.0 + nk.eda_simulate(
                **common, sampling_rate=round(rate) * step, scr_number=responses
            )
            wave = wave[::step]
        elif modality.features in _MUSCLE:
            bursts = max(1, round(seconds / 10))
            wave = nk.emg_simulate(**common, sampling_rate=round(rate), burst_number=bursts)
        elif modality.features == "face":
            return rng.poisson(62.0, (count, width)).astype(np.float64)
        elif modality.unit == "g":
            return rng.normal(0.0, 0.02, (count, width)) + np.eye(width)[-1]
        elif modality.unit == "degC":
            return rng.normal(33.0, 0.01, (count, width))
        else:
            return rng.normal(0.0, 10.0, (count, width))
    return np.tile(np.asarray(wave, dtype=np.float64)[:count, None], (1, width))


def plain_way(
    modality: ModalitySettings, recording: Recording
) -> tuple[Callable[[], Any] | None, str]:
    """Return NeuroKit2's processing of a modality's last full window, and its name.

    The call is None where NeuroKit2 has no such thing; the name then says so.
    """
    import neurokit2 as nk

    stream = next(s for s in recording.streams if s.info.key == modality.name)
    rate = stream.info.rate
    window = stream.samples[-round(modality.window * rate) :, 0]

    def heart() -> Any:
        _, info = nk.ecg_process(window, sampling_rate=round(rate))
        return nk.hrv(info, sampling_rate=round(rate))

    ways: dict[tuple[str, ...], tuple[Callable[[], Any], str]] = {
        _HEART: (heart, "ecg_process, hrv"),
        _PULSE: (lambda: nk.ppg_process(window, sampling_rate=round(rate)), "ppg_process"),
        _SKIN: (lambda: nk.eda_process(window, sampling_rate=round(rate)), "eda_process"),
        _MUSCLE: (lambda: nk.emg_process(window, sampling_rate=round(rate)), "emg_process"),
    }
    for sets, (call, name) in ways.items():
        if modality.features in sets:
            return _quietly(call), name
    return None, "NeuroKit2 has none"


def _quietly(call: Callable[[], Any]) -> Callable[[], Any]:
    """Return a call without the warnings that NeuroKit2 gives on short windows."""

    def quiet() -> Any:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return call()

    return quiet
