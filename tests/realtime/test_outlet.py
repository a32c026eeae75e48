from __future__ import annotations

import uuid
from dataclasses import replace
from xml.etree import ElementTree

import numpy as np
import pylsl
import pytest

from realtime.discovery import Discovery
from realtime.outlet import PredictionOutlet, open_outlet
from realtime.recording import Replay, StreamInfo
from realtime.rig import load_rig
from tests.realtime.conftest import found

EMOTIONS = ("alert", "upset", "calm")


def test_predictions_and_their_metadata(discovery: Discovery) -> None:
    participant = f"p-{uuid.uuid4().hex[:8]}"
    outlet = PredictionOutlet(
        EMOTIONS,
        load_rig("wrist"),
        participant,
        "sha256:abc",
        "PANAS",
        simulated=True,
        replay=Replay(100.0, 8.0),
    )
    info = found(discovery, outlet.info.source_id)
    assert info.type == "Affect"
    assert info.format == "float32"
    assert info.rate == 1.0
    assert info.labels == (*EMOTIONS, "radius", "intensity", "valid")
    assert info.units == ("share", "share", "share", "1", "1", "1")
    assert info.simulated
    assert info.replay == Replay(100.0, 8.0)
    own = ElementTree.fromstring(info.description).find("affectstream")
    assert own is not None
    assert own.findtext("participant") == participant
    assert own.findtext("rig") == "wrist"
    assert own.findtext("checkpoint") == "sha256:abc"
    assert own.findtext("instrument") == "PANAS"

    assert not outlet.watched
    inlet = pylsl.StreamInlet(discovery.handle(info.key), recover=False)
    inlet.open_stream(5.0)
    outlet.push(5000.0, np.array([0.5, 0.3, 0.2]), 0.1, 0.7, 1.0)
    sample, stamp = inlet.pull_sample(5.0)
    assert outlet.watched
    assert stamp == 5000.0
    np.testing.assert_array_equal(sample, np.float32([0.5, 0.3, 0.2, 0.1, 0.7, 1.0]))
    with pytest.raises(ValueError, match="2 shares for 3 emotions"):
        outlet.push(5001.0, [0.5, 0.5], 0.1, 0.7, 1.0)


def test_identity_is_stable_and_each_participants_own() -> None:
    name = uuid.uuid4().hex
    first, again, other = (
        PredictionOutlet(EMOTIONS, load_rig("wrist"), who, "x").info.source_id
        for who in (name, name, f"{name}-2")
    )
    assert first == again != other


def test_a_description_is_published_whole(discovery: Discovery, ppg: StreamInfo) -> None:
    description = (
        "<desc><channels><channel><label>A</label><unit>uV</unit><x><y>deep</y><y>twice</y></x>"
        "</channel></channels><empty /><note>5 &lt; 6 &amp; µ</note></desc>"
    )
    outlet = open_outlet(replace(ppg, description=description))
    received = found(discovery, ppg.source_id).description
    # liblsl indents.
    assert ElementTree.canonicalize(received, strip_text=True) == ElementTree.canonicalize(
        description, strip_text=True
    )
    del outlet
