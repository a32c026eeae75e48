"""Reading XDF files: sound, damaged and hostile ones."""

from __future__ import annotations

import struct
import tracemalloc
from functools import cache
from pathlib import Path

import numpy as np
import pytest
import pyxdf
from hypothesis import given, settings
from hypothesis import strategies as st

from realtime.clock_offsets import synchronise
from realtime.errors import InputError
from realtime.recording import Recording, StreamInfo
from realtime.xdf import read_xdf
from realtime.xdf_chunks import BLOCK, decode_numbers, walk
from realtime.xdf_writer import XdfWriter
from tests.data import data_folder

SOUND = (
    "clock_resets.xdf",
    "dyad_eeg32_acc_noise.xdf",
    "emg_8ch_250hz_markers.xdf",
    "minimal.xdf",
    "muse_eeg_ppg_acc_gyro_p001.xdf",
    "twochannel_string_marker.xdf",
)


@cache
def own_file(folder: Path) -> bytes:
    """A small file of ours: three streams in turns, clock offsets, a boundary."""
    path = folder / "own.xdf"
    with XdfWriter(path) as writer:
        infos = [
            StreamInfo("a", "a", "PPG", 10.0, ("x", "y"), ("", ""), format="int16"),
            StreamInfo("b", "b", "EDA", 4.0, ("x",), ("uS",), format="float32"),
            StreamInfo("m", "m", "Markers", 0.0, ("",), ("",), format="string"),
        ]
        a, b, m = (writer.add_stream(info) for info in infos)
        for i in range(0, 40, 10):
            stamps = 50 + np.arange(i, i + 10) / 10
            writer.write(a, stamps, np.arange(2 * i, 2 * i + 20).reshape(10, 2))
            writer.write(b, stamps[:4], np.arange(4)[:, None] + i / 7)
            writer.write(m, stamps[:1], [f"event {i}"])
    return path.read_bytes()


def assert_whole(recording: Recording) -> None:
    """Everything in a recording fits together, whatever the file was."""
    keys = [s.info.key for s in recording.streams] + [s.key for s in recording.marker_streams]
    assert len(set(keys)) == len(keys)
    for stream in recording.streams:
        assert stream.samples.shape == (len(stream.times), stream.info.channel_count)
        assert stream.times.dtype == stream.samples.dtype == np.float64
    assert np.isfinite(recording.start)
    assert {m.stream for m in recording.markers} <= {s.key for s in recording.marker_streams}


def read_bytes(path: Path, content: bytes) -> Recording | None:
    path.write_bytes(content)
    try:
        recording = read_xdf(path)
    except InputError:
        return None
    assert_whole(recording)
    return recording


@pytest.mark.parametrize("name", SOUND)
def test_sound_files_agree_with_pyxdf(name: str) -> None:
    path = data_folder("xdf") / name
    reference, _ = pyxdf.load_xdf(path, dejitter_timestamps=False)
    recording = read_xdf(path)
    numeric = [s for s in reference if s["info"]["channel_format"][0] != "string"]
    strings = [s for s in reference if s["info"]["channel_format"][0] == "string"]
    assert len(numeric) == len(recording.streams)
    for ours, other in zip(recording.streams, numeric, strict=True):
        np.testing.assert_array_equal(ours.samples, other["time_series"])
        # The robust lines through the clock offsets differ by less than the offsets' own noise.
        np.testing.assert_allclose(ours.times, other["time_stamps"], rtol=0, atol=5e-4)
    ours_texts = sorted((m.time, m.text) for m in recording.markers)
    theirs = sorted(
        (time, "\t".join(texts))
        for other in strings
        for time, texts in zip(other["time_stamps"], other["time_series"], strict=True)
    )
    assert [text for _, text in ours_texts] == [text for _, text in theirs]


def test_stamps_on_a_devices_own_clock_are_not_bent() -> None:
    """Offsets measured at 942,534 s say nothing of stamps near 74 s; pyxdf moves them by 0.3 s."""
    recording = read_xdf(data_folder("xdf") / "openmuse_opensignals_timing.xdf")
    battery = next(s for s in recording.streams if s.info.type == "BATTERY")
    np.testing.assert_array_equal(battery.times, np.arange(74.0, 109.0))
    assert battery.faults == ("35 stamps are not on its LSL clock and are left as they are",)


def test_clock_reset_is_corrected() -> None:
    recording = read_xdf(data_folder("xdf") / "clock_resets.xdf")
    (eeg,) = recording.streams
    assert np.all(np.diff(eeg.times) > 0)
    assert eeg.times[-1] - eeg.times[0] == pytest.approx(573.0, abs=0.1)
    assert "its clock was reset 1 times; each part is corrected" in eeg.faults
    assert recording.start == eeg.times[0]


