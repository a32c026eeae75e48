"""An operator's commands to a running engine."""

from __future__ import annotations

import pytest

from apps.link import LinkClient
from tests.apps.commands import environment, prompt_rig, running, until


@pytest.fixture
def engine(tmp_path, monkeypatch):
    """A client of an engine that watches a simulated person in a folder it cannot record to."""
    monkeypatch.setenv("AFFECTSTREAM_ENGINES", str(tmp_path / "engines"))
    (tmp_path / "recordings").write_text("a file where the folder should be")
    env = environment()
    words = ["run", "--rig", prompt_rig(tmp_path), "--link", "operated"]
    with (
        running(["simulate"], env),
        running(words, env, cwd=tmp_path) as child,
    ):
        client = LinkClient.connect("operated", timeout=60)
        yield client, child
        client.close()


def test_what_an_operator_gets_wrong_does_not_end_the_session(engine):
    client, child = engine
    seen = []

    def received(kind, key, text):
        seen.extend(client.poll())
        return any(m["t"] == kind and text in str(m.get(key)) for m in seen)

    until(lambda: received("streams", "streams", "simulated E4 ppg"), 40)
    client.send({"t": "record", "action": "start"})
    until(lambda: received("recording", "fault", "recordings"))
    client.send({"t": "bind", "participant": "P1", "modality": "heart", "key": "x"})
    until(lambda: received("log", "text", "heart"))
    client.send({"t": "nonsense"})
    client.send({"t": "event", "event": "explode", "text": "x" * 100})
    until(lambda: received("log", "text", "explode"))
    # An age that is no number is none: nothing may get a time that is none.
    client.send({"t": "event", "event": "note", "text": "ageless", "age": float("nan")})
    until(lambda: received("marker", "text", "ageless"))
    (ageless,) = [m for m in seen if m["t"] == "marker" and "ageless" in m["text"]]
    assert ageless["time"] > 0
    client.send({"t": "event", "event": "note", "text": "long ago", "age": 1e9})
    until(lambda: received("log", "text", "long ago"))
    client.send({"t": "event", "event": "trial_start", "trial": "3", "condition": "stress"})
    until(lambda: received("marker", "text", '"trial": "3"'))
    seen.clear()
    until(lambda: received("window", "participant", "P1"), 40)
    assert child.poll() is None
    client.send({"t": "quit"})
    assert child.wait(20) == 0
