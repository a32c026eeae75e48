"""Frames of a video stream in an XDF file, read when they are asked for."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from realtime.errors import InputError
from realtime.xdf_chunks import decode_numbers


class XdfFrames:
    """The samples of a stream whose recording may be larger than memory.

    Parameters
    ----------
    path : Path
    pieces : sequence of (int, int, int)
        Of each sample chunk: how many samples it holds, and where its content (without the stream
        id) begins and ends in the file.
    channels : int
    dtype : str
        One of `realtime.xdf_chunks.DTYPES`' values.
    """

    def __init__(
        self, path: Path, pieces: Sequence[tuple[int, int, int]], channels: int, dtype: str
    ) -> None:
        self._path = path
        self._places = [(begin, end) for _, begin, end in pieces]
        # How many samples come before each chunk, and how many there are.
        self._before = np.cumsum([0, *(count for count, _, _ in pieces)]).tolist()
        self._channels, self._dtype = channels, dtype

    def __len__(self) -> int:
        return int(self._before[-1])

    def __getitem__(self, piece: slice) -> NDArray[Any]:
        """Read samples, shape (k, channels), in the stream's own number format.

        Raises
        ------
        InputError
            If the file is not there any more.
        """
        start, stop, step = piece.indices(len(self))
        if step != 1:
            raise ValueError(f"frames are read in order, not in steps of {step}")
        parts = [np.empty((0, self._channels), self._dtype)]
        first = bisect_right(self._before, start) - 1
        try:
            with self._path.open("rb") as file:
                for number in range(first, len(self._places)):
                    before = self._before[number]
                    if before >= stop:
                        break
                    begin, end = self._places[number]
                    file.seek(begin)
                    content = file.read(end - begin)
                    samples = decode_numbers(content, self._channels, self._dtype, as_stored=True)
                    parts.append(np.asarray(samples.values)[max(start - before, 0) : stop - before])
        except OSError as error:
            raise InputError(
                f"cannot read frames of {str(self._path)!r} ({error.strerror or error}): "
                "the recording must stay where it is while it is used"
            ) from error
        return np.concatenate(parts)
