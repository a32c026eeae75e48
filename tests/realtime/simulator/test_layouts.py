from __future__ import annotations

import numpy as np
import pytest

from realtime.binding import bind
from realtime.errors import InputError
from realtime.metadata import parse_xml
from realtime.rig import load_rig
from realtime.simulator.layouts import DMER_FRAMES, E4, EMOTIBIT, LAYOUTS, WORN_FOR, layout
from realtime.simulator.person import Person
from realtime.video import frame_format


@pytest.mark.parametrize("name", list(LAYOUTS))
def test_every_stream_says_what_and_whose_it_is(name: str) -> None:
    device = layout(name)
    infos = [*device.infos(7, "P2"), device.marker_info(7, "P2")]
    assert len({info.source_id for info in infos}) == len(infos)
    for info in infos:
        assert info.simulated
        assert "simulated" in info.name
        assert "P2" in info.name
        assert info.source_id == f"affectstream-sim-7-{info.key}"
        desc = parse_xml(info.description)
        assert desc.findtext("affectstream/simulated") == "true"
        assert desc.findtext("subject/id") == "P2"
        assert desc.findtext("acquisition/manufacturer") == "affectstream"
        assert desc.findtext("acquisition/model") == "simulated person"
        assert desc.find("synchronization") is not None
        labels = [c.findtext("label") for c in desc.findall("channels/channel")]
        assert labels == [label for label in info.labels if label]


def test_an_emotibit_sends_one_stream_a_channel() -> None:
    infos = EMOTIBIT.infos(1)
    assert [(info.type, info.rate) for info in infos] == [
        ("PPGRed", 25.0),
        ("PPGInfrared", 25.0),
        ("PPGGreen", 25.0),
        ("EDA", 15.0),
        ("Temperature", 7.5),
        ("AccelerometerX", 25.0),
        ("AccelerometerY", 25.0),
        ("AccelerometerZ", 25.0),
    ]
    assert all(info.channel_count == 1 for info in infos)
    read = Person(1, rates=EMOTIBIT.rates).read(0, 8)
    sent = EMOTIBIT.samples(read)
    assert {key: samples.shape for key, (_, samples) in sent.items()} == {
        info.key: (8 * info.rate, 1) for info in infos
    }
    axes = np.column_stack([sent[f"acc-{axis}"][1] for axis in "xyz"])
    np.testing.assert_array_equal(axes, read["acc"][1])
    assert (sent["ppg-red"][1] > 10000).all()
    assert np.corrcoef(sent["ppg-red"][1].T, sent["ppg-green"][1].T)[0, 1] == pytest.approx(1)


@pytest.mark.parametrize("rig", list(WORN_FOR))
def test_a_rigs_device_gives_all_of_its_channels(rig: str) -> None:
    device, loaded = layout(WORN_FOR[rig]), load_rig(rig)
    bound = bind(loaded, device.infos(1, "P1"))
    assert {binding.modality for binding in bound.bindings} == {m.name for m in loaded.modalities}
    for info in device.infos(1):
        modality = loaded.modality(info.key)
        assert set(info.labels) == set(modality.channel_names)
        assert set(info.units) == {modality.unit}


def test_frames_travel_as_bytes() -> None:
    read = Person(3, rates=DMER_FRAMES.rates).read(0, 1)
    _, sent = DMER_FRAMES.samples(read)["face"]
    assert sent.shape == (30, 128 * 128)
    assert -128 <= sent.min() < 0 < sent.max() <= 127
    np.testing.assert_array_equal(sent.astype(np.int8).view(np.uint8), read["frames"][1])
    (video,) = (info for info in DMER_FRAMES.infos(3) if info.type == "VideoRaw")
    assert video.format == "int8"
    assert len(video.description) < 2000
    said = frame_format(video)
    assert (said.width, said.height, said.pixel_format) == (128, 128, "gray8")
    assert said.face_crop and said.can_drop


def test_sensors_can_be_left_out() -> None:
    some = EMOTIBIT.without(["ppg", "acc"])
    assert [info.type for info in some.infos(1)] == ["EDA", "Temperature"]
    assert set(some.rates) == {"eda", "temperature"}
    # By the rigs' names, where the person's are others.
    assert [info.type for info in layout("dmer").without(["gsr", "face"]).infos(1)] == [
        "EEG",
        "PPG",
    ]
    assert set(layout("respiban").without(["acc"]).rates) == {"ecg", "eda", "emg"}
    with pytest.raises(InputError, match="'eeg'"):
        E4.without(["eeg"])
    with pytest.raises(InputError, match="keep at least one"):
        E4.without(list(E4.rates))


def test_unknown_layouts_are_refused() -> None:
    with pytest.raises(InputError, match="'muse'.*e4, emotibit"):
        layout("muse")
