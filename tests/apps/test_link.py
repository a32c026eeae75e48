"""The link: delivery, what a stalled, killed or hostile client can and cannot do, addresses."""

from __future__ import annotations

import contextlib
import json
import multiprocessing
import os
import stat
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from multiprocessing.connection import Client
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from apps.link import LinkClient, LinkServer, pack_signals, running_engines, unpack_signals
from apps.link_peer import MessageError, decode, encode
from realtime.errors import InputError

pytestmark = pytest.mark.timeout(60)


@pytest.fixture(autouse=True)
def own_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("AFFECTSTREAM_ENGINES", str(tmp_path / "engines"))
    return tmp_path / "engines"


@pytest.fixture
def server() -> Iterator[LinkServer]:
    with LinkServer("test") as link:
        yield link


def wait(condition: Callable[[], Any], seconds: float = 15.0) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.01)


def collect(client: LinkClient, until: Callable[[list[dict[str, Any]]], Any]) -> list[dict]:
    messages: list[dict[str, Any]] = []

    def done() -> bool:
        messages.extend(client.poll())
        return bool(until(messages))

    wait(done)
    return messages


def window(moment: float, participant: str = "P1") -> dict[str, Any]:
    return {"t": "window", "participant": participant, "time": moment, "distribution": [0.5, 0.5]}


def raw_client(server: LinkServer) -> Any:
    engine = running_engines()[0]
    return Client(engine.address, authkey=engine.authkey)


def test_messages_travel_both_ways(server: LinkServer) -> None:
    client = LinkClient.connect("test")
    wait(lambda: server.clients == 1)
    values = np.array([[1.0, np.nan], [3.0, 4.0]])
    server.send(pack_signals("P1", "acc", [10.0, 10.5], values))
    server.send({"t": "log", "level": "info", "text": "für \udcff", "n": np.float32(2.0)})
    signals, log = collect(client, lambda found: len(found) == 2)
    times, rows = unpack_signals(signals)
    np.testing.assert_array_equal(times, [10.0, 10.5])
    np.testing.assert_array_equal(rows, values.astype(np.float32))
    assert log["n"] == 2.0 and log["text"] == "für ?"
    client.send({"t": "marker", "text": "now"})
    commands: list[dict[str, Any]] = []
    wait(lambda: commands.extend(server.receive()) or commands)
    assert commands == [{"t": "marker", "text": "now"}]
    assert server.receive() == []
    client.close()
    wait(lambda: server.clients == 0)
    assert server.dropped == 0


def test_new_client_gets_what_still_holds(server: LinkServer) -> None:
    server.send({"t": "recording", "path": "a"})
    server.send({"t": "hello", "version": "1"})
    server.send({"t": "baseline", "participant": "P1", "state": "marking"})
    server.send({"t": "baseline", "participant": "P1", "state": "stated"})
    server.send({"t": "baseline", "participant": "P2", "state": "idle"})
    server.send({"t": "choice", "participant": "P1", "modality": "ppg", "candidates": []})
    for moment in range(0, 1000, 10):
        server.send(window(float(moment)))
    server.send({"t": "marker", "time": 991.0, "text": "start", "stream": ""})
    server.send(window(1000.0))
    server.send(pack_signals("P1", "ppg", [1000.0], [[1.0]]))
    server.send({"t": "streams", "streams": [1]})
    server.send({"t": "streams", "streams": [2]})
    client = LinkClient.connect(server.file)
    found = collect(client, lambda messages: messages and messages[-1].get("time") == 1000.0)
    kinds = [message["t"] for message in found]
    assert kinds[:6] == ["hello", "streams", "recording", "baseline", "baseline", "choice"]
    assert found[1]["streams"] == [2]
    assert {(m["participant"], m["state"]) for m in found if m["t"] == "baseline"} == {
        ("P1", "stated"),
        ("P2", "idle"),
    }
    moments = [m["time"] for m in found if m["t"] == "window"]
    assert moments == [float(moment) for moment in range(400, 1001, 10)]
    assert kinds[-2] == "marker" and "signals" not in kinds
    client.close()


def _stalled(address: str, authkey: bytes, ready: Any) -> None:
    connection = Client(address, authkey=authkey)
    ready.set()
    time.sleep(600)
    connection.close()


def _start_stalled() -> BaseProcess:
    engine = running_engines()[0]
    context = multiprocessing.get_context("spawn")
    ready = context.Event()
    process = context.Process(
        target=_stalled, args=(engine.address, engine.authkey, ready), daemon=True
    )
    process.start()
    assert ready.wait(30)
    return process


