"""How widely known packages are: the data of well_known.tsv."""

from __future__ import annotations

import os
from importlib import resources

import pytest

from support.catalogues import real_names

LINES = (resources.files("fdnix.search") / "well_known.tsv").read_text("ascii").splitlines()
LEVELS = dict(line.split("\t") for line in LINES)

NOT_IN_THE_CATALOGUE = {"cabal-install", "git-annex", "hadolint", "hledger", "pandoc", "shellcheck"}
"""Those of the Haskell set, which the catalogue of the tests is without."""


def test_each_package_stands_once_and_in_order() -> None:
    names = [line.split("\t")[0] for line in LINES]
    assert names == sorted(set(names))


def test_levels_are_from_one_to_four() -> None:
    assert set(LEVELS.values()) == {"1", "2", "3", "4"}


@pytest.mark.catalogue
@pytest.mark.skipif("FDNIX_TEST_DATA" not in os.environ, reason="FDNIX_TEST_DATA is not set")
def test_every_name_is_in_the_real_catalogue() -> None:
    assert LEVELS.keys() <= real_names() | NOT_IN_THE_CATALOGUE
