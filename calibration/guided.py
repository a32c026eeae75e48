"""A guided session as a state machine: what may happen next, and what is marked when it does.

It knows neither screens nor streams. Whoever shows it calls its methods; it hands events to whoever
publishes them, and writes down every step before it takes it, so that a session that was killed
goes on where it was.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from calibration.course import ENDED, Course, OutOfTurn, Trial
from calibration.journal import Journal
from calibration.protocol import Protocol, Stimulus
from calibration.ratings import Rating
from calibration.sensors import SensorCheck
from realtime.errors import InputError
from realtime.markers import Event
from realtime.metadata import clean

JOURNAL = "guided.jsonl"
FORMAT = "guided-1"

__all__ = ["ENDED", "FORMAT", "JOURNAL", "Guided", "OutOfTurn", "Trial"]


class Guided:
    """One person's guided session.

    The states are ``consent``, ``check``, ``rest``, then ``stimulus`` and ``rating`` in turn, with
    a ``break`` now and then, ``summary``, and at the end ``finished`` or ``aborted``. Rest and
    stimulus wait for `start`. A pause takes back what was running: rest or stimulus start again,
    and so they do when a session is resumed after a crash.

    Parameters
    ----------
    protocol : Protocol
    participant : str
        Pseudonym.
    folder : Path
        Where the session's journal is kept. One that is there already is resumed.
    publish : callable
        Takes each `Event` when it happens.
    seed : int, optional
        Of a random order; drawn if left out. The order is in the journal and in the first marker.
    clock : callable
        Seconds of a monotonic clock.

    Attributes
    ----------
    seed : int
        Of the order; also serves for what else is random in the session.
    checks : tuple of SensorCheck
        How the sensors were when `sense` was last called.
    resumed : bool
        Whether the journal was there already.
    dropped : str
        What was dropped of a damaged journal, in one sentence; empty if nothing was.

    Raises
    ------
    InputError
        If the journal is of another protocol or person, or damaged.
    """

    def __init__(
        self,
        protocol: Protocol,
        participant: str,
        folder: Path,
        publish: Callable[[Event], None],
        seed: int | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        if not participant or clean(participant, 64) != participant:
            raise InputError(
                f"participant {participant[:80]!r} will not do: give a pseudonym of 1 to 64 "
                "printable characters"
            )
        self.protocol, self.participant = protocol, participant
        self._publish, self._clock = publish, clock
        self.seed = secrets.randbits(32) if seed is None else seed
        self.checks: tuple[SensorCheck, ...] = ()
        self._journal = Journal(folder / JOURNAL)
        self.dropped = self._journal.dropped
        records = self._journal.records
        self.resumed = bool(records)
        try:
            if records:
                self._course = self._replay(records)
                self._go_on(records[-1])
            else:
                self._course = self._begin()
        except BaseException:
            self._journal.close()
            raise

    # What there is to see.

    @property
    def state(self) -> str:
        """Where the session is."""
        return self._course.state

    @property
    def running(self) -> bool:
        """Whether rest, stimulus or break is going on."""
        return self._course.running

    @property
    def paused(self) -> bool:
        """Whether the session is paused."""
        return self._course.paused

    @property
    def trials(self) -> tuple[Trial, ...]:
        """All attempts, in order."""
        return tuple(self._course.trials)

    @property
    def waived(self) -> tuple[str, ...]:
        """Modalities that did not pass the sensor check and may fail."""
        return tuple(self._course.waived)

    @property
    def stimulus(self) -> Stimulus | None:
        """What is shown next, or now, or was just shown and is rated; None in the summary."""
        return self._course.stimulus

    @property
    def trial(self) -> Trial | None:
        """The attempt that is going on or rated; None else."""
        shown = self.state == "rating" or (self.state == "stimulus" and self.running)
        return self._course.trials[-1] if shown else None

    @property
    def seconds(self) -> float | None:
        """How long rest, break or stimulus lasts in all; None if that is open."""
        if self.state == "rest":
            return self.protocol.rest
        if self.state == "break":
            return self.protocol.break_seconds
        return self.stimulus.seconds if self.state == "stimulus" and self.stimulus else None

    @property
    def elapsed(self) -> float:
        """Seconds since rest, stimulus or break began; 0 while nothing runs."""
        runs = self.running and not self.paused
        return max(self._clock() - self._course.began, 0.0) if runs else 0.0

    @property
    def left(self) -> float | None:
        """Seconds until rest, stimulus or break is over; None if that is open."""
        return None if self.seconds is None else max(self.seconds - self.elapsed, 0.0)

    @property
    def progress(self) -> tuple[int, int]:
        """Trials that are done and count, and trials in all."""
        done = sum(trial.done and not trial.superseded for trial in self.trials)
        return done, done + len(self._course.queue)

    @property
    def ratings(self) -> dict[str, Rating]:
        """What was answered, by trial; without trials that were repeated."""
        rated = (trial for trial in self.trials if not trial.superseded)
        return {trial.trial: trial.rating for trial in rated if trial.rating is not None}

    @property
    def failing(self) -> tuple[SensorCheck, ...]:
        """Sensors that did not pass and have not been waived."""
        return tuple(c for c in self.checks if not c.passed and c.modality not in self.waived)

    def can(self, action: str) -> bool:
        """Tell whether an action is possible now, by its method's name.

        After `close`, none is.
        """
        if self._journal.closed:
            return False
        if action == "confirm_sensors" and (not self.checks or self.failing):
            return False
        if action == "finish_stimulus":
            return self.state == "stimulus" and self._course.can("end")
        return self._course.can(action)

    # What can be done.

    def agree(self) -> None:
        """Consent to what the protocol says."""
        self._act("agree")

    def decline(self) -> None:
        """Do not consent: the session ends without a marker."""
        self._act("decline")

    def sense(self, checks: Sequence[SensorCheck]) -> None:
        """Take in how the sensors are now; see `calibration.sensors.check_sensors`."""
        self.checks = tuple(checks)

    def waive(self, modality: str) -> None:
        """Go on although a sensor does not pass.

        Raises
        ------
        InputError
            If it passes, or there is no such modality.
        """
        names = [check.modality for check in self.checks if not check.passed]
        if modality not in names:
            raise InputError(
                f"{modality!r} is not among the sensors that fail ({', '.join(names) or 'none'}): "
                "waive one of these"
            )
        if modality not in self.waived:
            self._act("waive", modality=modality)

    def confirm_sensors(self) -> None:
        """Leave the sensor check; every sensor passes, or is waived."""
        figures = {
            check.modality: [check.passed, check.state, check.quality] for check in self.checks
        }
        self._act("confirm_sensors", sensors=figures)

    def start(self) -> None:
        """Start the rest, or the stimulus."""
        self._act("start")

    def tick(self, remark: str = "") -> None:
        """End rest, stimulus or break when its time is over.

        Parameters
        ----------
        remark : str
            What came of the stimulus, if it ends now.
        """
        if self.left == 0.0:  # never while nothing runs, when all of it is left
            self._act("end", remark=clean(remark))

    def finish_stimulus(self, remark: str = "") -> None:
        """End the stimulus: it is over, or the experimenter says so."""
        self._need("finish_stimulus")
        self._act("end", remark=clean(remark))

    def rate(self, rating: Rating) -> None:
        """Take in the rating of the trial; without a single answer, it counts as skipped."""
        self._need("rate")
        if all(score is None for score in rating.items.values()):
            self.skip_rating()
            return
        self._act(
            "rate",
            instrument=rating.instrument,
            items=[[name, score] for name, score in rating.items.items()],
            scale=list(rating.scale),
        )

    def skip_rating(self) -> None:
        """Leave the trial without a rating."""
        self._act("skip_rating")

    def pause(self) -> None:
        """Pause; what runs is taken back, and starts again after `resume`."""
        self._act("pause")

    def resume(self) -> None:
        """Go on after a pause."""
        self._act("resume")

    def repeat_trial(self) -> None:
        """Show the stimulus that runs or is rated, or else the last one, once more."""
        self._act("repeat_trial")

    def rest_again(self, reason: str) -> None:
        """Rest once more before the next stimulus, since the earlier baseline was lost."""
        self._act("rest_again", reason=clean(reason))

    def finish(self) -> None:
        """End the session after its summary."""
        self._act("finish")

    def abort(self, reason: str = "") -> None:
        """End the session before its end, for good."""
        self._act("abort", reason=clean(reason))

    def close(self) -> None:
        """Close the journal; the session can be resumed."""
        self._journal.close()

    # Writing down, and reading again.

    def _need(self, action: str) -> None:
        if not self.can(action):
            raise OutOfTurn(f"{action} is not possible now: the state is {self.state}")

    def _act(self, step: str, **details: Any) -> None:
        """Write a step down, take it, and publish what it means."""
        self._need(step)
        record = {"do": step, "at": _now(), **details}
        self._journal.append(record)
        for event in self._course.take(record, self._clock()):
            self._publish(event)

    def _begin(self) -> Course:
        order = self.protocol.sequence(self.seed)
        self._journal.append(
            {
                "journal": FORMAT,
                "at": _now(),
                "protocol": self.protocol.name,
                "participant": self.participant,
                "digest": self.protocol.digest,
                "seed": self.seed,
                "order": order,
            }
        )
        return Course(self.protocol, self.participant, order)

    def _replay(self, records: Sequence[Mapping[str, Any]]) -> Course:
        """Bring back the state that a journal ends with."""
        head, path = records[0], str(self._journal.path)
        if head.get("journal") != FORMAT:
            raise InputError(f"{path!r} is no journal of a guided session: move it away")
        for key, what, own in (
            ("participant", "participant", self.participant),
            ("protocol", "protocol", self.protocol.name),
            ("digest", "version of the protocol", self.protocol.digest),
        ):
            if head.get(key) != own:
                found = str(head.get(key))
                raise InputError(
                    f"{path!r} belongs to another {what} ({found[:40]!r}, not {own[:40]!r}): move "
                    "it away, or resume with the same one"
                )
        number = 1
        try:
            self.seed = int(head["seed"])
            course = Course(
                self.protocol, self.participant, [int(place) for place in head["order"]]
            )
            for record in records[1:]:
                number += 1
                course.take(record, self._clock())
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            reason = f"{error} is missing" if isinstance(error, KeyError) else str(error)
            raise InputError(
                f"line {number} of the journal {path!r} does not follow from those before it "
                f"({clean(reason)}): move it away"
            ) from error
        return course

    def _go_on(self, last: Mapping[str, Any]) -> None:
        """Mark that a session goes on after its journal's last record."""
        if not self._course.can("open"):
            return
        # Whether the marker of a rating went out before the crash is not known: it is said twice.
        doubtful = self.trials[-1] if last.get("do") == "rate" else None
        self._act("open")
        if doubtful is not None:
            self._publish(self._course.rating_event(doubtful))


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds")
