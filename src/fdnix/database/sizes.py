"""What a database file says of itself, and how much room its parts take."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from fdnix.database.connection import MAIN, connect, identifier, literal, read_sql
from fdnix.database.file_info import read_file_info

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    import duckdb


@dataclass(frozen=True)
class TableSize:
    """A table's rows, and the bytes of the blocks that hold its columns (not its indexes)."""

    name: str
    rows: int
    bytes: int


@dataclass(frozen=True)
class DatabaseInfo:
    """What a database file says of itself, its size in bytes, and its tables."""

    path: str
    bytes: int
    meta: dict[str, str]
    made_without: list[str]
    """What the file could say more of, had there been something more to make it from."""
    tables: list[TableSize]


def database_info(path: Path) -> DatabaseInfo:
    """What the database at `path` holds.

    Raises:
        DataError: it is not an fdnix database of this schema version.
    """
    with connect(path, read_only=True, extensions=()) as connection:
        meta = read_file_info(connection, path)
        tables = table_sizes(connection)
    return DatabaseInfo(
        str(path), path.stat().st_size, dict(sorted(meta.items())), made_without(meta), tables
    )


def made_without(meta: Mapping[str, str]) -> list[str]:
    """What a database that says `meta` of itself was made without, a sentence each."""
    lacks = []
    if "tree_source" not in meta:
        lacks.append(
            "made without a nixpkgs tree: popularity comes from the catalogue alone, and of most "
            "packages no program is known but the main one; see NIXPKGS_TREE"
        )
    elif "programs_from_channel" not in meta:
        lacks.append(
            "made without a channel's list of programs: those that the packages' build text names "
            "are known"
        )
    return lacks


def table_sizes(connection: duckdb.DuckDBPyConnection) -> list[TableSize]:
    """The size of every table of the file that `connect` opened, largest first."""
    block = connection.execute(
        "SELECT block_size FROM pragma_database_size() WHERE database_name = $database",
        {"database": MAIN},
    ).fetchone()
    sizes = []
    for database, schema, table, rows in connection.execute(
        read_sql("database", "tables"), {"database": MAIN}
    ).fetchall():
        path = ".".join(map(identifier, (database, schema, table)))
        blocks = connection.execute(
            f"SELECT count(DISTINCT block_id) FROM pragma_storage_info({literal(path)}) "  # noqa: S608
            "WHERE persistent"
        ).fetchone()
        name = table if schema == "main" else f"{schema}.{table}"
        sizes.append(TableSize(name, rows, (blocks or (0,))[0] * (block or (0,))[0]))
    return sorted(sizes, key=lambda size: -size.bytes)
