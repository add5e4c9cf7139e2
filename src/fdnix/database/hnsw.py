"""The HNSW index over the vectors, made and verified.

DuckDB's persistence of HNSW indexes is experimental: an index is only ever created over a table
that is complete, in a file that nobody else reads, and followed by a checkpoint
(https://duckdb.org/docs/stable/core_extensions/vss, "Persistence").
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

import numpy as np

from fdnix.database.connection import read_sql
from fdnix.errors import DataError

if TYPE_CHECKING:
    from pathlib import Path

    import duckdb
    import pyarrow as pa
    from numpy.typing import NDArray

HNSW_INDEX = "embeddings_vss_idx"
_MIN_RECALL = 0.90
_SAMPLE = 200
_NEIGHBOURS = 10
_EQUAL = 1e-5  # the rounding of float32 cosine distances


@dataclass(frozen=True)
class HnswOptions:
    """How an HNSW index is made and searched; more finds more and takes more."""

    m: int
    """The neighbours that a node keeps."""
    ef_construction: int
    """The candidates looked at for a node's neighbours."""
    ef_search: int
    """The candidates looked at by a search."""


def hnsw_parameters(options: HnswOptions) -> dict[str, str]:
    """What `fdnix_meta` says of an HNSW index made with these options."""
    return {
        "hnsw_index": HNSW_INDEX,
        "hnsw_metric": "cosine",
        "hnsw_m": str(options.m),
        "hnsw_ef_construction": str(options.ef_construction),
        "hnsw_ef_search": str(options.ef_search),
    }


def create_hnsw(connection: duckdb.DuckDBPyConnection, options: HnswOptions) -> None:
    """Index `embeddings` with HNSW under cosine distance, and checkpoint."""
    connection.execute("SET hnsw_enable_experimental_persistence = true")
    connection.execute(
        f"CREATE INDEX {HNSW_INDEX} ON embeddings USING HNSW (vector) WITH (metric = 'cosine', "
        f"M = {options.m:d}, ef_construction = {options.ef_construction:d}, "
        f"ef_search = {options.ef_search:d})"
    )
    connection.execute("CHECKPOINT")


def verify_hnsw_plan(connection: duckdb.DuckDBPyConnection, path: Path) -> None:
    """Look at the plan of a nearest-neighbour query.

    Raises:
        DataError: it does not use the index.
    """
    probe = connection.execute("SELECT vector::VARCHAR FROM embeddings LIMIT 1").fetchone()
    plan = connection.execute(f"EXPLAIN {_nearest(connection)}", [*(probe or ()), 1]).fetchall()
    if "HNSW_INDEX_SCAN" not in str(plan):
        raise DataError(f"{path}: DuckDB does not use the HNSW index {HNSW_INDEX}")


def measure_recall(connection: duckdb.DuckDBPyConnection, path: Path) -> float:
    """The index's recall@10 against exact search, over 200 of the file's own vectors.

    A neighbour counts as found when it is as near as the tenth of the exact neighbours, so that
    texts at equal distances are no misses.

    Raises:
        DataError: the planner does not use the index, or recall is below 0.90.
    """
    verify_hnsw_plan(connection, path)
    vectors = _all_vectors(connection)
    chosen = np.unique(np.linspace(0, len(vectors) - 1, min(_SAMPLE, len(vectors)), dtype=int))
    probes = vectors[chosen]
    nearest = _nearest(connection)
    wanted = min(_NEIGHBOURS, len(vectors))
    limits = 1.0 - np.partition(probes @ vectors.T, -wanted, axis=1)[:, -wanted]
    found = 0
    for probe, limit in zip(probes, limits.tolist(), strict=True):
        rows = connection.execute(nearest, [str(probe.tolist()), wanted]).fetchall()
        found += sum(distance <= limit + _EQUAL for _, distance in rows)
    recall = float(found / (wanted * len(probes)))
    if recall < _MIN_RECALL:
        raise DataError(
            f"{path}: the HNSW index finds {recall:.0%} of the nearest neighbours, less than "
            f"{_MIN_RECALL:.0%}; raise VSS_EF_SEARCH, VSS_EF_CONSTRUCTION or VSS_HNSW_M"
        )
    return recall


def _nearest(connection: duckdb.DuckDBPyConnection) -> str:
    return read_sql("database", "nearest").format(dimensions=_dimensions(connection))


def _dimensions(connection: duckdb.DuckDBPyConnection) -> int:
    row = connection.execute("SELECT len(vector) FROM embeddings LIMIT 1").fetchone()
    return int(row[0]) if row else 0


def _all_vectors(connection: duckdb.DuckDBPyConnection) -> NDArray[np.float32]:
    """All vectors of the file, shape (n, dimensions), in the order of their content hashes."""
    query = "SELECT vector FROM embeddings ORDER BY content_hash"
    column = connection.execute(query).to_arrow_table().column(0)
    chunks = cast("list[pa.FixedSizeListArray[Any]]", column.chunks)
    return np.vstack([np.asarray(chunk.flatten()).reshape(len(chunk), -1) for chunk in chunks])
