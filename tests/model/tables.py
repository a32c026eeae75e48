"""Synthetic tables: people whose state shows in their features, made in milliseconds."""

from __future__ import annotations

import numpy as np

from model.datasets.table import Table
from model.labels import PANAS10, distribution, intensity

CONDITIONS = ("Base", "Fun", "Medi 1", "TSST", "Medi 2")
SECONDS = 60
BASELINE = 20
GAP = 10


def synthetic_table(people: int = 4, seed: int = 0, seconds: int = SECONDS) -> Table:
    """Return a table of five trials a person; stress raises skin conductance and movement a bit.

    Between trials lie unrated windows; the first seconds of rest are the stated baseline. Windows
    of EDA are missing for one trial of the first person.
    """
    rng = np.random.default_rng(seed)
    person, trial, time, shares, strength, stress = [], [], [], [], [], []
    stretches = {}
    for number in range(people):
        name = f"P{number}"
        order = list(CONDITIONS)
        if number % 2:
            order[1], order[3] = order[3], order[1]
        clock = 100.0 * number
        stretches[name] = (clock, clock + BASELINE)
        for condition in order:
            base = rng.integers(1, 4, 10)
            base[5:] = 4 if condition == "TSST" else 1
            for step in range(seconds + GAP):
                clock += 1
                rated = step < seconds
                person.append(name)
                trial.append(condition if rated else "")
                time.append(clock)
                shares.append(distribution(base.astype(float)) if rated else np.full(10, np.nan))
                strength.append(intensity(base.astype(float), (1, 5)) if rated else np.nan)
                stress.append(condition == "TSST" and rated)
    count = len(time)
    flags = np.array(stress, dtype=float)
    who = np.array(person)
    offset = rng.normal(0, 0.5, people)[[int(p[1:]) for p in person]]
    features = {
        "ppg": np.column_stack([flags * 0.5 + rng.normal(size=count), rng.normal(size=count)]),
        "eda": np.column_stack([flags * 2 + offset + rng.normal(0, 0.5, count)]),
        "acc": np.column_stack([flags * 0.3 + rng.normal(size=count)]),
    }
    trials = np.array(trial)
    clock_of = np.array(time)
    missing = (who == "P0") & (trials == "Fun")
    features["eda"][missing] = np.nan
    starts = np.array([stretches[p][0] for p in person])
    return Table(
        dataset="synthetic",
        rig="test",
        labels=PANAS10,
        stress=frozenset({"TSST"}),
        hop=1.0,
        roles={"ppg": "primary", "eda": "auxiliary", "acc": "behavioural"},
        names={"ppg": ("a", "b"), "eda": ("c",), "acc": ("d",)},
        versions={"ppg": "ppg 1", "eda": "eda 1", "acc": "acc 1"},
        features={name: values.astype(np.float32) for name, values in features.items()},
        mask={
            "ppg": np.ones(count, dtype=bool),
            "eda": ~missing,
            "acc": np.ones(count, dtype=bool),
        },
        person=who,
        trial=trials,
        condition=trials,
        time=clock_of,
        elapsed=clock_of - starts,
        warm_up=np.zeros(count, dtype=bool),
        is_baseline=(clock_of > starts) & (clock_of <= starts + BASELINE),
        distribution=np.array(shares),
        intensity=np.array(strength, dtype=float),
        stretches=stretches,
        left_out=("P9 Fun: no answer for upset",),
        note="Made up.",
    )
