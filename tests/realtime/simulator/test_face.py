from __future__ import annotations

import numpy as np
import pytest

from realtime.features.lbp_top import texture_counts
from realtime.offline import windows_of
from realtime.rig import load_rig
from realtime.simulator.affect import Affect, Schedule, amusement, rest, stress
from realtime.simulator.blinks import Blinks
from realtime.simulator.face import Face
from realtime.simulator.layouts import DMER, DMER_FRAMES
from realtime.simulator.person import Person

SCHEDULE = Schedule((), (rest(20.0), stress(20.0), amusement(20.0)))
REST, STRESS, FUN = 10, 30, 50
"""Seconds in the middle of each."""


def drawn(seed: int, second: int, count: int = 30) -> np.ndarray:
    """Return frames of a person from a second on."""
    affect = Affect(SCHEDULE, seed)
    blinks = Blinks(affect, seed)
    for past in range(second + 1):
        blinks.advance(past)
    return Face(affect, blinks, seed).draw(30 * second, 30 * second + count)


def mouth(frames: np.ndarray) -> np.ndarray:
    return frames[:, 84:112, 34:94].astype(float)


def brows(frames: np.ndarray) -> np.ndarray:
    return frames[:, 26:48, 24:104].astype(float)


def test_frames_are_those_of_a_camera() -> None:
    frames = drawn(1, REST)
    assert frames.shape == (30, 128, 128) and frames.dtype == np.uint8
    assert 30 < frames.mean() < 220
    # The sensor's noise, and a head that hardly moves.
    apart = np.abs(np.diff(frames.astype(float), axis=0))
    assert 0.5 < apart.mean() < 6


def test_the_expression_follows_the_state() -> None:
    for seed in (1, 2, 3):
        calm, tense, glad = (drawn(seed, second) for second in (REST, STRESS, FUN))
        again = drawn(seed, REST - 3)
        usual = np.abs(brows(calm).mean(axis=0) - brows(again).mean(axis=0)).mean()
        assert np.abs(brows(tense).mean(axis=0) - brows(calm).mean(axis=0)).mean() > 2 * usual
        usual = np.abs(mouth(calm).mean(axis=0) - mouth(again).mean(axis=0)).mean()
        assert np.abs(mouth(glad).mean(axis=0) - mouth(calm).mean(axis=0)).mean() > 2 * usual
        # The corners of the mouth rise: what is dark around them lies higher.
        rows = np.arange(28)
        heights = []
        for frames in (calm, glad):
            dark = np.clip(np.median(mouth(frames)) - mouth(frames).mean(axis=0), 0, None)
            heights.append((dark[:, :14].sum(axis=1) * rows).sum() / dark[:, :14].sum())
        assert heights[1] < heights[0] - 0.5, f"corners at rows {heights}"


def test_lids_close_when_the_eeg_shows_it() -> None:
    affect = Affect(SCHEDULE, 1)
    blinks = Blinks(affect, 1)
    face = Face(affect, blinks, 1)
    times = np.arange(600) / 30
    closed, frames = [], []
    for second in range(20):
        blinks.advance(second)
        frames.append(face.draw(30 * second, 30 * second + 30))
        closed.append(blinks.closure(times[30 * second : 30 * second + 30]))
    lids = np.concatenate(closed)
    assert lids.max() > 0.9 and np.mean(lids > 0) < 0.4
    eyes = np.concatenate(frames)[:, 46:55, 34:52].astype(float)
    contrast = eyes.std(axis=(1, 2))
    assert contrast[lids > 0.9].max() < contrast[lids == 0].min()


def test_texture_is_that_of_the_frames() -> None:
    rates = {"face": 30.0, "frames": 30.0}
    read = Person(5, rates=rates).read(0.0, 4.0)
    frames = read["frames"][1].astype(np.uint8).reshape(-1, 128, 128)
    counts = texture_counts(frames)
    np.testing.assert_array_equal(read["face"][1][4:-4], counts)
    alone = Person(5, rates={"face": 30.0}).read(0.0, 4.0)["face"]
    np.testing.assert_array_equal(alone[1], read["face"][1])
    assert alone[1].shape == (120, 768)
    assert alone[1].sum(axis=1) == pytest.approx(3 * 126 * 126)


def test_expressions_change_the_texture_more_than_time_does() -> None:
    for seed in (1, 2, 3):
        person = Person(seed, SCHEDULE, {"face": 30.0})
        # The picture's own plane: the others show how the head moves, which varies more.
        counts = person.read(0.0, 60.0)["face"][1][:, :256]
        sums = [counts[30 * begin : 30 * (begin + 6)].sum(axis=0) for begin in (5, 12, 30, 50)]
        calm, again, tense, glad = (part / part.sum() for part in sums)
        usual = np.abs(calm - again).sum()
        assert np.abs(calm - tense).sum() > 1.25 * usual
        assert np.abs(calm - glad).sum() > 1.25 * usual


def test_frames_and_texture_give_the_engine_the_same_features() -> None:
    found = []
    for device in (DMER, DMER_FRAMES):
        recording = Person(3, SCHEDULE, device.rates).to_recording(14.0, device)
        found.append([w.features["face"] for w in windows_of(recording, load_rig("dmer"))])
    texture, frames = found
    assert len(texture) == len(frames) > 3
    # The texture of a recording's last four frames would need four more.
    np.testing.assert_array_equal(texture[:-1], frames[:-1])
    assert np.isfinite(texture).all()
