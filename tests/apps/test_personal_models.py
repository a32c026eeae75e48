"""Participants' own models in a session: adopted, fitted while windows come, saved."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pylsl
import pytest

from apps.broadcast import Broadcast
from apps.personal_models import PersonalModels
from calibration.predictor import PersonalPredictor
from calibration.profile import Calibration, Profile, begin
from calibration.profile_files import load_profile
from realtime.baseline import Rest
from realtime.markers import Event
from realtime.window import Window
from tests.calibration.profiles import RIG, checkpoint, made, sizes
from tests.model.people import windows

ITEMS = {name: float(1 + place % 5) for place, name in enumerate(checkpoint().emotions)}


@pytest.fixture(autouse=True)
def _as_they_are(monkeypatch: pytest.MonkeyPatch) -> None:
    """Run the networks as where ONNX is not installed: nothing is compiled, which takes seconds."""
    monkeypatch.setattr("model.backends.find_spec", lambda name: None)


class Told:
    """Keeps what would be sent to dashboards."""

    def __init__(self) -> None:
        self.messages: list[Mapping[str, Any]] = []

    def send(self, message: Mapping[str, Any]) -> None:
        self.messages.append(message)

    @property
    def states(self) -> list[tuple[str, str]]:
        return [(one["participant"], one["state"]) for one in self.messages]


def second(person: str, at: float) -> Window:
    batch = windows(1, int(at), sizes())
    return Window(
        participant=person,
        time=at,
        features={},
        normalised={name: values[0] for name, values in batch.features.items()},
        mask=dict.fromkeys(batch.modalities, True),
        valid={},
        quality={},
        age={},
        warm_up=False,
        baseline="running",
    )


def session(
    root: Path, *people: str | Profile, rest: Rest | None = None
) -> tuple[PersonalModels, PersonalPredictor, Told]:
    """Begin a session with people by name, whose profiles begin, or with their profiles."""
    told = Told()
    predictor = PersonalPredictor(checkpoint(), "cpu")
    known = [begin(one, checkpoint(), RIG) if isinstance(one, str) else one for one in people]
    profiles = {one.id: one for one in known}
    models = PersonalModels(
        RIG,
        checkpoint(),
        predictor,
        profiles,
        root,
        lambda name: rest,
        Broadcast(told),  # type: ignore[arg-type]
    )
    return models, predictor, told


def trial(models: PersonalModels, person: str, name: str, start: float, **items: float) -> None:
    """Let a person go through a trial of ten seconds, and rate it."""
    models.event(Event("trial_start", participant=person, trial=name), start)
    for at in np.arange(start, start + 12):
        models.window(second(person, float(at)))
    models.event(Event("trial_stop", participant=person, trial=name), start + 10)
    rating = Event(
        "rating",
        participant=person,
        trial=name,
        instrument="panas10",
        items={**ITEMS, **items},
        scale=(1.0, 5.0),
    )
    models.event(rating, start + 12)
    models.window(second(person, start + 12))


def wait(models: PersonalModels, until: Callable[[], bool]) -> None:
    end = time.monotonic() + 60
    while not until():
        models.step()
        time.sleep(0.01)
        assert time.monotonic() < end


def test_a_rated_trial_becomes_a_model_and_a_profile_while_the_session_goes_on(
    tmp_path: Path,
) -> None:
    models, predictor, told = session(tmp_path, "anna", "ben")
    before = predictor([second("anna", 1), second("ben", 1), second("carl", 1)])
    trial(models, "anna", "1", 100)
    wait(models, lambda: ("anna", "ready") in told.states)
    assert told.states == [("anna", "fitting"), ("anna", "ready")]
    after = predictor([second("anna", 1), second("ben", 1), second("carl", 1)])
    assert np.abs(after.distributions[0] - before.distributions[0]).max() > 0.01
    np.testing.assert_allclose(after.distributions[1:], before.distributions[1:], atol=1e-6)
    saved = load_profile(tmp_path, "anna")
    assert saved.model.step == "prior"
    assert [one.trial for one in saved.trials] == ["1"]
    assert len(saved.trials[0].batch) == 10
    assert not (tmp_path / "ben").exists()

    # A second trial joins the first, and the profile on disk gets better.
    trial(models, "anna", "2", 200, afraid=5.0)
    models.close()
    again = load_profile(tmp_path, "anna")
    assert [one.trial for one in again.trials] == ["1", "2"]
    assert [one.trials for one in again.history] == [1, 2]
    assert models.summary()["anna"]["trials"] == 2
    assert models.summary()["ben"]["calibrations"] == 0


def test_the_next_session_starts_with_the_profile_and_keeps_its_trials(tmp_path: Path) -> None:
    models, _, _ = session(tmp_path, "anna")
    trial(models, "anna", "1", 100)
    models.close()
    models, predictor, told = session(tmp_path, load_profile(tmp_path, "anna"), "ben")
    models.greet()
    assert [one["trials"] for one in told.messages] == [1, 0]
    own, plain = predictor([second("anna", 1), second("ben", 1)]).distributions
    assert np.abs(own - plain).max() > 0.01
    trial(models, "anna", "1", 5000)
    models.close()
    assert [one.trial for one in load_profile(tmp_path, "anna").trials] == ["1", "2-1"]


def test_a_rating_now_is_about_the_minute_before(tmp_path: Path) -> None:
    models, _, _ = session(tmp_path, "anna")
    for at in range(100, 200):
        models.window(second("anna", float(at)))
    models.event(Event("rating", instrument="panas10", items=ITEMS, scale=(1.0, 5.0)), 190)
    models.window(second("anna", 200))
    models.close()
    (found,) = load_profile(tmp_path, "anna").trials
    assert (found.start, found.stop) == (130, 190)
    assert len(found.batch) == 60


def test_what_cannot_be_used_is_told_and_ends_nothing(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    models, _, told = session(tmp_path, "anna")
    models.event(Event("trial_start", trial="1"), 100)
    for at in range(100, 113):
        models.window(second("anna", float(at)))
    models.event(Event("trial_stop", trial="1"), 110)
    half = dict(list(ITEMS.items())[:5])
    models.event(
        Event("rating", trial="1", instrument="panas10", items=half, scale=(1.0, 5.0)), 112
    )
    models.window(second("anna", 113))
    wait(models, lambda: ("anna", "failed") in told.states)
    assert "no answer for" in told.messages[-1]["text"]
    assert "the model stays as it was" in caplog.text
    # What was answered is kept all the same.
    (kept,) = load_profile(tmp_path, "anna").trials
    assert dict(kept.rating.items) == half
    models.close()


def test_without_room_the_session_goes_on_with_the_better_model_and_keeps_it_later(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    root = tmp_path / "people"
    root.write_text("in the way")
    models, predictor, told = session(root, "anna")
    before = predictor([second("anna", 1)]).distributions
    trial(models, "anna", "1", 100)
    wait(models, lambda: ("anna", "failed") in told.states)
    assert "cannot write the profile" in told.messages[-1]["text"]
    assert told.messages[-1]["trials"] == 1
    assert np.abs(predictor([second("anna", 1)]).distributions - before).max() > 0.01
    root.unlink()
    models.close()
    saved = load_profile(root, "anna")
    assert (len(saved.trials), saved.model.trials, len(saved.history)) == (1, 1, 1)
    assert "is lost" not in caplog.text

    # Forgotten meanwhile, it does not come back.
    for file in (root / "anna").iterdir():
        file.unlink()
    (root / "anna").rmdir()
    models, _, told = session(root, saved)
    trial(models, "anna", "2", 200)
    models.close()
    assert "forgotten by someone else" in told.messages[-1]["text"]
    assert not (root / "anna" / "profile.json").exists()
    assert "is lost" in caplog.text


def test_what_was_rated_survives_a_session_that_cannot_wait_for_the_fit(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    models, _, _ = session(tmp_path, "anna")
    trial(models, "anna", "1", 100)
    models.close(patience=0.0)
    assert "at the start of the next session" in caplog.text
    kept = load_profile(tmp_path, "anna")
    assert (len(kept.trials), kept.model.trials) == (1, 0)
    models, _, told = session(tmp_path, kept)
    wait(models, lambda: ("anna", "ready") in told.states)
    models.close()
    fitted = load_profile(tmp_path, "anna")
    assert ([one.trial for one in fitted.trials], fitted.model.trials) == (["1"], 1)
    models, _, told = session(tmp_path, fitted)  # nothing is left to do
    models.close()
    assert told.messages == []


def test_a_fit_that_fails_for_any_reason_does_not_end_the_session(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    entry = Calibration("2026-03-04T05:06:07+00:00", 1, "prior", {}, {}, 0.2)
    full = replace(begin("anna", checkpoint(), RIG), history=(entry,) * 4096)
    models, predictor, told = session(tmp_path, full)
    before = predictor([second("anna", 1)]).distributions
    trial(models, "anna", "1", 100)
    wait(models, lambda: ("anna", "failed") in told.states)
    assert "at most 4096 are kept" in told.messages[-1]["text"]
    assert "Traceback" in caplog.text
    np.testing.assert_array_equal(predictor([second("anna", 1)]).distributions, before)
    models.close()
    assert [one.trial for one in load_profile(tmp_path, "anna").trials] == ["1"]


def test_a_trial_that_cannot_be_named_costs_no_other(tmp_path: Path) -> None:
    long = "x" * 256
    models, _, _ = session(tmp_path, "anna")
    trial(models, "anna", long, 100)
    models.close()
    models, _, told = session(tmp_path, load_profile(tmp_path, "anna"))
    trial(models, "anna", long, 1100)  # a number before it would make it too long
    models.step()
    assert "a trial is left out" in told.messages[0]["text"]
    trial(models, "anna", "2", 1200)
    models.close()
    assert [one.trial for one in load_profile(tmp_path, "anna").trials] == [long, "2"]
    assert sum("left out" in one["text"] for one in told.messages) == 1


def test_a_rating_can_be_corrected_and_a_trial_withdrawn(tmp_path: Path) -> None:
    models, _, _ = session(tmp_path, "anna", "ben")
    trial(models, "anna", "1", 100)
    trial(models, "anna", "2", 200)
    wait(models, lambda: models.profiles["anna"].model.trials == 2)
    again = Event(
        "rating",
        participant="anna",
        trial="1",
        instrument="panas10",
        items={**ITEMS, "afraid": 4.0},
        scale=(1.0, 5.0),
    )
    models.event(again, 250)
    # It turns out that the second trial was rest, for everybody.
    models.event(Event("baseline_start"), 199)
    models.event(Event("baseline_stop"), 215)
    models.close()
    found = load_profile(tmp_path, "anna")
    assert [(one.trial, one.rating.items["afraid"]) for one in found.trials] == [("1", 4.0)]
    assert found.model.trials == 1
    assert not (tmp_path / "ben").exists()


def test_a_trial_that_is_repeated_counts_no_more_whichever_engine_saw_it(tmp_path: Path) -> None:
    def repeated(name: str, person: str = "anna", **items: float) -> Event:
        return Event(
            "note",
            participant=person,
            trial=name,
            instrument="panas10",
            items={**ITEMS, **items},
            scale=(1.0, 5.0),
            text="superseded: it is repeated",
        )

    def names() -> list[str]:
        return [one.trial for one in load_profile(tmp_path, "anna").trials]

    models, _, _ = session(tmp_path, "anna")
    trial(models, "anna", "1", 100)
    trial(models, "anna", "2", 200)
    models.event(repeated("2"), 220)
    trial(models, "anna", "3", 300, afraid=5.0)
    models.close()
    assert names() == ["1", "3"]

    # The next engine knows the third from the profile; a fourth was never rated.
    models, _, _ = session(tmp_path, load_profile(tmp_path, "anna"), "ben")
    models.event(repeated("3", "ben", afraid=5.0), 400)
    models.event(repeated("3"), 400)
    models.event(Event("note", trial="1", text="superseded: the session was paused"), 400)
    models.step()
    assert names() == ["1", "3"]
    models.event(repeated("3", afraid=5.0), 400)
    trial(models, "anna", "4", 500)
    models.close()
    assert names() == ["1", "4"]


def test_two_people_who_rate_at_once_are_fitted_in_turn(tmp_path: Path) -> None:
    models, _, told = session(tmp_path, "anna", "ben")
    now = pylsl.local_clock()
    for at in np.arange(now - 20, now + 2):
        models.window(second("anna", float(at)))
        models.window(second("ben", float(at)))
    # Of everybody; and of one of them, who thinks otherwise, a moment later.
    rating = Event("rating", instrument="panas10", items=ITEMS, scale=(1.0, 5.0))
    models.event(rating, now)
    models.close()
    assert {name for name, state in told.states if state == "ready"} == {"anna", "ben"}
    for name in ("anna", "ben"):
        (found,) = load_profile(tmp_path, name).trials
        assert (found.start, found.stop) == (now - 60, now)
        # Its date is that of the clock on the wall.
        rated = datetime.fromisoformat(found.date)
        assert abs((datetime.now(UTC) - rated).total_seconds()) < 3600


def test_a_fit_changes_nobody_else_s_predictions_while_it_runs(tmp_path: Path) -> None:
    models, predictor, told = session(tmp_path, "anna")
    expected = predictor([second("ben", 1)]).distributions
    trial(models, "anna", "1", 100)
    trial(models, "anna", "2", 200, afraid=5.0)
    models.step()
    while ("anna", "ready") not in told.states:
        np.testing.assert_array_equal(predictor([second("ben", 1)]).distributions, expected)
        models.step()
    models.close()


def test_the_rest_of_the_session_is_kept_for_the_next_one(tmp_path: Path) -> None:
    known = made().baseline
    assert known is not None
    models, _, _ = session(tmp_path, "anna", rest=known)
    trial(models, "anna", "1", 100.0)
    models.close()
    kept = load_profile(tmp_path, "anna").baseline
    assert kept is not None
    np.testing.assert_array_equal(kept.mean["eda"], known.mean["eda"])
    models, _, _ = session(tmp_path, load_profile(tmp_path, "anna"))
    trial(models, "anna", "2", 500.0)  # no rest this time: the former stays
    models.close()
    assert load_profile(tmp_path, "anna").baseline is not None
