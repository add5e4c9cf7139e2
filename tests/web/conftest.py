from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from fdnix import pipeline
from fdnix.settings import load_settings
from support.web_server import serving

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


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


@pytest.fixture(scope="session")
def site(minified: Path) -> Iterator[str]:
    """The URL of a server over the sample."""
    with serving(minified) as url:
        yield url
