"""What the whole nixpkgs says of its own catalogue, and how long reading it takes."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from fdnix.nixpkgs.catalog import Catalog, outline, read_catalog
from fdnix.nixpkgs.tree import Tree, read_tree
from fdnix.nixpkgs.tree.files import in_directory

NEEDED = ("FDNIX_TEST_DATA", "FDNIX_TEST_NIXPKGS")

pytestmark = [
    pytest.mark.catalogue,
    pytest.mark.skipif(
        not set(NEEDED) <= set(os.environ), reason=f"{' and '.join(NEEDED)} are not both set"
    ),
]


@pytest.fixture(scope="module")
def catalog() -> Catalog:
    data = Path(os.environ["FDNIX_TEST_DATA"])
    return read_catalog(data / "nixpkgs-26.11" / "packages-info.json.br")


@pytest.fixture(scope="module")
def tree(catalog: Catalog) -> Tree:
    packages = outline(catalog).positions
    began = time.process_time()
    found = read_tree(in_directory(Path(os.environ["FDNIX_TEST_NIXPKGS"])), packages, source="path")
    assert time.process_time() - began < 10
    return found


@pytest.mark.parametrize(
    ("package", "programs"),
    [
        ("bind", {"dig", "nslookup", "dnssec-keygen"}),
        ("postgresql", {"psql", "pg_dump", "initdb"}),
        ("ripgrep", {"rg"}),
        ("imagemagick", {"convert", "magick"}),
        ("coreutils", {"ls", "cat", "env"}),
        ("weasis", {"Dicomizer"}),
    ],
)
def test_programs_are_found_that_no_meta_names(
    package: str, programs: set[str], tree: Tree
) -> None:
    assert programs <= set(tree.programs[package])


def test_what_many_use_is_used_much(tree: Tree) -> None:
    for package in ("nginx", "postgresql", "openssh"):
        usage = tree.usage[package]
        assert usage.configured > 30
        assert usage.tests > 30
        assert usage.release_notes > 5


def test_modules_say_what_their_programs_are(tree: Tree) -> None:
    assert {"Nginx Web Server", "web servers"} <= set(tree.usage_texts["nginx"])
    assert "Jellyfin Media Server" in tree.usage_texts["jellyfin"]


def test_sets_that_the_catalogue_has_under_another_name_are_found(tree: Tree) -> None:
    targets = {alias.name: alias.target for alias in tree.aliases}
    assert targets["python3Packages"] == "python313Packages"
    assert targets["vimPlugins.nvim-compe"] == "vimPlugins.nvim-cmp"


def test_the_systems_that_it_is_built_for_are_known(tree: Tree) -> None:
    assert {"x86_64-linux", "aarch64-linux", "aarch64-darwin"} <= set(tree.systems)
