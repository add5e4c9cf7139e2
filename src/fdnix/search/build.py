"""What makes the minified database a search index: entries, an inverted index, vectors, SQL macros.

The macros are the ranking; nothing else ranks. They use no extension, so that any DuckDB client
can search the file. docs/search.md describes them.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias, cast

import msgspec
import numpy as np
import pyarrow as pa

from fdnix.database.connection import count, read_sql
from fdnix.database.rows import fixed_size
from fdnix.errors import SettingsError
from fdnix.search.filters import FILTERS
from fdnix.search.fts import create_fts

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    import duckdb
    from numpy.typing import NDArray

    from fdnix.search.filters import Filter
    from fdnix.search.fts import FtsOptions

Embed: TypeAlias = "Callable[[Sequence[str]], NDArray[np.float32]]"
"""Texts to vectors of unit length, shape (n, dimensions)."""

_RELATED_TERMS = 20
_MIN_SIMILARITY = 0.35
_BLOCK = 2048
_LARGEST_CODE = 127
_FIRST_DIMENSIONS = 64


@dataclass(frozen=True)
class WordModel:
    """What the local model says of words, whatever model the packages' vectors are of.

    Attributes:
        embed_words: unit vectors for single words; they tell which words mean nearly the same.
        table: the model itself, as a table of `token`, `weight` and `vector`.
        name: the model's name; the file embeds queries where its vectors are of this model.
    """

    embed_words: Embed
    table: Callable[[], pa.Table]
    name: str


def create_search(
    connection: duckdb.DuckDBPyConnection,
    source: dict[str, str],
    *,
    words: WordModel,
    fts: FtsOptions,
    popularity: Path | None = None,
) -> None:
    """Write all of a minified database but its HNSW index.

    What needs room for a while comes first, so that what stays fills it and the file has no holes.

    Args:
        connection: open on the new file, with `fts` loaded (its stemmer is used once, here) and the
            full database attached as `source`.
        source: the file info of the full database.
        words: the local model.
        fts: how the full-text index is made.
        popularity: a JSON file, attribute path to number, that joins in the prior.

    Raises:
        SettingsError: `popularity` is not such a file.
    """
    dimensions = int(source.get("embedding_dimensions", 2))
    head = min(int(source.get("embedding_head", 1)), dimensions)
    for name in ("text", "entries", "packages"):
        connection.execute(read_sql("search", name))
    connection.execute(
        "CREATE TABLE packages_fts_source AS FROM source.packages_fts_source ORDER BY package_id"
    )
    create_fts(connection, fts)
    connection.execute(read_sql("search", "texts_view"))
    connection.execute(read_sql("search", "inverted_index"))
    _create_vocabulary(connection, words.embed_words)
    connection.execute(read_sql("search", "weights"))
    _create_entries(connection, popularity)
    _create_embeddings(connection, dimensions, head)
    connection.execute(read_sql("search", "indexes"))
    embeds = source.get("embedding_model") == words.name
    if embeds:
        connection.register("model", words.table())
        connection.execute("CREATE TABLE search_model AS FROM model ORDER BY token")
        connection.unregister("model")
    create_macros(connection, dimensions, head, embeds=embeds)
    connection.execute(read_sql("search", "comments"))


def create_macros(
    connection: duckdb.DuckDBPyConnection, dimensions: int, head: int, *, embeds: bool
) -> None:
    """Create `fdnix_search`, `fdnix_nearest`, what looks packages up, and what they are made of.

    Args:
        connection: open on the file.
        dimensions: the length of its vectors.
        head: how many of their first dimensions are indexed.
        embeds: whether the file holds the model of its vectors.
    """
    first = _first(dimensions)
    connection.execute(
        read_sql("search", "vectors").format(
            dimensions=dimensions, head=head, first=first, rest=dimensions - first
        )
    )
    for name in ("query", "match"):
        connection.execute(read_sql("search", name))
    connection.execute(
        read_sql("search", "embed")
        if embeds
        else "CREATE OR REPLACE MACRO fdnix_embed(query) AS TABLE SELECT NULL::FLOAT[] AS vector"
    )
    connection.execute(_filter_macros())
    connection.execute(read_sql("search", "rank"))
    connection.execute(
        read_sql("search", "search").format(
            parameters=_filter_parameters(),
            arguments=", ".join(row.parameter for row in FILTERS),
        )
    )
    connection.execute(_facets())
    for name in ("suggest", "lookup"):
        connection.execute(read_sql("search", name))


def _create_vocabulary(connection: duckdb.DuckDBPyConnection, embed_words: Embed) -> None:
    rows = connection.execute(read_sql("search", "related_words")).fetchall()
    connection.execute(
        "CREATE OR REPLACE TEMP TABLE related "
        "(term_id INTEGER, related_id INTEGER, similarity UTINYINT)"
    )
    terms = np.array([term for term, _ in rows], dtype=np.int32)
    for first, second, similarity in _pairs(embed_words([word for _, word in rows])):
        pairs = {"a": terms[first], "b": terms[second], "similarity": _packed(similarity)}
        connection.register("pairs", pa.table(pairs))
        connection.execute("INSERT INTO related FROM pairs")
        connection.unregister("pairs")
    connection.execute(read_sql("search", "vocabulary"))


def _pairs(
    vectors: NDArray[np.float32],
) -> Iterator[tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float32]]]:
    """Each row's nearest other rows by cosine, block by block: row numbers and the cosine."""
    count = min(_RELATED_TERMS, len(vectors))
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


