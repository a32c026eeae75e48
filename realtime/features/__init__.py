"""Feature sets, one a modality, and the registry by which rigs name them."""

from __future__ import annotations

from realtime.errors import InputError
from realtime.features.acc import AccFeatures
from realtime.features.base import FeatureSet
from realtime.features.eda import EdaFeatures
from realtime.features.ppg import PpgFeatures
from realtime.features.temperature import TemperatureFeatures

FEATURE_SETS: dict[str, type[FeatureSet]] = {
    kind.name: kind for kind in (PpgFeatures, EdaFeatures, TemperatureFeatures, AccFeatures)
}


def feature_set(name: str) -> type[FeatureSet]:
    """Return a feature set by the name that rigs use.

    Raises
    ------
    InputError
        If there is none of that name.
    """
    try:
        return FEATURE_SETS[name]
    except KeyError:
        known = ", ".join(FEATURE_SETS)
        raise InputError(f"no feature set {name!r}: give one of {known}") from None
