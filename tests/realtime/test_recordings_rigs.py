"""Real recordings of Muse, OpenSignals, Starstim and OpenBCI with every rig: what they give."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import numpy as np
import pytest

from realtime.binding import bind, survey
from realtime.discovery import Discovery
from realtime.engine import Engine
from realtime.errors import InputError
from realtime.features import entries
from realtime.offline import windows_of
from realtime.recording import RecordedStream, Recording, StreamInfo
from realtime.rig import Rig, load_rig, parse_rig
from realtime.window import Window
from realtime.xdf import read_xdf
from tests.data import data_folder
from tests.realtime.conftest import Source, until
from tests.realtime.features.pulse import beat_times, pulse_wave

OWN_RIGS = Path(__file__).parents[2] / "docs" / "rigs"
RIGS = {
    **{name: load_rig(name) for name in ("wrist", "chest", "dmer")},
    **{name: load_rig(OWN_RIGS / f"{name}.toml") for name in ("muse", "chest-strap")},
}
MUSE, MUSE_CUT = "muse_eeg_ppg_acc_gyro_p001", "muse_truncated_offsets_p003"
OPEN, DYAD, EMG = "openmuse_opensignals_timing", "dyad_eeg32_acc_noise", "emg_8ch_250hz_markers"
FIRST = "STARSTIM-32-NE-Device (COM3)"

# Eight electrodes over muscles, without a label each, as OpenBCI's program sends them.
MUSCLES = """
name = "muscles"
description = "eight muscles"
hop = 1.0
warm_up = 10.0
lateness = 1.5
[modalities.emg]
role = "primary"
features = "emg"
types = ["EMG"]
channels = { "EMG[1-8]" = ["EMG[1-8]"] }
unit = "mV"
rate = 250.0
rate_range = [200.0, 5000.0]
window = 60.0
filter = { low = 20.0, high = 110.0 }
"""
CAP_32 = """
name = "cap"
description = "a cap whose device numbers its channels"
hop = 1.0
warm_up = 5.0
lateness = 1.5
[modalities.eeg]
role = "primary"
features = "eeg"
types = ["EEG"]
channels = { "E[1-32]" = ["Ch[1-32]"] }
unit = "uV"
rate = 500.0
rate_range = [110.0, 5000.0]
window = 1.0
min_channels = 16
filter = { low = 1.0, high = 50.0 }
"""
RIGS["cap"] = parse_rig(CAP_32, "cap.toml")


@cache
def recording(name: str) -> Recording:
    """Read one of the real recordings."""
    return read_xdf(data_folder("xdf") / f"{name}.xdf")


def windows(given: Recording, rig: Rig, choices: dict[str, str] | None = None) -> list[Window]:
    """Return all windows of a recording, with chosen streams."""
    engine = Engine(rig)
    infos = [stream.info for stream in given.streams if len(stream.times)]
    engine.bind(bind(rig, infos, choices=choices).bindings)
    found = []
    for until_time, chunks in given.rounds(7.0):
        for chunk in chunks:
            engine.push(chunk)
        found += engine.windows_until(until_time)
    return found


@pytest.mark.parametrize(
    ("name", "rig", "choices", "used", "unserved"),
    [
        (MUSE, "wrist", {}, {"ppg", "acc"}, {"eda", "temperature"}),
        (MUSE, "chest", {}, {"acc"}, {"ecg", "eda", "emg"}),
        (MUSE, "dmer", {}, {"ppg"}, {"eeg", "gsr", "face"}),
        (MUSE, "muse", {}, {"eeg", "ppg", "acc"}, set()),
        (MUSE, "chest-strap", {}, {"ppg"}, {"ecg"}),
        (OPEN, "wrist", {"ppg": "Muse_OPTICS"}, {"ppg", "eda", "acc"}, {"temperature"}),
        # Its ECG electrode was not worn: bound, and flat.
        (OPEN, "chest", {}, {"eda", "acc"}, {"emg"}),
        (OPEN, "dmer", {"ppg": "Muse_OPTICS"}, {"ppg", "gsr"}, {"eeg", "face"}),
        (OPEN, "muse", {}, {"eeg", "acc", "ppg"}, set()),
        (DYAD, "wrist", {"acc": f"{FIRST} Acc"}, set(), {"ppg", "eda", "temperature"}),
        (DYAD, "chest", {"acc": f"{FIRST} Acc"}, set(), {"ecg", "eda", "emg"}),
        (DYAD, "cap", {"eeg": FIRST}, {"eeg"}, set()),
    ],
)
def test_what_each_recording_gives_to_each_rig(name, rig, choices, used, unserved) -> None:
    given = recording(name)
    found = windows(given, RIGS[rig], choices)
    infos = [stream.info for stream in given.streams if len(stream.times)]
    assert set(bind(RIGS[rig], infos, choices=choices).unbound) == unserved
    masked = {m for window in found for m, on in window.mask.items() if on}
    assert masked == used, f"{name} with {rig}: {len(found)} windows"
    for modality in used:
        values = np.array([w.features[modality] for w in found if w.mask[modality]])
        known = np.isfinite(values).any(axis=1)
        assert known.all(), f"{name} with {rig}: {modality} is empty in {(~known).sum()} windows"


def test_a_recording_cut_after_ten_seconds_of_eeg() -> None:
    given = recording(MUSE_CUT)
    short = [s.info.type for s in given.streams if len(s.times)]
    assert short == ["EEG"]
    text = (OWN_RIGS / "muse.toml").read_text("utf-8").replace("warm_up = 10.0", "warm_up = 5.0")
    found = windows(given, parse_rig(text, "muse.toml"))
    assert len(found) == 5
    assert all(window.mask["eeg"] for window in found)
    for rig in ("wrist", "chest", "dmer", "chest-strap"):
        with pytest.raises(InputError, match=f"no stream that the rig '{rig}' can use"):
            list(windows_of(given, RIGS[rig]))


def test_muse_s_brain_waves_are_of_a_scalp_s_size() -> None:
    rig = RIGS["muse"]
    names = [feature.name for feature in entries(rig.modality("eeg"))]
    values = np.array([w.features["eeg"] for w in windows(recording(MUSE), rig)])
    alpha = np.nanmedian(values[:, [names.index(f"{e}.alpha") for e in ("TP9", "TP10")]])
    # DE = ½ ln(2πe σ²): 1 to 50 µV in the alpha band.
    assert 1.4 < alpha < 5.4, f"median alpha of the ears: {alpha:.2f} nats"


@pytest.mark.parametrize("name", [MUSE, MUSE_CUT, OPEN, DYAD, EMG])
@pytest.mark.parametrize("rig", ["wrist", "chest", "dmer", "muse"])
def test_every_eeg_stream_is_used_or_explained(name: str, rig: str) -> None:
    given = recording(name)
    infos = [stream.info for stream in given.streams if len(stream.times)]
    result = survey(RIGS[rig], infos)
    bound = {source.stream for binding in result.bindings for source in binding.sources}
    # A rig without EEG has nothing to say of it.
    wanted = "eeg" in [modality.name for modality in RIGS[rig].modalities]
    for info in infos:
        if info.type == "EEG" and wanted:
            assert (info.key in bound) is (rig == "muse" and "Muse" in info.name)
            if info.key not in bound:
                (sentence,) = result.refusals[info.key]
                assert "copy the rig file" in sentence


def test_muscles_typed_eeg_are_taken_for_neither_unless_the_user_says_so() -> None:
    given = recording(EMG)
    (info,) = (stream.info for stream in given.streams)
    assert (info.type, info.labels) == ("EEG", ("",) * 8)
    for rig in RIGS.values():
        if rig.name != "cap":
            assert not bind(rig, [info]).bindings
    own = parse_rig(MUSCLES, "muscles.toml")
    brain = parse_rig(MUSCLES.replace('types = ["EMG"]', 'types = ["EEG"]'), "brain.toml")
    # A rig of eight that takes the type EEG asks, in one sentence that says how to answer.
    (sentence,) = bind(brain, [info]).refusals[info.key]
    assert "nothing says which is which: say with --bind emg=openbcigui that they are" in sentence
    # The user knows that they are muscles.
    (binding,) = bind(own, [info], choices={"emg": "openbcigui"}).bindings
    assert binding.sources[0].columns == tuple(range(8))
    assert any("in their order, as chosen" in note for note in binding.notes)


def test_the_muscle_that_a_rig_names_by_number_is_described_once_the_stream_is_chosen() -> None:
    given = recording(EMG)
    (info,) = (stream.info for stream in given.streams)
    own = load_rig(OWN_RIGS / "emg.toml")
    assert not bind(own, [info]).bindings  # typed EEG, and not chosen
    (binding,) = bind(own, [info], choices={"emg": "openbcigui"}).bindings
    assert binding.sources[0].columns == (0,)
    found = windows(given, own, {"emg": "openbcigui"})
    used = [window for window in found if window.mask["emg"]]
    assert len(used) > 100, f"{len(used)} of {len(found)} windows"
    frequency = [feature.name for feature in entries(own.modality("emg"))].index(
        "EMG_Frequency_Mean"
    )
    # Its stamps step back 1607 times, so that many windows hold no second without a hole.
    known = [f for w in used if np.isfinite(f := w.features["emg"][frequency])]
    assert len(known) > 60
    assert all(20 < value < 110 for value in known)


@pytest.mark.parametrize("name", [MUSE, OPEN, EMG])
def test_a_replay_binds_as_its_recording_does(
    source: Source, discovery: Discovery, name: str
) -> None:
    given = recording(name)
    # Names tell the streams of this test from others that have not gone yet.
    source.play(given, speed=4.0)
    expected = sorted((s.info.name, s.info.type) for s in given.streams if len(s.times))

    def there() -> list[StreamInfo] | None:
        live = [i for i in discovery.streams() if i.replay is not None and i.format != "string"]
        live = [info for info in live if (info.name, info.type) in expected]
        return live if sorted((i.name, i.type) for i in live) == expected else None

    live = until(there)
    recorded = [stream.info for stream in given.streams if len(stream.times)]
    for rig in RIGS.values():
        ours, theirs = survey(rig, live), survey(rig, recorded)
        assert ours.unbound == theirs.unbound
        assert ours.ambiguous.keys() == theirs.ambiguous.keys()
        for one, other in zip(ours.bindings, theirs.bindings, strict=True):
            assert one.modality == other.modality
            assert [s.columns for s in one.sources] == [s.columns for s in other.sources]
            assert "a replay, no live device" in one.notes
        assert len(ours.refusals) == len(theirs.refusals)


def chest_strap(seconds: float = 75.0) -> tuple[Recording, np.ndarray]:
    """Return ECG at 130 Hz and PPG at 55 Hz of one heart, and when it beat."""
    beats = beat_times(seconds, seed=4, interval=0.85)
    rng = np.random.default_rng(4)
    streams = []
    for kind, rate, unit in (("ECG", 130.0, "uV"), ("PPG", 55.0, "counts")):
        times = np.arange(round(seconds * rate)) / rate
        if kind == "ECG":
            # P, R, S and T waves: seconds from the R peak, width in s, µV.
            waves = ((-0.16, 0.025, 100), (0.0, 0.011, 1100), (0.03, 0.01, -250), (0.28, 0.05, 250))
            since = times[:, None] - beats
            samples = sum(
                height * np.exp(-0.5 * ((since - at) / width) ** 2).sum(axis=1)
                for at, width, height in waves
            )
            samples = samples + 8 * rng.standard_normal(len(times)) - 300
        else:
            samples = 1000 * pulse_wave(beats + 0.2, rate, seconds)
            samples = samples + 10 * rng.standard_normal(len(times)) + 5e4
        info = StreamInfo(
            kind, f"strap {kind}", kind, rate, (f"{kind} 1",), (unit,), f"strap-1-{kind}"
        )
        streams.append(RecordedStream(info, 500.0 + times, samples[:, np.newaxis]))
    return Recording("strap", tuple(streams), start=500.0), beats + 500.0


def test_a_lab_s_own_chest_strap_gives_the_heart_rate() -> None:
    rig = RIGS["chest-strap"]
    given, beats = chest_strap()
    notes = {b.modality: b.notes for b in bind(rig, [s.info for s in given.streams]).bindings}
    assert notes["ecg"] == ("converted from uV to mV",)
    assert not notes["ppg"]
    found = list(windows_of(given, rig))
    assert all(window.mask == {"ecg": True, "ppg": True} for window in found[5:])
    last = found[-1]
    inside = beats[(beats > last.time - 59) & (beats < last.time - 1)]
    rate = 60.0 / np.diff(inside).mean()
    for modality, feature in (("ecg", "ECG_Rate_Mean"), ("ppg", "heart_rate")):
        names = [entry.name for entry in entries(rig.modality(modality))]
        value = float(last.features[modality][names.index(feature)])
        assert value == pytest.approx(rate, rel=0.01), f"{modality}: {value:.2f} of {rate:.2f}/min"
    names = [entry.name for entry in entries(rig.modality("ecg"))]
    value = float(last.features["ecg"][names.index("HRV_RMSSD")])
    intervals = np.diff(inside) * 1000
    expected = float(np.sqrt(np.mean(np.diff(intervals) ** 2)))
    # Samples lie 7.7 ms apart: peaks are found between them, but not exactly.
    assert value == pytest.approx(expected, rel=0.2), f"RMSSD {value:.1f} of {expected:.1f} ms"


def test_chunk_size_changes_nothing_of_a_chest_strap() -> None:
    rig = RIGS["chest-strap"]
    given, _ = chest_strap(25.0)
    runs = []
    for seconds in (0.05, 1.0, np.inf):
        every = [
            w.features[m].tobytes()
            for w in windows_of(given, rig, chunk_seconds=seconds)
            for m in ("ecg", "ppg")
        ]
        runs.append(every)
    assert runs[0] == runs[1] == runs[2]


def test_streams_on_three_clocks_cost_neither_time_nor_memory() -> None:
    """Muse at 14 000 s, its optics at 74 s, OpenSignals at 942 000 s in one file."""
    given = recording(OPEN)
    begins = sorted(stream.times[0] for stream in given.streams)
    assert begins[-1] - begins[0] > 900_000
    found = windows(given, RIGS["wrist"], {"ppg": "Muse_OPTICS"})
    times = np.array([window.time for window in found])
    assert len(times) < 300
    for modality, begin in (("ppg", begins[0]), ("acc", 13829.0), ("eda", begins[-1])):
        used = times[[window.mask[modality] for window in found]]
        assert len(used) > 20
        assert used.min() == pytest.approx(begin + 10, abs=2)
