"""What the dashboard knows: the engine's messages, checked and put in order. No Qt here."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from apps.dashboard.traces import Trace
from apps.link import unpack_signals
from model.labels import LabelSet

LOST_AFTER = 2.0  # s of data age from which on a stream is shown as lost
SPAN = 20.0  # s of signals on screen
HISTORY = 300.0  # s of distributions on screen
MAX_STREAMS = 200
MAX_PARTICIPANTS = 100
MAX_CHANNELS = 64


@dataclass(frozen=True, slots=True)
class Modality:
    """A sensor of the rig, as the engine announced it; `unit` and names as they came.

    The only channel of a `face` is 1 where a face was found, else 0.
    """

    name: str
    unit: str
    rate: float
    channels: tuple[str, ...]
    face: bool = False


@dataclass(frozen=True, slots=True)
class Emotions:
    """The C emotions in the fixed order of the display: positive ones first.

    Attributes
    ----------
    names : tuple of str
    negative : tuple of bool
    training_mean : ndarray, shape (C,)
    order : ndarray of int, shape (C,)
        Place of each in the engine's own order.
    """

    names: tuple[str, ...] = ()
    negative: tuple[bool, ...] = ()
    training_mean: NDArray[np.float64] = field(default_factory=lambda: np.empty(0))
    order: NDArray[np.intp] = field(default_factory=lambda: np.empty(0, np.intp))

    @classmethod
    def of(
        cls, names: Sequence[str], negative: Sequence[bool], training_mean: Sequence[float]
    ) -> Emotions:
        """Order what a `hello` lists; ValueError if the lists do not fit each other."""
        if not len(names) == len(negative) == len(training_mean):
            raise ValueError(
                f"{len(names)} emotions, {len(negative)} signs, {len(training_mean)} means"
            )
        order = np.argsort(np.asarray(negative, bool), kind="stable")
        return cls(
            tuple(str(names[i]) for i in order),
            tuple(bool(negative[i]) for i in order),
            np.asarray(training_mean, np.float64)[order],
            order,
        )

    def positive_share(self, shares: NDArray[np.float64]) -> NDArray[np.float64]:
        """Sum the shares (..., C) of the positive emotions."""
        positive = shares[..., : self.negative.count(False)]
        return np.asarray(positive.sum(axis=-1), np.float64)


@dataclass(frozen=True, slots=True)
class Shown:
    """One window, its shares in the display's order; see `realtime.window.Window`."""

    time: float
    distribution: NDArray[np.float64]
    smoothed: NDArray[np.float64]
    radius: float | None
    intensity: float | None
    mask: dict[str, bool]
    warm_up: bool
    baseline: str
    reference: float | None
    arrived: float


@dataclass(frozen=True, slots=True)
class OwnModel:
    """Where a participant's profile stands; `state` is ``fitting``, ``ready`` or ``failed``."""

    state: str
    trials: int
    step: str
    radius: float
    text: str


@dataclass(slots=True)
class Person:
    """One participant's signals, windows, baseline and profile; `own` is None without a profile."""

    traces: dict[str, Trace] = field(default_factory=dict)
    windows: deque[Shown] = field(default_factory=lambda: deque(maxlen=3000))
    baseline: str = "idle"
    baseline_start: float | None = None
    baseline_stop: float | None = None
    baseline_since: float | None = None
    own: OwnModel | None = None

    @property
    def newest(self) -> float:
        """Time of the newest sample of any modality; -inf if there is none."""
        return max((trace.newest for trace in self.traces.values()), default=-math.inf)

    def add_window(self, shown: Shown) -> None:
        """Add a window; time that runs back starts the history afresh."""
        if self.windows and shown.time <= self.windows[-1].time:
            self.windows.clear()
        self.windows.append(shown)
        while self.windows[0].time < shown.time - HISTORY:
            self.windows.popleft()


@dataclass(frozen=True, slots=True)
class StreamStatus:
    """One stream now: its state and age are as of this moment, not of the engine's last word."""

    key: str
    name: str
    modality: str
    participant: str
    state: str
    age: float | None
    nominal_rate: float
    effective_rate: float | None
    quality: float | None
    valid: float | None
    gaps: int
    clock_resets: int
    dropped: int
    samples: int
    notes: str
    source_id: str


@dataclass(frozen=True, slots=True)
class Marker:
    """A marker of the session's clock."""

    time: float
    text: str
    stream: str


