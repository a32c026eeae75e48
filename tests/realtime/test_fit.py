"""EEG caps of any montage, and streams that are wide: which channels serve, and what is said."""

from __future__ import annotations

import time

import numpy as np
import pytest

from realtime.binding import AmbiguousBinding, BindResult, UnknownChoice, bind
from realtime.fit import Fit, Refusal, fit
from realtime.rig import Rig, load_rig, parse_rig
from tests.realtime.infos import bound, stream

DMER = load_rig("dmer")
ELECTRODES = DMER.modality("eeg").channel_names

# The extended 10-20 system as 64-channel caps have it.
TEN_TEN = tuple(
    "Fp1 Fpz Fp2 AF7 AF3 AFz AF4 AF8 F7 F5 F3 F1 Fz F2 F4 F6 F8 FT7 FC5 FC3 FC1 FCz FC2 FC4 FC6 "
    "FT8 T7 C5 C3 C1 Cz C2 C4 C6 T8 TP7 CP5 CP3 CP1 CPz CP2 CP4 CP6 TP8 P7 P5 P3 P1 Pz P2 P4 P6 P8 "
    "PO7 PO3 POz PO4 PO8 O1 Oz O2 Iz TP9 TP10".split()
)
# An EPOC X: counters and markers in the stream that is typed EEG.
EMOTIV = tuple(
    "Timestamp Counter Interpolate AF3 F7 F3 FC5 T7 P7 O1 O2 P8 T8 FC6 F4 F8 AF4 HighBitFlex "
    "SaturationFlag RAW_CQ MARKER_HARDWARE Markers".split()
)
NEW_NAMES = {"T3": "T7", "T4": "T8", "T5": "P7", "T6": "P8"}


def montage(channels: int, name: str = "lab", labelled: bool = True, kind: str = "EEG") -> Rig:
    """Return a lab's own rig of so many channels."""
    names = TEN_TEN[:channels]
    table = "\n".join(f'{n} = ["{n if labelled else "no" + n}"]' for n in names)
    return parse_rig(
        f"""
        name = "{name}"
        description = "a lab's own"
        hop = 1.0
        warm_up = 10.0
        lateness = 1.5
        [modalities.{kind.lower()}]
        role = "primary"
        features = "eeg"
        types = ["{kind}"]
        unit = "uV"
        rate = 250.0
        rate_range = [110.0, 5000.0]
        window = 1.0
        [modalities.{kind.lower()}.channels]
        {table}
        """,
        "lab.toml",
    )


def taken(result: BindResult) -> dict[str, str]:
    """Return the stream's label of each EEG channel of the rig."""
    (binding,) = (b for b in result.bindings if b.modality == "eeg")
    labels = {s.key: s.labels for s in CAPS}
    return {
        ELECTRODES[channel]: labels[source.stream][column]
        for source in binding.sources
        for channel, column in zip(source.channels, source.columns, strict=True)
    }


rng = np.random.default_rng(5)
CAPS = [
    stream("EEG", tuple(rng.permutation(TEN_TEN).tolist()), 500, "microvolts", name="sixty-four"),
    stream("eeg", tuple(n.upper() for n in ELECTRODES[::-1]), 300, "uV", name="nineteen"),
    stream("EEG", tuple(f"EEG {n}-Ref" for n in ELECTRODES), 512, "uV", name="EDF"),
    stream("EEG", tuple(f"{n}-A{1 + i % 2}" for i, n in enumerate(ELECTRODES)), 512, name="ears"),
    stream("EEG", tuple(f"{n.lower()}." for n in TEN_TEN), 160, "uV", name="PhysioNet"),
    stream("signal", tuple(f" EEG:{n} " for n in TEN_TEN), 250, "V", name="blanks"),
]


@pytest.mark.parametrize("cap", CAPS, ids=lambda cap: cap.name)
def test_a_full_cap_gives_every_electrode_whatever_its_order_and_spelling(cap) -> None:
    result = bind(DMER, [cap])
    found = taken(result)
    assert tuple(found) == ELECTRODES
    for electrode, label in found.items():
        plain = label.upper().replace("EEG", "").strip(" :_.-").split("-")[0].strip(".")
        assert plain in {electrode.upper(), NEW_NAMES.get(electrode, electrode).upper()}
    notes = " ".join(result.bindings[0].notes)
    assert "missing" not in notes
    assert "order" not in notes


