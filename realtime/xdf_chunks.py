"""The byte layer of XDF: finding chunks in sound and damaged files, and decoding samples.

An XDF file is ``XDF:`` and then chunks: length (itself of 1, 4 or 8 bytes), tag, content. A length
is believed only if another chunk, or the end of the file, follows where it says; else the walk
looks for the next place where a chunk really begins, and what lies before it is decoded as far as
it makes sense. Nothing is allocated because a length or count says so.
"""

from __future__ import annotations

import mmap
import re
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

MAGIC = b"XDF:"
FILE_HEADER, STREAM_HEADER, SAMPLES, CLOCK_OFFSET, BOUNDARY, STREAM_FOOTER = range(1, 7)
BOUNDARY_ID = bytes.fromhex("43a546dccbf5410fb30ed5467383cbe4")
DTYPES = {
    "float32": "<f4",
    "double64": "<f8",
    "int8": "<i1",
    "int16": "<i2",
    "int32": "<i4",
    "int64": "<i8",
}
BLOCK = 2**16  # bytes; the working memory of decoding stays in the processor's cache
_WITH_STREAM = (STREAM_HEADER, SAMPLES, CLOCK_OFFSET, STREAM_FOOTER)
# Smallest and largest content (with stream id); a wrong one betrays a wrong length.
_SIZES = {
    FILE_HEADER: (0, 2**26),
    STREAM_HEADER: (4, 2**26),
    SAMPLES: (6, 2**62),
    CLOCK_OFFSET: (20, 20),
    BOUNDARY: (16, 16),
    STREAM_FOOTER: (4, 2**26),
}
# What can follow damage: a header, or any chunk of a stream, or a boundary. The stream id is
# checked by the caller.
_CANDIDATE = re.compile(
    rb"[\x03\x04\x06]\x00(?=(.{4}))|\x02\x00(?=.{4}<)|\x05\x00(?=" + re.escape(BOUNDARY_ID) + rb")",
    re.DOTALL,
)


@dataclass(frozen=True, slots=True)
class XdfChunk:
    """Where a chunk lies in the file.

    Attributes
    ----------
    tag : int
    stream : int or None
        Stream id, for tags that have one.
    begin, end : int
        Content without the stream id.
    damage : str
        Empty for a sound chunk; else what is wrong. Content may then break off early, and stamps
        that later samples would deduce from earlier ones are unknown.
    """

    tag: int
    stream: int | None
    begin: int
    end: int
    damage: str = ""


def walk(data: mmap.mmap | bytes) -> Iterator[XdfChunk]:
    """Yield the chunks of an XDF file in order; every byte is visited a bounded number of times.

    Parameters
    ----------
    data : mmap or bytes
        The whole file, `MAGIC` included.
    """
    size = len(data)
    known: set[int] = set()
    position = len(MAGIC)
    chunk = _head(data, position)
    while position < size:
        # The last chunk of a truncated file has a good head and no end.
        if chunk is not None and chunk.end <= size:
            follower = _head(data, chunk.end)
            if follower is not None or chunk.end == size:
                if chunk.tag == STREAM_HEADER and chunk.stream is not None:
                    known.add(chunk.stream)
                yield chunk
                position, chunk = chunk.end, follower
                continue
        begin = position + 1 if chunk is None else chunk.begin
        resumed = _next_head(data, begin, known)
        if chunk is not None:
            end = min(chunk.end, size if resumed is None else resumed)
            reason = (
                f"the file breaks off inside a chunk at byte {position}"
                if resumed is None and chunk.end > size
                else f"the chunk at byte {position} has a wrong length or a damaged successor"
            )
            if chunk.tag == STREAM_HEADER and chunk.stream is not None:
                known.add(chunk.stream)
            yield XdfChunk(chunk.tag, chunk.stream, chunk.begin, end, reason)
        else:
            until = size if resumed is None else resumed
            reason = f"{until - position} bytes from byte {position} on are no XDF chunk"
            yield XdfChunk(0, None, position, until, reason)
        position = size if resumed is None else resumed
        chunk = _head(data, position)