def test_stalled_and_killed_client_never_blocks(server: LinkServer) -> None:
    process = _start_stalled()
    healthy = LinkClient.connect("test")
    wait(lambda: server.clients == 2)
    values = np.zeros((8192, 1))
    for step in range(100):  # ten times what one client's queue of signals may hold
        server.send(pack_signals("P1", "ppg", np.full(8192, float(step)), values))
        server.send(window(float(step)))
        collect(healthy, lambda found: sum(m["t"] == "window" for m in found) == 1)
    assert server.dropped > 50
    process.kill()
    process.join()
    wait(lambda: server.clients == 1)
    assert server.dropped > 50  # still counted
    server.send({"t": "log", "level": "info", "text": "on"})
    collect(healthy, lambda found: any(m["t"] == "log" for m in found))
    healthy.close()


def test_slow_client_loses_oldest_signals_only(server: LinkServer) -> None:
    connection = raw_client(server)
    wait(lambda: server.clients == 1)
    for step in range(100):
        server.send(pack_signals("P1", "ppg", np.full(8192, float(step)), np.zeros((8192, 1))))
        server.send(window(float(step)))
        server.send({"t": "streams", "streams": [step]})
    assert server.dropped > 50
    found = []
    while not found or found[-1]["t"] != "streams" or found[-1]["streams"] != [99]:
        assert connection.poll(10)
        found.append(decode(connection.recv_bytes()))
    assert [m["time"] for m in found if m["t"] == "window"] == [float(i) for i in range(100)]
    steps = [unpack_signals(m)[0][0] for m in found if m["t"] == "signals"]
    assert steps[-1] == 99.0 and steps == sorted(steps)
    assert len(steps) + server.dropped == 100
    assert sum(m["t"] == "streams" for m in found) < 100  # a newer state replaces an unread one
    connection.close()


@pytest.mark.parametrize(
    "frame",
    [b"\xc1", b"\x81", b"", encode({"t": 1}), encode([1]), b"\x91" * 5000, b"\x00" * 70_000],
    ids=["reserved", "cut", "empty", "no type", "no map", "nested", "too long"],
)
def test_malformed_frame_closes_that_client_only(server: LinkServer, frame: bytes) -> None:
    bad, good = raw_client(server), LinkClient.connect("test")
    wait(lambda: server.clients == 2)
    with contextlib.suppress(BrokenPipeError):  # the server may hang up before all is written
        bad.send_bytes(frame)
    wait(lambda: server.clients == 1)
    good.send({"t": "quit"})
    wait(lambda: server.receive() == [{"t": "quit"}])
    assert good.alive
    good.close()
    bad.close()


def test_wrong_key_and_silent_client_are_kept_out(server: LinkServer) -> None:
    address = running_engines()[0].address
    silent = Client(address)  # never answers the challenge
    with pytest.raises((multiprocessing.AuthenticationError, OSError, EOFError)):
        Client(address, authkey=b"guess")
    client = LinkClient.connect("test")  # is served all the same
    wait(lambda: server.clients == 1)
    client.close()
    silent.close()


def test_address_file_is_private_and_goes(own_folder: Path) -> None:
    server = LinkServer("lab-1")
    engine = running_engines()[0]
    assert (engine.name, engine.pid, engine.file) == ("lab-1", os.getpid(), server.file)
    assert engine.authkey.hex() not in repr(engine)
    if os.name == "posix":
        assert stat.S_IMODE(server.file.stat().st_mode) == 0o600
        assert stat.S_IMODE(own_folder.stat().st_mode) == 0o700
        assert stat.S_IMODE(Path(engine.address).parent.stat().st_mode) == 0o700
        assert len(engine.address) <= 103
    client = LinkClient.connect(timeout=5)
    wait(lambda: server.clients == 1)
    server.close()
    collect(client, lambda found: found and found[-1]["t"] == "bye")
    wait(lambda: not client.alive)
    assert running_engines() == [] and not server.file.exists()
    assert not Path(engine.address).exists()
    server.close()  # twice does no harm


def test_dead_engine_is_cleaned_up(own_folder: Path) -> None:
    code = "import os; from apps.link import LinkServer; LinkServer('gone'); os._exit(9)"
    subprocess.run([sys.executable, "-c", code], check=False, timeout=60)
    (file,) = own_folder.glob("*.json")
    socket = Path(json.loads(file.read_text())["address"])
    (own_folder / "broken.json").write_text("{")
    assert running_engines() == []
    assert not file.exists() and not socket.exists()
    with pytest.raises(InputError, match="no engine 'gone' answers"):
        LinkClient.connect("gone", timeout=0.1)


def test_bad_input_is_refused() -> None:
    with pytest.raises(InputError, match="a/b"):
        LinkServer("a/b")
    with pytest.raises(ValueError, match=r"\(2,\)"):
        pack_signals("P1", "ppg", [1.0, 2.0], [[1.0]])
    with pytest.raises(MessageError):
        decode(b"\xff\xff")
    with pytest.raises(TypeError, match="set"):
        encode({"t": "log", "text": {1}})
