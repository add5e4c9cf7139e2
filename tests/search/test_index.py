"""The engine round the macros: any text, any thread, any model."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import duckdb
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fdnix.database.connection import connect, count
from fdnix.embedding.local import LocalEmbedder
from fdnix.errors import DataError, FdnixError, SettingsError
from fdnix.search import Filters, SearchIndex
from support.search import changed_copy

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

EXAMPLES = int(os.environ.get("FDNIX_HOSTILE_EXAMPLES", "60"))

HOSTILE = [
    "",
    "   ",
    "'",
    '"',
    '"unclosed phrase',
    "';DROP TABLE packages;--",
    "\\",
    "%_%",
    "-",
    "--",
    "-word",
    "license:",
    "license:' OR 1=1",
    "set:\x00",
    "\x00",
    "🦀 crab",
    "ﬁle ⅷ ẞ",
    "\ud800",
    "a" * 10_000,
    "word " * 2_000,
    "is:free " * 100,
    "(((((((",
    "[a-z]+.*",
    "the of and",
    "::",
    "$1 ? :text {name}",
    "- - -",
    "نظام",
    "文件管理器",
]


@pytest.mark.parametrize("text", HOSTILE)
def test_no_text_is_an_error(index: SearchIndex, text: str) -> None:
    results = index.search(text)
    assert len(results.hits) <= 20
    assert results.total >= len(results.hits)


@pytest.mark.parametrize("value", [text for text in HOSTILE if text.strip(" \0")])
def test_no_value_of_a_filter_is_an_error(index: SearchIndex, value: str) -> None:
    results = index.search("editor", filters=Filters(license=value))
    assert all(value.lower() in (hit.license or "").lower() for hit in results.hits)


@settings(
    max_examples=EXAMPLES,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(
    text=st.one_of(
        st.text(max_size=300),
        st.lists(
            st.one_of(
                st.text(max_size=8),
                st.sampled_from(["license:", '"', "-", "set:", "is:free", "'", "python", "editor"]),
            ),
            max_size=12,
        ).map(" ".join),
    )
)
def test_random_text_is_no_error_and_stays_within_its_filter(index: SearchIndex, text: str) -> None:
    results = index.search(f"{text} is:free", limit=50)
    # An open quotation mark before the filter makes it part of a phrase.
    if '"' not in text:
        assert not any(hit.unfree for hit in results.hits)


@pytest.mark.parametrize("text", ["", "   ", "…", "xqzzjvwk"])
def test_a_query_that_says_nothing_finds_nothing(index: SearchIndex, text: str) -> None:
    assert (index.search(text).hits, index.search(text).total) == ([], 0)


def test_a_filter_alone_lists_what_anyone_may_want_first(index: SearchIndex) -> None:
    results = index.search("is:free", limit=20)
    assert len(results.hits) == 20
    assert results.hits == sorted(results.hits, key=lambda hit: -hit.score)


@pytest.mark.parametrize(
    "given", [{"license": Path("NULL")}, {"maintainer": b"mit"}, {"free_only": "yes"}]
)
def test_a_filter_of_another_type_is_refused_by_name(
    index: SearchIndex, given: dict[str, Any]
) -> None:
    with pytest.raises(SettingsError, match=rf"^{next(iter(given))}: .* is not accepted"):
        index.search("editor", filters=Filters(**given))


def test_an_index_is_not_closed_within_a_limited_block(index: SearchIndex) -> None:
    with index.at_most(60), pytest.raises(SettingsError, match="at_most"):
        index.close()
    assert index.search("editor").hits


@pytest.mark.parametrize(("error", "kept"), [(LookupError, True), (TimeoutError, False)])
def test_a_connection_is_used_again_unless_it_was_interrupted(
    index: SearchIndex, error: type[Exception], kept: bool
) -> None:
    index.search("editor")
    [session] = index._free
    with suppress(error), index.at_most(60):
        raise error
    index.search("editor")
    assert (session in index._free) == kept


def test_searches_leave_no_memory_taken(index: SearchIndex) -> None:
    held = (
        "SELECT sum(memory_usage_bytes) FROM duckdb_memory() "
        "WHERE tag IN ('IN_MEMORY_TABLE', 'ALLOCATOR', 'TRANSACTION')"
    )

    def search(times: int) -> int:
        for _ in range(times):
            index.search("editor")
            index.search("editor is:free")
        return count(index._connection, held)

    before = search(10)
    assert search(100) <= before + 100_000


def test_many_threads_search_one_index(index: SearchIndex) -> None:
    queries = ["postgres", "file manager", "python requests", "ripgrap"] * 5
    alone = [[hit.package_id for hit in index.search(query).hits] for query in queries]
    with ThreadPoolExecutor(8) as pool:
        together = list(
            pool.map(lambda query: [hit.package_id for hit in index.search(query).hits], queries)
        )
    assert together == alone


class OtherModel:
    provider = "other"
    model = "some-other-model"
    dimensions = 256

    def embed(self, texts: Sequence[str]) -> NDArray[np.float32]:
        raise AssertionError("a file of another model must not be searched with this one")


class Reversed:
    """A model whose first dimensions say least: ours, from its last dimension to its first."""

    model = "reversed"
    dimensions = 256

    def embed(self, texts: Sequence[str]) -> NDArray[np.float32]:
        return np.flip(
            np.stack([row for row in LocalEmbedder().embed(texts) if row is not None]), 1
        )


class Unreachable:
    """The file's own model, out of reach as Bedrock is without credentials."""

    provider = "local"
    model = "fdnix-static-256-2"
    dimensions = 256

    def embed(self, texts: Sequence[str]) -> NDArray[np.float32]:
        raise FdnixError("no credentials")