def _head(data: mmap.mmap | bytes, position: int) -> XdfChunk | None:
    """Read a chunk's head; None if none can begin here. Its end may lie beyond the file."""
    number = _length(data, position, len(data))
    if number is None:
        return None
    length, content = number
    if content + 2 > len(data):
        return None
    tag = int.from_bytes(data[content : content + 2], "little")
    if tag not in _SIZES or not _SIZES[tag][0] <= length - 2 <= _SIZES[tag][1]:
        return None
    begin = content + 2
    end = content + length
    if tag == BOUNDARY:
        seen = data[begin : begin + 16]
        return XdfChunk(tag, None, begin, end) if BOUNDARY_ID.startswith(seen) else None
    if tag not in _WITH_STREAM:
        return XdfChunk(tag, None, begin, end)
    if begin + 4 > len(data):
        return None
    stream = int.from_bytes(data[begin : begin + 4], "little")
    return XdfChunk(tag, stream, begin + 4, end)


def _next_head(data: mmap.mmap | bytes, begin: int, known: set[int]) -> int | None:
    """Return where the next chunk surely begins, or None."""
    # The pattern finds tags; the length stands in the 2, 5 or 9 bytes before.
    for match in _CANDIDATE.finditer(data, begin):
        tag_at = match.start()
        stream = match.group(1)
        if stream is not None and int.from_bytes(stream, "little") not in known:
            continue
        for width in (1, 4, 8):
            position = tag_at - width - 1
            if position < begin or data[position] != width:
                continue
            chunk = _head(data, position)
            if chunk is None or chunk.end > len(data):
                continue
            if chunk.end == len(data) or _head(data, chunk.end) is not None:
                return position
    return None


def _length(data: mmap.mmap | bytes, position: int, end: int) -> tuple[int, int] | None:
    """Read a variable-length integer; return it and the position after it, or None."""
    if position >= end:
        return None
    width = data[position]
    after = position + 1 + width
    if width not in (1, 4, 8) or after > end:
        return None
    return int.from_bytes(data[position + 1 : after], "little"), after


@dataclass(frozen=True, slots=True)
class Samples:
    """What a sample chunk holds.

    Attributes
    ----------
    times : ndarray of float64, shape (n_samples,)
        NaN where `stamped` is False: such a stamp follows from the one before.
    stamped : ndarray of bool, shape (n_samples,)
    values : ndarray, shape (n_samples, channels), or list of tuple of str
        Numbers are float64, or as they are stored if that was asked for.
    sound : bool
        False if the content ends early or late, or makes no sense from some sample on; the samples
        before that are here.
    """

    times: NDArray[np.float64]
    stamped: NDArray[np.bool_]
    values: NDArray[Any] | list[tuple[str, ...]]
    sound: bool


def decode_numbers(content: bytes, channels: int, dtype: str, as_stored: bool = False) -> Samples:
    """Decode a sample chunk's content (without the stream id) of a numeric stream.

    Parameters
    ----------
    content : bytes
    channels : int
    dtype : str
        One of `DTYPES`' values.
    as_stored : bool
        Leave numbers as they are, for frames of video, which would grow eightfold.
    """
    convert = _stored if as_stored else _floats
    number = _length(content, 0, len(content))
    if number is None:
        return Samples(np.empty(0), np.empty(0, bool), np.empty((0, channels)), False)
    count, begin = number
    # All samples with a stamp, or all but the first without one: what recorders write.
    body = np.frombuffer(content, dtype=np.uint8, offset=begin)
    stamped, bare = _layouts(channels, dtype)
    if count and len(body) == count * stamped.itemsize:
        rows = body.view(stamped)
        if np.all(rows["flag"] == 8):
            times = rows["time"].astype(np.float64)
            return Samples(times, np.ones(count, bool), convert(rows["values"]), True)
    if count and len(body) == stamped.itemsize + (count - 1) * bare.itemsize and body[0] == 8:
        first = body[: stamped.itemsize].view(stamped)
        rest = body[stamped.itemsize :].view(bare)
        if not np.any(rest["flag"]):
            times = np.full(count, np.nan)
            times[0] = first["time"][0]
            values = np.concatenate([first["values"], rest["values"]])
            return Samples(times, np.arange(count) == 0, convert(values), True)
    times, whole, values, sound = _walk_numbers(content, begin, count, channels, dtype)
    return Samples(times, whole, convert(values), sound)


@lru_cache(maxsize=256)
def _layouts(channels: int, dtype: str) -> tuple[np.dtype[np.void], np.dtype[np.void]]:
    """Return the layouts of a sample with a stamp and of one without."""
    stamped = np.dtype([("flag", "u1"), ("time", "<f8"), ("values", dtype, (channels,))])
    bare = np.dtype([("flag", "u1"), ("values", dtype, (channels,))])
    return stamped, bare


