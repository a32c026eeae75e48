"""The engine: chunks of any source in, windows and distributions of any number of people out.

It knows nothing of the model: a predictor is handed in. It knows nothing of the source either:
live inlets, recordings, datasets and the simulator push chunks in the same way.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from realtime.baseline import Normaliser, Population, Rest
from realtime.binding import Binding
from realtime.chunk import Chunk
from realtime.features.artefacts import ArtefactFilter
from realtime.participant import Participant
from realtime.rig import Rig
from realtime.rolling import RollingMean
from realtime.window import Predictor, Window


@dataclass(frozen=True, slots=True)
class Result:
    """A window and what was predicted from it.

    Attributes
    ----------
    window : Window
    distribution : ndarray of float64, shape (C,)
    smoothed : ndarray of float64, shape (C,)
        Mean over the rolling horizon.
    radius : float
        Conformal radius in total variation.
    intensity : float
        0 to 1.
    """

    window: Window
    distribution: NDArray[np.float64]
    smoothed: NDArray[np.float64]
    radius: float
    intensity: float


class Engine:
    """Windows, features, normalisation and prediction for all participants of a session.

    Parameters
    ----------
    rig : Rig
    predictor : Predictor or None
        None: only features are computed (`windows_until`, `windows_now`).
    population : Population or None
        Statistics for normalisation; None leaves features as they are.
    baselines : mapping of str to (float, float)
        Stated baseline of participants on the session's clock.
    limit : float
        Seconds of samples that are kept at most while they wait; inf for recordings.
    artefacts : mapping of str to ArtefactFilter
        What was fitted to participants' EEG.
    rests : mapping of str to Rest
        Participants' features at rest in an earlier session.

    Raises
    ------
    InputError
        If an artefact filter was fitted for another montage than the rig's.
    """

    def __init__(
        self,
        rig: Rig,
        predictor: Predictor | None = None,
        population: Population | None = None,
        baselines: Mapping[str, tuple[float, float]] | None = None,
        limit: float = math.inf,
        artefacts: Mapping[str, ArtefactFilter] | None = None,
        rests: Mapping[str, Rest] | None = None,
    ) -> None:
        self.rig = rig
        self.predictor = predictor
        self._population = population
        self._baselines = dict(baselines or {})
        self._limit = limit
        self._artefacts = dict(artefacts or {})
        self._rests = dict(rests or {})
        for artefact_filter in self._artefacts.values():
            artefact_filter.montage.check(rig)
        self.participants: dict[str, Participant] = {}
        self._rolling: dict[str, RollingMean] = {}
        self._owners: dict[str, list[tuple[str, str]]] = {}

    def bind(self, bindings: Iterable[Binding]) -> None:
        """Connect streams to participants' modalities, now or in the middle of a session.

        A modality that was bound before is replaced, with its samples.
        """
        for binding in bindings:
            person = self.participants.get(binding.participant)
            if person is None:
                stretch = self._baselines.get(binding.participant)
                person = Participant(
                    binding.participant,
                    self.rig,
                    (),
                    Normaliser(
                        self._population,
                        self.rig.hop,
                        stretch,
                        self._rests.get(binding.participant),
                    ),
                    self._limit,
                    self._artefacts.get(binding.participant),
                )
                self.participants[binding.participant] = person
                self._rolling[binding.participant] = RollingMean()
            person.bind(binding)
        self._owners = {}
        for name, person in self.participants.items():
            for modality, signal in person.signals.items():
                for source in signal.binding.sources:
                    self._owners.setdefault(source.stream, []).append((name, modality))

    def push(self, chunk: Chunk, arrived: float = math.nan) -> list[Cells]:
        """Take in a chunk; streams that nobody is bound to are ignored.

        Parameters
        ----------
        chunk : Chunk
        arrived : float
            Wall time (`time.perf_counter`) of its arrival; NaN for recordings.

        Returns
        -------
        list of Cells
            What became known of each modality that the stream feeds.
        """
        result = []
        for participant, modality in self._owners.get(chunk.stream, ()):
            signal = self.participants[participant].signals[modality]
            indices, filtered = signal.push(chunk.stream, chunk.times, chunk.samples, arrived)
            if len(indices) and signal.start is not None:
                times = signal.start + indices / signal.settings.rate
                result.append(Cells(participant, modality, times, filtered))
        return result

    def windows_until(self, until: float) -> list[Window]:
        """Return every participant's windows that end at or before `until`, in order of time."""
        windows = [w for p in self.participants.values() for w in p.windows_until(until)]
        return sorted(windows, key=lambda window: window.time)

    def windows_now(self, now: float) -> list[Window]:
        """Return the windows that are complete, or late, at wall time `now`, in order of time."""
        windows = [w for p in self.participants.values() for w in p.windows_now(now)]
        return sorted(windows, key=lambda window: window.time)

    def predict(self, windows: list[Window]) -> list[Result]:
        """Predict windows of any participants in one batch; windows must come in order of time."""
        if not windows:
            return []
        if self.predictor is None:
            raise ValueError("this engine has no predictor")
        prediction = self.predictor(windows)
        return [
            Result(
                window,
                prediction.distributions[i],
                self._rolling[window.participant].update(window.time, prediction.distributions[i]),
                float(prediction.radius[i]),
                float(prediction.intensity[i]),
            )
            for i, window in enumerate(windows)
        ]


@dataclass(frozen=True, slots=True)
class Cells:
    """Grid cells that just became known, for display.

    Attributes
    ----------
    participant, modality : str
    times : ndarray of float64, shape (n,)
    values : ndarray of float64, shape (n, channels)
        Filtered; NaN where missing or not settled.
    """

    participant: str
    modality: str
    times: NDArray[np.float64]
    values: NDArray[np.float64]
