"""Which systems the page shows from inside, by rule."""

from __future__ import annotations

import pandas as pd

from model.report.findings import Findings
from model.scores import label
from model.settings import MpclSettings
from model.systems import preset

HANDFUL = 5
"""Systems whose predictions stand beside the truth of a window."""


def uncalibrated(found: Findings) -> pd.DataFrame:
    """Return the rows before any calibration; those of the smallest k, if every k is above 0."""
    rows = found.rows[found.rows["adaptation"].isin(["", "none"])]
    return rows[rows["k"] == rows.groupby("model")["k"].transform("min")]


def uncalibrated_labels(found: Findings) -> list[str]:
    """Return the labels of `Findings.summary` before any calibration."""
    keys = uncalibrated(found)[["model", "k", "adaptation"]].drop_duplicates()
    return [label(str(m), int(k), str(a)) for m, k, a in keys.itertuples(index=False)]


def by_kl(found: Findings) -> dict[str, float]:
    """Return each system's mean KL over people before any calibration, the smallest first."""
    people = uncalibrated(found).groupby(["model", "person"], sort=False)["kl"].mean()
    means = people.groupby("model", sort=False).mean().sort_values(kind="stable")
    return {str(model): float(value) for model, value in means.items()}


def leading(found: Findings) -> str:
    """Return the system whose inside is shown: MPCL, else the best that learns, else the best."""
    models = list(by_kl(found))
    if "mpcl" in models:
        return "mpcl"
    learned = [model for model in models if found.plan.entry(model).learns_from_sensors]
    return (learned or models)[0]


def handful(found: Findings) -> list[str]:
    """Return the leading system, the best of every other kind, and then the next best."""
    lead = leading(found)
    models = [model for model in by_kl(found) if model != lead]
    kinds: dict[str, str] = {}
    for model in models:
        kinds.setdefault(found.plan.entry(model).kind, model)
    # The reference that every claim is held against goes before a better one.
    if "train-mean" in models:
        kinds["reference"] = "train-mean"
    chosen = [*kinds.values(), *(model for model in models if model not in kinds.values())]
    return [lead, *sorted(chosen[: HANDFUL - 1], key=models.index)]


def best_other_network(found: Findings) -> str | None:
    """Return the network with the smallest KL beside the leading system."""
    others = [
        model
        for model in by_kl(found)
        if model != leading(found)
        and model not in found.plan.variants
        and found.plan.entry(model).network
    ]
    return others[0] if others else None


def settings_of(found: Findings) -> MpclSettings:
    """Return the recipe that MPCL had."""
    return found.plan.settings or preset(found.plan.preset)
