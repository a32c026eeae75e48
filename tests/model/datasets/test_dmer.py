"""DMER: films and ratings from the raw files, and three devices on one clock."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest

from model.datasets.convert import convert
from model.datasets.dmer import PARTICIPANTS, REST, Dmer
from model.labels import PANAS10
from realtime.binding import bind
from realtime.errors import InputError
from realtime.features.lbp_top import has_face
from realtime.rig import load_rig
from tests.data import data_folder
from tests.model.datasets.writers import DSI_24, write_dmer

FILMS = (0, 16, 9, 31)
SCORES = {film: [1 + (film + item) % 5 for item in range(10)] for film in (31, 0, 16, 9)}


def test_the_participants_are_the_73_valid_ones() -> None:
    assert len(PARTICIPANTS) == 73
    assert not {3, 4, 13, 16, 17, 27, 31} & set(PARTICIPANTS)


@pytest.mark.parametrize("triggers", ["channel", "annotations"])
def test_films_and_ratings(tmp_path: Path, triggers: str) -> None:
    for number in (10, 2):
        told = write_dmer(tmp_path, number, FILMS, SCORES, triggers=triggers)["stretches"]
    sessions = Dmer().sessions(tmp_path)
    assert [one.participant for one in sessions] == ["2", "10"]
    one = sessions[1]
    assert [(t.name, t.condition) for t in one.trials] == [
        ("film 0", "positive"),
        ("film 16", "mixed"),
        ("film 9", "negative"),
        ("film 31", "mixed"),
    ]
    for trial, film in zip(one.trials, FILMS, strict=True):
        assert (trial.start, trial.stop) == pytest.approx(told[film], abs=1e-6)
        assert tuple(trial.ratings) == PANAS10.emotions
        assert list(trial.ratings.values()) == SCORES[film]
    assert one.baseline == pytest.approx(told[REST], abs=1e-6)
    # The folder inside is taken as well.
    assert len(Dmer().sessions(tmp_path / "Raw_data")) == 2


def test_the_signals_come_back_on_one_clock(tmp_path: Path) -> None:
    written = write_dmer(tmp_path, 1, FILMS, SCORES)
    (session,) = Dmer().sessions(tmp_path)
    eeg, gsr, ppg = session.read().streams
    assert eeg.info.labels == tuple(f"EEG {name}-Pz" for name in DSI_24)
    np.testing.assert_allclose(
        eeg.samples, np.stack(list(written["eeg"].values()), axis=1), atol=0.0501
    )
    np.testing.assert_array_equal(eeg.times, np.arange(len(eeg.times)) / 300)
    # The wristband's waves were written on the cap's clock.
    first = written["stretches"][FILMS[0]]
    for stream, wave in (
        (gsr, lambda t: 3 + np.sin(t)),
        (ppg, lambda t: 800 + 100 * np.sin(7 * t)),
    ):
        rate = stream.info.rate
        assert (np.diff(stream.times) > 0).all()
        assert stream.times[0] >= written["stretches"][REST][0] - 1 / rate
        # A second was lost inside the first film: it is missing at its front, since all signals of
        # a film end with it.
        spoilt = (stream.times >= first[0]) & (stream.times < first[0] + 3.001)
        good = ~spoilt
        np.testing.assert_allclose(
            stream.samples[good, 0], wave(stream.times[good]), atol=1e-6, err_msg=stream.info.key
        )
        start = stream.times[stream.times >= first[0] - 1e-9][0]
        assert start == pytest.approx(first[0] + 1, abs=1 / rate)


def test_the_streams_bind_to_the_rig(tmp_path: Path) -> None:
    write_dmer(tmp_path, 1, FILMS, SCORES)
    streams = Dmer().sessions(tmp_path)[0].read().streams
    rig = load_rig("dmer")
    result = bind(rig, [stream.info for stream in streams])
    found = {one.modality: one for one in result.bindings}
    assert set(found) == {"eeg", "gsr", "ppg"}
    (source,) = found["eeg"].sources
    assert len(source.channels) == 18
    order = [DSI_24[column] for column in source.columns]
    assert order == [rig.modality("eeg").channel_names[channel] for channel in source.channels]
    assert not {"A1", "A2", "CM", "X1", "X2", "X3"} & set(order)


def test_conversion_through_the_dmer_rig(tmp_path: Path) -> None:
    write_dmer(tmp_path / "data", 1, FILMS, {film: SCORES[film] for film in (0, 9, 16)})
    table = convert(Dmer(), tmp_path / "data", load_rig("dmer"), tmp_path / "cache")
    assert table.left_out == ("1 film 31: no answer for " + ", ".join(PANAS10.emotions),)
    assert table.trial_count == 3
    assert table.rated.sum() == 3 * 12
    assert table.is_baseline.sum() == 16  # rest from 5 to 25 s, of which 5 s are warm-up
    assert {name: values.shape[1] for name, values in table.features.items()} == {
        "eeg": 90,
        "ppg": 27,
        "gsr": 28,
        "face": 768,
    }
    # The wristband lost a second at the start of film 0, and its filters began anew.
    whole = table.rated & (table.trial != "film 0")
    for name in ("eeg", "ppg", "gsr"):
        assert table.mask[name][whole].all(), name
    assert table.mask["eeg"][table.rated].all()
    assert not table.mask["face"].any()


def test_participant_26(tmp_path: Path) -> None:
    shifted = {film: [score + 10 for score in row] for film, row in SCORES.items()}
    write_dmer(tmp_path, 26, FILMS, shifted)
    (one,) = Dmer().sessions(tmp_path)
    assert list(one.trials[0].ratings.values()) == SCORES[0]


@pytest.mark.parametrize(
    ("gone", "message"),
    [
        ("sub5/1_raw.edf", "participant 5 lacks the file .*1_raw.edf"),
        ("5/raw_gsr.csv", "participant 5 lacks the file .*raw_gsr.csv"),
        ("5/raw_ppg.csv", "participant 5 lacks the file .*raw_ppg.csv"),
        ("5/5_Pre_X_22_F_Right_panas.csv", r"has 0 files \*_panas.csv instead of one"),
    ],
)
def test_missing_files_are_named(tmp_path: Path, gone: str, message: str) -> None:
    write_dmer(tmp_path, 5, FILMS, SCORES)
    (tmp_path / "Raw_data" / "5" / gone).unlink()
    with pytest.raises(InputError, match=message):
        Dmer().sessions(tmp_path)


def test_damaged_tables_are_told(tmp_path: Path) -> None:
    write_dmer(tmp_path, 5, FILMS, SCORES)
    folder = tmp_path / "Raw_data" / "5" / "5"
    panas = folder / "5_Pre_X_22_F_Right_panas.csv"
    panas.write_text("0,1,2,three\n")
    with pytest.raises(InputError, match="cannot read .*panas.csv.*11 columns of numbers"):
        Dmer().sessions(tmp_path)
    panas.write_text("")
    with pytest.raises(InputError, match=r"panas\.csv"):
        Dmer().sessions(tmp_path)
    panas.write_text("0,1,2,3,1,2,3,1,2,3,1,1\n")
    with pytest.raises(InputError, match="more than 11 columns"):
        Dmer().sessions(tmp_path)
    panas.write_text(",1,2,3,1,2,3,1,2,3,1\n")
    with pytest.raises(InputError, match="a row without a film"):
        Dmer().sessions(tmp_path)
    panas.write_text("0,1,2,3,1,2,3,1,2,3,1\n")
    (folder / "raw_gsr.csv").write_text("1,2,3,4,5\nx,1\n")
    (one,) = Dmer().sessions(tmp_path)
    with pytest.raises(InputError, match="cannot read .*raw_gsr.csv.*3 columns of numbers"):
        one.read()
    (folder / "raw_gsr.csv").write_text("1,2\n3,4\n")
    with pytest.raises(InputError, match="raw_gsr.csv.* has no trigger"):
        one.read()


def test_strangers_and_empty_folders(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no folder 1, 2, 5"):
        Dmer().sessions(tmp_path)
    (tmp_path / "13").mkdir()
    with pytest.raises(InputError, match="participant 13, who is not among the 73"):
        Dmer().sessions(tmp_path)


def test_an_eeg_without_triggers(tmp_path: Path) -> None:
    write_dmer(tmp_path, 5, (), {}, rest=4)
    with pytest.raises(InputError, match="no trigger of any film"):
        Dmer().sessions(tmp_path)


def test_the_face_comes_from_the_video(tmp_path: Path) -> None:
    source = data_folder("face") / "pyfeat__single_face.mp4"  # 72 frames of a face
    told = write_dmer(tmp_path, 1, (16, 0), SCORES, rest=3, film=2, pause=3)["stretches"]
    folder = tmp_path / "Raw_data" / "1" / "1"
    shutil.copy(source, folder / "1_1650000000000.mp4")
    # The camera's clock is another, and it began before the film; the second film is beyond the
    # video's end, and the rest has frames at its start alone.
    rows = [(-1, 0, 1000), (40, 50, 1100), (40, 140, 1400)]
    rows += [(16, 26, 1500), (16, 116, 3300), (0, 10, 90000), (0, 100, 92000)]
    (folder / "camera.csv").write_text("".join(f"{a},{b},{c}\n" for a, b, c in rows))
    (session,) = Dmer().sessions(tmp_path)
    assert folder / "camera.csv" in session.files
    face = session.read().streams[-1]
    assert face.info.type == "FaceTexture"
    assert face.samples.shape[1] == 768
    inside = (face.times > told[16][0]) & (face.times <= told[16][1])
    # Frames 15 to 68 end with the film. The texture needs four frames on either side, and beside a
    # gap a frame may serve two more stamps of the grid.
    assert 54 - 8 <= inside.sum() <= 54 - 8 + 4, f"{inside.sum()} frames of the film"
    shown = has_face(face.samples[inside])
    assert shown.mean() > 0.9, f"a face in {shown.mean():.0%} of the frames"
    assert face.times[inside][-1] == pytest.approx(told[16][1] - 5 / 30, abs=2.1 / 30)
    streams = [face.info]
    assert [one.modality for one in bind(load_rig("dmer"), streams).bindings] == ["face"]


def test_events_without_the_cameras_start(tmp_path: Path) -> None:
    write_dmer(tmp_path, 1, (16,), SCORES, rest=3, film=2, pause=3)
    folder = tmp_path / "Raw_data" / "1" / "1"
    (folder / "1.mp4").write_bytes(b"no video")
    (folder / "camera.csv").write_text("16,26,1500\n16,116,3300\n")
    (session,) = Dmer().sessions(tmp_path)
    with pytest.raises(InputError, match="no start of the camera"):
        session.read()
    (folder / "camera.csv").write_text("-1,0,1000\n16,,1500\n")
    with pytest.raises(InputError, match="an event without film"):
        session.read()
    (folder / "camera.csv").write_text("-1,0,1000\n16,26,1500\n16,116,3300\n")
    with pytest.raises(InputError, match="is no video that can be read"):
        session.read()
