"""The camera panel, and the rigs that watch a face."""

from __future__ import annotations

import multiprocessing
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PySide6.QtGui import QImage
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication

from apps.broadcast import Broadcast
from apps.dashboard import Dashboard
from apps.dashboard.camera import View
from apps.link import LinkClient, LinkServer, running_engines, unpack_signals
from model.labels import LabelSet
from realtime.engine import Cells
from realtime.rig import load_rig
from tests.apps.dashboard import messages
from tests.apps.dashboard.conftest import Clock

pytestmark = pytest.mark.timeout(90)


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("AFFECTSTREAM_ENGINES", str(tmp_path / "engines"))
    return tmp_path / "engines"


@pytest.fixture
def dashboard(clock: Clock) -> Dashboard:
    """A dashboard that has seen twenty seconds of a person with cap, hand sensors and webcam."""
    window = Dashboard(None, clock=clock)
    window.apply(messages.hello(modalities=messages.DMER))
    for message in messages.signals(80.0, 100.0, modalities=messages.DMER):
        window.apply(message)
    for moment in range(80, 101):
        window.apply(messages.window(float(moment)))
    window.apply(messages.streams(modalities=messages.DMER))
    window.resize(1280, 800)
    window.show()
    show(window)
    return window


def show(window: Dashboard) -> None:
    for _ in range(3):
        QApplication.processEvents()
        window.refresh(everything=True)


def remark(window: Dashboard) -> str:
    show(window)
    return str(window.camera._remark.text())


def greys(window: Dashboard) -> np.ndarray:
    image = window.camera.picture.grab().toImage().convertToFormat(QImage.Format.Format_RGB888)
    rows = np.frombuffer(image.constBits(), np.uint8).reshape(image.height(), -1)
    return rows[:, : 3 * image.width()].reshape(image.height(), image.width(), 3).copy()


def wait(condition: Callable[[], Any], seconds: float = 30.0) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "waited in vain"
        QTest.qWait(20)


def test_a_rig_without_a_face_has_no_camera(clock: Clock) -> None:
    window = Dashboard(None, clock=clock)
    window.apply(messages.hello())
    window.show()
    show(window)
    assert not window.camera.isVisible()
    wide = window.timeline.width()
    window.apply(messages.hello(modalities=messages.DMER))
    show(window)
    assert window.camera.isVisible() and window.timeline.width() < 0.7 * wide
    window.apply(messages.hello())
    show(window)
    assert not window.camera.isVisible() and window.timeline.width() == wide


def test_picture_box_and_crop_are_drawn(dashboard: Dashboard) -> None:
    before = greys(dashboard)
    dashboard.apply(messages.preview())
    assert remark(dashboard) == "● face found"
    after = greys(dashboard)
    assert (before != after).any(axis=2).mean() > 0.3
    green = np.abs(after.astype(int) - (0x4F, 0xE3, 0xA4)).max(axis=2) <= 8
    rows, columns = np.flatnonzero(green.any(axis=1)), np.flatnonzero(green.any(axis=0))
    # The box is 40 by 46 pixels of a picture of 120 by 90.
    assert np.ptp(columns) / np.ptp(rows) == pytest.approx(40 / 46, rel=0.1)
    assert ((after == 200).all(axis=2)).sum() > 40 * 40  # the crop's own grey


def test_what_is_wrong_is_said(dashboard: Dashboard, clock: Clock) -> None:
    assert remark(dashboard) == ""  # the stream is well, and nobody offers pictures
    for sight, crop in (
        ("no face found", b""),
        ("too dark to see a face", b""),
        ("face found, and 1 more in the picture", bytes([9] * 128 * 128)),
    ):
        dashboard.apply(messages.preview(sight=sight, crop=crop))
        assert remark(dashboard) == f"▲ {sight}"
    clock.now += 5.0
    dashboard.apply(messages.streams(modalities=messages.DMER))
    assert remark(dashboard) == "○ no preview any more"
    dashboard.apply(messages.streams(modalities=messages.DMER, state="silent", age=7.0))
    dashboard.apply(messages.preview())
    assert remark(dashboard) == "✕ camera lost for 7 s"


