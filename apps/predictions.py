"""Predictions and features as tables on disk."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from realtime.engine import Result
from realtime.features import entries
from realtime.rig import Rig


class PredictionTable:
    """Rows of ``predictions.parquet`` and ``features.parquet``, one a window.

    Parameters
    ----------
    rig : Rig
    emotions : sequence of str
    offset : float or None
        What a replay added to the clock of the recording that it plays; None if it is no replay.
    """

    def __init__(self, rig: Rig, emotions: tuple[str, ...], offset: float | None = None) -> None:
        self._rig = rig
        self._emotions = emotions
        self.offset = offset
        self._results: list[Result] = []

    @property
    def emotions(self) -> tuple[str, ...]:
        """Names of the emotions."""
        return self._emotions

    def __len__(self) -> int:
        return len(self._results)

    def add(self, result: Result) -> None:
        """Add a window."""
        self._results.append(result)

    def predictions(self) -> pd.DataFrame:
        """Return one row a window.

        Columns: `time` (s, end of the window), `participant`, a share for each emotion, `radius`,
        `intensity`, and for each modality ``mask.<modality>`` (used or not),
        ``valid.<modality>`` (share of valid samples), ``quality.<modality>`` and
        ``age.<modality>`` (s); then `warm_up` and `baseline`.
        """
        shares = np.array([r.distribution for r in self._results])
        shares = shares.reshape(len(self._results), len(self._emotions))
        columns = self._keys()
        for i, emotion in enumerate(self._emotions):
            columns[emotion] = shares[:, i]
        columns["radius"] = np.array([r.radius for r in self._results], float)
        columns["intensity"] = np.array([r.intensity for r in self._results], float)
        for modality in self._rig.modalities:
            name = modality.name
            windows = [r.window for r in self._results]
            columns[f"mask.{name}"] = np.array([w.mask[name] for w in windows], bool)
            columns[f"valid.{name}"] = np.array([w.valid[name] for w in windows], float)
            columns[f"quality.{name}"] = np.array([w.quality[name] for w in windows], float)
            columns[f"age.{name}"] = np.array([w.age[name] for w in windows], float)
        columns["warm_up"] = np.array([r.window.warm_up for r in self._results], bool)
        columns["baseline"] = np.array([r.window.baseline for r in self._results], object)
        return pd.DataFrame(columns)

    def features(self) -> pd.DataFrame:
        """Return one row a window: `time`, `participant`, and ``<modality>.<feature>`` columns.

        A session that watched a replay has a column `replay_time` too, in both tables: the window's
        end on the clock of the recording that was played.
        """
        columns = self._keys()
        for modality in self._rig.modalities:
            names = [feature.name for feature in entries(modality)]
            rows = [r.window.features[modality.name] for r in self._results]
            values = np.array(rows, np.float32).reshape(-1, len(names))
            for i, name in enumerate(names):
                columns[f"{modality.name}.{name}"] = values[:, i]
        return pd.DataFrame(columns)

    def _keys(self) -> dict[str, np.ndarray]:
        time = np.array([r.window.time for r in self._results], float)
        keys = {
            "time": time,
            "participant": np.array([r.window.participant for r in self._results], object),
        }
        if self.offset is not None:
            keys["replay_time"] = time - self.offset
        return keys


def write_table(table: pd.DataFrame, path: Path, facts: Mapping[str, str] | None = None) -> None:
    """Write a parquet file in one step: a crash leaves the old file or the new one."""
    frame = pa.Table.from_pandas(table, preserve_index=False)
    if facts:
        frame = frame.replace_schema_metadata({**(frame.schema.metadata or {}), **facts})
    part = path.with_name(path.name + ".part")
    pq.write_table(frame, part)
    os.replace(part, path)
