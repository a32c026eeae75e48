"""Record a session to disk, from the engine's point of view without ever waiting or failing.

``sub-<participant>/ses-<n>/`` gets ``recording.xdf`` (stamps as the streams gave them, and clock
offsets, as LabRecorder stores them), ``events.tsv`` and ``session.json``.
"""

from __future__ import annotations

import json
import logging
import os
import queue
import re
import threading
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Any, TextIO

from realtime.chunk import Chunk
from realtime.errors import InputError
from realtime.recording import Marker, StreamInfo
from realtime.xdf_writer import XdfWriter

logger = logging.getLogger(__name__)

CAPACITY = 4096  # chunks that may wait; a minute and a half of six streams at 8 chunks a second
WAITING_BYTES = 256e6  # of samples that may wait; frames of video fill it before the chunks run out
IDLE_SECONDS = 0.25
CLOSE_SECONDS = 30.0
OWN_MARKERS = StreamInfo(
    key="affectstream markers",
    name="affectstream markers",
    type="Markers",
    rate=0.0,
    labels=("marker",),
    units=("",),
    source_id="affectstream-recorded-markers",
    format="string",
)


class Recorder:
    """Writes a session's files on a thread of its own.

    Methods may be called from any thread. None but the constructor raises because of the disk:
    what goes wrong there stands in `fault`, and samples that were not written are in `dropped`.

    Parameters
    ----------
    folder : str or Path
        Where sessions are kept; made if it is absent.
    participant : str
        Pseudonym of letters, digits, ``-`` and ``_``.
    metadata : mapping of str to Any
        Goes into session.json: rig, checkpoint hash, versions, consent. Values that JSON cannot
        hold are written as text.
    session : str or None
        Like `participant`; the next free number if None.

    Raises
    ------
    InputError
        If a name is not allowed, the session exists, or the folder cannot be written to.
    """

    def __init__(
        self,
        folder: str | Path,
        participant: str,
        metadata: Mapping[str, Any] | None = None,
        session: str | None = None,
    ) -> None:
        participant = safe_id(participant, "participant")
        try:
            self.folder = _new_session(Path(folder), participant, session)
            self._started = datetime.now(UTC)
            self._record: dict[str, Any] = {
                **(metadata or {}),
                "participant": participant,
                "session": self.folder.name.removeprefix("ses-"),
                "started": self._started.isoformat(),
                "stopped": None,
            }
            self._save_record()
            self._events: TextIO = open(  # noqa: SIM115 (closed by the thread)
                self.folder / "events.tsv", "w", encoding="utf-8", newline="\n"
            )
            self._events.write("onset\ttext\tstream\n")
            self._events.flush()
            self._writer = XdfWriter(self.folder / "recording.xdf")
        except OSError as error:
            raise InputError(
                f"cannot record to {str(folder)!r} ({error.strerror or error}): "
                "choose a folder that can be written to"
            ) from error
        self._streams: dict[str, tuple[int, StreamInfo]] = {}
        self._fault = ""
        self._broken = False
        self._dropped: Counter[str] = Counter()
        self._lock = threading.Lock()
        # Headers, markers and clock offsets may fill the second half; samples only the first.
        self._queue: queue.Queue[_Job | None] = queue.Queue(2 * CAPACITY)
        self._waiting_bytes = 0
        self._closing = False
        self._thread = threading.Thread(target=self._work, name="recorder", daemon=True)
        self._thread.start()

    @property
    def fault(self) -> str:
        """What went wrong, in one sentence; empty while all is well."""
        return self._fault

    @property
    def dropped(self) -> dict[str, int]:
        """Samples and markers that could not be recorded, by stream key."""
        with self._lock:
            return dict(self._dropped)

    def add_stream(self, info: StreamInfo) -> None:
        """Begin to record a stream; one whose key is known already goes on as it was."""
        self._put(_Job(lambda: self._add(info), info.key, 0), 2 * CAPACITY)

    def write(self, chunk: Chunk) -> None:
        """Record samples of a numeric stream, with the stamps that it gave, uncorrected."""
        if not len(chunk):
            return
        # The caller may use its buffers again before the thread comes to this chunk.
        copy = Chunk(chunk.stream, chunk.times.copy(), chunk.samples.copy())
        size = copy.samples.nbytes
        self._put(_Job(lambda: self._samples(copy), chunk.stream, len(copy), size), CAPACITY)

    def clock_offset(self, stream: str, time: float, offset: float) -> None:
        """Record that at `time` on the local clock, `offset` was to be added to raw stamps."""
        self._put(_Job(lambda: self._offset(stream, time, offset), stream, 0), 2 * CAPACITY)

    def marker(self, marker: Marker, raw_time: float | None = None) -> None:
        """Record an event in events.tsv and in its stream.

        Parameters
        ----------
        marker : Marker
            Its time, on the session's clock, becomes the onset. A marker of no stream that was
            added goes on the session's own marker stream.
        raw_time : float or None
            Stamp that the marker's stream gave it; None if there was no correction.
        """
        raw = marker.time if raw_time is None else raw_time
        self._put(_Job(lambda: self._marker(marker, raw), marker.stream, 1), 2 * CAPACITY)

    def close(self, metadata: Mapping[str, Any] | None = None) -> None:
        """Write what waits, the footers, and the rest of session.json; may be called twice.

        Parameters
        ----------
        metadata : mapping of str to Any
            Joins what the constructor was given.
        """
        with self._lock:
            if self._closing:
                return
            self._closing = True
        try:
            self._queue.put(None, timeout=CLOSE_SECONDS)
            self._thread.join(CLOSE_SECONDS)
        except queue.Full:
            pass
        if self._thread.is_alive():
            self._fail(f"the disk under {str(self.folder)!r} does not answer: the end is lost")
        stopped = datetime.now(UTC)
        self._record.update(metadata or {})
        self._record.update(
            stopped=stopped.isoformat(),
            seconds=(stopped - self._started).total_seconds(),
            samples=self._writer.sample_counts(),
            dropped=self.dropped,
            fault=self.fault,
        )
        try:
            self._save_record()
        except OSError as error:
            self._fail(f"session.json could not be brought up to date ({error.strerror or error})")

    def __enter__(self) -> Recorder:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def _put(self, job: _Job, limit: int) -> None:
        full = self._queue.qsize() >= limit or self._waiting_bytes + job.size > WAITING_BYTES
        if self._closing or self._broken or full:
            self._drop(job)
            return
        with self._lock:
            self._waiting_bytes += job.size
        try:
            self._queue.put_nowait(job)
        except queue.Full:
            self._done(job)
            self._drop(job)

    def _done(self, job: _Job) -> None:
        with self._lock:
            self._waiting_bytes -= job.size

    def _drop(self, job: _Job) -> None:
        with self._lock:
            self._dropped[job.stream] += job.count

    def _fail(self, reason: str) -> None:
        if not self._fault:
            self._fault = reason
            logger.error("%s", reason)

    def _work(self) -> None:
        """Write what the queue holds; the thread's whole life."""
        while True:
            try:
                job = self._queue.get(timeout=IDLE_SECONDS)
            except queue.Empty:
                job = _Job(lambda: None, "", 0)
            if job is None:
                break
            self._done(job)
            if self._broken:
                self._drop(job)
                continue
            try:
                job.run()
                self._writer.tick()
            except OSError as error:
                self._broken = True
                self._drop(job)
                self._fail(error.strerror or str(error))
            except Exception as error:
                # A chunk that does not fit its stream is a mistake of the caller's, and must cost
                # neither the other streams nor the engine.
                self._drop(job)
                self._fail(f"samples of {job.stream!r} could not be recorded: {error}")
        for file in (self._writer, self._events):
            try:
                file.close()
            except OSError as error:
                self._fail(error.strerror or str(error))

    def _add(self, info: StreamInfo) -> None:
        if info.key not in self._streams:
            self._streams[info.key] = (self._writer.add_stream(info), info)

    def _samples(self, chunk: Chunk) -> None:
        self._writer.write(self._number(chunk.stream), chunk.times, chunk.samples)

    def _offset(self, stream: str, time: float, offset: float) -> None:
        self._writer.clock_offset(self._number(stream), time, offset)

    def _marker(self, marker: Marker, raw: float) -> None:
        fields = (repr(float(marker.time)), _escape(marker.text), _escape(marker.stream))
        self._events.write("\t".join(fields) + "\n")
        self._events.flush()
        known = self._streams.get(marker.stream)
        if known is None or known[1].format != "string":
            self._add(OWN_MARKERS)
            known = self._streams[OWN_MARKERS.key]
        number, info = known
        # Several channels of one sample are joined by tabs, as `read_xdf` does.
        texts = marker.text.split("\t", info.channel_count - 1)
        texts += [""] * (info.channel_count - len(texts))
        self._writer.write(number, [raw], [texts])

    def _number(self, stream: str) -> int:
        if stream not in self._streams:
            raise ValueError(f"no stream {stream!r} was added")
        return self._streams[stream][0]

    def _save_record(self) -> None:
        """Replace session.json in one step: it is whole at every moment."""
        path = self.folder / "session.json"
        draft = path.with_suffix(".json.part")
        draft.write_text(
            json.dumps(self._record, indent=2, ensure_ascii=False, default=str) + "\n", "utf-8"
        )
        os.replace(draft, path)


