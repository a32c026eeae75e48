from __future__ import annotations

import json
import os
import subprocess
import sys
import time
import uuid
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest

from realtime.discovery import Discovery
from realtime.errors import InputError
from realtime.inlet import Inlet
from realtime.metadata import description_xml
from realtime.player import Player, _due
from realtime.recording import Marker, RecordedStream, Recording, Replay, StreamInfo
from tests.realtime.conftest import Source, gather, until

Connect = Callable[[StreamInfo], Inlet]
START = 1000.25


def make(seconds: float = 8.0) -> Recording:
    """Return a recording with three streams and markers, under names of its own."""
    mark = uuid.uuid4().hex[:8]
    generator = np.random.default_rng(5)
    streams = []
    for name, rate, channel_format, labels in (
        ("BVP", 64.0, "float32", ("BVP",)),
        ("ACC", 32.0, "int16", ("X", "Y", "Z")),
        ("EDA", 0.0, "double64", ("EDA",)),
    ):
        info = StreamInfo(
            key=f"{name} {mark}",
            name=f"{name} {mark}",
            type=name,
            rate=rate,
            labels=labels,
            units=("u",) * len(labels),
            source_id=f"dev-{mark}-{name}",
            format=channel_format,
            description=description_xml(labels, ("u",) * len(labels), manufacturer="Acme")
            if name != "EDA"
            else "",
        )
        times = START + np.arange(int(seconds * (rate or 4.0))) / (rate or 4.0)
        times[1:] += generator.normal(0, 1e-4, len(times) - 1)  # as recorded, jitter and all
        values = generator.integers(-2000, 2000, (len(times), len(labels))).astype(float)
        if channel_format == "float32":
            values = (values / 7).astype(np.float32).astype(float)
            values[3] = np.nan
        if channel_format == "double64":
            values = values / 7
        streams.append(RecordedStream(info, times, values))
    words = replace(
        streams[0].info,
        key=f"words {mark}",
        name=f"words {mark}",
        type="Markers",
        rate=0.0,
        format="string",
        source_id=f"dev-{mark}-words",
        description="",
    )
    markers = tuple(Marker(START + s, f"event {s} µ", words.key) for s in (0.5, 3.0, 7.0))
    return Recording("made", tuple(streams), markers, (words,), START)


def replayed(discovery: Discovery, recording: Recording, index: int) -> StreamInfo:
    """Wait for a recording's stream on the network."""
    info = (*(s.info for s in recording.streams), *recording.marker_streams)[index]
    return until(lambda: next((i for i in discovery.streams() if i.name == info.name), None))


def test_timeline_values_and_metadata_at_speed_8(
    source: Source, discovery: Discovery, connect: Connect
) -> None:
    recording = make()
    offset = source.play(recording, speed=8.0)
    assert offset == int(offset)
    infos = [replayed(discovery, recording, i) for i in range(4)]
    inlets = [connect(info) for info in infos]
    for stream, inlet in zip(recording.streams, inlets[:3], strict=True):
        info = inlet.info
        assert (info.name, info.type, info.rate) == (
            stream.info.name,
            stream.info.type,
            stream.info.rate,
        )
        assert (info.labels, info.units, info.format) == (
            stream.info.labels,
            stream.info.units,
            stream.info.format,
        )
        assert info.replay == Replay(offset, 8.0)
        assert info.source_id.startswith("affectstream-replay-")
    assert ElementTree.fromstring(infos[0].description).findtext("acquisition/manufacturer") == (
        "Acme"
    )
    # Every consumer was waited for, so the very first sample is there.
    for stream, inlet in zip(recording.streams, inlets[:3], strict=True):
        raw, times, samples = gather(inlet, len(stream.times))
        np.testing.assert_array_equal(raw, stream.times + offset)
        np.testing.assert_array_equal(times, raw)
        np.testing.assert_array_equal(samples, stream.samples)
    found: list[Marker] = []
    until(lambda: (found.extend((inlets[3].poll_markers() or ((), ()))[1]), len(found) == 3)[1])
    assert [(m.time, m.text) for m in found] == [
        (m.time + offset, m.text) for m in recording.markers
    ]


