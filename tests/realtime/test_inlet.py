from __future__ import annotations

import sys
import time
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from realtime.correction import DEAD_BAND, SLEW, ClockCorrection
from realtime.discovery import Discovery
from realtime.errors import InputError
from realtime.inlet import Inlet
from realtime.pace import Pace
from realtime.recording import Replay, StreamInfo
from tests.realtime.conftest import Source, found, gather, until

Connect = Callable[[StreamInfo], Inlet]


def ready(inlet: Inlet) -> Inlet:
    """Wait until the inlet is connected."""
    until(lambda: inlet._inlet is not None)
    return inlet


def test_values_and_stamps_survive(source: Source, connect: Connect, ppg: StreamInfo) -> None:
    formats = ["float32", "double64", "int8", "int16", "int32"]
    if sys.platform != "win32":  # pylsl has no int64 there
        formats.append("int64")
    infos = [
        replace(ppg, source_id=f"{ppg.source_id}-{name}", format=name, labels=("A", "B"))
        for name in formats
    ]
    for info in infos:
        source.open(replace(info, units=("", "")))
    inlets = [connect(info) for info in infos]
    stamps = [1e5 + 1 / 3, 1e5 - 7.0, 2e5 + 1e-7]  # backwards too: nothing is sorted
    for info, inlet in zip(infos, inlets, strict=True):
        values = np.array([[1.0, -128.0], [127.0, 0.0], [-7.0, 3.0]])
        if info.format in ("float32", "double64"):
            values[1] = np.nan, np.inf
        ready(inlet)
        source.push(info.source_id, values, stamps)
        raw, times, samples = gather(inlet, 3)
        assert raw.tolist() == stamps
        # On one machine clocks are the same, and the noise of measuring them moves nothing.
        assert times.tolist() == stamps
        assert samples.dtype == np.float64
        np.testing.assert_array_equal(samples, values)


def test_nothing_is_missing_from_a_stream_that_runs(
    source: Source, connect: Connect, ppg: StreamInfo
) -> None:
    source.open(ppg, running=True)
    inlet = connect(ppg)
    raw, times, samples = gather(inlet, 64)
    assert np.diff(samples[:, 0]).tolist() == [1.0] * (len(samples) - 1)
    np.testing.assert_allclose(np.diff(times), 1 / 64, atol=1e-9)
    statistics = inlet.statistics()
    assert statistics.state == "live"
    assert statistics.samples == len(raw)
    assert statistics.rate == pytest.approx(64, rel=1e-3)
    assert statistics.overall_rate == pytest.approx(64, rel=1e-3)
    assert 0 <= statistics.data_age < 5
    assert (statistics.gaps, statistics.clock_resets, statistics.dropped) == (0, 0, 0)


def test_loss_shows_and_return_is_noticed(
    source: Source, connect: Connect, ppg: StreamInfo
) -> None:
    doomed = Source()
    doomed.open(ppg, running=True)
    inlet, other = connect(ppg), connect(ppg)
    gather(inlet, 10)
    gather(other, 1)
    doomed.kill()

    def state() -> str:
        inlet.poll()
        return inlet.state

    begin = time.monotonic()
    until(lambda: state() == "lost")
    # Two seconds are the aim; a busy machine may need longer, a broken one never gets here.
    assert time.monotonic() - begin < 6
    other.close()  # while it recovers: must neither hang nor abort
    source.open(ppg, running=True)
    _, times, samples = gather(inlet, 10)
    assert samples[0, 0] < 64 * 5  # the new outlet counts from 0
    assert np.all(np.diff(times) > 0)
    statistics = inlet.statistics()
    assert statistics.state == "live"
    assert statistics.clock_resets == 1
    assert statistics.gaps == 1
    other._thread.join(5)
    assert not other._thread.is_alive()
    assert other.poll() is None


def test_return_with_another_shape_asks_for_a_new_binding(
    source: Source, connect: Connect, discovery: Discovery, ppg: StreamInfo
) -> None:
    source.open(ppg, running=True)
    inlet = connect(ppg)
    gather(inlet, 5)
    source.close(ppg.source_id)
    source.open(replace(ppg, labels=("BVP", "IR"), units=("", "")), running=True)
    until(lambda: (inlet.poll(), inlet.state == "changed")[1])
    inlet.close()

    def reshaped() -> StreamInfo | None:
        info = found(discovery, ppg.source_id)
        return info if info.channel_count == 2 else None

    again = connect(until(reshaped))
    _, _, samples = gather(again, 5)
    assert samples.shape[1] == 2


def test_zero_samples_for_ever(source: Source, connect: Connect, ppg: StreamInfo) -> None:
    source.open(ppg)
    inlet = ready(connect(ppg))
    time.sleep(1.2)  # past the patience of a stream of 64 Hz, and past a search
    assert inlet.poll() is None
    statistics = inlet.statistics()
    assert statistics.state == "waiting"
    assert statistics.samples == 0
    assert statistics.data_age == float("inf")
    source.push(ppg.source_id, [[1.0]], [5.0])
    gather(inlet, 1)
    until(lambda: inlet.state == "silent")


