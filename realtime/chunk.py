"""A chunk: some samples of one stream, with their time stamps."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class Chunk:
    """Samples of one stream.

    Attributes
    ----------
    stream : str
        Key of the stream that the samples came from (`StreamInfo.key`).
    times : ndarray of float64, shape (n_samples,)
        When each sample was taken, in seconds of the session's clock, uncorrected for jitter.
    samples : ndarray of float64, shape (n_samples, n_channels)
        All channels of the stream, in the stream's own order and units. NaN marks what the
        device reported as missing.
    """

    stream: str
    times: NDArray[np.float64]
    samples: NDArray[np.float64]

    def __post_init__(self) -> None:
        if self.times.ndim != 1 or self.samples.ndim != 2 or len(self.times) != len(self.samples):
            raise ValueError(
                f"times of shape {self.times.shape} do not fit samples of shape "
                f"{self.samples.shape}: need (n,) and (n, channels)"
            )

    def __len__(self) -> int:
        return len(self.times)
