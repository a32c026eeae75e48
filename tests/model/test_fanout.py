"""Work over processes: one of them dying takes its own task along, and nothing else."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

import pytest

from model import fanout
from model.adaptation import Evidence, LabelShrinkage, Predicts
from model.evaluation import Plan, run
from model.systems import System
from realtime.errors import InputError
from tests.model.tables import synthetic_table


@dataclass(frozen=True)
class Deadly(LabelShrinkage):
    """Ends its process, as lack of memory would, when it is given the trials of P1."""

    name: str = "deadly"

    def __call__(self, system: System, population: Evidence, own: Evidence) -> Predicts:
        if own.groups[0] == "P1":
            os._exit(1)
        return super().__call__(system, population, own)


def test_a_dead_process_is_a_failure_of_its_task_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # The first death counts: no task may have been given to a process that dies of another.
    monkeypatch.setitem(fanout.SETTINGS, "distributed.scheduler.allowed-failures", 0)
    plan = Plan("calibrated-k", ("train-mean",), seeds=(0,), shots=(1,))
    table = synthetic_table(people=3)
    outcome = run(table, plan, tmp_path, workers=2, adaptations=(Deadly(),))
    assert {one.person for one in outcome.failures} == {"P1"}
    assert all("KilledWorker" in one.error for one in outcome.failures)
    assert {(one.person, one.adaptation) for one in outcome.pieces} == {
        (person, adaptation) for person in ("P0", "P2") for adaptation in ("none", "deadly")
    }


def test_no_scheduler_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fanout, "CONNECT_SECONDS", 1)
    with (
        pytest.raises(InputError, match=r"no Dask scheduler answers at 'tcp://127\.0\.0\.1:9'"),
        fanout.cluster(1, "tcp://127.0.0.1:9"),
    ):
        pass
