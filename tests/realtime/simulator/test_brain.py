from __future__ import annotations

import numpy as np
import pytest
from scipy import signal

from realtime.rig import load_rig
from realtime.simulator.affect import Schedule, amusement, rest, stress
from realtime.simulator.brain import ELECTRODES
from realtime.simulator.person import Person

SCHEDULE = Schedule((), (rest(90.0), stress(90.0), amusement(90.0)))
RATE = 300
PARTS = {
    name: slice((90 * i + 8) * RATE, 90 * (i + 1) * RATE)
    for i, name in enumerate(("rest", "stress", "fun"))
}
NAMES = list(ELECTRODES)


@pytest.fixture(scope="module")
def caps() -> list[np.ndarray]:
    """EEG of three people, shape (n, 18)."""
    return [Person(seed, SCHEDULE, {"eeg": 300.0}).read(0.0, 270.0)["eeg"][1] for seed in (1, 2, 3)]


def power(eeg: np.ndarray, part: str, name: str, low: float, high: float) -> float:
    """Return the power of an electrode in a band, in uV^2."""
    samples = eeg[PARTS[part], NAMES.index(name)]
    frequency, density = signal.welch(samples, RATE, nperseg=2 * RATE)
    return float(density[(frequency >= low) & (frequency <= high)].sum() * frequency[1])


def test_electrodes_are_those_of_the_rig() -> None:
    assert tuple(NAMES) == load_rig("dmer").modality("eeg").channel_names


def test_rhythms_follow_arousal_and_valence(caps: list) -> None:
    for eeg in caps:
        alpha = {part: power(eeg, part, "O1", 8, 13) for part in PARTS}
        beta = {part: power(eeg, part, "Cz", 14, 30) for part in PARTS}
        assert alpha["stress"] < 0.7 * alpha["rest"]
        assert beta["stress"] > 1.15 * beta["rest"]
        lean = {
            part: np.log(power(eeg, part, "F4", 8, 13) / power(eeg, part, "F3", 8, 13))
            for part in PARTS
        }
        assert lean["fun"] > lean["stress"] + 0.1


def test_the_scalp_is_one(caps: list) -> None:
    for eeg in caps:
        assert 4 < np.median(eeg.std(axis=0)) < 40
        spectrum = signal.sosfiltfilt(
            signal.butter(4, (1, 6), "bandpass", fs=RATE, output="sos"), eeg[PARTS["rest"]], axis=0
        )
        together = np.corrcoef(spectrum.T)
        near = together[NAMES.index("P3"), NAMES.index("O1")]
        far = together[NAMES.index("F8"), NAMES.index("T5")]
        assert near > 0.4
        assert near > far + 0.2
        # A little mains hum, that a notch takes out.
        hum, beside = power(eeg, "rest", "Cz", 49.5, 50.5), power(eeg, "rest", "Cz", 52, 53)
        assert 1.5 * beside < hum < 10


def test_blinks_show_at_the_front_and_follow_stress() -> None:
    counts = []
    for seed in range(1, 6):
        eeg = Person(seed, SCHEDULE, {"eeg": 300.0}).read(0.0, 180.0)["eeg"][1]
        slow = signal.sosfiltfilt(signal.butter(2, 8, fs=RATE, output="sos"), eeg, axis=0)
        front, back = slow[:, NAMES.index("Fp1")], slow[:, NAMES.index("O1")]
        found = [
            signal.find_peaks(front[PARTS[part]], height=50, distance=RATE // 3)[0]
            for part in ("rest", "stress")
        ]
        counts.append([len(peaks) for peaks in found])
        at = found[0] + PARTS["rest"].start
        assert np.median(front[at]) > 60
        assert abs(np.median(back[at])) < 0.15 * np.median(front[at])
    calm, tense = np.array(counts).T / (82 / 60)
    assert 5 < calm.mean() < 25
    assert tense.mean() > 1.4 * calm.mean()
