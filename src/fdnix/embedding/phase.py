"""The embedding phase: one vector for every distinct text of a full database."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, cast
from uuid import uuid4

import numpy as np
import pyarrow as pa

from fdnix.database.atomic import building, copied
from fdnix.database.connection import attach, connect, count, cursor, lock, read_sql
from fdnix.database.file_info import (
    keep_own_rows,
    read_file_info,
    verify_build,
    write_file_info,
)
from fdnix.database.full import create_embeddings, verify_counts
from fdnix.database.hnsw import (
    create_hnsw,
    head_dimensions,
    hnsw_parameters,
    measure_recall,
    read_vectors,
    verify_hnsw_plan,
)
from fdnix.database.rows import fixed_size
from fdnix.embedding.backend import Failure, Provider, Text, each_once
from fdnix.embedding.text import TEXT_VERSION, embedding_text
from fdnix.errors import AwsError, DataError, SettingsError
from fdnix.progress import commonest, log

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    import duckdb
    from numpy.typing import NDArray

    from fdnix.database.hnsw import HnswOptions

_ROWS_PER_BATCH = 4096
_A_FEW = 20
"""So many texts may fail for reasons of their own on a day when no other text is asked for."""


@dataclass(frozen=True)
class EmbedReport:
    """What an embedding run did. `recall` is None where no index was built.

    `dropped` counts the vectors that were there before the catalogue was last read, and are gone.
    """

    distinct_texts: int
    embedded: int
    reused: int
    dropped: int
    failed: int
    recall: float | None


@dataclass(frozen=True)
class _State:
    """How a full database stands towards a model, in numbers of distinct texts and of vectors."""

    meta: dict[str, str]
    same_model: bool
    texts: int
    stored: int
    kept: int

    @property
    def dropped(self) -> int:
        """Vectors that are gone, with those that the last change of the catalogue took along."""
        return self.stored - self.kept + int(self.meta.get("embedding_dropped", 0))

    @property
    def pending(self) -> int:
        return self.texts - self.kept


def embed_database(
    path: Path,
    provider: Provider,
    *,
    hnsw: HnswOptions,
    rebuild: bool = False,
    replace: bool = False,
    unembedded_limit: float = 0.05,
    extension_directory: Path | None = None,
) -> EmbedReport:
    """Give every distinct text of the full database at `path` a vector, and index the vectors.

    Vectors of this model and dimension that the file holds are kept; those of texts that no
    package has any more are dropped. When there is nothing to do the file is left as it is. Nobody
    calls the provider's `confirm` here: that is for who knows that the file is safe.

    Args:
        path: the full database.
        provider: where vectors come from.
        hnsw: how the vectors are indexed.
        rebuild: whether every text is embedded again.
        replace: whether vectors of another provider, model or dimension may go for these.
        unembedded_limit: the share of texts, 0 to 1, that may be left without a vector.
        extension_directory: where DuckDB's extensions lie, when not in their wheels.

    Raises:
        DataError: the file is not a full database, the finished file does not verify, or too few
            texts were embedded here.
        AwsError: too few texts were embedded by Bedrock.
        SettingsError: vectors of another provider, model or dimension stand.
    """
    with connect(path, read_only=True, extension_directory=extension_directory) as connection:
        state = _state(connection, path, provider, rebuild=rebuild)
    if not replace:
        _refuse_other_vectors(path, state, provider)
    indexed = state.kept == state.stored and hnsw_parameters(hnsw).items() <= state.meta.items()
    if state.pending == 0:
        log.info("all %s texts have a vector: nothing to embed", f"{state.texts:,}")
        if indexed:
            return EmbedReport(state.texts, 0, state.kept, 0, 0, float(state.meta["hnsw_recall"]))
    else:
        log.info("%s of %s texts need a vector", f"{state.pending:,}", f"{state.texts:,}")
    with building(path) as part:
        with connect(part, extension_directory=extension_directory) as connection:
            attach(connection, path, "previous")
            lock(connection)
            connection.execute(read_sql("database", "full"))
            connection.execute(read_sql("database", "comments"))
            connection.execute(read_sql("database", "copy_full"))
            keep_own_rows(connection, path)
            verify_build(connection, path, state.meta["build_id"])
            _stage_kept(connection, provider.dimensions, same_model=state.same_model)
            embedded, failures = _stage_pending(connection, provider, state)
            _refuse_too_few(connection, state, embedded, failures, provider, unembedded_limit)
            connection.execute("DETACH previous")
            if embedded or not indexed:
                head = _write_embeddings(connection, provider.dimensions)
                _record_failures(connection, failures)
                recall = _index(
                    connection, part, state.kept + embedded, head=head, provider=provider, hnsw=hnsw
                )
        if indexed and not embedded:
            # Some texts fail every time. The file that stands, its index included, is still right.
            log.info("no text got a vector: the HNSW index stays")
            recall = float(state.meta["hnsw_recall"])
            with copied(path, part, extension_directory=extension_directory) as connection:
                verify_build(connection, path, state.meta["build_id"])
                _record_failures(connection, failures)
        with connect(part, read_only=True, extension_directory=extension_directory) as connection:
            verify_counts(connection, part)
            if recall is not None:
                verify_hnsw_plan(connection, part)
    return EmbedReport(state.texts, embedded, state.kept, state.dropped, len(failures), recall)


def _refuse_other_vectors(path: Path, state: _State, provider: Provider) -> None:
    """Refuse to lose vectors that stand, and may have been paid for, to a forgotten setting.

    A local model that gives way to another is not refused: fdnix brings the local model along.
    """
    stand = [state.meta.get(f"embedding_{key}") for key in ("provider", "model", "dimensions")]
    asked = [provider.name, provider.model, str(provider.dimensions)]
    if state.stored and stand != asked and {stand[0], asked[0]} != {"local"}:
        before, now = (
            f"{where} ({model}, {length} dimensions)" for where, model, length in (stand, asked)
        )
        raise SettingsError(
            f"{path}: its {state.stored:,} vectors are from {before}, and would be lost to those "
            f"from {now}; set EMBEDDING_PROVIDER, BEDROCK_ROLE_ARN, BEDROCK_MODEL_ID and "
            "BEDROCK_OUTPUT_DIMENSIONS as they were, or say that this is meant with --replace "
            "(REPLACE_EMBEDDINGS=true)"
        )


def _refuse_too_few(
    connection: duckdb.DuckDBPyConnection,
    state: _State,
    embedded: int,
    failures: list[Failure],
    provider: Provider,
    limit: float,
) -> None:
    """Refuse a result that is wrong as a whole: too many texts have no vector, or all new ones.

    Texts that failed in earlier runs too, which `embedding_failures` knows, are no new ones.
    """
    without = state.pending - embedded
    known = set(connection.execute("SELECT content_hash FROM embedding_failures").fetchall())
    new = sum((failure.content_hash,) not in known for failure in failures)
    if without > limit * state.texts:
        allowed = f"more than the {limit:.2%} that UNEMBEDDED_LIMIT allows"
    elif not embedded and new > _A_FEW and limit < 1:
        allowed = f"and of the {new:,} new ones not one was embedded"
    else:
        return
    kind = AwsError if provider.name == "bedrock" else DataError
    raise kind(
        f"{without:,} of {state.texts:,} texts have no vector, {allowed}; the databases that were "
        f"there before are unchanged. Why: {commonest(failure.reason for failure in failures)}"
    )


def _index(
    connection: duckdb.DuckDBPyConnection,
    part: Path,
    vectors: int,
    *,
    head: int,
    provider: Provider,
    hnsw: HnswOptions,
) -> float | None:
    """Index the complete `embeddings` and say so in `fdnix_meta`: the recall, None without rows."""
    recall = None
    parameters = hnsw_parameters(hnsw)
    if vectors:
        log.info("building the HNSW index over %s vectors", f"{vectors:,}")
        create_hnsw(connection, hnsw)
        recall = measure_recall(connection, part)
    write_file_info(
        connection,
        {
            **(parameters if recall is not None else dict.fromkeys(parameters)),
            "hnsw_recall": recall,
            "embedding_provider": provider.name,
            "embedding_model": provider.model,
            "embedding_dimensions": provider.dimensions,
            "embedding_head": head,
            "embedding_count": vectors,
            "embedding_dropped": None,
            "build_id": uuid4().hex,
            "embedding_at": datetime.now(UTC).isoformat(timespec="seconds"),
        },
    )
    connection.execute("CHECKPOINT")
    return recall


def _state(
    connection: duckdb.DuckDBPyConnection, path: Path, provider: Provider, *, rebuild: bool
) -> _State:
    meta = read_file_info(connection, path, kind="full")
    if meta["embedding_text_version"] != str(TEXT_VERSION):
        raise DataError(
            f"{path}: was written by another fdnix, {meta['fdnix_version']}, whose texts to embed "
            "are not this one's; run fdnix metadata first"
        )
    same_model = (
        not rebuild
        and meta.get("embedding_model") == provider.model
        and meta.get("embedding_dimensions") == str(provider.dimensions)
    )
    row = connection.execute(read_sql("database", "embedding_state")).fetchone()
    texts, stored, kept = row or (0, 0, 0)
    return _State(meta, same_model, texts, stored, kept if same_model else 0)


def texts_to_embed(
    path: Path,
    provider: Provider,
    *,
    rebuild: bool = False,
    extension_directory: Path | None = None,
) -> Iterator[Text]:
    """The texts for which `embed_database` would ask `provider`, which is not asked.

    Raises:
        DataError: the file is not a full database.
    """
    with connect(path, read_only=True, extension_directory=extension_directory) as connection:
        state = _state(connection, path, provider, rebuild=rebuild)
        yield from pending_texts(connection, every=not state.same_model)


def pending_texts(connection: duckdb.DuckDBPyConnection, *, every: bool = False) -> Iterator[Text]:
    """The distinct texts of an open full database that have no vector, or `every` one, streamed."""
    reader = connection.execute(
        read_sql("database", "pending_texts"), {"every": every}
    ).to_arrow_reader(_ROWS_PER_BATCH)
    for batch in reader:
        hashes, *columns = (column.to_pylist() for column in batch.columns)
        for content_hash, *parts in zip(hashes, *columns, strict=True):
            yield Text(content_hash, embedding_text(*parts))


def _stage_kept(
    connection: duckdb.DuckDBPyConnection, dimensions: int, *, same_model: bool
) -> None:
    """Make the table `staged.vectors`, outside the file, of the vectors that are kept."""
    connection.execute("ATTACH ':memory:' AS staged")
    connection.execute(
        f"CREATE TABLE staged.vectors (content_hash VARCHAR, vector FLOAT[{dimensions:d}])"
    )
    if same_model:
        connection.execute(
            "INSERT INTO staged.vectors SELECT content_hash, vector FROM previous.embeddings "
            "SEMI JOIN previous.packages USING (content_hash)"
        )
        connection.execute(read_sql("database", "take_over_failures"))


def _stage_pending(
    connection: duckdb.DuckDBPyConnection, provider: Provider, state: _State
) -> tuple[int, list[Failure]]:
    """Add a vector for every text without one: how many there are now, and the failures."""
    failures: list[Failure] = []
    if state.pending == 0:
        return 0, failures
    embedded = 0
    with cursor(connection, "previous") as reading:
        texts = pending_texts(reading, every=not state.same_model)
        for result in each_once(provider, texts, state.pending):
            if isinstance(result, Failure):
                failures.append(result)
                continue
            arrow = _vector_table(result.content_hashes, vector=result.vectors)
            connection.register("arrow", arrow)
            connection.execute("INSERT INTO staged.vectors SELECT content_hash, vector FROM arrow")
            connection.unregister("arrow")
            embedded += len(result.content_hashes)
    return embedded, failures


def _write_embeddings(connection: duckdb.DuckDBPyConnection, dimensions: int) -> int:
    """Write `embeddings` out of `staged.vectors`: how many dimensions of each are indexed."""
    staged = "SELECT vector FROM staged.vectors"
    rows = count(connection, "SELECT count(*) FROM staged.vectors")
    head = head_dimensions(read_vectors(connection, staged)) if rows else dimensions
    create_embeddings(connection, dimensions=dimensions, head=head)
    with cursor(connection) as reading:
        reader = reading.execute(read_sql("database", "staged_vectors")).to_arrow_reader(
            _ROWS_PER_BATCH
        )
        # One transaction: the file is nobody's yet, and each commit would write the rows again.
        connection.execute("BEGIN")
        for batch in reader:
            hashes, column = batch.columns
            vectors = np.asarray(cast("pa.FixedSizeListArray[Any]", column).flatten())
            vectors = vectors.reshape(len(batch), -1)
            arrow = _vector_table(hashes, vector=vectors, head=vectors[:, :head])
            connection.register("arrow", arrow)
            connection.execute("INSERT INTO embeddings BY NAME SELECT * FROM arrow")
            connection.unregister("arrow")
        connection.execute("COMMIT")
    connection.execute("DETACH staged")
    return head


def _vector_table(hashes: Any, **columns: NDArray[np.float32]) -> pa.Table:
    return pa.table({"content_hash": hashes} | {name: fixed_size(v) for name, v in columns.items()})


def _record_failures(connection: duckdb.DuckDBPyConnection, failures: list[Failure]) -> None:
    arrow = pa.table(
        {
            "content_hash": pa.array([f.content_hash for f in failures], pa.string()),
            "reason": pa.array([f.reason for f in failures], pa.string()),
        }
    )
    connection.register("arrow", arrow)
    connection.execute(read_sql("database", "record_failures"))
    connection.unregister("arrow")
    if failures:
        reasons = commonest(failure.reason for failure in failures)
        log.warning("%s texts have no vector. Why: %s", f"{len(failures):,}", reasons)
