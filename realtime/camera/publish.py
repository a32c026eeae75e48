"""What the camera process publishes: each person's texture counts, or face crops, through LSL."""

from __future__ import annotations

import platform
from collections.abc import Sequence
from dataclasses import dataclass
from xml.etree import ElementTree

import numpy as np
from numpy.typing import NDArray

from realtime.camera.pipeline import CropTexture, FaceCrops
from realtime.features.lbp_top import LABELS, RATE, SIZE
from realtime.metadata import clean, description_xml, parse_xml
from realtime.outlet import open_outlet
from realtime.recording import StreamInfo

COUNTS, FRAMES = "counts", "frames"
"""What can be published: 768 numbers a frame that show nobody, or the pictures."""


def face_stream(kind: str, participant: str, source: str, named: bool = True) -> StreamInfo:
    """Describe the stream of one person's face.

    Parameters
    ----------
    kind : str
        `COUNTS` or `FRAMES`.
    participant : str
    source : str
        Where frames come from, such as ``camera 0``.
    named : bool
        Whether the stream says whose face it is; the only person's need not.
    """
    labels = LABELS if kind == COUNTS else ("",) * (SIZE * SIZE)
    type_ = "FaceTexture" if kind == COUNTS else "VideoRaw"
    said, units = (labels, ("count",) * len(labels)) if kind == COUNTS else ((), ())
    desc = parse_xml(description_xml(said, units, type_, manufacturer="affectstream", model=source))
    if named:
        ElementTree.SubElement(ElementTree.SubElement(desc, "subject"), "id").text = clean(
            participant, 64
        )
    tables = {
        # A stamp is when its frame was captured, as near as this computer can tell.
        "synchronization": {
            "time_source": "capture",
            "offset_mean": "0",
            "can_drop_samples": "true",
        }
    }
    if kind == FRAMES:
        tables["encoding"] = {
            "codec": "raw",
            "width": str(SIZE),
            "height": str(SIZE),
            "color_format": "gray8",
            "face_crop": "true",
        }
    for name, table in tables.items():
        element = ElementTree.SubElement(desc, name)
        for tag, value in table.items():
            ElementTree.SubElement(element, tag).text = value
    # The same after a restart, so that receivers find the stream again.
    identity = "-".join(clean(part) for part in (platform.node(), source, participant, kind))
    return StreamInfo(
        key=f"face {clean(participant)}",
        name=f"face {clean(participant)}",
        type=type_,
        rate=RATE,
        labels=labels,
        units=units or ("",) * len(labels),
        source_id=f"affectstream-camera-{identity}",
        format="int16" if kind == COUNTS else "int8",
        description=ElementTree.tostring(desc, encoding="unicode"),
    )


@dataclass(slots=True)
class Tally:
    """What was seen of one person.

    Attributes
    ----------
    samples : int
        Published.
    found : int
        Stamps at which the face was seen.
    looked : int
        Stamps at which it was looked for.
    """

    samples: int = 0
    found: int = 0
    looked: int = 0


class FacePublisher:
    """Takes frames in, and publishes one stream a person.

    Parameters
    ----------
    participants : sequence of str
        From left to right.
    kind : str
        `COUNTS` or `FRAMES`.
    source : str
        Where frames come from.
    named : bool
        Whether the streams say whose they are.

    Attributes
    ----------
    infos : tuple of StreamInfo
    crops : FaceCrops
    tallies : tuple of Tally
    """

    def __init__(
        self, participants: Sequence[str], kind: str, source: str, named: bool = True
    ) -> None:
        self.participants = tuple(participants)
        self.kind = kind
        self.infos = tuple(face_stream(kind, person, source, named) for person in participants)
        self.crops = FaceCrops(len(self.participants))
        self.tallies = tuple(Tally() for _ in self.participants)
        self._textures = [CropTexture() for _ in self.participants]
        self._outlets = [open_outlet(info) for info in self.infos]

    def push(self, time: float, frame: NDArray[np.uint8]) -> None:
        """Take in a frame, shape (height, width, 3) or (height, width), and publish what it gives.

        Parameters
        ----------
        time : float
            Capture time on this machine's LSL clock.
        frame : ndarray of uint8
        """
        for stamp, crops in self.crops.push(time, frame):
            people = zip(crops, self._textures, self._outlets, self.tallies, strict=True)
            for crop, texture, outlet, tally in people:
                tally.looked += 1
                tally.found += crop is not None
                done: list[tuple[float, NDArray[np.generic]]]
                if self.kind == FRAMES:
                    picture = np.zeros((SIZE, SIZE), np.uint8) if crop is None else crop
                    # LSL has no unsigned bytes: these are the same eight bits.
                    done = [(stamp, picture.reshape(-1).view(np.int8))]
                else:
                    done = [*texture.push(stamp, crop)]
                for moment, sample in done:
                    outlet.push_chunk(sample[np.newaxis], [moment])
                    tally.samples += 1

    def sight(self) -> tuple[str, ...]:
        """Say what is seen of each person in the newest frame."""
        tracker = self.crops.tracker
        if tracker.dark:
            return ("too dark to see a face",) * len(self.participants)
        more = tracker.seen - len(self.participants)
        rest = f", and {more} more in the picture" if more > 0 else ""
        return tuple(
            f"face found{rest}" if found else "no face found" for found in self.crops.present
        )
