"""Detrended fluctuation analysis against NeuroKit2, and on noises whose exponent is known."""

from __future__ import annotations

import neurokit2
import numpy as np
import pytest

from realtime.features.hrv_dfa import DFA, ORDERS, WIDTHS, dfa
from tests.realtime.features.test_hrv import rhythm


@pytest.mark.parametrize("seed", range(4))
def test_exponents_are_neurokits(seed: int) -> None:
    milliseconds = 1000 * rhythm(seed)
    alpha, _ = neurokit2.fractal_dfa(milliseconds, scale=WIDTHS)
    # NeuroKit2 0.2 shows other numbers of the same spectrum: its width, which is ExpRange here, and
    # eight more. Its arrays H and D, of which ours are range and mean, it gives beside them.
    shown, spectrum = neurokit2.fractal_dfa(milliseconds, scale=WIDTHS, multifractal=True, q=ORDERS)
    reference = {
        "DFA_alpha1": alpha,
        "DFA_alpha1_ExpRange": np.ptp(spectrum["H"]),
        "DFA_alpha1_ExpMean": spectrum["H"].mean(),
        "DFA_alpha1_DimRange": np.ptp(spectrum["D"]),
        "DFA_alpha1_DimMean": spectrum["D"].mean(),
    }
    indices = dfa(milliseconds / 1000)
    assert list(indices) == list(DFA)
    for name, value in indices.items():
        assert value == pytest.approx(reference[name], rel=1e-9), name
    assert indices["DFA_alpha1_ExpRange"] == pytest.approx(shown["Width"][0], rel=1e-9)


def test_white_noise_and_its_sum() -> None:
    white = 0.8 + 0.02 * np.random.default_rng(0).standard_normal((30, 300))
    walk = 0.8 + 0.002 * np.cumsum(white - 0.8, axis=1)
    # Segments this short overestimate a half by a tenth (Kantelhardt et al. 2001).
    assert np.mean([dfa(row)["DFA_alpha1"] for row in white]) == pytest.approx(0.6, abs=0.05)
    assert np.mean([dfa(row)["DFA_alpha1"] for row in walk]) == pytest.approx(1.6, abs=0.1)


@pytest.mark.parametrize("intervals", [[], [0.8] * 11, [0.8] * 60])
def test_too_few_or_even_intervals_give_nan(intervals: list[float]) -> None:
    assert np.isnan(list(dfa(np.array(intervals)).values())).all()
