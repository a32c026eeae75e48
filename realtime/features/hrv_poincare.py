"""The Poincaré plot of inter-beat intervals: its ellipse, and the asymmetry about its diagonal.

Each interval is plotted against the one after it. Points above the diagonal are decelerations of
the heart, points below it accelerations. Names and definitions are NeuroKit2's (Pham et al. 2021).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from realtime.features import hrv

ELLIPSE = {"S": "ms^2", "CSI": "1", "CVI": "1", "CSI_Modified": "ms"}
ASYMMETRY = {
    "GI": "%",
    "SI": "%",
    "AI": "%",
    "PI": "%",
    "C1d": "1",
    "C1a": "1",
    "SD1d": "ms",
    "SD1a": "ms",
    "C2d": "1",
    "C2a": "1",
    "SD2d": "ms",
    "SD2a": "ms",
    "Cd": "1",
    "Ca": "1",
    "SDNNd": "ms",
    "SDNNa": "ms",
}
"""Names of the indices, in the order in which they are returned, with their units."""


def ellipse(sd1: float, sd2: float) -> dict[str, float]:
    """Area and shape of the plot's ellipse.

    Parameters
    ----------
    sd1, sd2 : float
        Standard deviations across and along the diagonal, in ms (`hrv.poincare`).

    Returns
    -------
    dict
        `ELLIPSE`'s names: the area (Brennan et al. 2001), the cardiac sympathetic and vagal indices
        (Toichi et al. 1997), and the modified sympathetic one (Jeppesen et al. 2014); NaN where
        `sd1` is 0.
    """
    out = dict.fromkeys(ELLIPSE, float("nan"))
    if not (sd1 > 0 and sd2 > 0):
        return out
    out["S"] = np.pi * sd1 * sd2
    out["CSI"] = sd2 / sd1
    out["CVI"] = float(np.log10(16.0 * sd1 * sd2))
    out["CSI_Modified"] = 4.0 * sd2 * sd2 / sd1
    return out


def asymmetry(intervals: NDArray[np.float64]) -> dict[str, float]:
    """Shares that decelerations and accelerations have in the plot's spread.

    Parameters
    ----------
    intervals : ndarray of float64, shape (n,)
        Seconds, in order; NaN where missing or rejected.

    Returns
    -------
    dict
        `ASYMMETRY`'s names: Guzik's, slope, area and Porta's index (Yan et al. 2017), and the short
        and long-term contributions (Piskorski and Guzik 2011). NaN with fewer than three pairs of
        neighbours, and where all neighbours are equal.
    """
    out = dict.fromkeys(ASYMMETRY, float("nan"))
    x, y = hrv.neighbours(intervals * 1000.0)
    count = len(x)
    step = y - x
    slower, faster, same = step > 0, step < 0, step == 0
    if count < 3 or same.all():
        return out
    across = np.abs(step)
    angle = np.abs(np.pi / 4.0 - np.arctan(y / x))
    area = angle * (x * x + y * y)
    moved = count - int(np.count_nonzero(same))
    out["GI"] = 100.0 * float(across[slower].sum() / across.sum())
    out["SI"] = 100.0 * float(angle[slower].sum() / angle.sum())
    out["AI"] = 100.0 * float(area[slower].sum() / area.sum())
    out["PI"] = 100.0 * int(np.count_nonzero(faster)) / moved
    # Squared distances from the diagonal, and along it from the centre.
    short = 0.5 * step * step / (count - 1)
    along = x - x.sum() / count + y - y.sum() / count
    long = 0.5 * along * along / (count - 1)
    halved = 0.5 * float(long[same].sum())
    for one, two, total, among, rest in (
        ("1d", "2d", "d", slower, halved),
        ("1a", "2a", "a", faster, halved),
    ):
        first, second = float(short[among].sum()), float(long[among].sum()) + rest
        out[f"SD{one}"], out[f"SD{two}"] = first**0.5, second**0.5
        out[f"C{one}"] = first / float(short.sum())
        out[f"C{two}"] = second / float(long.sum()) if long.any() else float("nan")
        out[f"C{total}"] = (first + second) / float(short.sum() + long.sum())
        out[f"SDNN{total}"] = (0.5 * (first + second)) ** 0.5
    return out
