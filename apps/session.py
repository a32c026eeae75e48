"""A live session: streams in, distributions out, until told to stop.

This is the engine process. It owns inlets, windows, prediction, recording and outlets; dashboards
attach over `apps.link` and may come, stall and go.
"""

from __future__ import annotations

import json
import logging
import math
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import pylsl

from apps.baselines import Baselines
from apps.broadcast import Broadcast
from apps.latency import Latency
from apps.link import LinkServer
from apps.personal_models import PersonalModels
from apps.reference import Reference
from apps.session_recording import SessionRecording
from apps.session_settings import SessionSettings
from apps.session_summary import result_figures, stream_figures
from calibration.predictor import PersonalPredictor
from calibration.store import default_root
from model.checkpoint import software_versions
from realtime.baseline import Rest
from realtime.binding import AmbiguousBinding
from realtime.discovery import Discovery
from realtime.engine import Engine, Result
from realtime.errors import InputError
from realtime.live import LiveStreams
from realtime.markers import VERSION, Event, MarkerInlets, MarkerOutlet, parse_marker
from realtime.outlet import PredictionOutlet
from realtime.recording import Marker, StreamInfo

_log = logging.getLogger(__name__)

POLL_EVERY = 0.04  # s; a push costs nearly the same for 7 samples as for 700
FOLLOW_EVERY = 0.5  # s between two looks at what is on the network
PATIENCE = 600.0  # s of samples kept while they wait for a window
LONGEST_ANSWER = 86400.0  # s between an event and its command


