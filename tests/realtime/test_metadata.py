"""Reading and writing stream metadata."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from realtime.errors import InputError
from realtime.metadata import (
    MAX_DEPTH,
    clean,
    description_xml,
    parse_xml,
    stream_info,
    unique_keys,
    with_replay,
)
from realtime.recording import Replay, StreamInfo


def header(desc: str = "<desc />", **changes: str) -> str:
    """An <info> element as the LSL library writes it."""
    fields = {
        "name": "E4 wristband",
        "type": "PPG",
        "channel_count": "1",
        "channel_format": "float32",
        "source_id": "e4-17",
        "nominal_srate": "64.00000000000000",
        "created_at": "621438.5150283000",
        "hostname": "lab",
    } | changes
    body = "".join(f"\t<{tag}>{text}</{tag}>\n" for tag, text in fields.items())
    return f'<?xml version="1.0"?>\n<info>\n{body}{desc}\n</info>\n'


def test_reads_every_field() -> None:
    desc = description_xml(["BVP"], ["a.u."], "PPG", manufacturer="Empatica", model="E4")
    info = stream_info(header(desc), "wrist")
    assert info == StreamInfo(
        key="wrist",
        name="E4 wristband",
        type="PPG",
        rate=64.0,
        labels=("BVP",),
        units=("a.u.",),
        source_id="e4-17",
        format="float32",
        description=desc,
        created_at=621438.5150283,
        hostname="lab",
    )


def test_reads_what_pylsl_writes() -> None:
    pylsl = pytest.importorskip("pylsl")
    outlet = pylsl.StreamInfo("Skin & <heart>", "GSR", 2, 4.0, "int16", "id-1")
    channels = outlet.desc().append_child("channels")
    for label in ("EDA", "TEMP"):
        channels.append_child("channel").append_child_value("label", label)
    info = stream_info(outlet.as_xml(), "k")
    assert (info.name, info.type, info.rate, info.format) == ("Skin & <heart>", "GSR", 4.0, "int16")
    assert (info.labels, info.units, info.source_id) == (("EDA", "TEMP"), ("", ""), "id-1")


def test_simulated_and_replay_survive() -> None:
    desc = description_xml(["x"], simulated=True, replay=Replay(offset=3600.0, speed=2.5))
    info = stream_info(header(desc), "k")
    assert info.simulated
    assert info.replay == Replay(3600.0, 2.5)
    assert not stream_info(header(), "k").simulated
    assert stream_info(header(), "k").replay is None


def test_replay_mark_keeps_all_other_metadata() -> None:
    first = description_xml(["X"], ["g"], manufacturer="Empatica", simulated=True)
    once = with_replay(first, Replay(10.0, 1.0))
    twice = stream_info(header(with_replay(once, Replay(20.0, 8.0))), "k")
    assert twice.replay == Replay(20.0, 8.0)
    assert twice.simulated
    assert twice.labels == ("X",)
    assert twice.description.count("<replay>") == 1
    assert "Empatica" in twice.description
    assert "<speed>" in with_replay("", Replay(0.0, 1.0))


def test_channels_directly_below_desc_and_called_name() -> None:
    desc = (
        "<desc><channel><name>X</name><unit>mm/s2</unit></channel>"
        "<channel><name>Y</name></channel></desc>"
    )
    info = stream_info(header(desc, channel_count="3"), "k")
    assert info.labels == ("X", "Y", "")
    assert info.units == ("mm/s2", "", "")


def test_surplus_labels_are_dropped() -> None:
    assert stream_info(header(description_xml(["A", "B", "C"])), "k").labels == ("A",)


@pytest.mark.parametrize(
    ("changes", "word"),
    [
        ({"channel_count": "0"}, "channel count '0'"),
        ({"channel_count": "100001"}, "channel count '100001'"),
        ({"channel_count": "1e400"}, "channel count"),
        ({"channel_count": "2.5"}, "channel count '2.5'"),
        ({"channel_count": ""}, "channel count ''"),
        ({"channel_format": "float16"}, "'float16'"),
        ({"nominal_srate": "-4"}, "nominal rate '-4'"),
        ({"nominal_srate": "nan"}, "nominal rate 'nan'"),
        ({"name": "<unclosed>"}, "not well-formed"),
    ],
)
def test_absurd_fields_are_refused(changes: dict[str, str], word: str) -> None:
    with pytest.raises(InputError, match=word):
        stream_info(header(**changes), "k")


@pytest.mark.parametrize("count", [4, MAX_DEPTH * 1000])
def test_nesting_is_bounded(count: int) -> None:
    text = "<a>" * count + "</a>" * count
    if count < MAX_DEPTH:
        assert parse_xml(text).tag == "a"
    else:
        with pytest.raises(InputError, match="deep"):
            parse_xml(text)


def test_entities_are_refused_and_size_is_bounded() -> None:
    bomb = '<!DOCTYPE a [<!ENTITY b "bb">]><info>&b;</info>'
    for text in (bomb, bomb.lower(), '<?xml version="1.0" encoding="utf-16"?>' + bomb):
        with pytest.raises(InputError, match="entities"):
            parse_xml(text)
    with pytest.raises(InputError, match="shorten"):
        parse_xml("<a>" + "x" * (2**24) + "</a>")


def test_control_characters_and_markup_do_not_reach_names() -> None:
    info = stream_info(header(name="a\x1b[31m\x07\u202eb &lt;b&gt;x\n\ty"), "k")
    assert info.name == "a[31mb <b>x y"
    assert len(stream_info(header(name="n" * 10_000), "k").name) == 256


@given(st.text(max_size=200))
@settings(max_examples=60, deadline=None, derandomize=True)
def test_any_text_is_metadata_or_an_input_error(text: str) -> None:
    for candidate in (text, header(text), header(name=text)):
        try:
            info = stream_info(candidate, "k")
        except InputError:
            continue
        assert info.name == clean(info.name)


@given(st.text(max_size=40), st.integers(1, 40))
@settings(max_examples=100, deadline=None, derandomize=True)
def test_cleaning_twice_changes_nothing(text: str, limit: int) -> None:
    once = clean(text, limit)
    assert clean(once, limit) == once
    assert len(once) <= limit
    assert clean("0 \x08\r0") == "0 0"


@given(st.lists(st.text(max_size=20), min_size=1, max_size=5), st.booleans())
@settings(max_examples=40, deadline=None, derandomize=True)
def test_written_description_reads_back(labels: list[str], simulated: bool) -> None:
    desc = description_xml(labels, labels, "T", simulated=simulated)
    info = stream_info(header(desc, channel_count=str(len(labels))), "k")
    assert info.labels == info.units == tuple(clean(label) for label in labels)
    assert info.simulated is simulated


def named(name: str, kind: str = "", source_id: str = "") -> StreamInfo:
    return StreamInfo(
        key="", name=name, type=kind, rate=1.0, labels=("",), units=("",), source_id=source_id
    )


def test_keys_are_unique_and_readable() -> None:
    assert unique_keys([named("A"), named("B")]) == ["A", "B"]
    muse = [named("Muse", "EEG", "m"), named("Muse", "PPG", "m")]
    assert unique_keys(muse) == ["Muse (EEG)", "Muse (PPG)"]
    two = [named("E4", "PPG", "left"), named("E4", "PPG", "right")]
    assert unique_keys(two) == ["E4 (left)", "E4 (right)"]
    assert unique_keys([named("M"), named("M")]) == ["M (1)", "M (2)"]
    clash = [named("M"), named("M"), named("M (1)"), named("")]
    assert len(set(unique_keys(clash))) == 4
