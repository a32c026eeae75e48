from __future__ import annotations

import pickle
from dataclasses import replace

import numpy as np
import pytest

from realtime.binding import (
    AmbiguousBinding,
    BindResult,
    UnknownChoice,
    assign_participants,
    bind,
    modality_of,
    survey,
)
from realtime.choices import choices_of
from realtime.errors import InputError
from realtime.recording import Replay, StreamInfo
from realtime.rig import load_rig
from realtime.xdf import read_xdf
from tests.data import data_folder
from tests.realtime.infos import bound, stream

RIG = load_rig("wrist")


def columns(result: BindResult, modality: str) -> tuple[int, ...]:
    (binding,) = (b for b in result.bindings if b.modality == modality)
    (source,) = binding.sources
    return source.columns


def of_file(name: str) -> list[StreamInfo]:
    return [s.info for s in read_xdf(data_folder("xdf") / name).streams]


EMPATICA = [
    stream("BVP", "BVP", 64, source_id="E4-1-BVP"),
    stream("GSR", "GSR", 4, "uS", source_id="E4-1-GSR"),
    stream("Temperature", "TEMP", 4, "degC", source_id="E4-1-TEMP"),
    stream("ACC", ("X", "Y", "Z"), 32, "g", source_id="E4-1-ACC"),
]
EMOTIBIT = [
    *(stream(f"PPG{c}", "", 25, source_id="EB-7") for c in ("Red", "Infrared", "Green")),
    stream("EDA", "", 15, "uS", source_id="EB-7"),
    stream("Temperature", "", 7.5, "degC", source_id="EB-7"),
    *(stream(f"Accelerometer{a}", "", 25, "g", source_id="EB-7") for a in "ZXY"),
    *(stream(f"Gyroscope{a}", "", 25, "dps", source_id="EB-7") for a in "XYZ"),
]


def test_a_wristband_binds_without_a_word_of_doubt() -> None:
    result = bind(RIG, EMPATICA)
    assert set(bound(result)) == {"ppg", "acc", "eda", "temperature"}
    assert not result.unbound
    assert not result.refusals
    assert all(not b.notes and b.sources[0].convert is None for b in result.bindings)
    assert columns(result, "acc") == (0, 1, 2)


def test_one_stream_a_channel_is_put_together() -> None:
    result = bind(RIG, EMOTIBIT)
    assert not result.unbound
    by_name = {b.modality: b for b in result.bindings}
    acc = by_name["acc"]
    assert [s.stream.split("|")[0] for s in acc.sources] == [f"Accelerometer{a}" for a in "XYZ"]
    assert [s.channels for s in acc.sources] == [(0,), (1,), (2,)]
    assert acc.notes[0] == "put together from 3 streams"
    # The rig's types name green before infrared before red.
    assert by_name["ppg"].sources[0].stream.startswith("PPGGreen")
    assert any("resampled from 25 Hz to 64 Hz" in note for note in by_name["ppg"].notes)


def test_colours_and_axes_whose_ids_differ_are_one_sensor_still() -> None:
    named = [replace(s, source_id=f"id{i}") for i, s in enumerate(EMOTIBIT)]
    assert not bind(RIG, named).unbound
    # The same colour twice is a second device.
    second = replace(EMOTIBIT[0], key="second", source_id="other")
    with pytest.raises(AmbiguousBinding):
        bind(RIG, [*named, second])


def test_two_sets_of_axes_are_not_mixed() -> None:
    other = [replace(s, key=s.key + "'", source_id="EB-8") for s in EMOTIBIT]
    with pytest.raises(AmbiguousBinding) as caught:
        bind(RIG, [*EMOTIBIT, *other])
    assert {"ppg", "eda", "temperature", "acc"} == set(caught.value.result.ambiguous)
    choices = dict.fromkeys(("ppg", "eda", "temperature", "acc"), "EB-8")
    result = bind(RIG, [*EMOTIBIT, *other], choices=choices)
    assert all(s.endswith("'") for keys in bound(result).values() for s in keys)


