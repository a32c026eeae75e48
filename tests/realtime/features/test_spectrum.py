"""Spectra against scipy and against signals whose spectrum is known."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import signal

from realtime.features.spectrum import band_power, hann, peak_frequency, power_density


@pytest.mark.parametrize(("count", "lines"), [(256, 256), (255, 255), (200, 512), (199, 401)])
def test_density_is_that_of_scipy(count: int, lines: int) -> None:
    rows = np.random.default_rng(1).standard_normal((3, count))
    frequencies, density = power_density(rows, 64.0, lines)
    expected_frequencies, expected = signal.periodogram(
        rows, 64.0, window="hann", nfft=lines, detrend=False
    )
    np.testing.assert_allclose(frequencies, expected_frequencies, rtol=1e-12)
    np.testing.assert_allclose(density, expected, rtol=1e-9, atol=1e-15)


def test_hann_is_scipys_and_cannot_be_changed() -> None:
    np.testing.assert_allclose(hann(31), signal.get_window("hann", 31), atol=1e-15)
    with pytest.raises(ValueError, match="read-only"):
        hann(31)[0] = 1.0


def test_band_holds_the_power_of_its_sine() -> None:
    time = np.arange(1000) / 100.0
    wave = 3.0 * np.sin(2 * np.pi * 7.0 * time)
    frequencies, density = power_density(wave, 100.0)
    assert band_power(frequencies, density, 5.0, 9.0) == pytest.approx(4.5, rel=1e-6)
    assert band_power(frequencies, density, 15.0, 30.0) == pytest.approx(0.0, abs=1e-6)


def test_band_is_half_open_and_follows_the_trapezoid_rule() -> None:
    frequencies = np.array([0.0, 0.5, 1.0, 1.5, 2.0])
    density = np.array([[1.0, 2.0, 4.0, 8.0, 16.0], [0.0, 1.0, 0.0, 1.0, 0.0]])
    np.testing.assert_allclose(band_power(frequencies, density, 0.5, 2.0), [4.5, 0.5])


def test_band_with_one_line_has_no_power() -> None:
    frequencies = np.array([0.0, 0.5, 1.0])
    assert np.isnan(band_power(frequencies, np.ones(3), 0.4, 0.9))


def test_peak_frequency_of_rows() -> None:
    time = np.arange(640) / 64.0
    rows = np.stack([np.sin(2 * np.pi * f * time) for f in (1.5, 4.0, 9.0)])
    rows = np.concatenate((rows, np.zeros((1, 640))))
    peaks = peak_frequency(*power_density(rows, 64.0), 0.5, 8.0)
    np.testing.assert_allclose(peaks[:2], [1.5, 4.0])
    assert 0.5 <= peaks[2] < 8.0, "a peak outside the band must not be returned"
    assert np.isnan(peaks[3])


def test_no_line_in_the_band_has_no_peak() -> None:
    assert np.isnan(peak_frequency(np.array([0.0, 1.0]), np.ones(2), 0.2, 0.8))
