"""Rated trials from recordings: the same windows as in training, and what is refused."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest

from calibration.recordings import trials_of
from calibration.segments import read_tables
from model.batch import from_windows
from model.checkpoint import load_checkpoint
from model.datasets.base import Session, Trial
from model.datasets.convert import assemble, convert, windows_to_arrays
from model.datasets.table import normalised
from model.datasets.xdf import XdfRecordings
from model.labels import PANAS10
from model.zoo import shipped_checkpoint
from realtime.baseline import Population
from realtime.engine import Engine
from realtime.errors import InputError
from realtime.features.artefacts import ComponentRemoval, Montage
from realtime.files import open_recording
from realtime.markers import Event, format_marker
from realtime.offline import bind_recording, windows_of
from realtime.recording import Marker, StreamInfo
from realtime.rig import load_rig
from tests.calibration.brain import DMER, parts, recording
from tests.model.datasets.test_xdf import SCORES, record
from tests.realtime.synthetic import wristband

RIG = load_rig("wrist")
POPULATION = load_checkpoint(shipped_checkpoint(RIG)).population
FILES = {"ppg": ("BVP", 1), "eda": ("EDA", 1), "temperature": ("TEMP", 1), "acc": ("ACC", 64)}
BEGIN = 1_700_000_000.0

SEGMENTS = """trial,condition,start,stop
baseline,,0,15
a,film,16,28
b,speech,30.5,41
c,,41,44
"""
RATINGS = f"""trial,{",".join(PANAS10.emotions)}
a,2,3,1,2,4,5,3,4,4,5
b,4,2,3,,2,1,1,2,1,1
"""


@pytest.fixture(scope="module")
def session(tmp_path_factory):
    """A folder with the session of a simulated person, as `--record` and LabRecorder lay it out."""
    root = tmp_path_factory.mktemp("recordings")
    record(root / "sub-anna/ses-1/recording.xdf", 1, 0.25)
    return root


def write_e4(folder: Path, seconds: float = 45.0) -> Path:
    """Write a wristband's recording as Empatica's program does; EDA begins half a second late."""
    folder.mkdir(parents=True)
    for stream in wristband(seconds).streams:
        name, scale = FILES[stream.info.key]
        late = 0.5 if name == "EDA" else 0.0
        head = [
            [BEGIN + late] * stream.samples.shape[1],
            [stream.info.rate] * stream.samples.shape[1],
        ]
        rows = [*head, *(stream.samples * scale).tolist()]
        text = "\n".join(", ".join(f"{value:.6f}" for value in row) for row in rows)
        (folder / f"{name}.csv").write_text(text + "\n")
    (folder / "tags.csv").write_text(f"{BEGIN + 16:.2f}\n")
    (folder / "segments.csv").write_text(SEGMENTS)
    (folder / "ratings.csv").write_text(RATINGS)
    return folder


def compare(trial, table, batch, rows):
    """Check that a trial's windows are those of a dataset's conversion, to the byte."""
    assert rows.sum() == len(trial.batch) > 5
    for name in batch.modalities:
        assert trial.batch.features[name].tobytes() == batch.features[name][rows].tobytes()
        assert trial.batch.mask[name].tobytes() == batch.mask[name][rows].tobytes()
    assert trial.batch.elapsed.tobytes() == table.elapsed[rows].tobytes()
    assert any(values.any() for values in trial.batch.mask.values())


def test_an_xdf_file_gives_the_windows_of_training_to_the_byte(session, tmp_path):
    recording = open_recording(session / "sub-anna/ses-1/recording.xdf")
    found = trials_of(recording, RIG, POPULATION, PANAS10, "anna")
    table = convert(XdfRecordings(), session, RIG, tmp_path / "cache")
    batch = normalised(table, POPULATION, ["anna"])
    assert [trial.trial for trial in found.trials] == ["1", "2"]
    assert [trial.condition for trial in found.trials] == ["stress", "rest"]
    # The simulated person goes on.
    assert found.notes == ("trial '3' never stopped: it is left out",)
    for trial in found.trials:
        rows = table.rated & (table.trial == f"1-{trial.trial}")
        compare(trial, table, batch, rows)
        assert trial.rating.items == SCORES[trial.trial]
        assert trial.rating.participant == "anna"
        np.testing.assert_allclose(
            trial.rating.shares(PANAS10), table.distribution[rows][0], atol=1e-12
        )
    assert found.windows == len(table)
    assert found.baseline == pytest.approx((0.0, 20.0))
    resting = table.features["eda"][table.is_baseline].astype(np.float64)
    with np.errstate(invalid="ignore"):
        present = np.isfinite(resting).any(axis=0)
    np.testing.assert_allclose(
        found.rest.mean["eda"][present], np.nanmean(resting[:, present], axis=0)
    )
    assert found.rest.seconds["eda"].max() == table.is_baseline.sum()
    assert (found.rest.seconds["eda"][~present] == 0).all()


def test_later_windows_by_the_rest_that_is_kept_are_those_by_the_stated_baseline(session):
    """What calibration writes as rest is what the next session starts from."""
    recording = open_recording(session / "sub-anna/ses-1/recording.xdf")
    found = trials_of(recording, RIG, POPULATION, PANAS10, "anna")
    engine = Engine(RIG, None, POPULATION, rests={"anna": found.rest})
    engine.bind(bind_recording(recording, RIG, "anna").bindings)
    for chunk in recording.chunks(np.inf):
        engine.push(chunk)
    windows = engine.windows_until(np.inf)
    assert {window.baseline for window in windows} == {"profile"}
    (last,) = (trial for trial in found.trials if trial.trial == "2")
    own = from_windows(
        [w for w in windows if last.start < w.time <= last.stop], last.batch.features
    )
    for name, values in last.batch.features.items():
        np.testing.assert_allclose(own.features[name], values, atol=1e-4)
    plain = list(windows_of(recording, RIG, population=POPULATION))
    running = from_windows([w for w in plain if last.start < w.time <= last.stop], ["eda"])
    assert np.abs(running.features["eda"] - own.features["eda"]).max() > 0.1


def test_eeg_is_freed_of_artefacts_as_in_a_live_session():
    brain, eyes, _ = parts(40, height=300.0)
    marks = (
        (16.0, Event("trial_start", trial="1")),
        (36.0, Event("trial_stop", trial="1")),
        (36.0, Event("rating", trial="1", items=SCORES["1"], scale=(1.0, 5.0))),
    )
    markers = tuple(Marker(time, format_marker(event)) for time, event in marks)
    made = dataclasses.replace(recording(brain + eyes), markers=markers)
    population = Population({"eeg": np.full(90, 2.0)}, {"eeg": np.ones(90)})
    montage = Montage.of(DMER, DMER.modality("eeg"), (True,) * 18)
    # The eyes are the first component; the others are as they come.
    mixing = np.eye(18)
    mixing[:, 0] = eyes.std(axis=0) / eyes.std(axis=0).max()
    eyeless = ComponentRemoval(montage, mixing, (0,))

    def trial(artefacts=None):
        (one,) = trials_of(made, DMER, population, PANAS10, artefacts=artefacts).trials
        return one.batch

    plain, clean = trial(), trial(eyeless)
    engine = Engine(DMER, None, population, artefacts={"P1": eyeless})
    engine.bind(bind_recording(made, DMER).bindings)
    windows = []
    for chunk in made.chunks(0.25):
        engine.push(chunk)
        windows += engine.windows_now(0.0)
    live = from_windows([w for w in windows if 16 < w.time <= 36], ["eeg"])
    assert len(live) == len(clean) == 20
    assert clean.features["eeg"].tobytes() == live.features["eeg"].tobytes()
    assert np.abs(clean.features["eeg"] - plain.features["eeg"]).max() > 1
    with pytest.raises(InputError, match="fitted for the rig 'dmer'"):
        trials_of(
            dataclasses.replace(wristband(12.0), path="x.xdf", markers=markers),
            RIG,
            POPULATION,
            PANAS10,
            artefacts=eyeless,
        )


def test_an_e4_folder_with_tables_gives_the_windows_of_training_to_the_byte(tmp_path):
    recording = open_recording(write_e4(tmp_path / "S1_E4_Data"))
    found = trials_of(recording, RIG, POPULATION, PANAS10, "P7")
    scores = dict(zip(PANAS10.emotions, (2, 3, 1, 2, 4, 5, 3, 4, 4, 5), strict=True))
    trials = (Trial("a", "film", 16.0, 28.0, scores), Trial("b", "speech", 30.5, 41.0, scores))
    sessions = [Session("P7", "P7", trials, (0.0, 15.0), (), lambda: recording)]
    table = assemble(XdfRecordings(), RIG, sessions, [windows_to_arrays(recording, RIG)])
    batch = normalised(table, POPULATION, ["P7"])
    assert [trial.trial for trial in found.trials] == ["a", "b"]
    for trial in found.trials:
        compare(trial, table, batch, table.trial == trial.trial)
    assert found.trials[0].rating.items == scores
    assert found.trials[1].rating.unanswered == ("enthusiastic",)
    assert found.baseline == (0.0, 15.0)
    # 28 s after the start of the wristband's clock.
    assert found.trials[0].date == "2023-11-14T22:13:48+00:00"
    assert found.notes == (
        "the rating of trial 'b' has no answer for enthusiastic",
        "trial 'c' has no rating: it is left out",
    )


def events(folder, labels=PANAS10):
    return read_tables(folder, BEGIN, 45.0, labels)


def tables(folder, segments=SEGMENTS, ratings=RATINGS):
    (folder / "segments.csv").write_text(segments, encoding="utf-8")
    (folder / "ratings.csv").write_text(ratings, encoding="utf-8")
    return folder


def test_tables_of_a_spreadsheet_and_unix_times_say_the_same(tmp_path):
    plain = events(tables(tmp_path))
    assert len(plain) == 2 + 3 * 2 + 2
    lines = [line.split(",") for line in SEGMENTS.replace("30.5", "30'5").splitlines()]
    german = "\ufeff" + "\r\n".join(";".join(fields) for fields in lines).replace("'", ",")
    ratings = RATINGS.replace(",", ";").replace("trial", " Trial ").replace("afraid", "Afraid")
    assert events(tables(tmp_path, german, ratings)) == plain
    unix = SEGMENTS.replace(",16,28", f",{BEGIN + 16},{BEGIN + 28}")
    assert events(tables(tmp_path, unix)) == plain


def test_a_longer_questionnaire_that_has_all_items_will_do(tmp_path):
    header, first, _ = RATINGS.splitlines()
    longer = f"{header},hostile,proud\n{first},2,\n"
    (_, rating) = events(tables(tmp_path, ratings=longer))[-1]
    assert rating.instrument == "panas"
    assert rating.items["hostile"] == 2
    assert rating.order[-1] == "proud" and "proud" not in rating.items


@pytest.mark.parametrize(
    ("segments", "ratings", "words"),
    [
        (
            SEGMENTS.replace("28", "16"),
            RATINGS,
            r"row 3 of 'segments.csv' stops at '16'.*not after",
        ),
        (SEGMENTS.replace("16", "x"), RATINGS, "has 'x' under 'start': give a number"),
        (SEGMENTS.replace("16", ""), RATINGS, "row 3 .* lacks a start or a stop"),
        (SEGMENTS.replace("b,", "a,"), RATINGS, "row 4 .* is the second of the trial 'a'"),
        (SEGMENTS.replace("b,", ","), RATINGS, "row 4 .* names no trial"),
        (SEGMENTS.replace("41,44", "50,60"), RATINGS, r"lies outside the recording.* 0 to 45"),
        (SEGMENTS.replace("stop", "end"), RATINGS, "columns trial, condition, start, stop"),
        (SEGMENTS + "d,1,2\n", RATINGS, "row 6 .* has 3 fields, must have 4"),
        ("", RATINGS, "must begin with a line of different columns"),
        (SEGMENTS, RATINGS.replace("b,4", "d,4"), "rates the trial 'd', which 'segments.csv'"),
        (SEGMENTS, RATINGS.replace("alert", "alrt"), "unknown item 'alrt': the model predicts"),
        (SEGMENTS, RATINGS.replace("a,2,", "a,7,"), "'inspired' '7', outside the scale of 1 to 5"),
        (SEGMENTS, RATINGS.replace(",upset", ",hostile"), "no column 'upset'"),
        (SEGMENTS, "trial\na\n", "'ratings.csv' has no items"),
        (SEGMENTS, RATINGS.split("\n")[0] + "\n", "has no rows"),
        (SEGMENTS, "trial,joy\n" + "x" * 2**20, "longer than"),
    ],
)
def test_tables_that_do_not_fit_are_refused(tmp_path, segments, ratings, words):
    with pytest.raises(InputError, match=words):
        events(tables(tmp_path, segments, ratings))


def test_one_table_alone_or_in_another_encoding_is_refused(tmp_path):
    tables(tmp_path)
    (tmp_path / "ratings.csv").write_bytes("trial,schläfrig".encode("latin-1"))
    with pytest.raises(InputError, match="cannot read .*ratings.csv.* save it as CSV in UTF-8"):
        events(tmp_path)
    (tmp_path / "ratings.csv").unlink()
    with pytest.raises(InputError, match="has no 'ratings.csv': trials need both"):
        events(tmp_path)


def with_markers(texts, name="PsychoPy"):
    info = StreamInfo("m", name, "Markers", 0.0, ("",), ("",), format="string")
    marks = tuple(Marker(20.0 + i, text, "m") for i, text in enumerate(texts))
    return dataclasses.replace(
        wristband(12.0), path="lab.xdf", markers=marks, marker_streams=(info,) if texts else ()
    )


def refusal(recording, participant="P1"):
    with pytest.raises(InputError) as caught:
        trials_of(recording, RIG, POPULATION, PANAS10, participant)
    return str(caught.value)


def test_what_other_programs_marked_is_said_and_what_is_needed(tmp_path):
    said = refusal(with_markers(["block 1", "key a", "key a", '{"event": "trial_start"}']))
    assert "of its 4 markers none is ours (4 on 'PsychoPy' such as 'key a', 'block 1'" in said
    assert '"event": "rating", "trial": "1"' in said
    assert "it has no markers" in refusal(with_markers([]))
    folder = write_e4(tmp_path / "S1_E4_Data", 2.0)
    for name in ("segments.csv", "ratings.csv"):
        (folder / name).unlink()
    said = refusal(open_recording(folder))
    assert "1 on 'E4 tags' such as 'tag'" in said and "needed are the tables segments.csv" in said


def test_markers_of_ours_without_a_rated_trial_say_what_is_missing():
    texts = [
        format_marker(Event("trial_start", trial="1")),
        format_marker(Event("trial_stop", trial="1")),
    ]
    assert "trial '1' has no rating: it is left out" in refusal(with_markers(texts))


def test_whom_the_markers_mean():
    def texts(*people):
        return [format_marker(Event("trial_start", p, trial="1")) for p in people]

    said = refusal(with_markers(texts("ann", "bob")))
    assert "are about 'ann', 'bob', and not about 'P1': give one of them as --participant" in said
    said = refusal(with_markers(texts("ann")))
    assert "the markers call the person 'ann': taken as P1" in said
    assert "trial '1' never stopped" in said


def test_a_second_device_is_never_guessed_but_can_be_chosen():
    texts = [
        Event("trial_start", trial="1"),
        Event("trial_stop", trial="1"),
        Event("rating", trial="1", items=SCORES["1"], scale=(1.0, 5.0)),
    ]
    made = with_markers([format_marker(event) for event in texts], "lab")
    marks = [
        dataclasses.replace(marker, time=time)
        for marker, time in zip(made.markers, (9.5, 12.0, 12.0), strict=True)
    ]
    (ppg,) = (stream for stream in made.streams if stream.info.key == "ppg")
    other = dataclasses.replace(ppg.info, key="other", name="other", source_id="other-ppg")
    both = dataclasses.replace(
        made,
        markers=tuple(marks),
        streams=(*made.streams, dataclasses.replace(ppg, info=other, samples=-ppg.samples)),
    )
    assert "2 devices fit ppg" in refusal(both)
    chosen = {"ppg": "band-ppg"}
    found = trials_of(both, RIG, POPULATION, PANAS10, choices=chosen)
    plain = trials_of(dataclasses.replace(both, streams=made.streams), RIG, POPULATION, PANAS10)
    for one, other in zip(found.trials, plain.trials, strict=True):
        assert len(one.batch) == 3
        assert one.batch.features["ppg"].tobytes() == other.batch.features["ppg"].tobytes()
