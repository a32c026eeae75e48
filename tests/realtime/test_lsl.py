from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from realtime import lsl
from realtime.errors import InputError

ROOT = Path(__file__).parents[2]

# What a fresh process says is in force, and what its outlets really carry.
PROGRAM = """
import sys
import pylsl
from realtime.lsl import configure, environment
configuration = configure(sys.argv[1] == "loopback", sys.argv[2] or None)
outlet = pylsl.StreamOutlet(pylsl.StreamInfo("probe", "", 1, 0, "int8", "probe"))
print(configuration.source, configuration.session, outlet.get_info().session_id(), sep="|")
print(sorted(environment(configuration).items()))
"""


def fresh(folder: Path, loopback: bool, session: str = "", **variables: str) -> list[str]:
    kept = {k: v for k, v in os.environ.items() if k not in ("LSLAPICFG", lsl.SESSION_VARIABLE)}
    home = {"HOME": str(folder / "home"), "PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, "loopback" if loopback else "network", session],
        cwd=folder,
        env=kept | home | variables,
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    return done.stdout.splitlines()


def test_loopback_takes_effect_and_a_child_can_join(tmp_path: Path) -> None:
    first, variables = fresh(tmp_path, loopback=True)
    source, session, carried = first.split("|")
    assert source == "loopback"
    assert session == carried
    assert session.startswith("affectstream-")
    assert variables == str([(lsl.SESSION_VARIABLE, session)])
    child, _ = fresh(tmp_path, loopback=False, **{lsl.SESSION_VARIABLE: session})
    assert child == f"loopback|{session}|{session}"


def test_a_configuration_of_the_users_own_wins(tmp_path: Path) -> None:
    file = tmp_path / "mine.cfg"
    file.write_text("[lab]\nSessionID = mine\n[multicast]\nInterfaces = {127.0.0.1}\n")
    first, variables = fresh(
        tmp_path,
        loopback=True,
        session="ours",
        LSLAPICFG=str(file),
        **{lsl.SESSION_VARIABLE: "inherited"},
    )
    assert first == f"{file}|mine|mine"
    assert variables == str([("LSLAPICFG", str(file))])


def test_the_network_is_left_alone_unless_asked(tmp_path: Path) -> None:
    first, variables = fresh(tmp_path, loopback=False)
    assert first == "default|default|default"
    assert variables == "[]"


def test_places_in_the_order_of_liblsl(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    home, folder = tmp_path / "home", tmp_path / "folder"
    (home / "lsl_api").mkdir(parents=True)
    folder.mkdir()
    monkeypatch.chdir(folder)
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.delenv("LSLAPICFG", raising=False)
    if lsl._readable(Path("/etc/lsl_api/lsl_api.cfg")):
        pytest.skip("this machine has a configuration for all users")
    assert lsl.user_file() is None
    for place in (home / "lsl_api" / "lsl_api.cfg", folder / "lsl_api.cfg", tmp_path / "named"):
        place.write_text("[lab]\nSessionID = x\n")
        if place.name == "named":
            monkeypatch.setenv("LSLAPICFG", str(place))
        assert lsl.user_file() == place


def test_a_named_file_that_is_absent_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LSLAPICFG", str(tmp_path / "absent.cfg"))
    with pytest.raises(InputError, match=r"absent\.cfg"):
        lsl.user_file()


@pytest.mark.parametrize(
    ("content", "session"),
    [
        ("[lab]\nSessionID = here", "here"),
        ("[lab]\nKnownPeers = {a, b}", "default"),
        ("no section at all", "default"),
        ("[multicast]\nResolveScope = 100%", "default"),
    ],
)
def test_session_of_a_file(tmp_path: Path, content: str, session: str) -> None:
    file = tmp_path / "lsl_api.cfg"
    file.write_text(content)
    assert lsl._session_of(file) == session


def test_a_session_that_no_query_can_carry_is_refused(tmp_path: Path) -> None:
    with pytest.raises(subprocess.CalledProcessError) as failure:
        fresh(tmp_path, loopback=True, session="it's")
    assert "InputError" in failure.value.stderr
    assert "it's" in failure.value.stderr


def test_a_second_call_changes_nothing() -> None:
    assert lsl.configure(loopback=False) == lsl.configure(loopback=True, session_id="other")
