"""Recordings through the whole engine: windows, masks, invariances."""

from __future__ import annotations

import numpy as np
import pytest

from realtime.baseline import fit_population
from realtime.errors import InputError
from realtime.features import feature_set
from realtime.files import open_recording
from realtime.offline import bind_recording, score, windows_of
from realtime.rig import load_rig
from realtime.simulator.layouts import EMOTIBIT
from realtime.simulator.person import Person
from realtime.window import Prediction
from tests.data import data_folder
from tests.realtime.synthetic import change, wristband

RIG = load_rig("wrist")


def stack(windows):
    """Return all raw features of all windows as one array."""
    return np.array([np.concatenate([w.features[m] for m in sorted(w.features)]) for w in windows])


def feature(window, name):
    modality, _, entry = name.partition(".")
    names = [f.name for f in feature_set(modality).features]
    return float(window.features[modality][names.index(entry)])


class Mean:
    """A predictor with a memory of batch sizes: the share of the first is its mean z-score."""

    emotions = ("calm", "tense")

    def __call__(self, windows):
        x = np.array([w.normalised["eda"].mean() + w.normalised["ppg"].mean() for w in windows])
        p = 1 / (1 + np.exp(-x))
        n = len(windows)
        return Prediction(np.column_stack([1 - p, p]), np.full(n, 0.1), np.full(n, 0.5))


@pytest.fixture(scope="module")
def whole():
    return list(windows_of(wristband(), RIG))


def test_windows_end_at_whole_hops_from_warm_up_on(whole):
    assert [w.time for w in whole] == [float(t) for t in range(10, 101)]
    assert all(w.warm_up for w in whole[:50]) and not any(w.warm_up for w in whole[50:])
    assert all(all(w.mask.values()) for w in whole)


def test_features_say_what_is_in_the_signal(whole):
    assert feature(whole[-1], "ppg.heart_rate") == pytest.approx(72, abs=2)
    assert feature(whole[-1], "temperature.mean") == pytest.approx(33.07, abs=0.02)


@pytest.fixture(scope="module")
def shorter():
    """Windows of what is just long enough for complete ones."""
    return list(windows_of(wristband(65), RIG))


def test_chunks_of_a_few_samples_change_no_byte(shorter):
    windows = list(windows_of(wristband(65), RIG, chunk_seconds=0.037))
    assert not windows[-1].warm_up
    assert stack(windows).tobytes() == stack(shorter).tobytes()
    assert [w.mask for w in windows] == [w.mask for w in shorter]


@pytest.mark.parametrize("seconds", [1.0, 7.7, np.inf])
def test_chunk_size_changes_no_byte(whole, seconds):
    windows = list(windows_of(wristband(), RIG, chunk_seconds=seconds))
    assert stack(windows).tobytes() == stack(whole).tobytes()
    assert [w.mask for w in windows] == [w.mask for w in whole]


def test_time_origin_changes_nothing(whole):
    for start in (1000.0, -50.0, 1.6e9):
        windows = list(windows_of(wristband(start=start), RIG))
        assert [w.time - start for w in windows] == [w.time for w in whole]
        np.testing.assert_allclose(stack(windows), stack(whole), rtol=2e-4, atol=2e-4)


def test_microseconds_of_clock_noise_move_nothing(whole):
    rng = np.random.default_rng(1)
    noisy = wristband()
    for name in ("ppg", "eda", "temperature", "acc"):
        noisy = change(noisy, name, lambda t, x: (t + rng.normal(0, 3e-5, len(t)), x))
    windows = list(windows_of(noisy, RIG))
    assert [w.time for w in windows] == [w.time for w in whole]
    np.testing.assert_array_equal(stack(windows), stack(whole))


@pytest.mark.parametrize(
    "present", [("ppg",), ("eda",), ("acc", "temperature"), ("ppg", "eda", "acc")]
)
def test_any_subset_works_and_masks_the_rest(present):
    windows = list(windows_of(wristband(40, sensors=present), RIG))
    assert len(windows) == 31
    for window in windows:
        assert {m for m, used in window.mask.items() if used} == set(present)
        assert np.isfinite(np.concatenate(list(window.normalised.values()))).all()


def test_one_stream_a_channel_at_other_rates():
    recording = Person(1, rates=EMOTIBIT.rates).to_recording(60, EMOTIBIT)
    notes = " ".join(bind_recording(recording, RIG).notes)
    assert "put together from 3 streams" in notes and "25" in notes
    reference = list(windows_of(recording, RIG))
    assert all(min(w.valid.values()) > 0.9 for w in reference[40:])
    assert all(reference[-1].mask.values())
    for seconds in (1.0, np.inf):
        windows = list(windows_of(recording, RIG, chunk_seconds=seconds))
        assert stack(windows).tobytes() == stack(reference).tobytes()


def test_one_stream_a_channel_in_chunks_of_a_sample():
    recording = Person(1, rates=EMOTIBIT.rates).to_recording(20, EMOTIBIT)
    reference = list(windows_of(recording, RIG))
    windows = list(windows_of(recording, RIG, chunk_seconds=0.04))
    assert len(windows) >= 10 and all(windows[-1].mask.values())
    assert stack(windows).tobytes() == stack(reference).tobytes()


