"""Writing the minified database, `fdnix.duckdb`, out of a full one."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from fdnix.console import log
from fdnix.database.connection import attach, building, connect, schema_sql
from fdnix.database.full import verify_counts
from fdnix.database.indexes import (
    HNSW_INDEX,
    create_fts,
    create_hnsw,
    measure_recall,
    verify_fts,
    verify_hnsw_plan,
)
from fdnix.database.meta import ForeignDatabaseError, read_meta, write_meta
from fdnix.database.sizes import table_sizes
from fdnix.errors import DataError

if TYPE_CHECKING:
    from pathlib import Path

    import duckdb

    from fdnix.settings import Settings


@dataclass(frozen=True)
class MinifiedReport:
    """What the minified database holds. `recall` is None where it has no HNSW index."""

    packages: int
    vectors: int
    bytes: int
    recall: float | None
    unchanged: bool


def write_minified(full: Path, path: Path, settings: Settings) -> MinifiedReport:
    """Derive the minified database at `path` from the full database at `full`.

    A minified database that was derived from this very full database with the same settings is
    left as it is. Where the HNSW index would make the file larger than MINIFIED_MAX_BYTES it is
    left out: search is exact then.

    Raises:
        DataError: `full` is no full database, the file is too large even without the HNSW index,
            or the finished file does not verify.
    """
    directory = settings.duckdb_extension_directory
    with connect(full, read_only=True, extension_directory=directory) as connection:
        source = read_meta(connection, full, kind="full")
    made_with = {
        "source_build_id": source["build_id"],
        "fts_stemmer": settings.fts_stemmer,
        "fts_stopwords": settings.fts_stopwords,
        "fts_index_name": settings.fts_index_name,
        "minified_max_bytes": str(settings.minified_max_bytes),
        "hnsw_m": str(settings.vss_hnsw_m),
        "hnsw_ef_construction": str(settings.vss_ef_construction),
        "hnsw_ef_search": str(settings.vss_ef_search),
    }
    if standing := _standing(path, made_with, settings):
        log.info("%s is made from this full database already: nothing to do", path)
        return standing
    with building(path) as part:
        with connect(part, extension_directory=directory) as connection:
            attach(connection, full, "source")
            connection.execute(schema_sql("minified"))
            dimensions = int(source.get("embedding_dimensions", 1))
            connection.execute(schema_sql("embeddings").format(dimensions=dimensions))
            connection.execute(schema_sql("minified_embeddings"))
            connection.execute("DETACH source")
            create_fts(connection, settings)
            connection.execute("CHECKPOINT")
            _refuse_if_too_large(connection, part, settings.minified_max_bytes)
            recall = _index_if_it_fits(connection, part, settings)
            write_meta(
                connection,
                {
                    **made_with,
                    "kind": "minified",
                    "hnsw_index": HNSW_INDEX if recall is not None else "none",
                    "hnsw_recall": recall,
                    "minified_at": datetime.now(UTC).isoformat(timespec="seconds"),
                },
            )
            connection.execute("CHECKPOINT")
        with connect(part, read_only=True, extension_directory=directory) as connection:
            verify_counts(connection, part)
            verify_fts(connection, part, macro=settings.fts_index_name)
            if recall is not None:
                verify_hnsw_plan(connection, part)
            report = _report(connection, part, unchanged=False)
    return report


def _standing(path: Path, made_with: dict[str, str], settings: Settings) -> MinifiedReport | None:
    """The report of the file that stands at `path`, if it is what would be built."""
    if not path.is_file():
        return None
    try:
        with connect(
            path, read_only=True, extension_directory=settings.duckdb_extension_directory
        ) as connection:
            if made_with.items() <= read_meta(connection, path, kind="minified").items():
                return _report(connection, path, unchanged=True)
    except ForeignDatabaseError:
        raise
    except DataError as error:
        log.warning("%s; it is built anew", error)
    return None


def _report(
    connection: duckdb.DuckDBPyConnection, path: Path, *, unchanged: bool
) -> MinifiedReport:
    meta = read_meta(connection, path, kind="minified")
    recall = meta.get("hnsw_recall")
    row = connection.execute("SELECT count(*) FROM embeddings").fetchone()
    return MinifiedReport(
        packages=int(meta["package_count"]),
        vectors=row[0] if row else 0,
        bytes=path.stat().st_size,
        recall=float(recall) if recall else None,
        unchanged=unchanged,
    )


def _refuse_if_too_large(connection: duckdb.DuckDBPyConnection, path: Path, max_bytes: int) -> None:
    size = path.stat().st_size
    if size <= max_bytes:
        return
    largest = ", ".join(
        f"{table.name} ({table.bytes:,} bytes)" for table in table_sizes(connection)[:3]
    )
    raise DataError(
        f"the minified database takes {size:,} bytes without its HNSW index, more than the "
        f"{max_bytes:,} of MINIFIED_MAX_BYTES; its largest tables: {largest}"
    )


def _index_if_it_fits(
    connection: duckdb.DuckDBPyConnection, path: Path, settings: Settings
) -> float | None:
    """The recall of the HNSW index now in the file; None where there is none."""
    vectors = connection.execute("SELECT count(*) FROM embeddings").fetchone()
    if vectors is None or vectors[0] == 0:
        log.warning("the full database has no vectors: search is by text alone; run fdnix embed")
        return None
    log.info("building the HNSW index over %s vectors", f"{vectors[0]:,}")
    create_hnsw(connection, settings)
    size = path.stat().st_size
    if size <= settings.minified_max_bytes:
        return measure_recall(connection, path)
    connection.execute(f"DROP INDEX {HNSW_INDEX}")
    connection.execute("CHECKPOINT")
    log.warning(
        "the HNSW index is left out: with it the file takes %s bytes, more than the %s of "
        "MINIFIED_MAX_BYTES; vector search is exact instead",
        f"{size:,}",
        f"{settings.minified_max_bytes:,}",
    )
    return None
