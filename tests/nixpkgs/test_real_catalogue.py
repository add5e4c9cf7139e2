"""What the data's README says of the real catalogue holds after reading and normalising."""

from __future__ import annotations

import os
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from fdnix.nixpkgs.catalog import Catalog, decode, read_catalog
from fdnix.nixpkgs.package import Package

if TYPE_CHECKING:
    from collections.abc import Mapping

pytestmark = [
    pytest.mark.catalogue,
    pytest.mark.skipif("FDNIX_TEST_DATA" not in os.environ, reason="FDNIX_TEST_DATA is not set"),
]


@pytest.fixture(scope="module")
def catalog() -> Catalog:
    return read_catalog(Path(os.environ["FDNIX_TEST_DATA"]) / "nixpkgs-26.11" / "packages.json.br")


@pytest.fixture(scope="module")
def packages(catalog: Catalog) -> Mapping[str, Package]:
    found = list(decode(catalog))
    assert [entry for entry in found if not isinstance(entry, Package)] == []
    return {entry.package_id: entry for entry in found if isinstance(entry, Package)}


def test_every_entry_is_a_package(catalog: Catalog, packages: Mapping[str, Package]) -> None:
    assert len(packages) == len(catalog.entries) == 84_039
    assert catalog.repeated == ()


def test_counts(packages: Mapping[str, Package]) -> None:
    rows = packages.values()
    # 13,202 without the attribute and 157 with the empty list.
    assert sum(row.license is None for row in rows) == 13_359
    assert sum(row.version is None for row in rows) == 967
    assert sum(row.available is None for row in rows) == 81
    assert sum(row.platforms is None for row in rows) == 11_661
    assert sum(row.platforms == () for row in rows) == 11
    assert sum(row.attribute_set is None for row in rows) == 23_847
    assert {row.system for row in rows} == {"x86_64-linux", "i686-linux"}
    assert max(len(row.description or "") for row in rows) <= 674
    assert not any("\n" in (row.description or "") for row in rows)


def test_licences(packages: Mapping[str, Package]) -> None:
    expressions = Counter(row.license for row in packages.values() if row.license)
    assert expressions["Apache-2.0 WITH LLVM-exception"] == 21
    assert expressions["LGPL-3.0-or-later WITH OCaml-LGPL-linking-exception"] == 11
    assert expressions["LicenseRef-unfree"] == 1_884
    assert not any("unknown" in expression for expression in expressions)
    assert packages["cudaPackages.cccl"].license == "LicenseRef-CUDA-EULA"


def test_the_published_listing_has_every_path_and_no_version_in_a_pname() -> None:
    path = Path(os.environ["FDNIX_TEST_DATA"]) / "nixpkgs-26.11" / "packages-info.json.br"
    found = {
        entry.package_id: entry
        for entry in decode(read_catalog(path))
        if isinstance(entry, Package)
    }
    assert len(found) == 91_873
    assert found.keys() >= {"curl", "cmake", "openssl", "nodejs", "jdk", "python3"}
    assert found["python313Packages.requests"].pname == "requests"
    assert found["stdenv"].cpe is None
    rows = {
        package_id: row
        for package_id, row in found.items()
        if not package_id.startswith("androidenv.")  # whose pnames are so
    }
    assert [
        row.pname for row in rows.values() if row.version and row.pname.endswith(f"-{row.version}")
    ] == ["perl5.42.0-Percona-Toolkit-3.7.0"]
    assert not any("MIT-X11" in (row.license or "") for row in rows.values())


def test_no_text_has_anything_to_clean(packages: Mapping[str, Package]) -> None:
    for row in packages.values():
        for text in (row.name, row.pname, row.version, row.description, row.main_program):
            assert text is None or (text == text.strip() != "" and "  " not in text), row.package_id


def test_columns_of_few_values_share_them(packages: Mapping[str, Package]) -> None:
    for column in ("license", "licenses", "maintainers", "platforms", "outputs", "meta_extra"):
        values = [getattr(row, column) for row in packages.values()]
        assert len({id(value) for value in values}) == len(set(values)), column


def test_forms_that_occur_once(packages: Mapping[str, Package]) -> None:
    assert len(packages["osmctools"].homepages) == 3
    assert packages["typstPackages.esotefy"].homepages == ()
    assert packages["python313Packages.redisvl"].homepages == ("https://redisvl.com",)
    assert packages["asmc-linux"].platforms == ("x86_64-linux",)
    assert packages["acl"].cpe == "cpe:2.3:a:acl_project:acl:2.3.2:*:*:*:*:*:*:*"
    assert packages["R"].teams
