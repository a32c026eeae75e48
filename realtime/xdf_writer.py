"""Write an XDF file that opens whatever happens to the process.

Every chunk goes to the operating system in one unbuffered write as soon as it is handed in, so a
killed process loses nothing that was written before; boundary chunks every 10 s let readers find
their way again after damage.
"""

from __future__ import annotations

import os
import struct
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from xml.etree import ElementTree

import numpy as np
from numpy.typing import NDArray

from realtime.errors import InputError
from realtime.metadata import clean, full_description, parse_xml
from realtime.recording import StreamInfo
from realtime.xdf_chunks import (
    BOUNDARY,
    BOUNDARY_ID,
    CLOCK_OFFSET,
    DTYPES,
    FILE_HEADER,
    MAGIC,
    SAMPLES,
    STREAM_FOOTER,
    STREAM_HEADER,
)

BOUNDARY_SECONDS = 10.0
CHECK_SECONDS = 1.0  # how often it is checked that the file is still in its folder
MAX_CHUNK = 2**24  # bytes of a sample chunk; larger writes become several


@dataclass
class _Stream:
    """What the footer needs to know of a stream."""

    info: StreamInfo
    count: int = 0
    first: float = 0.0
    last: float = 0.0
    offsets: list[tuple[float, float]] = field(default_factory=list)


class XdfWriter:
    """Writes one XDF file; for one thread at a time, and usable as a context manager.

    Parameters
    ----------
    path : str or Path
        A file that is there already is kept under a numbered name (``recording_old1.xdf``).

    Raises
    ------
    InputError
        If the file cannot be made.

    Notes
    -----
    When a write fails (disk full, folder removed), the file is cut back to its last whole chunk,
    one OSError says so, `fault` keeps its text, and every later call does nothing.
    """

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        self.fault = ""
        self._streams: dict[int, _Stream] = {}
        self._size = 0
        try:
            keep_older(self.path)
            # Unbuffered: what is written survives the process.
            self._file = open(self.path, "xb", buffering=0)  # noqa: SIM115 (closed by close)
        except OSError as error:
            raise InputError(
                f"cannot record to {str(path)!r} ({error.strerror or error}): "
                "choose a folder that exists and can be written to"
            ) from error
        now = time.monotonic()
        self._boundary_due = now + BOUNDARY_SECONDS
        self._check_due = now + CHECK_SECONDS
        started = datetime.now(UTC).astimezone().strftime("%Y-%m-%dT%H:%M:%S%z")
        header = (
            '<?xml version="1.0"?><info><version>1.0</version>'
            f"<datetime>{started}</datetime></info>"
        )
        self._write(MAGIC + _chunk(FILE_HEADER, None, header.encode()))

    def add_stream(self, info: StreamInfo) -> int:
        """Write a stream's header.

        Returns
        -------
        int
            Number that `write` and `clock_offset` take.
        """
        if info.format != "string" and info.format not in DTYPES:
            raise ValueError(
                f"channel format {info.format!r}: must be string or one of {', '.join(DTYPES)}"
            )
        number = len(self._streams) + 1
        self._streams[number] = _Stream(info)
        self._write(_chunk(STREAM_HEADER, number, header_xml(info).encode("utf-8")))
        return number

    def write(
        self,
        stream: int,
        times: NDArray[np.float64] | Sequence[float],
        samples: NDArray[np.generic] | Sequence[str] | Sequence[Sequence[str]],
    ) -> None:
        """Write samples.

        Parameters
        ----------
        stream : int
        times : array-like of float, shape (n_samples,)
        samples : array-like, shape (n_samples, n_channels) or (n_samples,)
            Text for a string stream, else numbers that fit the stream's format.

        Raises
        ------
        ValueError
            If the shapes do not fit, or a number does not exist in an integer format.
        OSError
            If the file cannot be written on.
        """
        entry = self._streams[stream]
        stamps = np.asarray(times, dtype=np.float64)
        if not len(stamps):
            return
        if entry.info.format == "string":
            pieces = _string_samples(stamps, samples, entry.info.channel_count)
        else:
            pieces = _number_samples(stamps, np.asarray(samples), entry.info)
        begin = 0
        for count, body in pieces:
            content = b"\x04" + struct.pack("<I", count) + body
            self._write(_chunk(SAMPLES, stream, content))
            if self.fault:
                return
            entry.first = float(stamps[0]) if not entry.count else entry.first
            entry.last = float(stamps[begin + count - 1])
            entry.count += count
            begin += count
        self.tick()

    def clock_offset(self, stream: int, time: float, offset: float) -> None:
        """Write a measurement: at `time` on the recorder's clock, what to add to stream stamps.

        Parameters
        ----------
        stream : int
        time : float
            Seconds on the recorder's clock (``pylsl.local_clock``).
        offset : float
            What ``StreamInlet.time_correction`` returned.
        """
        # The format wants the stream's own clock at that moment.
        own = time - offset
        self._streams[stream].offsets.append((own, offset))
        self._write(_chunk(CLOCK_OFFSET, stream, struct.pack("<dd", own, offset)))

    def tick(self) -> None:
        """Write a boundary when one is due, and check that the file is still in its folder.

        Raises
        ------
        OSError
            If it is not, or cannot be written on.
        """
        now = time.monotonic()
        if self.fault:
            return
        if now >= self._check_due:
            self._check_due = now + CHECK_SECONDS
            if not self.path.exists():
                # Elsewhere than on Windows, writing into a removed file goes on without an error.
                self._fail(FileNotFoundError(2, "the file was removed while recording"))
        if now >= self._boundary_due:
            self._boundary_due = now + BOUNDARY_SECONDS
            self._write(_chunk(BOUNDARY, None, BOUNDARY_ID))

    def close(self) -> None:
        """Write the footers and close; may be called twice."""
        if self._file.closed:
            return
        try:
            for number, stream in self._streams.items():
                if not self.fault:
                    self._write(_chunk(STREAM_FOOTER, number, _footer_xml(stream).encode()))
            if not self.fault:
                os.fsync(self._file.fileno())
        finally:
            self._file.close()

    def sample_counts(self) -> dict[str, int]:
        """Return how many samples of each stream, by key, are in the file."""
        return {stream.info.key: stream.count for stream in self._streams.values()}

    def __enter__(self) -> XdfWriter:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def _write(self, data: bytes) -> None:
        if self.fault:
            return
        rest = memoryview(data)
        try:
            while rest:
                # A raw write may take less than all, as when the disk fills up.
                written = self._file.write(rest)
                if not written:
                    raise OSError(28, "no bytes could be written")
                rest = rest[written:]
        except OSError as error:
            self._fail(error)
        self._size += len(data)

    def _fail(self, error: OSError) -> None:
        try:
            self._file.truncate(self._size)
            self._file.seek(self._size)
        except OSError:
            pass  # readers cope with half a chunk at the end
        reason = error.strerror or str(error)
        self.fault = (
            f"recording to {str(self.path)!r} stopped ({reason}): what was written until then is "
            "kept; free space or restore the folder, then start a new recording"
        )
        raise OSError(error.errno, self.fault) from error


