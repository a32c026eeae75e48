"""The benchmark: real engines on full windows, NeuroKit2 beside them, an honest verdict."""

from __future__ import annotations

import json

import numpy as np
import pytest

from apps import bench
from apps.bench_signals import plain_way, simulated
from realtime.offline import bind_recording, windows_of
from realtime.rig import load_rig, shipped_rigs
from tests.apps.commands import run_here


@pytest.mark.parametrize("name", shipped_rigs())
def test_every_modality_of_a_shipped_rig_is_simulated_well_enough_to_be_used(name: str) -> None:
    rig = load_rig(name)
    longest = max(rig.warm_up, *(modality.window for modality in rig.modalities))
    recording = simulated(rig, longest + 1.0)
    assert {stream.info.key for stream in recording.streams} == {m.name for m in rig.modalities}
    assert all(stream.info.simulated for stream in recording.streams)
    bound = bind_recording(recording, rig)
    assert not bound.refusals and not bound.unbound, bound.notes
    last = list(windows_of(recording, rig))[-1]
    assert not last.warm_up
    assert all(last.mask.values()), last.mask
    for modality, features in last.features.items():
        share = np.isfinite(features).mean()
        assert share > 0.8, f"{modality}: {share:.2f} of the features exist"


def test_what_is_timed_is_what_the_engine_gives_offline() -> None:
    rig = load_rig("dmer")
    recording = simulated(rig, 15.0)
    offline = {window.time: window for window in windows_of(recording, rig)}
    for chunks in (1, bench.LIVE_CHUNKS):
        hops = bench._Hops(rig, recording, None, 10.0, chunks)
        for _ in range(3):
            (window,) = hops.hop()
            for modality, features in window.features.items():
                assert features.tobytes() == offline[window.time].features[modality].tobytes()
        assert len(hops.times.wall) == len(hops.times.processor) == 3
        assert min(hops.times.wall) > 0


def test_the_plain_way_processes_the_whole_window() -> None:
    for name in ("wrist", "dmer"):
        rig = load_rig(name)
        recording = simulated(rig, 61.0)
        for modality in rig.modalities:
            call, told = plain_way(modality, recording)
            if call is None:
                assert told == "NeuroKit2 has none"
                continue
            table, _ = call()
            assert len(table) == round(modality.window * modality.rate)


def test_the_verdict_leaves_time_to_spare() -> None:
    def rows(live: float, prediction: float, texture: float) -> list[bench.Row]:
        times = {bench.WHOLE: 9.0, bench.LIVE: live, bench.PREDICTION: prediction}
        times[bench.TEXTURE] = texture
        return [bench.Row("dmer", part, 1000.0, ms, ms) for part, ms in times.items()]

    assert bench.fast_enough(rows(400.0, 90.0, 400.0))
    assert not bench.fast_enough(rows(450.0, 90.0, 10.0))
    assert not bench.fast_enough(rows(100.0, 1.0, 600.0))
    assert not bench.fast_enough([*rows(1.0, 1.0, 1.0), bench.Row("x", bench.LIVE, 100.0, 60, 60)])
    assert bench.fast_enough(rows(1.0, 1.0, 1.0)[:2])


def test_the_command_prints_one_object_with_a_row_for_each_part(capsys) -> None:
    status, out, err = run_here(capsys, "bench", "--rig", "dmer", "--rounds", "1", "--json")
    assert status == 0, err[-2000:]
    result = json.loads(out)
    assert result["fast_enough"] in (True, False)
    assert result["machine"]["torch_threads"] == 1
    assert result["machine"]["processor"]
    rows = {row["part"]: row for row in result["rows"]}
    modalities = {m.name for m in load_rig("dmer").modalities}
    whole = {bench.WHOLE, bench.WITHOUT_VIDEO, bench.LIVE}
    assert set(rows) - {bench.PREDICTION} == modalities | whole | {bench.TEXTURE}
    for row in rows.values():
        assert row["rig"] == "dmer"
        assert row["budget_ms"] == 1000.0
        assert row["ours_ms"] > 0
        if row["plain_ms"] is not None:
            assert row["ratio"] == pytest.approx(row["plain_ms"] / row["ours_ms"])
    assert rows["ppg"]["plain"] == "ppg_process"
    assert rows["eeg"]["plain_ms"] is None
    total = rows["ppg"]["plain_ms"] + rows["gsr"]["plain_ms"]
    assert all(rows[part]["plain_ms"] == pytest.approx(total) for part in whole)


def test_a_rig_that_is_none_is_refused(capsys) -> None:
    status, out, err = run_here(capsys, "bench", "--rig", "nonesuch")
    assert (status, out) == (2, "")
    assert "'nonesuch'" in err and "chest, dmer, wrist" in err
