"""A simulated person: signals at any rates, the same however they are read."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from realtime.markers import format_marker
from realtime.recording import Marker, RecordedStream, Recording
from realtime.simulator.affect import DEMO, Affect, AffectState, Schedule
from realtime.simulator.blinks import Blinks
from realtime.simulator.brain import Brain
from realtime.simulator.camera import Camera
from realtime.simulator.chest import Electrocardiogram, Tone, Trunk
from realtime.simulator.heart import Heart
from realtime.simulator.movement import Movement
from realtime.simulator.skin import Conductance, Warmth
from realtime.video import is_video

if TYPE_CHECKING:
    from realtime.simulator.layouts import Layout

E4_RATES: Mapping[str, float] = {"ppg": 64.0, "eda": 4.0, "temperature": 4.0, "acc": 32.0}

MODALITIES = (*E4_RATES, "ecg", "emg", "trunk", "eeg", "face", "frames")
"""What a person can be measured by."""

Samples = tuple[NDArray[np.float64], NDArray[np.float64]]
Page = Callable[[int, NDArray[np.float64]], NDArray[Any]]

_MEMORY = 10  # s that stay readable again after a read


class Person:
    """A person with a body that follows a hidden affect.

    The relations and their sources are the constants of `realtime.simulator.heart`, ``skin``,
    ``movement``, ``chest``, ``brain``, ``blinks`` and ``face``. Those of the wrist
    were set so that the simulated stress resembles that of the 12 people of WESAD (speech before a
    jury): medians over people, of 60-s windows, at rest -> under stress.

    ================================  ================  ================
    measure                           WESAD             simulated (LAB)
    ================================  ================  ================
    heart rate, 1/min                 71.8 -> 83.2      72.9 -> 82.8
    range of BVP (1 to 99 %), a.u.    308 -> 420        193 -> 437
    EDA level, uS                     0.54 -> 2.46      0.76 -> 1.91
    SCRs a minute                     1.4 -> 9.4        1.7 -> 8.9
    mean SCR amplitude, uS            0.045 -> 0.112    0.069 -> 0.148
    slope of temperature, mdegC/s     +0.3 -> -1.0      0.0 -> -1.4
    deviation of acceleration, g      0.026 -> 0.067    0.017 -> 0.049
    still seconds, %                  80 -> 59          86 -> 63
    ================================  ================  ================

    (Heart rates of WESAD are the E4's own.) Real people differ more from each other, and some do
    not react at all; simulated ones always do. Heart-rate variability falls, as the literature has
    it (RMSSD 43 -> 27 ms); WESAD's wrists cannot show it, for movement disturbs too many beats.

    The body's events (beats, skin conductance responses, movements) depend on `seed` and `schedule`
    alone: two devices with other rates see the same person.

    Parameters
    ----------
    seed : int
        Who it is: resting heart rate, levels, reactivity, and every random event.
    schedule : Schedule
    rates : mapping of str to float
        Samples per second of each modality wanted, of ``ppg`` (a.u., as an E4's BVP), ``eda`` (uS),
        ``temperature`` (degC), ``acc`` (the wrist's, g, 3 channels, gravity included), ``trunk``
        (the same of the trunk), ``ecg`` and ``emg`` (mV), ``eeg`` (uV, 18 channels), ``face`` (768
        counts of the camera's texture) and ``frames`` (its 128 x 128 grey levels); a camera's rate
        is 30.
    """

    def __init__(
        self,
        seed: int = 1,
        schedule: Schedule = DEMO,
        rates: Mapping[str, float] = E4_RATES,
    ) -> None:
        if seed < 0:
            raise ValueError(f"seed {seed!r}: must be 0 or more")
        unknown = set(rates) - set(MODALITIES)
        if unknown:
            raise ValueError(f"modalities {sorted(unknown)}: must be among {', '.join(MODALITIES)}")
        self.seed = seed
        self.schedule = schedule
        self.rates = dict(rates)
        self._affect = Affect(schedule, seed)
        self._born()

    def _born(self) -> None:
        """Go back to the start."""
        self._movement = Movement(self._affect, self.seed)
        self._heart = Heart(self._affect, self._movement, self.seed)
        self._blinks = Blinks(self._affect, self.seed)
        self._sources = {name: self._source(name, rate) for name, rate in self.rates.items()}
        self._pages: dict[str, dict[int, NDArray[Any]]] = {name: {} for name in self.rates}
        self._known = 0

    def _source(self, name: str, rate: float) -> Page:
        """Return what measures a modality, second by second."""
        affect, heart, movement, seed = self._affect, self._heart, self._movement, self.seed
        match name:
            case "ppg":
                return heart.page
            case "eda":
                return Conductance(affect, seed).page
            case "temperature":
                return Warmth(affect, seed).page
            case "acc":
                return movement.page
            case "ecg":
                return Electrocardiogram(affect, heart, movement, seed, rate).page
            case "emg":
                rng = np.random.default_rng([seed, 9])
                return Tone(affect, movement, rng, rate).page
            case "trunk":
                return Trunk(movement, seed).page
            case "eeg":
                return Brain(affect, self._blinks, seed, rate).page
            case _:
                camera = Camera(affect, self._blinks, seed, rate)
                return camera.texture if name == "face" else camera.frames

    def state(self, time: float) -> AffectState:
        """Return the hidden affect at a time in seconds from the start."""
        return self._affect.state(time)

    def markers(self, begin: float, end: float, participant: str = "") -> list[tuple[float, str]]:
        """Return the schedule's events with ``begin <= time < end`` as markers."""
        return [
            (time, format_marker(replace(event, participant=participant)))
            for time, event in self.schedule.events(begin, end)
        ]

    def read(self, begin: float, end: float) -> dict[str, Samples]:
        """Return all samples with ``begin <= time < end``, by modality.

        Reading on in pieces of any size gives the same samples as reading once. Going back by more
        than a few seconds works, at the price of living through everything before again.

        Returns
        -------
        dict of str to (times, samples)
            Times in seconds from the start, shape (n,): whole multiples of one over the rate.
            Samples of shape (n, channels).
        """
        if not 0 <= begin <= end:
            raise ValueError(f"read from {begin!r} to {end!r} s: must be 0 <= begin <= end")
        first = math.floor(begin)
        if first < self._known and any(first not in pages for pages in self._pages.values()):
            self._born()
        out = {}
        last = max(first + 1, math.ceil(end))
        while self._known < last:
            self._live()
            if self._known < first:
                self._forget(self._known)
        for name, rate in self.rates.items():
            start, stop = _index(begin, rate), _index(end, rate)
            pages = [self._pages[name][second] for second in range(first, last)]
            offset = start - _index(first, rate)
            joined = pages[0] if len(pages) == 1 else np.concatenate(pages)
            samples = joined[offset : offset + stop - start]
            out[name] = (np.arange(start, stop) / rate, samples.astype(np.float64))
        self._forget(math.floor(end) - _MEMORY)
        return out

    def to_recording(self, seconds: float, layout: Layout | None = None) -> Recording:
        """Return the first `seconds` as a recording with all streams and markers.

        Parameters
        ----------
        seconds : float
        layout : Layout, optional
            The device that records; an E4 if left out. Its rates must be the person's.
        """
        from realtime.simulator.layouts import E4

        device = layout or E4.without(set(E4.rates) - set(self.rates))
        device.check(self.rates)
        chunks = device.samples(self.read(0.0, seconds))
        streams = []
        for info in device.infos(self.seed):
            times, samples = chunks[info.key]
            if is_video(info):
                frames = samples.astype(np.int8)
                streams.append(RecordedStream(info, times, samples[:0], frames=frames))
            else:
                streams.append(RecordedStream(info, times, samples))
        marks = device.marker_info(self.seed)
        return Recording(
            path=f"simulated person {self.seed}",
            streams=tuple(streams),
            markers=tuple(
                Marker(time, text, marks.key) for time, text in self.markers(0.0, seconds)
            ),
            marker_streams=(marks,),
        )

    def _live(self) -> None:
        """Make the next second."""
        second = self._known
        self._movement.advance(second)
        self._heart.advance(second)
        self._blinks.advance(second)
        for name, rate in self.rates.items():
            times = np.arange(_index(second, rate), _index(second + 1, rate)) / rate
            samples = self._sources[name](second, times)
            self._pages[name][second] = samples.reshape(len(times), -1)
        self._known += 1

    def _forget(self, before: int) -> None:
        for pages in self._pages.values():
            for second in [known for known in pages if known < before]:
                del pages[second]


def _index(time: float, rate: float) -> int:
    """Index of the first sample at or after a time; rounding errors of the time do not count."""
    return math.ceil(round(time * rate, 6))
