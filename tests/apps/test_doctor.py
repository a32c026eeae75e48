from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

from apps.cli import doctor


def test_libraries_are_named_with_their_versions(monkeypatch) -> None:
    # The light ones stand for all: importing every library here would only take time.
    light = {name: doctor.LIBRARIES[name] for name in ("numpy", "pylsl", "platformdirs")}
    monkeypatch.setattr(doctor, "LIBRARIES", {**light, "no-such-thing": "no_such_thing"})
    missing, rest = doctor.check_libraries()
    assert missing.status == "fail"
    assert "pip install --force-reinstall no-such-thing" in missing.remedy
    assert rest.status == "ok"
    assert "pylsl 1." in rest.finding


def test_a_screen_that_is_not_there_is_a_warning(monkeypatch) -> None:
    monkeypatch.setenv("QT_QPA_PLATFORM", "offscreen")
    (check,) = doctor.check_screen()
    assert (check.status, check.finding) == ("ok", "opens windows (platform 'offscreen')")
    monkeypatch.setenv("QT_QPA_PLATFORM", "nonsense")
    (check,) = doctor.check_screen()
    assert check.status == "warn"
    assert check.remedy


def test_own_folder(monkeypatch, tmp_path: Path) -> None:
    monkeypatch.setenv("AFFECTSTREAM_ENGINES", str(tmp_path / "engines"))
    (check,) = doctor.check_folder()
    assert check.status == "ok"
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("AFFECTSTREAM_ENGINES", str(tmp_path / "file" / "engines"))
    (check,) = doctor.check_folder()
    assert check.status == "fail"
    assert "AFFECTSTREAM_ENGINES" in check.remedy


# Each under a configuration of its own, which liblsl takes once a process.
LSL = """
import json, dataclasses
from apps.cli import doctor
print(json.dumps([dataclasses.asdict(check) for check in doctor.check_lsl()]))
"""


def lsl_checks(tmp_path: Path, content: str | None) -> dict[str, dict[str, str]]:
    env = {
        k: v for k, v in os.environ.items() if k not in ("LSLAPICFG", "AFFECTSTREAM_LSL_SESSION")
    }
    if content is not None:
        file = tmp_path / "lsl.cfg"
        file.write_text(content)
        env["LSLAPICFG"] = str(file)
    done = subprocess.run(
        [sys.executable, "-P", "-c", LSL], capture_output=True, text=True, timeout=110, env=env
    )
    assert done.returncode == 0, done.stderr
    return {check["name"]: check for check in json.loads(done.stdout)}


def test_the_round_trip_works_and_other_sessions_are_explained(tmp_path: Path) -> None:
    content = (
        "[multicast]\nAddressesOverride = {239.255.172.215}\nInterfaces = {127.0.0.1}\n"
        "TTLOverride = 0\n[ports]\nIPv6 = disable\n[lab]\nSessionID = doctor-test\n"
    )
    checks = lsl_checks(tmp_path, content)
    assert "doctor-test" in checks["LSL configuration"]["finding"]
    assert checks["LSL as configured"]["status"] == "ok"
    assert "doctor-test" in checks["LSL session"]["finding"]


def test_a_configuration_that_is_not_there_is_named(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setenv("LSLAPICFG", str(tmp_path / "gone.cfg"))
    env = {**os.environ, "LSLAPICFG": str(tmp_path / "gone.cfg")}
    done = subprocess.run(
        [sys.executable, "-P", "-c", LSL], capture_output=True, text=True, timeout=60, env=env
    )
    (check,) = json.loads(done.stdout)
    assert check["status"] == "fail"
    assert "gone.cfg" in check["finding"]


def test_the_exit_status_tells_whether_all_that_is_essential_works(monkeypatch, capsys) -> None:
    from apps.cli.main import main

    def step(status):
        return lambda: iter([doctor.Check("trial", status, "found", "mend it")])

    for status, code in (("ok", 0), ("warn", 0), ("fail", 1)):
        monkeypatch.setattr(doctor, "STEPS", (doctor.check_python, step(status)))
        assert main(["doctor", "--json"]) == code
        result = json.loads(capsys.readouterr().out)
        assert result["ok"] is (code == 0)
        assert [check["name"] for check in result["checks"]] == ["Python", "trial"]
    assert main(["doctor"]) == 1
    assert "mend it" in capsys.readouterr().out
