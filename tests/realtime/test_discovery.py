from __future__ import annotations

import logging
from dataclasses import replace

import pytest

from realtime.discovery import Discovery
from realtime.metadata import description_xml
from realtime.recording import StreamInfo
from tests.realtime.conftest import Source, found, until


def test_full_description(source: Source, discovery: Discovery, ppg: StreamInfo) -> None:
    labels, units = ("GREEN", "IR"), ("a.u.", "mV")
    sent = replace(
        ppg,
        labels=labels,
        units=units,
        format="double64",
        description=description_xml(labels, units, "PPG", manufacturer="Acme", simulated=True),
    )
    source.open(sent)
    info = found(discovery, ppg.source_id)
    assert (info.name, info.type, info.rate) == (sent.name, "PPG", 64.0)
    assert (info.labels, info.units, info.format) == (labels, units, "double64")
    assert info.simulated
    assert info.replay is None
    assert "Acme" in info.description
    assert info.created_at > 0
    assert info.hostname
    assert discovery.handle(info.key).source_id() == ppg.source_id


def test_one_source_id_twice_is_the_newest_and_keeps_its_key(
    source: Source, discovery: Discovery, ppg: StreamInfo, caplog: pytest.LogCaptureFixture
) -> None:
    def mine() -> list[StreamInfo]:
        return [info for info in discovery.streams() if info.source_id == ppg.source_id]

    with caplog.at_level(logging.WARNING, "realtime.discovery"):
        source.open(replace(ppg, labels=("OLD",)), name="old")
        key = found(discovery, ppg.source_id).key
        source.open(replace(ppg, labels=("NEW",)), name="new")
        until(lambda: [info.labels for info in mine()] == [("NEW",)])
    assert [info.key for info in mine()] == [key]
    assert [r for r in caplog.records if ppg.source_id in r.getMessage()]
    source.close("old")
    source.close("new")
    until(lambda: not mine())
    with pytest.raises(KeyError):
        discovery.handle(key)
    source.open(ppg)
    assert found(discovery, ppg.source_id).key == key


def test_streams_of_one_device_and_one_name_are_told_apart(
    source: Source, discovery: Discovery, ppg: StreamInfo
) -> None:
    source.open(ppg, name="ppg")
    source.open(replace(ppg, type="EDA"), name="eda")  # one id for all streams of a device
    source.open(replace(ppg, source_id=f"{ppg.source_id}-2"), name="second")  # one name
    source.open(replace(ppg, source_id=""), name="nameless")

    def all_four() -> list[StreamInfo]:
        mine = [i for i in discovery.streams() if i.name == ppg.name]
        return mine if len(mine) == 4 else []

    infos = until(all_four)
    assert len({info.key for info in infos}) == 4
    assert sorted(i.source_id for i in infos)[0] == ""


def test_hostile_metadata_is_tamed(source: Source, discovery: Discovery, ppg: StreamInfo) -> None:
    source.open(
        replace(
            ppg,
            name="a\x1b[31m\n<b>'\"",
            labels=("L\x07",),
            description="<desc><channels><channel><label>x&#9;" + "y" * 100_000 + "</label>"
            "</channel></channels></desc>",
        )
    )
    info = found(discovery, ppg.source_id)
    assert "\x1b" not in info.name
    assert "\n" not in info.name
    assert len(info.labels[0]) <= 256


def test_waiting_ends_when_enough_is_known(source: Source, ppg: StreamInfo) -> None:
    source.open(ppg)
    discovery = Discovery()
    streams = discovery.wait(20.0, minimum=1)
    assert ppg.source_id in {info.source_id for info in streams}
    assert discovery.pending == 0
    discovery.close()
