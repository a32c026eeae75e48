from __future__ import annotations

import re
from pathlib import Path

import pytest

from realtime.errors import InputError
from realtime.features import FEATURE_SETS, entries
from realtime.rig import load_rig, parse_rig, shipped_rigs

WRIST = (Path(__file__).parents[2] / "realtime/rigs/wrist.toml").read_text("utf-8")


def test_the_wrist_rig_is_the_empatica() -> None:
    rig = load_rig("wrist")
    assert rig.hop == 1
    assert rig.warm_up == 10
    assert 0 < rig.lateness < 2
    assert [m.name for m in rig.modalities] == ["ppg", "eda", "temperature", "acc"]
    assert {m.name: m.rate for m in rig.modalities} == {
        "ppg": 64,
        "eda": 4,
        "temperature": 4,
        "acc": 32,
    }
    assert all(m.window == 60 for m in rig.modalities)
    assert [c.name for c in rig.modality("acc").channels] == ["X", "Y", "Z"]
    with pytest.raises(KeyError):
        rig.modality("eeg")


def test_every_shipped_rig_loads_and_names_feature_sets_that_exist() -> None:
    for name in shipped_rigs():
        for modality in load_rig(name).modalities:
            assert modality.features in FEATURE_SETS


def test_one_line_stands_for_a_run_of_channels() -> None:
    face = load_rig("dmer").modality("face")
    assert len(face.channels) == face.needed_channels == 768
    assert face.channel_names[:2] == ("XY_0", "XY_1")
    assert face.channels[300].labels == ("XT_44",)
    line = 'channels = { "E[1-3]" = ["EEG [1-3]", "E[1-3]"] }'
    text = re.sub(r"channels = \{ BVP = .*", line, WRIST)
    channels = parse_rig(text, "mine").modality("ppg").channels
    assert [(c.name, c.labels) for c in channels] == [
        (f"E{n}", (f"EEG {n}", f"E{n}")) for n in (1, 2, 3)
    ]
    for run in ("[3-1]", "[0-999999]"):
        with pytest.raises(InputError, match=re.escape(f"channels has 'E{run}', must run upwards")):
            parse_rig(text.replace("E[1-3]", f"E{run}", 1), "mine")


def test_some_channels_may_be_absent_and_options_cannot_be_changed() -> None:
    text = WRIST.replace('unit = "g"', 'unit = "g"\nmin_channels = 2\noptions = { bands = [1, 2] }')
    acc = parse_rig(text, "mine").modality("acc")
    assert acc.needed_channels == 2
    assert acc.options == (("bands", (1, 2)),)
    assert load_rig("wrist").modality("acc").needed_channels == 3
    with pytest.raises(InputError, match="feature set 'acc' has no options, and the rig gives ban"):
        entries(acc)
    with pytest.raises(InputError, match="min_channels is 4, must be 0"):
        parse_rig(text.replace("min_channels = 2", "min_channels = 4"), "mine")


def test_a_copy_is_a_rig_of_its_own(tmp_path: Path) -> None:
    file = tmp_path / "mine.toml"
    file.write_text(
        WRIST.replace('name = "wrist"', 'name = "mine"').replace("hop = 1.0", "hop = 2"),
        encoding="utf-8",
    )
    rig = load_rig(file)
    assert (rig.name, rig.hop) == ("mine", 2.0)
    assert rig.modalities == load_rig("wrist").modalities
    assert load_rig(str(file)) == rig


def test_the_primary_modality_comes_first_wherever_it_stands() -> None:
    head, *tables = WRIST.split("[modalities.")
    turned = "[modalities.".join([head, *reversed(tables)])
    roles = [m.role for m in parse_rig(turned, "turned").modalities]
    assert roles == ["primary", "auxiliary", "auxiliary", "behavioural"]


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("hop = 1.0", "hopp = 1.0", "unknown key 'hopp'"),
        ('role = "primary"', 'rolle = "primary"', r"unknown key 'modalities\.ppg\.rolle'"),
        ("settle = 3.0", "setle = 3.0", r"unknown key 'modalities\.ppg\.filter\.setle'"),
        ("hop = 1.0", "", "lacks the key 'hop'"),
        ("hop = 1.0", 'hop = "1 s"', "hop is '1 s', must be a number"),
        ("hop = 1.0", "hop = true", "hop is True, must be a number"),
        ("hop = 1.0", "hop = 0", "hop is 0.0, must be 0.1 to 60 s"),
        ("hop = 1.0", "hop = nan", "hop is nan"),
        ("lateness = 1.5", "lateness = 2.0", "lateness is 2.0, must be above 0 and under 2"),
        ("warm_up = 10.0", "warm_up = 0.5", "warm_up is 0.5"),
        ('role = "primary"', 'role = "main"', "role is 'main', must be one of primary"),
        ('role = "primary"', 'role = "auxiliary"', "primary modalities is 0, must be exactly 1"),
        ("rate_range = [20.0, 2000.0]", "rate_range = [20.0]", r"rate_range is \[20\.0\]"),
        ("rate_range = [20.0, 2000.0]", "rate_range = [9, 1]", r"rate_range is \[9, 1\]"),
        ("high = 8.0", "high = 40.0", r"filter\.high is 40\.0, must be above 0 and below 32 Hz"),
        ("low = 0.5, high = 8.0", "low = 9.0, high = 8.0", r"filter\.low is 9\.0"),
        ("order = 2", "order = 2.5", "order is 2.5, must be a whole number"),
        ("[modalities.ppg]", '[modalities."my ppg"]', "name is 'my ppg'"),
        ("window = 60.0", "window = 0.1", r"window is 0\.1"),
        ("hop = 1.0", "hop = ", "not valid TOML"),
    ],
)
def test_mistakes_are_named_with_the_file(old: str, new: str, message: str) -> None:
    changed = WRIST.replace(old, new, 1)
    assert changed != WRIST
    with pytest.raises(InputError, match=message) as caught:
        parse_rig(changed, "mine.toml")
    assert "'mine.toml'" in str(caught.value)


@pytest.mark.parametrize(
    "content",
    [
        "",
        "name = 'x'",
        "modalities = 3",
        "[modalities]",
        "name = 'x'\ndescription = ''\nhop = 1.0\nwarm_up = 10.0\nlateness = 1.0\n"
        "modalities.ppg = 3",
    ],
)
def test_files_that_are_no_rig(content: str) -> None:
    with pytest.raises(InputError, match=r"mine\.toml"):
        parse_rig(content, "mine.toml")


def test_a_rig_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"no rig 'ankle': give one of .*wrist"):
        load_rig("ankle")
    binary = tmp_path / "rig.toml"
    binary.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(InputError, match="cannot read the rig file"):
        load_rig(binary)
