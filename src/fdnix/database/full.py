"""Writing the full database, `fdnix-data.duckdb`."""

from __future__ import annotations

from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import islice
from typing import TYPE_CHECKING
from uuid import uuid4

import duckdb
import pyarrow as pa

import fdnix
from fdnix.database.atomic import building
from fdnix.database.connection import attach, connect, count, lock, read_sql
from fdnix.database.file_info import (
    SCHEMA_VERSIONS,
    read_file_info,
    read_older_info,
    write_file_info,
)
from fdnix.database.rows import alias_table, package_table, usage_table
from fdnix.errors import DataError
from fdnix.nixpkgs.catalog import Rejected
from fdnix.nixpkgs.platform import BUILT_SYSTEMS
from fdnix.progress import log, progress

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
    from pathlib import Path

    from fdnix.nixpkgs.package import Package
    from fdnix.nixpkgs.tree import Tree

_ROWS_PER_BATCH = 8192
_REJECTED_SHOWN = 20
_EMBEDDING_KEYS = (
    "embedding_provider",
    "embedding_model",
    "embedding_dimensions",
    "embedding_head",
)


@dataclass(frozen=True)
class FullCounts:
    """What a full database holds: numbers of rows."""

    packages: int
    rejected: int
    distinct_texts: int


def write_full(
    path: Path,
    rows: Iterable[Package | Rejected],
    *,
    expected: int,
    content_hash: Callable[[Package], str],
    dimensions: int,
    rejected_limit: float,
    meta: Mapping[str, object],
    tree: Tree | None = None,
    previous: Path | None = None,
    extension_directory: Path | None = None,
) -> FullCounts:
    """The counts of the full database that now stands, complete, at `path`.

    Args:
        path: where the database goes; an older one there is replaced in one step.
        rows: normalised packages, and the entries that could not be.
        expected: the number of rows, for progress.
        content_hash: the hash of a package's embedding text.
        dimensions: of the vectors, where none are taken over.
        rejected_limit: the share of rows, 0 to 1, above which the catalogue is refused.
        meta: what `fdnix_meta` says besides versions and counts.
        tree: what a nixpkgs tree says, by the attribute paths of `rows`.
        previous: a full database whose vectors are taken over for the texts that are still there.
        extension_directory: where DuckDB's extensions lie, when not in their wheels.

    Raises:
        DataError: too many entries were rejected, or the finished file does not verify.
    """
    with building(path) as part:
        with connect(part, extension_directory=extension_directory) as connection:
            connection.execute(read_sql("database", "full"))
            connection.execute(read_sql("database", "comments"))
            packages, rejected = _insert(connection, rows, content_hash, expected, tree)
            _refuse_if_too_many(packages, rejected, rejected_limit)
            connection.execute(read_sql("database", "fts_source"))
            learnt = {} if tree is None else _insert_tree(connection, tree)
            vectors = _take_over_vectors(connection, previous, dimensions)
            texts = count(connection, "SELECT count(DISTINCT content_hash) FROM packages")
            write_file_info(
                connection,
                {
                    **meta,
                    **vectors,
                    **learnt,
                    "systems": " ".join(_built_systems(connection, tree)),
                    **dict(connection.execute(read_sql("database", "program_sources")).fetchall()),
                    "kind": "full",
                    "schema_version": SCHEMA_VERSIONS["full"],
                    "fdnix_version": fdnix.__version__,
                    "build_id": uuid4().hex,
                    "package_count": packages,
                    "rejected_count": rejected,
                    "distinct_text_count": texts,
                    "metadata_at": datetime.now(UTC).isoformat(timespec="seconds"),
                },
            )
            connection.execute("CHECKPOINT")
        with connect(part, read_only=True, extension_directory=extension_directory) as connection:
            verify_counts(connection, part)
    return FullCounts(packages, rejected, texts)


def create_embeddings(connection: duckdb.DuckDBPyConnection, *, dimensions: int, head: int) -> None:
    """Create the table `embeddings` for vectors of `dimensions`, whose first `head` are indexed."""
    connection.execute(read_sql("database", "embeddings").format(dimensions=dimensions, head=head))


def verify_counts(connection: duckdb.DuckDBPyConnection, path: Path) -> None:
    """Hold the rows of an open full or minified database against what its `fdnix_meta` says.

    Raises:
        DataError: they differ.
    """
    meta = read_file_info(connection, path)
    said = {
        "packages": meta.get("package_count"),
        "packages_fts_source": meta.get("package_count"),
        "embeddings": meta.get("embedding_count"),
    }
    for table, expected in said.items():
        rows = count(connection, f"SELECT count(*) FROM {table}")  # noqa: S608
        if str(rows) != expected:
            raise DataError(f"{path}: {table} has {rows} rows, fdnix_meta says {expected}")


def _insert(
    connection: duckdb.DuckDBPyConnection,
    rows: Iterable[Package | Rejected],
    content_hash: Callable[[Package], str],
    expected: int,
    tree: Tree | None,
) -> tuple[int, int]:
    remaining = iter(rows)
    packages = 0
    bad: list[Rejected] = []
    # DuckDB writes one part while Python reads the next.
    with progress("packages", expected) as advance, _writer(connection) as write:
        while batch := list(islice(remaining, _ROWS_PER_BATCH)):
            good = [row for row in batch if not isinstance(row, Rejected)]
            if good:
                write(package_table(good, [content_hash(package) for package in good], tree))
            packages += len(good)
            bad += [row for row in batch if isinstance(row, Rejected)]
            advance(len(batch))
    if bad:
        _log_rejected(bad)
        arrow = pa.table(
            {
                "package_id": [row.package_id for row in bad],
                "reason": [row.reason for row in bad],
            }
        )
        connection.register("arrow", arrow)
        connection.execute("INSERT INTO rejected_packages SELECT * FROM arrow")
        connection.unregister("arrow")
    return packages, len(bad)


