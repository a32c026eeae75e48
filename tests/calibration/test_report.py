"""The page of a calibration: its figures are those of the trials, and it says the unwelcome too."""

from __future__ import annotations

import base64
import dataclasses
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest

from calibration.held import TRIVIAL, Held, figures, score, trivial_predictions
from calibration.ladder import RUNGS
from calibration.profile import calibrated
from calibration.report import IN_WORDS, render, write_report
from model.serial import UNKNOWN
from realtime.errors import InputError
from tests.calibration.profiles import made
from tests.model.report.test_page import Page

HOSTILE = "</td><script>alert(1)</script>\x1b"
EMOTIONS = 10


def held(count: int = 8) -> list[Held]:
    """Return trials of which the step ``adapters`` knows most of what was reported."""
    draw = np.random.default_rng(0)
    mean = np.full(EMOTIONS, 1 / EMOTIONS)
    shares = draw.dirichlet(np.full(EMOTIONS, 8.0), count)
    trivial = trivial_predictions(shares, mean, UNKNOWN)
    found = []
    for number, truth in enumerate(shares):
        predictions = {
            **{name: values[number] for name, values in trivial.items()},
            "none": draw.dirichlet(np.full(EMOTIONS, 20.0)),
            "prior": trivial["shrunk mean"][number] * 0.5 + truth * 0.5,
        }
        predictions["adapters"] = 0.7 * truth + 0.3 * predictions["none"]
        found.append(
            Held(
                trial=f"clip-{number}",
                condition="sad" if number % 2 else "glad",
                date=f"2026-03-0{number + 1}T10:00:00+02:00" if number else "",
                truth=truth,
                predictions=predictions,
                radius=0.01 if number == 3 else 0.4,
            )
        )
    return found


def test_the_figures_are_those_of_the_trials() -> None:
    trials = held(5)
    scores = score(trials)
    assert scores.names[-3:] == tuple(TRIVIAL) == scores.trivial
    truth, guess = trials[2].truth, trials[2].predictions["none"]
    assert scores.by_trial["kl"]["none"][2] == pytest.approx(np.sum(truth * np.log(truth / guess)))
    assert scores.by_trial["chebyshev"]["none"][2] == np.abs(truth - guess).max()
    assert scores.by_trial["tv"]["none"][2] == pytest.approx(np.abs(truth - guess).sum() / 2)
    errors = [abs(one.truth[4] - one.predictions["prior"][4]) for one in trials]
    assert scores.by_emotion["prior"][4] == pytest.approx(np.mean(errors))
    assert figures(trials, "prior")["kl"] == scores.by_trial["kl"]["prior"].mean()
    assert figures([], "prior") == {}


def test_trivial_predictors_never_see_the_trial_they_predict() -> None:
    draw = np.random.default_rng(1)
    shares = draw.dirichlet(np.ones(4), 5)
    mean = np.full(4, 0.25)
    first = trivial_predictions(shares, mean, UNKNOWN)
    other = shares.copy()
    other[2] = (0.97, 0.01, 0.01, 0.01)
    second = trivial_predictions(other, mean, UNKNOWN)
    for name, values in first.items():
        np.testing.assert_allclose(values.sum(axis=1), 1)
        np.testing.assert_array_equal(values[2], second[name][2])
    assert np.abs(first["own mean"][1] - second["own mean"][1]).max() > 0.1
    np.testing.assert_allclose(first["own mean"][0], shares[1:].mean(axis=0))
    # Between the two it is made of, and nearer to the person the more ratings there are.
    few = trivial_predictions(shares[:2], mean, UNKNOWN)
    away = [np.abs(one["shrunk mean"][0] - one["own mean"][0]).sum() for one in (few, first)]
    assert away[0] > 0 and np.abs(first["shrunk mean"] - mean).sum() > 0
    with pytest.raises(ValueError, match="1 trials"):
        trivial_predictions(shares[:1], mean, UNKNOWN)


@pytest.fixture(scope="module")
def text() -> str:
    profile = made()
    twice = calibrated(profile, profile.model, profile.trials, {"kl": 0.3}, {"kl": 0.2})
    return render(twice, held(), "demonstration weights")


def test_the_page_has_before_and_after_beside_the_trivial_predictors(text: str) -> None:
    page = Page(text)
    assert [one["id"] for one in page.having("section")] == [
        *("total", "trials", "emotions", "radius", "history", "systems"),
    ]
    assert len(page.having("img")) == 6
    for image in page.having("img"):
        source = str(image["src"])
        root = ElementTree.fromstring(base64.b64decode(source.partition(",")[2]))
        assert root.tag.endswith("svg") and len(str(image["alt"])) > 30
    scores = score(held())
    for name in ("none", "adapters", *TRIVIAL):
        assert name in page.words["total"]
        for metric in ("kl", "chebyshev", "tv"):
            assert f"{scores.mean(metric, name):.4f}" in page.words["total"]
    for trial in held():
        assert trial.trial in page.words["trials"]
    assert "2026-03-08 08:00" in page.words["trials"]
    for value in scores.by_trial["tv"]["prior"]:
        assert f"{value:.4f}" in page.words["trials"]
    for emotion, value in zip(made().labels.emotions, scores.by_emotion["adapters"], strict=True):
        assert emotion in page.words["emotions"] and f"{value:.4f}" in page.words["emotions"]
    assert "7 of 8 held-out trials lie within the radius, 88 %" in page.words["radius"]
    assert "0.3000" in page.words["history"] and "0.1000" in page.words["history"]
    head = page.words[""]
    assert f"KL {scores.mean('kl', 'none'):.4f} before" in head
    assert "Demonstration weights." in head and "flatter" in head
    assert "no more than" not in head


def test_every_rung_is_explained() -> None:
    assert set(IN_WORDS) == set(RUNGS)


def test_one_trial_cannot_be_judged() -> None:
    page = Page(render(made(count=1), []))
    assert "cannot be held out" in page.words[""]
    assert [one["id"] for one in page.having("section")] == ["history", "systems"]


def test_a_checkpoint_that_stays_as_it_is_makes_a_page_that_runs_nothing() -> None:
    profile = made()
    model = dataclasses.replace(profile.model, step="none")
    trials = [dataclasses.replace(one, trial=HOSTILE, condition=HOSTILE) for one in held(2)]
    page = Page(render(dataclasses.replace(profile, model=model), trials))
    assert "Kept is the step 'none'" in page.words[""]
    assert "no more than the calibrated model" in page.words[""]
    assert len(page.having("img")) == 4
    assert not page.having("script") and "alert(1)" in page.words["trials"]


def test_trials_that_lack_a_prediction_are_refused() -> None:
    (first, *others) = held(3)
    fewer = {name: one for name, one in first.predictions.items() if name != "own mean"}
    with pytest.raises(ValueError, match="'clip-1' was predicted by"):
        score([dataclasses.replace(first, predictions=fewer), *others])
    cut = [dataclasses.replace(one, predictions=fewer) for one in (first, *others)]
    with pytest.raises(ValueError, match="not predicted by own mean"):
        render(made(), cut)


def test_the_page_is_written_in_one_step(tmp_path: Path) -> None:
    path = tmp_path / "new" / "report.html"
    assert write_report(path, made(count=1), []) == path
    assert path.read_text("utf-8").startswith("<!DOCTYPE html>")
    assert [one.name for one in path.parent.iterdir()] == ["report.html"]
    with pytest.raises(InputError, match="cannot write the report"):
        write_report(path / "below.html", made(count=1), [])
