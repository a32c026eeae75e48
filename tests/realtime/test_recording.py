"""Interleaving a recording's streams, and telling stray stamps apart."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from realtime.chunk import Chunk
from realtime.recording import (
    RecordedStream,
    Recording,
    StreamInfo,
    plausible_stamps,
    recording_start,
)


def stream(key: str, times: list[float] | NDArray[np.float64], rate: float = 4.0) -> RecordedStream:
    stamps = np.asarray(times, dtype=np.float64)
    info = StreamInfo(key, key, "T", rate, ("",), ("",))
    return RecordedStream(info, stamps, np.arange(len(stamps), dtype=np.float64)[:, None])


def recording(*streams: RecordedStream) -> Recording:
    return Recording("memory", streams, start=recording_start(streams))


def assert_complete(source: Recording, chunks: list[Chunk]) -> None:
    for one in source.streams:
        own = [chunk for chunk in chunks if chunk.stream == one.info.key]
        assert all(len(chunk) for chunk in own)
        times = np.concatenate([np.empty(0), *(chunk.times for chunk in own)])
        samples = np.concatenate([np.empty((0, 1)), *(chunk.samples for chunk in own)])
        np.testing.assert_array_equal(times, one.times)
        np.testing.assert_array_equal(samples, one.samples)


stamps = st.lists(
    st.one_of(
        st.floats(0, 30),
        st.sampled_from([np.nan, np.inf, -np.inf, 0.0, -5.0, 1.7e9, 1e15, 1e300, -1e300, 5e-324]),
    ),
    max_size=40,
)
lengths = st.sampled_from([1e-3, 0.1, 1.0, 7.3, 1e4, float("inf")])


@given(st.lists(stamps, max_size=3), lengths)
@settings(max_examples=80, deadline=None, derandomize=True)
def test_any_chunk_length_gives_all_samples_in_order_once(
    columns: list[list[float]], seconds: float
) -> None:
    source = recording(*(stream(str(i), times) for i, times in enumerate(columns)))
    total = sum(len(s.times) for s in source.streams)
    # Every chunk holds a sample, so an endless loop would show as too many chunks.
    chunks = list(itertools.islice(source.chunks(seconds), total + 1))
    assert_complete(source, chunks)
    until = [end for end, _ in itertools.islice(source.rounds(seconds), total + 1)]
    assert until == sorted(until)
    assert until[-1:] == [np.inf] * bool(total)


def test_rounds_hold_what_came_before_their_end() -> None:
    source = recording(
        stream("a", np.arange(0, 60, 0.25)), stream("b", np.arange(0.1, 60, 1 / 64), 64.0)
    )
    for until, chunks in source.rounds(1.0):
        for chunk in chunks:
            assert np.all(chunk.times < until)
            assert np.all(chunk.times >= until - 1.0) or until == np.inf
    assert len(list(source.rounds(1.0))) == 60
    assert len(list(source.chunks(float("inf")))) == 2


def test_an_early_epoch_jump_does_not_hold_back_its_stream() -> None:
    times = np.arange(0, 100, 0.25)
    times[:3] = 1.7e9
    source = recording(stream("a", times), stream("b", np.arange(0, 100, 0.25)))
    reached = {"a": 0, "b": 0}
    for _, chunks in source.rounds(1.0):
        for chunk in chunks:
            reached[chunk.stream] += len(chunk)
        assert abs(reached["a"] - reached["b"]) <= 4
    assert source.start == 0.0


def test_alternating_clocks_and_long_recordings_stay_interleaved() -> None:
    times = np.arange(0, 100, 0.25)
    times[1::2] += 1.7e9
    long = np.arange(0, 3 * 86400, 60.0)
    for pair in ((stream("a", times), stream("b", times)), (stream("a", long), stream("b", long))):
        reached = {"a": 0, "b": 0}
        for _, chunks in recording(*pair).rounds(60.0):
            for chunk in chunks:
                reached[chunk.stream] += len(chunk)
            assert abs(reached["a"] - reached["b"]) <= 1


def test_long_silence_is_jumped_over() -> None:
    source = recording(stream("a", [0.0, 1.0, 1e9, 1e9 + 1]))
    assert len(list(itertools.islice(source.chunks(1e-3), 100))) == 4


def test_chunks_are_views() -> None:
    source = recording(stream("a", np.arange(0, 100, 0.25)))
    assert all(np.shares_memory(c.samples, source.streams[0].samples) for c in source.chunks())


@pytest.mark.parametrize("seconds", [0.0, -1.0, float("nan")])
def test_absurd_chunk_lengths_are_refused(seconds: float) -> None:
    with pytest.raises(ValueError, match="above 0"):
        list(recording(stream("a", [1.0])).chunks(seconds))


def test_plausible_stamps() -> None:
    session = np.arange(5000.0, 5600.0)
    afternoon = session[:100] + 4 * 3600  # after a long lunch
    stray = np.array([1.7e9, 0.0, np.nan, -np.inf, 1e300])
    times = np.concatenate([stray, afternoon, session])
    assert plausible_stamps(times).tolist() == [False] * 5 + [True] * 700
    assert not plausible_stamps(np.array([np.nan])).any()
    assert plausible_stamps(np.empty(0)).shape == (0,)


def test_start_is_the_earliest_moment_that_most_streams_agree_on() -> None:
    a, b = stream("a", np.arange(90_010.0, 90_100)), stream("b", np.arange(90_000.0, 90_100))
    device = stream("c", np.arange(5.0, 500.0, 0.5))
    assert recording_start([a, b, device]) == 90_000.0
    assert recording_start([device, stream("d", np.arange(4.0, 500.0))]) == 4.0
    assert recording_start([]) == 0.0
    assert recording_start([stream("n", [np.nan])]) == 0.0
    jump = np.arange(90_000.0, 90_100)
    jump[:2] = 3.0, 1.7e9
    assert recording_start([stream("j", jump)]) == 90_002.0


def test_a_short_early_stretch_is_given_in_time() -> None:
    early = np.concatenate([np.arange(0, 20, 0.25), np.arange(9000, 12_000, 0.25)])
    for until, chunks in recording(stream("a", early), stream("b", [10.0, 9500.0])).rounds(5.0):
        for chunk in chunks:
            assert np.all(chunk.times >= until - 5.0) or until == np.inf