class State:
    """Everything that the engine has said.

    `update` takes any message; one that does not fit raises KeyError, TypeError or ValueError
    and changes nothing that matters.
    """

    def __init__(self) -> None:
        self.rig_name = ""
        self.version = ""
        self.checkpoint = ""
        self.notice = ""
        self.hop = 1.0
        self.modalities: tuple[Modality, ...] = ()
        self.emotions = Emotions()
        self.people: dict[str, Person] = {}
        self.markers: deque[Marker] = deque(maxlen=200)
        self.latency: tuple[float, float] | None = None
        self.recording: str | None = None
        self.recording_since: float | None = None
        self.recording_fault: str | None = None
        self.simulated = False
        self.replay = False
        self.labels: LabelSet | None = None
        self._streams: list[Mapping[str, Any]] = []
        self._streams_at = 0.0

    def update(self, message: Mapping[str, Any], now: float) -> None:
        """Take in a message that arrived at `now` (seconds of any monotonic clock)."""
        handler = getattr(self, f"_on_{message['t']}", None)
        if handler is not None:
            handler(message, now)

    @property
    def has_face(self) -> bool:
        """Whether the rig watches a face."""
        return any(modality.face for modality in self.modalities)

    def person(self, name: object) -> Person:
        """Return a participant, new ones included (up to a limit; KeyError beyond)."""
        key = str(name)
        if key not in self.people:
            if len(self.people) >= MAX_PARTICIPANTS:
                raise KeyError(key)
            self.people[key] = Person()
        return self.people[key]

    def streams(self, now: float) -> list[StreamStatus]:
        """Return every stream as of `now`; ages go on while the engine is silent."""
        silent_for = max(now - self._streams_at, 0.0)
        return [_status(entry, silent_for) for entry in self._streams]

    def _on_hello(self, message: Mapping[str, Any], now: float) -> None:
        rig = message["rig"]
        modalities = tuple(
            Modality(
                str(entry["name"]),
                str(entry["unit"]),
                float(entry["rate"]),
                tuple(str(channel) for channel in entry["channels"]),
                bool(entry.get("face")),
            )
            for entry in rig["modalities"]
        )
        emotions = Emotions.of(message["emotions"], message["negative"], message["training_mean"])
        labels = _labels(message)
        if modalities != self.modalities or emotions.names != self.emotions.names:
            self.people = {}
        self.modalities, self.emotions = modalities, emotions
        self.labels = labels
        self.rig_name, self.hop = str(rig["name"]), float(rig["hop"])
        self.version = str(message.get("version", ""))
        checkpoint = message.get("checkpoint") or {}
        self.checkpoint = " ".join(
            str(checkpoint[key])[:limit]
            for key, limit in (("name", 40), ("hash", 8))
            if checkpoint.get(key)
        )
        self.notice = str(checkpoint.get("notice") or "")
        listed = [str(name) for name in message["participants"]]
        # Whom the engine only expected, before it knew the streams, is nobody to be shown or asked.
        self.people = {
            name: person
            for name, person in self.people.items()
            if name in listed or person.traces or person.windows
        }
        for name in listed:
            self.person(name)

    def _on_signals(self, message: Mapping[str, Any], now: float) -> None:
        times, values = unpack_signals(message)
        known = {modality.name: modality for modality in self.modalities}
        modality = known[str(message["modality"])]
        if values.shape[1] > MAX_CHANNELS:
            values = values[:, :MAX_CHANNELS]
        traces = self.person(message["participant"]).traces
        trace = traces.get(modality.name)
        if trace is None or trace.channels != values.shape[1]:
            capacity = int(min(max(modality.rate, 1.0) * (SPAN + 5.0), 500_000)) + 16
            gap = max(0.25, 3.0 / max(modality.rate, 0.1))
            trace = traces[modality.name] = Trace(values.shape[1], capacity, gap)
        trace.append(times, values)

    def _on_window(self, message: Mapping[str, Any], now: float) -> None:
        count = len(self.emotions.names)
        rows = [np.asarray(message[key], np.float64) for key in ("distribution", "smoothed")]
        if any(row.shape != (count,) for row in rows):
            raise ValueError(f"a window with {rows[0].shape} shares for {count} emotions")
        if not all(np.isfinite(row).all() for row in rows) or not math.isfinite(message["time"]):
            raise ValueError("a window with shares or a time that are no numbers")
        reference = message.get("reference")
        self.person(message["participant"]).add_window(
            Shown(
                time=float(message["time"]),
                distribution=rows[0][self.emotions.order],
                smoothed=rows[1][self.emotions.order],
                radius=_number(message.get("radius")),
                intensity=_number(message.get("intensity")),
                mask={str(key): bool(used) for key, used in message["mask"].items()},
                warm_up=bool(message["warm_up"]),
                baseline=str(message["baseline"]),
                reference=None if reference is None else _number(reference["positive"]),
                arrived=now,
            )
        )

    def _on_streams(self, message: Mapping[str, Any], now: float) -> None:
        entries = [entry for entry in message["streams"] if isinstance(entry, Mapping)]
        entries = entries[:MAX_STREAMS]
        for entry in entries:
            _status(entry, 0.0)  # refuse the message before it takes effect
        self._streams, self._streams_at = entries, now
        self.simulated = any(entry.get("simulated") for entry in entries)
        self.replay = any(entry.get("replay") for entry in entries)
        latency = message.get("latency_ms") or {}
        p50, p99 = _number(latency.get("p50")), _number(latency.get("p99"))
        self.latency = None if p50 is None or p99 is None else (p50, p99)

    def _on_marker(self, message: Mapping[str, Any], now: float) -> None:
        self.markers.append(
            Marker(float(message["time"]), str(message["text"]), str(message.get("stream") or ""))
        )

    def _on_recording(self, message: Mapping[str, Any], now: float) -> None:
        path, fault = message["path"], message.get("fault")
        if path is None:
            self.recording_since = None
        elif self.recording is None:
            self.recording_since = now
        self.recording = None if path is None else str(path)
        self.recording_fault = None if fault is None else str(fault)

    def _on_baseline(self, message: Mapping[str, Any], now: float) -> None:
        person = self.person(message["participant"])
        state = str(message["state"])
        if state == "marking" and person.baseline != "marking":
            person.baseline_since = now
        person.baseline = state
        person.baseline_start = _number(message.get("start"))
        person.baseline_stop = _number(message.get("stop"))

    def _on_profile(self, message: Mapping[str, Any], now: float) -> None:
        state, radius = str(message["state"]), _number(message["radius"])
        if state not in ("fitting", "ready", "failed") or radius is None:
            raise ValueError(f"a profile that is {state[:20]!r}, with the radius {radius}")
        trials, step = int(message["trials"]), str(message["step"])
        self.person(message["participant"]).own = OwnModel(
            state, trials, step, radius, str(message.get("text") or "")
        )


