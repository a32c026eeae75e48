"""A causal Butterworth filter with carried state that lives with gaps."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.signal import butter, iirnotch, sosfilt, sosfilt_zi, tf2sos

from realtime.rig import FilterSettings

NOTCH_QUALITY = 30.0
"""Frequency over width of the mains notch: at 50 Hz it is 1.7 Hz wide."""


class CausalFilter:
    """Filters cells of a grid in the order in which they come.

    A gap of up to `settings.bridge` seconds is bridged by a straight line, for the filter alone.
    After a longer one the filter starts anew as if the first value had always been there, and its
    output is NaN for `settings.settle` seconds. Missing cells stay missing. The result does not
    depend on how the cells are cut into calls, to the last bit.

    Parameters
    ----------
    settings : FilterSettings
        With none of `low`, `high` and `notch` set, values pass unchanged.
    rate : float
        Cells in a second.
    channels : int
    """

    def __init__(self, settings: FilterSettings, rate: float, channels: int) -> None:
        self._sos = design(settings, rate)
        self._bridge = int(round(settings.bridge * rate))
        self._settle = int(round(settings.settle * rate))
        self._channels = [_Channel() for _ in range(channels)]
        if self._sos is not None:
            self._rest = sosfilt_zi(self._sos)
            self._state = np.zeros((len(self._sos), 2, channels))

    def apply(self, indices: NDArray[np.int64], values: NDArray[np.float64]) -> NDArray[np.float64]:
        """Filter the next cells.

        Parameters
        ----------
        indices : ndarray of int64, shape (n,)
            Ascending, beyond those of the last call.
        values : ndarray of float64, shape (n, channels)
            NaN or infinite where missing.

        Returns
        -------
        ndarray of float64, shape (n, channels)
            NaN where missing or not settled.
        """
        if not len(indices):
            return np.empty_like(values)
        present = np.isfinite(values)
        if self._sos is None:
            return np.where(present, values, np.nan)
        result = np.full_like(values, np.nan)
        there = np.flatnonzero(present.any(axis=0))
        if not len(there):
            return result
        channels = [self._channels[column] for column in there]
        settled = channels[0].settled
        if (
            present[:, there].all()
            and indices[-1] - indices[0] == len(indices) - 1
            and all(channel.last == indices[0] - 1 for channel in channels)
            and all(channel.settled == settled for channel in channels)
        ):
            # The usual case: nothing is missing but channels that the device has not.
            passed, state = sosfilt(
                self._sos, values[:, there], axis=0, zi=self._state[:, :, there]
            )
            passed[indices < settled] = np.nan
            result[:, there] = passed
            self._state[:, :, there] = state
            for column, channel in zip(there.tolist(), channels, strict=True):
                channel.last = int(indices[-1])
                channel.value = float(values[-1, column])
            return result
        for column, channel in enumerate(self._channels):
            rows = np.flatnonzero(present[:, column])
            if len(rows):
                result[rows, column] = self._one(
                    channel, column, indices[rows], values[rows, column]
                )
        return result

    def _one(
        self,
        channel: _Channel,
        column: int,
        indices: NDArray[np.int64],
        values: NDArray[np.float64],
    ) -> NDArray[np.float64]:
        """Filter the present cells of one channel."""
        result = np.empty_like(values)
        previous = np.concatenate([[-1 if channel.last is None else channel.last], indices[:-1]])
        missing = indices - previous - 1
        if channel.last is None:
            missing[0] = self._bridge + 1
        edges = np.flatnonzero(missing > 0)
        starts = [0, *edges.tolist()] if not len(edges) or edges[0] else edges.tolist()
        for start, stop in zip(starts, [*starts[1:], len(indices)], strict=True):
            state = self._state[:, :, column]
            if missing[start] > self._bridge:
                state = self._rest * values[start]
                channel.settled = int(indices[start]) + self._settle
            elif missing[start]:
                before = float(values[start - 1]) if start else channel.value
                line = np.linspace(before, values[start], int(missing[start]) + 2)[1:-1]
                _, state = sosfilt(self._sos, line, zi=state)
            piece, state = sosfilt(self._sos, values[start:stop], zi=state)
            piece[indices[start:stop] < channel.settled] = np.nan
            result[start:stop] = piece
            self._state[:, :, column] = state
        channel.last = int(indices[-1])
        channel.value = float(values[-1])
        return result


class _Channel:
    """What is carried for one channel beside the filter's state."""

    def __init__(self) -> None:
        self.last: int | None = None
        self.value = float("nan")
        self.settled = 0


def design(settings: FilterSettings, rate: float) -> NDArray[np.float64] | None:
    """Return second-order sections, shape (sections, 6), or None if nothing is to be filtered."""
    low, high, order = settings.low, settings.high, settings.order
    sections = []
    if low is not None and high is not None:
        sections.append(butter(order, [low, high], "bandpass", fs=rate, output="sos"))
    elif low is not None:
        sections.append(butter(order, low, "highpass", fs=rate, output="sos"))
    elif high is not None:
        sections.append(butter(order, high, "lowpass", fs=rate, output="sos"))
    if settings.notch is not None:
        sections.append(tf2sos(*iirnotch(settings.notch, NOTCH_QUALITY, fs=rate)))
    return np.concatenate(sections) if sections else None