def keep_older(path: Path) -> None:
    """Rename a file that stands at `path` to the next free numbered name beside it."""
    if not path.exists():
        return
    number = 1
    while (older := path.with_name(f"{path.stem}_old{number}{path.suffix}")).exists():
        number += 1
    path.rename(older)


def header_xml(info: StreamInfo) -> str:
    """Return a stream header with all that is known of a stream."""
    root = ElementTree.Element("info")
    fields = {
        "name": info.name,
        "type": info.type,
        "channel_count": str(info.channel_count),
        "channel_format": info.format,
        "source_id": info.source_id,
        "nominal_srate": repr(float(info.rate)),
        "created_at": repr(float(info.created_at)),
        "hostname": info.hostname,
    }
    for tag, text in fields.items():
        ElementTree.SubElement(root, tag).text = clean(text)
    root.append(parse_xml(full_description(info)))
    return '<?xml version="1.0"?>' + ElementTree.tostring(root, encoding="unicode")


def _footer_xml(stream: _Stream) -> str:
    offsets = "".join(
        f"<offset><time>{time!r}</time><value>{value!r}</value></offset>"
        for time, value in stream.offsets
    )
    return (
        f'<?xml version="1.0"?><info><first_timestamp>{stream.first!r}</first_timestamp>'
        f"<last_timestamp>{stream.last!r}</last_timestamp>"
        f"<sample_count>{stream.count}</sample_count>"
        f"<clock_offsets>{offsets}</clock_offsets></info>"
    )


def _chunk(tag: int, stream: int | None, content: bytes) -> bytes:
    head = struct.pack("<H", tag) + (b"" if stream is None else struct.pack("<I", stream))
    return _length(len(head) + len(content)) + head + content


def _length(number: int) -> bytes:
    if number < 256:
        return bytes((1, number))
    if number < 2**32:
        return b"\x04" + struct.pack("<I", number)
    return b"\x08" + struct.pack("<Q", number)


def _number_samples(
    times: NDArray[np.float64], samples: NDArray[np.generic], info: StreamInfo
) -> list[tuple[int, bytes]]:
    """Return (count, bytes) of one or more chunks."""
    if samples.ndim == 1:
        samples = samples[:, None]
    if samples.shape != (len(times), info.channel_count):
        raise ValueError(
            f"samples of shape {samples.shape} do not fit {len(times)} times and "
            f"{info.channel_count} channels"
        )
    dtype = np.dtype(DTYPES[info.format])
    if dtype.kind == "i" and samples.dtype.kind == "f":
        numbers = samples.astype(np.float64)
        # The largest int64 is no float64: the next one above it would wrap around.
        lowest, beyond = float(np.iinfo(dtype).min), float(np.iinfo(dtype).max) + 1.0
        outside = ~((numbers >= lowest) & (numbers < beyond))
        if np.any(outside):
            raise ValueError(
                f"sample {numbers[outside][0]} cannot be stored in the format {info.format!r}"
            )
    rows = np.empty(
        len(times),
        dtype=[("flag", "u1"), ("time", "<f8"), ("values", dtype, (info.channel_count,))],
    )
    rows["flag"] = 8
    rows["time"] = times
    with np.errstate(over="ignore"):  # beyond float32, the value is infinite there
        rows["values"] = samples
    step = max(1, MAX_CHUNK // rows.itemsize)
    parts = [rows[begin : begin + step] for begin in range(0, len(rows), step)]
    return [(len(part), part.tobytes()) for part in parts]


def _string_samples(
    times: NDArray[np.float64],
    samples: NDArray[np.generic] | Sequence[str] | Sequence[Sequence[str]],
    channels: int,
) -> list[tuple[int, bytes]]:
    if len(samples) != len(times):
        raise ValueError(f"{len(samples)} samples do not fit {len(times)} times")
    pieces = []
    for time_, sample in zip(times.tolist(), samples, strict=True):
        texts = [sample] if isinstance(sample, str) else list(sample)
        if len(texts) != channels:
            raise ValueError(f"sample {texts!r} has {len(texts)} texts, not {channels}")
        pieces.append(b"\x08" + struct.pack("<d", time_))
        for text in texts:
            content = str(text).encode("utf-8", "replace")
            pieces += [_length(len(content)), content]
    return [(len(times), b"".join(pieces))]
