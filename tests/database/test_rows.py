"""A package's row in the full database holds exactly what was normalised."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from fdnix.database.connection import connect, read_sql
from fdnix.database.rows import package_table
from fdnix.nixpkgs.catalog import decode, read_catalog
from fdnix.nixpkgs.package import Package
from support.catalogues import entry, write_catalogue

if TYPE_CHECKING:
    from pathlib import Path

MAINTAINER = {"name": "Ann Example", "email": "ann@example.org", "github": "ann", "githubId": 7}
MIT = {"shortName": "mit", "fullName": "MIT License", "spdxId": "MIT", "free": True}
DERIVED = ("attribute_name", "set_family", "base_name", "kinds")
FULL = entry(
    "full",
    longDescription="First.\n\nSecond.",
    homepage=["https://example.org", "https://example.com/b"],
    license=[MIT, {"fullName": "Own terms", "free": False}],
    maintainers=[MAINTAINER, {"name": "Bo"}],
    teams=[{"shortName": "Tools"}],
    platforms=["x86_64-linux", "aarch64-darwin"],
    badPlatforms=["aarch64-darwin"],
    knownVulnerabilities=["CVE-1"],
    outputsToInstall=["out"],
    broken=False,
    mainProgram="full",
    unknownAttribute={"b": 1, "a": [True]},
)


def packages(tmp_path: Path) -> list[Package]:
    path = write_catalogue(
        tmp_path / "in.json", {"full": FULL, "bare": {"name": "bare"}, "set.again": FULL}
    )
    found = list(decode(read_catalog(path)))
    assert all(isinstance(package, Package) for package in found)
    return [package for package in found if isinstance(package, Package)]


def test_every_column_comes_back_as_it_went_in(tmp_path: Path) -> None:
    expected = packages(tmp_path)
    with connect(None) as connection:
        connection.execute(read_sql("database", "full"))
        connection.register("arrow", package_table(expected, ["h1", "h2", "h3"]))
        connection.execute("INSERT INTO packages BY NAME SELECT *, now() AS indexed_at FROM arrow")
        result = connection.execute(
            "SELECT * EXCLUDE (indexed_at, programs, programs_source, usage_texts) FROM packages"
        )
        names = [column[0] for column in result.description or ()]
        rows = [dict(zip(names, row, strict=True)) for row in result.fetchall()]
    assert set(names) == {*Package.__struct_fields__, *DERIVED, "content_hash"}
    for row, package, content_hash in zip(rows, expected, ["h1", "h2", "h3"], strict=True):
        plain = msgspec.to_builtins(package, builtin_types=(type(None),))
        derived = {name: getattr(package, name) for name in DERIVED}
        expected_row = {**plain, **derived, "content_hash": content_hash}
        assert row == {
            name: list(value) if isinstance(value, tuple) else value
            for name, value in expected_row.items()
        }


def test_what_nixpkgs_does_not_say_is_null_and_not_false(tmp_path: Path) -> None:
    bare = packages(tmp_path)[1]
    table = package_table([bare], ["h"]).to_pylist()[0]
    for column in ("available", "broken", "platforms", "license", "version", "meta_extra"):
        assert table[column] is None, column
    assert table["maintainers"] == []
