"""The sizes of tables are those of the blocks in the file."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fdnix.database.connection import connect
from fdnix.database.sizes import table_sizes

if TYPE_CHECKING:
    from pathlib import Path


def test_the_largest_table_comes_first_with_its_rows_and_most_of_the_file(tmp_path: Path) -> None:
    path = tmp_path / "db"
    with connect(path) as connection:
        connection.execute("CREATE TABLE small AS SELECT 1 AS i")
        connection.execute("CREATE SCHEMA other")
        connection.execute("CREATE TABLE other.large AS SELECT uuid() AS u FROM range(300000)")
        connection.execute("CHECKPOINT")
    with connect(path, read_only=True) as connection:
        large, small = table_sizes(connection)
    assert (large.name, large.rows) == ("other.large", 300_000)
    assert (small.name, small.rows) == ("small", 1)
    # 300,000 UUIDs of 16 bytes, which no compression makes smaller.
    assert 4_800_000 <= large.bytes <= path.stat().st_size
    assert 0 < small.bytes < large.bytes


def test_a_database_without_tables_has_no_sizes(tmp_path: Path) -> None:
    with connect(tmp_path / "db") as connection:
        assert table_sizes(connection) == []
