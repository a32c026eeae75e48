"""Datasets for the commands that train: found, converted with a progress bar, joined."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from pathlib import Path

from apps.cli.output import error_console
from model.datasets import Dataset, FeatureDataset
from model.datasets import dataset as find_dataset
from model.datasets.convert import convert
from model.datasets.table import Table
from realtime.errors import InputError
from realtime.rig import Rig, load_rig


@contextlib.contextmanager
def progress_bar(title: str) -> Iterator[Callable[[str, int, int], None]]:
    """Show a bar on standard error; yield the function that moves it: what, done, of how many."""
    from rich.progress import Progress

    with Progress(console=error_console(), transient=True) as bar:
        task = bar.add_task(title, total=None)

        def advance(what: str, done: int, total: int) -> None:
            bar.update(task, description=f"{title}: {what}", completed=done, total=total)

        yield advance


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
