"""Stream metadata: the LSL and XDF header XML, read with suspicion and written by the XDF wiki.

Both an XDF stream header and ``pylsl.StreamInfo.as_xml()`` are an ``<info>`` element. What another
program wrote there is not trusted: its size, depth and channel count are bounded, document types
and entities are refused, and control characters never reach a name.
"""

from __future__ import annotations

import math
import unicodedata
from collections import Counter
from collections.abc import Sequence
from xml.etree import ElementTree

from realtime.errors import InputError
from realtime.recording import Replay, StreamInfo

MAX_XML = 16 * 2**20  # characters; 16,384 labelled channels need about 2 million
MAX_DEPTH = 64
MAX_CHANNELS = 100_000
MAX_DECLARED_FRAME = 10_000_000  # channels of a VideoRaw stream, one a byte: 1080p in colour
MAX_NAME = 256  # characters of a name, label or unit
FORMATS = ("float32", "double64", "string", "int8", "int16", "int32", "int64")


def clean(text: str | None, limit: int = MAX_NAME) -> str:
    """Return text that is safe to show and to log, in one line and at most `limit` characters.

    Control and format characters (colours of a terminal, right-to-left overrides) are dropped,
    white space runs become one space.
    """
    # A hostile name may be megabytes long: cut before looking at every character.
    cut = (text or "")[: 16 * limit]
    hidden = ("Cc", "Cf", "Cs", "Zl", "Zp")
    shown = (
        " " if c.isspace() else c
        for c in cut
        if c.isspace() or unicodedata.category(c) not in hidden
    )
    return " ".join("".join(shown).split())[:limit].strip()


def parse_xml(text: str) -> ElementTree.Element:
    """Parse XML from an untrusted source.

    Characters that XML forbids are dropped first, since outlets do send them.

    Raises
    ------
    InputError
        If the text is too long or nested too deeply, defines a document type or entities, or is
        not well formed.
    """
    if len(text) > MAX_XML:
        raise InputError(
            f"stream metadata of {len(text)} characters: at most {MAX_XML} are read, shorten it"
        )
    upper = text.upper()
    if "<!DOCTYPE" in upper or "<!ENTITY" in upper:
        raise InputError(
            f"stream metadata {clean(text, 60)!r} defines a document type or entities: remove them"
        )
    allowed = text.translate(_FORBIDDEN)
    parser = ElementTree.XMLParser(target=_BoundedBuilder())
    try:
        parser.feed(allowed)
        root: ElementTree.Element = parser.close()
    except (ElementTree.ParseError, UnicodeError) as error:
        raise InputError(
            f"stream metadata {clean(text, 60)!r} is not well-formed XML ({error}): mend it"
        ) from error
    return root


class _BoundedBuilder(ElementTree.TreeBuilder):
    """Stops the parser at the first element that is nested too deeply."""

    depth = 0

    def start(self, tag: str, attrs: dict[str, str], /) -> ElementTree.Element:
        self.depth += 1
        if self.depth > MAX_DEPTH:
            raise InputError(
                f"stream metadata nested more than {MAX_DEPTH} elements deep: flatten it"
            )
        return super().start(tag, attrs)

    def end(self, tag: str, /) -> ElementTree.Element:
        self.depth -= 1
        return super().end(tag)


_FORBIDDEN = {
    code: None
    for code in (*range(0x20), *range(0xD800, 0xE000), 0xFFFE, 0xFFFF)
    if code not in (0x9, 0xA, 0xD)
}


