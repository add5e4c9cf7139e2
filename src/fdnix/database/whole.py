"""Reading a database whole, which holds every block that a value lies in against its checksum."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fdnix.database.connection import MAIN, identifier, read_sql

if TYPE_CHECKING:
    import duckdb


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