def test_another_models_vectors_are_never_compared(minified: Path) -> None:
    with SearchIndex.open(minified, embedder=OtherModel()) as index:
        results = index.search("ripgrep")
    assert results.hits[0].package_id == "ripgrep"
    assert results.notice is not None
    assert "some-other-model" in results.notice


def test_what_is_alike_is_found_whichever_dimensions_of_another_model_say_so(
    minified: Path, tmp_path: Path
) -> None:
    text = "look at pictures"
    path = tmp_path / "fdnix.duckdb"
    with changed_copy(minified, path) as connection:
        connection.execute(
            "UPDATE embeddings SET code_first = list_reverse(vector::TINYINT[])[1:64], "
            "code_rest = list_reverse(vector::TINYINT[])[65:]"
        )
        connection.execute(
            "UPDATE fdnix_meta SET value = CASE key WHEN 'embedding_model' THEN 'reversed' "
            "ELSE 'bedrock' END WHERE key IN ('embedding_model', 'embedding_provider')"
        )
    with connect(path, read_only=True, extensions=()) as connection:
        alike = connection.execute(
            "SELECT package_id FROM embeddings JOIN packages USING (entry_id) "
            "WHERE variant = 0 AND array_cosine_similarity(vector, ?::FLOAT[256]) > 0.41",
            [Reversed().embed([text])[0]],
        ).fetchall()
    with SearchIndex.open(path, embedder=Reversed()) as index:
        found = index.search(text, limit=1000)
    assert sum(hit.why == "similar meaning" for hit in found) > 10
    assert {package for (package,) in alike} <= {hit.package_id for hit in found}


def test_text_search_goes_on_without_a_query_vector(minified: Path) -> None:
    with SearchIndex.open(minified, embedder=Unreachable()) as index:
        results = index.search("terminal file manager")
    assert results.hits
    assert results.notice is not None
    assert "no credentials" in results.notice


def test_the_file_is_opened_read_only(minified: Path) -> None:
    before = minified.read_bytes()
    with SearchIndex.open(minified) as index:
        index.search("git")
    assert minified.read_bytes() == before


def test_a_file_that_is_no_minified_database_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "other.duckdb"
    duckdb.connect(path).close()
    with pytest.raises(DataError, match="not an fdnix database"):
        SearchIndex.open(path)