def test_a_flood_is_bounded_and_counted(source: Source, connect: Connect, ppg: StreamInfo) -> None:
    slow = replace(ppg, rate=1.0)
    source.open(slow)
    inlet = ready(connect(slow))
    inlet._limit, inlet._block = 128, 64  # small enough for a test to exceed
    for start in range(0, 300, 100):
        numbers = np.arange(start, start + 100)
        source.push(slow.source_id, numbers[:, None], (numbers + 1.0).tolist())
    until(lambda: inlet._inlet.samples_available() >= 300)
    received = inlet.poll()
    assert received is not None
    assert len(received[0]) == 128
    assert inlet.statistics().dropped == 300 - 128
    assert inlet.poll() is None
    source.push(slow.source_id, [[7.0]], [1000.0])
    assert gather(inlet, 1)[2].tolist() == [[7.0]]


def test_samples_wait_for_the_clock_of_a_new_source(
    source: Source, connect: Connect, ppg: StreamInfo
) -> None:
    source.open(ppg)
    inlet = ready(connect(ppg))
    # As after a reset whose measurement will not come: samples are held, not guessed.
    inlet._measure = lambda _: None  # type: ignore[method-assign]
    time.sleep(0.3)  # a round of the inlet's own thread
    inlet._known.clear()
    source.push(ppg.source_id, [[1.0], [2.0]], [10.0, 11.0])
    until(lambda: (inlet.poll(), inlet._held)[1])
    assert inlet.statistics().samples == 0
    inlet._correction.measure(0.5, jump=True)
    inlet._known.set()
    raw, times, samples = gather(inlet, 2)
    assert raw.tolist() == [10.0, 11.0]
    assert times.tolist() == [10.5, 11.5]
    assert samples.ravel().tolist() == [1.0, 2.0]


def test_a_replay_ages_by_wall_time(source: Source, connect: Connect, ppg: StreamInfo) -> None:
    info = replace(ppg, replay=Replay(100.0, 8.0))
    source.open(info)
    inlet = ready(connect(info))
    source.push(info.source_id, [[1.0]], [10.0])  # stamped long ago
    gather(inlet, 1)
    assert inlet.statistics().data_age < 5
    inlet.info = replace(inlet.info, replay=None)
    assert inlet.statistics().data_age > 10


@pytest.mark.parametrize(("channels", "rate"), [(70000, 1.0), (1, 1e8), (60000, 1e6), (1, -1.0)])
def test_absurd_shapes_are_refused(ppg: StreamInfo, channels: int, rate: float) -> None:
    with pytest.raises(InputError, match=f"{channels} channels"):
        Inlet(replace(ppg, labels=("",) * channels, rate=rate), None)


def test_noise_of_the_clock_moves_nothing() -> None:
    correction = ClockCorrection()
    generator = np.random.default_rng(1)
    for second in range(100):
        correction.measure(float(generator.normal(0, 0.2e-3)), jump=second == 0)
        assert correction.at(float(second)) == 0.0


def test_drift_is_followed_without_jumps() -> None:
    correction = ClockCorrection()
    correction.measure(5.0, jump=True)
    held = [correction.at(0.0)]
    assert held == [5.0]
    drift = 50e-6
    for step in range(1, 30000):
        now = step * 0.02
        if step % 150 == 0:
            assert not correction.measure(5.0 + drift * now)
        held.append(correction.at(now))
    assert np.abs(np.diff(held)).max() <= SLEW * 0.02 * 1.01
    truth = 5.0 + drift * np.arange(len(held)) * 0.02
    assert np.abs(held - truth).max() < DEAD_BAND + 3 * drift + 1e-9


def test_a_leap_is_taken_over_at_once_and_reported() -> None:
    correction = ClockCorrection()
    correction.measure(0.0, jump=True)
    assert correction.measure(3600.0)
    assert correction.at(1.0) == 3600.0


def test_pace_leaves_out_gaps_and_leaps() -> None:
    pace = Pace(4.0)
    times = np.concatenate([np.arange(40) / 4, 100 + np.arange(40) / 4, 1.7e9 + np.arange(40) / 4])
    for piece in np.array_split(times, 13):
        pace.count(piece)
    assert pace.samples == 120
    assert pace.gaps == 2
    assert pace.overall == pytest.approx(4.0)
    assert pace.current == pytest.approx(4.0)


def test_events_may_be_rare() -> None:
    pace = Pace(0.0)
    pace.count(np.array([1.0]))
    pace.count(np.array([500.0]))
    assert pace.gaps == 0
    assert pace.patience == np.inf
    regular = Pace(0.0)
    regular.count(np.arange(50) / 10)
    assert regular.overall == pytest.approx(10)
    assert regular.patience == 1.0
