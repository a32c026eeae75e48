"""A bounded store of grid cells, addressed by grid index."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


class Ring:
    """Keeps the newest cells of a modality; what was never written reads as NaN.

    It grows while cells wait to be read and shrinks its past with `forget`; a write index is kept,
    so that nothing is shifted sample by sample.

    Parameters
    ----------
    columns : int
    limit : int
        Cells kept at most. The oldest fall out beyond it and are counted in `dropped`.
    """

    def __init__(self, columns: int, limit: int) -> None:
        self._cells = np.full((1024, columns), np.nan)
        self._base = 0
        self._limit = limit
        self._empty = True
        self.stop = 0
        self.dropped = 0

    def write(self, indices: NDArray[np.int64], values: NDArray[np.float64]) -> None:
        """Write values, shape (n, columns), at ascending indices, shape (n,), beyond all before."""
        if not len(indices):
            return
        if self._empty:
            self._base = self.stop = int(indices[0])
            self._empty = False
        if indices[0] < self.stop:
            raise ValueError(f"index {indices[0]} was passed already: the next is {self.stop}")
        end = int(indices[-1]) + 1
        lowest = end - self._limit
        if lowest > self._base:
            self.dropped += max(min(lowest, self.stop) - self._base, 0)
            self.forget(lowest)
        self._reserve(end)
        at = indices - self._base
        inside = at >= 0
        self._cells[self.stop - self._base : end - self._base] = np.nan
        self._cells[at[inside]] = values[inside]
        self.stop = end

    def read(self, start: int, stop: int) -> NDArray[np.float64]:
        """Return a copy of cells `start` to `stop`, shape (stop - start, columns)."""
        result = np.full((max(stop - start, 0), self._cells.shape[1]), np.nan)
        first, last = max(start, self._base), min(stop, self.stop)
        if first < last and not self._empty:
            result[first - start : last - start] = self._cells[
                first - self._base : last - self._base
            ]
        return result

    def forget(self, before: int) -> None:
        """Let go of all cells below index `before`."""
        if self._empty or before <= self._base:
            return
        kept = max(self.stop - before, 0)
        # Moving costs time in proportion to what is kept, so it waits until that is worth it.
        if before - self._base < max(kept, 1024) and before < self.stop:
            return
        self._cells[:kept] = self._cells[self.stop - self._base - kept : self.stop - self._base]
        self._base = before
        self.stop = max(self.stop, before)

    def _reserve(self, end: int) -> None:
        need = end - self._base
        if need > len(self._cells):
            grown = np.full((max(need, 2 * len(self._cells)), self._cells.shape[1]), np.nan)
            used = self.stop - self._base
            grown[:used] = self._cells[:used]
            self._cells = grown
