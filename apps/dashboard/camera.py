"""The camera panel: what the camera process sees, with the box of each face and the crop."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from PySide6.QtCore import QPointF, QRectF, QSize, Qt
from PySide6.QtGui import QColor, QFontMetricsF, QImage, QPainter, QPaintEvent, QPen
from PySide6.QtWidgets import QSizePolicy, QWidget

from apps.dashboard.card import Card
from apps.dashboard.state import StreamStatus
from apps.dashboard.text import plain
from apps.dashboard.theme import Theme
from apps.link import LinkClient
from apps.link_address import CAMERA
from realtime.errors import InputError

logger = logging.getLogger(__name__)

CROP = 128  # pixels of a crop's side
MOST_PIXELS = 1024  # of either side of a picture
RETRY = 2.0  # s between two looks for a camera process
OUT_OF_DATE = 2.0  # s after which a picture is not shown as the present any more
NO_PREVIEW = "no camera preview: start\naffectstream camera --preview"


@dataclass(frozen=True, slots=True)
class View:
    """One participant's newest preview.

    Attributes
    ----------
    frame, crop : QImage
        The crop is null without a face.
    boxes : tuple of (x, y, width, height, participant)
        In pixels of the frame.
    sight : str
        What the camera process says that it sees.
    arrived : float
    """

    frame: QImage
    crop: QImage
    boxes: tuple[tuple[float, float, float, float, str], ...]
    sight: str
    arrived: float

    @classmethod
    def of(cls, message: Mapping[str, Any], now: float) -> View:
        """Read a `preview` message; ValueError if it does not fit itself."""
        width, height = int(message["width"]), int(message["height"])
        frame, crop = bytes(message["frame"]), bytes(message["crop"])
        if not (0 < width <= MOST_PIXELS and 0 < height <= MOST_PIXELS):
            raise ValueError(f"a picture of {width} x {height} pixels")
        if len(frame) != width * height or len(crop) not in (0, CROP * CROP):
            raise ValueError(f"{len(frame)} and {len(crop)} bytes for {width} x {height} pixels")
        boxes = tuple(
            (float(x), float(y), float(wide), float(high), plain(who, 24))
            for x, y, wide, high, who in message["boxes"][:16]
        )
        return cls(
            _image(frame, width, height),
            _image(crop, CROP, CROP) if crop else QImage(),
            boxes,
            plain(message.get("sight") or ("face found" if crop else "no face found"), 60),
            now,
        )

    @property
    def is_found(self) -> bool:
        """Whether the participant's face is there, and nothing else needs attention."""
        return not self.crop.isNull() and "," not in self.sight


class CameraLink:
    """Looks for the camera process in a thread of its own, and takes its previews."""

    def __init__(self) -> None:
        self._client: LinkClient | None = None
        self._found: list[LinkClient] = []
        self._looking = False
        self._closed = False
        self._next = -RETRY

    def poll(self) -> list[dict[str, Any]]:
        """Return what has arrived since the last call, without waiting."""
        if self._found:
            self._client = self._found.pop()
        if self._client is None:
            now = time.monotonic()
            if not self._looking and now >= self._next:
                self._looking, self._next = True, now + RETRY
                threading.Thread(target=self._look, name="camera-preview", daemon=True).start()
            return []
        alive = self._client.alive
        messages = self._client.poll()
        if not alive:
            self._client.close()
            self._client = None
        return messages

    def close(self) -> None:
        """Detach."""
        self._closed = True
        if self._client is not None:
            self._client.close()
            self._client = None

    def _look(self) -> None:
        try:
            client = LinkClient.connect(CAMERA, timeout=0.5)
            if self._closed:
                client.close()
            else:
                self._found.append(client)
        except InputError:
            pass  # none runs: the panel says so
        finally:
            self._looking = False


