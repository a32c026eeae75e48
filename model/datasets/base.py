"""What a dataset is: recordings of people with rated trials, or features that others computed."""

from __future__ import annotations

import math
import os
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from model.datasets.table import Table
from model.labels import LabelSet
from realtime.errors import InputError
from realtime.recording import Recording


@dataclass(frozen=True, slots=True)
class Trial:
    """A stretch of a session that a person rated.

    Attributes
    ----------
    name : str
        Unique among the trials of a person.
    condition : str
        What was done, as the dataset names it.
    start, stop : float
        On the person's clock, in seconds.
    ratings : mapping of str to float
        Raw score of each item of the dataset's label set; NaN where it was not answered.
    """

    name: str
    condition: str
    start: float
    stop: float
    ratings: Mapping[str, float]

    @property
    def unanswered(self) -> tuple[str, ...]:
        """Items without an answer; a trial with any is left out of training and testing."""
        return tuple(item for item, score in self.ratings.items() if math.isnan(score))


@dataclass(frozen=True, slots=True)
class Session:
    """One recording of one person.

    Attributes
    ----------
    participant : str
    name : str
        Unique in the dataset.
    trials : tuple of Trial
    baseline : tuple of float or None
        Stated stretch of rest on the person's clock, in seconds; None where this recording has
        none.
    files : tuple of Path
        What `read` reads; their size and age tell whether a cached conversion is still good.
    read : callable
        Reads the recording. All recordings of a person are on one clock.
    """

    participant: str
    name: str
    trials: tuple[Trial, ...]
    baseline: tuple[float, float] | None
    files: tuple[Path, ...]
    read: Callable[[], Recording]


class Published(ABC):
    """One public dataset in its own layout.

    Attributes
    ----------
    name : str
        As ``--dataset`` takes it.
    folder : str
        Where it is looked for inside the folder that `AFFECTSTREAM_DATA` names.
    source : str
        Where to get it, for the message that it is missing.
    labels : LabelSet
    stress : frozenset of str
        Conditions that were meant to stress; empty if there is none.
    note : str
        What every table of this dataset must say.
    simulated : bool
        Nobody was measured; a checkpoint that is trained on it only demonstrates, and says so.
    """

    name: ClassVar[str]
    folder: ClassVar[str]
    source: ClassVar[str]
    labels: ClassVar[LabelSet]
    stress: ClassVar[frozenset[str]] = frozenset()
    note: ClassVar[str] = ""
    simulated: ClassVar[bool] = False

    def root(self, given: Path | None = None) -> Path:
        """Return the dataset's folder: the given one, else where `AFFECTSTREAM_DATA` says.

        Raises
        ------
        InputError
            If there is no such folder.
        """
        if given is not None:
            path = Path(given)
        elif os.environ.get("AFFECTSTREAM_DATA"):
            path = Path(os.environ["AFFECTSTREAM_DATA"]) / self.folder
        else:
            raise InputError(
                f"dataset {self.name!r} needs a folder: give --root, or set AFFECTSTREAM_DATA to "
                f"the folder that holds {self.folder!r}; get it from {self.source}"
            )
        if not path.is_dir():
            raise InputError(
                f"no folder {str(path)!r} for dataset {self.name!r}: give --root; "
                f"get it from {self.source}"
            )
        return path


class Dataset(Published):
    """A loader of recordings: signals, which go through the engine as they would live.

    Attributes
    ----------
    rig : str
        The rig that ships for these sensors.
    """

    rig: ClassVar[str] = "wrist"

    @abstractmethod
    def sessions(self, root: Path) -> tuple[Session, ...]:
        """List every recording under `root`, person by person, in order of time.

        Raises
        ------
        InputError
            If something that the dataset needs is missing or damaged.
        """


class FeatureDataset(Published):
    """A loader of features that were published as such.

    No sensor gives them live, and no rig computes them: they serve to compare models, not to train
    one that ships.
    """

    @abstractmethod
    def table(self, root: Path) -> Table:
        """Read everything under `root`.

        Raises
        ------
        InputError
            If something that the dataset needs is missing or damaged.
        """