def test_labels_choose_among_channels() -> None:
    motion = ("GYRO_X", "GYRO_Y", "GYRO_Z", "ACC_Z", "ACC_Y", "ACC_X")
    result = bind(RIG, [stream("ACCGYRO", motion, 52, "g")])
    assert columns(result, "acc") == (5, 4, 3)
    assert any("took 'ACC_X', 'ACC_Y', 'ACC_Z' of 6 channels" in n for n in result.notes)


def test_labels_are_trusted_before_the_type() -> None:
    result = bind(RIG, [stream("EEG", ("ECG", "GSR", "Cz"), 256, ("uV", "uS", "uV"))])
    assert bound(result).keys() == {"eda"}
    assert columns(result, "eda") == (1,)
    # And a stream whose labels contradict its type is not taken for what it is typed.
    result = bind(RIG, [stream("PPG", ("ECG1", "EMG2"), 256)])
    assert not result.bindings
    assert "its labels say ECG and EMG ('ECG1', 'EMG2')" in " ".join(result.notes)


@pytest.mark.parametrize("kind", ["GYRO", "Mag", "", "Light", "Quality"])
def test_short_labels_need_a_type(kind: str) -> None:
    assert not bind(RIG, [stream(kind, ("X", "Y", "Z"), 50, "g")]).bindings
    assert not bind(RIG, [stream(kind, ("IR", "SC"), 50)]).bindings


def test_streams_about_streams_are_left_alone() -> None:
    assert not bind(RIG, [stream("Quality", ("PPG", "EDA", "TEMP"), 64)]).bindings


def test_a_type_alone_takes_channels_in_their_order_and_says_so() -> None:
    result = bind(RIG, [stream("acc", ("", "", ""), 32, "g"), stream("eda", "ch:00", 4, "uS")])
    assert columns(result, "acc") == (0, 1, 2)
    assert columns(result, "eda") == (0,)
    assert sum("in their order" in note for note in result.notes) == 1
    refused = bind(RIG, [stream("PPG", ("ch1", "ch2"), 64)])
    assert not refused.bindings
    assert "has 2 channels, and no label" in " ".join(refused.notes)


@pytest.mark.parametrize(
    ("rate", "taken"), [(19.9, False), (20, True), (2000, True), (2001, False)]
)
def test_rates(rate: float, taken: bool) -> None:
    result = bind(RIG, [stream("PPG", "PPG", rate)])
    assert bool(result.bindings) is taken
    if not taken:
        (reasons,) = result.refusals.values()
        assert f"runs at {rate:g} Hz, outside the rig's 20 to 2000 Hz" in reasons[0]


def test_irregular_streams_are_accepted_with_a_note() -> None:
    result = bind(RIG, [stream("EDA", "EDA", 0, "uS")])
    assert result.bindings[0].sources[0].rate == 0
    assert "irregular: resampled to 4 Hz" in result.bindings[0].notes[0]


def test_units() -> None:
    kiloohm = bind(RIG, [stream("GSR", "GSR", 4, "kOhm")]).bindings[0]
    convert = kiloohm.sources[0].convert
    assert convert is not None
    np.testing.assert_allclose(convert(np.array([[250.0]])), [[4.0]])
    assert "converted from kOhm to uS" in kiloohm.notes
    unstated = bind(RIG, [stream("GSR", "GSR", 4)]).bindings[0]
    assert unstated.sources[0].convert is None
    assert "states no unit: taken for uS" in unstated.notes
    foreign = bind(RIG, [stream("GSR", "GSR", 4, "%")])
    assert not foreign.bindings
    assert "unit '%', which cannot be converted to uS" in " ".join(foreign.notes)
    mixed = bind(RIG, [stream("ACC", ("X", "Y", "Z"), 32, ("g", "mg", "g"))])
    assert "mixes the units 'g', 'mg'" in " ".join(mixed.notes)


def test_raw_converter_counts_are_refused_with_the_remedy() -> None:
    raw = stream("98:D3:B1:FD:3C:C2", ("nSeq", "ECGBIT0", "EDABITREV1"), 1000)
    result = bind(RIG, [raw])
    assert not result.bindings
    assert "switch on unit conversion in OpenSignals" in result.refusals[raw.key][0]


