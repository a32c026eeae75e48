"""Movement of a simulated person's wrist."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from realtime.simulator.affect import Affect

FIDGETS = (7.0, 12.0)
"""Bursts of movement a minute at rest, and what full stress adds. WESAD's wrists are still (less
than 13 mg within a second) in 80 % of the seconds at rest and 59 % under stress."""

SIZE = (0.09, 0.7)
"""g, median height of a burst at rest, and the spread of its logarithm."""

SIZE_STRESS = 0.6
"""What full stress adds to that logarithm."""

TURNS = (0.5, 1.0)
"""Changes of the wrist's posture a minute at rest, and what full stress adds."""

NOISE = 0.0035  # g, white: an E4's step of 1/64 g, and tremor


@dataclass(frozen=True, slots=True)
class _Fidget:
    start: float
    seconds: float
    height: float
    frequency: float
    direction: tuple[float, float, float]

    def wave(self, times: NDArray[np.float64]) -> NDArray[np.float64]:
        inside = (times - self.start) / self.seconds
        shape = np.where((inside > 0) & (inside < 1), np.sin(np.pi * inside) ** 2, 0.0)
        moved: NDArray[np.float64] = (
            self.height * shape * np.sin(2 * np.pi * self.frequency * (times - self.start))
        )
        return moved


@dataclass(frozen=True, slots=True)
class _Turn:
    start: float
    seconds: float
    before: NDArray[np.float64]
    after: NDArray[np.float64]


class Movement:
    """Acceleration of the wrist in g: gravity in a posture that changes at times, and fidgeting."""

    def __init__(self, affect: Affect, seed: int) -> None:
        self._affect = affect
        self._rng = np.random.default_rng([seed, 7])
        self._noise = np.random.default_rng([seed, 8])
        self._restlessness = float(np.exp(0.35 * self._rng.standard_normal()))
        self._fidgets: list[_Fidget] = []
        posture = _unit(self._rng.standard_normal(3))
        self._turn = _Turn(-1.0, 1.0, posture, posture)
        self._second = -1

    def advance(self, second: int) -> None:
        """Decide what happens in the next second."""
        self._second = second
        state = self._affect.state(second + 0.5)
        self._fidgets = [f for f in self._fidgets if f.start + f.seconds > second]
        rate = self._restlessness * (FIDGETS[0] + FIDGETS[1] * state.stress)
        for _ in range(self._rng.poisson(rate / 60.0)):
            size = SIZE[1] * self._rng.standard_normal() + SIZE_STRESS * state.stress
            self._fidgets.append(
                _Fidget(
                    start=second + float(self._rng.random()),
                    seconds=float(self._rng.uniform(1.0, 4.0)),
                    height=min(SIZE[0] * math.exp(size), 1.0),
                    frequency=float(self._rng.uniform(1.0, 3.0 + 2.0 * state.stress)),
                    direction=tuple(_unit(self._rng.standard_normal(3)).tolist()),
                )
            )
        turned = self._turn.start + self._turn.seconds <= second
        if self._rng.random() < (TURNS[0] + TURNS[1] * state.stress) / 60.0 and turned:
            old = self._turn.after
            new = _unit(old + 0.5 * self._rng.standard_normal(3))
            self._turn = _Turn(float(second), float(self._rng.uniform(0.8, 2.5)), old, new)

    def page(self, second: int, times: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return acceleration in g, shape (n, 3), at the times of the second just decided."""
        if second != self._second:
            raise ValueError(f"second {second} of movement: only {self._second} is known")
        turn = self._turn
        part = np.clip((times - turn.start) / turn.seconds, 0.0, 1.0)
        part = (part * part * (3.0 - 2.0 * part))[:, None]
        gravity = turn.before + (turn.after - turn.before) * part
        gravity /= np.linalg.norm(gravity, axis=1, keepdims=True)
        for fidget in self._fidgets:
            gravity += fidget.wave(times)[:, None] * np.array(fidget.direction)
        acceleration: NDArray[np.float64] = gravity
        return acceleration + NOISE * self._noise.standard_normal((len(times), 3))

    def shake(self, times: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the fidgets alone in g, shape (n, 3), at times of the second just decided."""
        total = np.zeros((len(times), 3))
        for fidget in self._fidgets:
            total += fidget.wave(times)[:, None] * np.array(fidget.direction)
        return total

    def disturbance(self, times: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return how movement shakes a sensor on the skin at times of the second just decided."""
        total = np.zeros(len(times))
        for fidget in self._fidgets:
            total += fidget.wave(times)
        return total


def _unit(vector: NDArray[np.float64]) -> NDArray[np.float64]:
    return vector / np.linalg.norm(vector)
