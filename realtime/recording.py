"""What is known of a stream, and a recording of several streams and markers."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from realtime.chunk import Chunk


@dataclass(frozen=True, slots=True)
class Replay:
    """How a replayed stream relates to its recording.

    Attributes
    ----------
    offset : float
        Whole seconds that were added to the recording's clock.
    speed : float
        Playback speed; 1 is real time.
    """

    offset: float
    speed: float


@dataclass(frozen=True, slots=True)
class StreamInfo:
    """Description of one stream, live or recorded.

    Attributes
    ----------
    key : str
        Unique among the streams of one session or recording.
    name, type, source_id : str
        As the stream declares them, cleaned of control characters.
    rate : float
        Nominal rate in 1/s; 0 for irregular streams.
    labels, units : tuple of str
        One entry a channel; empty strings where the stream says nothing.
    format : str
        LSL channel format: ``float32``, ``double64``, ``int8`` ... ``string``.
    description : str
        The stream's ``<desc>`` element as XML text, for replay and recording; may be empty.
    created_at : float
        When the outlet was made, on its own host's clock; 0 if unknown.
    hostname : str
        Host that publishes it; empty for recordings.
    simulated : bool
        The stream says that a program made up its samples.
    replay : Replay or None
        Set when the stream is itself a replay of a recording.
    """

    key: str
    name: str
    type: str
    rate: float
    labels: tuple[str, ...]
    units: tuple[str, ...]
    source_id: str = ""
    format: str = "float32"
    description: str = ""
    created_at: float = 0.0
    hostname: str = ""
    simulated: bool = False
    replay: Replay | None = None

    @property
    def channel_count(self) -> int:
        """Number of channels."""
        return len(self.labels)


@dataclass(frozen=True, slots=True)
class Marker:
    """One string event: its time on the session's clock, its text, and the stream it came on."""

    time: float
    text: str
    stream: str = ""


class RecordedFrames(Protocol):
    """The samples of a recorded video stream, which may not fit into memory."""

    def __getitem__(self, piece: slice, /) -> NDArray[np.generic]:
        """Read some samples, shape (k, n_channels), in the stream's own format."""
        ...


@dataclass(frozen=True, slots=True)
class RecordedStream:
    """A whole numeric stream.

    Attributes
    ----------
    info : StreamInfo
    times : ndarray of float64, shape (n_samples,)
        In the recording's clock, in recorded order (never sorted).
    samples : ndarray of float64, shape (n_samples, n_channels)
        Without rows where `frames` is given.
    faults : tuple of str
        What the reader found wrong, one sentence each.
    frames : RecordedFrames or None
        The samples of a video stream; see `realtime.video.with_textures`.
    """

    info: StreamInfo
    times: NDArray[np.float64]
    samples: NDArray[np.float64]
    faults: tuple[str, ...] = ()
    frames: RecordedFrames | None = None


@dataclass(frozen=True, slots=True)
class Recording:
    """Streams and markers of one session.

    Attributes
    ----------
    path : str
        Where it was read from.
    streams : tuple of RecordedStream
    markers : tuple of Marker
        All string streams' samples, in the order of the file.
    marker_streams : tuple of StreamInfo
        The streams that the markers came on.
    start : float
        The recording's zero for a user's ``--baseline START:STOP``: the first moment at which any
        stream has a plausible sample, in the recording's clock. An E4 folder's clock starts at 0.
    faults : tuple of str
        What is wrong with the file as a whole.
    """

    path: str
    streams: tuple[RecordedStream, ...]
    markers: tuple[Marker, ...] = ()
    marker_streams: tuple[StreamInfo, ...] = ()
    start: float = 0.0
    faults: tuple[str, ...] = field(default=())

    def rounds(self, seconds: float = 1.0) -> Iterator[tuple[float, list[Chunk]]]:
        """Yield every stream's samples in rounds of time; video frames are left out.

        Parameters
        ----------
        seconds : float
            Stretch of time in a round; ``inf`` gives everything at once. The value changes
            nothing downstream. Samples stay in recorded order inside each stream.

        Yields
        ------
        until : float
            All samples before this time have been given once this round is taken in; ``inf`` in
            the last round.
        chunks : list of Chunk
            At most one a stream.
        """
        if not seconds > 0:
            raise ValueError(f"chunk length {seconds!r} s: must be above 0")
        streams = [s for s in self.streams if len(s.times) and s.frames is None]
        orders = [_delivery_order(stream) for stream in streams]
        positions = [0] * len(streams)
        while True:
            pending = [
                order[position]
                for order, position in zip(orders, positions, strict=True)
                if position < len(order)
            ]
            if not pending:
                return
            # Boundaries lie on a fixed grid, and empty stretches are jumped over.
            until = float("inf")
            if np.isfinite(seconds):
                earliest = min(pending)
                until = (np.floor((earliest - self.start) / seconds) + 1) * seconds + self.start
                until = float(max(until, np.nextafter(earliest, np.inf)))
            chunks = []
            for i, (stream, order) in enumerate(zip(streams, orders, strict=True)):
                stop = int(np.searchsorted(order, until, side="left"))
                if stop > positions[i]:
                    piece = slice(positions[i], stop)
                    positions[i] = stop
                    chunks.append(
                        Chunk(stream.info.key, stream.times[piece], stream.samples[piece])
                    )
            done = all(
                position == len(order) for order, position in zip(orders, positions, strict=True)
            )
            yield (float("inf") if done else until), chunks

    def chunks(self, seconds: float = 1.0) -> Iterator[Chunk]:
        """Yield the chunks of `rounds` one by one."""
        for _, chunks in self.rounds(seconds):
            yield from chunks


