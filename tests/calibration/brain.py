"""A cap's recording with known brain, blinks and muscle, made without the simulator."""

from __future__ import annotations

import numpy as np
from scipy.signal import butter, sosfilt

from realtime.recording import RecordedStream, Recording, StreamInfo
from realtime.rig import load_rig

DMER = load_rig("dmer")
NAMES = DMER.modality("eeg").channel_names
RATE = 300


def blinks(seconds, rng, every=4.0):
    """Return a blink about every `every` seconds, each 0.3 s long, of height 1."""
    track = np.zeros(seconds * RATE)
    shape = np.hanning(int(0.3 * RATE))
    moment = 1.0
    while moment < seconds - 1:
        first = int(moment * RATE)
        track[first : first + len(shape)] += shape
        moment += every * rng.uniform(0.6, 1.4)
    return track


def parts(seconds=90, seed=0, height=150.0, every=4.0):
    """Return brain, blinks and muscle separately, each (n, 18) in µV."""
    rng = np.random.default_rng(seed)
    n = seconds * RATE
    # Cortical sources with spectra that fall as 1/f, each near some electrodes, and an occipital
    # alpha rhythm that waxes and wanes.
    lines = np.fft.rfftfreq(n, 1 / RATE)
    spectrum = np.fft.rfft(rng.normal(size=(n, 24)), axis=0)
    spectrum[1:] /= np.maximum(lines[1:, None], 1.0)
    sources = np.fft.irfft(spectrum, n, axis=0)
    sources /= sources.std(axis=0)
    brain = 2.5 * sources @ rng.normal(size=(24, 18))
    alpha = sosfilt(butter(2, [9, 11], "bandpass", fs=RATE, output="sos"), rng.normal(size=n))
    occipital = np.isin(NAMES, ["O1", "O2"]) + 0.5 * np.isin(NAMES, ["P3", "P4", "T5", "T6"])
    brain += 10 * (alpha / alpha.std())[:, None] * occipital
    eyes = 1.0 * np.isin(NAMES, ["Fp1", "Fp2"]) + 0.4 * np.isin(
        NAMES, ["F7", "F3", "Fz", "F4", "F8"]
    )
    muscle = sosfilt(butter(4, 25, "highpass", fs=RATE, output="sos"), rng.normal(size=n))
    muscle *= 1 + (np.sin(2 * np.pi * np.arange(n) / RATE / 9) > 0.5)
    jaw = np.isin(NAMES, ["T3"]) + 0.3 * np.isin(NAMES, ["F7", "T5"])
    return (
        brain,
        height * blinks(seconds, rng, every)[:, None] * eyes,
        12.0 * muscle[:, None] * jaw,
    )


def recording(samples, labels=NAMES, rate=float(RATE)):
    """Return samples as a cap's stream."""
    info = StreamInfo("cap", "cap", "EEG", rate, tuple(labels), ("uV",) * len(labels), "cap-1")
    stream = RecordedStream(info, 5.0 + np.arange(len(samples)) / rate, samples)
    return Recording("made up", (stream,), start=5.0)
