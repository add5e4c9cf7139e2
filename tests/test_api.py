"""The public API: what `import fdnix` offers, and how little it and a search load."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

import fdnix

if TYPE_CHECKING:
    from pathlib import Path

HEAVY = {"boto3", "click", "duckdb", "httpx", "msgspec", "numpy", "pyarrow", "pydantic", "rich"}
NOT_FOR_SEARCH = HEAVY - {"duckdb"}


def loaded_by(statement: str) -> set[str]:
    """The modules that a fresh Python holds after `statement`."""
    ended = subprocess.run(
        [sys.executable, "-c", f"import sys; {statement}; print(*sys.modules)"],
        capture_output=True,
        text=True,
        check=True,
    )
    return set(ended.stdout.split())


def test_the_sample_is_indexed_and_searched_with_the_public_names(tmp_path: Path) -> None:
    settings = fdnix.load_settings(
        {},
        nixpkgs_source="sample",
        output_path=tmp_path / "fdnix-data.duckdb",
        output_minified_path=tmp_path / "fdnix.duckdb",
    )
    assert fdnix.run(settings).minified
    with fdnix.SearchIndex.open(settings.output_minified_path) as index:
        hits = index.search("ripgrep", filters=fdnix.Filters(free_only=True)).hits
    assert hits[0].package_id == "ripgrep"


def test_importing_fdnix_loads_nothing_heavy() -> None:
    assert loaded_by("import fdnix").isdisjoint(HEAVY)


def test_importing_search_loads_nothing_that_only_a_run_needs() -> None:
    loaded = loaded_by("from fdnix.search import SearchIndex")
    assert "fdnix.search.index" in loaded
    assert loaded.isdisjoint(NOT_FOR_SEARCH)


def test_every_public_name_is_listed_and_another_is_an_error() -> None:
    assert set(fdnix.__all__) <= set(dir(fdnix))
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        fdnix.nothing  # noqa: B018
