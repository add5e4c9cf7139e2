from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from fdnix import pipeline
from support.catalogues import entries, settings_in, write_catalogue

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture(scope="module")
def indexed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory with both databases of thirty packages."""
    directory = tmp_path_factory.mktemp("indexed")
    pipeline.run(settings_in(directory, write_catalogue(directory / "in.json", entries(30))))
    return directory
