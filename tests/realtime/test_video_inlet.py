"""Frames from outlets in another process, turned into counts as they arrive."""

from __future__ import annotations

import logging
import time
import uuid
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pylsl
import pytest

from realtime.binding import bind
from realtime.camera.pipeline import FacePipeline
from realtime.chunk import Chunk
from realtime.discovery import Discovery
from realtime.engine import Engine
from realtime.features.lbp_top import PIXELS, texture_counts
from realtime.live import LiveStreams
from realtime.offline import windows_of
from realtime.recording import StreamInfo
from realtime.rig import Rig, load_rig
from realtime.video import FrameConverter
from realtime.video_inlet import VideoInlet
from realtime.xdf import read_xdf
from realtime.xdf_writer import XdfWriter
from tests.data import data_folder
from tests.realtime.conftest import Source, found, until

FULL = load_rig("dmer")
FACE = replace(FULL.modality("face"), role="primary")
RIG: Rig = replace(FULL, modalities=(FACE,), warm_up=1.0)


def video(width: int, height: int, pixel_format: str, more: str = "", rate: float = 30.0):
    """Describe a video stream of a fresh source id."""
    identity = f"cam-{uuid.uuid4().hex[:8]}"
    depth = {"GRAY": 1, "RGB": 3, "BGR": 3}[pixel_format]
    nameless = ("",) * (width * height * depth)
    desc = (
        f"<desc><encoding><width>{width}</width><height>{height}</height>"
        f"<color_format>{pixel_format}</color_format></encoding>{more}</desc>"
    )
    return StreamInfo(
        identity, f"Cam {identity}", "VideoRaw", rate, nameless, nameless, identity, "int8", desc
    )


CROP = "<face_crop>true</face_crop>"
DROP = "<synchronization><can_drop_samples>true</can_drop_samples></synchronization>"


def crops(count: int, seed: int = 1) -> np.ndarray:
    """Return smooth pictures that move, shape (count, 128, 128), grey levels 1 to 255."""
    rng = np.random.default_rng(seed)
    field = cv2.GaussianBlur(rng.normal(size=(200, 200)), (0, 0), 3)
    field = np.interp(field, (field.min(), field.max()), (1, 255)).astype(np.uint8)
    return np.stack([field[n % 60 : n % 60 + 128, n % 37 : n % 37 + 128] for n in range(count)])


def flat(frames: np.ndarray) -> np.ndarray:
    """Return frames as LSL sends them: signed bytes, one frame a row."""
    return frames.reshape(len(frames), -1).view(np.int8)


@pytest.fixture
def watch() -> Iterator[Callable[[StreamInfo], VideoInlet]]:
    inlets = []

    def opened(info: StreamInfo, keep_frames: bool = False) -> VideoInlet:
        (handle,) = pylsl.resolve_byprop("source_id", info.source_id, 1, 10.0)
        inlets.append(VideoInlet(info, handle, keep_frames))
        until(lambda: inlets[-1]._inlet is not None)
        return inlets[-1]

    yield opened
    for inlet in inlets:
        inlet.close(5.0)
        assert not inlet._worker.is_alive()


