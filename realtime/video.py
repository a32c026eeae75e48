"""Video through LSL: what a stream of raw frames says of them, and the texture stream it becomes.

A ``VideoRaw`` stream sends one frame a sample, one channel a byte. Its metadata follow the XDF
wiki's page "Video Raw Meta Data" (``<encoding><width>``, ``<height>``, ``<color_format>``) or one
of the spellings that are met besides it. To everything behind the inlet such a stream is the
``FaceTexture`` stream that its frames are turned into.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import TYPE_CHECKING, Literal
from xml.etree import ElementTree

import numpy as np
from numpy.typing import NDArray

from realtime.errors import InputError
from realtime.features.lbp_top import LABELS, RATE
from realtime.metadata import clean, parse_xml
from realtime.recording import RecordedStream, StreamInfo

if TYPE_CHECKING:
    from realtime.camera.pipeline import FrameTexture

TEXTURE_TYPE = "FaceTexture"
TEXTURE_FORMAT = "int16"
RAW_TYPE, COMPRESSED_TYPE = "videoraw", "videocompressed"
# Numbers a frame, and a second: 1280 x 720 colour frames at 30 a second pass, 1920 x 1080 colour
# frames do not. A face is scaled to 128 x 128, so larger frames gain nothing, while liblsl sets
# aside five seconds of them at both ends.
MAX_FRAME = 1280 * 720 * 4
MAX_FRAME_VALUES = 1e8
SLIMMEST = 10  # times as long as wide; no face is found in a tenth of a picture's longer side
BACK, AHEAD = 1.0, 86400.0  # s
BLOCK_BYTES = 2**24  # of frames that are read from a file at a time

PixelFormat = Literal["gray8", "rgb24", "bgr24", "rgba", "bgra"]
_BYTES: dict[PixelFormat, int] = {"gray8": 1, "rgb24": 3, "bgr24": 3, "rgba": 4, "bgra": 4}
_SPELLINGS: dict[str, PixelFormat] = {
    **dict.fromkeys(("gray", "grey", "gray8", "grey8", "grayscale", "greyscale"), "gray8"),
    **dict.fromkeys(("y", "y8", "y800", "mono", "mono8", "luminance"), "gray8"),
    **dict.fromkeys(("rgb", "rgb8", "rgb24", "rgb888"), "rgb24"),
    **dict.fromkeys(("bgr", "bgr8", "bgr24", "bgr888"), "bgr24"),
    **dict.fromkeys(("rgba", "rgba8", "rgba32", "rgba8888"), "rgba"),
    **dict.fromkeys(("bgra", "bgra8", "bgra32", "bgra8888"), "bgra"),
}
_WIDTHS = ("width", "x_resolution", "frame_width", "size_w")
_HEIGHTS = ("height", "y_resolution", "frame_height", "size_h")
_FORMATS = ("color_format", "pixel_format", "colour_format", "pix_fmt", "format")
_WHOLE = ("int8", "int16", "int32", "int64")


@dataclass(frozen=True, slots=True)
class FrameFormat:
    """How a sample of a video stream is a frame.

    Attributes
    ----------
    width, height : int
        In pixels.
    pixel_format : str
        ``gray8``, ``rgb24``, ``bgr24``, ``rgba`` or ``bgra``: bytes of a pixel lie side by side.
    face_crop : bool
        The frame is a face that has been found and stabilised; all zeros mean that there is none.
    origin : str
        Corner that the first byte belongs to.
    can_drop : bool
        The stream says that samples may be left out.
    """

    width: int
    height: int
    pixel_format: PixelFormat
    face_crop: bool = False
    origin: str = "top-left"
    can_drop: bool = False


def is_video(info: StreamInfo) -> bool:
    """Tell whether a stream says that it sends pictures."""
    return info.type.casefold() in (RAW_TYPE, COMPRESSED_TYPE)


def frame_format(info: StreamInfo) -> FrameFormat:
    """Read how a video stream's samples are frames.

    Raises
    ------
    InputError
        If its frames are compressed, or it does not say what they are, or says what cannot be.
        The sentence goes on after the stream's name: "has ...".
    """
    return _frame_format(
        info.type.casefold(), info.format, info.channel_count, info.rate, info.description
    )


@lru_cache(maxsize=64)
def _frame_format(
    stream_type: str, channel_format: str, count: int, rate: float, description: str
) -> FrameFormat:
    facts = _facts(description)
    codec = facts.get("codec", "")
    if stream_type == COMPRESSED_TYPE or codec.casefold() not in ("", "raw"):
        raise InputError(
            f"has compressed frames (codec {codec or 'unknown'!r}): send raw ones, "
            "type VideoRaw, or use `affectstream camera`"
        )
    if channel_format not in _WHOLE:
        raise InputError(f"has frames of {channel_format!r} numbers: send one byte a channel, int8")
    large = too_large(count, rate)
    if large:
        raise InputError(large)
    width, height = _size(facts, _WIDTHS), _size(facts, _HEIGHTS)
    if width is None or height is None:
        raise InputError(
            "has frames of unknown size: give <encoding><width> and <height> in its description"
        )
    if max(width, height) > SLIMMEST * min(width, height):
        raise InputError(f"has frames of {width} x {height}, too slim for a face: send whole ones")
    pixel_format = _pixel_format(facts, count, width * height)
    expected = width * height * _BYTES[pixel_format]
    if expected != count:
        raise InputError(
            f"has {count} channels, but {width} x {height} {pixel_format} frames need {expected}: "
            "correct its description"
        )
    return FrameFormat(
        width,
        height,
        pixel_format,
        facts.get("face_crop", "").casefold() == "true",
        facts.get("origin", "").casefold() or "top-left",
        facts.get("can_drop_samples", "").casefold() == "true",
    )


def too_large(values: int, rate: float) -> str:
    """Say why frames are too large, or too many a second, to be received; "" if they are not."""
    if not 1 <= values <= MAX_FRAME:
        return (
            f"has frames of {values} bytes: at most {MAX_FRAME} are taken, enough for 1280 x 720 "
            "in colour; send smaller ones"
        )
    if not 0 <= values * rate <= MAX_FRAME_VALUES:
        return (
            f"has frames of {values} bytes at {rate:g} Hz: at most {MAX_FRAME_VALUES:g} bytes a "
            "second are taken; send smaller or fewer ones"
        )
    return ""


def texture_of(info: StreamInfo) -> StreamInfo:
    """Return the texture stream that a video stream becomes, under the same key and identity.

    Raises
    ------
    InputError
        As `frame_format` does.
    """
    frames = frame_format(info)
    kind = "face crops" if frames.face_crop else f"{frames.pixel_format} frames"
    return replace(
        info,
        type=TEXTURE_TYPE,
        rate=float(RATE),
        labels=LABELS,
        units=("count",) * len(LABELS),
        format=TEXTURE_FORMAT,
        description=_texture_description(
            info.description, f"{kind} of {frames.width} x {frames.height}"
        ),
    )


class FrameConverter:
    """Turns a video stream's samples into texture counts, frame by frame with carried state.

    A frame whose stamp is no number is left out. A step back of more than `BACK` seconds, or ahead
    of more than `AHEAD`, is another clock: the grid of 30 stamps a second begins anew.

    Parameters
    ----------
    frames : FrameFormat

    Raises
    ------
    InputError
        If face crops have another size than ours.
    """

    def __init__(self, frames: FrameFormat) -> None:
        self.frames = frames
        self._texture = self._new_texture()
        self._newest: float | None = None
        self._shape = (frames.height, frames.width, _BYTES[frames.pixel_format])
        rows = -1 if frames.origin.startswith("bottom") else 1
        columns = -1 if frames.origin.endswith("right") else 1
        self._turn = (slice(None, None, rows), slice(None, None, columns))

    def _new_texture(self) -> FrameTexture:
        # OpenCV takes its time to load, and only who watches a face needs it.
        from realtime.camera.pipeline import FrameTexture

        frames = self.frames
        return FrameTexture(frames.width, frames.height, frames.pixel_format, frames.face_crop)

    def push(
        self, stamp: float, sample: NDArray[np.generic]
    ) -> list[tuple[float, NDArray[np.int16]]]:
        """Take in one frame.

        Parameters
        ----------
        stamp : float
            When it was captured, in seconds.
        sample : ndarray of int, shape (height * width * bytes of a pixel,)
            Signed bytes stand for 0 to 255, as LSL has no unsigned ones.

        Returns
        -------
        list of (float, ndarray of int16, shape (768,))
            Stamp and counts of the centre frames that became complete.
        """
        if not math.isfinite(stamp):
            return []
        if self._newest is not None and not -BACK <= stamp - self._newest <= AHEAD:
            self._texture = self._new_texture()
        self._newest = stamp
        frame = sample.view(np.uint8) if sample.dtype == np.int8 else sample.astype(np.uint8)
        turned = frame.reshape(self._shape)[self._turn]
        return self._texture.push(stamp, np.ascontiguousarray(turned).reshape(-1))


def with_textures(
    streams: Iterable[RecordedStream], wanted: Iterable[str]
) -> tuple[RecordedStream, ...]:
    """Turn the video streams of a recording whose keys are wanted into texture streams.

    Parameters
    ----------
    streams : iterable of RecordedStream
    wanted : iterable of str
        Keys. Other video streams stay as they are: turning frames takes time.
    """
    keys = set(wanted)
    return tuple(
        _texture_stream(stream) if is_video(stream.info) and stream.info.key in keys else stream
        for stream in streams
    )


def _texture_stream(stream: RecordedStream) -> RecordedStream:
    assert stream.frames is not None
    converter = FrameConverter(frame_format(stream.info))
    step = max(1, BLOCK_BYTES // stream.info.channel_count)
    stamps: list[float] = []
    counts: list[NDArray[np.int16]] = []
    for begin in range(0, len(stream.times), step):
        block = stream.frames[begin : begin + step]
        for stamp, sample in zip(stream.times[begin : begin + step].tolist(), block, strict=True):
            for moment, row in converter.push(stamp, sample):
                stamps.append(moment)
                counts.append(row)
    samples = np.array(counts, dtype=np.float64).reshape(len(counts), len(LABELS))
    return RecordedStream(
        texture_of(stream.info), np.array(stamps, dtype=np.float64), samples, stream.faults
    )


def _facts(description: str) -> dict[str, str]:
    """Return the text of a description's elements by tag: the first that is not empty."""
    if not description:
        return {}
    try:
        desc = parse_xml(description)
    except InputError:
        return {}
    facts: dict[str, str] = {}
    for element in desc.iter():
        text = clean(element.text, 64)
        if text and not len(element):
            facts.setdefault(element.tag.rpartition("}")[2].casefold(), text)
    return facts


