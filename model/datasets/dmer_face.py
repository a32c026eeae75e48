"""The faces of DMER's participants: the webcam's video, as the texture that a live camera sends.

Beside the tables of a participant lie `camera.csv` (a row an event: film, trigger, time in
milliseconds; film -1 with 0 is the camera's start) and the video of the session, `*.mp4`, or
`*_new.mp4` where the authors mended it. As in their programs, frame n was taken n/30 s after the
start, and a film's frames are aligned at its end. The published LBP-TOP features are not used: they
are those of another program.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from realtime.errors import InputError
from realtime.features.lbp_top import LABELS, RATE
from realtime.recording import RecordedStream, StreamInfo

EVENTS = "camera.csv"

Frames = Mapping[int, tuple[int, int]]
"""First frame of each film, and the one after its last, by number."""


def video_of(folder: Path) -> Path | None:
    """Return the video of a participant's session; None where there is none with its events."""
    if not (folder / EVENTS).is_file():
        return None
    found = sorted(folder.glob("*_new.mp4")) or sorted(folder.glob("*.mp4"))
    return found[0] if found else None


def film_frames(path: Path, events: list[tuple[int, int, float]], start: int, stop: int) -> Frames:
    """Return which frames each film has.

    Parameters
    ----------
    path : Path
        Of the events, for the message.
    events : list of (film, trigger, time in ms)
    start, stop : int
        What the triggers add to a film's number.

    Raises
    ------
    InputError
        If the start of the camera is not among them.
    """
    began = [time for film, trigger, time in events if (film, trigger) == (-1, 0)]
    if not began:
        raise InputError(f"{str(path)!r} has no start of the camera (-1, 0): restore it from DMER")

    def frames(added: int) -> dict[int, int]:
        return {
            film: round((time - began[0]) / 1000 * RATE)
            for film, trigger, time in events
            if film >= 0 and trigger == film + added
        }

    first, last = frames(start), frames(stop)
    return {film: (first[film], last[film]) for film in first if last.get(film, 0) > first[film]}


def read_face(
    video: Path, frames: Frames, times: Mapping[int, tuple[float, float]]
) -> RecordedStream:
    """Find the face in the frames of every film, and describe its texture.

    Parameters
    ----------
    video : Path
    frames : mapping of int to (int, int)
        As from `film_frames`.
    times : mapping of int to (float, float)
        Start and stop of each film on the clock of the session.

    Returns
    -------
    RecordedStream
        768 counts a frame, just as the camera publishes them.
    """
    # Imported here: OpenCV takes a while to load, and most commands read no video.
    from realtime.camera.clips import read_clips
    from realtime.camera.pipeline import FacePipeline

    films = sorted((film for film in frames if film in times), key=lambda film: frames[film])
    ends = [(frames[film][1], *times[film]) for film in films]
    pipeline = FacePipeline()
    stamps, counts = [np.empty(0)], [np.empty((0, len(LABELS)), dtype=np.int16)]
    current = 0
    for number, frame in read_clips(video, [frames[film] for film in films]):
        while number >= ends[current][0]:
            current += 1
        last, begin, end = ends[current]
        time = end - (last - number) / RATE
        if time < begin:
            continue
        for stamp, texture in pipeline.push(time, frame):
            stamps.append(np.array([stamp]))
            counts.append(texture)
    info = StreamInfo(
        key="Face",
        name="webcam face",
        type="FaceTexture",
        rate=RATE,
        labels=LABELS,
        units=("count",) * len(LABELS),
        source_id=f"{video.parent.name}-Face",
        format="int16",
    )
    samples = np.concatenate(counts).astype(np.float64)
    return RecordedStream(info, np.concatenate(stamps), samples)
