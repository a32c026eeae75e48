from __future__ import annotations

import multiprocessing

import numpy as np
import pylsl
import pytest

from realtime.discovery import Discovery
from realtime.markers import parse_marker
from realtime.recording import StreamInfo
from realtime.simulator.affect import Schedule, baseline, stress
from realtime.simulator.layouts import E4, EMOTIBIT
from realtime.simulator.person import Person
from realtime.simulator.publish import Publisher, people, publish, run
from tests.realtime.conftest import found, until


def opened(discovery: Discovery, source_id: str) -> pylsl.StreamInlet:
    info = found(discovery, source_id)
    inlet = pylsl.StreamInlet(discovery.handle(info.key), recover=False)
    inlet.open_stream(10.0)
    return inlet


def pulled(inlet: pylsl.StreamInlet, count: int) -> tuple[list, np.ndarray]:
    samples, stamps = [], []
    while len(stamps) < count:
        sample, stamp = inlet.pull_sample(10.0)
        assert stamp is not None
        samples.append(sample)
        stamps.append(stamp)
    return samples, np.array(stamps)


def test_stamps_and_samples_are_exact_however_the_steps_fall(discovery: Discovery) -> None:
    schedule = Schedule((baseline(1.5),), (stress(30.0),))
    publisher = Publisher(Person(101, schedule), E4, "P1", origin=5000.0)
    acc = opened(discovery, "affectstream-sim-101-acc")
    marks = opened(discovery, "affectstream-sim-101-markers")
    for now in (5000.0, 5000.013, 5000.5, 5000.4, 5001.77, 5003.0):
        publisher.step(now)
    samples, stamps = pulled(acc, 96)
    np.testing.assert_array_equal(stamps, 5000.0 + np.arange(96) / 32)
    expected = Person(101, schedule).read(0.0, 3.0)["acc"][1]
    np.testing.assert_array_equal(np.array(samples), expected.astype(np.float32))
    assert publisher.counts == {"ppg": 192, "eda": 12, "temperature": 12, "acc": 96}
    texts, times = pulled(marks, 3)
    events = [parse_marker(text[0]) for text in texts]
    assert [(e.event, e.condition, e.participant) for e in events if e is not None] == [
        ("baseline_start", "", "P1"),
        ("baseline_stop", "", "P1"),
        ("trial_start", "stress", "P1"),
    ]
    assert times.tolist() == [5000.0, 5001.5, 5001.5]
    assert publisher.watched


def test_a_process_of_its_own_publishes_in_real_time(discovery: Discovery) -> None:
    child = multiprocessing.get_context("spawn").Process(
        target=publish, args=(1, 102, "emotibit", ("eda",)), daemon=True
    )
    child.start()
    try:
        inlet = opened(discovery, "affectstream-sim-102-ppg-green")
        _, stamps = pulled(inlet, 50)
        np.testing.assert_allclose(np.diff(stamps), 1 / 25, atol=1e-6)
        # Published as time passes, never ahead of it.
        assert stamps[-1] <= pylsl.local_clock()

        def ours() -> list[StreamInfo]:
            return [i for i in discovery.streams() if "sim-102-" in i.source_id]

        until(lambda: len(ours()) == 8)
        streams = ours()
        assert all(info.simulated for info in streams)
        assert not [info for info in streams if info.type == "EDA"]
    finally:
        child.terminate()
        child.join(10)


def test_running_ends_on_time_with_every_sample() -> None:
    publishers = people(2, seed=103, drop=("ppg",))
    assert [p.participant for p in publishers] == ["P1", "P2"]
    assert [p.person.seed for p in publishers] == [103, 104]
    spent = run(publishers, seconds=0.5)
    assert spent == pytest.approx(0.5, abs=1e-9)
    for publisher in publishers:
        # The outlets' clock starts with each Publisher, some milliseconds before run.
        assert publisher.counts["acc"] >= 16


def test_running_ends_when_told() -> None:
    asked = iter([False, False, True])
    publishers = people(1, seed=105)
    run(publishers, stopped=lambda: next(asked))
    assert next(asked, None) is None


def test_a_device_of_other_rates_is_refused() -> None:
    with pytest.raises(ValueError, match="cannot wear EmotiBit"):
        Publisher(Person(1), EMOTIBIT)
