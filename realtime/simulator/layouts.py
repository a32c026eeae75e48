"""The devices that a simulated person can wear: which streams each sends, at which rates."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING
from xml.etree import ElementTree

import numpy as np
from numpy.typing import NDArray

from realtime.errors import InputError
from realtime.metadata import clean, description_xml, parse_xml
from realtime.recording import StreamInfo

if TYPE_CHECKING:
    from realtime.simulator.person import Samples

MANUFACTURER, MODEL = "affectstream", "simulated person"


@dataclass(frozen=True, slots=True)
class Channels:
    """One stream of a device: some columns of a modality, scaled as the device does.

    Attributes
    ----------
    key : str
        Unique in the layout; ends the stream's ``source_id``.
    modality : str
        Of the person's.
    type : str
        LSL stream type.
    labels : tuple of str
    unit : str
    columns : tuple of int
        Of the modality's samples.
    gain, offset : float
        Value sent = offset + gain * value.
    """

    key: str
    modality: str
    type: str
    labels: tuple[str, ...]
    unit: str
    columns: tuple[int, ...] = (0,)
    gain: float = 1.0
    offset: float = 0.0


@dataclass(frozen=True, slots=True)
class Layout:
    """A device.

    Attributes
    ----------
    name : str
    rates : mapping of str to float
        Samples per second of each modality; give them to `Person`.
    channels : tuple of Channels
        Its streams.
    """

    name: str
    rates: Mapping[str, float]
    channels: tuple[Channels, ...]

    def without(self, modalities: Collection[str]) -> Layout:
        """Return the device with some sensors left out.

        Raises
        ------
        InputError
            If the device has no such sensor, or none is left.
        """
        for modality in modalities:
            if modality not in self.rates:
                raise InputError(
                    f"the layout {self.name!r} has no sensor {modality!r}: "
                    f"leave out some of {', '.join(self.rates)}"
                )
        kept = {name: rate for name, rate in self.rates.items() if name not in modalities}
        if not kept:
            raise InputError(
                f"leaving out {', '.join(sorted(modalities))!r} leaves no sensor: keep at least one"
            )
        return replace(
            self, rates=kept, channels=tuple(c for c in self.channels if c.modality in kept)
        )

    def check(self, rates: Mapping[str, float]) -> None:
        """Refuse a person whose signals have other rates than the device needs."""
        if dict(rates) != dict(self.rates):
            raise ValueError(
                f"a person with the rates {dict(rates)} cannot wear {self.name}, "
                f"which needs {dict(self.rates)}"
            )

    def infos(self, seed: int, participant: str = "") -> tuple[StreamInfo, ...]:
        """Describe the streams of the person of a seed, each marked as simulated."""
        return tuple(
            StreamInfo(
                key=channels.key,
                name=_name(f"{self.name} {channels.key}", participant),
                type=channels.type,
                rate=self.rates[channels.modality],
                labels=channels.labels,
                units=(channels.unit,) * len(channels.labels),
                source_id=f"affectstream-sim-{seed}-{channels.key}",
                description=_description(
                    channels.labels,
                    (channels.unit,) * len(channels.labels),
                    channels.type,
                    participant,
                ),
                simulated=True,
            )
            for channels in self.channels
        )

    def marker_info(self, seed: int, participant: str = "") -> StreamInfo:
        """Describe the stream of the schedule's markers."""
        return StreamInfo(
            key="markers",
            name=_name("markers", participant),
            type="Markers",
            rate=0.0,
            labels=("event",),
            units=("",),
            source_id=f"affectstream-sim-{seed}-markers",
            format="string",
            description=_description(("event",), (), "Markers", participant),
            simulated=True,
        )

    def samples(self, read: Mapping[str, Samples]) -> dict[str, Samples]:
        """Turn what `Person.read` gave into the device's streams, by key."""
        out = {}
        for channels in self.channels:
            times, values = read[channels.modality]
            sent: NDArray[np.float64] = values[:, list(channels.columns)]
            out[channels.key] = (times, channels.offset + channels.gain * sent)
        return out


def _name(what: str, participant: str) -> str:
    return " ".join(part for part in ("simulated", what, clean(participant)) if part)


def _description(
    labels: tuple[str, ...], units: tuple[str, ...], type: str, participant: str
) -> str:
    desc = parse_xml(
        description_xml(labels, units, type, manufacturer=MANUFACTURER, model=MODEL, simulated=True)
    )
    if participant:
        subject = ElementTree.SubElement(desc, "subject")
        ElementTree.SubElement(subject, "id").text = clean(participant)
    # Stamps are those of the samples themselves, on the clock of the computer that makes them.
    synchronization = ElementTree.SubElement(desc, "synchronization")
    for tag, value in (
        ("time_source", "internal"),
        ("offset_mean", "0"),
        ("can_drop_samples", "false"),
    ):
        ElementTree.SubElement(synchronization, tag).text = value
    return ElementTree.tostring(desc, encoding="unicode")


E4 = Layout(
    name="E4",
    rates={"ppg": 64.0, "eda": 4.0, "temperature": 4.0, "acc": 32.0},
    channels=(
        Channels("ppg", "ppg", "PPG", ("BVP",), "a.u."),
        Channels("eda", "eda", "EDA", ("EDA",), "uS"),
        Channels("temperature", "temperature", "Temperature", ("TEMP",), "degC"),
        Channels("acc", "acc", "ACC", ("X", "Y", "Z"), "g", (0, 1, 2)),
    ),
)
"""An Empatica E4's rates and units, one stream a modality."""

EMOTIBIT = Layout(
    name="EmotiBit",
    rates={"ppg": 25.0, "eda": 15.0, "temperature": 7.5, "acc": 25.0},
    channels=(
        # Raw counts of light on a large constant part; the three colours differ in both.
        Channels("ppg-red", "ppg", "PPGRed", ("PPG_RED",), "a.u.", gain=2.0, offset=21000.0),
        Channels("ppg-ir", "ppg", "PPGInfrared", ("PPG_IR",), "a.u.", gain=5.0, offset=48000.0),
        Channels("ppg-green", "ppg", "PPGGreen", ("PPG_GREEN",), "a.u.", gain=4.0, offset=9000.0),
        Channels("eda", "eda", "EDA", ("EDA",), "uS"),
        Channels("temperature", "temperature", "Temperature", ("TEMPERATURE",), "degC"),
        Channels("acc-x", "acc", "AccelerometerX", ("ACC_X",), "g", (0,)),
        Channels("acc-y", "acc", "AccelerometerY", ("ACC_Y",), "g", (1,)),
        Channels("acc-z", "acc", "AccelerometerZ", ("ACC_Z",), "g", (2,)),
    ),
)
"""An EmotiBit's rates and types, one stream a channel."""

LAYOUTS = {"e4": E4, "emotibit": EMOTIBIT}


def layout(name: str) -> Layout:
    """Return a layout by the name that the command line uses.

    Raises
    ------
    InputError
        If there is none of that name.
    """
    found = LAYOUTS.get(name.lower())
    if found is None:
        raise InputError(f"no layout {name!r}: use one of {', '.join(LAYOUTS)}")
    return found
