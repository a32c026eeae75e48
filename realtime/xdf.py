"""Read an XDF file, whole or damaged, into a recording.

Stamps come out on the recorder's clock (clock offsets applied, clock resets handled) but not
dejittered: the engine dejitters live and recorded streams by one method, and a second one here
would make them differ. Streams, chunks and samples are salvaged one by one.

pyxdf is the reference that the tests compare with, not what reads here. It walks samples one by
one in Python, trusts lengths in the file before it allocates, gives up a whole file for one bad
stream, and extrapolates clock offsets without limit (see `realtime.clock_offsets`).
"""

from __future__ import annotations

import mmap
import re
from collections import Counter
from dataclasses import dataclass, field, replace
from pathlib import Path
from xml.sax.saxutils import escape

import numpy as np
from numpy.typing import NDArray

from realtime.clock_offsets import synchronise
from realtime.errors import InputError
from realtime.metadata import clean, parse_xml, stream_info, unique_keys
from realtime.recording import (
    Marker,
    RecordedStream,
    Recording,
    StreamInfo,
    recording_start,
)
from realtime.video import is_video
from realtime.xdf_chunks import (
    CLOCK_OFFSET,
    DTYPES,
    MAGIC,
    SAMPLES,
    STREAM_FOOTER,
    STREAM_HEADER,
    Samples,
    XdfChunk,
    decode_numbers,
    decode_strings,
    walk,
)
from realtime.xdf_frames import XdfFrames

MAX_STREAMS = 1000
MAX_FAULTS = 20  # of one kind of place; the rest are counted
MAX_CLOCK_OFFSETS = 10_000_000


def read_xdf(path: str | Path) -> Recording:
    """Read an XDF file.

    Parameters
    ----------
    path : str or Path

    Returns
    -------
    Recording
        Numeric streams as `streams`, string streams' samples as `markers` (the channels of one
        sample joined by tabs). `faults` say what is damaged and what was left out.

    Raises
    ------
    InputError
        If the file cannot be opened, is no XDF file, or holds no stream that can be read.
    """
    path = Path(path)
    try:
        with path.open("rb") as file:
            magic = file.read(len(MAGIC))
            if magic != MAGIC:
                raise InputError(
                    f"{str(path)!r} is not an XDF file (it begins with {magic!r}, not {MAGIC!r}): "
                    "give a recording made by LabRecorder or affectstream"
                )
            with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
                reader = _Reader(data)
    except OSError as error:
        raise InputError(
            f"cannot read the recording {str(path)!r} ({error.strerror or error}): "
            "check the path and its permissions"
        ) from error
    return reader.recording(path)


@dataclass
class _Stream:
    """One stream while its chunks are gathered."""

    info: StreamInfo
    times: list[NDArray[np.float64]] = field(default_factory=list)
    seen: list[int] = field(default_factory=list)
    values: list[NDArray[np.float64]] = field(default_factory=list)
    texts: list[tuple[str, ...]] = field(default_factory=list)
    places: list[int] = field(default_factory=list)
    clock_times: list[float] = field(default_factory=list)
    clock_values: list[float] = field(default_factory=list)
    last: float = np.nan
    footer_count: int | None = None
    faults: list[str] = field(default_factory=list)
    # Of a video stream, only where its frames are: a minute of them may not fit into memory.
    frames: list[tuple[int, int, int]] = field(default_factory=list)

    def add(self, samples: Samples, place: int, begin: int, end: int) -> None:
        """Append a chunk's samples, and deduce the stamps that the file leaves out."""
        count = len(samples.times)
        if not count:
            return
        times = samples.times
        if not samples.stamped.all():
            step = 1 / self.info.rate if self.info.rate > 0 else 0.0
            index = np.arange(count)
            # With no stamp before it in this chunk, the last known one stands at index -1.
            anchor = np.maximum.accumulate(np.where(samples.stamped, index, -1))
            times = np.where(anchor >= 0, times[anchor], self.last) + (index - anchor) * step
        self.last = float(times[-1])
        self.times.append(times)
        self.seen.append(len(self.clock_times))
        if isinstance(samples.values, list):
            self.texts += samples.values
            self.places += [place] * count
        elif is_video(self.info):
            self.frames.append((count, begin, end))
        else:
            self.values.append(samples.values)

    def finish(self) -> NDArray[np.float64]:
        """Return the corrected stamps of all samples, and note the stream's faults."""
        times = np.concatenate(self.times) if self.times else np.empty(0)
        counts = [len(chunk) for chunk in self.times]
        seen = np.repeat(np.asarray(self.seen, dtype=np.int64), counts)
        unknown = np.count_nonzero(np.isnan(times))
        if not len(times):
            self.faults.append("it holds no samples")
        if unknown:
            self.faults.append(f"{unknown} samples have no time stamp")
        if self.footer_count is not None and self.footer_count > len(times):
            self.faults.append(
                f"its footer counts {self.footer_count} samples, the file holds {len(times)}"
            )
        times, faults = synchronise(
            times, seen, np.asarray(self.clock_times), np.asarray(self.clock_values)
        )
        self.faults += faults
        return times


