"""The HNSW index over the vectors, made and verified.

DuckDB's persistence of HNSW indexes is experimental: an index is only ever created over a table
that is complete, in a file that nobody else reads, and followed by a checkpoint
(https://duckdb.org/docs/stable/core_extensions/vss, "Persistence").
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

import numpy as np

from fdnix.database.nearest import CANDIDATES, nearest_query
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
_HEADS = (64, 80, 96, 112, 128, 160, 192)
_HEAD_RECALL = 0.97


@dataclass(frozen=True)
class HnswOptions:
    """How an HNSW index is made and searched; more finds more and takes more."""

    m: int
    """The neighbours that a node keeps."""
    ef_construction: int
    """The candidates looked at for a node's neighbours."""
    ef_search: int
    """The candidates that a search looks at: told to readers, as DuckDB keeps it in no file."""


def hnsw_parameters(options: HnswOptions) -> dict[str, str]:
    """What `fdnix_meta` says of an HNSW index made with these options."""
    return {
        "hnsw_index": HNSW_INDEX,
        "hnsw_metric": "cosine",
        "hnsw_m": str(options.m),
        "hnsw_ef_construction": str(options.ef_construction),
        "hnsw_ef_search": str(options.ef_search),
    }


def head_dimensions(vectors: NDArray[np.float32]) -> int:
    """How many of the first dimensions of unit vectors, shape (n, d), serve to index them.

    The fewest, of 64, 80 and so on, whose nearest neighbours, compared whole, hold the true ones:
    recall@10 of 0.97 over 200 of the vectors, or more. A model whose first dimensions tell most
    needs a quarter of them, and its index takes a third of the time and of the room. All d where
    nothing less serves.
    """
    dimensions = int(vectors.shape[1])
    if len(vectors) <= CANDIDATES:
        return min(_HEADS[0], dimensions)
    probes, limits = _probes(vectors)
    for head in _HEADS:
        if head >= dimensions:
            break
        heads = vectors[:, :head] / np.linalg.norm(vectors[:, :head], axis=1, keepdims=True)
        nearest = np.argpartition(-(probes[:, :head] @ heads.T), CANDIDATES - 1, axis=1)
        similarities = np.einsum("pd,pcd->pc", probes, vectors[nearest[:, :CANDIDATES]])
        found = np.minimum((similarities >= limits[:, None] - _EQUAL).sum(axis=1), _NEIGHBOURS)
        if found.mean() / _NEIGHBOURS >= _HEAD_RECALL:
            return head
    return dimensions


def create_hnsw(connection: duckdb.DuckDBPyConnection, options: HnswOptions) -> None:
    """Index the heads of `embeddings` with HNSW under cosine distance, and checkpoint.

    It has DuckDB's `ef_search`, as it has for readers: what is measured here is what they get.
    """
    connection.execute("SET hnsw_enable_experimental_persistence = true")
    connection.execute(
        f"CREATE INDEX {HNSW_INDEX} ON embeddings USING HNSW (head) WITH (metric = 'cosine', "
        f"M = {options.m:d}, ef_construction = {options.ef_construction:d})"
    )
    connection.execute("CHECKPOINT")


def verify_hnsw_plan(connection: duckdb.DuckDBPyConnection, path: Path) -> None:
    """Look at the plan of a nearest-neighbour query.

    Raises:
        DataError: it does not use the index.
    """
    dimensions, head = _lengths(connection)
    question = [str([1.0] * dimensions), str([1.0] * head), 1]
    plan = connection.execute(f"EXPLAIN {nearest_query(dimensions, head)}", question).fetchall()
    if "HNSW_INDEX_SCAN" not in str(plan):
        raise DataError(f"{path}: DuckDB does not use the HNSW index {HNSW_INDEX}")


def measure_recall(connection: duckdb.DuckDBPyConnection, path: Path) -> float:
    """The recall@10 of what the index finds, compared whole, over 200 of the file's own vectors.

    A neighbour counts as found when it is as near as the tenth of the exact neighbours, so that
    texts at equal distances are no misses.

    Raises:
        DataError: the planner does not use the index, or recall is below 0.90.
    """
    verify_hnsw_plan(connection, path)
    vectors = read_vectors(connection, "SELECT vector FROM embeddings")
    dimensions, head = _lengths(connection)
    query = nearest_query(dimensions, head)
    probes, limits = _probes(vectors)
    wanted = min(_NEIGHBOURS, len(vectors))
    found = 0
    for probe, limit in zip(probes.tolist(), limits.tolist(), strict=True):
        rows = connection.execute(query, [str(probe), str(probe[:head]), wanted]).fetchall()
        found += sum(1 - distance >= limit - _EQUAL for (distance,) in rows)
    recall = float(found / (wanted * len(probes)))
    if recall < _MIN_RECALL:
        raise DataError(
            f"{path}: the HNSW index finds {recall:.0%} of the nearest neighbours, less than "
            f"{_MIN_RECALL:.0%}; raise VSS_EF_CONSTRUCTION or VSS_HNSW_M"
        )
    return recall


def read_vectors(connection: duckdb.DuckDBPyConnection, query: str) -> NDArray[np.float32]:
    """The one column of `query`'s result, vectors, as unit vectors of shape (n, dimensions)."""
    column = connection.execute(query).to_arrow_table().column(0)
    chunks = cast("list[pa.FixedSizeListArray[Any]]", column.chunks)
    vectors = np.vstack([np.asarray(chunk.flatten()).reshape(len(chunk), -1) for chunk in chunks])
    unit: NDArray[np.float32] = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    return unit


def _probes(vectors: NDArray[np.float32]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """200 of the unit `vectors`, and how similar the tenth nearest of all is to each."""
    chosen = np.unique(np.linspace(0, len(vectors) - 1, min(_SAMPLE, len(vectors)), dtype=int))
    probes = vectors[chosen]
    wanted = min(_NEIGHBOURS, len(vectors))
    return probes, np.partition(probes @ vectors.T, -wanted, axis=1)[:, -wanted]


def _lengths(connection: duckdb.DuckDBPyConnection) -> tuple[int, int]:
    """The lengths of the vectors and of their heads."""
    row = connection.execute("SELECT len(vector), len(head) FROM embeddings LIMIT 1").fetchone()
    return (int(row[0]), int(row[1])) if row else (1, 1)