class CameraPicture(QWidget):
    """The picture with its boxes, and the crop beside it."""

    def __init__(self, theme: Theme) -> None:
        super().__init__()
        self.theme = theme
        self._view: View | None = None
        self._participant = ""
        self._faded = False
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Expanding)
        self.setAccessibleName("Camera preview")

    def minimumSizeHint(self) -> QSize:
        """Room for a picture in which a face can be made out."""
        return QSize(180, 80)

    def show_view(self, view: View | None, participant: str, faded: bool) -> None:
        """Show a preview; `faded` if it is not the present."""
        if (view, participant, faded) != (self._view, self._participant, self._faded):
            self._view, self._participant, self._faded = view, participant, faded
            self.update()

    def paintEvent(self, event: QPaintEvent) -> None:
        """Draw."""
        painter = QPainter(self)
        if self._view is None:
            painter.setPen(self.theme.muted)
            painter.drawText(self.rect(), Qt.AlignmentFlag.AlignCenter, NO_PREVIEW)
            return
        painter.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform)
        frame, line = self._view.frame, QFontMetricsF(self.font()).height()
        gap = 8.0
        # Side by side: the crop is a square of two thirds of the picture's height.
        shape = frame.width() / frame.height()
        height = min(float(self.height()), (self.width() - gap) / (shape + 2 / 3))
        left = (self.width() - height * (shape + 2 / 3) - gap) / 2
        top = (self.height() - height) / 2
        place = QRectF(left, top, height * shape, height)
        side = height * 2 / 3
        crop = QRectF(place.right() + gap, top, side, side)
        painter.setOpacity(0.3 if self._faded else 1.0)
        painter.drawImage(place, frame)
        self._draw_boxes(painter, place, line)
        painter.setPen(QPen(self.theme.grid, 1))
        painter.drawRect(place)
        painter.drawRect(crop)
        if self._view.crop.isNull():
            painter.setPen(self.theme.muted)
            painter.drawText(crop, Qt.AlignmentFlag.AlignCenter, "no face")
        else:
            painter.drawImage(crop, self._view.crop)
        painter.setPen(self.theme.muted)
        under = QRectF(crop.left(), crop.bottom() + 2, side, line)
        painter.drawText(under, Qt.AlignmentFlag.AlignHCenter, "used")

    def _draw_boxes(self, painter: QPainter, place: QRectF, line: float) -> None:
        assert self._view is not None
        scale = place.width() / self._view.frame.width()
        painter.save()
        painter.setClipRect(place)
        for x, y, wide, high, who in self._view.boxes:
            own = who == self._participant or len(self._view.boxes) == 1
            box = QRectF(
                place.left() + x * scale, place.top() + y * scale, wide * scale, high * scale
            )
            # A dark line under a light one shows on any picture.
            for colour, thick in ((QColor(0, 0, 0, 160), 4), (_box_colour(own), 2)):
                painter.setPen(QPen(colour, thick))
                painter.drawRect(box)
            painter.setPen(_box_colour(own))
            painter.drawText(QPointF(box.left() + 4, box.top() + line), who)
        painter.restore()


class CameraPanel(Card):
    """The camera, and what is wrong with it."""

    def __init__(self, theme: Theme) -> None:
        super().__init__("Camera", theme)
        self.picture = CameraPicture(theme)
        self.body.addWidget(self.picture)
        self.setToolTip(
            "What the camera process sees, and the part of it that is used. Pictures come straight "
            "from there, on this computer; the engine has none, and none is kept."
        )
        self._views: dict[str, View] = {}

    def set_theme(self, theme: Theme) -> None:
        """Change colours."""
        super().set_theme(theme)
        self.picture.theme = theme

    def apply(self, message: Mapping[str, Any], now: float) -> None:
        """Take in a `preview` message; ValueError and the like if it does not fit."""
        participant = str(message["participant"])
        if participant not in self._views and len(self._views) >= 16:
            raise ValueError("previews of more than 16 participants")
        self._views[participant] = View.of(message, now)

    def refresh(self, participant: str, status: StreamStatus | None, now: float) -> None:
        """Show a participant's newest preview, and the state of the face stream."""
        view = self._views.get(participant)
        if view is None and len(self._views) == 1:  # the camera may not know whose face it is
            view = next(iter(self._views.values()))
        gone = view is not None and now - view.arrived > OUT_OF_DATE
        lost = status is not None and status.state in ("lost", "silent", "changed")
        self.picture.show_view(view, participant, gone or lost)
        if lost and status is not None:
            age = "" if status.age is None else f" for {min(status.age, 9999):.0f} s"
            self.set_remark(f"✕ camera lost{age}", "bad")
        elif gone:
            self.set_remark("○ no preview any more", "warning")
        elif view is not None:
            sign, colour = ("●", "good") if view.is_found else ("▲", "warning")
            self.set_remark(f"{sign} {view.sight}", colour)
        elif status is None:
            self.set_remark("○ no camera", "warning")
        else:
            self.set_remark("")


def _image(data: bytes, width: int, height: int) -> QImage:
    # A copy: the image would go on pointing at the bytes.
    return QImage(data, width, height, width, QImage.Format.Format_Grayscale8).copy()


def _box_colour(own: bool) -> QColor:
    return QColor("#4fe3a4") if own else QColor("#ffd166")
