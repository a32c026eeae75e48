from __future__ import annotations

import numpy as np
import pytest
from scipy import signal

from realtime.features.acc import AccFeatures
from realtime.features.base import FeatureSet, Segment
from realtime.features.eda import EdaFeatures
from realtime.features.temperature import TemperatureFeatures
from realtime.markers import parse_marker
from realtime.simulator.affect import LAB
from realtime.simulator.layouts import E4, EMOTIBIT, LAYOUTS
from realtime.simulator.person import E4_RATES, Person

WRIST_SUMS = {
    **{"ppg": 302.59204696422705, "eda": 28.313890905439127},
    **{"temperature": 1346.4866919973992, "acc": -19.04193354771471},
}
REST, STRESS, FUN = (0, 300), (300, 600), (900, 1200)


@pytest.fixture(scope="module")
def people() -> list[dict[str, tuple[np.ndarray, np.ndarray]]]:
    """Four people's laboratory session."""
    return [Person(seed, LAB).read(0.0, 1200.0) for seed in range(1, 5)]


def test_samples_lie_on_the_rates_grid() -> None:
    read = Person(1).read(3.3, 10.0)
    for name, rate in E4_RATES.items():
        times, samples = read[name]
        assert samples.shape == (len(times), 3 if name == "acc" else 1)
        np.testing.assert_array_equal(times, np.round(times * rate) / rate)
        np.testing.assert_allclose(np.diff(times), 1 / rate)
        assert times[0] - 1 / rate < 3.3 <= times[0]
        assert times[-1] < 10.0 <= times[-1] + 1 / rate


@pytest.mark.parametrize("name", list(LAYOUTS))
def test_cuts_change_nothing(name: str) -> None:
    rates = LAYOUTS[name].rates
    seconds = 50.0 if name in ("e4", "emotibit") else 6.0
    whole = Person(7, rates=rates).read(0.0, seconds)
    person = Person(7, rates=rates)
    rng = np.random.default_rng(1)
    cuts = np.concatenate(([0.0], np.sort(rng.uniform(0, seconds, 200)), [seconds]))
    parts = [person.read(a, b) for a, b in zip(cuts, cuts[1:], strict=False)]
    for modality, (times, samples) in whole.items():
        joined = [np.concatenate([part[modality][i] for part in parts]) for i in range(2)]
        assert joined[0].tobytes() == times.tobytes()
        assert joined[1].tobytes() == samples.tobytes()


def test_going_back_and_starting_late_give_the_same() -> None:
    person = Person(7)
    whole = person.read(0.0, 60.0)
    again = person.read(5.0, 8.0)
    late = Person(7).read(55.0, 60.0)
    for modality, (times, samples) in whole.items():
        inside = (times >= 5.0) & (times < 8.0)
        np.testing.assert_array_equal(again[modality][1], samples[inside])
        np.testing.assert_array_equal(late[modality][1], samples[times >= 55.0])


def test_people_differ() -> None:
    one, two = Person(1).read(0, 30), Person(2).read(0, 30)
    for modality in E4_RATES:
        assert not np.allclose(one[modality][1], two[modality][1])


def test_a_moment_without_samples_is_empty() -> None:
    read = Person(1).read(2.01, 2.012)
    assert [len(times) for times, _ in read.values()] == [0, 0, 0, 0]
    assert read["acc"][1].shape == (0, 3)


@pytest.mark.parametrize("name", ["respiban", "dmer"])
def test_going_back_gives_the_same_of_every_sensor(name: str) -> None:
    person = Person(7, rates=LAYOUTS[name].rates)
    early = person.read(1.0, 2.0)
    person.read(14.0, 14.5)
    again = person.read(1.0, 2.0)
    for modality, (_, samples) in early.items():
        assert again[modality][1].tobytes() == samples.tobytes()


def test_the_wrist_is_the_one_that_documents_and_checkpoints_know() -> None:
    """Sums of samples from before there were other rigs."""
    read = Person(1, LAB).read(295.0, 305.0)
    sums = {name: samples.sum() for name, (_, samples) in read.items()}
    assert sums == pytest.approx(WRIST_SUMS, rel=1e-9)