def test_gap_touches_its_windows_and_nothing_later(whole):
    def lose(t, x):
        keep = (t < 20) | (t >= 27)
        return t[keep], x[keep]

    windows = list(windows_of(change(wristband(), "eda", lose), RIG))
    assert [w.time for w in windows] == [w.time for w in whole]
    by_time = {w.time: w for w in windows}
    assert by_time[20.0].mask["eda"]
    assert not by_time[26.0].mask["eda"]
    assert by_time[26.0].age["eda"] == pytest.approx(6.0)
    assert by_time[35.0].mask["eda"]
    assert by_time[35.0].valid["eda"] < 0.85
    assert by_time[100.0].valid["eda"] == 1.0


def test_lost_stream_is_masked_and_the_others_go_on():
    def stop(t, x):
        return t[t < 30], x[t < 30]

    windows = list(windows_of(change(wristband(), "ppg", stop), RIG))
    assert windows[-1].time == 100
    last = {w.time: w.mask["ppg"] for w in windows}
    assert last[34.0] and not last[36.0]
    assert windows[-1].mask["eda"]


def test_returning_stream_is_used_again():
    def pause(t, x):
        keep = (t < 20) | (t > 70)
        return t[keep], x[keep]

    windows = list(windows_of(change(wristband(150), "ppg", pause), RIG))
    used = {w.time: w.mask["ppg"] for w in windows}
    assert used[20.0] and not used[60.0] and used[120.0]
    after = next(w for w in windows if w.time == 150)
    assert feature(after, "ppg.heart_rate") == pytest.approx(72, abs=2)


@pytest.mark.parametrize("fault", ["nan", "inf", "flat", "flood"])
def test_bad_samples_never_break_a_window(fault):
    def spoil(t, x):
        if fault == "nan":
            x[1000:2000] = np.nan
        elif fault == "inf":
            x[1000:1100] = np.inf
        elif fault == "flat":
            x[:] = 3.0
        else:
            return np.repeat(t, 20), np.repeat(x, 20, axis=0)
        return t, x

    for name in ("ppg", "acc"):
        windows = list(windows_of(change(wristband(65), name, spoil), RIG))
        assert windows[-1].time == pytest.approx(65, abs=1)
        for window in windows:
            assert np.isfinite(np.concatenate(list(window.normalised.values()))).all()


def test_stamps_from_another_epoch_are_survived(whole):
    def stray(t, x):
        t[3000:3003] += 1.6e9
        return t, x

    windows = list(windows_of(change(wristband(), "ppg", stray), RIG))
    assert [w.time for w in windows] == [w.time for w in whole]
    assert windows[-1].mask["ppg"] and windows[-1].valid["ppg"] > 0.95


def test_pause_of_a_session_is_jumped_over():
    def pause(t, x):
        return np.where(t < 40, t, t + 5000), x

    recording = wristband()
    for name in ("ppg", "eda", "temperature", "acc"):
        recording = change(recording, name, pause)
    windows = list(windows_of(recording, RIG))
    times = np.array([w.time for w in windows])
    assert len(times) < 200
    assert (times[-1], times[0]) == (5100.0, 10.0)


def test_distributions_do_not_depend_on_chunks(whole):
    recording = wristband()
    population = fit_population(
        [{m.name: np.array([w.features[m.name] for w in whole]) for m in RIG.modalities}]
    )
    one = list(score(recording, RIG, Mean(), population, baseline=(0, 30)))
    for seconds in (0.5, 30.0, np.inf):
        other = score(recording, RIG, Mean(), population, baseline=(0, 30), chunk_seconds=seconds)
        np.testing.assert_allclose(
            [r.distribution for r in one], [r.distribution for r in other], atol=1e-5
        )
    assert {r.window.baseline for r in one} == {"running", "stated"} or {
        r.window.baseline for r in one
    } == {"stated"}
    sums = np.array([r.smoothed.sum() for r in one])
    np.testing.assert_allclose(sums, 1, atol=1e-9)


def test_recording_without_any_sensor_of_the_rig_is_refused():
    recording = open_recording(data_folder("xdf") / "minimal.xdf")
    with pytest.raises(InputError, match="no stream that the rig 'wrist' can use"):
        bind_recording(recording, RIG)


def test_muse_recording_gives_what_it_holds():
    recording = open_recording(data_folder("xdf") / "muse_eeg_ppg_acc_gyro_p001.xdf")
    windows = list(windows_of(recording, RIG))
    assert len(windows) >= 14
    assert {m for m, used in windows[-1].mask.items() if used} == {"ppg", "acc"}
    assert 40 < feature(windows[-1], "ppg.heart_rate") < 140
    magnitude = [f.name for f in feature_set("acc").features].index("magnitude_mean")
    assert windows[-1].features["acc"][magnitude] == pytest.approx(1, abs=0.1)


def test_wesad_person_is_chunk_invariant():
    folder = data_folder("wesad_wrist") / "S2" / "S2_E4_Data"
    recording = open_recording(folder)
    for name in ("ppg", "eda", "temperature", "acc"):
        key = next(b for b in bind_recording(recording, RIG).bindings if b.modality == name)
        recording = change(recording, key.sources[0].stream, lambda t, x: (t[t < 100], x[t < 100]))
    reference = stack(list(windows_of(recording, RIG)))
    for seconds in (0.11, np.inf):
        windows = list(windows_of(recording, RIG, chunk_seconds=seconds))
        assert stack(windows).tobytes() == reference.tobytes()
