"""A catalogue that is wrong as a whole never takes the place of a good one."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from fdnix import pipeline
from fdnix.errors import DataError
from support.catalogues import entries, settings_in, write_catalogue

if TYPE_CHECKING:
    from pathlib import Path

    from fdnix.settings import Settings

Entries = dict[str, dict[str, object]]


def without_meta(packages: Entries) -> Entries:
    return {
        path: {key: value for key, value in entry.items() if key != "meta"}
        for path, entry in packages.items()
    }


@pytest.fixture
def standing(tmp_path: Path) -> Settings:
    """The settings of a run over forty packages that has ended."""
    settings = settings_in(tmp_path, write_catalogue(tmp_path / "in.json", entries(40)))
    pipeline.run(settings)
    return settings


def assert_refused(settings: Settings, packages: Entries, message: str) -> None:
    files = (settings.output_path, settings.output_minified_path)
    before = [path.read_bytes() for path in files]
    write_catalogue(settings.output_path.with_name("in.json"), packages)
    with pytest.raises(DataError, match=message) as info:
        pipeline.run(settings)
    assert "--force" in str(info.value)
    assert [path.read_bytes() for path in files] == before


def test_a_catalogue_without_meta_is_refused_and_the_databases_stand(standing: Settings) -> None:
    assert_refused(standing, without_meta(entries(40)), "without meta .*--meta")


def test_a_catalogue_without_meta_is_refused_where_nothing_stands_yet(tmp_path: Path) -> None:
    source = write_catalogue(tmp_path / "in.json", without_meta(entries(3)))
    with pytest.raises(DataError, match="without meta"):
        pipeline.run(settings_in(tmp_path, source))
    assert list(tmp_path.iterdir()) == [source]


def test_a_catalogue_with_meta_but_no_descriptions_is_refused_as_what_it_is(
    tmp_path: Path,
) -> None:
    packages = {name: one | {"meta": {"available": True}} for name, one in entries(3).items()}
    source = write_catalogue(tmp_path / "in.json", packages)
    with pytest.raises(DataError, match="a description, though 3 have other meta") as info:
        pipeline.run(settings_in(tmp_path, source))
    assert "without meta" not in str(info.value)


def test_far_fewer_packages_are_refused_and_the_databases_stand(standing: Settings) -> None:
    assert_refused(standing, entries(19), "19 packages .* 40; 52% .* LOST_LIMIT")


def test_far_fewer_descriptions_are_refused_and_the_databases_stand(standing: Settings) -> None:
    packages = entries(10) | {
        path: entry for path, entry in without_meta(entries(40)).items() if path not in entries(10)
    }
    assert_refused(standing, packages, "10 descriptions .* 40")


def test_half_of_the_packages_may_be_gone(standing: Settings) -> None:
    write_catalogue(standing.output_path.with_name("in.json"), entries(20))
    report = pipeline.run(standing)
    assert report.minified
    assert report.minified.packages == 20


@pytest.mark.parametrize("insist", [{"force_metadata": True}, {"lost_limit": 1}])
def test_who_insists_has_the_smaller_catalogue_indexed(
    standing: Settings, insist: dict[str, object]
) -> None:
    write_catalogue(standing.output_path.with_name("in.json"), entries(3))
    report = pipeline.run(standing.replace(**insist))
    assert report.minified
    assert report.minified.packages == 3
