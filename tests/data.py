"""Where the real recordings are, for the tests that use them."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

ROOT = Path(os.environ.get("AFFECTSTREAM_DATA") or Path(__file__).parents[1] / ".." / "shared/data")


def data_folder(name: str) -> Path:
    """Return a folder of real recordings, or skip the calling test with the reason."""
    folder = (ROOT / name).resolve()
    if not folder.exists():
        pytest.skip(f"no real data: {folder} is absent (set AFFECTSTREAM_DATA to its parent)")
    return folder
