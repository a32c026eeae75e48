"""The course of a guided session: its states, and what each step changes and marks.

It knows neither files nor clocks: `calibration.guided` writes its steps down and takes them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from calibration.protocol import Protocol, Stimulus
from calibration.ratings import Rating
from calibration.runs import SUPERSEDED
from realtime.markers import Event
from realtime.metadata import clean

ENDED = ("finished", "aborted")


class OutOfTurn(ValueError):
    """Something was called that the session's state does not allow."""


@dataclass(slots=True)
class Trial:
    """One attempt at one stimulus.

    Attributes
    ----------
    trial : str
        Its own id: no two attempts share one.
    place : int
        Of its stimulus in the protocol.
    condition : str
    remark : str
        What came of it, such as the score of an arithmetic task.
    rating : Rating or None
        None before it was rated, and if rating was skipped.
    done : bool
        It was shown to its end, and rated or skipped.
    superseded : str
        Why it does not count; empty if it does.
    """

    trial: str
    place: int
    condition: str
    remark: str = ""
    rating: Rating | None = None
    done: bool = False
    superseded: str = ""


class Course:
    """The state of a session, changed by one step at a time.

    Parameters
    ----------
    protocol : Protocol
    participant : str
    order : sequence of int
        The place in the protocol of each trial.

    Attributes
    ----------
    state : str
        As `calibration.guided.Guided` has it.
    running : bool
        Rest, stimulus or break is going on.
    paused : bool
    began : float
        When what runs began, in seconds of the caller's clock.
    trials : list of Trial
        All attempts, in order.
    waived : list of str
        Modalities that may fail.
    queue : list of int
        Places of the trials to come; the first is shown next, shown, or rated.
    """

    def __init__(self, protocol: Protocol, participant: str, order: Sequence[int]) -> None:
        if not all(0 <= place < len(protocol.stimuli) for place in order):
            raise ValueError("the order names stimuli that are not there")
        self.protocol, self.participant = protocol, participant
        self.state, self.running, self.paused = "consent", False, False
        self.began = 0.0
        self.trials: list[Trial] = []
        self.waived: list[str] = []
        self.queue = list(order)
        self._order = tuple(order)
        self._rest_due = True
        self._done = 0

    @property
    def stimulus(self) -> Stimulus | None:
        """What is shown next, or now, or was just shown and is rated."""
        return self.protocol.stimuli[self.queue[0]] if self.queue else None

    def can(self, step: str) -> bool:
        """Tell whether a step is possible now."""
        state, waiting = self.state, not self.running
        if state in ENDED:
            return False
        if state == "consent":
            return step in ("agree", "decline")
        if step in ("abort", "open"):
            return True
        if self.paused:
            return step == "resume"
        return {
            "pause": state != "summary",
            "waive": state == "check",
            "confirm_sensors": state == "check",
            "start": state in ("rest", "stimulus") and waiting,
            "end": self.running,
            "rate": state == "rating",
            "skip_rating": state == "rating",
            "repeat_trial": state != "check" and self._last() is not None,
            "rest_again": state in ("rating", "break") or (state == "stimulus" and waiting),
            "finish": state == "summary",
        }.get(step, False)

    def take(self, record: Mapping[str, Any], now: float) -> list[Event]:
        """Take a step.

        Parameters
        ----------
        record : mapping
            With the step's name in ``do``, and what belongs to it.
        now : float
            Seconds of the caller's clock.

        Returns
        -------
        list of Event
            What it means, to be published.

        Raises
        ------
        OutOfTurn
            If it is not possible now.
        KeyError, TypeError, ValueError
            If the record lacks something.
        """
        step = str(record["do"])
        if not self.can(step):
            paused = ", paused" if self.paused else ""
            raise OutOfTurn(f"{step} is not possible now: the state is {self.state}{paused}")
        handler: Callable[[Mapping[str, Any]], list[Event]] = getattr(self, f"_on_{step}")
        before = self.running and not self.paused
        events = handler(record)
        if self.running and not self.paused and (step in ("open", "end") or not before):
            self.began = now
        return events

    def rating_event(self, trial: Trial) -> Event:
        """Return the marker of a trial's rating."""
        if trial.rating is None:
            raise OutOfTurn(f"trial {trial.trial} has no rating")
        return _of_trial(trial.rating.to_event(), trial)

    # What each step does.

    def _on_agree(self, record: Mapping[str, Any]) -> list[Event]:
        self.state = "check"
        order = " ".join(str(place + 1) for place in self._order)
        return [self._event("session_start", text=f"{self.protocol.name}, order {order}")]

    def _on_decline(self, record: Mapping[str, Any]) -> list[Event]:
        self.state = "aborted"
        return []

    def _on_waive(self, record: Mapping[str, Any]) -> list[Event]:
        self.waived.append(str(record["modality"]))
        return [self._note(f"goes without {self.waived[-1]}")]

    def _on_confirm_sensors(self, record: Mapping[str, Any]) -> list[Event]:
        self.state = "rest"
        verdicts = (
            f"{name} {'passes' if passed else 'is waived'}"
            for name, (passed, _, _) in record["sensors"].items()
        )
        return [self._note(f"sensors: {', '.join(verdicts)}")]

    def _on_start(self, record: Mapping[str, Any]) -> list[Event]:
        self.running = True
        if self.state == "rest":
            return [self._event("baseline_start")]
        place = self.queue[0]
        condition = self.protocol.stimuli[place].condition
        trial = Trial(str(len(self.trials) + 1), place, condition)
        self.trials.append(trial)
        return [self._event("trial_start", trial)]

    def _on_end(self, record: Mapping[str, Any]) -> list[Event]:
        state, self.running = self.state, False
        if state == "rest":
            self._rest_due = False
            self._go_on()
            return [self._event("baseline_stop")]
        if state == "break":
            self._go_on()
            return [self._note("break over")]
        self.state = "rating"
        trial = self.trials[-1]
        trial.remark = clean(str(record.get("remark", "")))
        events = [self._event("trial_stop", trial)]
        return [*events, self._note(trial.remark, trial)] if trial.remark else events

    def _on_rate(self, record: Mapping[str, Any]) -> list[Event]:
        trial = self.trials[-1]
        lowest, highest = record["scale"]
        trial.rating = Rating(
            str(record["instrument"]),
            {str(name): None if s is None else float(s) for name, s in record["items"]},
            (float(lowest), float(highest)),
            trial.trial,
            self.participant,
        )
        return [self.rating_event(trial), *self._done_with(trial)]

    def _on_skip_rating(self, record: Mapping[str, Any]) -> list[Event]:
        trial = self.trials[-1]
        return [self._note("not rated", trial), *self._done_with(trial)]

    def _on_pause(self, record: Mapping[str, Any]) -> list[Event]:
        self.paused = True
        return [*self._interrupt("the session was paused"), self._note("pause")]

    def _on_resume(self, record: Mapping[str, Any]) -> list[Event]:
        self.paused = False
        return [self._note("pause over")]

    def _on_repeat_trial(self, record: Mapping[str, Any]) -> list[Event]:
        if self.state == "stimulus" and self.running:
            return self._interrupt("it is repeated")
        last = self._last()
        if last is None:
            raise OutOfTurn("there is no trial to repeat")
        events = self._interrupt("a trial is repeated")
        if last.done:
            self.queue.insert(0, last.place)
        last.superseded = "it is repeated"
        self.running = False
        self._go_on(may_break=False)
        note = self._note(f"{SUPERSEDED}: {last.superseded}", last)
        if last.rating is not None:
            # An engine that was not there knows the trial from the profile alone, and by this.
            note = replace(self.rating_event(last), event="note", text=note.text)
        return [*events, note]

    def _on_rest_again(self, record: Mapping[str, Any]) -> list[Event]:
        self._rest_due = True
        if self.state != "rating":
            self.running = False
            self._go_on()
        return [self._note(f"rest again: {clean(str(record['reason']))}")]

    def _on_open(self, record: Mapping[str, Any]) -> list[Event]:
        """Go on after a crash: what ran then is taken back, without a stop at a wrong time."""
        baseline = self.state == "rest" and self.running
        events = self._interrupt("the session was resumed after a crash")
        # A baseline that was never stopped would go on for ever.
        events = [event for event in events if baseline or event.event == "note"]
        self.paused = False
        return [self._event("session_start", text=f"{self.protocol.name}, resumed"), *events]

    def _on_finish(self, record: Mapping[str, Any]) -> list[Event]:
        self.state = "finished"
        return [self._event("session_stop")]

    def _on_abort(self, record: Mapping[str, Any]) -> list[Event]:
        reason = clean(str(record.get("reason", "")))
        events = self._interrupt("the session was aborted")
        self.state, self.paused = "aborted", False
        said = f"aborted: {reason}" if reason else "aborted"
        return [*events, self._note(said), self._event("session_stop")]

    # Parts of the above.

    def _go_on(self, may_break: bool = True) -> None:
        """Enter the state that comes after rest, rating or break."""
        every = self.protocol.break_every
        if not self.queue:
            self.state = "summary"
        elif self._rest_due:
            self.state = "rest"
        elif may_break and self.state == "rating" and every and self._done % every == 0:
            self.state, self.running = "break", True
        else:
            self.state = "stimulus"

    def _done_with(self, trial: Trial) -> list[Event]:
        trial.done = True
        self._done += 1
        self.queue.pop(0)
        self._go_on()
        return [self._note("break")] if self.state == "break" else []

    def _interrupt(self, reason: str) -> list[Event]:
        """Take back the rest or the stimulus that runs."""
        if not self.running or self.state == "break":
            return []
        self.running = False
        if self.state == "rest":
            return [self._event("baseline_stop"), self._note(f"rest starts again: {reason}")]
        trial = self.trials[-1]
        trial.superseded = reason
        stop = self._event("trial_stop", trial)
        return [stop, self._note(f"{SUPERSEDED}: {reason}", trial)]

    def _last(self) -> Trial | None:
        """Return the trial that `repeat_trial` would repeat."""
        return next((trial for trial in reversed(self.trials) if not trial.superseded), None)

    def _event(self, event: str, trial: Trial | None = None, text: str = "") -> Event:
        made = Event(event, participant=self.participant, text=text)
        return made if trial is None else _of_trial(made, trial)

    def _note(self, text: str, trial: Trial | None = None) -> Event:
        return self._event("note", trial, text)


def _of_trial(event: Event, trial: Trial) -> Event:
    return replace(event, trial=trial.trial, condition=trial.condition)
