"""Search for MPCL's settings, with Optuna, on windows that no fold of the protocol tests.

What the search minimises is the KL on an inner validation split of the *training* part: for models
of one person, five parts of that person's training windows (or training trials); for strangers,
groups of the people that are left when a quarter of them is kept out of the search altogether. Only
when the search is over, the best settings and those that it started from are each trained once
more, and tested on what was kept out.

Four trials are drawn at a time and worked off in parallel, and each draw has a seed of its own, so
that the result depends neither on the number of workers nor on interruptions. A trial whose first
inner fold is worse than the median of the earlier trials' ends there (Optuna's MedianPruner).
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import logging
import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from model import metrics
from model.datasets.table import Table
from model.evaluation import Outcome, Plan, check, run_folds
from model.evaluation import Progress as EvaluationProgress
from model.pieces import Piece, code_digest, data_digest
from model.protocols import Fold
from model.search_space import Between, Choices, point_of, settings_at, space
from model.settings import MpclSettings, Variant
from model.sweep_folds import Ground, ground
from model.systems import SYSTEMS, preset
from realtime.errors import InputError

if TYPE_CHECKING:
    import optuna

log = logging.getLogger(__name__)

BATCH = 4
"""Trials that are drawn at a time."""

STARTUP = 5
"""Trials that are finished before any ends early."""

JOURNAL = "sweep.journal"

Progress = Callable[[str, int, int], None]
"""Called with what is being done, how many settings are tried, and how many there will be."""


@dataclass(frozen=True)
class Found:
    """Result of a search.

    Attributes
    ----------
    start, best : MpclSettings
        What it started from, and what did best; the same if nothing did better.
    start_kl, best_kl : float
        Mean KL on the inner validation folds.
    start_tested, best_tested : float
        Mean KL of both on what the search never saw.
    trials : DataFrame
        A row a trial: ``trial``, ``state``, ``kl`` (of the folds that were done), ``error``, and
        the settings.
    about : str
        What was searched on.
    """

    start: MpclSettings
    best: MpclSettings
    start_kl: float
    best_kl: float
    start_tested: float
    best_tested: float
    trials: pd.DataFrame
    about: str

    def toml(self) -> str:
        """Return the best settings as the table that ``--settings`` reads."""
        lines = [
            f"# Validation KL {self.best_kl:.5f}; {self.start_kl:.5f} at the start of the search.",
            f"# On what the search never saw: {self.best_tested:.5f}; {self.start_tested:.5f}.",
            f"# {self.about}.",
            "[mpcl]",
        ]
        # Numbers, strings and flat lists are written alike in JSON and TOML.
        lines += [f"{key} = {json.dumps(value)}" for key, value in self.best.to_dict().items()]
        return "\n".join(lines) + "\n"


def require_optuna() -> None:
    """Refuse a sweep where Optuna is not installed; InputError says how to get it."""
    if find_spec("optuna") is None:
        raise InputError(
            "a sweep needs Optuna, which is not installed: pip install 'affectstream[sweep]'"
        )


def sweep(
    table: Table,
    plan: Plan,
    trials: int,
    out: Path,
    workers: int = 1,
    address: str | None = None,
    progress: Progress | None = None,
) -> Found:
    """Search for settings of MPCL; the same call goes on where it was interrupted.

    Parameters
    ----------
    table : Table
    plan : Plan
        Its protocol, first seed, modalities, device, and its preset or settings, where the search
        starts; its models do not matter.
    trials : int
        How many settings to try, the start included.
    out : Path
        Folder for the journal of the search.
    workers, address, progress
        As in `model.evaluation.run`; progress counts trials.

    Raises
    ------
    InputError
        If Optuna is not installed, the plan does not fit the data, or `out` holds another search.
    """
    require_optuna()
    plan = dataclasses.replace(plan, models=("mpcl",), seeds=plan.seeds[:1])
    check(table, plan)
    start = plan.settings or preset(plan.preset)
    where = ground(table, plan.protocol, plan.seeds[0])
    search = _Search(table, plan, start, where, out, workers, address)
    search.run(trials, progress)
    return search.found()


@dataclass
class _Search:
    """One search, on disk after every step."""

    table: Table
    plan: Plan
    start: MpclSettings
    where: Ground
    out: Path
    workers: int
    address: str | None

    def __post_init__(self) -> None:
        self.ranges = space(self.start)
        self.seed = self.plan.seeds[0]
        self.study = self._study()
        self.progress: EvaluationProgress | None = None

    def _study(self) -> optuna.Study:
        import optuna
        from optuna.storages.journal import JournalFileBackend, JournalFileOpenLock

        optuna.logging.set_verbosity(optuna.logging.WARNING)
        self.out.mkdir(parents=True, exist_ok=True)
        journal = str(self.out / JOURNAL)
        # This lock works on Windows too; the other kind needs a privilege there.
        backend = JournalFileBackend(journal, JournalFileOpenLock(journal))
        study = optuna.create_study(
            storage=optuna.storages.JournalStorage(backend),
            study_name="mpcl",
            pruner=optuna.pruners.MedianPruner(n_startup_trials=STARTUP),
            load_if_exists=True,
        )
        mark = self._fingerprint()
        if study.user_attrs.setdefault("search", mark) != mark:
            raise InputError(
                f"{str(self.out)!r} holds another search (other data, protocol, start, seed or "
                "program): give --out another folder"
            )
        study.set_user_attr("search", mark)
        if not study.trials:
            study.enqueue_trial(point_of(self.start, self.ranges))
        for trial in study.get_trials(states=[optuna.trial.TrialState.RUNNING]):
            # Interrupted: done again, under a new number.
            study.tell(trial.number, state=optuna.trial.TrialState.FAIL)
            study.enqueue_trial(trial.params)
        return study

    def _fingerprint(self) -> str:
        parts = [
            *(self.plan.protocol, self.seed, self.plan.modalities, self.plan.device),
            *(self.start.to_dict(), data_digest(self.table, ()), code_digest(SYSTEMS["mpcl"])),
        ]
        return hashlib.sha256(json.dumps(parts).encode()).hexdigest()

    def finished(self) -> list[optuna.trial.FrozenTrial]:
        """Return the trials that are done, in order; interrupted ones do not count."""
        return [
            trial
            for trial in self.study.trials
            if trial.state.name in ("COMPLETE", "PRUNED") or "error" in trial.user_attrs
        ]

    def run(self, trials: int, progress: Progress | None) -> None:
        """Try settings until `trials` are done."""
        while (done := len(self.finished())) < trials:
            numbers = range(done, min(trials, (done // BATCH + 1) * BATCH))
            self.progress = _within(progress, numbers, trials)
            self._batch(numbers)
            self.table_of_trials().to_csv(self.out / "trials.csv", index=False, lineterminator="\n")
        self.progress = None

    def _batch(self, numbers: range) -> None:
        """Draw some settings, and take them through the inner folds together."""
        import optuna

        asked = {}
        for number in numbers:
            # A seed a draw: a sampler's own state would not outlive an interruption.
            self.study.sampler = optuna.samplers.TPESampler(seed=self.seed * 100_003 + number)
            asked[f"trial {number}"] = self.study.ask(_distributions(self.ranges))
        points = {name: settings_at(trial.params, self.start) for name, trial in asked.items()}
        first = self._evaluate(points, self.where.rounds[0], self.out / "work")
        errors = {failure.model: failure.error for failure in first.failures}
        pruned = set()
        for name in points:
            if name not in errors:
                asked[name].report(self._kl(first.pieces, name), 0)
                if len(self.where.rounds) > 1 and asked[name].should_prune():
                    pruned.add(name)
        left = {name: points[name] for name in points if name not in pruned | set(errors)}
        rest = [fold for folds in self.where.rounds[1:] for fold in folds]
        pieces = list(first.pieces)
        if left and rest:
            second = self._evaluate(left, rest, self.out / "work")
            errors |= {failure.model: failure.error for failure in second.failures}
            pieces += second.pieces
        for name, trial in asked.items():
            if name in errors:
                log.warning("%s failed: %s", name, errors[name])
                trial.set_user_attr("error", errors[name])
                self.study.tell(trial, state=optuna.trial.TrialState.FAIL)
            elif name in pruned:
                self.study.tell(trial, state=optuna.trial.TrialState.PRUNED)
            else:
                self.study.tell(trial, self._kl(pieces, name))
        shutil.rmtree(self.out / "work", ignore_errors=True)

    def _evaluate(
        self, points: Mapping[str, MpclSettings], folds: Sequence[Fold], folder: Path
    ) -> Outcome:
        variants = {
            name: Variant({field.name: getattr(one, field.name) for field in fields(one)})
            for name, one in points.items()
        }
        plan = dataclasses.replace(self.plan, models=tuple(points), variants=variants)
        return run_folds(
            self.table,
            plan,
            folds,
            folder,
            workers=self.workers,
            address=self.address,
            progress=self.progress,
        )

    def _kl(self, pieces: Sequence[Piece], name: str) -> float:
        """Return the mean over people of the mean KL of their windows."""
        own = [piece for piece in pieces if piece.model == name]
        rows = np.concatenate([piece.rows for piece in own])
        guess = np.concatenate([piece.prediction for piece in own])
        values = metrics.kl_divergence(self.table.distribution[rows], guess)
        return float(metrics.trial_means(values, self.table.person[rows]).mean())

    def table_of_trials(self) -> pd.DataFrame:
        """Return a row a finished trial."""
        rows = [
            {
                "trial": number,
                "state": {"COMPLETE": "done", "PRUNED": "ended early"}.get(
                    trial.state.name, "failed"
                ),
                "kl": trial.value,
                "error": trial.user_attrs.get("error", ""),
                **trial.params,
            }
            for number, trial in enumerate(self.finished())
        ]
        return pd.DataFrame(rows)

    def found(self) -> Found:
        """Test the start and the best on what the search never saw."""
        rows = self.table_of_trials()
        done = rows[rows["state"] == "done"]
        if 0 not in done.index:
            raise RuntimeError(f"the settings that the search starts from failed: {rows.error[0]}")
        number = int(done["trial"].iloc[int(np.argmin(done["kl"].astype(float)))])
        points = {
            "start": self.start,
            "best": settings_at(self.finished()[number].params, self.start),
        }
        outcome = self._evaluate(points, self.where.outer, self.out / "tested")
        if outcome.failures:
            raise RuntimeError(f"the test of the best settings failed: {outcome.failures[0].error}")
        found = Found(
            start=self.start,
            best=points["best"],
            start_kl=float(done["kl"][0]),
            best_kl=float(done["kl"][number]),
            start_tested=self._kl(outcome.pieces, "start"),
            best_tested=self._kl(outcome.pieces, "best"),
            trials=rows,
            about=self.where.about,
        )
        (self.out / "best.toml").write_text(found.toml(), encoding="utf-8", newline="\n")
        return found


def _within(progress: Progress | None, numbers: range, trials: int) -> EvaluationProgress | None:
    """Return the progress of an evaluation's folds as that of the settings it belongs to."""
    if progress is None:
        return None

    def tell(what: str, done: int, total: int, left: float | None = None) -> None:
        among = f"{numbers.start + 1} to {numbers.stop}"
        progress(f"{among}, fold {done} of {total}", numbers.start, trials)

    return tell


def _distributions(
    ranges: Mapping[str, Choices | Between],
) -> dict[str, optuna.distributions.BaseDistribution]:
    """Return the space in Optuna's words."""
    from optuna import distributions as of

    made: dict[str, optuna.distributions.BaseDistribution] = {}
    for name, one in ranges.items():
        if isinstance(one, Choices):
            made[name] = of.CategoricalDistribution(one.values)
        elif one.whole:
            made[name] = of.IntDistribution(int(one.low), int(one.high), log=one.logarithmic)
        else:
            made[name] = of.FloatDistribution(one.low, one.high, log=one.logarithmic)
    return made
