from __future__ import annotations

import importlib.metadata
import re
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
REQUIREMENTS = [
    Requirement(text)
    for text in (*PROJECT["dependencies"], *PROJECT["optional-dependencies"]["dev"])
]


def constraints() -> dict[str, str]:
    pins = {}
    for line in (ROOT / "constraints.txt").read_text("utf-8").splitlines():
        if line and not line.startswith("#"):
            name, _, version = line.partition("==")
            pins[canonicalize_name(name)] = version
    return pins


@pytest.mark.parametrize("requirement", REQUIREMENTS, ids=lambda r: r.name)
def test_every_requirement_is_pinned_within_its_bounds(requirement: Requirement) -> None:
    version = constraints()[canonicalize_name(requirement.name)]
    assert requirement.specifier.contains(version)


def test_pins_fit_every_platform() -> None:
    assert len(constraints()) > len(REQUIREMENTS)
    for version in constraints().values():
        assert re.fullmatch(r"[\d.]+(post\d+)?", version), "a local or unfinished version"


def test_one_version_everywhere() -> None:
    version = PROJECT["version"]
    citation = (ROOT / "CITATION.cff").read_text("utf-8")
    assert f"\nversion: {version}\n" in citation
    assert version in (ROOT / "CHANGELOG.md").read_text("utf-8")
    assert importlib.metadata.version("affectstream") == version


def test_what_is_imported_is_required() -> None:
    """Every third-party module that the packages name comes from a declared dependency."""
    own = {"realtime", "model", "calibration", "apps"}
    names = {
        module.replace("_", "-").casefold(): owners
        for module, owners in importlib.metadata.packages_distributions().items()
    }
    extras = [PROJECT["optional-dependencies"][name] for name in ("eeg", "papers", "sweep")]
    declared = [*PROJECT["dependencies"], *(text for extra in extras for text in extra)]
    required = {canonicalize_name(Requirement(text).name) for text in declared}
    pattern = re.compile(r"^\s*(?:from|import) (\w+)", re.MULTILINE)
    missing = {}
    for package in own:
        for file in (ROOT / package).rglob("*.py"):
            for module in pattern.findall(file.read_text("utf-8")):
                owners = names.get(module.replace("_", "-").casefold(), [])
                wanted = {canonicalize_name(owner) for owner in owners} - {"affectstream"}
                if wanted and module not in own and not wanted & required:
                    missing[module] = file.relative_to(ROOT).as_posix()
    assert not missing


def test_data_files_are_where_the_packages_look() -> None:
    from realtime.rig import load_rig, shipped_rigs

    assert "wrist" in shipped_rigs()
    assert all(load_rig(name).name == name for name in shipped_rigs())
    ignored = (ROOT / ".gitignore").read_text("utf-8").split()
    assert not any("safetensors" in line or line in ("model", "zoo") for line in ignored)