def test_stretch_loop_pause_seek_and_speed(
    source: Source, discovery: Discovery, connect: Connect
) -> None:
    recording = make()
    bvp = recording.streams[0]
    alone = replace(recording, streams=(bvp,), markers=(), marker_streams=())
    first = source.play(alone, speed=10.0, start=2.0, stop=4.0, loop=True)
    inlet = connect(replayed(discovery, alone, 0))
    played = bvp.times[(bvp.times >= START + 2) & (bvp.times < START + 4)]
    raw, _, _ = gather(inlet, 3 * len(played))
    np.testing.assert_array_equal(raw[: len(played)], played + first)
    offsets = raw[: 3 * len(played)].reshape(3, -1) - played
    rounds = np.round(offsets[:, 0])
    np.testing.assert_allclose(offsets, rounds[:, None].repeat(len(played), 1), atol=1e-9)
    assert np.all(np.diff(rounds) >= 2)
    assert np.all(np.diff(raw) > 0)

    source.tell("pause")
    place = source.ask("position")
    time.sleep(0.1)
    assert source.ask("position") == place
    while inlet.poll() is not None:
        pass
    source.tell("seek", 3.5)
    source.tell("set_speed", 1.0)
    source.tell("resume")
    after, _, samples = gather(inlet, 5)
    assert after[0] > raw[-1]
    begin = int(np.searchsorted(bvp.times, START + 3.5))
    np.testing.assert_array_equal(samples[:5], bvp.samples[begin : begin + 5])
    source.tell("stop")


def test_samples_go_out_when_they_are_due() -> None:
    recording = make(30.0)
    player = Player(recording, speed=0.5)
    assert player.step()
    time.sleep(0.2)
    player.step()
    assert 0 < player.samples < 64 * 30
    assert player.position < 30
    player.close()
    assert not player.step()


def test_leaps_of_the_clock_are_not_waited_for() -> None:
    times = np.concatenate([[1000.0, 1000.5, 1000.4, 1.7e9, 1.7e9 + 1], 1001 + np.arange(3.0)])
    due = _due(np.append(times, np.nan), 1000.0)
    assert np.all(np.diff(due) >= 0)
    assert np.isfinite(due).all()
    assert due[-1] < 10
    gap = _due(np.array([1000.0, 1094.0]), 1000.0)  # seen in a real recording, and really waited
    assert gap.tolist() == [0.0, 94.0]


@pytest.mark.parametrize(
    ("options", "quoted"),
    [
        ({"speed": 0.0}, "0.0"),
        ({"speed": float("nan")}, "nan"),
        ({"speed": 1e6}, "1000000"),
        ({"start": 50.0}, "50"),
        ({"start": 3.0, "stop": 2.0}, "from 3 s to 2 s"),
        ({"start": -1.0}, "-1"),
    ],
)
def test_bad_options_are_refused(options: dict[str, float], quoted: str) -> None:
    with pytest.raises(InputError, match=quoted):
        Player(make(), **options)  # type: ignore[arg-type]


def test_an_empty_recording_is_refused() -> None:
    with pytest.raises(InputError, match=r"empty\.xdf"):
        Player(Recording("empty.xdf", ()))


def test_nobody_is_waited_for_in_vain() -> None:
    player = Player(make(2.0), speed=100.0, wait=0.1)
    assert player.run() == 2 * (64 + 32 + 4) + 3


def write_e4(folder: Path, seconds: int) -> Path:
    """Write a recording in the layout of the Empatica E4."""
    folder.mkdir()
    generator = np.random.default_rng(2)
    for name, rate, columns in (("BVP", 64, 1), ("EDA", 4, 1), ("TEMP", 4, 1), ("ACC", 32, 3)):
        head = [", ".join([f"{value:.6f}"] * columns) for value in (1.5e9, rate)]
        rows = generator.integers(-60, 60, (seconds * rate, columns))
        lines = [",".join(map(str, row)) for row in rows.tolist()]
        (folder / f"{name}.csv").write_text("\n".join(head + lines) + "\n")
    return folder


def test_the_command_replays_an_e4_folder(
    tmp_path: Path, discovery: Discovery, connect: Connect
) -> None:
    folder = write_e4(tmp_path / "S1_E4_Data", 3)
    program = (
        "import sys, typer; from apps.cli.replay import replay;"
        "app = typer.Typer(); app.command()(replay); app(sys.argv[1:])"
    )
    before = {info.source_id for info in discovery.streams()}
    command = subprocess.Popen(
        [sys.executable, "-c", program, str(folder), "--speed", "20", "--json"],
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": str(Path(__file__).parents[2])},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )

    def four() -> list[StreamInfo]:
        new = [i for i in discovery.streams() if i.replay and i.source_id not in before]
        return new if len(new) == 4 else []

    inlets = [connect(info) for info in until(four)]
    received = {inlet.info.rate: gather(inlet, int(3 * inlet.info.rate)) for inlet in inlets}
    output, errors = command.communicate(timeout=60)
    assert command.returncode == 0, errors
    result = json.loads(output)
    assert result["speed"] == 20
    assert result["samples"] == 3 * (64 + 4 + 4 + 32)
    assert {stream["source_id"] for stream in result["streams"]} == {
        inlet.info.source_id for inlet in inlets
    }
    np.testing.assert_allclose(
        received[64.0][0], result["offset"] + np.arange(3 * 64) / 64, atol=1e-9
    )
