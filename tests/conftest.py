"""What all tests share: LSL streams stay on this machine, in a session of this test run."""

from __future__ import annotations

import os
import uuid

# Tests run side by side, and linear algebra with a thread a core each would fight for the cores.
os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

from realtime.lsl import SESSION_VARIABLE, configure

# Set before any test module can touch LSL, and in the environment, so that processes which tests
# start find the same streams, and nobody else's.
os.environ[SESSION_VARIABLE] = f"test-{uuid.uuid4().hex[:12]}"
configure(loopback=True)
