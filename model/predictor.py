"""The resident predictor: windows in, distributions out, with a radius and an explanation."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from model.backends import MAX_ROWS, make_backend
from model.batch import Batch, from_windows
from model.checkpoint import Checkpoint
from model.device import resolve_device
from model.ensemble import split_output
from model.mpcl import Mpcl
from realtime.window import Prediction, Window


@dataclass(frozen=True, slots=True)
class Explanation:
    """Why a window got its distribution.

    Attributes
    ----------
    physiological, behavioural : tuple of (int, float)
        Prototypes of each bank that the window addressed most, and how strongly (0 to 1), in
        falling order; of the first network of an ensemble. Empty for a modality that is missing.
    sources : tuple of str
        What the model draws on: ``ppg+eda`` stands for the pulse associated with skin
        conductance.
    attention : ndarray of float64, shape (C, len(sources))
        How much each emotion's slot draws on each source, followed through all blocks and
        averaged over the ensemble; rows sum to 1.
    """

    physiological: tuple[tuple[int, float], ...]
    behavioural: tuple[tuple[int, float], ...]
    sources: tuple[str, ...]
    attention: NDArray[np.float64]


class Predictor:
    """A checkpoint that stays on its device and predicts batches of windows.

    A window's distribution does not depend on what else is in the batch.

    Parameters
    ----------
    checkpoint : Checkpoint
    device : str
        ``auto``, ``cpu`` or ``cuda``.

    Raises
    ------
    InputError
        If ``cuda`` is asked for and absent.
    """

    def __init__(self, checkpoint: Checkpoint, device: str = "auto") -> None:
        self.checkpoint = checkpoint
        self.device = resolve_device(device)
        self._ensemble = checkpoint.ensemble
        self._modalities = self._ensemble.names
        self._backend = make_backend(self._ensemble, self.device)

    @property
    def emotions(self) -> tuple[str, ...]:
        """Names of the C emotions."""
        return self.checkpoint.emotions

    @property
    def negative(self) -> tuple[bool, ...]:
        """True for each unpleasant emotion."""
        return tuple(valence < 0 for valence in self.checkpoint.labels.valence)

    @property
    def training_mean(self) -> NDArray[np.float64]:
        """Mean distribution of the training people, shape (C,)."""
        return self.checkpoint.mean

    def __call__(self, windows: Sequence[Window]) -> Prediction:
        """Predict the windows of any number of participants."""
        if not windows:
            return Prediction(np.zeros((0, len(self.emotions))), np.zeros(0), np.zeros(0))
        return self.predict(from_windows(windows, self._modalities))

    def predict(self, batch: Batch) -> Prediction:
        """Predict windows that are already stacked; modalities that are not there are missing."""
        table = self._ensemble.pack(batch)
        parts = [
            self._backend(table[row : row + MAX_ROWS]) for row in range(0, len(table), MAX_ROWS)
        ]
        columns = len(self.emotions) + 1
        output = np.concatenate(parts) if parts else np.zeros((0, columns), dtype=np.float32)
        distributions, intensity = split_output(output)
        radius = np.full(len(output), self.checkpoint.radius)
        return Prediction(distributions, radius, intensity)

    def explain(self, windows: Sequence[Window], prototypes: int = 5) -> tuple[Explanation, ...]:
        """Say for each window which prototypes it addressed, and what each emotion drew on.

        Parameters
        ----------
        windows : sequence of Window
        prototypes : int
            How many prototypes to name.
        """
        if not windows:
            return ()
        table = self._ensemble.pack(from_windows(windows, self._modalities))
        features, mask = self._ensemble.unpack(torch.from_numpy(table))
        first = self._ensemble.first
        names = tuple(dict.fromkeys("+".join(source) for source in first.sources))
        with torch.inference_mode():
            outputs = [member(features, mask) for member in self._ensemble.members]
            drawn = [_drawn(first, output.slot_weights, names) for output in outputs]
            attention = torch.stack(drawn).mean(dim=0).numpy().astype(np.float64)
            addressed = outputs[0]
            physiological = _strongest(addressed.physiological_address, prototypes)
            behavioural: list[tuple[tuple[int, float], ...]] = [()] * len(windows)
            if addressed.behavioural_address is not None:
                behavioural = _strongest(addressed.behavioural_address, prototypes)
        there = np.any([mask[n].numpy() for n in (first.primary, *first.auxiliaries)], axis=0)
        moved = np.zeros(len(windows), dtype=bool)
        if first.behavioural is not None:
            moved = mask[first.behavioural].numpy()
        return tuple(
            Explanation(
                physiological=physiological[row] if there[row] else (),
                behavioural=behavioural[row] if moved[row] else (),
                sources=names,
                attention=attention[row],
            )
            for row in range(len(windows))
        )


def _drawn(network: Mpcl, weights: Sequence[Tensor], names: Sequence[str]) -> Tensor:
    """Follow the slots' weights back to the input tokens, (N, C, len(names))."""
    share = weights[-1]
    for earlier in reversed(weights[:-1]):
        share = share @ earlier
    rows, emotions, _ = share.shape
    stretches = share.reshape(rows, emotions, len(network.sources), -1).sum(dim=-1)
    total = torch.zeros(*stretches.shape[:2], len(names))
    for index, source in enumerate(network.sources):
        total[..., names.index("+".join(source))] += stretches[..., index]
    return total / total.sum(dim=-1, keepdim=True)


def _strongest(address: Tensor, count: int) -> list[tuple[tuple[int, float], ...]]:
    """Return the `count` largest entries of each row (N, K), with their indices."""
    values, indices = torch.topk(address, min(count, address.shape[1]), dim=1)
    return [
        tuple((int(i), float(v)) for i, v in zip(row_i, row_v, strict=True))
        for row_i, row_v in zip(indices.tolist(), values.tolist(), strict=True)
    ]
