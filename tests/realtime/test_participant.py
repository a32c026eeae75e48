"""Pauses of a whole session: windows go on where samples begin again, however chunks are cut."""

from __future__ import annotations

import numpy as np
import pytest

from realtime.offline import windows_of
from realtime.rig import load_rig
from tests.realtime.synthetic import change, wristband
from tests.realtime.test_alignment import told

RIG = load_rig("wrist")


def paused(seconds: float):
    """Return a recording that rests for so long after 20 s, its EDA a little longer."""
    recording = wristband(40.0, sensors=("ppg", "eda"))
    for name, late in (("ppg", 0.0), ("eda", 0.6)):
        recording = change(
            recording, name, lambda t, x, late=late: (np.where(t < 20, t, t + seconds + late), x)
        )
    return recording


@pytest.mark.parametrize("seconds", [30.0, 75.0, 400.3, 5000.0])
def test_chunk_size_changes_nothing_around_a_pause(seconds: float) -> None:
    recording = paused(seconds)
    runs = [told(windows_of(recording, RIG, chunk_seconds=c)) for c in (0.5, 7.0, np.inf)]
    assert runs[0] == runs[1] == runs[2]
    times = [row[0] for row in runs[0]]
    # Windows of 60 s reach back over a short pause; after a long one they warm up anew.
    if seconds > 80:
        assert times[-1] - times[0] > seconds
        assert not any(20 + 60 + 1 < time < 20 + seconds + 10 for time in times)
        assert len(times) < 100
