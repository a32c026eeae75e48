"""Work spread over processes of this machine, or a Dask cluster."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Iterator
from typing import TYPE_CHECKING

from realtime.errors import InputError

if TYPE_CHECKING:
    from distributed import Client

CONNECT_SECONDS = 10

SETTINGS = {
    # A worker gets a task when it is done with the last one, so that none is blamed for the crash
    # of another.
    "distributed.scheduler.worker-saturation": 1.0,
    # Dask makes the C library hand freed memory back at once, which doubles the time of a training
    # step: its tensors are freed and wanted again.
    "distributed.nanny.pre-spawn-environ": {
        **dict.fromkeys(("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"), 1),
        **dict.fromkeys(("MALLOC_TRIM_THRESHOLD_", "MALLOC_MMAP_THRESHOLD_"), 2**30),
    },
}
"""What differs from Dask's defaults."""


@contextlib.contextmanager
def cluster(workers: int, address: str | None = None) -> Iterator[Client]:
    """Yield a Dask client.

    Parameters
    ----------
    workers : int
        Processes to start on this machine, one thread each; they listen on its loopback interface
        only, and end with the block.
    address : str or None
        Scheduler of a cluster to use instead.

    Raises
    ------
    InputError
        If no scheduler answers at `address`.
    """
    # A second to import, which the serial way does not need.
    import dask
    from distributed import Client, LocalCluster

    # It tells of every connection otherwise.
    logging.getLogger("distributed").setLevel(logging.WARNING)
    with contextlib.ExitStack() as stack:
        stack.enter_context(dask.config.set(SETTINGS))
        if address is not None:
            try:
                client = Client(address, timeout=CONNECT_SECONDS)
            except (OSError, ValueError) as error:
                raise InputError(
                    f"no Dask scheduler answers at {address!r} ({error}): start one, or use "
                    "--workers"
                ) from error
            yield stack.enter_context(client)
            return
        local = stack.enter_context(
            LocalCluster(
                n_workers=workers,
                threads_per_worker=1,
                processes=True,
                host="127.0.0.1",
                dashboard_address="127.0.0.1:0",  # its own port: 8787 may be another run's
                memory_limit=0,
                silence_logs=logging.ERROR,
            )
        )
        yield stack.enter_context(Client(local))
