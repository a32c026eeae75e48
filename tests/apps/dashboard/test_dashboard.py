"""The window: real messages over a real link, real clicks, real pixels."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PySide6.QtCore import QPoint, Qt
from PySide6.QtGui import QColor, QImage, QPalette
from PySide6.QtGui import Qt as GuiQt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QLabel

from apps.dashboard import Dashboard
from apps.dashboard.application import save_screenshot
from apps.dashboard.distribution import band
from apps.dashboard.streams import AGE, STATE
from apps.dashboard.theme import DARK, LIGHT
from apps.dashboard.timeline import runs
from apps.link import LinkClient
from tests.apps.dashboard import messages
from tests.apps.dashboard.conftest import Clock
from tests.apps.dashboard.engine import EngineProcess

might_be_rich = GuiQt.mightBeRichText

pytestmark = pytest.mark.timeout(90)


@pytest.fixture
def dashboard(clock: Clock) -> Dashboard:
    """A dashboard without an engine, which has seen a minute of a person."""
    window = Dashboard(None, clock=clock)
    window.apply(messages.hello())
    for message in messages.signals(80.0, 100.0):
        window.apply(message)
    for moment in range(40, 101):
        window.apply(messages.window(float(moment)))
    window.apply(messages.streams())
    window.resize(1280, 800)
    window.show()
    show(window)
    return window


def show(window: Dashboard) -> None:
    """Let layouts settle and draw everything."""
    for _ in range(3):
        QApplication.processEvents()
        window.refresh(everything=True)


def pixels(window: Dashboard, widget: Any = None) -> np.ndarray:
    """Colours of a widget as an array (height, width, 3)."""
    image = (widget or window).grab().toImage().convertToFormat(QImage.Format.Format_RGB888)
    rows = np.frombuffer(image.constBits(), np.uint8).reshape(image.height(), -1)
    return rows[:, : 3 * image.width()].reshape(image.height(), image.width(), 3).copy()


def shows_colour(picture: np.ndarray, colour: QColor, tolerance: int = 6) -> int:
    """Count the pixels of a colour."""
    wanted = np.array([colour.red(), colour.green(), colour.blue()])
    return int((np.abs(picture.astype(int) - wanted).max(axis=2) <= tolerance).sum())


def wait(condition: Callable[[], Any], seconds: float = 30.0) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "waited in vain"
        QTest.qWait(20)


def heard(engine: EngineProcess) -> dict[str, Any]:
    """Return the next command that the engine got from a dashboard."""
    wait(engine.orders.poll)
    command: dict[str, Any] = engine.orders.recv()
    return command


# With an engine in a process of its own.


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("AFFECTSTREAM_ENGINES", str(tmp_path / "engines"))
    return tmp_path / "engines"


@pytest.fixture
def engine(folder: Path) -> Iterator[EngineProcess]:
    made = EngineProcess(folder)
    yield made
    made.stop()


def test_every_control_reaches_the_engine(engine: EngineProcess) -> None:
    window = Dashboard(LinkClient.connect("lab"))
    window.show()
    wait(lambda: window.state.streams(0.0) and window.controls.baseline.isEnabled())
    left = Qt.MouseButton.LeftButton

    QTest.mouseClick(window.controls.baseline, left)
    assert heard(engine) == {"t": "baseline", "participant": "P1", "action": "start"}
    engine.orders.send({"t": "baseline", "participant": "P1", "state": "marking", "start": 99.0})
    wait(lambda: "Stop" in window.controls.baseline.text())
    QTest.keyClick(window, Qt.Key.Key_B, Qt.KeyboardModifier.ControlModifier)
    assert heard(engine) == {"t": "baseline", "participant": "P1", "action": "stop"}

    QTest.mouseClick(window.controls.record, left)
    assert heard(engine) == {"t": "record", "action": "start"}
    engine.orders.send({"t": "recording", "path": "/data/x.xdf", "since": 1.0, "fault": None})
    wait(lambda: "Stop" in window.controls.record.text())
    assert "/data/x.xdf" in window.controls.record_text.text()
    QTest.mouseClick(window.controls.record, left)
    assert heard(engine) == {"t": "record", "action": "stop"}

    QTest.keyClicks(window.markers.entry, " sneezed ")
    QTest.keyClick(window.markers.entry, Qt.Key.Key_Return)
    assert heard(engine) == {"t": "marker", "text": "sneezed"}
    QTest.keyClick(window.markers.entry, Qt.Key.Key_Return)  # empty: sends nothing
    QTest.keyClicks(window.markers.entry, "b r")
    QTest.mouseClick(window.markers.button, left)
    assert heard(engine) == {"t": "marker", "text": "b r"}

    window.controls.participants.setCurrentIndex(1)
    QTest.mouseClick(window.controls.baseline, left)
    assert heard(engine) == {"t": "baseline", "participant": "P2", "action": "start"}

    candidates = [
        {"key": key, "name": f"<b>{key}</b>", "source_id": key, "type": "PPG"} for key in "xy"
    ]
    question = {"t": "choice", "participant": "P2", "modality": "ppg", "message": "two devices"}
    engine.orders.send({**question, "candidates": candidates})
    wait(lambda: window._choices)
    (dialog,) = window._choices.values()
    assert not dialog.use.isEnabled()
    row = dialog.list.visualItemRect(dialog.list.item(1)).center()
    QTest.mouseClick(dialog.list.viewport(), left, pos=row)
    QTest.mouseClick(dialog.use, left)
    assert heard(engine) == {"t": "bind", "participant": "P2", "modality": "ppg", "key": "y"}


def test_engine_that_dies_is_noticed_and_restarted(engine: EngineProcess, folder: Path) -> None:
    others: list[EngineProcess] = []

    def restart() -> LinkClient:
        others.append(EngineProcess(folder))
        return LinkClient.connect("lab")

    window = Dashboard(LinkClient.connect("lab"), restart=restart)
    window.show()
    engine.orders.send({"t": "recording", "path": "/data/x.xdf", "since": 1.0, "fault": None})
    wait(lambda: window.state.recording)
    assert not window.notice.isVisible()
    engine.orders.send("die")
    wait(window.notice.isVisible)
    assert "stopped unexpectedly" in window.notice.label.text()
    wait(lambda: not window.controls.record.isEnabled())
    QTest.mouseClick(window.notice.button, Qt.MouseButton.LeftButton)
    wait(lambda: not window.notice.isVisible(), 60)
    # It recorded when it died: recording goes on.
    assert heard(others[0]) == {"t": "record", "action": "start"}
    wait(lambda: window.controls.record.isEnabled() and window.person is not None)
    others[0].orders.send("close")
    wait(window.notice.isVisible)
    assert "has ended" in window.notice.label.text()
    others[0].stop()


def test_screenshot_of_a_running_engine(engine: EngineProcess, tmp_path: Path) -> None:
    client = LinkClient.connect("lab")
    save_screenshot(client, tmp_path / "shot.png", 1.0, (1280, 800))
    picture = QImage(str(tmp_path / "shot.png"))
    assert (picture.width(), picture.height()) == (1280, 800)
    wait(lambda: not client.alive)
    assert engine.process.is_alive()


# Without one.


def test_lost_stream_shows_even_if_the_engine_is_silent(dashboard: Dashboard, clock: Clock) -> None:
    table = dashboard.streams.table
    assert [table.item(row, STATE).text() for row in range(4)] == ["● live"] * 4
    before = shows_colour(pixels(dashboard, dashboard.signals), LIGHT.bad)
    clock.now += 1.95
    dashboard.refresh()
    assert [table.item(row, STATE).text() for row in range(4)] == ["✕ lost"] * 4
    assert table.item(0, AGE).text() in ("2.0", "2.1")
    assert "4 lost" in dashboard.streams._remark.text()
    assert shows_colour(pixels(dashboard, dashboard.signals), LIGHT.bad) > before + 200
    clock.now += 4.0
    dashboard.refresh()
    assert "no new window" in dashboard.distribution._remark.text()
    dashboard.apply(messages.streams())
    clock.now += 0.3
    dashboard.refresh()
    assert table.item(0, STATE).text() == "● live"


@pytest.mark.parametrize(("size", "dark"), [((1280, 800), False), ((1920, 1080), True)])
def test_picture_shows_all_panels(
    dashboard: Dashboard, qt: QApplication, tmp_path: Path, size: tuple[int, int], dark: bool
) -> None:
    theme = DARK if dark else LIGHT
    if dark:
        palette = QPalette()
        palette.setColor(QPalette.ColorRole.Window, QColor("#202020"))
        qt.setPalette(palette)
    dashboard.render(tmp_path / "picture.png", size)
    picture = QImage(str(tmp_path / "picture.png"))
    assert (picture.width(), picture.height()) == size
    assert dashboard.theme is theme
    for plot in dashboard.signals.plots:
        assert plot._curves and all(len(curve.getData()[0]) > 50 for curve in plot._curves)
    curves = pixels(dashboard, dashboard.signals)
    for colour in theme.channels[:3]:
        assert shows_colour(curves, colour) > 100
    for panel in (dashboard.distribution, dashboard.timeline):
        drawn = pixels(dashboard, panel)
        for colour in theme.emotions(dashboard.state.emotions.negative):
            assert shows_colour(drawn, colour) > 60
    balance = pixels(dashboard, dashboard.balance)
    assert shows_colour(balance, theme.positive) > 500
    assert shows_colour(balance, theme.negative) > 500


@pytest.mark.parametrize("size", [(1280, 800), (1920, 1080)])
def test_no_text_is_clipped(dashboard: Dashboard, size: tuple[int, int]) -> None:
    dashboard.apply({"t": "recording", "path": "/data/x.xdf", "since": 1.0, "fault": None})
    dashboard.resize(*size)
    show(dashboard)
    for label in dashboard.findChildren(QLabel):
        if label.isVisible():
            assert label.textFormat() == Qt.TextFormat.PlainText
            assert label.sizeHint().width() <= label.width() + 1, label.text()
            assert label.sizeHint().height() <= label.height() + 1, label.text()
    header = dashboard.streams.table.horizontalHeader()
    for column in range(header.count() - 1):
        if not header.isSectionHidden(column):
            assert header.sectionSizeHint(column) <= header.sectionSize(column) + 8
    for panel in dashboard.centralWidget().children():
        if hasattr(panel, "geometry") and panel.isWidgetType() and panel.isVisible():
            assert dashboard.centralWidget().rect().contains(panel.geometry())


def test_hostile_text_stays_text(dashboard: Dashboard) -> None:
    evil = "<img src=x><h1>big</h1>\n\x00\u202e" * 50
    dashboard.apply(messages.streams(name=evil, notes=[evil], source_id=evil))
    dashboard.apply({"t": "marker", "time": 99.0, "text": evil, "stream": evil})
    dashboard.apply({"t": "log", "level": evil, "text": evil})
    dashboard.apply({"t": "recording", "path": evil, "since": None, "fault": evil})
    dashboard.apply(
        {
            "t": "choice",
            "participant": evil,
            "modality": evil,
            "message": evil,
            "candidates": [{"key": "k", "name": evil}],
        }
    )
    dashboard.apply(messages.window(101.0, participant=evil))
    before = dashboard.size()
    show(dashboard)
    assert dashboard.size() == before
    table = dashboard.streams.table
    for column in range(table.columnCount()):
        item = table.item(0, column)
        assert item.text().isprintable() and len(item.text()) <= 210
        assert not might_be_rich(item.toolTip())
    entry = dashboard.markers.list.item(0)
    assert entry.text().isprintable() and not might_be_rich(entry.toolTip())
    (dialog,) = dashboard._choices.values()
    assert dialog.list.item(0).text().isprintable()


def test_malformed_message_is_left_out(
    dashboard: Dashboard, caplog: pytest.LogCaptureFixture
) -> None:
    windows = len(dashboard.state.people["P1"].windows)
    for _ in range(3):
        dashboard.apply(messages.window(101.0, distribution=[1.0]))
        dashboard.apply({"no": "type"})
    dashboard.apply({"t": "choice"})
    show(dashboard)
    assert len(dashboard.state.people["P1"].windows) == windows
    assert [record.levelname for record in caplog.records] == ["WARNING"] * 3  # one a kind


def test_choice_goes_when_a_stream_is_bound(dashboard: Dashboard) -> None:
    question = {"t": "choice", "participant": "P2", "modality": "ppg", "message": ""}
    candidates = [{"key": "a", "name": "A", "source_id": "a", "type": "PPG"}]
    dashboard.apply({**question, "candidates": candidates})
    assert dashboard._choices
    dashboard.apply(messages.streams("P2"))
    dashboard.refresh(everything=True)
    assert not dashboard._choices
    dashboard.apply({**question, "candidates": candidates})  # already answered
    assert not dashboard._choices


def test_banner_and_baseline(dashboard: Dashboard, clock: Clock) -> None:
    assert not dashboard.source.isVisible()
    dashboard.apply(messages.streams(simulated=True))
    dashboard.apply({"t": "baseline", "participant": "P1", "state": "marking", "start": 60.0})
    clock.now += 65.0
    dashboard.apply(messages.streams(simulated=True))
    show(dashboard)
    assert dashboard.source.isVisible() and "SIMULATED" in dashboard.source.text
    assert dashboard.controls.baseline_text.text().startswith("1:05")
    dashboard.apply(
        {"t": "baseline", "participant": "P1", "state": "stated", "start": 60.0, "stop": 90.0}
    )
    dashboard.apply(messages.streams(replay=True))
    dashboard.apply(messages.window(101.0, reference={"positive": 0.25, "negative": 0.75}))
    show(dashboard)
    assert "0:30 stated" in dashboard.controls.baseline_text.text()
    assert dashboard.source.text.startswith("REPLAY")
    assert "points against baseline" in dashboard.balance.bar.comparison()


def test_a_checkpoints_notice_stays_on_the_screen(dashboard: Dashboard, clock: Clock) -> None:
    assert not dashboard.source.isVisible()
    hello = messages.hello()
    notice = "demonstration weights: not trained on people"
    dashboard.apply({**hello, "checkpoint": {**hello["checkpoint"], "notice": notice}})
    dashboard.apply(messages.streams())
    clock.now += 600.0
    dashboard.apply(messages.streams())
    show(dashboard)
    assert dashboard.source.isVisible()
    assert dashboard.source.text == notice
    dashboard.apply(messages.streams(simulated=True))
    show(dashboard)
    assert dashboard.source.text.startswith("SIMULATED")
    assert dashboard.source.text.endswith(notice)
    # Another engine, with weights that people trained.
    dashboard.apply(hello)
    dashboard.apply(messages.streams())
    show(dashboard)
    assert not dashboard.source.isVisible()


def test_participants_are_shown_apart(dashboard: Dashboard) -> None:
    dashboard.apply(messages.hello(("P1", "P2")))
    for message in messages.signals(85.0, 86.0, "P2"):
        dashboard.apply(message)
    dashboard.apply(messages.window(50.0, "P2"))
    dashboard.refresh(everything=True)
    assert dashboard.person is dashboard.state.people["P1"]
    QTest.keyClick(dashboard, Qt.Key.Key_Tab, Qt.KeyboardModifier.ControlModifier)
    assert dashboard.person is dashboard.state.people["P2"]
    lengths = {len(curve.getData()[0]) for curve in dashboard.signals.plots[0]._curves}
    assert lengths == {64}


def test_many_channels_get_rows_of_their_own(dashboard: Dashboard) -> None:
    greeting = messages.hello()
    channels = [f"E{index}" for index in range(18)]
    greeting["rig"]["modalities"] = [
        {"name": "eeg", "role": "primary", "unit": "uV", "rate": 300.0, "channels": channels}
    ]
    dashboard.apply(greeting)
    times = np.arange(6000) / 300
    values = np.random.default_rng(0).normal(size=(6000, 18)) * 50
    dashboard.apply(messages.pack_signals("P1", "eeg", times, values))
    show(dashboard)
    (plot,) = dashboard.signals.plots
    middles = []
    for curve in plot._curves:  # one a colour, rows of it with a missing value between them
        moments, drawn = curve.getData()
        ends = np.flatnonzero(np.isnan(drawn))
        for begin, end in zip([0, *(ends[:-1] + 1)], ends, strict=True):
            middles.append(float(np.median(drawn[begin:end])))
            assert 300 < end - begin < 1000
            assert (np.diff(moments[begin:end]) > 0).all()
    np.testing.assert_allclose(sorted(middles), np.arange(18), atol=0.3)
    (ticks,) = plot._plot.getAxis("left")._tickLevels
    assert [name for _, name in ticks] == channels  # each row has its name


def test_band_and_runs() -> None:
    low, high = band(np.array([0.05, 0.5, 0.95]), 0.1)
    np.testing.assert_allclose(low, [0.0, 0.4, 0.85])
    np.testing.assert_allclose(high, [0.15, 0.6, 1.0])
    assert runs(np.array([1.0, 2.0, 5.0, 6.0]), 1.6) == [slice(0, 2), slice(2, 4)]


def test_colours_are_legible() -> None:
    def luminance(colour: QColor) -> float:
        parts = np.array([colour.redF(), colour.greenF(), colour.blueF()])
        linear = np.where(parts <= 0.04045, parts / 12.92, ((parts + 0.055) / 1.055) ** 2.4)
        return float(linear @ [0.2126, 0.7152, 0.0722])

    for theme in (LIGHT, DARK):
        for colour in (theme.text, theme.muted, theme.good, theme.warning, theme.bad):
            one, other = sorted((luminance(colour), luminance(theme.card)))
            assert (other + 0.05) / (one + 0.05) >= 4.5  # WCAG 2.2, level AA
        emotions = theme.emotions([False] * 10 + [True] * 10)
        assert len({colour.name() for colour in emotions}) == 20
        assert all(colour.blue() > colour.red() for colour in emotions[:10])
        assert all(colour.red() > colour.blue() for colour in emotions[10:])
        for family in (emotions[:10], emotions[10:]):
            steps = np.diff([luminance(colour) for colour in family])
            assert (steps > 0).all() or (steps < 0).all()


def test_tooltips_are_given(dashboard: Dashboard) -> None:
    for widget in (
        dashboard.controls.baseline,
        dashboard.controls.record,
        dashboard.markers.entry,
        dashboard.distribution,
        dashboard.timeline,
    ):
        assert len(widget.toolTip()) > 10
    QTest.mouseMove(dashboard.controls.baseline, QPoint(5, 5))
