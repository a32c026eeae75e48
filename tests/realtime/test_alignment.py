"""Modalities that come as several streams: which begin late, never, or on another clock."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from realtime.binding import Binding, Source, bind
from realtime.engine import Engine
from realtime.offline import windows_of
from realtime.recording import RecordedStream, Recording, StreamInfo
from realtime.rig import load_rig
from realtime.signal import Signal
from tests.realtime.synthetic import wristband

RIG = load_rig("wrist")
ACC = RIG.modality("acc")


def axes(begin: tuple[float, float, float], seconds: float = 17.0, rate: float = 32.0) -> Recording:
    """Return a wristband whose three axes come as a stream each, and begin when they are told."""
    band = wristband(seconds)
    streams = [s for s in band.streams if s.info.key != "acc"]
    for i, (axis, first) in enumerate(zip("XYZ", begin, strict=True)):
        times = np.arange(round(seconds * rate)) / rate
        values = np.sin(times * (i + 1))[:, np.newaxis]
        info = StreamInfo(
            *(f"acc{axis}", f"acc{axis}", f"Accelerometer{axis}", rate, (axis,), ("g",)),
            source_id=f"band-{axis}",
        )
        late = times >= first
        streams.append(RecordedStream(info, times[late], values[late]))
    return dataclasses.replace(band, streams=tuple(streams))


def told(windows) -> list[tuple]:
    """Return all that windows say, as comparable values."""
    return [
        (
            w.time,
            w.warm_up,
            *(
                (m, w.mask[m], w.valid[m], w.quality[m], w.age[m], w.features[m].tobytes())
                for m in sorted(w.features)
            ),
        )
        for w in windows
    ]


@pytest.mark.parametrize("rate", [32.0, 25.0])
@pytest.mark.parametrize(
    "begin",
    [
        *((0.0, 0.0, 0.0), (0.7, 0.0, 0.3), (1.0, 0.0, 0.0)),
        *((4.2, 0.0, 0.0), (4.2, 6.1, 3.9), (99.0, 3.9, 99.0), (13.0, 12.2, 12.2)),
    ],
    ids=str,
)
def test_chunk_size_changes_nothing_whichever_stream_begins_first(begin, rate) -> None:
    recording = axes(begin, rate=rate)
    runs = [told(_windows(recording, seconds)) for seconds in (0.11, 1.0, np.inf)]
    assert runs[0] == runs[1] == runs[2]
    assert len(runs[0]) >= 3


def _windows(recording: Recording, seconds: float):
    engine = Engine(RIG)
    # A stream that is announced but sends nothing is bound all the same, as it is live.
    engine.bind(bind(RIG, [s.info for s in recording.streams]).bindings)
    for until, chunks in recording.rounds(seconds):
        for chunk in chunks:
            engine.push(chunk)
        yield from engine.windows_until(until)


def test_streams_that_begin_together_give_what_one_stream_gives() -> None:
    separate = axes((0.0, 0.0, 0.0))
    parts = [s for s in separate.streams if s.info.type.startswith("Accelerometer")]
    info = StreamInfo("acc", "acc", "ACC", 32.0, ("X", "Y", "Z"), ("g",) * 3, source_id="band")
    joined = RecordedStream(info, parts[0].times, np.hstack([p.samples for p in parts]))
    others = [s for s in separate.streams if s not in parts]
    together = dataclasses.replace(separate, streams=(*others, joined))
    assert told(windows_of(separate, RIG)) == told(windows_of(together, RIG))


def signal(rate: float = 32.0) -> Signal:
    sources = tuple(Source(axis, (0,), (i,), None, rate) for i, axis in enumerate("XYZ"))
    return Signal(ACC, Binding("P1", "acc", sources), limit=60.0)


def push(target: Signal, stream: str, begin: float, end: float, rate: float = 32.0) -> None:
    times = np.arange(round(begin * rate), round(end * rate)) / rate
    target.push(stream, 100.0 + times, np.full((len(times), 1), float(ord(stream))))


def test_live_the_others_go_on_after_a_second_without_the_first() -> None:
    target = signal()
    for step in range(4):
        push(target, "Y", step / 4, (step + 1) / 4)
        push(target, "Z", step / 4, (step + 1) / 4)
        target.release()
        assert target.start is None
    push(target, "Y", 1.0, 3.0)
    push(target, "Z", 1.0, 3.0)
    target.release()
    assert target.start == pytest.approx(100.0)
    cells = target.ring.read(0, target.ring.stop)
    assert len(cells) == pytest.approx(2 * 32, abs=2)
    assert np.isnan(cells[:, 0]).all()
    assert (cells[:, 1:3] == [ord("Y"), ord("Z")]).all()
    # It joins when it comes, in its own cells.
    for stream in "XYZ":
        push(target, stream, 3.0, 5.0)
    target.release()
    cells = target.ring.read(0, target.ring.stop)
    assert np.flatnonzero(np.isfinite(cells[:, 0]))[0] == 3 * 32
    assert len(cells) == 5 * 32
    assert target.dropped == 0


def test_live_the_first_stream_sets_the_grid_as_soon_as_it_comes() -> None:
    target = signal()
    push(target, "Y", 0.0, 0.4)
    target.release()
    assert target.start is None
    push(target, "X", 0.25, 0.5)
    target.release()
    assert target.start == pytest.approx(100.25)


def test_live_a_stray_first_stamp_of_any_stream_is_forgotten() -> None:
    for stray in "XY":
        target = signal()
        target.push(stray, np.array([1.7e9]), np.zeros((1, 1)))
        for step in range(20):
            for stream in "XYZ":
                push(target, stream, step / 4, (step + 1) / 4)
            target.release()
        assert target.start is not None
        assert 100.0 <= target.start < 103.0
        cells = target.ring.read(0, target.ring.stop)
        assert np.isfinite(cells[-8:, :3]).all()
        assert len(cells) < 6 * 32


def test_a_limit_holds_before_the_grid_begins() -> None:
    sources = tuple(Source(axis, (0,), (i,), None, 32.0) for i, axis in enumerate("XY"))
    target = Signal(ACC, Binding("P1", "acc", sources), limit=2.0)
    for step in range(40):
        push(target, "Y", step / 4, (step + 1) / 4)
    assert target.dropped >= 7 * 32
    target.flush()
    assert target.start == pytest.approx(108.0, abs=0.3)