def test_everybody_has_a_preview(dashboard: Dashboard) -> None:
    dashboard.apply(messages.hello(("P1", "P2"), messages.DMER))
    dashboard.apply(messages.preview("P1"))
    dashboard.apply(messages.preview("P2", sight="no face found", crop=b""))
    assert remark(dashboard) == "● face found"
    dashboard.controls.participants.setCurrentIndex(1)
    assert remark(dashboard) == "▲ no face found"


@pytest.mark.parametrize(
    "change",
    [
        {"width": 10**6},
        {"width": -3},
        {"frame": b"short"},
        {"crop": b"x" * 7},
        {"boxes": [[1, 2, 3]]},
        {"boxes": 5},
        {"height": "many"},
    ],
)
def test_a_preview_that_cannot_be_changes_nothing(
    dashboard: Dashboard, change: dict[str, Any]
) -> None:
    dashboard.apply(messages.preview())
    with pytest.raises((ValueError, TypeError)):
        View.of(messages.preview(**change), 0.0)
    dashboard.apply(messages.preview(**change))  # logged, and left out
    assert remark(dashboard) == "● face found"


def test_a_face_is_a_line_that_says_yes_or_no(dashboard: Dashboard) -> None:
    plot = dashboard.signals.plots[-1]
    assert plot.modality.face
    assert plot._heading.text() == "Face found"
    (ticks,) = plot._plot.getAxis("left")._tickLevels
    assert ticks == [(0.0, "no"), (1.0, "yes")]


def test_the_engine_tells_one_number_a_frame() -> None:
    rig = load_rig("dmer")
    with LinkServer("lab") as server:
        client = LinkClient.connect("lab")
        broadcast = Broadcast(server)
        labels = LabelSet("calm", "none", ("calm",), (1,), (1.0, 5.0))
        broadcast.hello("1", rig, labels, np.array([1.0]), {}, ["P1"])
        counts = np.zeros((5, 768))
        counts[1:3] = 7.0
        counts[4] = np.nan
        broadcast.collect([Cells("P1", "face", np.arange(5.0), counts)])
        broadcast.signals(100.0)
        got: list[dict[str, Any]] = []
        wait(lambda: (got.extend(client.poll()), any(m["t"] == "signals" for m in got))[1])
        client.close()
    face = next(m for m in got[0]["rig"]["modalities"] if m["name"] == "face")
    assert face["channels"] == ["face found"] and face["face"]
    signals = next(m for m in got if m["t"] == "signals")
    times, values = unpack_signals(signals)
    assert times.tolist() == [0.0, 1.0, 2.0, 3.0, 4.0]
    np.testing.assert_array_equal(values[:, 0], [0, 1, 1, 0, np.nan])
    assert len(signals["values"]) == 5 * 4


def serve(folder: str, orders: Any) -> None:
    """Be a camera process, until told otherwise."""
    os.environ["AFFECTSTREAM_ENGINES"] = folder
    with LinkServer("camera") as server:
        orders.send("ready")
        while not orders.poll(0.05):
            server.send(messages.preview())


def test_it_finds_the_camera_process_loses_it_and_finds_it_again(
    dashboard: Dashboard, folder: Path
) -> None:
    context = multiprocessing.get_context("spawn")
    for _ in range(2):
        orders, theirs = context.Pipe()
        process = context.Process(target=serve, args=(str(folder), theirs), daemon=True)
        process.start()
        assert orders.poll(60) and orders.recv() == "ready"
        assert running_engines() == []  # a camera is no engine to attach to
        wait(lambda: (dashboard.tick(), dashboard.camera._views)[1])
        orders.send("stop")
        process.join(20)
        wait(lambda: (dashboard.tick(), dashboard._camera_link._client is None)[1])
        dashboard.camera._views.clear()
