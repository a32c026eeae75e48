"""Datasets for the commands that train: found, converted with a progress bar, joined."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from pathlib import Path

from apps.cli.output import error_console
from model.datasets import dataset as find_dataset
from model.datasets.convert import convert
from model.datasets.table import Table
from realtime.errors import InputError
from realtime.rig import Rig


@contextlib.contextmanager
def progress_bar(title: str) -> Iterator[Callable[[str, int, int], None]]:
    """Show a bar on standard error; yield the function that moves it: what, done, of how many."""
    from rich.progress import Progress

    with Progress(console=error_console(), transient=True) as bar:
        task = bar.add_task(title, total=None)

        def advance(what: str, done: int, total: int) -> None:
            bar.update(task, description=f"{title}: {what}", completed=done, total=total)

        yield advance


def load_tables(
    name: str, root: Path | None, also: str, rig: Rig, workers: int
) -> tuple[Table, list[Table]]:
    """Convert a dataset, and the comma-separated ones in `also`, for a rig.

    Raises
    ------
    InputError
        If one is unknown, absent, incomplete, or named twice.
    """
    main = find_dataset(name)
    extra = [find_dataset(word.strip()) for word in also.split(",") if word.strip()]
    for position, one in enumerate(extra):
        if one.name in [main.name, *(other.name for other in extra[:position])]:
            raise InputError(f"--also names {one.name!r} twice: give other datasets than --dataset")
    # All folders are found before the first one is converted.
    folders = [main.root(root), *(one.root() for one in extra)]
    tables = []
    for one, folder in zip([main, *extra], folders, strict=True):
        with progress_bar(f"converting {one.name}") as progress:
            tables.append(convert(one, folder, rig, workers=workers, progress=progress))
    return tables[0], tables[1:]
