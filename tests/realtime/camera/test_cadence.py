"""Cameras of any pace on the 30-Hz grid."""

from __future__ import annotations

import numpy as np
import pytest

from realtime.camera.cadence import Cadence


def serve(times: np.ndarray) -> tuple[Cadence, np.ndarray, np.ndarray]:
    """Push numbered frames; return places on the grid and the numbers that serve them."""
    cadence = Cadence()
    served = []
    for number, time in enumerate(times.tolist()):
        served += [
            (index, int(frame[0])) for index, frame in cadence.push(time, np.array([number]))
        ]
    index, number = np.array(served).T
    return cadence, index, number


def shaken(fps: float, seconds: float = 20.0) -> np.ndarray:
    """Times of a camera's frames, each up to 5 ms early or late."""
    count = int(fps * seconds)
    rng = np.random.default_rng(round(100 * fps))
    return np.sort(5000.0 + np.arange(count) / fps + rng.uniform(-0.005, 0.005, count))


@pytest.mark.parametrize("fps", [7.5, 10, 12.5, 15, 20, 23.976, 25, 29.5, 29.97, 30, 30.5, 50, 60])
def test_every_camera_fills_the_grid_without_a_gap(fps: float) -> None:
    times = shaken(fps)
    cadence, index, number = serve(times)
    assert (np.diff(index) == 1).all() and index[0] == 0
    assert (np.diff(number) >= 0).all()
    off = times[number] - [cadence.stamp(i) for i in index.tolist()]
    # Half the time between two frames, or between two stamps, and what the camera shakes.
    assert np.abs(off).max() <= 0.5 / min(fps, 30) + 0.02
    assert cadence.repeated == len(index) - len(set(number.tolist()))


def test_15_frames_a_second_serve_two_stamps_each() -> None:
    _, _, number = serve(shaken(15))
    assert (np.bincount(number)[1:-1] == 2).all()


def test_60_frames_a_second_serve_every_other_one() -> None:
    cadence, _, number = serve(np.arange(600) / 60)
    assert (np.diff(number) == 2).all()
    assert cadence.left_out == 299


def test_30_frames_a_second_serve_one_stamp_each_at_any_phase() -> None:
    for phase in np.linspace(0, 1 / 30, 9):
        rng = np.random.default_rng(3)
        times = np.concatenate([[0.0], 0.1 + phase + np.arange(900) / 30])
        times[1:] += rng.uniform(-0.004, 0.004, 900)
        _, _, number = serve(times)
        steps = np.diff(number[8:])
        # Where the phase lies on the edge between two stamps, it settles on one, once.
        assert (steps != 1).sum() <= 1, phase


def test_a_camera_that_was_away_leaves_a_gap_on_the_same_grid() -> None:
    times = np.concatenate([np.arange(60) / 30, 1e6 + 0.01 + np.arange(60) / 30])
    cadence, index, number = serve(times)
    jumps = np.flatnonzero(np.diff(index) > 1)
    assert len(jumps) == 1
    before, after = index[jumps[0]], index[jumps[0] + 1]
    assert cadence.stamp(int(before)) <= times[59] + 0.1
    assert abs(cadence.stamp(int(after)) - times[60]) <= 0.1
    assert number[-1] == 119


def test_time_origin_changes_nothing() -> None:
    for fps in (15, 24, 25, 30, 60):
        times = np.arange(200) / fps
        _, index, number = serve(times)
        for origin in (12.3, 86400.0 * 12 + 0.77):
            _, moved, same = serve(times + origin)
            np.testing.assert_array_equal(moved, index)
            np.testing.assert_array_equal(same, number)


def test_frames_that_do_not_come_later_are_left_out() -> None:
    cadence = Cadence()
    frame = np.zeros(1)
    assert len(cadence.push(1.0, frame)) == 1
    assert cadence.push(1.0, frame) == [] and cadence.push(0.5, frame) == []
    assert cadence.left_out == 2


def test_a_reset_clock_begins_a_new_grid() -> None:
    cadence = Cadence()
    frame = np.zeros(1)
    out = []
    for time in (5.0, 5.0 + 1 / 30, 1e9, float("nan"), 0.25, 0.25 + 1 / 30, 0.25 + 2 / 30):
        out += [(index, cadence.stamp(index)) for index, _ in cadence.push(time, frame.copy())]
    index, stamps = np.array(out).T
    assert (np.diff(index) > 0).all()
    np.testing.assert_allclose(stamps[-3:], [0.25, 0.25 + 1 / 30, 0.25 + 2 / 30], atol=1e-6)
    assert cadence.left_out == 1
