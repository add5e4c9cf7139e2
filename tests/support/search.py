"""Minified databases as tests of the search need them: made anew, and opened by other clients."""

from __future__ import annotations

import shutil
from contextlib import contextmanager
from typing import TYPE_CHECKING

import duckdb

from fdnix.database.connection import attach, connect, literal
from fdnix.database.file_info import read_file_info
from fdnix.embedding import local
from fdnix.search.build import LocalModel, create_search
from fdnix.search.fts import FtsOptions

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

MODEL = LocalModel(local.LocalEmbedder.model, local.model_table)

_BARE: dict[str, str | bool | int | float | list[str]] = {
    "autoload_known_extensions": "false",
    "autoinstall_known_extensions": "false",
}


@contextmanager
def bare_client(path: Path) -> Iterator[duckdb.DuckDBPyConnection]:
    """A DuckDB client without any extension, reading the file at `path`."""
    with duckdb.connect(config=_BARE) as client:
        client.execute(f"ATTACH {literal(path)} AS nix (READ_ONLY)")
        client.execute("USE nix")
        yield client


@contextmanager
def changed_copy(minified: Path, path: Path) -> Iterator[duckdb.DuckDBPyConnection]:
    """A connection that may change a copy of a minified database, at `path`."""
    shutil.copyfile(minified, path)
    with connect(path) as connection:
        connection.execute("DROP INDEX IF EXISTS embeddings_vss_idx")
        yield connection


def build_search(
    full: Path, path: Path, *, model: LocalModel = MODEL, popularity: Path | None = None
) -> None:
    """Write a minified database at `path` out of the full one at `full`, without an HNSW index."""
    with connect(path) as connection:
        attach(connection, full, "source")
        source = read_file_info(connection, full, database="source")
        create_search(
            connection,
            source,
            model=model,
            fts=FtsOptions("packages_fts_idx", "english", "english"),
            popularity=popularity,
        )
        connection.execute("DETACH source")
        connection.execute("UPDATE fdnix_meta SET value = 'minified' WHERE key = 'kind'")