class Session:
    """Runs one session in this process.

    Parameters
    ----------
    settings : SessionSettings

    Raises
    ------
    InputError
        If the checkpoint does not fit the rig, or the device is not there.
    """

    def __init__(self, settings: SessionSettings) -> None:
        self.settings = settings
        rig, checkpoint = settings.rig, settings.checkpoint
        self.predictor = PersonalPredictor(checkpoint, settings.device)
        self.engine = Engine(
            rig,
            self.predictor,
            checkpoint.population,
            limit=PATIENCE,
            artefacts=settings.artefacts,
            rests={
                name: profile.baseline
                for name, profile in settings.profiles.items()
                if profile.baseline is not None
            },
        )
        self.latency = Latency()
        self.windows = 0
        self.stopping = False
        self._latest: dict[str, Result] = {}
        self._negative = np.array(self.predictor.negative)
        self._references: dict[str, Reference] = {}
        self._outlets: dict[str, PredictionOutlet] = {}
        self._problems: set[str] = set()
        self._discovery = Discovery()
        self._markers_out = MarkerOutlet()
        own = (self._markers_out.info.source_id,)
        self.live = LiveStreams(
            rig,
            self._discovery,
            settings.choices,
            settings.participants,
            own,
            settings.record_frames,
        )
        self._markers_in = MarkerInlets(self._discovery, own)
        self._recording = SessionRecording(
            rig,
            self.predictor.emotions,
            {
                "checkpoint": {"rig": checkpoint.rig, "hash": checkpoint.hash},
                "trained_on": checkpoint.trained_on,
                "demonstration": checkpoint.demonstration,
                "notice": checkpoint.notice,
                "instrument": checkpoint.labels.instrument,
                "versions": software_versions(),
                "record_frames": settings.record_frames,
                "artefacts": {name: a.method for name, a in settings.artefacts.items()},
            },
            settings.record,
        )
        self._server = LinkServer(settings.link) if settings.link else None
        self._broadcast = Broadcast(self._server) if self._server else None
        self._models = PersonalModels(
            rig,
            checkpoint,
            self.predictor,
            settings.profiles,
            settings.profile_root or default_root(),
            self._rest,
            self._broadcast,
        )
        self._baselines = Baselines(
            self.engine, settings.baseline, self._broadcast, self._models.baseline
        )
        self._commands: dict[str, Callable[[dict[str, Any]], None]] = {
            "baseline": self._on_baseline,
            "marker": self._on_marker,
            "event": self._on_event,
            "record": self._on_record,
            "bind": self._on_bind,
            "quit": self._on_quit,
        }

    def run(self) -> dict[str, Any]:
        """Run until the time is over, a dashboard says quit, or Ctrl-C; return a summary."""
        if self.settings.checkpoint.notice:
            _log.warning("%s", self.settings.checkpoint.notice)
        try:
            self._greet()
            self._models.greet()
            self._find_streams()
            if self.settings.record is not None:
                self._record()
            end = math.inf
            if self.settings.seconds is not None:
                end = time.perf_counter() + self.settings.seconds
            follow = 0.0
            while not self.stopping and (now := time.perf_counter()) < end:
                if now >= follow:
                    self._follow()
                    follow = now + FOLLOW_EVERY
                self.step()
                time.sleep(max(0.0, POLL_EVERY - (time.perf_counter() - now)))
        except KeyboardInterrupt:
            _log.info("stopped by the operator")
        finally:
            # Whatever goes wrong with the one: what was recorded, and what was rated.
            try:
                self._recording.stop()
            finally:
                try:
                    self._models.close()
                    summary = self.summary()
                finally:
                    self.close()
        return summary

    def step(self) -> None:
        """Take in what has arrived, and send out what is complete."""
        # Before the polls, so that their own time and that of earlier chunks counts as latency.
        arrived = time.perf_counter()
        for arrival in self.live.poll():
            self._recording.samples(arrival)
            cells = self.engine.push(arrival.chunk, arrived)
            if self._broadcast:
                self._broadcast.collect(cells)
        for info, frames in self.live.frames():
            self._recording.frames(info, *frames)
        for stamp, marker in self._markers_in.poll():
            self._take_marker(stamp, marker)
        self._baselines.follow()
        for result in self.engine.predict(self.engine.windows_now(time.perf_counter())):
            self._publish(result)
        self._models.step()
        if self._server and self._broadcast:
            now = time.perf_counter()
            for command in self._server.receive():
                self._obey(command)
            self._broadcast.signals(now)
            self._broadcast.streams(
                now, self.live, self.engine, self._latest, self.latency.summary()
            )

    def close(self) -> None:
        """Finish the recording and let go of everything."""
        self._recording.stop()
        if self._server:
            self._server.close()
        self.live.close()
        self._markers_in.close(0.5)
        self._discovery.close()

    def summary(self) -> dict[str, Any]:
        """Return what the session did."""
        streams = stream_figures(self.live, self.engine)
        last = max(self._latest.values(), key=lambda result: result.window.time, default=None)
        lost = sum(row["dropped"] for row in streams) + self._recording.dropped
        return {
            "rig": self.settings.rig.name,
            "checkpoint": self.settings.checkpoint.hash,
            "demonstration": self.settings.checkpoint.demonstration,
            "notice": self.settings.checkpoint.notice,
            "participants": sorted(self.engine.participants),
            "windows": self.windows,
            "emotions": list(self.predictor.emotions),
            "profiles": self._models.summary(),
            "last": None if last is None else result_figures(last),
            "latency_ms": self.latency.summary(),
            "streams": streams,
            "dropped": lost + (self._server.dropped if self._server else 0),
            "recording": self._recording.last,
        }

    # Streams.

    def _find_streams(self) -> None:
        """Wait until at least one modality is bound."""
        begin = time.perf_counter()
        self._discovery.wait(1.5)
        while not self.live.bindings and not self.stopping:
            self._follow()
            if self.live.bindings:
                # Give the rest of the same device a moment to be seen.
                self._discovery.wait(0.5)
                self._follow()
                break
            waited = time.perf_counter() - begin
            if self.settings.wait is not None and waited > self.settings.wait:
                if self.live.problems:
                    raise self.live.problems[0]
                seen = ", ".join(f"{i.name!r} ({i.type})" for i in self.live.candidates()[:20])
                raise InputError(
                    f"found no stream for the rig {self.settings.rig.name!r} within "
                    f"{self.settings.wait:g} s; seen: {seen or 'none at all'}: start the device's "
                    "LSL program, or look for causes with `affectstream doctor`"
                )
            self.step()
            time.sleep(0.1)
        if self.settings.wait is not None and self.live.problems:
            # Nobody at a dashboard may be there to choose.
            raise self.live.problems[0]

    def _follow(self) -> None:
        fresh = self.live.follow()
        self.engine.bind(fresh)
        self._recording.streams(self.live, self._marker_infos())
        for problem in self.live.problems:
            if str(problem) not in self._problems:
                self._problems.add(str(problem))
                _log.warning("%s", problem)
                if self._broadcast and isinstance(problem, AmbiguousBinding):
                    self._broadcast.choice(problem)
        if fresh:
            self._warn_of_strangers()
        if fresh and self._broadcast:
            self._greet()

    def _warn_of_strangers(self) -> None:
        """Say whose artefact filter serves nobody."""
        watched = sorted(self.engine.participants)
        for name in self.settings.artefacts:
            if name not in watched and name not in self._problems:
                self._problems.add(name)
                self._warn(
                    InputError(
                        f"the artefact filter for {name!r} serves nobody so far: watched is "
                        f"{', '.join(watched)} (--artefacts PARTICIPANT=FILE says whose it is)"
                    )
                )

    def _greet(self) -> None:
        if not self._broadcast:
            return
        checkpoint = self.settings.checkpoint
        self._broadcast.hello(
            software_versions().get("affectstream", ""),
            self.settings.rig,
            checkpoint.labels,
            self.predictor.training_mean,
            {
                "name": checkpoint.rig,
                "hash": checkpoint.hash,
                "trained_on": checkpoint.trained_on,
                "notice": checkpoint.notice,
            },
            sorted(self.engine.participants) or sorted(self.settings.participants) or ["P1"],
        )

    # Windows.

    def _publish(self, result: Result) -> None:
        window = result.window
        self._models.window(window)
        outlet = self._outlets.get(window.participant)
        if outlet is None:
            outlet = self._outlets[window.participant] = self._open_outlet(window.participant)
        present = [window.valid[m] if window.mask[m] else 0.0 for m in window.mask]
        valid = float(np.mean(present))
        outlet.push(window.time, result.distribution, result.radius, result.intensity, valid)
        self.latency.add(time.perf_counter() - window.arrived)
        self.windows += 1
        self._latest[window.participant] = result
        sample = np.append(result.distribution, (result.radius, result.intensity, valid))
        self._recording.result(result, outlet.info, sample)
        if self._broadcast:
            person = self.engine.participants[window.participant]
            reference = self._references.setdefault(window.participant, Reference(self._negative))
            self._broadcast.window(result, reference.update(result, person.normaliser.stretch))

    def _open_outlet(self, participant: str) -> PredictionOutlet:
        infos = [
            self.live.inlets[source.stream].info
            for (owner, _), binding in self.live.bindings.items()
            if owner == participant
            for source in binding.sources
        ]
        checkpoint = self.settings.checkpoint
        return PredictionOutlet(
            self.predictor.emotions,
            self.settings.rig,
            participant,
            checkpoint.hash,
            checkpoint.labels.instrument,
            any(info.simulated for info in infos),
            next((info.replay for info in infos if info.replay is not None), None),
            checkpoint.notice,
        )

    def _rest(self, participant: str) -> Rest | None:
        """Return somebody's features in a stated baseline that is over."""
        person = self.engine.participants.get(participant)
        latest = self._latest.get(participant)
        if person is None or latest is None or person.normaliser.stretch is None:
            return None
        over = latest.window.time >= person.normaliser.stretch[1]
        return person.normaliser.rest if over else None

    # Markers, commands.

    def _take_marker(self, stamp: float, marker: Marker) -> None:
        self._recording.marker(stamp, marker)
        if self._broadcast:
            self._broadcast.marker(marker)
        event = parse_marker(marker.text)
        if event is not None:
            self._baselines.take(event, marker.time)
            self._models.event(event, marker.time)

    def _record(self) -> None:
        self._recording.start(self.live, self._marker_infos(), sorted(self.engine.participants))
        self._tell_recording()

    def _marker_infos(self) -> list[StreamInfo]:
        """Return the marker streams that are taken in, and the operator's own."""
        return [self._markers_out.info, *(inlet.info for inlet in self._markers_in.inlets)]

    def _tell_recording(self) -> None:
        if self._broadcast:
            recording = self._recording
            self._broadcast.recording(recording.path, recording.since, recording.fault)

    def _operator(self, event: Event, age: float = 0.0) -> None:
        """Publish one of the operator's events, `age` seconds old, as a marker, and act on it."""
        marker = self._markers_out.push(event, pylsl.local_clock() - age)
        self._take_marker(marker.time, marker)

    def _obey(self, command: dict[str, Any]) -> None:
        handler = self._commands.get(str(command.get("t")))
        if handler is None:
            _log.warning("a dashboard sent %r, which means nothing", command.get("t"))
            return
        handler(command)

    def _on_baseline(self, command: dict[str, Any]) -> None:
        name = "baseline_start" if command.get("action") == "start" else "baseline_stop"
        self._operator(Event(name, participant=str(command.get("participant", ""))))

    def _on_marker(self, command: dict[str, Any]) -> None:
        self._operator(Event("note", text=str(command.get("text", ""))))

    def _on_event(self, command: dict[str, Any]) -> None:
        fields = {name: value for name, value in command.items() if name not in ("t", "age")}
        try:
            age = max(0.0, float(command.get("age", 0.0)))  # NaN is none
            event = parse_marker(json.dumps({**fields, "affectstream": VERSION}))
        except (TypeError, ValueError, RecursionError):
            age, event = 0.0, None
        if event is None or age > LONGEST_ANSWER:
            self._warn(
                InputError(
                    f"no event, or more than {LONGEST_ANSWER:g} s old: {str(command)[:200]!r}: "
                    "send the fields of a marker"
                )
            )
        else:
            self._operator(event, age)

    def _on_record(self, command: dict[str, Any]) -> None:
        if command.get("action") != "start":
            self._recording.stop()
            self._tell_recording()
            return
        try:
            self._record()
        except InputError as error:
            # A folder that cannot be written to must not end the session.
            self._warn(error)
            if self._broadcast:
                self._broadcast.recording(None, None, str(error))

    def _on_bind(self, command: dict[str, Any]) -> None:
        modality = str(command.get("modality"))
        known = [settings.name for settings in self.settings.rig.modalities]
        if modality not in known:
            # Kept, it would come up again whenever streams are looked at.
            self._warn(InputError(f"no modality {modality!r}: use one of {', '.join(known)}"))
            return
        role = f"{command.get('participant')}.{modality}"
        self.live.choices[role] = str(command.get("key"))
        self._problems.clear()
        try:
            self._follow()
        except InputError as error:
            del self.live.choices[role]
            self._warn(error)

    def _warn(self, error: InputError) -> None:
        """Say what an operator's command came to."""
        _log.warning("%s", error)
        if self._broadcast:
            self._broadcast.log("warning", str(error))

    def _on_quit(self, command: dict[str, Any]) -> None:
        self.stopping = True
