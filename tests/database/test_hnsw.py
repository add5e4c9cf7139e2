"""The HNSW index is made, used, and held to what it promises."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pytest

from fdnix.database.connection import connect
from fdnix.database.full import create_embeddings
from fdnix.database.hnsw import (
    HnswOptions,
    create_hnsw,
    head_dimensions,
    measure_recall,
    verify_hnsw_plan,
)
from fdnix.database.rows import fixed_size
from fdnix.errors import DataError

if TYPE_CHECKING:
    from pathlib import Path

    import duckdb
    from numpy.typing import NDArray


USUAL = HnswOptions(m=16, ef_construction=200, ef_search=40)


def random_vectors(rows: int, dimensions: int) -> NDArray[np.float32]:
    vectors = np.random.default_rng(1).normal(size=(rows, dimensions)).astype(np.float32)
    unit: NDArray[np.float32] = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    return unit


def fill(connection: duckdb.DuckDBPyConnection, rows: int, dimensions: int = 8) -> None:
    """Put as many random unit vectors into a new table `embeddings`."""
    create_embeddings(connection, dimensions=dimensions, head=dimensions)
    vectors = random_vectors(rows, dimensions)
    arrow = pa.table(
        {
            "content_hash": [f"{i:032x}" for i in range(rows)],
            "vector": fixed_size(vectors),
            "head": fixed_size(vectors),
        }
    )
    connection.register("arrow", arrow)
    connection.execute("INSERT INTO embeddings BY NAME SELECT * FROM arrow")


def test_the_index_is_in_the_file_with_its_parameters_and_in_the_plan(tmp_path: Path) -> None:
    path = tmp_path / "db"
    with connect(path) as connection:
        fill(connection, 500)
        create_hnsw(connection, USUAL)
    assert not path.with_name("db.wal").exists()
    with connect(path, read_only=True) as connection:
        verify_hnsw_plan(connection, path)
        assert measure_recall(connection, path) >= 0.99
        row = connection.execute(
            "SELECT index_name, metric, dimensions, count FROM pragma_hnsw_index_info()"
        ).fetchone()
    assert row == ("embeddings_vss_idx", "cosine", 8, 500)


def test_a_table_without_its_index_is_noticed(tmp_path: Path) -> None:
    with connect(tmp_path / "db") as connection:
        fill(connection, 20)
        with pytest.raises(DataError, match="does not use the HNSW index"):
            verify_hnsw_plan(connection, tmp_path / "db")
        with pytest.raises(DataError, match="does not use the HNSW index"):
            measure_recall(connection, tmp_path / "db")


def test_an_index_that_finds_too_little_is_refused_with_what_to_raise(tmp_path: Path) -> None:
    poor = HnswOptions(m=2, ef_construction=1, ef_search=1)
    with connect(tmp_path / "db") as connection:
        fill(connection, 5000, dimensions=64)
        create_hnsw(connection, poor)
        with pytest.raises(DataError, match=r"finds \d+% of the nearest .*; raise VSS_EF_CON"):
            measure_recall(connection, tmp_path / "db")


@pytest.mark.parametrize("rows", [1, 3, 9])
def test_fewer_vectors_than_neighbours_are_all_found(rows: int, tmp_path: Path) -> None:
    with connect(tmp_path / "db") as connection:
        fill(connection, rows)
        create_hnsw(connection, USUAL)
        assert measure_recall(connection, tmp_path / "db") == 1.0


def test_texts_at_equal_distances_are_no_misses(tmp_path: Path) -> None:
    with connect(tmp_path / "db") as connection:
        create_embeddings(connection, dimensions=2, head=1)
        connection.execute(
            "INSERT INTO embeddings SELECT i::VARCHAR, [1, 0], [1] FROM range(50) r(i)"
        )
        create_hnsw(connection, USUAL)
        assert measure_recall(connection, tmp_path / "db") == 1.0


@pytest.mark.parametrize(("little", "head"), [(slice(64, None), 64), (slice(192), 256)])
def test_the_first_dimensions_are_indexed_where_they_tell_most(little: slice, head: int) -> None:
    vectors = random_vectors(1000, 256)
    vectors[:, little] *= 0.05
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    assert head_dimensions(vectors) == head


def test_an_index_over_heads_finds_what_whole_vectors_say(tmp_path: Path) -> None:
    vectors = random_vectors(1000, 32)
    vectors[:, 8:] *= 0.3
    path = tmp_path / "db"
    with connect(path) as connection:
        create_embeddings(connection, dimensions=32, head=8)
        arrow = pa.table(
            {
                "content_hash": [f"{i:032x}" for i in range(len(vectors))],
                "vector": fixed_size(vectors),
                "head": fixed_size(vectors[:, :8]),
            }
        )
        connection.register("arrow", arrow)
        connection.execute("INSERT INTO embeddings BY NAME SELECT * FROM arrow")
        create_hnsw(connection, USUAL)
        connection.execute("SET hnsw_ef_search = 200")
        assert measure_recall(connection, path) >= 0.97