def test_two_devices_for_one_role_are_never_guessed() -> None:
    one, two = (stream("PPG", "PPG", 64, name="Band", source_id=f"band-{n}") for n in "ab")
    with pytest.raises(AmbiguousBinding) as caught:
        bind(RIG, [one, two, EMPATICA[1]])
    error = caught.value
    assert error.modality == "ppg"
    assert error.candidates == (one, two)
    assert "--bind ppg=band-a or --bind ppg=band-b" in str(error)
    assert bound(error.result).keys() == {"eda"}
    assert bound(survey(RIG, [one, two, EMPATICA[1]])) == bound(error.result)
    for word in ("band-b", two.key, "BAND-B"):
        assert bound(bind(RIG, [one, two], choices={"ppg": word}))["ppg"] == [two.key]
    with pytest.raises(AmbiguousBinding):
        bind(RIG, [one, two], choices={"ppg": "Band"})


def test_wrong_choices() -> None:
    with pytest.raises(UnknownChoice, match=r"ppg='nobody' names no stream.*'E4-1-BVP'"):
        bind(RIG, EMPATICA, choices={"ppg": "nobody"})
    with pytest.raises(UnknownChoice, match=r"has labels that say EDA \('GSR'\): choose another"):
        bind(RIG, EMPATICA, choices={"ppg": "E4-1-GSR"})
    with pytest.raises(UnknownChoice, match="carries nothing of the kind"):
        bind(RIG, [stream("PPG", "ch1", format="string", source_id="s")], choices={"ppg": "s"})
    with pytest.raises(UnknownChoice, match="runs at 5 Hz"):
        bind(RIG, [stream("PPG", "PPG", 5, source_id="slow")], choices={"ppg": "slow"})
    with pytest.raises(InputError, match="'ecg', which the rig 'wrist' has not"):
        bind(RIG, EMPATICA, choices={"ecg": "E4-1-BVP"})


def test_the_newest_of_one_source_id() -> None:
    old = stream("PPG", "PPG", 64, source_id="band", created_at=10.0)
    new = replace(old, key="again", created_at=20.0)
    for order in ([old, new], [new, old]):
        result = bind(RIG, order)
        assert bound(result) == {"ppg": ["again"]}
        assert any("twice under one source id: took the newest" in n for n in result.notes)


def test_replays_and_simulations_say_so() -> None:
    replayed = stream("PPG", "PPG", 64, replay=Replay(0.0, 1.0))
    made_up = stream("EDA", "EDA", 4, "uS", simulated=True)
    notes = {b.modality: b.notes for b in bind(RIG, [replayed, made_up]).bindings}
    assert notes["ppg"] == ("a replay, no live device",)
    assert notes["eda"] == ("simulated, no person",)
    # Beside a live device they are a second device, not a silent substitute.
    with pytest.raises(AmbiguousBinding):
        bind(RIG, [replayed, EMPATICA[0]])


def test_predictions_and_strings_are_no_sensors() -> None:
    ours = stream("Affect", ("PPG", "EDA"), 1, source_id="us")
    texts = stream("PPG", "PPG", 0, format="string")
    assert not bind(RIG, [ours, texts]).bindings
    assert modality_of(ours, [RIG]) is None
    assert [modality_of(s, [RIG]) for s in EMPATICA] == ["ppg", "eda", "temperature", "acc"]
    assert modality_of(EMOTIBIT[6], [RIG]) == "acc"


def test_two_participants_by_choice() -> None:
    second = [
        replace(s, key="2" + s.key, source_id=s.source_id.replace("-1-", "-2-")) for s in EMPATICA
    ]
    choices = {"P2.ppg": "E4-2-BVP"}
    groups = assign_participants([*EMPATICA, *second], (), choices)
    # The whole device follows the stream that was chosen.
    assert groups == {"P1": EMPATICA, "P2": second}
    for person, streams in groups.items():
        own = choices_of(choices, person, first="P1")
        result = bind(RIG, streams, choices=own, participant=person)
        assert not result.unbound
        assert {b.participant for b in result.bindings} == {person}
    with pytest.raises(AmbiguousBinding, match=r"--bind P2\.ppg=E4-1-BVP"):
        bind(RIG, [*EMPATICA, *second], participant="P2")
    with pytest.raises(InputError, match="'P2', who is not watched"):
        assign_participants(EMPATICA, ("P1",), choices)


