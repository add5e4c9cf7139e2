"""`fdnix_meta`: what a database file says of itself."""

from __future__ import annotations

from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import duckdb

from fdnix.errors import DataError

if TYPE_CHECKING:
    from collections.abc import Mapping

Kind = Literal["full", "minified"]

SCHEMA_VERSIONS: Mapping[str, int] = {"full": 4, "minified": 3}
"""By kind of file, raised by every change of its tables or their meaning."""


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
    connection: duckdb.DuckDBPyConnection, path: Path, *, kind: Kind | None = None
) -> dict[str, str]:
    """The keys and values of the `fdnix_meta` of the connection's default database.

    Args:
        connection: open on the file.
        path: the file's path, for messages.
        kind: when only that kind of file will do.

    Raises:
        ForeignDatabaseError: the file is not fdnix's.
        DataError: the file is damaged, of another schema version, or of another kind.
    """
    meta = _read(connection, path)
    _refuse_other_kind(meta, path, kind)
    version = SCHEMA_VERSIONS[meta["kind"]]
    if meta.get("schema_version") != str(version):
        raise _other_schema(meta, path, version)
    return meta


def read_older_info(connection: duckdb.DuckDBPyConnection, path: Path) -> dict[str, str]:
    """What `read_file_info` gives of a full database, which may be of an older schema version.

    Raises:
        ForeignDatabaseError: the file is not fdnix's.
        DataError: the file is damaged, of a newer schema version, or of another kind.
    """
    meta = _read(connection, path)
    _refuse_other_kind(meta, path, "full")
    version = meta.get("schema_version", "")
    if not version.isdecimal() or int(version) > SCHEMA_VERSIONS["full"]:
        raise _other_schema(meta, path, SCHEMA_VERSIONS["full"])
    return meta


def _read(connection: duckdb.DuckDBPyConnection, path: Path) -> dict[str, str]:
    try:
        rows = connection.execute("SELECT key, value FROM fdnix_meta").fetchall()
    except (duckdb.CatalogException, duckdb.BinderException) as error:
        raise ForeignDatabaseError(
            f"{path}: is not an fdnix database: it has no table fdnix_meta of keys and values"
        ) from error
    except duckdb.Error as error:
        raise DataError(f"{path}: DuckDB cannot read it: {error}") from error
    return dict(rows)


def _refuse_other_kind(meta: Mapping[str, str], path: Path, kind: Kind | None) -> None:
    found = meta.get("kind")
    if found not in SCHEMA_VERSIONS or (kind and found != kind):
        needed = kind or " or ".join(SCHEMA_VERSIONS)
        raise DataError(f"{path}: is a {found} database; a {needed} one is needed here")


def _other_schema(meta: Mapping[str, str], path: Path, version: int) -> DataError:
    return DataError(
        f"{path}: has schema version {meta.get('schema_version')}, this fdnix reads version "
        f"{version}; build the file again, or use the fdnix that wrote it "
        f"({meta.get('fdnix_version', 'unknown')})"
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