def plausible_stamps(times: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Tell a stream's credible stamps from leaps to another clock.

    Stamps that lie more than an hour apart, once sorted, are on different stretches. The stretch
    with most samples is credible, and so is any other within a day of it that holds a twentieth of
    the samples (a pause); the rest are stray.

    Parameters
    ----------
    times : ndarray of float64, shape (n_samples,)

    Returns
    -------
    ndarray of bool, shape (n_samples,)
        False also where a stamp is not a number, or beyond any clock (1e12 s).
    """
    usable = np.isfinite(times)
    usable[usable] = np.abs(times[usable]) < 1e12
    indices = np.flatnonzero(usable)
    if not len(indices):
        return usable
    indices = indices[np.argsort(times[indices], kind="stable")]
    ordered = times[indices]
    edges = np.concatenate([[0], np.flatnonzero(np.diff(ordered) > 3600.0) + 1, [len(ordered)]])
    sizes = np.diff(edges)
    main = int(np.argmax(sizes))
    lowest, highest = ordered[edges[main]], ordered[edges[main + 1] - 1]
    near = (ordered[edges[:-1]] <= highest + 86400.0) & (ordered[edges[1:] - 1] >= lowest - 86400.0)
    credible = near & (sizes >= len(ordered) / 20)
    plausible = np.zeros(len(times), dtype=bool)
    plausible[indices] = np.repeat(credible, sizes)
    return plausible


def recording_start(streams: Sequence[RecordedStream]) -> float:
    """Return the first moment at which any stream has a plausible sample; 0 if none has.

    Streams on a clock of their own (more than an hour from all others) do not count, unless they
    are the majority.
    """
    spans = []
    for stream in streams:
        credible = stream.times[plausible_stamps(stream.times)]
        if len(credible):
            spans.append((float(credible.min()), float(credible.max()), len(credible)))
    spans.sort()
    groups: list[list[tuple[float, float, int]]] = []
    until = -np.inf
    for span in spans:
        if span[0] > until + 3600.0:
            groups.append([])
        groups[-1].append(span)
        until = max(until, span[1])
    if not groups:
        return 0.0
    # Most streams; then most samples; then the earlier.
    best = max(groups, key=lambda group: (len(group), sum(s[2] for s in group), -group[0][0]))
    return best[0][0]


def _delivery_order(stream: RecordedStream) -> NDArray[np.float64]:
    """Return when each sample is due, rising, shape (n_samples,); for interleaving alone.

    That is its stamp, or its predecessor's if it steps back. A sample whose stamp is missing, or
    leaps to another clock, travels with its neighbours: an early leap ahead must not hold back the
    rest of its stream.
    """
    times = stream.times
    credible = np.flatnonzero(plausible_stamps(times))
    if not len(credible):
        pace = 1 / stream.info.rate if stream.info.rate > 0 else 0.0
        return np.arange(len(times), dtype=np.float64) * pace
    step = float(np.ptp(times[credible])) / max(len(credible) - 1, 1)
    # A stray stamp that keeps the stream in order (a lone sample long before the rest) is due when
    # it says.
    before, after = np.full(len(times), -np.inf), np.full(len(times), np.inf)
    before[credible] = after[credible] = times[credible]
    with np.errstate(invalid="ignore"):
        ordered = (times >= np.maximum.accumulate(before)) & (
            times <= np.minimum.accumulate(after[::-1])[::-1]
        )
    ordered[ordered] = np.abs(times[ordered]) < 1e12
    ordered[credible] = True
    known = np.flatnonzero(ordered)
    position = np.maximum.accumulate(times[known])
    index = np.arange(len(times), dtype=np.float64)
    order: NDArray[np.float64] = np.interp(index, known, position)
    # Samples before the first and after the last known stamp keep the stream's mean pace.
    order[: known[0]] = position[0] - step * (known[0] - index[: known[0]])
    rest = slice(int(known[-1]) + 1, None)
    order[rest] = position[-1] + step * (index[rest] - known[-1])
    return np.asarray(np.maximum.accumulate(order), dtype=np.float64)
