from __future__ import annotations

import numpy as np
import pytest

from realtime.errors import InputError
from realtime.metadata import parse_xml
from realtime.simulator.layouts import E4, EMOTIBIT, LAYOUTS, layout
from realtime.simulator.person import Person


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
        assert labels == list(info.labels)


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


def test_sensors_can_be_left_out() -> None:
    some = EMOTIBIT.without(["ppg", "acc"])
    assert [info.type for info in some.infos(1)] == ["EDA", "Temperature"]
    assert set(some.rates) == {"eda", "temperature"}
    with pytest.raises(InputError, match="'eeg'"):
        E4.without(["eeg"])
    with pytest.raises(InputError, match="keep at least one"):
        E4.without(list(E4.rates))


def test_unknown_layouts_are_refused() -> None:
    with pytest.raises(InputError, match="'muse'.*e4, emotibit"):
        layout("muse")
