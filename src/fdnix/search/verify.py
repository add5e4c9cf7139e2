"""Reading a database whole, to tell whether it is what fdnix wrote."""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import file_digest
from typing import TYPE_CHECKING

from fdnix.database.child import in_child
from fdnix.database.connection import MAIN, connect, read_sql
from fdnix.database.file_info import fingerprint, read_file_info
from fdnix.database.full import verify_counts
from fdnix.database.whole import read_whole
from fdnix.errors import DataError
from fdnix.search.macros import create_macros, vector_lengths

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    import duckdb


@dataclass(frozen=True)
class Verification:
    """What was held against what, of a database without a fault.

    Attributes:
        path: the file.
        kind: `full` or `minified`.
        tables: how many there are; every value in them was read, and their blocks' checksums held.
        rows: all their rows.
        sha256: of the file, where `PATH.sha256` says the same; None where there is no such file.
        macros: whether the macros are those that this fdnix writes; None for a full database, which
            has none, and for a file that another version wrote.
    """

    path: str
    kind: str
    tables: int
    rows: int
    sha256: str | None
    macros: bool | None


def verify_database(path: Path) -> Verification:
    """What was verified of the database at `path`.

    It is read in a process of its own: DuckDB may crash over a file that is damaged.

    Raises:
        DataError: it is damaged, no database of this fdnix's, not the file that `PATH.sha256` tells
            of, or its macros are not those of the code that it says made it.
        SettingsError: there is not memory enough.
    """
    return in_child(path, _verify, path)


def _verify(path: Path) -> Verification:
    sha256 = _verify_digest(path)
    with connect(path, read_only=True, extensions=()) as connection:
        meta = read_file_info(connection, path)
        verify_counts(connection, path)
        tables, rows = read_whole(connection)
        macros = None
        if (kind := meta["kind"]) == "minified" and meta.get("fingerprint") == _own_fingerprint():
            _verify_macros(connection, path, meta)
            macros = True
    return Verification(str(path), kind, tables, rows, sha256, macros)


def _verify_digest(path: Path) -> str | None:
    """The SHA-256 that the first word of the file beside `path` tells; None where there is none."""
    beside = path.with_name(path.name + ".sha256")
    try:
        told = beside.read_text(encoding="ascii", errors="replace").split()
    except FileNotFoundError:
        return None
    except OSError as error:
        raise DataError(f"{beside}: cannot be read: {error.strerror}") from error
    with path.open("rb") as file:
        digest = file_digest(file, "sha256").hexdigest()
    if [digest] != [word.lower() for word in told[:1]]:
        raise DataError(f"{path}: has the SHA-256 {digest}, not the one in {beside}")
    return digest


def _own_fingerprint() -> str:
    return fingerprint("search", "database")


def _verify_macros(
    connection: duckdb.DuckDBPyConnection, path: Path, meta: Mapping[str, str]
) -> None:
    for name in ("text", "weights"):
        connection.execute(read_sql("search", name))
    embeds = ("search_model",) in connection.execute(f"SHOW TABLES FROM {MAIN}").fetchall()
    create_macros(connection, *vector_lengths(meta), embeds=embeds)
    other = connection.execute(
        read_sql("search", "other_macros"), {"fts": meta.get("fts_index_name")}
    ).fetchall()
    if other:
        names = ", ".join(name for (name,) in other[:5])
        raise DataError(f"{path}: has other macros than the fdnix that it says made it: {names}")
