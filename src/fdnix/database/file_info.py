"""`fdnix_meta`: what a database file says of itself."""

from __future__ import annotations

from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING

import duckdb

from fdnix.errors import DataError

if TYPE_CHECKING:
    from collections.abc import Mapping

SCHEMA_VERSION = 3
"""Raised by every change of the tables or their meaning, in either file."""


class ForeignDatabaseError(DataError):
    """A DuckDB database that fdnix did not write."""


def fingerprint(*packages: str) -> str:
    """The SHA-256 of the SQL and the Python of these packages of fdnix.

    A file tells with it which code made it: after a change of that code it is made anew.
    """
    digest = sha256()
    for package in packages:
        folder = Path(__file__).parents[1] / package
        for source in sorted([*folder.glob("*.py"), *folder.glob("sql/*.sql")]):
            digest.update(f"{package}/{source.name}\n".encode() + source.read_bytes())
    return digest.hexdigest()


def read_file_info(
    connection: duckdb.DuckDBPyConnection, path: Path, *, kind: str | None = None
) -> dict[str, str]:
    """The keys and values of the `fdnix_meta` of the connection's default database.

    Args:
        connection: open on the file.
        path: the file's path, for messages.
        kind: `full` or `minified` when only that kind of file will do.

    Raises:
        ForeignDatabaseError: the file is not fdnix's.
        DataError: the file is damaged, of another schema version, or of another kind.
    """
    try:
        rows = connection.execute("SELECT key, value FROM fdnix_meta").fetchall()
    except (duckdb.CatalogException, duckdb.BinderException) as error:
        raise ForeignDatabaseError(
            f"{path}: is not an fdnix database: it has no table fdnix_meta of keys and values"
        ) from error
    except duckdb.Error as error:
        raise DataError(f"{path}: DuckDB cannot read it: {error}") from error
    meta: dict[str, str] = dict(rows)
    version = meta.get("schema_version")
    if version != str(SCHEMA_VERSION):
        raise DataError(
            f"{path}: has schema version {version}, this fdnix reads version {SCHEMA_VERSION}; "
            "build the file again, or use the fdnix that wrote it "
            f"({meta.get('fdnix_version', 'unknown')})"
        )
    if kind and meta.get("kind") != kind:
        raise DataError(f"{path}: is a {meta.get('kind')} database; a {kind} one is needed here")
    return meta


def verify_build(connection: duckdb.DuckDBPyConnection, path: Path, build_id: str) -> None:
    """Hold what was copied out of the full database at `path` against the build it should be.

    Raises:
        DataError: another process has replaced the file since `build_id` was read from it.
    """
    if read_file_info(connection, path)["build_id"] != build_id:
        raise DataError(f"{path}: was replaced by another fdnix while it was read; run this again")


def write_file_info(connection: duckdb.DuckDBPyConnection, values: Mapping[str, object]) -> None:
    """Put `values` over what `fdnix_meta` holds; a None removes its key."""
    keep = {key: str(value) for key, value in values.items() if value is not None}
    connection.execute("DELETE FROM fdnix_meta WHERE key IN (SELECT unnest(?))", [list(values)])
    connection.execute(
        "INSERT INTO fdnix_meta SELECT unnest(?), unnest(?)", [list(keep), list(keep.values())]
    )