class _Reader:
    """Gathers streams from an XDF file's chunks."""

    def __init__(self, data: mmap.mmap) -> None:
        self.streams: dict[int, _Stream] = {}
        self.refused: dict[int, str] = {}
        self.orphans: Counter[int] = Counter()
        self.faults: list[str] = []
        for place, chunk in enumerate(walk(data)):
            if chunk.stream is not None:
                self._take(chunk, data[chunk.begin : chunk.end], place)
            if chunk.damage:
                self.faults.append(chunk.damage)
                # Samples may be missing: what follows can deduce no stamp from what came before.
                for stream in self.streams.values():
                    stream.last = np.nan

    def _take(self, chunk: XdfChunk, content: bytes, place: int) -> None:
        assert chunk.stream is not None
        if chunk.tag == STREAM_HEADER:
            self._header(chunk.stream, content)
            return
        stream = self.streams.get(chunk.stream)
        if stream is None:
            self.orphans[chunk.stream] += 1
        elif chunk.tag == SAMPLES:
            channels, channel_format = stream.info.channel_count, stream.info.format
            if channel_format == "string":
                samples = decode_strings(content, channels)
            else:
                video = is_video(stream.info)
                samples = decode_numbers(content, channels, DTYPES[channel_format], video)
            stream.add(samples, place, chunk.begin, chunk.end)
            if not samples.sound:
                stream.faults.append(
                    f"of the samples at byte {chunk.begin} only the first {len(samples.times)} "
                    "can be read"
                )
                stream.last = np.nan
        elif chunk.tag == CLOCK_OFFSET and len(content) == 16:
            if len(stream.clock_times) < MAX_CLOCK_OFFSETS:
                time, value = np.frombuffer(content, dtype="<f8").tolist()
                stream.clock_times.append(time)
                stream.clock_values.append(value)
        elif chunk.tag == STREAM_FOOTER:
            try:
                count = parse_xml(content.decode("utf-8", "replace")).findtext("sample_count")
                stream.footer_count = int(clean(count, 20))
            except ValueError:
                stream.faults.append("its footer cannot be read")

    def _header(self, number: int, content: bytes) -> None:
        if number in self.streams:
            self.streams[number].faults.append("a second header with its number was left out")
            return
        if len(self.streams) >= MAX_STREAMS:
            self.refused[number] = f"only the first {MAX_STREAMS} streams are read"
            return
        text = content.decode("utf-8", "replace")
        faults = []
        try:
            info = stream_info(text, str(number))
        except InputError as error:
            try:
                info = stream_info(_mended_header(text), str(number))
            except InputError:
                self.refused[number] = str(error)
                return
            faults.append(f"its header is damaged ({error})")
        self.streams[number] = _Stream(info, faults=faults)

    def recording(self, path: Path) -> Recording:
        """Assemble what was gathered."""
        for number, why in list(self.refused.items())[:MAX_FAULTS]:
            self.faults.append(f"stream number {number} was left out: {why}")
        for number, count in self.orphans.most_common(MAX_FAULTS):
            if number not in self.refused:
                self.faults.append(
                    f"{count} chunks of stream number {number} were left out: it has no header"
                )
        if not self.streams:
            reason = _shortened(self.faults, 3)
            raise InputError(
                f"the XDF file {str(path)!r} holds no stream that can be read"
                f"{': ' + '; '.join(reason) if reason else ''}; give another recording"
            )
        gathered = list(self.streams.values())
        recorded: list[RecordedStream] = []
        marker_streams: list[StreamInfo] = []
        markers: list[tuple[int, Marker]] = []
        faults = _shortened(self.faults)
        keys = unique_keys([stream.info for stream in gathered])
        for stream, key in zip(gathered, keys, strict=True):
            info = replace(stream.info, key=key)
            times = stream.finish()
            if info.format == "string":
                marker_streams.append(info)
                faults += [f"{key}: {fault}" for fault in _shortened(stream.faults)]
                markers += [
                    (place, Marker(time, "\t".join(text), key))
                    for place, time, text in zip(
                        stream.places, times.tolist(), stream.texts, strict=True
                    )
                ]
                continue
            samples = (
                np.concatenate(stream.values)
                if stream.values
                else np.empty((0, info.channel_count))
            )
            frames = None
            if is_video(info):
                dtype = DTYPES[info.format]
                frames = XdfFrames(path, stream.frames, info.channel_count, dtype)
            noted = tuple(_shortened(stream.faults))
            recorded.append(RecordedStream(info, times, samples, noted, frames))
        markers.sort(key=lambda entry: entry[0])
        return Recording(
            path=str(path),
            streams=tuple(recorded),
            markers=tuple(marker for _, marker in markers),
            marker_streams=tuple(marker_streams),
            start=recording_start(recorded),
            faults=tuple(faults),
        )


def _mended_header(text: str) -> str:
    """Rebuild a header that is not XML from the elements in it that still stand."""
    parts = []
    for tag in ("name", "type", "channel_count", "channel_format", "source_id", "nominal_srate"):
        found = re.search(f"<{tag}>([^<]{{0,300}})</{tag}>", text)
        if found is not None:
            parts.append(f"<{tag}>{escape(found.group(1))}</{tag}>")
    rate = re.search(r"<nominal_srate>\s*[0-9.]+\s*</nominal_srate>", text)
    if rate is None:
        parts = [part for part in parts if not part.startswith("<nominal_srate>")]
        parts.append("<nominal_srate>0</nominal_srate>")
    begin, end = text.find("<desc>"), text.rfind("</desc>")
    if 0 <= begin < end:
        desc = text[begin : end + len("</desc>")]
        try:
            parse_xml(desc)
            parts.append(desc)
        except InputError:
            pass
    return f"<info>{''.join(parts)}</info>"


def _shortened(faults: list[str], limit: int = MAX_FAULTS) -> list[str]:
    """Cut a list of faults to the first few and a count of the others."""
    if len(faults) <= limit:
        return list(faults)
    return [*faults[: limit - 1], f"and {len(faults) - limit + 1} more faults of this kind"]