def _create_entries(connection: duckdb.DuckDBPyConnection, popularity: Path | None) -> None:
    numbers: dict[str, float] = {}
    if popularity is not None:
        try:
            numbers = msgspec.json.decode(popularity.read_bytes(), type=dict[str, float])
        except OSError as error:
            raise SettingsError(f"POPULARITY_FILE: {popularity}: {error.strerror}") from error
        except msgspec.DecodeError as error:
            raise SettingsError(
                f"POPULARITY_FILE: {popularity}: must be a JSON object, attribute path to number: "
                f"{error}"
            ) from error
    table = {
        "package_id": pa.array(numbers.keys(), pa.string()),
        "number": pa.array(numbers.values(), pa.float64()),
    }
    connection.register("outside", pa.table(table))
    for name in ("popularity", "prior"):
        connection.execute(read_sql("search", name))
    connection.unregister("outside")


def _create_embeddings(connection: duckdb.DuckDBPyConnection, dimensions: int, head: int) -> None:
    first = _first(dimensions)
    connection.execute(
        read_sql("search", "embeddings").format(
            dimensions=dimensions, head=head, first=first, rest=dimensions - first
        )
    )
    if not count(connection, "SELECT count(*) FROM source.embeddings"):
        return
    rows = connection.execute(read_sql("search", "embedding_rows")).to_arrow_table()
    for batch in rows.to_batches():
        column = cast("pa.FixedSizeListArray[Any]", batch.column("vector"))
        codes = _quantized(np.asarray(column.flatten()).reshape(len(batch), -1))
        table = pa.Table.from_batches([batch.drop_columns(["vector"])])
        for name, values in (
            ("scale", pa.array(1 / np.linalg.norm(codes.astype(np.float32), axis=1), pa.float32())),
            ("head", fixed_size(codes[:, :head].astype(np.float32))),
            ("code_first", fixed_size(codes[:, :first])),
            ("code_rest", fixed_size(codes[:, first:])),
        ):
            table = table.append_column(name, values)
        connection.register("rows", table)
        connection.execute("INSERT INTO embeddings BY NAME FROM rows")
        connection.unregister("rows")


