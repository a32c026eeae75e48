"""Simulated people in a laboratory's session, for checkpoints that only demonstrate a rig.

Nobody was measured, and nobody rated anything: signals follow a hidden affect through
`realtime.simulator`, and so do the ratings, through loadings that are made up here. A model that is
trained on them shows that a rig works from end to end, and nothing of people.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import numpy as np

from model.datasets.base import Dataset, Session, Trial
from model.labels import PANAS10, LabelSet
from realtime import simulator
from realtime.errors import InputError
from realtime.recording import Recording
from realtime.simulator.affect import Affect, Episode, Schedule, amusement, baseline, rest, stress
from realtime.simulator.layouts import layout
from realtime.simulator.person import Person

PEOPLE = 10
FIRST_SEED = 1001
"""The demonstration's people have seeds from 1 on: they are strangers to the checkpoint."""

LOADINGS = {
    "inspired": (0.05, 0.10, 0.50, -0.10),
    "alert": (0.25, 0.60, 0.00, 0.10),
    "excited": (-0.15, 0.55, 0.45, -0.25),
    "enthusiastic": (-0.10, 0.30, 0.65, -0.20),
    "determined": (0.15, 0.45, 0.10, 0.10),
    "afraid": (0.00, 0.10, -0.10, 0.65),
    "upset": (0.10, 0.00, -0.20, 0.60),
    "nervous": (0.05, 0.25, -0.10, 0.70),
    "scared": (0.00, 0.05, -0.05, 0.55),
    "distressed": (0.10, 0.10, -0.20, 0.75),
}
"""Constant, and loading on arousal, valence and stress, of each item's place on its scale (0 to 1).
Made up, so that the three conditions rank the items as PANAS answers of WESAD do."""

STYLE = (0.15, 0.08, 0.35)
"""Spread over people of how much of the scale they use, of their own height of each item (share of
the scale), and scores by which an answer misses both."""


@dataclass(frozen=True, slots=True)
class Plan:
    """A session: rest as a baseline, then the conditions a few times in an order of the person's.

    Attributes
    ----------
    baseline, trial : float
        Seconds of each.
    turns : int
        Trials of each of stress, amusement and rest.
    """

    baseline: float
    trial: float
    turns: int

    @property
    def seconds(self) -> float:
        """Length of the session."""
        return self.baseline + 3 * self.turns * self.trial

    def schedule(self, seed: int) -> Schedule:
        """Return the session of one person: conditions in any order, stronger and weaker."""
        rng = np.random.default_rng([seed, 100])
        trials = [kind(self.trial) for kind in (stress, amusement, rest)] * self.turns
        return Schedule(
            opening=(baseline(self.baseline),),
            cycle=tuple(
                _weakened(trials[i], float(rng.uniform(0.6, 1.0)))
                for i in rng.permutation(len(trials))
            ),
        )


def _weakened(episode: Episode, degree: float) -> Episode:
    """Return an episode that goes only part of the way from rest to its state."""
    calm = rest(episode.seconds)
    arousal, valence, strain = (
        getattr(calm, name) + degree * (getattr(episode, name) - getattr(calm, name))
        for name in ("arousal", "valence", "stress")
    )
    return Episode(episode.condition, episode.seconds, arousal, valence, strain)


class Simulated(Dataset):
    """Simulated people who wear the device of a rig; needs no folder."""

    folder: ClassVar[str] = ""
    source: ClassVar[str] = "this program"
    labels: ClassVar[LabelSet] = PANAS10
    stress: ClassVar[frozenset[str]] = frozenset({"stress"})
    simulated: ClassVar[bool] = True
    note: ClassVar[str] = (
        "Simulated people: the figures say that the rig works, and nothing about people."
    )
    worn: ClassVar[str]
    plan: ClassVar[Plan]

    def root(self, given: Path | None = None) -> Path:
        """Return any folder: none is read.

        Raises
        ------
        InputError
            If one is given.
        """
        if given is not None:
            raise InputError(
                f"--root {str(given)!r}: dataset {self.name!r} is made up and has no folder; leave "
                "--root out"
            )
        return Path()

    def sessions(self, root: Path) -> tuple[Session, ...]:
        """List one session a person."""
        return tuple(self._session(FIRST_SEED + number) for number in range(PEOPLE))

    def _session(self, seed: int) -> Session:
        schedule = self.plan.schedule(seed)
        person = f"simulated-{seed}"
        return Session(
            participant=person,
            name=person,
            trials=_trials(seed, schedule, self.plan.seconds),
            baseline=(0.0, self.plan.baseline),
            files=_code(),
            read=functools.partial(_record, seed, schedule, self.worn, self.plan.seconds),
        )


class SimulatedChest(Simulated):
    """People with a chest strap; trials are longer than the 60-s windows."""

    name: ClassVar[str] = "simulated-chest"
    rig: ClassVar[str] = "chest"
    worn: ClassVar[str] = "respiban"
    plan: ClassVar[Plan] = Plan(baseline=90.0, trial=90.0, turns=2)


class SimulatedDmer(Simulated):
    """People with an EEG cap and before a camera, at the rates of DMER."""

    name: ClassVar[str] = "simulated-dmer"
    rig: ClassVar[str] = "dmer"
    worn: ClassVar[str] = "dmer"
    plan: ClassVar[Plan] = Plan(baseline=60.0, trial=60.0, turns=2)


def _record(seed: int, schedule: Schedule, worn: str, seconds: float) -> Recording:
    device = layout(worn)
    return Person(seed, schedule, device.rates).to_recording(seconds, device)


def _trials(seed: int, schedule: Schedule, seconds: float) -> tuple[Trial, ...]:
    """Return the trials with the ratings that the person would give."""
    affect = Affect(schedule, seed)
    rng = np.random.default_rng([seed, 101])
    extent = 1.0 + STYLE[0] * rng.standard_normal()
    heights = STYLE[1] * rng.standard_normal(len(LOADINGS))
    low, high = PANAS10.scale
    trials = []
    number = len(schedule.opening)
    while (start := schedule.start(number)) < seconds:
        stop = schedule.start(number + 1)
        felt = affect.course(np.arange(start, stop)).mean(axis=0)
        place = np.array([LOADINGS[item] for item in PANAS10.emotions]) @ np.append(1.0, felt)
        scores = low + (high - low) * (extent * place + heights)
        scores = np.rint(scores + STYLE[2] * rng.standard_normal(len(scores))).clip(low, high)
        name = str(number - len(schedule.opening) + 1)
        ratings = dict(zip(PANAS10.emotions, scores.tolist(), strict=True))
        trials.append(Trial(name, schedule.episode(number).condition, start, stop, ratings))
        number += 1
    return tuple(trials)


def _code() -> tuple[Path, ...]:
    """Return the files that make the recordings: a conversion made by older ones is no good."""
    folder = Path(simulator.__file__).parent
    return (*sorted(folder.glob("*.py")), Path(__file__))
