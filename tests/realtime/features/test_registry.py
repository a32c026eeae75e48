"""Feature sets by name, and the features that the rigs of the papers have."""

from __future__ import annotations

import pytest

from realtime.errors import InputError
from realtime.features import FEATURE_SETS, entries, feature_set
from realtime.rig import load_rig, shipped_rigs

COUNTS = {
    "dmer": {"eeg": 90, "ppg": 27, "gsr": 28, "face": 768},
    "chest": {"ecg": 73, "eda": 4, "emg": 14, "acc": 12},
    "wrist": {"ppg": 28, "eda": 20, "temperature": 6, "acc": 18},
}


def test_every_set_goes_by_its_own_name() -> None:
    for name, kind in FEATURE_SETS.items():
        assert kind.name == name
        assert feature_set(name) is kind
        assert kind.version >= 1


def test_rigs_give_as_many_features_as_the_papers_have() -> None:
    assert set(COUNTS) == set(shipped_rigs())
    for rig, counts in COUNTS.items():
        for modality in load_rig(rig).modalities:
            names = [feature.name for feature in entries(modality)]
            assert len(names) == len(set(names)) == counts[modality.name]
            # The set that the engine builds gives just these.
            built = feature_set(modality.features).for_modality(modality)
            assert [feature.name for feature in built.features] == names


def test_unknown_feature_set_is_quoted() -> None:
    with pytest.raises(InputError, match="'pgg'.*ppg"):
        feature_set("pgg")
