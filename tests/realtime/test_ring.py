"""The ring of grid cells."""

from __future__ import annotations

import numpy as np
import pytest

from realtime.ring import Ring


def test_reads_back_what_was_written_and_nan_elsewhere():
    ring = Ring(2, 10**6)
    ring.write(np.array([5, 6, 9]), np.arange(6.0).reshape(3, 2))
    got = ring.read(3, 12)
    assert np.isnan(got[[0, 1, 4, 5, 7, 8]]).all()
    np.testing.assert_array_equal(got[[2, 3, 6]], np.arange(6.0).reshape(3, 2))
    assert ring.stop == 10


def test_grows_and_forgets_over_a_long_time():
    ring = Ring(1, 10**9)
    for start in range(0, 200_000, 64):
        indices = np.arange(start, start + 64)
        ring.write(indices, indices[:, None].astype(float))
        if start > 4000:
            np.testing.assert_array_equal(
                ring.read(start - 3000, start + 64)[:, 0], np.arange(start - 3000, start + 64)
            )
            ring.forget(start - 3000)
    assert len(ring._cells) < 20_000


def test_limit_drops_the_oldest_and_counts():
    ring = Ring(1, 100)
    ring.write(np.arange(250), np.arange(250.0)[:, None])
    got = ring.read(0, 250)[:, 0]
    assert np.isnan(got[:150]).all()
    np.testing.assert_array_equal(got[150:], np.arange(150, 250))
    ring.write(np.arange(250, 260), np.zeros((10, 1)))
    assert ring.dropped == 10
    ring.write(np.array([10**12]), np.ones((1, 1)))
    assert ring.read(10**12, 10**12 + 1)[0, 0] == 1
    assert len(ring._cells) <= 4096


def test_going_back_is_refused():
    ring = Ring(1, 100)
    ring.write(np.array([10]), np.zeros((1, 1)))
    with pytest.raises(ValueError, match="index 9"):
        ring.write(np.array([9]), np.zeros((1, 1)))


def test_read_returns_a_copy():
    ring = Ring(1, 100)
    ring.write(np.arange(3), np.zeros((3, 1)))
    ring.read(0, 3)[:] = 7
    assert (ring.read(0, 3) == 0).all()