def test_two_participants_by_metadata() -> None:
    def worn(person: str, info: StreamInfo) -> StreamInfo:
        text = f"<desc><subject><id>{person}</id></subject></desc>"
        return replace(info, key=person + info.key, description=text)

    ann, bob = ([worn(p, s) for s in EMPATICA] for p in ("ann", "bob"))
    assert assign_participants([*bob, *ann]) == {"ann": ann, "bob": bob}
    assert assign_participants([*bob, *ann], ("bob",)) == {"bob": bob}
    # One name alone splits nobody in two.
    assert assign_participants([*ann[:2], *EMPATICA[2:]]) == {"P1": [*ann[:2], *EMPATICA[2:]]}
    hostile = replace(EMPATICA[0], description="<desc><subject><id>")
    assert list(assign_participants([hostile])) == ["P1"]


def test_unprefixed_choices_belong_to_the_first() -> None:
    choices = {"ppg": "a", "P2.ppg": "b", "P2.eda": "c"}
    assert choices_of(choices, "P1", first="P1") == {"ppg": "a"}
    assert choices_of(choices, "P2", first="P1") == {"ppg": "b", "eda": "c"}
    assert choices_of(choices, "P2") == {"ppg": "b", "eda": "c"}


def test_hostile_labels_and_many_channels() -> None:
    odd = stream("PPG", ("[*]?", "*", "", "PPG*") * 2000, 64)
    assert columns(bind(RIG, [replace(odd, labels=("x", *odd.labels[1:-1], "PPG"))]), "ppg") == (
        7999,
    )
    many = [
        stream(f"Accelerometer{a}", "", 32, "g", name=f"s{n}", source_id="one")
        for a in "XYZ"
        for n in range(50)
    ]
    assert not bind(RIG, many).bindings


def test_a_binding_travels_between_processes() -> None:
    result = bind(RIG, EMOTIBIT)
    assert pickle.loads(pickle.dumps(result.bindings)) == result.bindings


def test_muse() -> None:
    result = bind(RIG, of_file("muse_eeg_ppg_acc_gyro_p001.xdf"))
    assert bound(result).keys() == {"ppg", "acc"}
    assert columns(result, "ppg") == (1,)
    assert result.unbound == ("eda", "temperature")
    text = " ".join(result.notes)
    assert "took 'PPG' of 3 channels" in text
    assert "resampled from 52 Hz to 32 Hz" in text
    assert "eda: no stream." in text


def test_dyad_has_two_accelerometers() -> None:
    streams = of_file("dyad_eeg32_acc_noise.xdf")
    with pytest.raises(AmbiguousBinding, match=r"COM3.*COM4") as caught:
        bind(RIG, streams)
    assert caught.value.modality == "acc"
    second = next(s for s in streams if s.name == "LSLOutletHS2-Accelerometer")
    result = bind(RIG, streams, choices={"acc": second.source_id})
    assert bound(result) == {"acc": [second.key]}
    convert = result.bindings[0].sources[0].convert
    assert convert is not None
    assert convert(np.array([9806.65]))[0] == pytest.approx(1.0)  # mm/s2


def test_muse_beside_opensignals() -> None:
    streams = of_file("openmuse_opensignals_timing.xdf")
    with pytest.raises(AmbiguousBinding, match="--bind ppg=Muse_OPTICS or --bind ppg=OpenSignals"):
        bind(RIG, streams)
    result = bind(RIG, streams, choices={"ppg": "Muse_OPTICS"})
    assert bound(result) == {
        "ppg": ["Muse_OPTICS"],
        "eda": ["OpenSignals"],
        "acc": ["Muse_ACCGYRO"],
    }
    assert columns(result, "acc") == (0, 1, 2)
    assert columns(result, "eda") == (5,)


def test_emg_typed_eeg_is_neither() -> None:
    result = bind(RIG, of_file("emg_8ch_250hz_markers.xdf"))
    assert not result.bindings
