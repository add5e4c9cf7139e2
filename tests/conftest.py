"""Fixtures that every test may ask for."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from fdnix import pipeline
from fdnix.settings import load_settings
from support.catalogues import entries, settings_in, write_catalogue

if TYPE_CHECKING:
    from pathlib import Path

    from fdnix.settings import Settings

pytest_plugins = ["support.aws"]


@pytest.fixture(scope="session")
def indexed(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    """The settings of a run over sixty packages that has ended; nobody changes its files."""
    directory = tmp_path_factory.mktemp("indexed")
    settings = settings_in(directory, write_catalogue(directory / "in.json", entries(60)))
    pipeline.run(settings)
    return settings


@pytest.fixture(scope="session")
def minified(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The bundled sample of some 500 well-known packages, through all three phases."""
    out = tmp_path_factory.mktemp("sample")
    path = out / "fdnix.duckdb"
    pipeline.run(
        load_settings(
            {},
            nixpkgs_source="sample",
            output_path=out / "fdnix-data.duckdb",
            output_minified_path=path,
        )
    )
    return path