def test_an_emotiv_headset_serves_by_its_labels_and_says_what_it_lacks() -> None:
    device = stream("EEG", EMOTIV, 256, name="EmotivDataStream-EEG")
    result = bind(DMER, [device])
    (binding,) = result.bindings
    (source,) = binding.sources
    assert [EMOTIV[c] for c in source.columns] == [
        *("F7", "F3", "F4", "F8", "T7", "T8", "P7", "P8", "O1", "O2")
    ]
    assert (
        "missing: Fp1, Fp2, Fz, C3, Cz, C4, P3, P4; they stay empty, nothing is interpolated"
        in binding.notes
    )
    assert sum(note.startswith("missing") for note in binding.notes) == 1


@pytest.mark.parametrize(("count", "binds"), [(8, False), (9, True), (17, True)])
def test_half_of_the_electrodes_are_enough(count: int, binds: bool) -> None:
    result = bind(DMER, [stream("EEG", ELECTRODES[:count], 300, "uV")])
    assert bool(result.bindings) is binds
    if binds:
        assert result.bindings[0].sources[0].channels == tuple(range(count))
        return
    ((sentence,),) = result.refusals.values()
    assert "gives only Fp1, Fp2, F7, F3, Fz, F4, F8, T3 of the rig's 18 channels" in sentence
    assert "at least 9 are needed" in sentence
    assert "copy the rig file and list your own montage" in sentence


@pytest.mark.parametrize(
    "labels", [("TP9", "AF7", "AF8", "TP10", "Right AUX"), ("EEG_TP9", "EEG_AF7", "AUX_1")]
)
def test_a_muse_is_told_to_get_a_rig_of_its_own(labels: tuple[str, ...]) -> None:
    result = bind(DMER, [stream("EEG", labels, 256, "microvolts")])
    assert not result.bindings
    ((sentence,),) = result.refusals.values()
    assert "gives none of the rig's 18 channels (Fp1, Fp2, " in sentence
    assert f"it has {', '.join(labels)}: copy the rig file" in sentence


@pytest.mark.parametrize("channels", [4, 8, 16, 32, 64])
def test_a_lab_s_own_montage_of_4_to_64_channels(channels: int) -> None:
    rig = montage(channels)
    cap = stream("EEG", (*TEN_TEN[::-1], "ECG", "Trigger"), 250, "uV")
    (binding,) = bind(rig, [cap]).bindings
    assert binding.sources[0].columns == tuple(63 - i for i in range(channels))


@pytest.mark.parametrize("labels", [("",) * 8, tuple(f"Ch{i}" for i in range(1, 9))])
def test_electrodes_without_names_are_taken_only_if_the_user_says_so(labels) -> None:
    rig = montage(8)
    device = stream("EEG", labels, 250, name="obci_eeg1", source_id="openbcigui")
    result = bind(rig, [device])
    assert not result.bindings
    ((sentence,),) = result.refusals.values()
    assert sentence == (
        "eeg: 'obci_eeg1' (EEG, 250 Hz) has 8 channels like the rig, but nothing says which is "
        "which: say with --bind eeg=openbcigui that they are Fp1, Fpz, Fp2, AF7, AF3, AFz, AF4, "
        "AF8, in this order."
    )
    chosen = bind(rig, [device], choices={"eeg": "openbcigui"})
    assert bound(chosen) == {"eeg": [device.key]}
    assert chosen.bindings[0].sources[0].columns == tuple(range(8))
    assert "labels say nothing: channels taken in their order, as chosen" in (
        chosen.bindings[0].notes
    )
    # In a session of two the sentence names the person.
    two = bind(rig, [device], participant="P2").refusals[device.key][0]
    assert "--bind P2.eeg=openbcigui" in two


def test_a_choice_overrides_the_type_but_neither_labels_nor_numbers() -> None:
    muscles = montage(8, kind="EMG", labelled=False)
    device = stream("EEG", ("",) * 8, 250, source_id="openbcigui")
    assert not bind(muscles, [device]).bindings
    assert bound(bind(muscles, [device], choices={"emg": "openbcigui"})) == {"emg": [device.key]}
    with pytest.raises(UnknownChoice, match="at least 9 are needed, and it has 8 without labels"):
        bind(DMER, [device], choices={"eeg": "openbcigui"})
    named = stream("EEG", tuple(f"EMG{i}" for i in range(8)), 250, source_id="openbcigui")
    with pytest.raises(UnknownChoice, match="is typed 'EEG', but its labels say EMG"):
        bind(montage(8), [named], choices={"eeg": "openbcigui"})


