from __future__ import annotations

import numpy as np
import pytest
from scipy import signal

from realtime.simulator.affect import Schedule, rest, stress
from realtime.simulator.layouts import RESPIBAN
from realtime.simulator.person import Person

SCHEDULE = Schedule((), (rest(120.0), stress(120.0)))
RATE = 700
REST, STRESS = slice(10 * RATE, 120 * RATE), slice(130 * RATE, 240 * RATE)


@pytest.fixture(scope="module")
def people() -> list[dict[str, np.ndarray]]:
    """Samples of three people who rest and are then stressed."""
    return [
        {name: samples for name, (_, samples) in one.read(0.0, 240.0).items()}
        for one in (Person(seed, SCHEDULE, RESPIBAN.rates) for seed in (1, 2, 3))
    ]


def truth(seed: int) -> np.ndarray:
    """Return the beats of a person."""
    person = Person(seed, SCHEDULE, {"ecg": 700.0})
    found: set[float] = set()
    for second in range(240):
        person.read(second, second + 1)
        found.update(person._heart.beats)
    return np.array(sorted(beat for beat in found if 0.5 <= beat < 239.5))


@pytest.mark.parametrize("number", [0, 1, 2])
def test_r_peaks_are_the_hearts_beats(people: list, number: int) -> None:
    nk = pytest.importorskip("neurokit2")
    ecg = people[number]["ecg"][:, 0]
    cleaned = nk.ecg_clean(ecg, sampling_rate=RATE)
    found = nk.ecg_peaks(cleaned, sampling_rate=RATE)[1]["ECG_R_Peaks"] / RATE
    beats = truth(number + 1)
    nearest = np.abs(found[:, None] - beats).min(axis=0)
    assert np.mean(nearest < 0.05) > 0.97, f"{np.mean(nearest < 0.05):.3f} of the beats found"
    assert len(found) == pytest.approx(len(beats), rel=0.03)


def test_the_pulse_follows_the_r_peak() -> None:
    """A chest and a wrist of one person have the same beats."""
    person = Person(1, SCHEDULE, {"ecg": 700.0, "ppg": 64.0})
    person.read(0.0, 60.0)
    np.testing.assert_array_equal(
        person._heart.beats, [b for b in both_alone(1) if b in person._heart.beats]
    )


def both_alone(seed: int) -> list[float]:
    person = Person(seed, SCHEDULE, {"ppg": 64.0})
    person.read(0.0, 60.0)
    return person._heart.beats


def test_stress_speeds_the_heart_and_tenses_the_muscle(people: list) -> None:
    for number, read in enumerate(people):
        beats = truth(number + 1)
        calm = 60 / np.diff(beats[(beats > 10) & (beats < 120)]).mean()
        tense = 60 / np.diff(beats[(beats > 130) & (beats < 240)]).mean()
        assert 4 < tense - calm < 28
        # Medians of the seconds' RMS, so that movements do not count.
        tone = [
            np.median(read["emg"][part].reshape(-1, RATE).std(axis=1)) for part in (REST, STRESS)
        ]
        assert 0.003 < tone[0] < 0.03
        assert 1.25 < tone[1] / tone[0] < 4.5
        levels = [read["eda"][part].mean() for part in (REST, STRESS)]
        assert levels[1] > 1.3 * levels[0]


def test_signals_have_the_size_and_band_of_real_ones(people: list) -> None:
    for read in people:
        ecg = read["ecg"][:, 0]
        assert 0.6 < np.percentile(ecg, 99.5) - np.median(ecg) < 2.5
        frequency, power = signal.welch(read["emg"][:, 0], RATE, nperseg=2 * RATE)
        inside = (frequency >= 20) & (frequency <= 250)
        assert power[inside].sum() > 0.8 * power.sum()
        magnitude = np.linalg.norm(read["trunk"], axis=1)
        assert np.median(magnitude) == pytest.approx(1.0, abs=0.01)
        # Upright: gravity lies along the first axis.
        assert read["trunk"].mean(axis=0)[0] > 0.85


def test_any_rate_of_a_device() -> None:
    """A chest strap at 130 Hz, and a movement sensor at a rate with a broken period."""
    read = Person(4, rates={"ecg": 130.0, "emg": 500.0, "trunk": 31.25}).read(0.0, 10.0)
    assert {name: len(times) for name, (times, _) in read.items()} == {
        "ecg": 1300,
        "emg": 5000,
        "trunk": 313,
    }
    assert np.isfinite(read["emg"][1]).all()
