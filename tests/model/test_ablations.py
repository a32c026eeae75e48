from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest

from model.ablations import ABLATIONS, COMPLETE, ablation
from model.evaluation import Plan, run
from model.settings import MpclSettings, Variant
from realtime.errors import InputError
from tests.model.people import TINY
from tests.model.tables import synthetic_table

ROLES = {"eeg": "primary", "gsr": "auxiliary", "ppg": "auxiliary", "video": "behavioural"}
RECIPES = {
    "full": MpclSettings.full(),
    "person": MpclSettings.person(),
    "small": MpclSettings.small(),
}


@pytest.mark.parametrize("recipe", RECIPES)
@pytest.mark.parametrize("name", ABLATIONS)
def test_every_variant_differs_from_the_recipe_where_its_ablation_says(
    name: str, recipe: str
) -> None:
    settings = RECIPES[recipe]
    one = ablation(name)
    variants = one.variants(settings, ROLES, emotions=10)
    assert next(iter(variants)) == COMPLETE
    assert variants[COMPLETE] == Variant()
    made = [(variant.of(settings), variant.without) for variant in variants.values()]
    for index, (changed, without) in enumerate(made):
        assert (changed, without) not in made[:index]
        before, after = dataclasses.asdict(settings), dataclasses.asdict(changed)
        assert {key for key in before if before[key] != after[key]} <= set(one.settings)
        assert bool(without) == (name == "modalities" and index > 0)
    assert set(one.settings) <= set(dataclasses.asdict(settings))


def _names(name: str, recipe: str = "full") -> list[str]:
    return list(ablation(name).variants(RECIPES[recipe], ROLES, emotions=10))


def test_the_papers_tables() -> None:
    modules = [f"without {module}" for module in ("MSAF", "PRD", "PCL", "HSC")]
    assert _names("modules") == ["mpcl", *modules]
    assert _names("modalities") == ["mpcl", *(f"without {modality}" for modality in ROLES)]
    designs = ["cross-attention fusion", "feature co-occurrence", "InfoNCE alignment"]
    assert _names("designs") == ["mpcl", *designs, "Transformer encoder"]
    # The seventh of the paper's sets is the recipe itself.
    sets = ["0.5", "1", "2", "0.5, 1", "0.5, 2", "1, 2"]
    assert _names("scales") == ["mpcl", *(f"scales {scales}" for scales in sets)]


def test_slots_follow_the_prototypes_and_the_blocks() -> None:
    settings = RECIPES["full"]
    counts = ablation("prototypes").variants(settings, ROLES, emotions=10)
    assert list(counts) == ["mpcl", "K = 10", "K = 25", "K = 50", "K = 200"]
    assert counts["K = 25"].of(settings).slots == (25, 12)
    blocks = ablation("blocks").variants(settings, ROLES, emotions=10)
    slots = {name: variant.of(settings).slots for name, variant in blocks.items()}
    assert slots == {
        "mpcl": (100, 50),
        "L = 1": (),
        "L = 2": (100,),
        "L = 4": (100, 46, 22),
        "L = 5": (100, 56, 32, 18),
    }


def test_each_weight_is_varied_alone() -> None:
    assert _names("weights", "small") == [
        "mpcl",
        *("lambda_prd = 0", "lambda_prd = 0.1", "lambda_prd = 1"),
        *("lambda_pcl = 0", "lambda_pcl = 0.1", "lambda_pcl = 1"),
        *("lambda_intensity = 0", "lambda_intensity = 0.01", "lambda_intensity = 1"),
    ]


def test_an_unknown_ablation_is_refused_with_the_names() -> None:
    with pytest.raises(InputError, match="no ablation 'colours': use one of modules, modalities"):
        ablation("colours")


@pytest.mark.parametrize("modality", ["ppg", "eda", "acc"])
def test_a_modality_left_out_is_of_no_consequence(modality: str, tmp_path: Path) -> None:
    table = synthetic_table(people=1, seconds=20)
    doubled = np.exp2(table.features[modality])
    other = dataclasses.replace(table, features={**table.features, modality: doubled})
    name = f"without {modality}"
    plan = Plan(
        "paper-sd",
        ("mpcl", name),
        seeds=(0,),
        settings=dataclasses.replace(TINY, epochs=2),
        variants={name: Variant(without=(modality,))},
    )
    found = [run(one, plan, tmp_path).pieces for one in (table, other)]
    (complete, without), (changed, same) = found
    assert without.prediction.tobytes() == same.prediction.tobytes()
    assert complete.prediction.tobytes() != changed.prediction.tobytes()
    assert complete.prediction.tobytes() != without.prediction.tobytes()
    assert np.isfinite(without.prediction).all()