@pytest.mark.parametrize(
    ("labels", "says"),
    [
        (("EMG1", "EMG2", "EMG3", "EMG4"), "EMG"),
        (("ECG", "GSR"), "ECG and EDA"),
        (("GSR",), "EDA"),
    ],
)
def test_a_stream_typed_eeg_whose_labels_say_otherwise(labels, says) -> None:
    result = bind(DMER, [stream("EEG", labels, 256)])
    assert "eeg" not in bound(result)
    assert ("gsr" in bound(result)) is ("GSR" in labels)
    sentences = [s for reasons in result.refusals.values() for s in reasons]
    assert any(f"is typed 'EEG', but its labels say {says}" in s for s in sentences)


def test_a_bipolar_montage_is_no_cap() -> None:
    pairs = ("FP1-F7", "F7-T7", "T7-P7", "P7-O1", "FP1-F3", "F3-C3", "C3-P3", "P3-O1", "FZ-CZ")
    others = ("FP2-F4", "F4-C4", "C4-P4", "P4-O2", "FP2-F8", "F8-T8", "T8-P8", "P8-O2")
    result = bind(DMER, [stream("EEG", pairs + others, 256, "uV")])
    assert not result.bindings
    assert "gives none of the rig's 18 channels" in " ".join(result.notes)


def test_two_caps_are_never_mixed_and_the_fuller_stream_of_one_wins() -> None:
    left = stream("EEG", ELECTRODES[:9], 300, "uV", name="A", source_id="a")
    right = stream("EEG", ELECTRODES[9:], 300, "uV", name="B", source_id="b")
    with pytest.raises(AmbiguousBinding, match="2 devices fit eeg"):
        bind(DMER, [left, right])
    whole = stream("signal", ELECTRODES, 300, "uV", name="raw", source_id="a")
    assert bound(bind(DMER, [left, whole])) == {"eeg": [whole.key]}


def test_electrodes_that_come_as_a_stream_each() -> None:
    single = [
        stream("EEG", name, 300, "uV", name=f"amp {name}", source_id=f"amp-7-{name}")
        for name in ELECTRODES[:12]
    ]
    (binding,) = bind(DMER, single).bindings
    assert [source.channels for source in binding.sources] == [(i,) for i in range(12)]
    assert f"missing: {', '.join(ELECTRODES[12:])}; they stay" in " ".join(binding.notes)
    few = bind(DMER, single[:8])
    assert not few.bindings
    assert len(few.refusals) == 8


def test_axes_and_single_channels_are_taken_in_their_order_still() -> None:
    rig = load_rig("wrist")
    result = bind(rig, [stream("ACC", ("", "", ""), 32, "g"), stream("PPG", "ch1", 64)])
    assert bound(result).keys() == {"acc", "ppg"}


def test_the_face_s_768_channels_are_found_without_delay() -> None:
    face = DMER.modality("face")
    camera = stream("FaceTexture", face.channel_names, 30, format="int16")
    verdict = fit(camera, face)
    assert isinstance(verdict, Fit)
    assert verdict.columns == tuple(range(768))
    shuffled = stream("FaceTexture", face.channel_names[::-1], 30)
    other = fit(shuffled, face)
    assert isinstance(other, Fit)
    assert other.columns == tuple(range(767, -1, -1))
    cut = fit(stream("FaceTexture", face.channel_names[:700], 30), face)
    assert isinstance(cut, Fit)
    ((sentence,),) = bind(
        DMER, [stream("FaceTexture", face.channel_names[:700], 30)]
    ).refusals.values()
    assert len(sentence) < 400


def _seconds(work) -> float:
    """Return the shortest of three times that work took."""
    times = []
    for _ in range(3):
        begin = time.perf_counter()
        work()
        times.append(time.perf_counter() - begin)
    return min(times)


def test_wide_streams_cost_little_when_they_are_looked_at_again() -> None:
    """Compared with reading as many words once, so that a slow machine does not matter."""
    wide = [
        stream("VideoRaw", ("",) * 16384, 30),
        stream("EEG", ("",) * 16384, 250),
        stream("FaceTexture", DMER.modality("face").channel_names, 30),
    ]

    def look() -> None:
        for info in wide:
            for modality in DMER.modalities:
                fit(info, modality)

    words = [str(i) for i in range(16384)]
    reading = _seconds(lambda: [word.strip().casefold() for word in words for _ in range(4)])
    look()
    assert _seconds(look) < 5 * reading


def test_refusals_never_list_all_of_a_wide_stream() -> None:
    odd = stream("EEG", tuple(f"sensor {i} of the left hand" for i in range(5000)), 250)
    verdict = fit(odd, DMER.modality("eeg"))
    assert isinstance(verdict, Refusal)
    assert len(verdict.reason) < 500