def _first(dimensions: int) -> int:
    """How many of a vector's dimensions a search looks at first."""
    return min(_FIRST_DIMENSIONS, dimensions // 2)


def _quantized(vectors: NDArray[np.float32]) -> NDArray[np.int8]:
    """Vectors of nearly the same direction, whose largest component is 127 or -127."""
    largest = np.abs(vectors).max(axis=1, keepdims=True)
    codes: NDArray[np.int8] = np.round(vectors / largest * _LARGEST_CODE).astype(np.int8)
    return codes


def _filter_parameters() -> str:
    """The filters as parameters of a macro, with their defaults."""
    return ", ".join(f"{row.parameter} := {'false' if row.is_flag else 'NULL'}" for row in FILTERS)


def _filter_macros() -> str:
    """The SQL of the macros that the filters are: filters.sql, with a line for each of them."""
    values = [row for row in FILTERS if not row.is_flag]
    flags = [row for row in FILTERS if row.is_flag]
    flag_names = [name for row in flags for name in (row.key, row.opposite) if name]
    lists = [name for row in values for name in (row.field, f"no_{row.field}")]
    lists += ["flags", "no_flags", "phrases", "no_phrases", "excluded", "excluded_runs"]
    return read_sql("search", "filters").format(
        arguments=", ".join(row.parameter for row in FILTERS),
        asked=",\n            ".join(
            f"'{row.field}': fdnix_asked(pieces, '{row.key}:', {row.parameter}), "
            f"'no_{row.field}': fdnix_asked(pieces, '-{row.key}:', NULL)"
            for row in values
        ),
        flag_parameters=", ".join(
            f"CASE WHEN {row.parameter} THEN '{row.key}' END" for row in flags
        ),
        any_asked=" + ".join(f"len(f.{name})" for name in lists) + " > 0",
        wanted=",\n        ".join(map(_wanted, flags)),
        passed="\n    AND ".join(
            [_passes(row) for row in values]
            + [
                f"(NOT with_{row.field} OR ({row.condition})) "
                f"AND NOT (without_{row.field} AND ({row.condition}))"
                for row in flags
            ]
        ),
        keys=[row.key for row in values] + ["is"],
        flag_names=flag_names,
        nearest_values="\nUNION ALL\n".join(map(_nearest_value, values)),
    )


def _facets() -> str:
    """The SQL of the macro that counts, with a column for each flag and for each opposite."""
    flags = [
        (name, condition)
        for row in FILTERS
        if row.is_flag
        for name, condition in (
            (row.key, row.condition),
            (row.opposite, f"NOT coalesce({row.condition}, false)"),
        )
        if name
    ]
    return read_sql("search", "facets").format(
        flag_columns=", ".join(f'bool_or({held}) AS "{name}"' for name, held in flags),
        flag_sums=", ".join(f'count_if("{name}") AS "{name}"' for name, _ in flags),
    )


def _wanted(row: Filter) -> str:
    """Whether a flag is asked for and whether its opposite is, by any of their names."""
    asked, refused = (
        f"list_contains(f.flags, '{row.key}')",
        f"list_contains(f.no_flags, '{row.key}')",
    )
    if row.opposite:
        asked += f" OR list_contains(f.no_flags, '{row.opposite}')"
        refused += f" OR list_contains(f.flags, '{row.opposite}')"
    return f"{asked} AS with_{row.field}, {refused} AS without_{row.field}"


def _passes(row: Filter) -> str:
    """The condition that a row has all values asked for and none that is negated.

    Most ask for one value: the function over a list, many times slower, is for those that do not.
    """
    asked, refused = f"f.{row.field}", f"f.no_{row.field}"
    one = re.sub(r"\bx\b", f"{asked}[1]", row.condition)
    return (
        f"CASE WHEN len({asked}) + len({refused}) = 0 THEN true "
        f"WHEN len({asked}) = 1 AND len({refused}) = 0 THEN {one} "
        f"ELSE len(list_filter({asked}, lambda x: NOT coalesce({row.condition}, false))) = 0 "
        f"AND len(list_filter({refused}, lambda x: coalesce({row.condition}, false))) = 0 END"
    )


def _nearest_value(row: Filter) -> str:
    return read_sql("search", "nearest_value").format(
        field=row.field, key=row.key, values=row.values
    )