def _size(facts: dict[str, str], tags: tuple[str, ...]) -> int | None:
    text = next((facts[tag] for tag in tags if tag in facts), "")
    return int(text) if re.fullmatch(r"[1-9]\d{0,4}", text) else None


def _pixel_format(facts: dict[str, str], count: int, pixels: int) -> PixelFormat:
    said = next((facts[tag] for tag in _FORMATS if tag in facts), "")
    if not said:
        if count == pixels:
            return "gray8"
        raise InputError(
            "has frames of an unknown pixel format: give <encoding><color_format>, "
            f"one of {', '.join(_BYTES)}, in its description"
        )
    known = _SPELLINGS.get(re.sub(r"[^a-z0-9]", "", said.casefold()))
    if known is None:
        raise InputError(
            f"has frames in the pixel format {said!r}: must be one of {', '.join(_BYTES)}"
        )
    return known


@lru_cache(maxsize=64)
def _texture_description(description: str, made_from: str) -> str:
    """Return a description with labelled channels, and all else that the video stream said."""
    try:
        desc = parse_xml(description)
    except InputError:
        desc = ElementTree.Element("desc")
    for tag in ("encoding", "channels"):
        for old in desc.findall(tag):
            desc.remove(old)
    channels = ElementTree.SubElement(desc, "channels")
    for label in LABELS:
        channel = ElementTree.SubElement(channels, "channel")
        ElementTree.SubElement(channel, "label").text = label
        ElementTree.SubElement(channel, "unit").text = "count"
    own = desc.find("affectstream")
    if own is None:
        own = ElementTree.SubElement(desc, "affectstream")
    ElementTree.SubElement(own, "made_from").text = made_from
    return ElementTree.tostring(desc, encoding="unicode")