def test_metadata_labels_units_and_keys() -> None:
    recording = read_xdf(data_folder("xdf") / "muse_eeg_ppg_acc_gyro_p001.xdf")
    by_key = {stream.info.key: stream.info for stream in recording.streams}
    assert list(by_key) == ["Muse (GYRO)", "Muse (ACC)", "Muse (EEG)", "Muse (PPG)"]
    acc = by_key["Muse (ACC)"]
    assert (acc.labels, acc.units) == (("ACC_X", "ACC_Y", "ACC_Z"), ("g", "g", "g"))
    assert acc.rate == 52.0
    assert acc.description.startswith("<desc>")
    assert "<manufacturer>Muse</manufacturer>" in acc.description
    assert acc.source_id
    assert acc.created_at > 0


def test_two_channel_markers() -> None:
    recording = read_xdf(data_folder("xdf") / "twochannel_string_marker.xdf")
    (marker,) = recording.markers
    assert (marker.time, marker.text) == (16.9, "Marker 0A\tMarker 0B")
    (eeg,) = recording.streams
    assert eeg.samples.shape == (1, 64)
    assert recording.faults == ()


def test_damaged_real_files() -> None:
    folder = data_folder("xdf")
    with pytest.raises(InputError, match="corrupt_chunk_length_lie"):
        read_xdf(folder / "corrupt_chunk_length_lie.xdf")
    samples = read_xdf(folder / "corrupt_out_of_order_sample_chunk.xdf")
    assert samples.streams[0].samples.shape == (9, 3)
    assert "channel count '0'" in samples.faults[0]
    offsets = read_xdf(folder / "corrupt_out_of_order_clock_offsets.xdf")
    assert any("wrong length" in fault for fault in offsets.faults)
    empty = read_xdf(folder / "empty_streams.xdf")
    assert [len(s.times) for s in empty.streams] == [0, 10]
    assert empty.streams[0].faults == ("it holds no samples",)
    assert [m.text for m in empty.markers] == ['{"state": 2}']
    cut = read_xdf(folder / "muse_truncated_offsets_p003.xdf")
    assert [len(s.times) for s in cut.streams] == [0, 0, 2688, 0]


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "not an XDF file"),
        (b"XDF", "not an XDF file"),
        (b"PK\x03\x04 and more", "not an XDF file"),
        (b"XDF:", "no stream"),
        (b"XDF:" + bytes(1000), "no stream"),
    ],
)
def test_what_is_no_recording_is_one_clear_error(
    tmp_path: Path, content: bytes, words: str
) -> None:
    path = tmp_path / "r.xdf"
    path.write_bytes(content)
    with pytest.raises(InputError, match=words):
        read_xdf(path)


def test_paths_that_cannot_be_read(tmp_path: Path) -> None:
    for path in (tmp_path, tmp_path / "absent.xdf"):
        with pytest.raises(InputError, match="cannot read"):
            read_xdf(path)


def test_truncation_anywhere_gives_a_prefix(tmp_path: Path) -> None:
    content = own_file(tmp_path)
    path = tmp_path / "cut.xdf"
    whole = read_bytes(path, content)
    assert whole is not None
    lengths = []
    for size in range(0, len(content), 11):
        recording = read_bytes(path, content[:size])
        lengths.append(0)
        if recording is None:
            continue
        full = {s.info.name: s for s in whole.streams}
        for stream in recording.streams:
            count = len(stream.times)
            lengths[-1] += count
            np.testing.assert_array_equal(stream.times, full[stream.info.name].times[:count])
            np.testing.assert_array_equal(stream.samples, full[stream.info.name].samples[:count])
        assert recording.markers == whole.markers[: len(recording.markers)]
    # Nothing that was there before the cut is lost: more bytes, never fewer samples.
    assert lengths == sorted(lengths)
    assert lengths[-1] == sum(len(s.times) for s in whole.streams)


def test_one_damaged_length_costs_one_chunk(tmp_path: Path) -> None:
    content = bytearray(own_file(tmp_path))
    chunks = [c for c in walk(bytes(content)) if c.tag == 3 and c.stream == 1]
    # The length of a short chunk is the byte before tag and stream id.
    content[chunks[1].begin - 7] = 255
    recording = read_bytes(tmp_path / "r.xdf", bytes(content))
    assert recording is not None
    assert [len(s.times) for s in recording.streams] == [40, 16]
    assert len(recording.markers) == 4
    assert any("wrong length" in fault for fault in recording.faults)
    # The length of the length itself: that chunk cannot even be recognised.
    content[chunks[1].begin - 8] = 77
    recording = read_bytes(tmp_path / "r.xdf", bytes(content))
    assert recording is not None
    assert [len(s.times) for s in recording.streams] == [30, 16]


