"""The page of a calibration: before and after on held-out trials, with simple predictors beside."""

from __future__ import annotations

import os
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
from scipy.stats import binomtest

from calibration.held import BEFORE, METRICS, TRIVIAL, Held, Scores, score
from calibration.profile import Profile
from model.report import figures
from model.report.grid import Grid, number
from model.report.layout import Picture, Section
from model.report.page import document
from realtime.errors import InputError

IN_WORDS = {
    "none": "the checkpoint as it is, without calibration",
    "prior": "predictions moved towards what the person reported",
    "baseline": "prior, with features taken from the person's own mean as well",
    "head": "prior, with the networks' last layer and prototypes fitted to the person as well",
    "adapters": "head, with low-rank changes of the networks' encoders as well",
}
"""What each rung of the ladder does."""

SHOWN = 6
"""Trials whose distributions are drawn: the latest."""

_NONE_HELD = "One rated trial cannot be held out and fitted to at once: rate a second one."


def write_report(path: Path, profile: Profile, held: Sequence[Held], notice: str = "") -> Path:
    """Write the page of a profile's latest calibration in one step, and return its path.

    Parameters
    ----------
    path : Path
        An HTML file; one that is there is replaced.
    profile : Profile
        After the calibration.
    held : sequence of Held
        Its rated trials in order of time, each predicted by what was fitted to the others: by
        every rung that was tried, ``none`` and the kept one among them, and by all of `TRIVIAL`.
        Empty where there was one trial only.
    notice : str
        What must be said of the checkpoint, such as that no people trained it.

    Raises
    ------
    InputError
        If the page cannot be written.
    """
    page = render(profile, held, notice)
    temporary = path.with_name(f".{path.name}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary.write_text(page, encoding="utf-8", newline="\n")
        os.replace(temporary, path)
    except OSError as error:
        raise InputError(
            f"cannot write the report {str(path)!r} ({error.strerror}): give another path"
        ) from error
    return path


def render(profile: Profile, held: Sequence[Held], notice: str = "") -> str:
    """Return the page as a whole HTML document; see `write_report`.

    Raises
    ------
    ValueError
        If a trial lacks the prediction without calibration, that of the kept step, or a trivial
        one.
    """
    title = f"Calibration of {profile.id}"
    about = (
        f"Profile {profile.id} for the rig {profile.rig} and the checkpoint "
        f"{profile.checkpoint[:12]} ({profile.labels.name}). Each rated trial was held out once, "
        "and predicted by what was fitted to the person's other trials, later ones among them."
    )
    sentences = [about, *([f"{notice[0].upper()}{notice[1:]}."] if notice else [])]
    parts: list[Section] = []
    terms = dict(TRIVIAL)
    if held:
        scores = score(held)
        needed = {BEFORE, profile.model.step, *TRIVIAL}
        if not needed <= set(scores.names):
            missing = ", ".join(sorted(needed - set(scores.names)))
            raise ValueError(f"the held-out trials were not predicted by {missing}")
        terms = {**{name: text for name, text in IN_WORDS.items() if name in scores.names}, **terms}
        after = profile.model.step
        sentences += _findings(scores, held, after)
        parts += [
            _total(scores, after),
            _trials(scores, held, after, profile.labels.emotions),
            _emotions(scores, after, profile.labels.emotions),
            _radius(scores, held, after),
        ]
    else:
        sentences.append(_NONE_HELD)
    return document(title, sentences, [*parts, _history(profile)], terms, "Steps and predictors")


def _findings(scores: Scores, held: Sequence[Held], after: str) -> list[str]:
    """Say what came of it, the unwelcome too."""
    count = len(held)
    kl = scores.by_trial["kl"]
    before, now = scores.mean("kl", BEFORE), scores.mean("kl", after)
    less, more = int((kl[after] < kl[BEFORE]).sum()), int((kl[after] > kl[BEFORE]).sum())
    found = [
        f"Kept is the step {after!r}: KL {number(before)} before and {number(now)} after, on "
        f"{count} held-out trials; smaller on {less} of them, larger on {more}."
    ]
    best = _best(scores)
    reached = scores.mean("kl", best)
    word = "more" if reached > now else "no more"
    found.append(
        f"Without any sensor, the {best} reaches KL {number(reached)}, {word} than the calibrated "
        "model."
    )
    if len(scores.names) - len(scores.trivial) > 1:
        found.append(
            "The step was chosen by these same trials, so that its own figures flatter it a little."
        )
    return [*found, _covered(scores, held, after)]


def _total(scores: Scores, after: str) -> Section:
    names = scores.names
    panels = {
        label: [_whisker(scores.by_trial[metric][name]) for name in names]
        for metric, (label, _) in METRICS.items()
    }
    kl = scores.by_trial["kl"]
    count = len(kl[BEFORE])
    rows = [
        (
            _marked(name, after),
            *(number(scores.mean(metric, name)) for metric in METRICS),
            "-" if name == BEFORE else f"{int((kl[name] > kl[BEFORE]).sum())} of {count}",
        )
        for name in names
    ]
    alt = "KL in the mean: " + ", ".join(f"{n} {number(scores.mean('kl', n))}" for n in names)
    return Section(
        "total",
        "Before and after",
        (
            "Means over the held-out trials, with lines from the best trial to the worst. Smaller "
            "is better. Predictors that look at no sensor are hollow and grey.",
        ),
        (Picture(figures.intervals(names, panels, frozenset(scores.trivial)), f"{alt}."),),
        (
            Grid(
                "calibration",
                f"Means over {count} held-out trials",
                ("", *(label for label, _ in METRICS.values()), "worse than before"),
                tuple(rows),
                notes=("Worse than before: trials whose KL is larger than without calibration.",),
            ),
        ),
    )


def _trials(
    scores: Scores, held: Sequence[Held], after: str, emotions: Sequence[str]
) -> Section:  # fmt: skip
    kl = scores.by_trial["kl"]
    pictures = []
    if after != BEFORE:
        pictures.append(
            Picture(
                figures.before_after({f"step {after}": (kl[BEFORE], kl[after])}, "KL"),
                "KL of each held-out trial before and after, a point a trial: "
                + ", ".join(
                    f"{number(b)} to {number(a)}"
                    for b, a in zip(kl[BEFORE], kl[after], strict=True)
                )
                + ".",
            )
        )
    panels = {}
    for place, one in list(enumerate(held, start=1))[-SHOWN:]:
        series = {"reported": one.truth, "before": one.predictions[BEFORE]}
        if after != BEFORE:
            series["after"] = one.predictions[after]
        panels[figures.shown(f"{place}. {_called(one)}")] = series
    strongest = emotions[int(np.argmax(held[-1].truth))]
    pictures.append(
        Picture(
            figures.distributions(emotions, panels, "reported"),
            f"Shares of {len(emotions)} emotions as reported and as predicted, for the latest "
            f"{len(panels)} trials. In the last one {strongest} was reported most.",
        )
    )
    grids = tuple(
        Grid(
            "calibration",
            f"{label} of each held-out trial",
            ("trial", "condition", "rated (UTC)", *(_marked(name, after) for name in scores.names)),
            tuple(
                (
                    f"{place + 1}. {one.trial}",
                    one.condition or "-",
                    _when(one.date),
                    *(number(float(scores.by_trial[metric][n][place])) for n in scores.names),
                )
                for place, one in enumerate(held)
            ),
        )
        for metric, (label, _) in METRICS.items()
    )
    text = (
        "Each held-out trial: points below the line got better. Below, what was reported and "
        f"what was predicted, for the latest {len(panels)} trials."
        if after != BEFORE
        else f"What was reported and what was predicted, for the latest {len(panels)} trials.",
    )
    return Section("trials", "Trial by trial", text, tuple(pictures), grids)


def _emotions(scores: Scores, after: str, emotions: Sequence[str]) -> Section:
    errors = scores.by_emotion
    best = _best(scores)
    series = {"before": errors[BEFORE]}
    if after != BEFORE:
        series["after"] = errors[after]
    series[best] = errors[best]
    worst = int(np.argmax(errors[after]))
    alt = (
        f"Mean absolute error of the share of {len(emotions)} emotions before, after, and of the "
        f"{best}. After calibration it is largest for {emotions[worst]}, "
        f"{number(float(errors[after][worst]))}."
    )
    grid = Grid(
        "calibration",
        "Mean absolute error of each emotion's share",
        ("emotion", *(_marked(name, after) for name in scores.names)),
        tuple(
            (emotion, *(number(float(errors[name][place])) for name in scores.names))
            for place, emotion in enumerate(emotions)
        ),
    )
    return Section(
        "emotions",
        "Emotion by emotion",
        (
            "How far the share of each emotion was off, in the mean over held-out trials: before, "
            f"after, and by the best predictor without sensors, the {best}.",
        ),
        (Picture(figures.distributions(emotions, {"absolute error": series}, ""), alt),),
        (grid,),
    )


def _radius(scores: Scores, held: Sequence[Held], after: str) -> Section:
    off = scores.by_trial["tv"][after]
    radii = np.array([one.radius for one in held])
    text = [
        "The radius says how far a prediction may be off, in total variation, and is to hold for "
        "90 % of trials. " + _covered(scores, held, after)
    ]
    if (radii >= 1).any():
        text.append("A radius of 1 covers everything: there were too few trials to tell more.")
    lines = {"off by": off, "radius": radii}
    alt = "Total variation of each held-out trial beside its radius: " + ", ".join(
        f"{number(a, 3)} of {number(b, 3)}" for a, b in zip(off, radii, strict=True)
    )
    picture = Picture(figures.curves(lines, "held-out trial", "total variation"), f"{alt}.")
    return Section("radius", "Radius", tuple(text), (picture,))


def _history(profile: Profile) -> Section:
    rows = [
        (
            _when(one.date),
            str(one.trials),
            one.step,
            *(number(f[m]) if m in f else "-" for m in METRICS for f in (one.before, one.after)),
            number(one.radius, 3),
        )
        for one in profile.history
    ]
    labels = [label for label, _ in METRICS.values()]
    header = [f"{label} {when}" for label in labels for when in ("before", "after")]
    grid = Grid(
        "calibration",
        "Calibrations of this profile",
        ("date (UTC)", "trials", "step", *header, "radius"),
        tuple(rows),
        notes=("Each on the held-out trials that there were at its time: rows differ in these.",),
    )
    judged = [one for one in profile.history if "kl" in one.before and "kl" in one.after]
    pictures: tuple[Picture, ...] = ()
    if len(judged) > 1:
        lines = {
            "before": np.array([one.before["kl"] for one in judged]),
            "after": np.array([one.after["kl"] for one in judged]),
        }
        ends = ", ".join(f"{name} {number(v[0])} to {number(v[-1])}" for name, v in lines.items())
        drawn = figures.curves(lines, "calibration", "KL of held-out trials (nats)")
        pictures = (Picture(drawn, f"KL over {len(judged)} calibrations: {ends}."),)
    if not rows:
        return Section("history", "History", ("This profile was never calibrated.",))
    return Section("history", "History", (), pictures, (grid,))


def _covered(scores: Scores, held: Sequence[Held], after: str) -> str:
    off = scores.by_trial["tv"][after]
    # The radius may be one of the scores itself: compare with room for rounding.
    inside = sum(bool(tv <= one.radius + 1e-12) for tv, one in zip(off, held, strict=True))
    low, high = binomtest(inside, len(held)).proportion_ci()
    return (
        f"{inside} of {len(held)} held-out trials lie within the radius, "
        f"{100 * inside / len(held):.0f} % where 90 % are promised (95 % interval "
        f"{100 * low:.0f} to {100 * high:.0f} %)."
    )


def _best(scores: Scores) -> str:
    return min(scores.trivial, key=lambda name: scores.mean("kl", name))


def _whisker(values: np.ndarray) -> figures.Whisker:
    return float(values.mean()), float(values.min()), float(values.max())


def _marked(name: str, after: str) -> str:
    return f"{name} (kept)" if name == after else name


def _called(one: Held) -> str:
    return f"{one.trial}, {one.condition}" if one.condition else one.trial


def _when(date: str) -> str:
    return f"{datetime.fromisoformat(date).astimezone(UTC):%Y-%m-%d %H:%M}" if date else "-"
