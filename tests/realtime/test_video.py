"""What a video stream says of its frames, and what it becomes."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from realtime.binding import survey
from realtime.errors import InputError
from realtime.features.lbp_top import LABELS
from realtime.metadata import stream_info
from realtime.player import Player
from realtime.recording import StreamInfo
from realtime.rig import load_rig
from realtime.video import FrameConverter, FrameFormat, frame_format, texture_of
from realtime.xdf import read_xdf
from realtime.xdf_writer import XdfWriter

RIG = load_rig("dmer")


def video(desc: str, channels: int = 640 * 480 * 3, **changes: object) -> StreamInfo:
    xml = (
        "<info><name>Cam</name><type>VideoRaw</type><source_id>cam-1</source_id>"
        f"<channel_count>{channels}</channel_count><channel_format>int8</channel_format>"
        f"<nominal_srate>30</nominal_srate><desc>{desc}</desc></info>"
    )
    return replace(stream_info(xml, "Cam"), **changes)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("desc", "expected"),
    [
        (  # the XDF wiki's page
            "<encoding><width>640</width><height>480</height><color_channels>3</color_channels>"
            "<color_format>RGB</color_format><codec>RAW</codec></encoding>"
            "<display><origin>bottom-left</origin></display>",
            FrameFormat(640, 480, "rgb24", origin="bottom-left"),
        ),
        (  # our own camera
            "<encoding><width>640</width><height>480</height><color_format>BGR24</color_format>"
            "</encoding><face_crop>true</face_crop>"
            "<synchronization><can_drop_samples>true</can_drop_samples></synchronization>",
            FrameFormat(640, 480, "bgr24", face_crop=True, can_drop=True),
        ),
        (  # eye trackers of SMI
            "<format><x_resolution>640</x_resolution><y_resolution>480</y_resolution>"
            "<color_channels>3</color_channels><color_format>RGB</color_format></format>",
            FrameFormat(640, 480, "rgb24"),
        ),
        (
            "<video><width>640</width><height>480</height><format>rgb888</format></video>",
            FrameFormat(640, 480, "rgb24"),
        ),
        (
            "<width>640</width><height>480</height><pixel_format>bgr-24</pixel_format>",
            FrameFormat(640, 480, "bgr24"),
        ),
    ],
)
def test_spellings_that_are_met(desc: str, expected: FrameFormat) -> None:
    assert frame_format(video(desc)) == expected


SIZE = "<width>640</width><height>480</height>"


@pytest.mark.parametrize(
    ("info", "reason"),
    [
        (video(""), "frames of unknown size"),
        (video("<width>640</width><height>-3</height>"), "unknown size"),
        (video("<width>1</width><height>9999</height>", 9999), "1 x 9999, too slim for a face"),
        (video(SIZE), "unknown pixel format"),
        (video(SIZE + "<format>YUV</format>"), "pixel format 'YUV'"),
        (video(SIZE + "<format>RGBA</format>"), "921600 channels, but 640 x 480 rgba .* 1228800"),
        (video(SIZE + "<format>RGB</format><codec>MJPG</codec>"), "compressed frames .*'MJPG'"),
        (video(SIZE + "<format>RGB</format>", type="VideoCompressed"), "compressed frames"),
        (video(SIZE + "<format>RGB</format>", format="float32"), "'float32' numbers"),
        (video(SIZE + "<format>RGB</format>", rate=200.0), "at 200 Hz: at most 1e"),
        (video("<width>1920</width><height>1080</height>", 1920 * 1080 * 3), "1280 x 720"),
    ],
)
def test_what_cannot_be_is_refused_with_the_reason(info: StreamInfo, reason: str) -> None:
    with pytest.raises(InputError, match=reason):
        frame_format(info)
    result = survey(RIG, [info])
    assert not result.bindings
    (sentence,) = result.refusals["Cam"]
    assert sentence.startswith("face: 'Cam' (Video") and " has " in sentence


@pytest.mark.parametrize("stray", [np.nan, 1e17, -1e17, 1e308, -1e308])
def test_a_stray_stamp_costs_no_more_than_a_gap(stray: float) -> None:
    converter = FrameConverter(FrameFormat(64, 64, "gray8"))
    stamps = [100 + k / 30 for k in range(60)]
    stamps[20] = stray
    made = [row for stamp in stamps for row in converter.push(stamp, np.zeros(64 * 64, np.int8))]
    assert [when for when, _ in made if 102 > when > 101.35] == pytest.approx(stamps[41:56])


def test_grey_frames_need_no_word_on_their_format() -> None:
    info = video(SIZE, 640 * 480)
    assert frame_format(info).pixel_format == "gray8"


def test_it_is_bound_as_the_texture_that_it_becomes() -> None:
    info = video(SIZE + "<format>RGB</format><subject><id>P7</id></subject>", rate=15.0)
    texture = texture_of(info)
    assert (texture.key, texture.name, texture.source_id) == ("Cam", "Cam", "cam-1")
    assert (texture.type, texture.rate, texture.format) == ("FaceTexture", 30.0, "int16")
    again = stream_info(
        "<info><name>a</name><type>FaceTexture</type><channel_count>768</channel_count>"
        "<channel_format>int16</channel_format><nominal_srate>30</nominal_srate>"
        f"{texture.description}</info>",
        "a",
    )
    assert again.labels == texture.labels == LABELS
    assert "<id>P7</id>" in texture.description
    (binding,) = survey(RIG, [info]).bindings
    assert (binding.modality, binding.sources[0].rate) == ("face", 30.0)
    assert "made from VideoRaw frames, in which a face is found first" in binding.notes


def test_the_cameras_own_texture_is_better_than_its_frames() -> None:
    frames = video(SIZE + "<format>RGB</format>")
    texture = replace(texture_of(frames), key="texture")
    for streams in ([frames, texture], [texture, frames]):
        result = survey(RIG, streams)
        assert not result.ambiguous
        assert [source.stream for source in result.bindings[0].sources] == ["texture"]
    # So it is when a recording of both is replayed, under ids that say what each is.
    ids = [f"affectstream-replay-cam-1-Cam ({info.type})" for info in (frames, texture)]
    result = survey(RIG, [replace(frames, source_id=ids[0]), replace(texture, source_id=ids[1])])
    assert [source.stream for source in result.bindings[0].sources] == ["texture"]
    assert "preferred to 'VideoRaw' of the same device" in result.bindings[0].notes


# Frames in a file


@pytest.fixture
def recorded(tmp_path: Path) -> tuple[Path, np.ndarray]:
    """An XDF file with 100 small frames in chunks of odd sizes, and the frames."""
    rng = np.random.default_rng(1)
    frames = rng.integers(-128, 128, (100, 16 * 12 * 3)).astype(np.int8)
    info = video(
        "<width>16</width><height>12</height><format>RGB</format>", 16 * 12 * 3, name="Small"
    )
    path = tmp_path / "frames.xdf"
    with XdfWriter(path) as writer:
        number = writer.add_stream(info)
        for begin in range(0, 100, 7):
            piece = slice(begin, begin + 7)
            writer.write(number, 50 + np.arange(100)[piece] / 30, frames[piece])
    return path, frames


def test_frames_are_read_from_the_file_when_asked_for(recorded: tuple[Path, np.ndarray]) -> None:
    path, frames = recorded
    recording = read_xdf(path)
    (stream,) = recording.streams
    assert stream.frames is not None
    assert (len(stream.times), len(stream.samples)) == (100, 0)
    for begin, end in ((0, 100), (0, 1), (6, 8), (99, 120), (50, 50), (13, 14)):
        piece = stream.frames[begin:end]
        assert piece.dtype == np.int8
        np.testing.assert_array_equal(piece, frames[begin:end])
    assert list(recording.rounds()) == []  # nothing for the engine until it is turned into counts
    path.unlink()
    with pytest.raises(InputError, match="must stay where it is"):
        stream.frames[:1]


def test_frames_are_replayed_as_they_were(recorded: tuple[Path, np.ndarray]) -> None:
    path, frames = recorded
    player = Player(read_xdf(path))
    source = player._tracks[0].source
    assert player.infos[0].type == "VideoRaw"
    np.testing.assert_array_equal(source.samples[3:9], frames[3:9])
    player.close()
