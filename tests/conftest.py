"""Fixtures that every test may ask for."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from fdnix import pipeline
from support.catalogues import entries, settings_in, write_catalogue

if TYPE_CHECKING:
    from fdnix.settings import Settings

pytest_plugins = ["support.aws"]


@pytest.fixture(scope="session")
def indexed(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    """The settings of a run over sixty packages that has ended; nobody changes its files."""
    directory = tmp_path_factory.mktemp("indexed")
    settings = settings_in(directory, write_catalogue(directory / "in.json", entries(60)))
    pipeline.run(settings)
    return settings
