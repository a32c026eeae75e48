"""The devices that a simulated person can wear: which streams each sends, at which rates."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING
from xml.etree import ElementTree

import numpy as np

from realtime.errors import InputError
from realtime.features import lbp_top
from realtime.metadata import clean, description_xml, parse_xml
from realtime.recording import StreamInfo
from realtime.simulator.brain import ELECTRODES
from realtime.simulator.face import SIZE

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
    columns : sequence of int
        Of the modality's samples, in rising order.
    gain, offset : float
        Value sent = offset + gain * value.
    rig_name : str
        What rigs call the modality where that is not the person's word for it.
    format : str
        LSL channel format; ``int8`` carries the bytes of grey levels.
    can_drop : bool
        Whether the stream says that samples may be missing, as a camera's does.
    encoding : tuple of (str, str)
        What its description says of frames of video.
    """

    key: str
    modality: str
    type: str
    labels: tuple[str, ...]
    unit: str
    columns: Sequence[int] = (0,)
    gain: float = 1.0
    offset: float = 0.0
    rig_name: str = ""
    format: str = "float32"
    can_drop: bool = False
    encoding: tuple[tuple[str, str], ...] = ()

    @property
    def sensor(self) -> str:
        """What the command line and the rigs call it."""
        return self.rig_name or self.modality


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

    def without(self, left_out: Collection[str]) -> Layout:
        """Return the device with some sensors left out, each named by `Channels.sensor`.

        Raises
        ------
        InputError
            If the device has no such sensor, or none is left.
        """
        sensors = dict.fromkeys(channels.sensor for channels in self.channels)
        for sensor in left_out:
            if sensor not in sensors:
                raise InputError(
                    f"the layout {self.name!r} has no sensor {sensor!r}: "
                    f"leave out some of {', '.join(sensors)}"
                )
        kept = tuple(c for c in self.channels if c.sensor not in left_out)
        if not kept:
            raise InputError(
                f"leaving out {', '.join(sorted(left_out))!r} leaves no sensor: keep at least one"
            )
        measured = {channels.modality for channels in kept}
        rates = {name: rate for name, rate in self.rates.items() if name in measured}
        return replace(self, rates=rates, channels=kept)

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
                format=channels.format,
                description=_description(
                    channels.labels,
                    channels.unit,
                    channels.type,
                    participant,
                    channels.can_drop,
                    channels.encoding,
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
            description=_description(("event",), "", "Markers", participant),
            simulated=True,
        )

    def samples(self, read: Mapping[str, Samples]) -> dict[str, Samples]:
        """Turn what `Person.read` gave into the device's streams, by key."""
        out = {}
        for channels in self.channels:
            times, values = read[channels.modality]
            columns = channels.columns
            sent = values if len(columns) == values.shape[1] else values[:, list(columns)]
            if (channels.offset, channels.gain) != (0.0, 1.0):
                sent = channels.offset + channels.gain * sent
            if channels.format == "int8":
                sent = sent.astype(np.uint8).view(np.int8).astype(np.float64)
            out[channels.key] = (times, sent)
        return out


def _name(what: str, participant: str) -> str:
    return " ".join(part for part in ("simulated", what, clean(participant)) if part)


def _description(
    labels: tuple[str, ...],
    unit: str,
    type: str,
    participant: str,
    can_drop: bool = False,
    frames: tuple[tuple[str, str], ...] = (),
) -> str:
    # Thousands of pixels have no labels to describe.
    described = labels if any(labels) else ()
    units = (unit,) * len(described) if unit else ()
    desc = parse_xml(
        description_xml(
            described, units, type, manufacturer=MANUFACTURER, model=MODEL, simulated=True
        )
    )
    if frames:
        encoding = ElementTree.SubElement(desc, "encoding")
        for tag, value in frames:
            ElementTree.SubElement(encoding, tag).text = value
    if participant:
        subject = ElementTree.SubElement(desc, "subject")
        ElementTree.SubElement(subject, "id").text = clean(participant)
    # Stamps are those of the samples themselves, on the clock of the computer that makes them.
    synchronization = ElementTree.SubElement(desc, "synchronization")
    for tag, value in (
        ("time_source", "internal"),
        ("offset_mean", "0"),
        ("can_drop_samples", str(can_drop).lower()),
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

RESPIBAN = Layout(
    name="RespiBAN",
    rates={"ecg": 700.0, "eda": 700.0, "emg": 700.0, "trunk": 700.0},
    channels=(
        Channels("ecg", "ecg", "ECG", ("ECG",), "mV"),
        Channels("eda", "eda", "EDA", ("EDA",), "uS"),
        Channels("emg", "emg", "EMG", ("EMG",), "mV"),
        Channels("acc", "trunk", "ACC", ("X", "Y", "Z"), "g", (0, 1, 2), rig_name="acc"),
    ),
)
"""A chest strap's rates and units, all sensors at 700 Hz as in WESAD."""

_EEG = tuple(ELECTRODES)
_CAP = (
    Channels("eeg", "eeg", "EEG", _EEG, "uV", range(len(_EEG))),
    Channels("ppg", "ppg", "PPG", ("PPG",), "a.u."),
    Channels("gsr", "eda", "GSR", ("GSR",), "uS", rig_name="gsr"),
)

DMER = Layout(
    name="DMER",
    rates={"eeg": 300.0, "ppg": 100.0, "eda": 4.0, "face": 30.0},
    channels=(
        *_CAP,
        Channels(
            *("face", "face", "FaceTexture", lbp_top.LABELS, "a.u.", range(len(lbp_top.LABELS))),
            format="int16",
            can_drop=True,
        ),
    ),
)
"""The laboratory of DMER: an EEG cap, pulse, skin conductance, and a camera that sends texture."""

DMER_FRAMES = Layout(
    name="DMER frames",
    rates={"eeg": 300.0, "ppg": 100.0, "eda": 4.0, "frames": 30.0},
    channels=(
        *_CAP,
        Channels(
            *("face", "frames", "VideoRaw", ("",) * SIZE**2, "", range(SIZE**2)),
            rig_name="face",
            format="int8",
            can_drop=True,
            encoding=(
                *(("codec", "RAW"), ("width", str(SIZE)), ("height", str(SIZE))),
                *(("color_format", "gray8"), ("face_crop", "true")),
            ),
        ),
    ),
)
"""The same with a camera that sends the frames themselves."""

LAYOUTS = {
    **{"e4": E4, "emotibit": EMOTIBIT, "respiban": RESPIBAN},
    **{"dmer": DMER, "dmer-frames": DMER_FRAMES},
}
"""Devices by the name that the command line uses."""

WORN_FOR = {"wrist": "e4", "chest": "respiban", "dmer": "dmer"}
"""Layout that gives all signals of a rig that ships, by the rig's name."""


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
