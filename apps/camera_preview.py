"""What a camera process sees, for dashboards of the same user on the same computer.

The link is that of `apps.link`, under the name ``camera``. Messages are maps with ``t`` =
``preview``: participant; width, height and frame (bytes, grey, width * height) of the newest
picture, made small; boxes ([x, y, width, height, participant] in it); crop (bytes, 128 * 128, or
none without a face); sight (what is seen, in words). They are made while somebody is attached, and
nothing of them is kept.
"""

from __future__ import annotations

import time
from typing import Any

from apps.link import LinkServer
from apps.link_address import CAMERA
from realtime.camera.pipeline import Preview
from realtime.camera.publish import FacePublisher

EVERY = 0.2  # s between previews


class PreviewServer:
    """Shows a publisher's newest frame to whoever is attached.

    Parameters
    ----------
    publisher : FacePublisher
    """

    def __init__(self, publisher: FacePublisher) -> None:
        self._publisher = publisher
        self._server = LinkServer(CAMERA)
        self._sent = -float("inf")

    def update(self) -> None:
        """Send the newest frame, if it is time and somebody is there."""
        now = time.monotonic()
        if now < self._sent + EVERY or not self._server.clients:
            return
        preview = self._publisher.crops.preview()
        if preview is None:
            return
        self._sent = now
        messages = preview_messages(preview, self._publisher.participants)
        for message, sight in zip(messages, self._publisher.sight(), strict=True):
            self._server.send({**message, "sight": sight})

    def __enter__(self) -> PreviewServer:
        return self

    def __exit__(self, *_: object) -> None:
        self._server.close()


def preview_messages(preview: Preview, participants: tuple[str, ...]) -> list[dict[str, Any]]:
    """Build each person's message."""
    height, width = preview.frame.shape
    boxes = [
        [*box, person]
        for person, box in zip(participants, preview.boxes, strict=True)
        if box is not None
    ]
    return [
        {
            "t": "preview",
            "participant": person,
            "width": width,
            "height": height,
            "frame": preview.frame.tobytes(),
            "boxes": boxes,
            "crop": b"" if crop is None else crop.tobytes(),
        }
        for person, crop in zip(participants, preview.crops, strict=True)
    ]
