"""The live source: finds streams, binds them to the rig, and polls their inlets."""

from __future__ import annotations

import itertools
import logging
from collections.abc import Collection, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from realtime.binding import (
    AmbiguousBinding,
    Binding,
    UnknownChoice,
    assign_participants,
    survey,
)
from realtime.choices import choices_of
from realtime.chunk import Chunk
from realtime.discovery import Discovery
from realtime.errors import InputError
from realtime.inlet import Inlet, InletStatistics
from realtime.markers import is_marker_stream
from realtime.outlet import STREAM_TYPE
from realtime.recording import StreamInfo
from realtime.rig import Rig
from realtime.video import is_video
from realtime.video_inlet import Frames, VideoInlet

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Arrival:
    """Samples that one poll brought.

    Attributes
    ----------
    raw_times : ndarray of float64, shape (n,)
        Stamps as the source gave them.
    chunk : Chunk
        The samples on this machine's LSL clock.
    """

    raw_times: NDArray[np.float64]
    chunk: Chunk


class LiveStreams:
    """The rig's streams on the network, as they come and go.

    Parameters
    ----------
    rig : Rig
    discovery : Discovery
    choices : mapping of str to str
        Stream that was chosen for a role, as ``--bind`` gives it (`realtime.binding.survey`).
    participants : sequence of str
        Who is watched; empty: everybody whom the streams name, or else one person, "P1".
    own : collection of str
        Source ids that this program publishes itself.
    keep_frames : bool
        Keep the frames of video streams for `frames`, as they came.
    """

    def __init__(
        self,
        rig: Rig,
        discovery: Discovery,
        choices: Mapping[str, str] | None = None,
        participants: Collection[str] = (),
        own: Collection[str] = (),
        keep_frames: bool = False,
    ) -> None:
        self.rig = rig
        self.discovery = discovery
        self.choices = dict(choices or {})
        self.bindings: dict[tuple[str, str], Binding] = {}
        self.problems: list[AmbiguousBinding | UnknownChoice] = []
        self._participants = tuple(participants)
        self._own = frozenset(own)
        self._keep_frames = keep_frames
        self._inlets: dict[str, Inlet] = {}
        self._opened: dict[str, StreamInfo] = {}
        self._refused: set[str] = set()
        self._told: set[str] = set()

    def candidates(self) -> tuple[StreamInfo, ...]:
        """Return the streams that could be somebody's sensor."""
        return tuple(
            info
            for info in self.discovery.streams()
            if not is_marker_stream(info)
            and info.type != STREAM_TYPE
            and info.source_id not in self._own
        )

    def follow(self) -> list[Binding]:
        """Look at what is on the network now, open inlets for what is new, return new bindings.

        A modality that was bound stays with its stream, which may go and return. It is bound anew
        when its stream comes back in another shape. Devices that cannot be told apart, and chosen
        streams that are not there, are left in `problems`.
        """
        groups = assign_participants(self.candidates(), self._participants, self.choices)
        fresh: list[Binding] = []
        self.problems = []
        owners = {
            source.stream: binding.participant
            for binding in self.bindings.values()
            for source in binding.sources
        }
        first = next(iter(groups), None)
        for participant, group in groups.items():
            streams = [i for i in group if owners.get(i.key, participant) == participant]
            wanted = {
                modality.name
                for modality in self.rig.modalities
                if (participant, modality.name) not in self.bindings
                or self._is_changed(self.bindings[participant, modality.name])
            }
            if not wanted:
                continue
            try:
                chosen = choices_of(self.choices, participant, first)
                result = survey(self.rig, streams, choices=chosen, participant=participant)
            except UnknownChoice as error:
                self.problems.append(error)
                continue
            self.problems += [
                AmbiguousBinding(participant, modality, result)
                for modality in result.ambiguous
                if modality in wanted
            ]
            for sentence in itertools.chain.from_iterable(result.refusals.values()):
                # Only what would help: a modality that found another stream needs no advice.
                if sentence.partition(":")[0] in result.unbound and sentence not in self._told:
                    self._told.add(sentence)
                    _log.warning("%s", sentence)
            for binding in result.bindings:
                if binding.modality not in wanted or not self._open(binding, streams):
                    continue
                self.bindings[participant, binding.modality] = binding
                fresh.append(binding)
                _log.info(
                    "%s: %s is %s%s",
                    participant,
                    binding.modality,
                    ", ".join(repr(source.stream) for source in binding.sources),
                    "".join(f"; {note}" for note in binding.notes),
                )
        return fresh

    def poll(self) -> list[Arrival]:
        """Return what has arrived on all inlets, without waiting."""
        arrivals = []
        for inlet in self._inlets.values():
            received = inlet.poll()
            if received is not None:
                arrivals.append(Arrival(*received))
        return arrivals

    def frames(self) -> list[tuple[StreamInfo, Frames]]:
        """Return the frames that video streams have sent, if they are kept, with their stream."""
        return [
            (inlet.video, piece)
            for inlet in self._inlets.values()
            if isinstance(inlet, VideoInlet)
            for piece in inlet.take_frames()
        ]

    @property
    def inlets(self) -> Mapping[str, Inlet]:
        """Open inlets by stream key."""
        return self._inlets

    def statistics(self, binding: Binding) -> dict[str, InletStatistics]:
        """Return the figures of a binding's streams, by stream key."""
        return {
            source.stream: self._inlets[source.stream].statistics() for source in binding.sources
        }

    def close(self) -> None:
        """Close all inlets."""
        for inlet in self._inlets.values():
            inlet.close()
        for inlet in self._inlets.values():
            inlet.close(1.0)

    def _is_changed(self, binding: Binding) -> bool:
        """Tell whether one of a binding's streams came back as something else."""
        return any(self._inlets[source.stream].state == "changed" for source in binding.sources)

    def _open(self, binding: Binding, streams: Collection[StreamInfo]) -> bool:
        """Open the inlets of a binding; False if a stream went away meanwhile."""
        infos = {info.key: info for info in streams}
        for source in binding.sources:
            info = infos[source.stream]
            inlet = self._inlets.get(info.key)
            if inlet is not None and inlet.state != "changed":
                continue
            if inlet is not None and self._opened[info.key] == info:
                return False  # the network still shows the old shape
            try:
                handle = self.discovery.handle(info.key)
                if is_video(info):
                    opened: Inlet = VideoInlet(info, handle, self._keep_frames)
                else:
                    opened = Inlet(info, handle)
            except KeyError:
                return False
            except InputError as error:
                if info.key not in self._refused:
                    self._refused.add(info.key)
                    _log.warning("%s", error)
                return False
            if inlet is not None:
                inlet.close()
            self._inlets[info.key] = opened
            self._opened[info.key] = info
        return True