@dataclass(frozen=True, slots=True)
class _Job:
    """Something for the recorder's thread to do, and how much is lost if it is not done."""

    run: Callable[[], None]
    stream: str
    count: int
    size: int = 0  # bytes of samples


def safe_id(text: str, what: str) -> str:
    """Return a participant's or session's pseudonym if it can name a folder.

    Raises
    ------
    InputError
        If it is empty, longer than 64 characters, or has others than letters, digits, - and _.
    """
    if re.fullmatch(r"[A-Za-z0-9_-]{1,64}", text) is None:
        raise InputError(
            f"{what} {text!r} cannot name a folder: use 1 to 64 letters, digits, - and _, "
            "and no real names"
        )
    return text


def _new_session(folder: Path, participant: str, session: str | None) -> Path:
    """Make and return the session's folder."""
    parent = folder / f"sub-{participant}"
    parent.mkdir(parents=True, exist_ok=True)
    if session is not None:
        path = parent / f"ses-{safe_id(session, 'session')}"
        try:
            path.mkdir()
        except FileExistsError:
            raise InputError(
                f"session {session!r} of participant {participant!r} is recorded already: "
                "give another session id"
            ) from None
        return path
    number = 1
    while True:
        path = parent / f"ses-{number}"
        try:
            path.mkdir()
        except FileExistsError:
            number += 1
            continue
        return path


def _escape(text: str) -> str:
    """Keep a text within one field of a tab-separated line."""
    for character, code in (("\\", "\\\\"), ("\t", "\\t"), ("\n", "\\n"), ("\r", "\\r")):
        text = text.replace(character, code)
    return text.encode("utf-8", "replace").decode("utf-8")
