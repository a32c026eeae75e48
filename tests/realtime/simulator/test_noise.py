from __future__ import annotations

import numpy as np
import pytest
from scipy import signal

from realtime.simulator.noise import ColouredNoise, band, pink


def made(sections: np.ndarray, rate: float, seconds: int, channels: int = 1) -> np.ndarray:
    noise = ColouredNoise(np.random.default_rng(1), sections, rate, channels)
    return np.concatenate([noise.page(int(rate)) for _ in range(seconds)])


@pytest.mark.parametrize("rate", [128.0, 300.0, 1000.0])
def test_pink_noise_falls_with_the_frequency(rate: float) -> None:
    samples = made(pink(rate), rate, 200, 2)
    assert samples.std(axis=0) == pytest.approx(1.0, rel=0.05)
    assert abs(np.corrcoef(samples.T)[0, 1]) < 0.1
    frequency, power = signal.welch(samples[:, 0], rate, nperseg=int(4 * rate))
    inside = (frequency >= 1.0) & (frequency <= 0.3 * rate)
    slope = np.polyfit(np.log(frequency[inside]), np.log(power[inside]), 1)[0]
    assert slope == pytest.approx(-1.0, abs=0.15)


@pytest.mark.parametrize(("rate", "high"), [(700.0, 250.0), (300.0, 135.0), (100.0, 45.0)])
def test_a_band_holds_the_power_that_the_rate_can(rate: float, high: float) -> None:
    samples = made(band(20.0, 250.0, rate), rate, 60)
    assert samples.std() == pytest.approx(1.0, rel=0.05)
    frequency, power = signal.welch(samples[:, 0], rate, nperseg=int(2 * rate))
    inside = (frequency >= 20.0) & (frequency <= high)
    assert power[inside].sum() > 0.85 * power.sum()


def test_pages_join_to_what_one_page_holds() -> None:
    parts = made(pink(300.0), 300.0, 4, 3)
    whole = ColouredNoise(np.random.default_rng(1), pink(300.0), 300.0, 3).page(1200)
    np.testing.assert_array_equal(parts, whole)
