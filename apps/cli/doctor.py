"""``affectstream doctor``: does this computer have what a session needs, and if not, what to do."""

from __future__ import annotations

import importlib
import importlib.metadata
import os
import platform
import subprocess
import sys
import tempfile
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

import typer
from rich.table import Table
from rich.text import Text

from apps.cli.output import emit
from realtime.errors import InputError
from realtime.lsl import Configuration, configure, environment

# Distribution to import name; what the commands cannot do without.
LIBRARIES = {
    "numpy": "numpy",
    "scipy": "scipy",
    "torch": "torch",
    "pylsl": "pylsl",
    "safetensors": "safetensors",
    "pandas": "pandas",
    "pyarrow": "pyarrow",
    "neurokit2": "neurokit2",
    "scikit-learn": "sklearn",
    "distributed": "distributed",
    "msgpack": "msgpack",
    "platformdirs": "platformdirs",
    "opencv-python-headless": "cv2",
}
FIREWALL = {
    "Windows": "allow Python in Windows Defender Firewall, for private and public networks",
    "Darwin": "allow Python in System Settings, Network, Firewall",
    "Linux": "open UDP and TCP ports 16571-16604 and UDP multicast in the firewall",
}
# An outlet in one process, looked for, opened and read. Run apart: liblsl takes its configuration
# once a process, and what it does on a broken network must not hold up the rest.
_ROUND_TRIP = """
import sys, time
import pylsl
from realtime.lsl import configure
configure(loopback=False)
name = sys.argv[1]
outlet = pylsl.StreamOutlet(pylsl.StreamInfo(name, "Doctor", 1, 0, "float32", name))
begin = time.perf_counter()
found = pylsl.resolve_byprop("source_id", name, 1, 5.0)
if not found:
    sys.exit("not found")
seconds = time.perf_counter() - begin
inlet = pylsl.StreamInlet(found[0])
inlet.open_stream(5.0)
outlet.push_sample([1.0])
sample, stamp = inlet.pull_sample(5.0)
if sample is None:
    sys.exit("found, but no sample came through")
print(round(1000 * seconds))
"""
_COUNT = """
import pylsl
print(len(pylsl.resolve_streams(2.0)))
"""
_WINDOW = """
from PySide6.QtWidgets import QApplication
print(QApplication([]).platformName())
"""


@dataclass(frozen=True, slots=True)
class Check:
    """One finding: ``warn`` where a session on this computer works all the same."""

    name: str
    status: Literal["ok", "warn", "fail"]
    finding: str
    remedy: str = ""


