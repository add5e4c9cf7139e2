"""What well-known packages are, in the words of those who look for them: the data of kinds.tsv."""

from __future__ import annotations

import os
import re
from importlib import resources

import pytest

from support.catalogues import real_names

LINES = (resources.files("fdnix.nixpkgs") / "kinds.tsv").read_text(encoding="ascii").splitlines()
KINDS = {attribute: phrases.split("; ") for attribute, phrases in (x.split("\t") for x in LINES)}


def test_each_package_stands_once_and_in_order() -> None:
    attributes = [line.split("\t")[0] for line in LINES]
    assert attributes == sorted(set(attributes))


def test_phrases_are_short_and_do_not_name_the_package() -> None:
    odd = [
        (attribute, phrase)
        for attribute, phrases in KINDS.items()
        for phrase in phrases
        if phrase != phrase.strip().lower()
        or not 1 <= len(phrase.split()) <= 4
        or attribute.rpartition(".")[2].lower() in re.split(r"[ ,/]", phrase)
    ]
    assert odd == []


@pytest.mark.catalogue
@pytest.mark.skipif("FDNIX_TEST_DATA" not in os.environ, reason="FDNIX_TEST_DATA is not set")
def test_every_package_is_in_the_real_catalogue() -> None:
    assert KINDS.keys() <= real_names()
