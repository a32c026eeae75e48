"""Datasets for the commands that train: found, converted with a progress bar, joined."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from apps.cli.output import error_console
from model.datasets import Dataset, FeatureDataset
from model.datasets import dataset as find_dataset
from model.datasets.convert import convert
from model.datasets.table import Table
from realtime.errors import InputError
from realtime.rig import Rig, load_rig

if TYPE_CHECKING:
    from rich.progress import Task


class Advance(Protocol):
    """Moves a progress bar."""

    def __call__(self, what: str, done: int, total: int, left: float | None = None) -> None:
        """Say what was done last, how many of how many are, and how many seconds are left."""


@contextlib.contextmanager
def progress_bar(title: str) -> Iterator[Advance]:
    """Show a bar with the time left on standard error; yield the function that moves it.

    Who moves it may know the time left; else it follows from the pace so far.
    """
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, ProgressColumn, TextColumn
    from rich.text import Text

    class Left(ProgressColumn):
        def render(self, task: Task) -> Text:
            known = task.fields.get("left")
            return Text(time_left(task.time_remaining if known is None else known))

    text = TextColumn("{task.description}", markup=False)
    columns = (text, BarColumn(), MofNCompleteColumn(), Left())
    with Progress(*columns, console=error_console(), transient=True) as bar:
        task = bar.add_task(title, total=None)

        def advance(what: str, done: int, total: int, left: float | None = None) -> None:
            description = f"{title}: {what}" if what else title
            bar.update(task, description=description, completed=done, total=total, left=left)

        yield advance


def time_left(seconds: float | None) -> str:
    """Return the time left in words; empty while it is unknown."""
    if seconds is None:
        return ""
    if seconds < 90:
        return f"{round(seconds)} s left"
    minutes = round(seconds / 60)
    return f"{minutes} min left" if minutes < 90 else f"{minutes / 60:.1f} h left"


def rig_for(name: str, given: str) -> Rig | None:
    """Load the rig that was given, else a dataset's own; None for features without a rig.

    Raises
    ------
    InputError
        If dataset or rig is unknown, or a rig was given for features that were published as such.
    """
    found = find_dataset(name)
    if isinstance(found, Dataset):
        return load_rig(given or found.rig)
    if given:
        raise InputError(
            f"dataset {name!r} holds features, which no rig computes: leave --rig {given} out"
        )
    return None


def load_tables(
    name: str, root: Path | None, also: str, rig: Rig | None, workers: int
) -> tuple[Table, list[Table]]:
    """Convert a dataset, and the comma-separated ones in `also`, for a rig.

    A dataset of features, for which there is no rig, is read as it is.

    Raises
    ------
    InputError
        If one is unknown, absent, incomplete, or named twice, or features are to be joined.
    """
    main = find_dataset(name)
    extra = [find_dataset(word.strip()) for word in also.split(",") if word.strip()]
    for position, one in enumerate(extra):
        if one.name in [main.name, *(other.name for other in extra[:position])]:
            raise InputError(f"--also names {one.name!r} twice: give other datasets than --dataset")
    for one in (main, *extra):
        if isinstance(one, FeatureDataset) and extra:
            raise InputError(
                f"dataset {one.name!r} holds features of its own, which no other dataset has: "
                "leave --also out"
            )
    # All folders are found before the first one is converted.
    folders = [main.root(root), *(one.root() for one in extra)]
    tables = []
    for one, folder in zip([main, *extra], folders, strict=True):
        if isinstance(one, FeatureDataset):
            tables.append(one.table(folder))
            continue
        assert rig is not None
        with progress_bar(f"converting {one.name}") as progress:
            tables.append(convert(one, folder, rig, workers=workers, progress=progress))
    return tables[0], tables[1:]