def doctor(
    json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Check libraries, Qt, LSL, GPU and the shipped checkpoint, and say how to mend what fails.

    The exit status is 0 if everything works that scoring, the demo and a session on this computer
    need; a missing screen, network or GPU is a warning.
    """
    checks = [check for step in STEPS for check in step()]
    failed = any(check.status == "fail" for check in checks)
    table = Table("check", "", "finding", "what to do", title_justify="left")
    colours = {"ok": "green", "warn": "yellow", "fail": "red"}
    for check in checks:
        table.add_row(
            check.name,
            Text(check.status, style=colours[check.status]),
            Text(check.finding),
            Text(check.remedy),
        )
    emit({"ok": not failed, "checks": checks}, json, table)
    raise typer.Exit(1 if failed else 0)


def check_python() -> Iterator[Check]:
    """Name the interpreter and the computer."""
    yield Check(
        "Python",
        "ok",
        f"{platform.python_version()} on {platform.system()} {platform.release()} "
        f"({platform.machine()}), {os.cpu_count()} cores",
    )


def check_libraries() -> Iterator[Check]:
    """Import every library, and name the versions."""
    versions = []
    for distribution, module in LIBRARIES.items():
        try:
            importlib.import_module(module)
            versions.append(f"{distribution} {importlib.metadata.version(distribution)}")
        except Exception as error:
            # A broken library may raise anything at all; each is a finding, not a crash.
            yield Check(
                distribution,
                "fail",
                f"cannot be imported: {type(error).__name__}: {error}",
                f"python -m pip install --force-reinstall {distribution}",
            )
    yield Check("libraries", "ok" if versions else "fail", ", ".join(versions))


def check_screen() -> Iterator[Check]:
    """Open a Qt application in a process of its own, since Qt aborts where it cannot."""
    screens = ("DISPLAY", "WAYLAND_DISPLAY", "QT_QPA_PLATFORM")
    if platform.system() == "Linux" and not any(os.environ.get(name) for name in screens):
        yield Check(
            "Qt",
            "warn",
            "no screen: neither DISPLAY nor WAYLAND_DISPLAY is set",
            "use `affectstream run`, or `affectstream demo --headless`",
        )
        return
    done = _python(_WINDOW)
    if isinstance(done, str):
        yield Check("Qt", "ok", f"opens windows (platform {done!r})")
        return
    remedy = "python -m pip install --force-reinstall PySide6-Essentials"
    if platform.system() == "Linux":
        remedy = "install the system's libraries libegl1, libxkbcommon-x11-0 and libxcb-cursor0"
    yield Check("Qt", "warn", f"opens no window: {done.reason}", remedy)


def check_lsl() -> Iterator[Check]:
    """Send a sample through LSL, on this computer alone and as configured."""
    try:
        configuration = configure(loopback=False)
    except InputError as error:
        yield Check("LSL configuration", "fail", str(error), "correct LSLAPICFG, or unset it")
        return
    # Importing it here: a missing library was reported before.
    import pylsl

    version = divmod(pylsl.library_version(), 100)
    yield Check("LSL configuration", "ok", f"{configuration}; liblsl {version[0]}.{version[1]}")
    if configuration.source == "default":
        # The demo's way: streams that do not leave this computer.
        local = _round_trip(Configuration("loopback", f"doctor-{uuid.uuid4().hex[:12]}"))
        if isinstance(local, str):
            yield Check("LSL on this computer", "ok", f"found its own stream in {local} ms")
        else:
            yield Check("LSL on this computer", "fail", local.reason, _firewall())
    result = _round_trip(configuration)
    if isinstance(result, str):
        yield Check("LSL as configured", "ok", f"found its own stream in {result} ms")
    else:
        yield Check(
            "LSL as configured",
            "warn" if configuration.source == "default" else "fail",
            f"{result.reason} (addresses of this computer: {', '.join(_addresses()) or 'none'})",
            f"{_firewall()}; switch off a VPN; with several adapters name the right one in "
            "lsl_api.cfg, [multicast] Interfaces",
        )
    yield from _other_session(configuration)


def _other_session(configuration: Configuration) -> Iterator[Check]:
    """Look into LSL's usual session from one that is not it."""
    if configuration.session == "default":
        yield Check(
            "LSL session",
            "ok",
            "'default'; devices that are set to another session id are invisible from it",
        )
        return
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "lsl_api.cfg"
        file.write_text("[lab]\nSessionID = default\n", "utf-8")
        count = _python(_COUNT, extra={"LSLAPICFG": str(file)})
    if isinstance(count, str) and count != "0":
        yield Check(
            "LSL session",
            "warn",
            f"{count} streams are in the session 'default', invisible from this one, "
            f"{configuration.session!r}",
            "set the same SessionID on every computer, or remove it from lsl_api.cfg",
        )
    else:
        yield Check("LSL session", "ok", repr(configuration.session))


def check_gpu() -> Iterator[Check]:
    """Name the GPU, if there is one that torch can use."""
    try:
        import torch
    except Exception:
        # Reported among the libraries already.
        return
    if torch.cuda.is_available():
        yield Check("GPU", "ok", torch.cuda.get_device_name(0))
    else:
        yield Check("GPU", "ok", "none that torch can use; prediction runs on the CPU, in time")


def check_checkpoint() -> Iterator[Check]:
    """Load the checkpoint that ships, and hold it against its rig."""
    try:
        from model.checkpoint import check_rig, load_checkpoint
        from model.zoo import shipped_checkpoint
        from realtime.rig import load_rig

        rig = load_rig("wrist")
        path = shipped_checkpoint(rig)
        check_rig(load_checkpoint(path), rig)
    except Exception as error:
        yield Check(
            "checkpoint",
            "fail",
            f"the shipped one cannot be used: {error}",
            "python -m pip install --force-reinstall affectstream",
        )
        return
    size = path.stat().st_size / 2**20
    yield Check("checkpoint", "ok", f"{path.name}, {size:.1f} MB, fits the rig 'wrist'")


def check_folder() -> Iterator[Check]:
    """Write to the user's folder, where engine and dashboard find each other."""
    try:
        from apps.link_address import address_folder

        folder = address_folder()
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        yield Check(
            "own folder",
            "fail",
            f"cannot be written: {error}",
            "free disk space, or set AFFECTSTREAM_ENGINES to a folder that can be written",
        )
        return
    yield Check("own folder", "ok", str(folder))


STEPS: tuple[Callable[[], Iterator[Check]], ...] = (
    check_python,
    check_libraries,
    check_screen,
    check_lsl,
    check_gpu,
    check_checkpoint,
    check_folder,
)


@dataclass(frozen=True, slots=True)
class _Failure:
    reason: str


def _python(
    code: str, *arguments: str, extra: dict[str, str] | None = None, seconds: float = 40.0
) -> str | _Failure:
    """Run code in a Python of its own; return what it prints, or why it failed."""
    # -P: files of the working folder are not to be imported.
    command = [sys.executable, "-P", "-c", code, *arguments]
    try:
        done = subprocess.run(
            command,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=seconds,
            stdin=subprocess.DEVNULL,
            env={**os.environ, **(extra or {})},
        )
    except subprocess.TimeoutExpired:
        return _Failure(f"no answer within {seconds:g} s")
    if done.returncode == 0:
        return done.stdout.strip()
    lines = [line.strip() for line in done.stderr.splitlines() if line.strip()]
    return _Failure(lines[-1] if lines else f"ended with status {done.returncode}")


def _round_trip(configuration: Configuration) -> str | _Failure:
    """Send a sample through LSL; return the milliseconds until the stream was found."""
    return _python(_ROUND_TRIP, f"doctor-{uuid.uuid4().hex}", extra=environment(configuration))


def _firewall() -> str:
    return FIREWALL.get(platform.system(), FIREWALL["Linux"])


def _addresses() -> list[str]:
    import socket

    try:
        return socket.gethostbyname_ex(socket.gethostname())[2]
    except OSError:
        return []