def test_damaged_header_keeps_the_samples(tmp_path: Path) -> None:
    content = own_file(tmp_path).replace(b"<label>x</label>", b"<label>x</lxbel>", 1)
    recording = read_bytes(tmp_path / "r.xdf", content)
    assert recording is not None
    stream = recording.streams[0]
    assert (stream.info.name, stream.info.rate, len(stream.times)) == ("a", 10.0, 40)
    assert "header is damaged" in stream.faults[0]


def test_flipped_bytes_never_break_the_reader(tmp_path: Path) -> None:
    content = own_file(tmp_path)
    random = np.random.default_rng(7)
    readable = 0
    for _ in range(100):
        damaged = bytearray(content)
        for place in random.integers(4, len(content), random.integers(1, 6)):
            damaged[place] ^= 1 << int(random.integers(8))
        readable += read_bytes(tmp_path / "r.xdf", bytes(damaged)) is not None
    assert readable > 70


@pytest.mark.parametrize("name", ["muse_eeg_ppg_acc_gyro_p001.xdf", "empty_streams.xdf"])
def test_real_files_cut_and_flipped(tmp_path: Path, name: str) -> None:
    content = (data_folder("xdf") / name).read_bytes()
    random = np.random.default_rng(3)
    for _ in range(15):
        damaged = bytearray(content[: random.integers(len(content) // 2, len(content))])
        for place in random.integers(4, len(damaged), 20):
            damaged[place] = random.integers(256)
        read_bytes(tmp_path / "r.xdf", bytes(damaged))


@given(st.binary(max_size=400))
@settings(max_examples=40, deadline=None, derandomize=True)
def test_any_bytes_at_all(tmp_path_factory: pytest.TempPathFactory, content: bytes) -> None:
    folder = tmp_path_factory.getbasetemp()
    own = own_file(folder)
    header = own[: own.index(b"\x03\x00\x01\x00\x00\x00") - 2]
    read_bytes(folder / "any.xdf", content)
    read_bytes(folder / "any.xdf", b"XDF:" + content)
    read_bytes(folder / "any.xdf", header + content)
    read_bytes(folder / "any.xdf", header + b"\x01\x99\x03\x00\x01\x00\x00\x00" + content)


def test_lengths_and_counts_that_lie_allocate_nothing(tmp_path: Path) -> None:
    own = own_file(tmp_path)
    header = own[: own.index(b"\x03\x00\x01\x00\x00\x00") - 2]
    liars = [
        # a chunk of 4 EiB; 2**62 samples in a chunk of 30 bytes; the same for text
        b"\x08" + struct.pack("<Q", 2**62) + b"\x03\x00\x01\x00\x00\x00" + bytes(40),
        b"\x01\x26\x03\x00\x01\x00\x00\x00\x08" + struct.pack("<Q", 2**62) + bytes(23),
        b"\x01\x26\x03\x00\x03\x00\x00\x00\x08" + struct.pack("<Q", 2**62) + bytes(23),
    ]
    tracemalloc.start()
    try:
        for liar in liars:
            assert read_bytes(tmp_path / "r.xdf", header + liar) is not None
        assert tracemalloc.get_traced_memory()[1] < 2**23
    finally:
        tracemalloc.stop()


@pytest.mark.timeout(60)
def test_megabytes_of_false_chunk_heads_end(tmp_path: Path) -> None:
    own = own_file(tmp_path)
    header = own[: own.index(b"\x03\x00\x01\x00\x00\x00") - 2]
    for filler in (b"\x01\xff\x03\x00\x01\x00\x00\x00", b"\x04\xff\xff\xff\x00\x03\x00", b"\x00"):
        assert read_bytes(tmp_path / "r.xdf", header + filler * 30_000) is not None


def test_absurd_channel_count_is_refused(tmp_path: Path) -> None:
    own = own_file(tmp_path)
    content = own.replace(
        b"<channel_count>2</channel_count>", b"<channel_count>200000</channel_count>"
    )
    # The header's length no longer fits either; what matters is that nothing is allocated.
    recording = read_bytes(tmp_path / "r.xdf", content)
    assert recording is None or "a" not in [s.info.name for s in recording.streams]


@given(
    st.lists(st.booleans(), min_size=1, max_size=300),
    st.integers(1, 3),
    st.sampled_from(["<i2", "<f8"]),
    st.integers(0, 40),
)
@settings(max_examples=60, deadline=None, derandomize=True)
def test_samples_with_and_without_stamps(
    stamped: list[bool], channels: int, dtype: str, cut: int
) -> None:
    values = np.arange(len(stamped) * channels).reshape(-1, channels).astype(dtype)
    parts = [
        (b"\x08" + struct.pack("<d", i) if has else b"\x00") + values[i].tobytes()
        for i, has in enumerate(stamped)
    ]
    content = b"\x04" + struct.pack("<I", len(stamped)) + b"".join(parts)
    decoded = decode_numbers(content, channels, dtype)
    assert decoded.sound
    assert decoded.stamped.tolist() == stamped
    np.testing.assert_array_equal(decoded.values, values)
    np.testing.assert_array_equal(
        decoded.times, [i if has else np.nan for i, has in enumerate(stamped)]
    )
    if 0 < cut < len(b"".join(parts)):
        part = decode_numbers(content[:-cut], channels, dtype)
        assert not part.sound
        np.testing.assert_array_equal(part.values, values[: len(part.times)])
        assert len(part.times) < len(stamped)


def test_samples_across_decoding_blocks() -> None:
    count = 3 * BLOCK // 7
    values = np.arange(count, dtype="<i4")
    parts = [
        (b"\x08" + struct.pack("<d", i) if i % 3 else b"\x00") + values[i].tobytes()
        for i in range(count)
    ]
    content = b"\x04" + struct.pack("<I", count) + b"".join(parts)
    decoded = decode_numbers(content, 1, "<i4")
    assert decoded.sound
    np.testing.assert_array_equal(np.asarray(decoded.values)[:, 0], values)


def test_deduced_stamps_follow_the_nominal_rate_but_not_across_damage(tmp_path: Path) -> None:
    own = own_file(tmp_path)
    header = own[: own.index(b"\x03\x00\x01\x00\x00\x00") - 2]

    def chunk(first: float | None, count: int) -> bytes:
        body = b"" if first is None else b"\x08" + struct.pack("<d", first) + bytes(4)
        body += bytes(5) * (count - (first is not None))
        return bytes((1, 8 + len(body))) + b"\x03\x00\x01\x00\x00\x00" + bytes((1, count)) + body

    recording = read_bytes(tmp_path / "r.xdf", header + chunk(20.0, 3) + chunk(None, 2))
    assert recording is not None
    np.testing.assert_allclose(recording.streams[0].times, [20.0, 20.1, 20.2, 20.3, 20.4])
    torn = header + chunk(20.0, 3) + b"\xffgarbage\xff" + chunk(None, 2) + chunk(30.0, 2)
    recording = read_bytes(tmp_path / "r.xdf", torn)
    assert recording is not None
    np.testing.assert_allclose(
        recording.streams[0].times, [20.0, 20.1, 20.2, np.nan, np.nan, 30.0, 30.1]
    )


def test_epoch_stamps_beside_lsl_stamps_are_left_alone() -> None:
    clock = np.arange(1000.0, 1100.0, 5)
    times = np.arange(1000.0, 1100.0)
    times[::2] += 1.7e9
    corrected, faults = synchronise(
        times, np.searchsorted(clock, np.arange(1000.0, 1100.0)), clock, np.full(20, -900.0)
    )
    np.testing.assert_allclose(corrected[1::2], times[1::2] - 900)
    np.testing.assert_array_equal(corrected[::2], times[::2])
    assert faults == ["50 stamps are not on its LSL clock and are left as they are"]


def test_a_clock_that_runs_over_the_same_times_twice() -> None:
    """Two restarts: only the place in the file tells which run a stamp is of."""
    run = np.arange(0.0, 100.0, 5)
    clock_times, offsets = np.tile(run, 2), np.repeat([1000.0, 1200.0], 20)
    times = np.tile(np.arange(0.0, 95.0, 0.5), 2)
    seen = np.concatenate([np.arange(0.0, 95.0, 0.5) // 5, 20 + np.arange(0.0, 95.0, 0.5) // 5])
    corrected, _ = synchronise(times, seen.astype(np.int64), clock_times, offsets)
    expected = times + np.repeat([1000.0, 1200.0], 190)
    np.testing.assert_allclose(corrected, expected)


def test_one_wild_clock_offset_changes_little() -> None:
    clock = np.arange(0.0, 500.0, 5)
    offsets = 10 + 2e-5 * clock
    offsets[40] += 30.0
    times = np.arange(0.0, 500.0)
    corrected, _ = synchronise(times, np.zeros(500, dtype=np.int64), clock, offsets)
    np.testing.assert_allclose(corrected, times + 10 + 2e-5 * times, atol=2e-4)
