"""One or more MPCL networks as one function from a flat table to shares and intensity."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from model.batch import Batch
from model.device import one_thread
from model.mpcl import Mpcl
from realtime.errors import InputError

# Rows that go through the networks at once: enough to be efficient, little enough for memory.
_ROWS = 256


class Ensemble(nn.Module):
    """Networks of the same shape, whose distributions and intensities are averaged.

    The input is one table, so that one copy takes it to a device: the features of all modalities
    beside each other, then one column a modality that is 1 where it is present and 0 where not.

    Parameters
    ----------
    members : sequence of Mpcl
        At least one; put into evaluation mode.
    """

    def __init__(self, members: Sequence[Mpcl]) -> None:
        super().__init__()
        self.members = nn.ModuleList(members)
        self.first = members[0]
        self.names = self.first.modalities
        self.widths = tuple(self.first.sizes[name] for name in self.names)
        self.columns = sum(self.widths) + len(self.names)
        self.eval()

    def unpack(self, table: Tensor) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
        """Return features and masks by modality from a table (N, columns)."""
        *features, flags = torch.split(table, [*self.widths, len(self.names)], dim=1)
        mask = {name: flags[:, index] > 0.5 for index, name in enumerate(self.names)}
        return dict(zip(self.names, features, strict=True)), mask

    def forward(self, table: Tensor) -> Tensor:
        """Map a table (N, columns) to (N, C + 1): the shares, then the intensity."""
        features, mask = self.unpack(table)
        shares, strengths = [], []
        for member in self.members:
            output = member(features, mask)
            shares.append(output.log_distribution.exp())
            strengths.append(output.intensity)
        distribution = torch.stack(shares).mean(dim=0)
        intensity = torch.stack(strengths).mean(dim=0)
        return torch.cat([distribution, intensity[:, None]], dim=1)

    def pack(self, batch: Batch) -> NDArray[np.float32]:
        """Return a batch as a table (N, columns).

        Modalities that the batch lacks are missing in every row; further ones are ignored.

        Raises
        ------
        InputError
            If a modality has another number of features than the networks take.
        """
        table = np.zeros((len(batch), self.columns), dtype=np.float32)
        column = 0
        for index, (name, width) in enumerate(zip(self.names, self.widths, strict=True)):
            if name in batch.features:
                values = batch.features[name]
                if values.shape[1] != width:
                    raise InputError(
                        f"modality {name!r} has {values.shape[1]} features, the model takes "
                        f"{width}: use the rig that it was trained with"
                    )
                table[:, column : column + width] = values
                table[:, index - len(self.names)] = batch.mask[name]
            column += width
        return table

    def predict(self, batch: Batch) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return distributions (N, C), exact to float64 rounding, and intensities (N,)."""
        table = torch.from_numpy(self.pack(batch))
        with torch.inference_mode(), one_thread():
            parts = [self(table[row : row + _ROWS]) for row in range(0, len(table), _ROWS)]
        if not parts:
            return np.zeros((0, self.first.emotions)), np.zeros(0)
        return split_output(torch.cat(parts).numpy())

    def address(self, batch: Batch) -> NDArray[np.float32]:
        """Return how strongly windows address each physiological prototype, shape (N, K).

        Of the first network: the prototypes of different networks share nothing but their number.
        """
        table = torch.from_numpy(self.pack(batch))
        address = np.zeros((len(table), self.first.settings.prototypes), dtype=np.float32)
        with torch.inference_mode(), one_thread():
            for row in range(0, len(table), _ROWS):
                output = self.first(*self.unpack(table[row : row + _ROWS]))
                address[row : row + _ROWS] = output.physiological_address.numpy()
        return address


def split_output(
    output: NDArray[np.float32],
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return shares that sum to 1 in float64, and intensities, from what `Ensemble` gives."""
    shares = np.maximum(output[:, :-1].astype(np.float64), 0.0)
    return shares / shares.sum(axis=1, keepdims=True), output[:, -1].astype(np.float64)
