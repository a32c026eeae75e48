"""DMER's features: one row a second, as the dataset's authors computed them.

A folder `N` for each participant (in `Aligned_data`, or directly) with

- `eegfea.mat`: `feas` (seconds, 5 bands, 18 electrodes), differential entropy, and `vids`;
- `perifea.mat`: `feas_gsr` (windows, 28) and `feas_ppg` (windows, 27), 5-s windows each second, and
  `vids`;
- `videoFea.mat`: `lbps_all` (seconds, 768), LBP-TOP of the face, and `vids`;
- `datas.mat`: `dis_label` (32 films, 10 items), scores over their sum.

`vids` says to which film a row belongs. Names, shapes and the order of electrodes, bands and items
are certain from the authors' programs (see `model.datasets.dmer`), as is that 5-s windows begin
with the fifth second of a film, so that the first four seconds of EEG and face go unused. The last
six statistics are of a complex spectrum; their magnitudes are taken. In the plane XY the authors'
program compares a pixel with other neighbours than Zhao and Pietikainen do: these features are not
those of a live face.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from model.datasets.base import FeatureDataset
from model.datasets.dmer import CITATION, FILMS, kind_of, participants
from model.datasets.feature_table import PersonFeatures, feature_table
from model.datasets.mat import read_mat
from model.datasets.table import Table
from model.labels import PANAS10, LabelSet, distribution
from realtime.errors import InputError

ELECTRODES = (
    *("P3", "C3", "F3", "Fz", "F4", "C4", "P4", "Cz", "Fp1"),
    *("Fp2", "T3", "T5", "O1", "O2", "F7", "F8", "T6", "T4"),
)
"""Order of the DSI-24's electrodes in the files."""

BANDS = ("delta", "theta", "alpha", "beta", "gamma")

_STATISTICS = ("median", "mean", "std", "min", "max", "min_share", "max_share")
STATISTICS = (
    *(f"{part}_{name}" for part in ("x", "dx", "ddx") for name in _STATISTICS),
    *(f"fft_{name}" for name in ("median", "mean", "std", "min", "max", "range")),
)
"""Names of the 27 statistics of a 5-s window."""

NAMES = {
    "eeg": tuple(f"{electrode}.{band}" for electrode in ELECTRODES for band in BANDS),
    "gsr": (*STATISTICS, "welch_mean"),
    "ppg": STATISTICS,
    "face": tuple(f"{plane}_{code}" for plane in ("XY", "XT", "YT") for code in range(256)),
}

ROLES = {"eeg": "primary", "gsr": "auxiliary", "ppg": "auxiliary", "face": "behavioural"}


class DmerFeatures(FeatureDataset):
    """Loader of the authors' feature files."""

    name: ClassVar[str] = "dmer-features"
    folder: ClassVar[str] = "dmer_features"
    source: ClassVar[str] = CITATION
    labels: ClassVar[LabelSet] = PANAS10
    note: ClassVar[str] = (
        "Published features; a window's time is its place in the file, so the clock rows mean "
        "nothing here."
    )

    def table(self, root: Path) -> Table:
        """Read every participant's folder; InputError as the base class says."""
        base = root / "Aligned_data" if (root / "Aligned_data").is_dir() else root
        people = [_person(base / str(number), number) for number in participants(base)]
        return feature_table(self, people, ROLES, NAMES)


def _person(folder: Path, number: int) -> PersonFeatures:
    eeg = read_mat(folder / "eegfea.mat", {"feas": (None, 5, 18), "vids": (None,)})
    band = read_mat(
        folder / "perifea.mat",
        {"feas_gsr": (None, 28), "feas_ppg": (None, 27), "vids": (None,)},
        kinds="biufc",
    )
    face = read_mat(folder / "videoFea.mat", {"lbps_all": (None, 768), "vids": (None,)})
    scores = read_mat(folder / "datas.mat", {"dis_label": (FILMS, len(PANAS10))})["dis_label"]
    parts = {
        # Electrodes outside, bands inside, as the names are.
        "eeg": (eeg["feas"].transpose(0, 2, 1).reshape(len(eeg["feas"]), -1), eeg["vids"]),
        "gsr": (_real(band["feas_gsr"]), band["vids"]),
        "ppg": (_real(band["feas_ppg"]), band["vids"]),
        "face": (face["lbps_all"], face["vids"]),
    }
    for name, (values, films) in parts.items():
        if len(values) != len(films):
            raise InputError(
                f"participant {number} has {len(values)} rows of {name}, but {len(films)} "
                "numbers of films: restore the files from DMER"
            )
    rows: dict[str, list] = {name: [] for name in parts}
    trials: list[int] = []
    for film in range(FILMS):
        own = {name: values[films == film] for name, (values, films) in parts.items()}
        # All end with the film.
        size = min(len(values) for values in own.values())
        for name, values in own.items():
            rows[name].append(values[len(values) - size :])
        trials += [film] * size
    if not trials:
        raise InputError(f"participant {number} has no second of any film: restore the files")
    return PersonFeatures(
        name=str(number),
        features={name: np.concatenate(values) for name, values in rows.items()},
        trial=[f"film {film}" for film in trials],
        condition=[kind_of(film) for film in trials],
        distribution=distribution(scores)[trials],
    )


def _real(statistics: NDArray[Any]) -> NDArray[np.float64]:
    """Take magnitudes of the spectrum's statistics; the other columns are real."""
    values = np.asarray(statistics.real, dtype=np.float64).copy()
    spectrum = slice(21, len(STATISTICS))
    values[:, spectrum] = np.abs(statistics[:, spectrum])
    return values