@contextmanager
def _writer(connection: duckdb.DuckDBPyConnection) -> Iterator[Callable[[pa.Table], None]]:
    """Yield what hands packages to a thread, which has written them when the block ends.

    However the block ends, the thread does not use `connection` any more: closing it under the
    thread would crash DuckDB.
    """
    thread = ThreadPoolExecutor(max_workers=1)
    parts: list[Future[None]] = []
    try:
        yield lambda packages: parts.append(thread.submit(_insert_packages, connection, packages))
        for part in parts:
            part.result()
    except BaseException:
        for part in parts:
            part.cancel()
        connection.interrupt()
        raise
    finally:
        _await(thread.submit(int))
        thread.shutdown(wait=False)


def _await(last: Future[int]) -> None:
    """Wait for `last`, also where Ctrl-C comes meanwhile, which is then raised.

    A thread that is joined counts as ended once a signal came, in Python before 3.13.
    """
    stopped: BaseException | None = None
    while not last.done():
        try:
            last.result()
        except (KeyboardInterrupt, SystemExit) as error:
            stopped = error
    if stopped:
        raise stopped


def _insert_packages(connection: duckdb.DuckDBPyConnection, arrow: pa.Table) -> None:
    connection.register("arrow", arrow)
    connection.execute(
        "INSERT INTO packages BY NAME SELECT *, ? AS indexed_at FROM arrow", [datetime.now(UTC)]
    )
    connection.unregister("arrow")


def _insert_tree(connection: duckdb.DuckDBPyConnection, tree: Tree) -> dict[str, object]:
    """Write what `tree` says: what `fdnix_meta` says of it."""
    connection.register("tree_usage", usage_table(tree))
    connection.register("tree_aliases", alias_table(tree))
    connection.execute(read_sql("database", "tree"))
    connection.unregister("tree_usage")
    connection.unregister("tree_aliases")
    return {
        "tree_source": tree.source,
        "tree_revision": tree.revision,
        "tree_systems": " ".join(tree.systems) or None,
    }


def _built_systems(connection: duckdb.DuckDBPyConnection, tree: Tree | None) -> Sequence[str]:
    """The systems that nixpkgs is built for, as far as its tree says, else the catalogue."""
    if tree is not None and tree.systems:
        return tree.systems
    parameters = {"systems": list(BUILT_SYSTEMS)}
    row = connection.execute(read_sql("database", "built_systems"), parameters).fetchone()
    return (row and row[0]) or BUILT_SYSTEMS


def _log_rejected(rows: list[Rejected]) -> None:
    for row in rows[:_REJECTED_SHOWN]:
        log.warning("rejected %s: %s", row.package_id, row.reason)
    if len(rows) > _REJECTED_SHOWN:
        log.warning("… and %s more", f"{len(rows) - _REJECTED_SHOWN:,}")


def _refuse_if_too_many(packages: int, rejected: int, limit: float) -> None:
    total = packages + rejected
    if packages and rejected <= limit * total:
        return
    allowed = (
        f"more than the {limit:.2%} that REJECTED_LIMIT allows" if packages else "all there are"
    )
    raise DataError(
        f"{rejected:,} of {total:,} entries of the catalogue were rejected, {allowed}; the first "
        "reasons are logged above, and the database that was there before is unchanged"
    )


def _take_over_vectors(
    connection: duckdb.DuckDBPyConnection, previous: Path | None, dimensions: int
) -> dict[str, object]:
    """Fill `embeddings` from `previous`: what `fdnix_meta` says of the vectors there are now."""
    before = {} if previous is None else _embedding_meta(connection, previous)
    lock(connection)
    kept = {key: before[key] for key in _EMBEDDING_KEYS if key in before}
    dimensions = int(kept.get("embedding_dimensions", dimensions))
    head = int(kept.get("embedding_head", dimensions))
    create_embeddings(connection, dimensions=dimensions, head=head)
    if "embedding_model" in kept:
        try:
            connection.execute(read_sql("database", "take_over_vectors"))
            connection.execute(read_sql("database", "take_over_failures"))
        except duckdb.Error as error:
            log.warning("%s: no vectors are taken over, it is damaged: %s", previous, error)
    vectors = count(connection, "SELECT count(*) FROM embeddings")
    had = int(before.get("embedding_count", 0)) + int(before.get("embedding_dropped", 0))
    return {
        **kept,
        "embedding_dimensions": dimensions,
        "embedding_head": head,
        "embedding_count": vectors,
        # For the report of the next embedding phase.
        "embedding_dropped": had - vectors if had > vectors else None,
    }


def _embedding_meta(connection: duckdb.DuckDBPyConnection, previous: Path) -> dict[str, str]:
    """Attach the full database at `previous`, if there is one: what it says of itself.

    It may be of an older schema: a vector belongs to a text, by its hash, and to nothing else.
    """
    if not previous.is_file():
        return {}
    try:
        attach(connection, previous, "previous")
        return read_older_info(connection, previous, database="previous")
    except DataError as error:
        log.warning("no vectors are taken over: %s", error)
        return {}
