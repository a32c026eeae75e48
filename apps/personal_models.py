"""Participants' own models in a live session: adopted at its start, improved by what they rate."""

from __future__ import annotations

import copy
import logging
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pylsl

from apps.broadcast import Broadcast
from calibration.collector import TrialCollector
from calibration.improvement import Improvement, improve
from calibration.predictor import PersonalPredictor
from calibration.profile import Profile
from calibration.profile_files import save_profile
from calibration.runs import takes_back
from calibration.trials import RatedTrial, has_name, merged, usable
from model.checkpoint import Checkpoint
from model.predictor import Predictor
from realtime.baseline import Rest
from realtime.errors import InputError
from realtime.markers import Event
from realtime.rig import Rig
from realtime.window import Window

_log = logging.getLogger(__name__)

LAST_FIT = 60.0  # s that the end of a session waits for what was rated last


class _GivenUp(Exception):
    """The session ends before the fit does."""


@dataclass(frozen=True)
class _Fit:
    """What came of a fit, ready for the next window."""

    found: Improvement
    predictor: Predictor | None


class PersonalModels:
    """Keeps the profiles of a session's participants, and fits them anew when a trial is rated.

    A rated trial is on the disk before it is fitted: an engine that dies loses none, and what was
    not fitted is fitted at the start of the next session. Fitting runs in a thread of its own, one
    person at a time, while the session goes on; what was rated meanwhile is fitted next. Who has
    no profile is left alone.

    Parameters
    ----------
    rig : Rig
    checkpoint : Checkpoint
    predictor : PersonalPredictor
        Told of each new model.
    profiles : mapping of str to Profile
        By participant; begun or loaded, and fitting the checkpoint and the rig.
    root : Path
        Folder of the profiles.
    rest : callable
        Gives a participant's features at rest in this session, None before they are known.
    broadcast : Broadcast or None
        Told of each new model too.
    """

    def __init__(
        self,
        rig: Rig,
        checkpoint: Checkpoint,
        predictor: PersonalPredictor,
        profiles: Mapping[str, Profile],
        root: Path,
        rest: Callable[[str], Rest | None],
        broadcast: Broadcast | None = None,
    ) -> None:
        self.profiles = dict(profiles)
        # The fit puts other weights into the networks for a moment, which nobody else may use then.
        self._checkpoint = replace(checkpoint, ensemble=copy.deepcopy(checkpoint.ensemble))
        self._predictor, self._root, self._broadcast = predictor, root, broadcast
        self._rest = rest
        epoch = datetime.now(UTC) - timedelta(seconds=pylsl.local_clock())
        modalities = [m.name for m in rig.modalities if m.name in checkpoint.population.mean]
        self._collectors = {
            name: TrialCollector(name, modalities, rig.hop, epoch) for name in self.profiles
        }
        self._known = dict(profiles)
        self._rated: dict[str, dict[str, RatedTrial]] = {name: {} for name in self.profiles}
        self._changed: dict[str, None] = {}
        self._due: dict[str, None] = {}
        self._unsaved: dict[str, str] = {}
        self._fitting: tuple[str, Future[_Fit]] | None = None
        self._thread = ThreadPoolExecutor(1, "calibration") if self.profiles else None
        self._ending = threading.Event()
        for name, profile in self.profiles.items():
            if profile.model.trials:
                predictor.adopt(name, profile.model)
            if len(usable(profile.trials, checkpoint.labels)[0]) > profile.model.trials:
                self._due[name] = None

    def greet(self) -> None:
        """Tell dashboards where each profile stands."""
        for name in self.profiles:
            self._tell(name, "ready")

    def window(self, window: Window) -> None:
        """Take in a window."""
        collector = self._collectors.get(window.participant)
        if collector is not None:
            self._take(window.participant, collector.window(window))

    def event(self, event: Event, time: float) -> None:
        """Take in an event at a time on the session's clock."""
        for name, collector in self._collectors.items():
            rated_here = event.trial in self._rated[name]
            self._take(name, collector.event(event, time))
            if takes_back(event) and event.participant in ("", name) and not rated_here:
                self._take_back(name, event)

    def baseline(self, participant: str, start: float, stop: float) -> None:
        """Take in a stated baseline that no marker announced."""
        if participant in self._collectors:
            self._collectors[participant].state_baseline(start, stop)

    def step(self) -> None:
        """Keep what was rated, adopt what was fitted, and begin with what is due; does not wait."""
        for name in self._changed:
            self._keep(name)
        self._changed.clear()
        if self._fitting is not None and self._fitting[1].done():
            name, future = self._fitting
            self._fitting = None
            self._adopt(name, future)
        if self._fitting is None and self._due and self._thread is not None:
            name = next(iter(self._due))
            del self._due[name]
            self._fitting = name, self._thread.submit(self._fit, self.profiles[name])
            self._tell(name, "fitting")

    def summary(self) -> dict[str, dict[str, Any]]:
        """Return by participant what their profile rests on, as plain values."""
        return {
            name: {
                "trials": profile.model.trials,
                "step": profile.model.step,
                "radius": profile.model.radius,
                "calibrations": len(profile.history),
            }
            for name, profile in self.profiles.items()
        }

    def close(self, patience: float = LAST_FIT) -> None:
        """Take in the last windows' trials and keep them, and fit them if there is time.

        Parameters
        ----------
        patience : float
            Seconds to wait for fits; what is not done then is left to the next session.
        """
        end = time.monotonic() + patience
        for name, collector in self._collectors.items():
            self._take(name, collector.close())
        self.step()
        try:
            while self._fitting is not None and (left := end - time.monotonic()) > 0:
                wait([self._fitting[1]], left)
                self.step()
        finally:  # a second Ctrl-C ends the waiting too
            self._ending.set()
            if self._thread is not None:
                self._thread.shutdown(wait=False, cancel_futures=True)
        if self._fitting is not None:
            _log.warning(
                "%s: fitting takes longer than %g s: what was rated is kept, and fitted at the "
                "start of the next session",
                self._fitting[0],
                patience,
            )
        for name in list(self._unsaved):
            self._save(name)  # there may be room by now
        for name, reason in self._unsaved.items():
            _log.error("%s: what was rated is lost: %s", name, reason)

    def _take(self, name: str, trials: Sequence[RatedTrial]) -> None:
        rated = self._rated[name]
        for trial in trials:
            rated[trial.trial] = trial
            self._changed[name] = None
        for gone in self._collectors[name].withdrawn & set(rated):
            del rated[gone]
            self._changed[name] = None

    def _take_back(self, name: str, event: Event) -> None:
        """Leave out a trial that is repeated, and was rated before this engine started."""
        known = self._known[name]
        same = [trial for trial in known.trials if _is_meant(trial, event)]
        if same:
            last = max(same, key=lambda trial: trial.date)
            kept = tuple(trial for trial in known.trials if trial is not last)
            self._known[name] = replace(known, trials=kept)
            self._changed[name] = None

    def _keep(self, name: str) -> None:
        """Put what was rated into the profile, and the profile on the disk."""
        # What the session rated replaces what it rated before, not what other sessions did.
        trials = self._known[name].trials
        for trial in tuple(self._rated[name].values()):
            try:
                trials = merged(trials, (trial,))
            except InputError as error:  # its name is taken, and too long for a number before it
                del self._rated[name][trial.trial]
                self._fail(name, f"a trial is left out: {error}")
        try:
            known = self.profiles[name]
            rest = self._rest(name) or known.baseline
            self.profiles[name] = replace(known, trials=trials, baseline=rest)
        except ValueError as error:
            self._fail(name, f"the profile stays as it was: {error}")
            return
        self._save(name)
        self._due[name] = None

    def _save(self, name: str) -> None:
        try:
            self.profiles[name] = save_profile(self.profiles[name], self._root)
        except InputError as error:
            # A full disk must not end the session, nor keep the person from the better model.
            self._unsaved[name] = str(error)
            _log.warning("%s: what was rated is not kept yet: %s", name, error)
        else:
            self._unsaved.pop(name, None)

    def _fit(self, profile: Profile) -> _Fit:
        """Fit a person's trials; in the thread."""

        def go_on(step: str, done: int, total: int) -> None:
            if self._ending.is_set():
                raise _GivenUp

        found = improve(profile, self._checkpoint, (), progress=go_on)
        predictor = None
        if self._predictor.population.device.type == "cpu":
            # Takes a second, which no window should wait. On a GPU it is quick, and must not be
            # done while the session captures a graph.
            predictor = self._predictor.prepared(profile.id, found.profile.model)
        return _Fit(found, predictor)

    def _adopt(self, name: str, future: Future[_Fit]) -> None:
        try:
            fit = future.result()
            model = fit.found.profile.model
            # Trials may have come meanwhile.
            history = (*self.profiles[name].history, fit.found.profile.history[-1])
            better = replace(self.profiles[name], model=model, history=history)
            self._predictor.adopt(name, model, fit.predictor)
        except InputError as error:  # such as an incomplete rating
            self._fail(name, f"the model stays as it was: {error}")
            return
        except Exception as error:
            # Whatever went wrong in there, people are being recorded: the session must go on.
            _log.exception("%s: fitting failed", name)
            self._fail(name, f"the model stays as it was: {error!r}")
            return
        self.profiles[name] = better
        self._save(name)
        _log.info(
            "%s: %d rated trials, step %s, radius %.3f",
            name,
            model.trials,
            model.step,
            model.radius,
        )
        if name in self._unsaved:
            self._tell(name, "failed", f"the better model is not kept: {self._unsaved[name]}")
        else:
            self._tell(name, "ready")

    def _fail(self, name: str, text: str) -> None:
        _log.warning("%s: %s", name, text)
        self._tell(name, "failed", text)

    def _tell(self, name: str, state: str, text: str = "") -> None:
        if self._broadcast is not None:
            model = self.profiles[name].model
            self._broadcast.profile(name, state, model.trials, model.step, model.radius, text)


def _is_meant(trial: RatedTrial, event: Event) -> bool:
    """Tell whether an event that takes a trial back is about this one: by name and by answers."""
    rating = trial.rating
    answers = {item: score for item, score in rating.items.items() if score is not None}
    return (
        has_name(trial, event.trial)
        and trial.condition == event.condition
        and (rating.instrument, rating.scale) == (event.instrument, event.scale)
        and answers == dict(event.items)
    )
