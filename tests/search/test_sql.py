"""The macros in the file, as any DuckDB client calls them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import duckdb
import pytest

from fdnix.embedding.local import LocalEmbedder

if TYPE_CHECKING:
    from pathlib import Path

    from fdnix.search import SearchIndex

QUERIES = [
    "postgres",
    "ripgrap",
    "docker compose",
    "python requests",
    "terminal file manager with previews",
    "convert heic to jpg",
    "editor license:mit -vim",
    '"window manager" is:free',
    "set:emacsPackages",
    "postgresql 17",
    "",
    "the of and",
    "x'; DROP TABLE packages; --",
]


@pytest.mark.parametrize("query", QUERIES)
def test_a_bare_connection_gets_the_engines_order(
    index: SearchIndex, minified: Path, query: str
) -> None:
    with duckdb.connect(minified, read_only=True) as connection:
        connection.execute("SET autoload_known_extensions = false")
        text = connection.execute("SELECT fdnix_query_text(?)", [query]).fetchone()
        assert text is not None
        vector = LocalEmbedder().embed([text[0]])[0]
        if text[0] and vector.any():
            rows = connection.execute(
                "SELECT package_id, score FROM fdnix_search(?, ?)", [query, vector.tolist()]
            ).fetchall()
        else:
            rows = connection.execute(
                "SELECT package_id, score FROM fdnix_search_text(?)", [query]
            ).fetchall()
    assert rows == [(hit.package_id, hit.score) for hit in index.search(query).hits]


def test_search_needs_no_extension(minified: Path) -> None:
    with duckdb.connect(minified, read_only=True) as connection:
        connection.execute("SET autoload_known_extensions = false")
        loaded = connection.execute(
            "SELECT count(*) FROM duckdb_extensions() "
            "WHERE loaded AND extension_name IN ('fts', 'vss')"
        ).fetchone()
        row = connection.execute(
            "SELECT package_id, total FROM fdnix_search_text('ripgrep', max_hits := 1)"
        ).fetchone()
    assert loaded == (0,)
    assert row is not None
    assert row[0] == "ripgrep"


def test_the_macros_take_the_engines_filters(minified: Path) -> None:
    with duckdb.connect(minified, read_only=True) as connection:
        rows = connection.execute(
            "SELECT DISTINCT attribute_set FROM fdnix_search_text("
            "'', only_set := 'python314Packages', free_only := true, max_hits := 50)"
        ).fetchall()
    assert rows == [("python314Packages",)]
