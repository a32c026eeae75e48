"""What all tasks of a cluster share, held by each of its processes.

A plugin of Dask: the scheduler hands it to every process, to those that start later too. Data that
tasks depend on would be lost with the processes that hold it.
"""

from __future__ import annotations

from distributed import WorkerPlugin, get_worker

from model.task import Results, Work, run_task


class Carrier(WorkerPlugin):  # type: ignore[misc]
    """Holds the work of an evaluation in a process of a cluster.

    Parameters
    ----------
    work : Work
    """

    name = "affectstream-work"

    def __init__(self, work: Work) -> None:
        self.work = work


def run_carried(number: int) -> Results:
    """Do one task of the work that this process holds; called by Dask."""
    return run_task(get_worker().plugins[Carrier.name].work, number)