def test_a_missing_sensor_changes_no_other() -> None:
    whole = Person(5).read(0, 20)
    some = Person(5, rates={"eda": 4.0, "acc": 32.0}).read(0, 20)
    assert set(some) == {"eda", "acc"}
    for modality, (_, samples) in some.items():
        np.testing.assert_array_equal(samples, whole[modality][1])
    everything = Person(5, rates={**E4_RATES, **LAYOUTS["respiban"].rates, "eda": 4.0}).read(0, 20)
    for modality, (_, samples) in whole.items():
        np.testing.assert_array_equal(samples, everything[modality][1])


def test_two_devices_see_the_same_person() -> None:
    band = Person(9, LAB, E4.rates).read(300, 420)
    bit = Person(9, LAB, EMOTIBIT.rates).read(300, 420)
    for modality, tolerance in (("eda", 0.01), ("temperature", 0.05), ("ppg", 12.0)):
        times, samples = band[modality]
        other = np.interp(times, bit[modality][0], bit[modality][1][:, 0])
        assert np.median(np.abs(other - samples[:, 0])) < tolerance


def test_signals_have_the_size_of_real_ones(people: list) -> None:
    for read in people:
        assert 20 < np.ptp(np.percentile(read["ppg"][1], [5, 95])) < 500
        assert abs(read["ppg"][1].mean()) < 10
        assert 0.1 < read["eda"][1].min() < read["eda"][1].max() < 20
        assert 30 < read["temperature"][1].min() < read["temperature"][1].max() < 36
        magnitude = np.linalg.norm(read["acc"][1], axis=1)
        assert np.median(magnitude) == pytest.approx(1.0, abs=0.02)


def features(kind: type[FeatureSet], read: tuple, rate: float, cutoff: float) -> np.ndarray:
    """Mean features of minutes in rest, stress and amusement, shape (3, features)."""
    raw = read[1]
    sos = signal.butter(2, cutoff, fs=rate, output="sos")
    state = signal.sosfilt_zi(sos)[:, :, None] * raw[0]
    filtered = signal.sosfilt(sos, raw, axis=0, zi=state)[0]
    computed, done, means = kind(rate, raw.shape[1], 60.0), 0, []
    for begin, end in (REST, STRESS, FUN):
        rows = []
        for stop in range(begin + 60, end + 1, 60):
            at = int(stop * rate)
            computed.update(Segment(done, rate, raw[done:at], filtered[done:at]))
            done, start = at, int((stop - 60) * rate)
            window = Segment(start, rate, raw[start:at], filtered[start:at])
            assert computed.quality(window) == 1.0
            rows.append(computed.extract(window))
        means.append(np.nanmean(rows, axis=0))
    return np.array(means)


def test_stress_resembles_that_of_real_people(people: list) -> None:
    """Mean over people against the medians of WESAD that the docstring of Person lists."""
    kinds = ((EdaFeatures, 4.0, 1.0), (TemperatureFeatures, 4.0, 0.5), (AccFeatures, 32.0, 10.0))
    found = {}
    for kind, rate, cutoff in kinds:
        values = np.array([features(kind, read[kind.name], rate, cutoff) for read in people])
        names = [feature.name for feature in kind.features]
        for i, name in enumerate(names):
            found[kind.name, name] = values[:, :, i]

    def check(key: tuple[str, str], resting: tuple, stressed: tuple, sign: int) -> None:
        rest, stress, fun = found[key].T
        assert resting[0] < np.mean(rest) < resting[1]
        assert stressed[0] < np.mean(stress) < stressed[1]
        assert (sign * (stress - rest) > 0).all()
        assert abs(np.mean(fun - rest)) < 0.6 * abs(np.mean(stress - rest))

    check(("eda", "mean"), (0.3, 1.5), (1.2, 5.0), 1)
    check(("eda", "scr_rate"), (0.5, 3.5), (6.0, 12.0), 1)
    check(("eda", "scr_amplitude_mean"), (0.02, 0.12), (0.06, 0.3), 1)
    check(("acc", "magnitude_std"), (0.008, 0.03), (0.03, 0.09), 1)
    check(("acc", "still"), (0.75, 0.95), (0.45, 0.75), -1)
    rest, stress, _ = found["temperature", "slope"].T
    assert (stress < rest).all()
    assert -0.0025 < np.mean(stress) < -0.0005


