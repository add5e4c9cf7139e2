"""Writing the minified database, `fdnix.duckdb`, out of a full one."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import sha256
from typing import TYPE_CHECKING

import fdnix
from fdnix.database.atomic import building
from fdnix.database.connection import attach, connect, count, lock
from fdnix.database.file_info import (
    SCHEMA_VERSIONS,
    ForeignDatabaseError,
    fingerprint,
    keep_own_rows,
    read_file_info,
    verify_build,
    write_file_info,
)
from fdnix.database.full import verify_counts
from fdnix.database.hnsw import (
    HNSW_INDEX,
    create_hnsw,
    hnsw_parameters,
    measure_recall,
    verify_hnsw_plan,
)
from fdnix.database.sizes import table_sizes
from fdnix.errors import DataError
from fdnix.progress import log
from fdnix.search.build import create_search
from fdnix.search.fts import verify_fts

if TYPE_CHECKING:
    from pathlib import Path

    import duckdb

    from fdnix.database.hnsw import HnswOptions
    from fdnix.search.build import LocalModel
    from fdnix.search.fts import FtsOptions


@dataclass(frozen=True)
class MinifyOptions:
    """How the minified database is made.

    Attributes:
        max_bytes: what the file may take; None for as much as it needs.
        hnsw: of the index over its vectors.
        fts: of the index over its texts.
        popularity: a JSON file, attribute path to number, that joins in the ranking.
        extension_directory: where DuckDB's extensions lie, when not in their wheels.
    """

    max_bytes: int | None
    hnsw: HnswOptions
    fts: FtsOptions
    popularity: Path | None = None
    extension_directory: Path | None = None


@dataclass(frozen=True)
class MinifiedReport:
    """What the minified database holds. `recall` is None where it has no HNSW index."""

    packages: int
    vectors: int
    bytes: int
    recall: float | None
    unchanged: bool


def write_minified(
    full: Path, path: Path, options: MinifyOptions, *, model: LocalModel
) -> MinifiedReport:
    """Derive the minified database at `path` from the full database at `full`.

    A minified database that was derived from this very full database with the same options is
    left as it is, unless the code that made it has changed. `model` is the local one. Where the
    HNSW index would make the file larger than it may be it is left out: search does not need it.

    Raises:
        DataError: `full` is no full database, the file is too large even without the HNSW index,
            or the finished file does not verify.
    """
    directory = options.extension_directory
    with connect(full, read_only=True, extension_directory=directory) as connection:
        source = read_file_info(connection, full, kind="full")
        vectors = count(connection, "SELECT count(*) FROM embeddings")
    made_with = {
        "fdnix_version": fdnix.__version__,
        "fingerprint": fingerprint("search", "database"),
        "source_build_id": source["build_id"],
        "fts_stemmer": options.fts.stemmer,
        "fts_stopwords": options.fts.stopwords,
        "fts_index_name": options.fts.macro,
        "popularity_sha256": _digest(options.popularity),
        "minified_max_bytes": str(options.max_bytes),
        **hnsw_parameters(options.hnsw),
    }
    del made_with["hnsw_index"]  # which may have to be left out
    if standing := _standing(path, made_with, directory):
        log.info("%s is made from this full database already: nothing to do", path)
        return standing
    with building(path) as part:
        recall = None
        if vectors:
            recall = _build(part, full, source, made_with, options, model, index=True)
            if _exceeds(size := part.stat().st_size, options.max_bytes):
                log.warning(
                    "the HNSW index is left out: with it the file takes %s bytes, more than the "
                    "%s it may have; vector search is exact instead",
                    f"{size:,}",
                    f"{options.max_bytes:,}",
                )
                part.unlink()
                recall = None
        else:
            _refuse_to_lose_vectors(path, full)
            log.warning("%s has no vectors: search is by text alone; run fdnix embed", full)
        if recall is None:
            _build(part, full, source, made_with, options, model, index=False)
        with connect(part, read_only=True, extension_directory=directory) as connection:
            verify_counts(connection, part)
            verify_fts(connection, part, macro=options.fts.macro)
            if recall is not None:
                verify_hnsw_plan(connection, part)
            report = _report(connection, part, unchanged=False)
    return report


def _build(
    part: Path,
    full: Path,
    source: dict[str, str],
    made_with: dict[str, str],
    options: MinifyOptions,
    model: LocalModel,
    *,
    index: bool,
) -> float | None:
    """Write the file at `part`, with or without the HNSW index: the recall of that index."""
    with connect(part, extension_directory=options.extension_directory) as connection:
        attach(connection, full, "source")
        lock(connection)
        create_search(
            connection, source, model=model, fts=options.fts, popularity=options.popularity
        )
        keep_own_rows(connection, full)
        verify_build(connection, full, source["build_id"])
        connection.execute("DETACH source")
        connection.execute("CHECKPOINT")
        recall = None
        if index:
            create_hnsw(connection, options.hnsw)
            recall = measure_recall(connection, part)
        else:
            _refuse_if_too_large(connection, part, options.max_bytes)
        write_file_info(
            connection,
            {
                **made_with,
                "kind": "minified",
                "schema_version": SCHEMA_VERSIONS["minified"],
                "embedding_count": count(connection, "SELECT count(*) FROM embeddings"),
                "hnsw_index": HNSW_INDEX if index else "none",
                "hnsw_recall": recall,
                "minified_at": datetime.now(UTC).isoformat(timespec="seconds"),
            },
        )
        connection.execute("CHECKPOINT")
    return recall


def _standing(
    path: Path, made_with: dict[str, str], extension_directory: Path | None
) -> MinifiedReport | None:
    """The report of the file that stands at `path`, if it is what would be built."""
    if not path.is_file():
        return None
    try:
        with connect(path, read_only=True, extension_directory=extension_directory) as connection:
            if made_with.items() <= read_file_info(connection, path, kind="minified").items():
                return _report(connection, path, unchanged=True)
    except ForeignDatabaseError:
        raise
    except DataError as error:
        log.warning("%s; nothing of it is used again", error)
    return None


def _digest(path: Path | None) -> str:
    """The SHA-256 of the file at `path`; `none` where there is none."""
    return "none" if path is None or not path.is_file() else sha256(path.read_bytes()).hexdigest()


def _report(
    connection: duckdb.DuckDBPyConnection, path: Path, *, unchanged: bool
) -> MinifiedReport:
    meta = read_file_info(connection, path, kind="minified")
    recall = meta.get("hnsw_recall")
    return MinifiedReport(
        packages=int(meta["package_count"]),
        vectors=count(connection, "SELECT count(*) FROM embeddings"),
        bytes=path.stat().st_size,
        recall=float(recall) if recall else None,
        unchanged=unchanged,
    )


def _refuse_to_lose_vectors(path: Path, full: Path) -> None:
    """Refuse to put a file without vectors in the place of one that has some."""
    if not path.is_file():
        return
    try:
        with connect(path, read_only=True, extensions=()) as connection:
            standing = int(read_file_info(connection, path).get("embedding_count", 0))
    except DataError:
        return
    if standing:
        raise DataError(
            f"{full}: has no vectors, and {path} has {standing:,}; run fdnix embed first, or "
            f"remove {path} to have one that is searched by words alone"
        )


def _exceeds(size: int, max_bytes: int | None) -> bool:
    return max_bytes is not None and size > max_bytes


def _refuse_if_too_large(
    connection: duckdb.DuckDBPyConnection, path: Path, max_bytes: int | None
) -> None:
    size = path.stat().st_size
    if not _exceeds(size, max_bytes):
        return
    largest = ", ".join(
        f"{table.name} ({table.bytes:,} bytes)" for table in table_sizes(connection)[:3]
    )
    raise DataError(
        f"the minified database takes {size:,} bytes without its HNSW index, more than the "
        f"{max_bytes:,} that MINIFIED_MAX_BYTES or a Lambda layer leaves it; its largest tables: "
        f"{largest}"
    )
