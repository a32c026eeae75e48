"""Cameras, video files and folders of pictures; what goes away and comes back."""

from __future__ import annotations

import shutil
import time
from pathlib import Path

import cv2
import numpy as np
import pylsl
import pytest

from realtime.camera import source as module
from realtime.camera.source import Camera, PictureFolder, Source, VideoFile, open_source
from realtime.errors import InputError
from tests.data import data_folder
from tests.realtime.camera.recordings import SMILE, frames_of

FPS = 240.0


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    """A folder of twelve pictures; the middle of each has its number as brightness."""
    folder = tmp_path / "pictures"
    folder.mkdir()
    for number in range(12):
        cv2.imwrite(str(folder / f"{number:03}.png"), np.full((20, 30, 3), 10 * number, np.uint8))
    return folder


def drain(source: Source, most: int = 1000, seconds: float = 20.0) -> tuple[list[float], list[int]]:
    """Read until the source ends or so many frames have come; return times and brightness."""
    times, levels = [], []
    limit = time.monotonic() + seconds
    while not source.ended and len(times) < most and time.monotonic() < limit:
        got = source.read(0.05)
        if got is not None:
            times.append(got[0])
            levels.append(int(got[1][10, 15, 0]))
    return times, levels


def test_a_folder_gives_its_pictures_in_order_at_its_pace(
    pictures: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "LATE", 100.0)
    source = open_source(str(pictures), fps=60.0)
    before = pylsl.local_clock()
    times, levels = drain(source)
    assert levels == [10 * number for number in range(12)]
    np.testing.assert_allclose(np.diff(times), 1 / 60, atol=1e-9)
    assert before <= times[0] and times[-1] <= pylsl.local_clock()
    assert source.ended and source.read(0.0) is None


def test_a_file_loops(pictures: Path) -> None:
    times, levels = drain(PictureFolder(pictures, FPS, loop=True), most=30)
    assert len(levels) == 30 and set(levels) == set(range(0, 120, 10))
    video = VideoFile(data_folder("face") / SMILE, fps=FPS, loop=True)
    times, _ = drain(video, most=80)
    assert len(times) == 80 and not video.ended
    video.close()


def test_a_video_file_gives_all_its_frames_at_its_own_rate(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(module, "LATE", 100.0)
    source = open_source(str(data_folder("face") / SMILE))
    assert isinstance(source, VideoFile) and source.rate == 30.0
    frames, times = [], []
    while not source.ended:
        got = source.read(0.1)
        if got is not None:
            times.append(got[0])
            frames.append(got[1])
    np.testing.assert_allclose(np.diff(times), 1 / 30, atol=1e-9)
    assert all(np.array_equal(a, b) for a, b in zip(frames, frames_of(SMILE), strict=True))


def test_a_file_that_is_read_too_late_leaves_frames_out(pictures: Path) -> None:
    source = PictureFolder(pictures, fps=10.0)
    first = source.read(1.0)
    assert first is not None
    time.sleep(module.LATE + 0.35)
    second = source.read(1.0)
    assert second is not None
    # So late, a camera's frame would have been overwritten; the stamps stay those of the frames.
    assert source.dropped >= 2
    assert round(10 * (second[0] - first[0])) == source.dropped + 1
    assert second[1][10, 15, 0] == 10 * (source.dropped + 1)


def test_a_folder_that_vanishes_is_waited_for(pictures: Path) -> None:
    source = PictureFolder(pictures, FPS, loop=True)
    drain(source, most=5)
    away = pictures.with_name("away")
    shutil.move(pictures, away)
    assert source.read(0.01) is None
    assert source.lost and source.losses == 1 and not source.ended
    assert source.read(0.01) is None and source.losses == 1
    shutil.move(away, pictures)
    times, _ = drain(source, most=5)
    assert len(times) == 5 and not source.lost
    assert (np.diff(times) > 0).all()


def test_a_picture_that_cannot_be_read_is_left_out(pictures: Path) -> None:
    (pictures / "005.png").write_bytes(b"no picture")
    source = PictureFolder(pictures, fps=FPS)
    _, levels = drain(source)
    assert 50 not in levels and source.dropped >= 1 and source.ended


class Device:
    """A camera of three frames that is then unplugged."""

    def __init__(self, plugged: bool) -> None:
        self.left = 3 if plugged else 0
        self.released = False

    def isOpened(self) -> bool:  # noqa: N802
        return self.left > 0

    def grab(self) -> bool:
        self.left -= 1
        return self.left >= 0

    def retrieve(self) -> tuple[bool, np.ndarray]:
        return True, np.full((4, 4, 3), self.left, np.uint8)

    def release(self) -> None:
        self.released = True


@pytest.fixture
def devices(monkeypatch: pytest.MonkeyPatch) -> list[Device]:
    monkeypatch.setattr(module, "RETRY", 0.01)
    return []


def test_a_camera_that_is_unplugged_is_opened_until_it_is_back(devices: list[Device]) -> None:
    def opened() -> Device:
        # Plugged in, then away for two attempts, then back.
        devices.append(Device(plugged=len(devices) in (0, 3)))
        return devices[-1]

    camera = Camera("camera 7", opened)
    got = []
    limit = time.monotonic() + 20
    while len(got) < 6 and time.monotonic() < limit:
        frame = camera.read(0.05)
        if frame is not None:
            got.append(frame)
    camera.close()
    assert [int(frame[0, 0, 0]) for _, frame in got] == [2, 1, 0, 2, 1, 0]
    assert (np.diff([stamp for stamp, _ in got]) > 0).all()
    # Once in the middle, and perhaps already at the end.
    assert 1 <= camera.losses <= 2
    assert all(device.released for device in devices[:4])


def test_a_camera_that_was_never_there_ends_cleanly() -> None:
    camera = open_source("97")
    assert isinstance(camera, Camera)
    assert camera.read(0.05) is None
    camera.close()
    assert camera.ended


def test_nobody_takes_the_frames(devices: list[Device]) -> None:
    class Quick(Device):
        def __init__(self) -> None:
            super().__init__(True)
            self.left = 200

    camera = Camera("camera 1", Quick)
    limit = time.monotonic() + 20
    while camera.dropped < 100 and time.monotonic() < limit:
        time.sleep(0.01)
    camera.close()
    assert camera.dropped >= 100
    # Those that were kept are the newest.
    assert len(camera._frames) == module.WAITING


@pytest.mark.parametrize(
    ("text", "fps", "quoted"),
    [
        ("nothing.mp4", None, "'nothing.mp4'"),
        ("0", 0.0, "0 frames a second"),
        ("{tmp}/empty", None, "no picture"),
        ("{tmp}/text.mp4", None, "text.mp4"),
    ],
)
def test_what_is_no_source_is_refused(
    text: str, fps: float | None, quoted: str, tmp_path: Path
) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "text.mp4").write_text("no video")
    with pytest.raises(InputError, match=quoted):
        open_source(text.format(tmp=tmp_path), fps)