def stream_info(xml_text: str, key: str) -> StreamInfo:
    """Read an XDF stream header, or what ``pylsl.StreamInfo.as_xml()`` gives.

    Parameters
    ----------
    xml_text : str
        An ``<info>`` element.
    key : str
        Key that the stream gets.

    Returns
    -------
    StreamInfo
        With one label and one unit a channel: missing entries are empty, surplus ones dropped.

    Raises
    ------
    InputError
        If the text is not safe, well-formed XML, or channel count, format or rate make no sense.
    """
    info = parse_xml(xml_text)
    name = clean(info.findtext("name"))
    stream_type = clean(info.findtext("type"))
    most = MAX_DECLARED_FRAME if stream_type.casefold() == "videoraw" else MAX_CHANNELS
    count = _channel_count(info.findtext("channel_count"), name, most)
    # The LSL library writes "float32"; older recorders wrote "cf_float32".
    channel_format = clean(info.findtext("channel_format")).removeprefix("cf_")
    if channel_format not in FORMATS:
        raise InputError(
            f"stream {name!r} has the channel format {channel_format!r}: "
            f"must be one of {', '.join(FORMATS)}"
        )
    rate = _number(info.findtext("nominal_srate"), math.nan)
    if not 0 <= rate < 1e9:
        text = clean(info.findtext("nominal_srate"))
        raise InputError(
            f"stream {name!r} has the nominal rate {text!r}: must be 0 or a positive number"
        )
    desc = info.find("desc")
    labels, units = _channels(desc, count)
    mark = None if desc is None else desc.find("affectstream")
    return StreamInfo(
        key=key,
        name=name,
        type=stream_type,
        rate=rate,
        labels=labels,
        units=units,
        source_id=clean(info.findtext("source_id")),
        format=channel_format,
        description=_text(desc),
        created_at=_number(info.findtext("created_at"), 0.0),
        hostname=clean(info.findtext("hostname")),
        simulated=mark is not None and clean(mark.findtext("simulated")).lower() == "true",
        replay=_replay(mark),
    )


def description_xml(
    labels: Sequence[str],
    units: Sequence[str] = (),
    type: str = "",
    *,
    manufacturer: str = "",
    model: str = "",
    simulated: bool = False,
    replay: Replay | None = None,
) -> str:
    """Build a ``<desc>`` element by the XDF wiki's conventions.

    Parameters
    ----------
    labels, units : sequence of str
        One entry a channel; `units` may be empty.
    type : str
        Type of every channel (``EEG``, ``PPG``), or nothing.
    manufacturer, model : str
        Of the device; left out when empty.
    simulated : bool
        Whether a program made up the samples.
    replay : Replay or None
        Given when the stream repeats a recording.
    """
    if units and len(units) != len(labels):
        raise ValueError(f"{len(units)} units for {len(labels)} labels: need one each, or none")
    desc = ElementTree.Element("desc")
    channels = ElementTree.SubElement(desc, "channels")
    for index, label in enumerate(labels):
        channel = ElementTree.SubElement(channels, "channel")
        _set(channel, "label", clean(label))
        if units:
            _set(channel, "unit", clean(units[index]))
        if type:
            _set(channel, "type", clean(type))
    if manufacturer or model:
        acquisition = ElementTree.SubElement(desc, "acquisition")
        for tag, value in (("manufacturer", manufacturer), ("model", model)):
            if value:
                _set(acquisition, tag, clean(value))
    if simulated:
        _set(_child(desc, "affectstream"), "simulated", "true")
    if replay is not None:
        _mark_replay(desc, replay)
    return _text(desc)


def with_replay(description: str, replay: Replay) -> str:
    """Return a stream's ``<desc>`` text with all it says, and a mark that it is a replay.

    A description that is empty or damaged gives one that holds the mark alone.
    """
    try:
        desc = parse_xml(description)
    except InputError:
        desc = ElementTree.Element("desc")
    if desc.tag != "desc":
        desc = ElementTree.Element("desc")
    _mark_replay(desc, replay)
    return _text(desc)


