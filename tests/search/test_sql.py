"""The macros in the file, as any DuckDB client calls them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from fdnix.embedding.local import LocalEmbedder
from support.search import bare_client

if TYPE_CHECKING:
    from pathlib import Path

    from fdnix.search import SearchIndex

QUERIES = [
    # Names: whole, begun, misspelt, of a program, in pieces, with a set or a version.
    "ripgrep",
    "R",
    "ripgrepterminalfilemanager" * 38,
    "postgres",
    "inksc",
    "ripgrap",
    "dockre",
    "rg",
    "docker compose",
    "python requests",
    "python314Packages.requests",
    "requests python 3.14",
    "postgresql 17",
    "emacs magti",
    "c++",
    # What it does, with words misspelt and begun.
    "editor",
    "terminal file manager with previews",
    "convert heic to jpg",
    "the program that shows what takes room on a disk",
    "terminal emulat",
    "relatonal databse server",
    "the of and",
    "x'; DROP TABLE packages; --",
    # Other writing.
    "naïve Bäyes",
    "文件管理器",
    "🦀 crab",
    # Filters, phrases, excluded words, and nothing.
    "editor license:mit -vim",
    '"window manager" is:free',
    "set:emacsPackages",
    "requests set:python314Packages",
    "is:free is:working platform:aarch64-darwin browser",
    "maintainer:nobody",
    "",
]


@pytest.mark.parametrize("query", QUERIES)
def test_a_bare_client_gets_the_engines_answer(
    index: SearchIndex, minified: Path, query: str
) -> None:
    with bare_client(minified) as client:
        rows = client.execute(
            "SELECT package_id, variants, why, total, score FROM fdnix_search(?)", [query]
        ).fetchall()
    found = index.search(query)
    assert [row[:4] for row in rows] == [
        (hit.package_id, hit.variants, hit.why, found.total) for hit in found.hits
    ]
    # Sums of floating-point numbers, in another order.
    assert [row[4] for row in rows] == pytest.approx([hit.score for hit in found.hits], abs=1e-5)


def test_a_bare_client_gets_the_engines_order_for_what_packages_say_of_themselves(
    index: SearchIndex, minified: Path
) -> None:
    with bare_client(minified) as client:
        descriptions = client.execute(
            "SELECT DISTINCT description FROM packages "
            "WHERE description IS NOT NULL AND entry_id % 10 = 0 ORDER BY ALL"
        ).fetchall()
        assert len(descriptions) > 30
        for (text,) in descriptions:
            rows = client.execute(
                "SELECT package_id FROM fdnix_search(?, max_hits := 5)", [text]
            ).fetchall()
            hits = index.search(text, limit=5).hits
            assert [row[0] for row in rows] == [hit.package_id for hit in hits], text


def test_search_by_meaning_needs_no_extension_and_no_vector(minified: Path) -> None:
    with bare_client(minified) as client:
        loaded = client.execute(
            "SELECT count(*) FROM duckdb_extensions() "
            "WHERE loaded AND extension_name IN ('fts', 'vss')"
        ).fetchone()
        row = client.execute(
            "SELECT package_id, parts.vector_similarity "
            "FROM fdnix_search('relational database server', max_hits := 1)"
        ).fetchone()
    assert loaded == (0,)
    assert row is not None
    assert row[0] == "postgresql"
    assert row[1] > 0.4


def test_a_client_may_bring_a_vector_of_its_own(minified: Path) -> None:
    with bare_client(minified) as client:
        query = (
            "SELECT package_id FROM fdnix_search("
            "'xqzzjvwk', query_vector := (SELECT vector FROM fdnix_embed('web browser')))"
        )
        found = [row[0] for row in client.execute(query).fetchall()]
    assert "firefox" in found


def test_the_nearest_packages_to_a_vector_are_those_of_like_meaning(minified: Path) -> None:
    vector = LocalEmbedder().embed(["web browser"])[0].tolist()
    with bare_client(minified) as client:
        rows = client.execute(
            "SELECT package_id, vector_similarity FROM fdnix_nearest(?, max_hits := 5)", [vector]
        ).fetchall()
        exact = client.execute(
            "SELECT package_id FROM packages JOIN embeddings USING (embedding_id) "
            "WHERE variant = 0 "
            "ORDER BY array_cosine_distance(vector, ?::FLOAT[256]), package_id LIMIT 5",
            [vector],
        ).fetchall()
    assert [row[0] for row in rows] == [row[0] for row in exact]
    similarities = [row[1] for row in rows]
    assert similarities == sorted(similarities, reverse=True)
    assert similarities[0] > 0.4


def test_the_macros_take_the_engines_filters(minified: Path) -> None:
    with bare_client(minified) as client:
        rows = client.execute(
            "SELECT DISTINCT attribute_set FROM fdnix_search("
            "'', only_set := 'python314Packages', free_only := true, max_hits := 50)"
        ).fetchall()
    assert rows == [("python314Packages",)]
