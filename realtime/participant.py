"""One participant: when a window is complete, and what is in it."""

from __future__ import annotations

import math
from collections.abc import Iterable

import numpy as np

from realtime.baseline import Normaliser
from realtime.binding import Binding
from realtime.features import entries
from realtime.features.artefacts import ArtefactFilter
from realtime.rig import Rig
from realtime.signal import Signal
from realtime.window import Window

# Windows end at whole hops; a float may miss one by so much.
HOP_TOLERANCE = 1e-6


class Participant:
    """Holds a person's signals and cuts them into windows by event time.

    A window that ends at *t* goes out when every live signal has passed *t*. In a live session a
    signal that lags is waited for at most `rig.lateness` seconds of wall time after the first
    one passed *t*; from then on it is not waited for until it has caught up.

    Parameters
    ----------
    name : str
    rig : Rig
    bindings : iterable of Binding
    normaliser : Normaliser
    limit : float
        Seconds of samples that are kept at most beyond a window while they wait.
    artefacts : ArtefactFilter or None
        Fitted to the person's EEG.
    """

    def __init__(
        self,
        name: str,
        rig: Rig,
        bindings: Iterable[Binding],
        normaliser: Normaliser,
        limit: float = math.inf,
        artefacts: ArtefactFilter | None = None,
    ) -> None:
        self.name = name
        self.rig = rig
        self.normaliser = normaliser
        self._limit = limit
        self._artefacts = artefacts
        self.signals: dict[str, Signal] = {}
        for binding in bindings:
            self.bind(binding)
        self._nothing = {
            modality.name: np.full(len(entries(modality)), np.nan, dtype=np.float32)
            for modality in rig.modalities
        }
        self._next: float | None = None
        self._paused: float | None = None
        self._due: float | None = None
        self._lagging: set[str] = set()

    def bind(self, binding: Binding) -> None:
        """Add a modality, or replace its streams by others."""
        settings = self.rig.modality(binding.modality)
        artefacts = self._artefacts
        if artefacts is not None and artefacts.montage.modality != settings.name:
            artefacts = None
        self.signals[binding.modality] = Signal(settings, binding, self._limit, artefacts)

    @property
    def start(self) -> float | None:
        """Time of the person's first sample; None before it."""
        return min((s.start for s in self.signals.values() if s.start is not None), default=None)

    def windows_until(self, until: float) -> list[Window]:
        """Return every window that samples at or after `until` cannot change.

        For recordings, where all samples before `until` have been pushed.
        """
        until -= max((signal.lookahead for signal in self.signals.values()), default=0.0)
        for signal in self.signals.values():
            if math.isinf(until):
                signal.flush()
            else:
                signal.release(until)
        windows: list[Window] = []
        # A signal that does not know yet where its grid begins says nothing before this.
        undecided = min((s.undecided_since for s in self.signals.values()), default=math.inf)
        if self._next is None and undecided < math.inf:
            return windows
        until = min(until, undecided)
        while (time := self._time_of_next(until)) is not None and time <= until + HOP_TOLERANCE:
            if math.isinf(until) and not any(s.is_complete(time) for s in self.signals.values()):
                break
            window = self._cut(time)
            if window is not None:
                windows.append(window)
        return windows

    def windows_now(self, now: float) -> list[Window]:
        """Return every window that is complete, or was waited for long enough, at wall time `now`.

        `now` is on the clock of `time.perf_counter`.
        """
        for signal in self.signals.values():
            signal.release()
        windows = []
        while (time := self._time_of_next()) is not None:
            passed = {m for m, s in self.signals.items() if s.is_complete(time)}
            self._lagging -= passed
            if not passed:
                break
            started = {m for m, s in self.signals.items() if s.start is not None}
            waiting = started - passed - self._lagging
            if waiting:
                if self._due is None:
                    self._due = now
                if now - self._due < self.rig.lateness:
                    break
                self._lagging |= waiting
            self._due = None
            window = self._cut(time)
            if window is not None:
                windows.append(window)
        return windows

    def _time_of_next(self, until: float = math.inf) -> float | None:
        """Return when the next window ends, once any signal has begun (again) before `until`."""
        if self._next is None and self._paused is not None:
            # Nothing was within reach: go on where samples begin again.
            later = min(s.next_time_after(self._paused) for s in self.signals.values())
            if later < until:
                self._next, self._paused = self._first_hop_from(later + self.rig.warm_up), None
        elif self._next is None:
            starts = [s.start for s in self.signals.values() if s.start is not None]
            if not starts:
                return None
            self._next = self._first_hop_from(min(starts) + self.rig.warm_up)
        return self._next

    def _first_hop_from(self, time: float) -> float:
        return math.ceil(time / self.rig.hop - HOP_TOLERANCE) * self.rig.hop

    def _cut(self, time: float) -> Window | None:
        """Return the window that ends at `time`, or None if it holds no sample at all."""
        parts = {name: signal.window(time) for name, signal in self.signals.items()}
        self._next = self._first_hop_from(time + self.rig.hop / 2)
        if not any(part.seconds for part in parts.values()):
            self._next, self._paused = None, time
            return None
        features, mask, valid, quality, age = {}, {}, {}, {}, {}
        warm_up = False
        for modality in self.rig.modalities:
            name = modality.name
            part = parts.get(name)
            if part is None:
                features[name], mask[name] = self._nothing[name], False
                valid[name], quality[name], age[name] = 0.0, 0.0, math.inf
                continue
            needed = min(self.rig.warm_up, modality.window)
            mask[name] = part.usable and part.seconds >= needed - HOP_TOLERANCE
            features[name] = part.features if mask[name] else self._nothing[name]
            valid[name], quality[name], age[name] = part.valid, part.quality, part.age
            warm_up |= 0 < part.seconds < modality.window - HOP_TOLERANCE
        normalised, kind = self.normaliser.update(time, features)
        arrived = [s.arrived for s in self.signals.values() if not math.isnan(s.arrived)]
        return Window(
            self.name,
            time,
            features,
            normalised,
            mask,
            valid,
            quality,
            age,
            warm_up,
            kind,
            max(arrived, default=math.nan),
        )
