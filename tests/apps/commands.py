"""The command ``affectstream`` in processes of its own, as a user would start it."""

from __future__ import annotations

import json
import logging
import os
import subprocess
import sys
import time
import uuid
from contextlib import contextmanager
from importlib import resources

from apps.cli.main import main

COMMAND = [sys.executable, "-P", "-m", "apps"]


def environment():
    """Return the environment of a fresh loopback LSL session."""
    session = f"test-{uuid.uuid4().hex[:8]}"
    clean = {key: value for key, value in os.environ.items() if key != "LSLAPICFG"}
    return {**clean, "AFFECTSTREAM_LSL_SESSION": session, "OMP_NUM_THREADS": "1"}


def start(arguments, env, cwd=None):
    """Start the command; its output is captured."""
    return subprocess.Popen(
        [*COMMAND, *map(str, arguments)],
        env=env,
        cwd=cwd,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


@contextmanager
def running(arguments, env, cwd=None):
    """Run the command while the block runs, then end it."""
    child = start(arguments, env, cwd)
    try:
        yield child
    finally:
        child.kill()
        child.communicate()


def run(arguments, env=None, cwd=None, timeout=100):
    """Run the command to its end and return (status, stdout, stderr)."""
    child = start(arguments, env or environment(), cwd)
    try:
        out, err = child.communicate(timeout=timeout)
    except subprocess.TimeoutExpired:
        child.kill()
        out, err = child.communicate()
        raise AssertionError(f"{arguments} did not end: {err[-2000:]}") from None
    return child.returncode, out, err


def run_here(capsys, *arguments):
    """Run the command in this process and return (status, stdout, stderr)."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    try:
        status = main([str(word) for word in arguments])
    finally:
        # The command logs to a stream that closes with the test.
        root.handlers[:] = handlers
        root.setLevel(level)
    out, err = capsys.readouterr()
    return status, out, err


def prompt_rig(folder, warm_up=2):
    """Write the wristband's rig, with a first window so soon after the first sample, as a file."""
    text = (resources.files("realtime") / "rigs" / "wrist.toml").read_text("utf-8")
    path = folder / "prompt.toml"
    path.write_text(text.replace("warm_up = 10.0", f"warm_up = {warm_up:.1f}"), "utf-8")
    return path


def result_of(child, timeout=100):
    """Wait for a started command and return its JSON object."""
    out, err = child.communicate(timeout=timeout)
    assert child.returncode == 0, err[-3000:]
    return json.loads(out)


def until(condition, seconds=20.0):
    """Wait until a condition holds; fail if it does not."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        value = condition()
        if value:
            return value
        time.sleep(0.05)
    raise AssertionError(f"did not happen within {seconds:g} s")
