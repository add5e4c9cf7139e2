"""`fdnix_meta`: what a database file says of itself."""

from __future__ import annotations

from contextlib import suppress
from datetime import datetime
from hashlib import sha256
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import duckdb

from fdnix.database.connection import MAIN, first_line, identifier
from fdnix.errors import DataError
from fdnix.progress import log

if TYPE_CHECKING:
    from collections.abc import Mapping

Kind = Literal["full", "minified"]

SCHEMA_VERSIONS: Mapping[str, int] = {"full": 4, "minified": 6}
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
_LENGTHS = ("embedding_dimensions", "embedding_head")
_LARGEST_ARRAY = 100_000  # DuckDB's own limit, of dimensions
_NEEDED: Mapping[Kind, tuple[str, ...]] = {
    "full": (
        *("build_id", "fdnix_version", "source", "embedding_text_version"),
        *("package_count", "rejected_count", "distinct_text_count"),
    ),
    "minified": ("fdnix_version", "package_count"),
}
_TIMES = ("metadata_at", "embedding_at", "minified_at")
_OURS = frozenset(
    {
        *_NUMBERS,
        *_TIMES,
        *chain.from_iterable(_NEEDED.values()),
        *("kind", "schema_version", "fingerprint", "channel", "channel_url"),
        *("nixpkgs_revision", "nix_version", "catalogue_sha256", "catalogue_etag"),
        *("systems", "tree_systems", "tree_source", "tree_revision", "tree_state", "tree_absent"),
        *("programs_from_channel", "programs_from_tree", "programs_from_meta"),
        *("embedding_provider", "embedding_model", "source_build_id", "popularity_sha256"),
        *("hnsw_index", "hnsw_metric", "hnsw_m", "hnsw_ef_construction", "hnsw_ef_search"),
        *("hnsw_recall", "fts_stemmer", "fts_stopwords", "fts_index_name", "minified_max_bytes"),
    }
)


class ForeignDatabaseError(DataError):
    """A DuckDB database that no fdnix wrote, or a newer one: not for this one to replace."""


def fingerprint(*packages: str) -> str:
    """The SHA-256 of the SQL, the Python and the tables of these packages of fdnix.

    A file tells with it which code made it: after a change of that code it is made anew.
    """
    digest = sha256()
    for package in packages:
        folder = Path(__file__).parents[1] / package
        for source in sorted(
            [*folder.glob("*.py"), *folder.glob("*.tsv"), *folder.glob("sql/*.sql")]
        ):
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
        kind: when only that kind of file will do, and it must say all that fdnix writes of it.
        database: the name that the file is attached under.

    Raises:
        ForeignDatabaseError: the file is not fdnix's.
        DataError: the file is damaged, of another schema version or of another kind, does not say
            what it should, or has a view where fdnix writes a table.
    """
    meta = _read(connection, path, database)
    _refuse_other_kind(meta, path, kind)
    version = SCHEMA_VERSIONS[meta["kind"]]
    if meta.get("schema_version") != str(version):
        raise _other_schema(meta, path, version)
    if kind is not None:
        _refuse_incomplete(meta, path, kind)
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
        if key in _LENGTHS and int(number) > _LARGEST_ARRAY:
            raise DataError(f"{path}: fdnix_meta gives {key} as {number}, more than vectors have")
    return meta


def _refuse_other_kind(meta: Mapping[str, str], path: Path, kind: Kind | None) -> None:
    found = meta.get("kind")
    if found not in SCHEMA_VERSIONS or (kind and found != kind):
        needed = kind or " or ".join(SCHEMA_VERSIONS)
        raise DataError(f"{path}: is a {found} database; a {needed} one is needed here")


def _refuse_incomplete(meta: Mapping[str, str], path: Path, kind: Kind) -> None:
    indexed = meta.get("hnsw_index", "none") != "none"
    needed = {*_NEEDED[kind], *(["hnsw_recall"] if indexed else [])}
    wrong = sorted(
        key
        for key in {*needed, "hnsw_recall", *_TIMES}
        if (key in needed or key in meta) and not _is_sound(key, meta.get(key))
    )
    if wrong:
        raise DataError(
            f"{path}: fdnix_meta does not say, or not as fdnix writes it, {', '.join(wrong)}; "
            "build the file again: `fdnix metadata` for a full database, `fdnix minify` for a "
            "minified one"
        )


def _is_sound(key: str, value: str | None) -> bool:
    if value is None:
        return False
    with suppress(ValueError):
        if key in _TIMES:
            return datetime.fromisoformat(value).tzinfo is not None
        return key != "hnsw_recall" or 0 <= float(value) <= 1
    return False


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


def keep_own_rows(connection: duckdb.DuckDBPyConnection, path: Path) -> None:
    """Remove from the `fdnix_meta` of the file being built what no fdnix wrote, and say so.

    Args:
        connection: open on the file that is built.
        path: the full database that its rows come from, for the message.
    """
    rows = connection.execute(
        "DELETE FROM fdnix_meta WHERE key NOT IN (SELECT unnest(?)) RETURNING key", [list(_OURS)]
    ).fetchall()
    if rows:
        names = ", ".join(sorted(str(key)[:50] for (key,) in rows)[:5])
        log.warning(
            "%s: %d rows of its fdnix_meta are not fdnix's and are left out: %s",
            path,
            len(rows),
            names,
        )


def write_file_info(connection: duckdb.DuckDBPyConnection, values: Mapping[str, object]) -> None:
    """Put `values` over what `fdnix_meta` holds; a None removes its key."""
    keep = {key: str(value) for key, value in values.items() if value is not None}
    connection.execute("DELETE FROM fdnix_meta WHERE key IN (SELECT unnest(?))", [list(values)])
    connection.execute(
        "INSERT INTO fdnix_meta SELECT unnest(?), unnest(?)", [list(keep), list(keep.values())]
    )
