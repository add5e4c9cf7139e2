"""`fdnix_meta`: what a database file says of itself."""

from __future__ import annotations

from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import duckdb

from fdnix.database.connection import MAIN, first_line, identifier
from fdnix.errors import DataError

if TYPE_CHECKING:
    from collections.abc import Mapping

Kind = Literal["full", "minified"]

SCHEMA_VERSIONS: Mapping[str, int] = {"full": 4, "minified": 4}
"""By kind of file, raised by every change of its tables or their meaning."""

_TABLES = frozenset(
    {
        "packages",
        "embeddings",
        "usage",
        "aliases",
        "embedding_failures",
        "rejected_packages",
        "fdnix_meta",
    }
)
_NUMBERS = (
    "package_count",
    "embedding_count",
    "embedding_dropped",
    "embedding_dimensions",
    "embedding_head",
    "rejected_count",
    "distinct_text_count",
)
_LARGEST = 12  # digits


class ForeignDatabaseError(DataError):
    """A DuckDB database that no fdnix wrote, or a newer one: not for this one to replace."""


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
    connection: duckdb.DuckDBPyConnection,
    path: Path,
    *,
    kind: Kind | None = None,
    database: str = MAIN,
) -> dict[str, str]:
    """The keys and values of the file's `fdnix_meta`.

    Args:
        connection: open on the file.
        path: the file's path, for messages.
        kind: when only that kind of file will do.
        database: the name that the file is attached under.

    Raises:
        ForeignDatabaseError: the file is not fdnix's.
        DataError: the file is damaged, of another schema version or of another kind, or has a view
            where fdnix writes a table.
    """
    meta = _read(connection, path, database)
    _refuse_other_kind(meta, path, kind)
    version = SCHEMA_VERSIONS[meta["kind"]]
    if meta.get("schema_version") != str(version):
        raise _other_schema(meta, path, version)
    return meta


def read_older_info(
    connection: duckdb.DuckDBPyConnection, path: Path, *, database: str = MAIN
) -> dict[str, str]:
    """What `read_file_info` gives of a full database, which may be of an older schema version.

    Raises:
        ForeignDatabaseError: the file is not fdnix's.
        DataError: the file is damaged, of a newer schema version, of another kind, or has a view
            where fdnix writes a table.
    """
    meta = _read(connection, path, database)
    _refuse_other_kind(meta, path, "full")
    version = meta.get("schema_version", "")
    if not version.isdecimal() or int(version[:9]) > SCHEMA_VERSIONS["full"]:
        raise _other_schema(meta, path, SCHEMA_VERSIONS["full"])
    return meta


def _read(connection: duckdb.DuckDBPyConnection, path: Path, database: str) -> dict[str, str]:
    try:
        _refuse_views(connection, path, database)
        rows = connection.execute(
            f"SELECT key, value FROM {identifier(database)}.main.fdnix_meta"  # noqa: S608
        ).fetchall()
    except (duckdb.CatalogException, duckdb.BinderException) as error:
        raise ForeignDatabaseError(
            f"{path}: is not an fdnix database: it has no table fdnix_meta of keys and values"
        ) from error
    except duckdb.Error as error:
        raise DataError(f"{path}: DuckDB cannot read it: {first_line(error)}") from error
    meta = {str(key): str(value) for key, value in rows}
    for key in _NUMBERS:
        number = meta.get(key, "0")
        if not (number.isascii() and number.isdecimal() and len(number) <= _LARGEST):
            raise DataError(f"{path}: fdnix_meta gives {key} as {number[:50]!r}, which is no count")
    return meta


def _refuse_other_kind(meta: Mapping[str, str], path: Path, kind: Kind | None) -> None:
    found = meta.get("kind")
    if found not in SCHEMA_VERSIONS or (kind and found != kind):
        needed = kind or " or ".join(SCHEMA_VERSIONS)
        raise DataError(f"{path}: is a {found} database; a {needed} one is needed here")


def _other_schema(meta: Mapping[str, str], path: Path, version: int) -> DataError:
    found = meta.get("schema_version", "")
    newer = found.isdecimal() and int(found[:9]) > version
    return (ForeignDatabaseError if newer else DataError)(
        f"{path}: has schema version {found or 'unknown'}, this fdnix reads version {version}; "
        "build the file again, or use the fdnix that wrote it "
        f"({meta.get('fdnix_version', 'unknown')})"
    )


def _refuse_views(connection: duckdb.DuckDBPyConnection, path: Path, database: str) -> None:
    """Refuse a file with a view where fdnix writes a table: reading it would run what it says.

    Generated columns are no such danger: DuckDB lets none hold a query.
    """
    views = connection.execute(
        "SELECT view_name FROM system.main.duckdb_views() "
        "WHERE database_name = $database AND schema_name = 'main'",
        {"database": database},
    ).fetchall()
    for (name,) in views:
        if name in _TABLES or name.startswith("search_"):
            raise DataError(
                f"{path}: {name} is a view, where fdnix writes a table; the file is refused: "
                "fetch it again, or make it anew"
            )


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
