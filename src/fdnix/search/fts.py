"""The full-text index over the packages' texts, made and verified."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from fdnix.database.connection import MAIN, identifier, literal, read_sql
from fdnix.errors import DataError

if TYPE_CHECKING:
    from pathlib import Path

    import duckdb


# DuckDB's own rule takes all but a to z for white space, so that x264 could not be found.
_BETWEEN_WORDS = r"(\.|[^\p{L}\p{N}])+"


@dataclass(frozen=True)
class FtsOptions:
    """How the full-text index is made: `none` as stemmer or stopwords is none."""

    macro: str
    """The name of the table macro that searches it."""
    stemmer: str
    stopwords: str


def create_fts(connection: duckdb.DuckDBPyConnection, options: FtsOptions) -> None:
    """Index `packages_fts_source` for BM25, with a table macro over it."""
    connection.execute(
        "PRAGMA create_fts_index('packages_fts_source', 'package_id', '*', "
        f"stemmer = {literal(options.stemmer)}, stopwords = {literal(options.stopwords)}, "
        f"ignore = {literal(_BETWEEN_WORDS)})"
    )
    name = identifier(options.macro)
    connection.execute(read_sql("search", "fts_macro").format(name=name))


def verify_fts(connection: duckdb.DuckDBPyConnection, path: Path, *, macro: str) -> None:
    """Search the full-text index for a word that the file holds.

    Raises:
        DataError: nothing is found.
    """
    # What the extension makes names its tables by their schema alone.
    connection.execute(f"USE {MAIN}")
    word = connection.execute(
        "SELECT pname FROM packages WHERE regexp_full_match(pname, '[a-z]{5,}|[a-z]+[0-9]{2,}') "
        "AND pname NOT IN (SELECT sw FROM fts_main_packages_fts_source.stopwords) "
        "ORDER BY pname SIMILAR TO '.*[0-9]' DESC, package_id LIMIT 1"
    ).fetchone()
    if word is None:
        return
    found = connection.execute(
        f"SELECT count(*) FROM {identifier(macro)}(?)",  # noqa: S608
        [word[0]],
    ).fetchone()
    if found is None or found[0] == 0:
        raise DataError(f"{path}: the full-text index does not find {word[0]!r}")
