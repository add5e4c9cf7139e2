from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from fdnix.search import SearchIndex

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture(scope="session")
def index(minified: Path) -> Iterator[SearchIndex]:
    with SearchIndex.open(minified) as opened:
        yield opened