def _number(value: Any) -> float | None:
    """Return a finite number, or None for everything else."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        return None
    return float(value)


def _status(entry: Mapping[str, Any], silent_for: float) -> StreamStatus:
    state, age = str(entry["state"]), _number(entry.get("age"))
    if age is not None:
        age += silent_for
    if state == "live" and ((age if age is not None else silent_for) > LOST_AFTER):
        state = "lost"
    return StreamStatus(
        key=str(entry["key"]),
        name=str(entry["name"]),
        modality=str(entry.get("modality") or ""),
        participant=str(entry.get("participant") or ""),
        state=state,
        age=age,
        nominal_rate=_number(entry.get("nominal_rate")) or 0.0,
        effective_rate=_number(entry.get("effective_rate")),
        quality=_number(entry.get("quality")),
        valid=_number(entry.get("valid")),
        gaps=int(entry.get("gaps") or 0),
        clock_resets=int(entry.get("clock_resets") or 0),
        dropped=int(entry.get("dropped") or 0),
        samples=int(entry.get("samples") or 0),
        notes="; ".join(str(note) for note in entry.get("notes") or ()),
        source_id=str(entry.get("source_id") or ""),
    )


def _labels(message: Mapping[str, Any]) -> LabelSet | None:
    """Return what the engine's model was trained to predict; None from an engine that is mute."""
    told = message.get("labels")
    if not told:
        return None
    low, high = (_number(edge) for edge in told["scale"])
    if low is None or high is None:
        raise ValueError("labels whose scale is no two numbers")
    return LabelSet(
        name=str(told["name"]),
        instrument=str(told["instrument"]),
        emotions=tuple(str(name) for name in message["emotions"]),
        valence=tuple(-1 if negative else 1 for negative in message["negative"]),
        scale=(low, high),
    )
