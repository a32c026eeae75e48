"""Recording of a live session: all inputs, markers and predictions, started and stopped at will."""

from __future__ import annotations

import logging
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pylsl
from numpy.typing import NDArray

from apps.predictions import PredictionTable, write_table
from realtime.chunk import Chunk
from realtime.engine import Result
from realtime.live import Arrival, LiveStreams
from realtime.recorder import Recorder
from realtime.recording import Marker, StreamInfo
from realtime.rig import Rig
from realtime.video_inlet import VideoInlet

_log = logging.getLogger(__name__)

OFFSETS_EVERY = 5.0  # s between clock offsets, as LabRecorder writes them
TABLE_EVERY = 30.0  # s between two versions of predictions.parquet
FOLDER = Path("recordings")


class SessionRecording:
    """Writes what passes through a session while it is switched on.

    Parameters
    ----------
    rig : Rig
    emotions : tuple of str
    facts : mapping
        Goes into session.json: checkpoint, versions.
    folder : Path or None
        Where recordings are kept; None: ``recordings`` in the working folder.
    """

    def __init__(
        self, rig: Rig, emotions: tuple[str, ...], facts: Mapping[str, Any], folder: Path | None
    ) -> None:
        self._rig = rig
        self._emotions = emotions
        self._facts = dict(facts)
        self._folder = folder or FOLDER
        self._recorder: Recorder | None = None
        self._table = PredictionTable(rig, emotions)
        self._known: set[str] = set()
        self._offsets_written = 0.0
        self._table_written = 0.0
        self.since: float | None = None
        self.dropped = 0
        self.last: str | None = None
        self._fault: str | None = None

    @property
    def path(self) -> str | None:
        """Folder of the running recording, or None."""
        return str(self._recorder.folder) if self._recorder else None

    @property
    def fault(self) -> str | None:
        """What went wrong, in one sentence, or None."""
        if self._recorder and self._recorder.fault:
            return self._recorder.fault
        return self._fault

    def start(
        self, live: LiveStreams, markers: Sequence[StreamInfo], participants: list[str]
    ) -> None:
        """Begin a recording in a new folder; one that runs goes on.

        Raises
        ------
        InputError
            If the folder cannot be made or written to.
        """
        if self._recorder is not None:
            return
        self._fault = None
        self._recorder = Recorder(
            self._folder,
            "-".join(participants) or "P1",
            {"rig": self._rig.name, "participants": participants, **self._facts},
        )
        self._table = PredictionTable(self._rig, self._emotions)
        self._known = set()
        self._offsets_written = 0.0
        self._table_written = time.monotonic()
        self.since = time.time()
        self.last = self.path
        self.streams(live, markers)
        _log.info("recording to %s", self.path)

    def streams(self, live: LiveStreams, markers: Sequence[StreamInfo]) -> None:
        """Take up streams that have come since, and write clock offsets when it is time."""
        if self._recorder is None:
            return
        for info in (*(inlet.info for inlet in live.inlets.values()), *markers):
            if info.key not in self._known:
                self._known.add(info.key)
                self._recorder.add_stream(info)
        now = pylsl.local_clock()
        if now - self._offsets_written >= OFFSETS_EVERY:
            self._offsets_written = now
            for key, inlet in live.inlets.items():
                correction = inlet.statistics().correction
                self._recorder.clock_offset(key, now, correction)
                if isinstance(inlet, VideoInlet) and inlet.video.key in self._known:
                    self._recorder.clock_offset(inlet.video.key, now, correction)
        if time.monotonic() - self._table_written >= TABLE_EVERY:
            self._save_table()

    def samples(self, arrival: Arrival) -> None:
        """Record samples with the stamps that their stream gave them."""
        if self._recorder is not None and arrival.chunk.stream in self._known:
            chunk = arrival.chunk
            self._recorder.write(Chunk(chunk.stream, arrival.raw_times, chunk.samples))

    def frames(self, video: StreamInfo, stamps: NDArray[np.float64], frames: NDArray[Any]) -> None:
        """Record frames of a video stream as they came; only for who asked for it by name."""
        if self._recorder is None:
            return
        if video.key not in self._known:
            self._known.add(video.key)
            self._recorder.add_stream(video)
        self._recorder.write(Chunk(video.key, stamps, frames))

    def marker(self, stamp: float, marker: Marker) -> None:
        """Record a marker."""
        if self._recorder is not None:
            self._recorder.marker(marker, stamp)

    def result(self, result: Result, outlet: StreamInfo, sample: np.ndarray) -> None:
        """Record a prediction, in the table and as a stream of the XDF file."""
        if self._recorder is None:
            return
        if outlet.replay is not None:
            self._table.offset = outlet.replay.offset
        self._table.add(result)
        if outlet.key not in self._known:
            self._known.add(outlet.key)
            self._recorder.add_stream(outlet)
        time_stamp = np.array([result.window.time])
        self._recorder.write(Chunk(outlet.key, time_stamp, sample[np.newaxis]))

    def stop(self) -> None:
        """Finish the recording, if one runs."""
        if self._recorder is None:
            return
        self._save_table()
        self._recorder.close({"windows": len(self._table)})
        self.dropped += sum(self._recorder.dropped.values())
        self._fault = self._recorder.fault or self._fault
        self._recorder = None
        self.since = None

    def _save_table(self) -> None:
        """Bring predictions.parquet up to date; a full disk must not end the session."""
        self._table_written = time.monotonic()
        if self._recorder is None or not len(self._table):
            return
        try:
            folder = self._recorder.folder
            write_table(self._table.predictions(), folder / "predictions.parquet")
            write_table(self._table.features(), folder / "features.parquet")
        except OSError as error:
            self._fault = f"the tables could not be written ({error.strerror or error})"
            _log.error("%s", self._fault)
