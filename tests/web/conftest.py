from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from support.web_server import serving

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture(scope="session")
def site(minified: Path) -> Iterator[str]:
    """The URL of a server over the sample."""
    with serving(minified) as url:
        yield url
