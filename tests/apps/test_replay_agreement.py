"""Features of a live LSL replay at speed 8 are those of offline scoring."""

from __future__ import annotations

import dataclasses
import os
import time

import numpy as np

from realtime import lsl
from realtime.discovery import Discovery
from realtime.engine import Engine
from realtime.files import open_recording
from realtime.live import LiveStreams
from realtime.offline import windows_of
from realtime.rig import load_rig
from tests.apps.commands import running
from tests.data import data_folder

RIG = load_rig("wrist")
START, STOP = 3800, 3900


def test_wesad_person_at_speed_8():
    folder = data_folder("wesad_wrist") / "S2" / "S2_E4_Data"
    environment = {**os.environ, **lsl.environment(lsl.configure(loopback=True))}
    discovery = Discovery()
    live = LiveStreams(RIG, discovery)
    engine = Engine(RIG, limit=600)
    windows = []
    arguments = ["replay", folder, "--speed", 8, "--start", START, "--stop", STOP]
    with running(arguments, environment) as player:
        end = time.monotonic() + 70
        while time.monotonic() < end and player.poll() is None:
            engine.bind(live.follow())
            for arrival in live.poll():
                engine.push(arrival.chunk, time.perf_counter())
            windows += engine.windows_now(time.perf_counter())
            time.sleep(0.02)
        offsets = {inlet.info.replay.offset for inlet in live.inlets.values()}
        live.close()
        discovery.close()
    assert len(offsets) == 1
    (offset,) = offsets
    assert offset == int(offset)
    recording = open_recording(folder)
    streams = []
    for stream in recording.streams:
        kept = (stream.times >= START) & (stream.times < STOP)
        streams.append(
            dataclasses.replace(stream, times=stream.times[kept], samples=stream.samples[kept])
        )
    cut = dataclasses.replace(recording, streams=tuple(streams))
    expected = {w.time: w for w in windows_of(cut, RIG)}
    assert len(windows) >= len(expected) - 1 > 80
    for window in windows:
        reference = expected[window.time - offset]
        assert window.mask == reference.mask
        assert window.valid == reference.valid
        for modality, values in window.features.items():
            np.testing.assert_allclose(
                values, reference.features[modality], rtol=0, atol=1e-6, equal_nan=True
            )