def beats(person: Person, begin: int, end: int) -> np.ndarray:
    """Return the beats of a stretch of time."""
    found: set[float] = set()
    for second in range(begin, end):
        person.read(second, second + 1)
        found.update(person._heart.beats)
    return np.array(sorted(beat for beat in found if begin <= beat < end))


def test_neurokit_finds_the_beats_in_the_pulse() -> None:
    nk = pytest.importorskip("neurokit2")
    person = Person(2, LAB)
    read = person.read(60, 240)
    truth = beats(Person(2, LAB, {"ppg": 64.0}), 60, 240)
    pulse = read["ppg"][1][:, 0]
    peaks = nk.ppg_findpeaks(nk.ppg_clean(pulse, sampling_rate=64), sampling_rate=64)["PPG_Peaks"]
    found = 60 + peaks / 64
    times, acceleration = read["acc"]
    moved = times[1:][np.abs(np.diff(acceleration, axis=0)).max(axis=1) > 0.02]
    still = np.abs(found[:, None] - moved).min(axis=1) > 1.0
    assert still.sum() > 60
    # The systolic peak comes 0.2 s after the beat.
    late = np.abs(found[still][:, None] - 0.2 - truth).min(axis=1)
    assert np.mean(late < 0.05) > 0.95


def test_stress_speeds_the_heart_and_evens_its_beats() -> None:
    person = Person(2, LAB, {"ppg": 64.0})
    calm = np.diff(beats(person, 60, 240))
    tense = np.diff(beats(person, 360, 540))
    assert 5 < 60 / tense.mean() - 60 / calm.mean() < 25
    rmssd = [1000 * np.sqrt(np.mean(np.diff(x) ** 2)) for x in (calm, tense)]
    assert 30 < rmssd[0] < 60
    assert rmssd[1] < 0.8 * rmssd[0]


def test_a_recording_holds_everything_and_says_that_it_is_simulated() -> None:
    recording = Person(3).to_recording(100.0)
    assert [s.info.key for s in recording.streams] == ["ppg", "eda", "temperature", "acc"]
    assert [s.info.labels for s in recording.streams] == [
        ("BVP",),
        ("EDA",),
        ("TEMP",),
        ("X", "Y", "Z"),
    ]
    assert [s.info.units[0] for s in recording.streams] == ["a.u.", "uS", "degC", "g"]
    for stream in recording.streams:
        assert stream.info.simulated
        assert len(stream.times) == 100 * stream.info.rate
        np.testing.assert_array_equal(stream.samples, Person(3).read(0, 100)[stream.info.key][1])
    assert all(info.simulated for info in recording.marker_streams)
    events = [(m.time, parse_marker(m.text)) for m in recording.markers]
    assert [(t, e.event, e.condition) for t, e in events if e is not None] == [
        (0.0, "baseline_start", ""),
        (35.0, "baseline_stop", ""),
        (35.0, "trial_start", "stress"),
        (95.0, "trial_stop", "stress"),
        (95.0, "trial_start", "rest"),
    ]


def test_hours_pass_in_bounded_memory() -> None:
    person = Person(1, rates={"eda": 4.0, "acc": 15.0})
    for begin in range(0, 900, 5):
        person.read(begin, begin + 5)
    assert all(len(pages) < 20 for pages in person._pages.values())
    assert len(person._sources["eda"].__self__._onsets) < 20
    assert len(person._movement._fidgets) < 20


def test_wrong_requests_are_refused() -> None:
    with pytest.raises(ValueError, match="read from 5 to 3 s"):
        Person(1).read(5, 3)
    with pytest.raises(ValueError, match="mood"):
        Person(1, rates={"mood": 1.0})
    with pytest.raises(ValueError, match="15 frames a second: must be 30"):
        Person(1, rates={"face": 15.0})
    with pytest.raises(ValueError, match="seed -1"):
        Person(-1)
    with pytest.raises(ValueError, match="cannot wear EmotiBit"):
        Person(1).to_recording(5.0, EMOTIBIT)
