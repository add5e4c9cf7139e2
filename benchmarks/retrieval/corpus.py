"""What every engine searches: the texts and the vectors of the minified database."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

import click
import numpy as np

from fdnix.database.connection import connect
from fdnix.database.hnsw import read_vectors
from fdnix.embedding.local import LocalEmbedder
from retrieval.entries import Package, entry_of

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    import duckdb
    from numpy.typing import NDArray

    Vectors: TypeAlias = NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class Corpus:
    """The packages of a minified database, in the order of their ids.

    Attributes:
        path: the database file.
        ids: package ids.
        texts: of every package what full-text search indexes, a line a column.
        vectors: of unit length, a row for every distinct text that was embedded.
        vector_of: for every package the row of `vectors` that is its own, -1 where it has none.
        entry_of: the entry of every package.
        embed: gives the vector, of unit length, of a query.
    """

    path: Path
    ids: tuple[str, ...]
    texts: tuple[str, ...]
    vectors: Vectors
    vector_of: NDArray[np.int64]
    entry_of: Mapping[str, int]
    embed: Callable[[str], Vectors]


def load(path: Path) -> Corpus:
    """The corpus that the minified database at `path` holds.

    Raises:
        fdnix.errors.DataError: the file is missing, damaged or not DuckDB's.
        click.ClickException: its vectors are of a model that cannot embed queries here.
    """
    with connect(path, read_only=True) as connection:
        packages = connection.execute(
            "SELECT package_id, attribute_set, pname, description FROM packages ORDER BY package_id"
        ).fetchall()
        texts = _texts(connection)
        vectors, vector_of = _vectors(connection)
        meta = dict(connection.execute("SELECT key, value FROM fdnix_meta").fetchall())
    return Corpus(
        path=path,
        ids=tuple(row[0] for row in packages),
        texts=texts,
        vectors=vectors,
        vector_of=vector_of,
        entry_of=entry_of(Package(*row) for row in packages),
        embed=_embedder(meta),
    )


def _texts(connection: duckdb.DuckDBPyConnection) -> tuple[str, ...]:
    relation = connection.sql("SELECT * FROM packages_fts_source ORDER BY package_id")
    texts = [
        name
        for name, kind in zip(relation.columns, relation.types, strict=True)
        if kind == "VARCHAR" and name != "package_id"
    ]
    return tuple("\n".join(filter(None, row)) for row in relation.select(*texts).fetchall())


def _vectors(connection: duckdb.DuckDBPyConnection) -> tuple[Vectors, NDArray[np.int64]]:
    vectors = read_vectors(connection, "SELECT vector FROM embeddings ORDER BY embedding_id")
    rows = connection.execute(
        "SELECT coalesce(embedding_id, -1) FROM packages ORDER BY package_id"
    ).fetchall()
    return vectors, np.array([row for (row,) in rows])


def _embedder(meta: Mapping[str, str]) -> Callable[[str], Vectors]:
    local = LocalEmbedder()
    if meta.get("embedding_model") != local.model:
        raise click.ClickException(
            f"the database was embedded with {meta.get('embedding_model')}; this benchmark embeds "
            f"queries with {local.model} alone: build the database with EMBEDDING_PROVIDER=local"
        )
    return lambda text: local.embed([text])[0]
