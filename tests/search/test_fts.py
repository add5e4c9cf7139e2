"""The full-text index is held to what it promises."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from fdnix.database.connection import connect
from fdnix.errors import DataError
from fdnix.search.fts import verify_fts

if TYPE_CHECKING:
    from pathlib import Path

    from fdnix.settings import Settings


def test_a_full_text_index_that_lost_its_terms_is_noticed(
    indexed: Settings, tmp_path: Path
) -> None:
    path = tmp_path / "db"
    path.write_bytes(indexed.output_minified_path.read_bytes())
    with connect(path) as connection:
        verify_fts(connection, path, macro="packages_fts_idx")
        connection.execute("UPDATE packages SET pname = 'unheardof'")
        with pytest.raises(DataError, match="does not find 'unheardof'"):
            verify_fts(connection, path, macro="packages_fts_idx")
