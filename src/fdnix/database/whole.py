"""Reading a database whole, which holds every block that a value lies in against its checksum."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fdnix.database.child import in_child
from fdnix.database.connection import MAIN, connect, identifier, read_sql

if TYPE_CHECKING:
    from pathlib import Path

    import duckdb


def verify_blocks(path: Path, extension_directory: Path | None) -> None:
    """Read the database at `path` whole, in a process of its own: DuckDB may crash over it.

    Raises:
        DataError: it is damaged, or not DuckDB's.
        SettingsError: there is not memory enough.
    """
    in_child(path, _read_file, path, extension_directory)


def _read_file(path: Path, extension_directory: Path | None) -> None:
    with connect(
        path, read_only=True, extensions=("vss",), extension_directory=extension_directory
    ) as connection:
        read_whole(connection)


def read_whole(connection: duckdb.DuckDBPyConnection) -> tuple[int, int]:
    """How many tables and how many rows the open database has, of which every value was read.

    Raises:
        duckdb.Error: a block has another checksum than was written, or cannot be read.
    """
    tables = connection.execute(read_sql("database", "tables"), {"database": MAIN}).fetchall()
    return len(tables), sum(_read(connection, *table[:3]) for table in tables)


def _read(connection: duckdb.DuckDBPyConnection, database: str, schema: str, table: str) -> int:
    """Read every value of a table: the number of its rows."""
    name = ".".join(map(identifier, (database, schema, table)))
    row = connection.execute(
        f"SELECT count(*), bit_xor(hash(t)) FROM {name} AS t"  # noqa: S608
    ).fetchone()
    return int(row[0]) if row else 0
