import dataclasses
import json

import pytest

from model.settings import CHOICES, MpclSettings, Variant
from realtime.errors import InputError


def test_the_published_recipe() -> None:
    full = MpclSettings.full()
    assert (full.learning_rate, full.batch_size, full.epochs) == (1e-3, 128, 400)
    assert (full.prototypes, full.slots, len(full.scales)) == (100, (100, 50), 3)


@pytest.mark.parametrize("settings", [MpclSettings.full(), MpclSettings.small()])
def test_json_brings_the_same_settings_back(settings: MpclSettings) -> None:
    assert MpclSettings.from_dict(json.loads(json.dumps(settings.to_dict()))) == settings


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("width", 0),
        ("heads", 3),
        ("slots", [500, 50]),
        ("scales", []),
        ("dropout", 1.0),
        ("learning_rate", float("nan")),
        ("lambda_prd", -1.0),
        ("centring", 1.5),
        ("prior", 1),
        ("epochs", "many"),
        ("epochs", 1.5),
        ("no_such", 1),
        ("fusion", "sum"),
        ("compression", 3),
    ],
)
def test_absurd_settings_are_refused_by_name(key: str, value: object) -> None:
    with pytest.raises(InputError, match=key):
        MpclSettings.from_dict({key: value})


def test_settings_written_before_there_were_alternatives_are_the_complete_model() -> None:
    values = MpclSettings.small().to_dict()
    for name in CHOICES:
        del values[name]
    assert MpclSettings.from_dict(values) == MpclSettings.small()


def test_a_variant_changes_what_it_names() -> None:
    variant = Variant({"fusion": "none"}, without=("eeg",))
    changed = variant.of(MpclSettings.small())
    assert changed == dataclasses.replace(MpclSettings.small(), fusion="none")


def test_replacing_a_value_checks_it_too() -> None:
    with pytest.raises(InputError, match="members is 0"):
        dataclasses.replace(MpclSettings.small(), members=0)
