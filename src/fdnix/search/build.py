"""What the minified database holds for searching: entries, an inverted index, and SQL macros.

The macros are the ranking; nothing else ranks. They use no extension, so that any DuckDB client
can search the file. docs/search.md describes them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

import msgspec
import numpy as np
import pyarrow as pa

from fdnix.database.connection import read_sql
from fdnix.errors import SettingsError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    import duckdb
    from numpy.typing import NDArray

Embed: TypeAlias = "Callable[[Sequence[str]], NDArray[np.float32]]"
"""Texts to vectors of unit length, shape (n, dimensions)."""

# The vectors' rows are narrowed first: the hash table of a join is then as small as it may be.
_JOIN_NEAREST = """LEFT JOIN (
        SELECT * FROM nearness WHERE vector_row IN (SELECT vector_row FROM candidates)
    ) AS v USING (vector_row)"""

_FILTERED = {
    "filter_parameters": """,
    only_platform := NULL,
    only_set := NULL,
    only_license := NULL,
    only_maintainer := NULL,
    free_only := false,
    hide_broken := false,
    hide_insecure := false,
    hide_unavailable := false""",
    "allowed_entries": "WHERE NOT EXISTS (FROM filters)"
    " OR e.entry_id IN (SELECT entry_id FROM allowed)",
    "allowed_variants": "WHERE NOT EXISTS (FROM filters)"
    " OR v.package_id IN (SELECT package_id FROM allowed)",
}

_SIMILAR_TERMS = 20
_MIN_SIMILARITY = 0.35
_BLOCK = 2048


def create_search(
    connection: duckdb.DuckDBPyConnection,
    *,
    dimensions: int,
    embed_words: Embed,
    popularity: Path | None = None,
) -> None:
    """Add the search tables and macros to a minified database under construction.

    Args:
        connection: open on the file, with `fts` loaded (its stemmer is used once, here); the file
            holds `packages`, `packages_fts_source` and `embeddings`.
        dimensions: the length of the vectors in `embeddings`.
        embed_words: unit vectors for single words, whatever made the packages' vectors; they tell
            which words mean nearly the same.
        popularity: a JSON file, attribute path to number, that joins in the prior.

    Raises:
        SettingsError: `popularity` is not such a file.
    """
    connection.execute(read_sql("search", "text"))
    connection.execute(read_sql("search", "entries"))
    connection.execute(read_sql("search", "inverted_index"))
    _relate_terms(connection, embed_words)
    _register_popularity(connection, popularity)
    connection.execute(read_sql("search", "prior"))
    connection.unregister("popularity")
    create_macros(connection, dimensions)


def create_macros(connection: duckdb.DuckDBPyConnection, dimensions: int) -> None:
    """Create `fdnix_search` and `fdnix_search_text`, and the scalar macros they are made of.

    Each has a twin that ends in `_unfiltered`: the same ranking for queries without any filter,
    which spares the planning and running of what would filter, a third of a search.
    """
    connection.execute(read_sql("search", "query"))
    macro = read_sql("search", "macro")
    by_meaning = {
        "vector_parameter": ", query_vector",
        "nearest": read_sql("search", "nearest").format(dimensions=dimensions),
        "near": "UNION ALL SELECT entry_id FROM near",
        "meaning": "coalesce(v.similarity, 0)",
        "join_nearest": _JOIN_NEAREST,
    }
    by_text = {**dict.fromkeys(by_meaning, ""), "meaning": "0::FLOAT"}
    filtered = {"filters": read_sql("search", "filters"), **_FILTERED}
    unfiltered = dict.fromkeys(filtered, "")
    for name, sides in (("fdnix_search", by_meaning), ("fdnix_search_text", by_text)):
        connection.execute(macro.format(name=name, **sides, **filtered))
        connection.execute(macro.format(name=f"{name}_unfiltered", **sides, **unfiltered))


def _relate_terms(
    connection: duckdb.DuckDBPyConnection,
    embed_words: Embed,
) -> None:
    """Write `search_similar`: for each term those that mean nearly the same, and how nearly."""
    connection.execute(read_sql("search", "similar"))
    rows = connection.execute(read_sql("search", "similar_words")).fetchall()
    if not rows:
        return
    terms = np.array([term for term, _ in rows], dtype=np.int32)
    vectors = embed_words([word for _, word in rows])
    for first, second, similarity in _pairs(vectors):
        connection.register(
            "pairs",
            pa.table(
                {"a": terms[first], "b": terms[second], "similarity": _packed(similarity)},
            ),
        )
        connection.execute("INSERT INTO search_similar FROM pairs")
        connection.unregister("pairs")


def _pairs(
    vectors: NDArray[np.float32],
) -> Iterator[tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float32]]]:
    """Each row's nearest other rows by cosine, block by block: row numbers and the cosine."""
    count = min(_SIMILAR_TERMS, len(vectors))
    for start in range(0, len(vectors), _BLOCK):
        cosines = vectors[start : start + _BLOCK] @ vectors.T
        here = np.arange(len(cosines))
        cosines[here, start + here] = 0
        nearest = np.argpartition(-cosines, count - 1, axis=1)[:, :count]
        values = np.take_along_axis(cosines, nearest, axis=1)
        rows, columns = np.nonzero(values > _MIN_SIMILARITY)
        yield start + rows, nearest[rows, columns], values[rows, columns]


def _packed(similarity: NDArray[np.float32]) -> NDArray[np.uint8]:
    """Cosines in a byte each."""
    return np.round(255 * np.clip(similarity, 0, 1)).astype(np.uint8)


def _register_popularity(connection: duckdb.DuckDBPyConnection, path: Path | None) -> None:
    """Register the view `popularity` (package_id, number) over the file; empty without one."""
    numbers: dict[str, float] = {}
    if path is not None:
        try:
            numbers = msgspec.json.decode(path.read_bytes(), type=dict[str, float])
        except OSError as error:
            raise SettingsError(f"POPULARITY_FILE: {path}: {error.strerror}") from error
        except msgspec.DecodeError as error:
            raise SettingsError(
                f"POPULARITY_FILE: {path}: must be a JSON object, attribute path to number: {error}"
            ) from error
    connection.register(
        "popularity",
        pa.table(
            {
                "package_id": pa.array(numbers.keys(), pa.string()),
                "number": pa.array(numbers.values(), pa.float64()),
            }
        ),
    )