def gather(
    inlet: VideoInlet, count: int, last: float = -np.inf
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Poll until so many counts, and one so late, have come."""
    parts = []

    def enough() -> bool:
        received = inlet.poll()
        if received is not None:
            parts.append((received[0], received[1].times, received[1].samples))
        enough_of_them = sum(len(part[0]) for part in parts) >= count
        return enough_of_them and parts[-1][0][-1] > last - 1e-6

    until(enough, 40.0)
    raw, times, samples = (np.concatenate([part[i] for part in parts]) for i in range(3))
    return raw, times, samples


def test_crops_become_the_counts_of_their_texture(source: Source, watch) -> None:
    info = video(128, 128, "GRAY", CROP)
    source.open(info)
    inlet = watch(info)
    frames, stamps = crops(70), 100.0 + np.arange(70) / 30
    frames[40] = 0  # no face
    for begin in range(0, 70, 11):
        piece = slice(begin, begin + 11)
        source.push(info.source_id, flat(frames[piece]), stamps[piece].tolist())
    raw, times, samples = gather(inlet, 62)
    np.testing.assert_allclose(raw, stamps[4:-4], atol=1e-9)
    np.testing.assert_array_equal(times, raw)  # one machine, one clock
    expected = texture_counts(frames)
    expected[32:41] = 0  # all whose nine frames hold the empty one
    np.testing.assert_array_equal(samples, expected)
    assert (inlet.info.type, inlet.info.key) == ("FaceTexture", info.key)
    figures = inlet.statistics()
    assert (figures.samples, figures.dropped, figures.gaps) == (62, 0, 0)
    assert figures.overall_rate == pytest.approx(30.0)
    assert figures.state == "live"


def test_data_age_is_that_of_the_newest_counts(source: Source, watch) -> None:
    info = video(128, 128, "GRAY", CROP)
    source.open(info)
    inlet = watch(info)
    frames = flat(crops(40))
    assert inlet.statistics().data_age == float("inf")
    begin = pylsl.local_clock()
    source.push(info.source_id, frames[:20], (begin + np.arange(20) / 30).tolist())
    gather(inlet, 12)
    time.sleep(1.5)
    before = inlet.statistics().data_age
    source.push(info.source_id, frames[20:], (begin + 2.0 + np.arange(20, 40) / 30).tolist())
    gather(inlet, 1)
    assert inlet.statistics().data_age < before
    assert before >= 1.5


def test_another_clock_begins_a_new_grid(source: Source, watch) -> None:
    info = video(128, 128, "GRAY", CROP)
    source.open(info)
    inlet = watch(info)
    frames = flat(crops(20))
    for start in (5000.0, 100.0):  # the second, a step back of more than an hour
        source.push(info.source_id, frames, (start + np.arange(20) / 30).tolist())
    source.push(info.source_id, frames[:1], [float("nan")])
    raw, _, samples = gather(inlet, 24)
    np.testing.assert_allclose(raw[[0, 12]], [5000 + 4 / 30, 100 + 4 / 30])
    np.testing.assert_array_equal(samples[:12], samples[12:])


def test_large_colour_frames_arrive_without_a_loss(source: Source, watch) -> None:
    info = video(640, 480, "RGB")
    source.open(info)
    inlet = watch(info)
    noise = np.random.default_rng(1).integers(0, 256, (2, 480, 640, 3)).astype(np.uint8)
    for n in range(24):
        source.push(info.source_id, flat(noise[n % 2 :][:1]), [50.0 + n / 30])
    raw, _, samples = gather(inlet, 16)
    np.testing.assert_allclose(np.diff(raw), 1 / 30)
    assert not samples.any()  # nobody there: zeros, not silence
    assert inlet.statistics().dropped == 0


@pytest.mark.parametrize(("more", "lost"), [(CROP + DROP, True), (CROP, False)])
def test_who_allows_it_loses_old_frames_when_behind(
    source: Source, watch, monkeypatch: pytest.MonkeyPatch, more: str, lost: bool
) -> None:
    push = FrameConverter.push

    def slow(self, stamp, sample):
        time.sleep(0.01)
        return push(self, stamp, sample)

    monkeypatch.setattr(FrameConverter, "push", slow)
    info = video(128, 128, "GRAY", more)
    source.open(info)
    inlet = watch(info)
    stamps = 10.0 + np.arange(120) / 30
    source.push(info.source_id, flat(crops(120)), stamps.tolist())
    _, _, samples = gather(inlet, 20 if lost else 112, last=stamps[-5])
    dropped = inlet.statistics().dropped
    assert dropped >= 60 if lost else dropped == 0
    assert samples[:, :256].sum(axis=1).tolist() == [PIXELS] * len(samples)


def test_one_bad_frame_costs_neither_stream_nor_session(
    source: Source, watch, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    push = FrameConverter.push

    def faulty(self, stamp, sample):
        if stamp == 10.0:
            raise RuntimeError("out of luck")
        return push(self, stamp, sample)

    monkeypatch.setattr(FrameConverter, "push", faulty)
    info = video(128, 128, "GRAY", CROP)
    source.open(info)
    inlet = watch(info)
    source.push(info.source_id, flat(crops(30)), (10.0 + np.arange(30) / 30).tolist())
    raw, _, _ = gather(inlet, 21)
    assert raw[0] == pytest.approx(10.0 + 5 / 30)
    assert inlet.statistics().dropped == 1
    assert "could not be used" in caplog.text


# From the network to the features


@pytest.fixture
def live(discovery: Discovery) -> Iterator[Callable[..., LiveStreams]]:
    made = []

    def follow(info: StreamInfo, **options) -> LiveStreams:
        found(discovery, info.source_id)
        made.append(LiveStreams(RIG, discovery, {"face": info.source_id}, **options))
        until(lambda: (made[-1].follow(), made[-1].bindings)[1])
        until(lambda: all(i._inlet is not None for i in made[-1].inlets.values()))
        return made[-1]

    yield follow
    for streams in made:
        streams.close()


def features_of(engine: Engine) -> dict[float, np.ndarray]:
    windows = engine.windows_until(float("inf"))
    return {round(w.time, 6): w.features["face"] for w in windows if w.mask["face"]}


def recorded_features(path: Path) -> dict[float, np.ndarray]:
    windows = windows_of(read_xdf(path), RIG)
    return {round(w.time, 6): w.features["face"] for w in windows if w.mask["face"]}


def through_lsl(source: Source, streams: LiveStreams, info: StreamInfo, frames, stamps) -> Engine:
    """Send frames through LSL into an engine."""
    engine = Engine(RIG)
    engine.bind(streams.bindings.values())
    arrived = 0

    def enough() -> bool:
        nonlocal arrived
        for arrival in streams.poll():
            arrived += len(arrival.chunk)
            engine.push(arrival.chunk)
        return arrived >= len(stamps) - 8

    for begin in range(0, len(stamps), 9):
        piece = slice(begin, begin + 9)
        source.push(info.source_id, flat(frames[piece]), stamps[piece].tolist())
        enough()
    until(enough, 60.0)
    return engine


def write(path: Path, info: StreamInfo, frames: np.ndarray, stamps: np.ndarray) -> Path:
    with XdfWriter(path) as writer:
        number = writer.add_stream(info)
        for begin in range(0, len(stamps), 13):
            writer.write(number, stamps[begin : begin + 13], flat(frames[begin : begin + 13]))
    return path


def test_crops_give_equal_features_live_and_recorded(source: Source, live, tmp_path: Path) -> None:
    info = video(128, 128, "GRAY", CROP)
    source.open(info)
    streams = live(info)
    frames, stamps = crops(130), 20.0 + np.arange(130) / 30
    engine = through_lsl(source, streams, info, frames, stamps)
    arrived = features_of(engine)
    read = recorded_features(write(tmp_path / "crops.xdf", info, frames, stamps))
    assert len(arrived) >= 3
    assert arrived.keys() == read.keys()
    for moment, vector in arrived.items():
        np.testing.assert_allclose(vector, read[moment], atol=1e-6)


def test_a_real_face_gives_equal_features_by_frames_and_by_the_cameras_own_counts(
    source: Source, live, tmp_path: Path
) -> None:
    capture = cv2.VideoCapture(str(data_folder("face") / "pyfeat__single_face.mp4"))
    pictures = []
    while len(pictures) < 75 and (frame := capture.read()[1]) is not None:
        pictures.append(frame)
    capture.release()
    small = [cv2.resize(p, (320, 240), interpolation=cv2.INTER_AREA) for p in pictures]
    frames, stamps = np.stack(small), 30.0 + np.arange(len(small)) / 30
    camera = FacePipeline()
    counted = [(s, c[0]) for t, f in zip(stamps, small, strict=True) for s, c in camera.push(t, f)]
    info = video(320, 240, "BGR")
    source.open(info)
    streams = live(info)
    engine = through_lsl(source, streams, info, frames, stamps)
    arrived = features_of(engine)
    read = recorded_features(write(tmp_path / "face.xdf", info, frames, stamps))
    # What the camera process would have sent.
    reference = Engine(RIG)
    shown = next(iter(streams.inlets.values())).info
    reference.bind(bind(RIG, [shown]).bindings)
    moments = np.array([stamp for stamp, _ in counted])
    rows = np.array([row for _, row in counted], dtype=np.float64)
    reference.push(Chunk(shown.key, moments, rows))
    expected = features_of(reference)
    found_share = (rows.sum(axis=1) > 0).mean()
    assert found_share > 0.9, f"a face in only {found_share:.0%} of the frames"
    assert len(expected) >= 1
    assert arrived.keys() == read.keys() == expected.keys()
    for moment, vector in expected.items():
        np.testing.assert_allclose(arrived[moment], vector, atol=1e-6)
        np.testing.assert_allclose(read[moment], vector, atol=1e-6)


def test_frames_are_kept_only_when_asked_for(source: Source, live) -> None:
    info = video(128, 128, "GRAY", CROP)
    source.open(info)
    without, with_frames = live(info), live(info, keep_frames=True)
    frames, stamps = crops(20), 40.0 + np.arange(20) / 30
    source.push(info.source_id, flat(frames), stamps.tolist())
    kept = []

    def all_kept() -> bool:
        kept.extend(with_frames.frames())
        without.poll()
        return sum(len(piece[0]) for _, piece in kept) >= 20

    until(all_kept)
    assert without.frames() == []
    (video_info,) = {piece[0].key for piece in kept}
    assert video_info == f"{next(iter(with_frames.inlets))} frames"
    np.testing.assert_array_equal(np.concatenate([p[1] for _, p in kept]), flat(frames))
    np.testing.assert_array_equal(np.concatenate([p[0] for _, p in kept]), stamps)


def test_what_cannot_be_used_is_said_once(
    source: Source, discovery: Discovery, caplog: pytest.LogCaptureFixture
) -> None:
    packed = replace(video(16, 12, "GRAY"), type="VideoCompressed")
    source.open(packed)
    found(discovery, packed.source_id)
    # Cameras of earlier tests are forgotten a few seconds after they went.
    until(lambda: not any(info.type == "VideoRaw" for info in discovery.streams()))
    streams = LiveStreams(RIG, discovery)
    with caplog.at_level(logging.WARNING):
        for _ in range(3):
            assert streams.follow() == []
    said = [r.getMessage() for r in caplog.records if packed.name in r.getMessage()]
    assert len(said) == 1
    assert "has compressed frames" in said[0] and "affectstream camera" in said[0]
    streams.close()