def full_description(info: StreamInfo) -> str:
    """Return a stream's ``<desc>`` text for an outlet or a file, complete.

    What the stream said of itself stays. Without any, labels and units are written; the marks of a
    simulated or replayed stream are always there.
    """
    try:
        desc = parse_xml(info.description)
    except InputError:
        desc = None
    if desc is None or desc.tag != "desc":
        desc = parse_xml(description_xml(info.labels, info.units, info.type))
    if info.simulated:
        mark = _child(desc, "affectstream")
        _child(mark, "simulated").text = "true"
    if info.replay is not None:
        _mark_replay(desc, info.replay)
    return _text(desc)


def unique_keys(infos: Sequence[StreamInfo]) -> list[str]:
    """Give each stream of a recording a readable key of its own.

    The name where it is the only one of its kind; else the name with the stream's type, its
    ``source_id``, or a number, whichever is first to tell all its namesakes apart.
    """
    names = [info.name or info.type or "stream" for info in infos]
    counts = Counter(names)
    keys = list(names)
    for name, count in counts.items():
        if count == 1:
            continue
        group = [i for i, other in enumerate(names) if other == name]
        for attribute in ("type", "source_id"):
            values = [str(getattr(infos[i], attribute)) for i in group]
            if all(values) and len(set(values)) == count:
                break
        else:
            values = [str(number) for number in range(1, count + 1)]
        for i, value in zip(group, values, strict=True):
            keys[i] = f"{name} ({value})"
    # A stream may be called what another one's key became.
    taken: set[str] = set()
    for i, key in enumerate(keys):
        number = 2
        while keys[i] in taken:
            keys[i] = f"{key} #{number}"
            number += 1
        taken.add(keys[i])
    return keys


def _channel_count(text: str | None, name: str, most: int) -> int:
    count = _number(text, math.nan)
    if not (1 <= count <= most and count == int(count)):
        raise InputError(
            f"stream {name!r} has the channel count {clean(text)!r}: "
            f"must be a whole number from 1 to {most}"
        )
    return int(count)


def _channels(
    desc: ElementTree.Element | None, count: int
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return labels and units, `count` of each."""
    found: list[ElementTree.Element] = []
    if desc is not None:
        # Some devices leave out <channels> and call the label <name>.
        found = (desc.findall("channels/channel") or desc.findall("channel"))[:count]
    labels = tuple(clean(c.findtext("label") or c.findtext("name")) for c in found)
    units = tuple(clean(c.findtext("unit") or c.findtext("units")) for c in found)
    if not found:
        # A frame of video is a million channels, of which nothing is said: one tuple serves both.
        labels = units = ("",) * count
    missing = ("",) * (count - len(labels))
    return labels + missing, units + missing


def _replay(mark: ElementTree.Element | None) -> Replay | None:
    element = None if mark is None else mark.find("replay")
    if element is None:
        return None
    # A damaged mark still says that this is no live device.
    return Replay(
        offset=_number(element.findtext("offset"), 0.0),
        speed=_number(element.findtext("speed"), 1.0),
    )


def _mark_replay(desc: ElementTree.Element, replay: Replay) -> None:
    mark = _child(desc, "affectstream")
    for old in mark.findall("replay"):
        mark.remove(old)
    element = ElementTree.SubElement(mark, "replay")
    _set(element, "offset", repr(float(replay.offset)))
    _set(element, "speed", repr(float(replay.speed)))


def _child(parent: ElementTree.Element, tag: str) -> ElementTree.Element:
    found = parent.find(tag)
    return ElementTree.SubElement(parent, tag) if found is None else found


def _set(parent: ElementTree.Element, tag: str, text: str) -> None:
    ElementTree.SubElement(parent, tag).text = text


def _text(desc: ElementTree.Element | None) -> str:
    """Return an element as text; nothing for an element without content."""
    if desc is None or (not len(desc) and not (desc.text or "").strip()):
        return ""
    desc.tail = None
    return ElementTree.tostring(desc, encoding="unicode")


def _number(text: str | None, default: float) -> float:
    try:
        value = float(clean(text, 64))
    except ValueError:
        return default
    return value if math.isfinite(value) else default
