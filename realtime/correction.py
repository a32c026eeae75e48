"""The clock correction of one source: measured now and then, applied without jumps."""

from __future__ import annotations

# Measurements scatter by 0.2 ms over a network and by 0.03 ms on one machine (whose processes share
# a clock, so that 0 is the truth); what is smaller than this moves nothing.
DEAD_BAND = 1e-3  # s
# Quartz clocks drift by up to 100 parts in a million; following at twice that never falls behind.
SLEW = 2e-4  # s of correction a second
# A larger step is no drift: the source's clock was set, or its machine slept.
JUMP = 0.1  # s


class ClockCorrection:
    """Seconds to add to a source's stamps.

    Attributes
    ----------
    held : float
        The correction in use. Starts at 0, the truth for a source on this machine.
    """

    def __init__(self) -> None:
        self.held = 0.0
        self._target = 0.0
        self._moving = False
        self._moved: float | None = None

    def measure(self, value: float, jump: bool = False) -> bool:
        """Take in a measurement.

        Parameters
        ----------
        value : float
            Measured correction in seconds.
        jump : bool
            The source is new: take the value over at once.

        Returns
        -------
        bool
            Whether the correction leapt.
        """
        error = abs(value - self.held)
        if jump or error > JUMP:
            if error >= DEAD_BAND:
                self.held = value
            self._target = self.held
            self._moving = False
            return error > JUMP
        self._target = value
        self._moving = self._moving or error >= DEAD_BAND
        return False

    def at(self, now: float) -> float:
        """Return the correction at a moment of wall time (s), moved on by at most `SLEW`."""
        before, self._moved = self._moved, now
        if self._moving and before is not None:
            step = SLEW * max(0.0, now - before)
            error = self._target - self.held
            self._moving = abs(error) > step
            self.held = (
                self._target
                if not self._moving
                else self.held + step * (1.0 if error > 0 else -1.0)
            )
        return self.held
