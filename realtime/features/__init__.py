"""Feature sets, one a modality, and the registry by which rigs name them."""

from __future__ import annotations

from realtime.errors import InputError
from realtime.features.acc import AccFeatures
from realtime.features.acc_summary import AccSummary
from realtime.features.base import Feature, FeatureSet
from realtime.features.ecg import EcgFeatures
from realtime.features.eda import EdaFeatures
from realtime.features.eda_summary import EdaSummary
from realtime.features.eeg import EegFeatures
from realtime.features.emg import EmgFeatures
from realtime.features.face import FaceFeatures
from realtime.features.ppg import PpgFeatures
from realtime.features.statistics import GsrStatistics, PpgStatistics
from realtime.features.temperature import TemperatureFeatures
from realtime.rig import ModalitySettings

FEATURE_SETS: dict[str, type[FeatureSet]] = {
    kind.name: kind
    for kind in (
        AccFeatures,
        AccSummary,
        EcgFeatures,
        EdaFeatures,
        EdaSummary,
        EegFeatures,
        EmgFeatures,
        FaceFeatures,
        GsrStatistics,
        PpgFeatures,
        PpgStatistics,
        TemperatureFeatures,
    )
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


def entries(settings: ModalitySettings) -> tuple[Feature, ...]:
    """Return the features that a rig's modality gives.

    Raises
    ------
    InputError
        If there is no such feature set, or it cannot do what the rig asks for.
    """
    return feature_set(settings.features).entries(settings)