def _stored(values: NDArray[Any]) -> NDArray[Any]:
    return values


def _floats(values: NDArray[Any]) -> NDArray[Any]:
    # Damaged bytes may be a signalling NaN.
    with np.errstate(invalid="ignore"):
        return values.astype(np.float64)


def _walk_numbers(
    content: bytes, begin: int, count: int, channels: int, dtype: str
) -> tuple[NDArray[np.float64], NDArray[np.bool_], NDArray[Any], bool]:
    """Decode samples of which some have a stamp and some have none; see `Samples`."""
    width = channels * np.dtype(dtype).itemsize
    body = np.frombuffer(content, dtype=np.uint8)
    heads = _sample_heads(body, begin, count, width)
    stamped = body[heads] == 8
    # The last may break off, and one with any other flag is none.
    ends = heads + 1 + 8 * stamped + width
    bad = np.flatnonzero((ends > len(body)) | ((body[heads] != 0) & ~stamped))
    good = int(bad[0]) if len(bad) else len(heads)
    heads, stamped, ends = heads[:good], stamped[:good], ends[:good]
    end = int(ends[-1]) if good else begin
    stamp_bytes = heads[stamped][:, None] + np.arange(1, 9)
    times = np.full(good, np.nan)
    times[stamped] = body[stamp_bytes].view("<f8")[:, 0] if np.any(stamped) else np.nan
    is_value = np.ones(end, bool)
    is_value[:begin] = False
    is_value[heads] = False
    is_value[stamp_bytes.ravel()] = False
    values = body[:end][is_value].view(dtype).reshape(good, channels)
    return times, stamped, values, good == count and end == len(body)


def _sample_heads(body: NDArray[np.uint8], begin: int, count: int, width: int) -> NDArray[np.int64]:
    """Return where each of up to `count` samples begins; the last may be no whole sample.

    Every sample's length hangs on its first byte. Instead of one Python step a sample, the step
    from every byte is written down, then steps of 2, 4, 8 ... samples are put together.
    """
    found: list[NDArray[np.int64]] = []
    total = 0
    while total < count and begin < len(body):
        block = body[begin : begin + BLOCK]
        size = len(block)
        # `size` stands for any place beyond the block.
        step = np.empty(size + 1, dtype=np.int64)
        step[:size] = np.minimum(np.arange(size) + np.where(block == 8, 9 + width, 1 + width), size)
        step[size] = size
        heads = np.zeros(1, dtype=np.int64)
        while heads[-1] < size and len(heads) < count - total:
            heads = np.concatenate([heads, step[heads]])
            step = step[step]
        heads = heads[heads < size][: count - total] + begin
        found.append(heads)
        total += len(heads)
        last = int(heads[-1])
        begin = last + width + (9 if body[last] == 8 else 1)
        if body[last] not in (0, 8):
            break
    return np.concatenate(found) if found else np.empty(0, dtype=np.int64)


def decode_strings(content: bytes, channels: int) -> Samples:
    """Decode a sample chunk's content (without the stream id) of a string stream."""
    stamps: list[float] = []
    stamped: list[bool] = []
    texts: list[tuple[str, ...]] = []
    count, position = _length(content, 0, len(content)) or (1, len(content))
    while len(texts) < count:
        stamp = _stamp(content, position)
        if stamp is None:
            break
        has_stamp = content[position] == 8
        values: list[str] = []
        after = stamp[1]
        while len(values) < channels:
            text = _length(content, after, len(content))
            if text is None or text[1] + text[0] > len(content):
                break
            after = text[1] + text[0]
            values.append(content[text[1] : after].decode("utf-8", "replace"))
        if len(values) < channels:
            break
        position = after
        stamps.append(stamp[0])
        stamped.append(has_stamp)
        texts.append(tuple(values))
    sound = len(texts) == count and position == len(content)
    return Samples(np.asarray(stamps, np.float64), np.asarray(stamped, bool), texts, sound)


def _stamp(content: bytes, position: int) -> tuple[float, int] | None:
    """Read a sample's optional stamp; return it (NaN if absent) and the position after it."""
    if position >= len(content):
        return None
    flag = content[position]
    if flag == 0:
        return np.nan, position + 1
    if flag == 8 and position + 9 <= len(content):
        return struct.unpack_from("<d", content, position + 1)[0], position + 9
    return None
