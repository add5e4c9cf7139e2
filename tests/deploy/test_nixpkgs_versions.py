"""What the Nix files take from nixpkgs is there, and new enough."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from fdnix.nixpkgs.catalog import read_catalog
from support.nix import ROOT, declared

pytestmark = [
    pytest.mark.catalogue,
    pytest.mark.skipif("FDNIX_TEST_DATA" not in os.environ, reason="FDNIX_TEST_DATA is not set"),
]

PACKAGED_HERE = {
    name.replace("_", "-") for name in json.loads((ROOT / "nix/sources.json").read_bytes())
}


@pytest.fixture(scope="module")
def versions() -> dict[str, str]:
    """The version of every attribute path in the real catalogue."""
    path = Path(os.environ["FDNIX_TEST_DATA"]) / "nixpkgs-26.11" / "packages.json.br"
    return {
        name: json.loads(bytes(entry))["version"]
        for name, entry in read_catalog(path).entries.items()
    }


def test_nixpkgs_has_the_python_packages_in_versions_that_the_project_takes(
    versions: dict[str, str],
) -> None:
    for requirement in declared():
        if requirement.name not in PACKAGED_HERE:
            version = versions[f"python313Packages.{requirement.name}"]
            assert requirement.specifier.contains(version), f"{requirement}: nixpkgs has {version}"


def test_nixpkgs_has_what_builds_and_runs_them(versions: dict[str, str]) -> None:
    assert "python313Packages.hatchling" in versions
    for name in ("cacert", "nix", "nixVersions.nix_2_31", "nixfmt", "nixfmt-tree"):
        assert name in versions
