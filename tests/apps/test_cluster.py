"""``--dask``: a scheduler and a worker of their own, as on a cluster."""

from __future__ import annotations

import contextlib
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from apps.cli.main import main
from model.datasets import dataset
from model.evaluation import Plan, run
from tests.apps.commands import until
from tests.model.datasets.writers import write_dmer_sample


@contextlib.contextmanager
def started(*words: str) -> Iterator[None]:
    """Run one of Dask's own commands while the block runs."""
    command = [sys.executable, "-P", "-m", *words]
    child = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        yield
    finally:
        child.kill()
        child.wait()


def test_a_cluster_gives_the_same_table(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    write_dmer_sample(tmp_path / "sample")
    table = dataset("dmer-sample").table(tmp_path / "sample")
    plan = Plan("paper-sd", ("trees", "train-mean"), seeds=(0, 1), preset="person")
    here = run(table, plan, tmp_path / "here").pieces
    words = ["evaluate", "--dataset", "dmer-sample", "--root", str(tmp_path / "sample")]
    words += ["--protocol", "paper-sd", "--models", "trees,train-mean", "--seeds", "2", "--json"]
    file = tmp_path / "scheduler.json"
    local = ("--host", "127.0.0.1", "--no-dashboard")
    scheduler = ("distributed.cli.dask_scheduler", "--port", "0", "--scheduler-file", str(file))
    worker = ("distributed.cli.dask_worker", "--scheduler-file", str(file), "--nthreads", "1")
    with started(*scheduler, *local), started(*worker, "--no-nanny", *local):
        address = until(lambda: file.exists() and json.loads(file.read_text() or "{}"), 60)
        there = ["--dask", address["address"], "--out", str(tmp_path / "there")]
        assert main([*words, *there]) == 0
    # The folds that came back are kept under the same names as those of one process.
    folds = [sorted(p.name for p in (tmp_path / w / "folds").iterdir()) for w in ("here", "there")]
    assert folds[0] == folds[1] and len(folds[0]) == 4
    there_again = run(table, plan, tmp_path / "there").pieces
    for one, other in zip(here, there_again, strict=True):
        assert one.prediction.tobytes() == other.prediction.tobytes()


def test_a_scheduler_that_is_not_there(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_dmer_sample(tmp_path / "sample")
    words = ["evaluate", "--dataset", "dmer-sample", "--root", str(tmp_path / "sample")]
    words += ["--protocol", "paper-sd", "--models", "train-mean", "--out", str(tmp_path / "out")]
    assert main([*words, "--dask", "nowhere"]) == 2
    assert "no Dask scheduler answers at 'nowhere'" in capsys.readouterr().err
