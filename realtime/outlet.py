"""Outlets: LSL streams that this program publishes, the predictions above all."""

from __future__ import annotations

import platform
from collections.abc import Sequence
from xml.etree import ElementTree

import numpy as np
import pylsl
from numpy.typing import ArrayLike

from realtime.metadata import clean, description_xml, parse_xml
from realtime.recording import Replay, StreamInfo
from realtime.rig import Rig

EXTRA_CHANNELS = ("radius", "intensity", "valid")
STREAM_TYPE = "Affect"


def open_outlet(info: StreamInfo) -> pylsl.StreamOutlet:
    """Publish a stream.

    Parameters
    ----------
    info : StreamInfo
        Name, type, rate, format and ``source_id`` of the stream. Its `description` is published
        element for element (LSL knows no attributes); labels and units stand in where it is empty.

    Returns
    -------
    pylsl.StreamOutlet
        Visible on the network from now on, until it is deleted.
    """
    stream = pylsl.StreamInfo(
        info.name or "stream",
        info.type,
        info.channel_count,
        info.rate,
        info.format,
        info.source_id,
    )
    text = info.description or description_xml(info.labels, info.units, info.type)
    _copy(parse_xml(text), stream.desc())
    return pylsl.StreamOutlet(stream)


class PredictionOutlet:
    """One participant's distributions as an LSL stream of type ``Affect``.

    The channels are one share (0 to 1) for each emotion, then ``radius`` (of the conformal band, in
    total variation), ``intensity`` (0 to 1) and ``valid`` (share of the input that was valid, 0 to
    1). A sample's stamp is the end of its window.

    Parameters
    ----------
    emotions : sequence of str
        Names of the emotions.
    rig : Rig
        Its hop gives the nominal rate.
    participant : str
    checkpoint : str
        Identity (hash) of the checkpoint that predicts.
    instrument : str
        Rating instrument that the labels come from, such as ``PANAS``.
    simulated : bool
        Whether any input stream is simulated.
    replay : Replay, optional
        Given when the input is the replay of a recording.
    notice : str, optional
        What users of the checkpoint must be told.
    """

    def __init__(
        self,
        emotions: Sequence[str],
        rig: Rig,
        participant: str,
        checkpoint: str,
        instrument: str = "",
        simulated: bool = False,
        replay: Replay | None = None,
        notice: str | None = None,
    ) -> None:
        labels = (*emotions, *EXTRA_CHANNELS)
        units = ("share",) * len(emotions) + ("1",) * len(EXTRA_CHANNELS)
        desc = parse_xml(
            description_xml(
                labels,
                units,
                STREAM_TYPE,
                manufacturer="affectstream",
                model=f"checkpoint {checkpoint}",
                simulated=simulated,
                replay=replay,
            )
        )
        own = desc.find("affectstream")
        if own is None:
            own = ElementTree.SubElement(desc, "affectstream")
        facts = {
            "kind": "prediction",
            "participant": participant,
            "rig": rig.name,
            "hop": f"{rig.hop:g}",
            "checkpoint": checkpoint,
            "instrument": instrument,
            "stamp": "window_end",
        }
        if notice:
            facts["notice"] = notice
        for tag, value in facts.items():
            ElementTree.SubElement(own, tag).text = clean(value)
        # Two computers on one network may both watch a participant "1".
        identity = (platform.node(), rig.name, participant)
        self.info = StreamInfo(
            key=f"prediction {clean(participant)}",
            name=f"affectstream {clean(participant)}".strip(),
            type=STREAM_TYPE,
            rate=1.0 / rig.hop,
            labels=labels,
            units=units,
            source_id="affectstream-prediction-" + "-".join(clean(part) for part in identity),
            description=ElementTree.tostring(desc, encoding="unicode"),
            simulated=simulated,
            replay=replay,
        )
        self._outlet = open_outlet(self.info)

    def push(
        self,
        time: float,
        distribution: ArrayLike,
        radius: float,
        intensity: float,
        valid: float,
    ) -> None:
        """Publish one window's prediction.

        Parameters
        ----------
        time : float
            End of the window on this machine's LSL clock, in seconds.
        distribution : array_like, shape (n_emotions,)
        radius, intensity, valid : float
        """
        sample = np.append(np.asarray(distribution, dtype=np.float64), (radius, intensity, valid))
        if len(sample) != self.info.channel_count:
            raise ValueError(
                f"{len(sample) - len(EXTRA_CHANNELS)} shares for "
                f"{self.info.channel_count - len(EXTRA_CHANNELS)} emotions"
            )
        self._outlet.push_sample(sample.tolist(), time)

    @property
    def watched(self) -> bool:
        """Whether anyone receives the stream."""
        return bool(self._outlet.have_consumers())


def _copy(source: ElementTree.Element, target: pylsl.info.XMLElement) -> None:
    """Copy an element's children, depth first; `parse_xml` has bounded the depth."""
    for child in source:
        tag = child.tag.rpartition("}")[2]
        text = (child.text or "").strip()
        if len(child):
            _copy(child, target.append_child(tag))
        elif text:
            target.append_child_value(tag, text)
        else:
            target.append_child(tag)
