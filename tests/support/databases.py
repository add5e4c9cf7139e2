"""Small databases in fdnix's schema, for tests of what carries the files about."""

from __future__ import annotations

from functools import cache
from itertools import combinations
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import fdnix
from fdnix.database.connection import connect, read_sql
from fdnix.database.file_info import SCHEMA_VERSIONS, write_file_info
from fdnix.database.full import create_embeddings
from fdnix.embedding.text import TEXT_VERSION

if TYPE_CHECKING:
    from collections.abc import Iterator

HEADERS = 3 * 4096
BLOCK = 256 * 1024
"""A file is three headers, then blocks: https://duckdb.org/docs/stable/internals/storage."""

REVISION = "0123456789abcdef0123456789abcdef01234567"


def write_database(path: Path, kind: str, *, packages: int = 3, **meta: object) -> Path:
    """Write a database of `packages` packages to `path`; `meta` is put over its `fdnix_meta`."""
    path.write_bytes(_database(kind, packages, tuple(meta.items())))
    return path


def swapped_blocks(path: Path) -> Iterator[bytes]:
    """A database with two of its blocks in each other's place: DuckDB crashes over some of these.

    Not the first block, which tells where the others are.
    """
    content = path.read_bytes()
    blocks = [content[start : start + BLOCK] for start in range(HEADERS, len(content), BLOCK)]
    for first, second in combinations(range(1, len(blocks)), 2):
        swapped = blocks.copy()
        swapped[first], swapped[second] = blocks[second], blocks[first]
        yield content[:HEADERS] + b"".join(swapped)


@cache
def _database(kind: str, packages: int, meta: tuple[tuple[str, object], ...]) -> bytes:
    with TemporaryDirectory() as directory, connect(Path(directory) / "db") as connection:
        connection.execute(read_sql("database", "full"))
        create_embeddings(connection, dimensions=4, head=4)
        connection.execute(
            """
            INSERT INTO packages BY NAME
            SELECT 'p' || i AS package_id, 'p' || i AS attribute_name, 'p' || i AS base_name,
                   'p' || i AS name, 'p' || i AS pname,
                   sha256(i::VARCHAR) AS content_hash, now() AS indexed_at,
                   repeat(sha256(i::VARCHAR), 10) AS description
            FROM range(?) AS r(i)
            """,
            [packages],
        )
        connection.execute(
            "INSERT INTO packages_fts_source BY NAME SELECT package_id, name FROM packages"
        )
        values = {
            "kind": kind,
            "schema_version": SCHEMA_VERSIONS[kind],
            "fdnix_version": fdnix.__version__,
            "source": "file",
            "package_count": packages,
            "rejected_count": 0,
            "distinct_text_count": packages,
            "embedding_count": 0,
            "embedding_text_version": TEXT_VERSION,
            "nixpkgs_revision": REVISION,
            "build_id" if kind == "full" else "source_build_id": "b1",
        }
        write_file_info(connection, {**values, **dict(meta)})
        connection.execute("CHECKPOINT")
        return (Path(directory) / "db").read_bytes()
