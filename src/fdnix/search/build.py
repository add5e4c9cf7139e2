"""What makes the minified database a search index: entries, an inverted index, vectors, SQL macros.

The macros are the ranking; nothing else ranks. They use no extension, so that any DuckDB client
can search the file. docs/search.md describes them.
"""

from __future__ import annotations

from dataclasses import dataclass
from importlib import resources
from typing import TYPE_CHECKING, Any, cast

import msgspec
import numpy as np
import pyarrow as pa
from pyarrow import csv

from fdnix.database.connection import count, read_sql
from fdnix.database.rows import fixed_size
from fdnix.errors import SettingsError
from fdnix.nixpkgs.platform import BUILT_SYSTEMS
from fdnix.search.fts import create_fts
from fdnix.search.macros import create_macros, first_dimensions, vector_lengths

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    import duckdb
    from numpy.typing import NDArray

    from fdnix.search.fts import FtsOptions

# So many vectors as a processor's cache holds: all at once take four times as long.
_ROWS_AT_ONCE = 4096
_LARGEST_CODE = 127
# The inverse of a length is some thousandths: it is off by less than 5e-6 of itself.
_SCALE_DECIMALS = 8


@dataclass(frozen=True)
class LocalModel:
    """The local model, which a file holds to embed queries with where its vectors are the model's.

    Attributes:
        name: what `fdnix_meta` calls it.
        table: the model, as a table of `token`, `weight` and `vector`.
    """

    name: str
    table: Callable[[], pa.Table]


def create_search(
    connection: duckdb.DuckDBPyConnection,
    source: dict[str, str],
    *,
    model: LocalModel,
    fts: FtsOptions,
    popularity: Path | None = None,
) -> None:
    """Write all of a minified database but its HNSW index.

    What needs room for a while comes first, so that what stays fills it and the file has no holes.

    Args:
        connection: open on the new file, with `fts` loaded (its stemmer is used once, here) and the
            full database attached as `source`.
        source: the file info of the full database.
        model: the local one.
        fts: how the full-text index is made.
        popularity: a JSON file, attribute path to number, that joins in the prior.

    Raises:
        SettingsError: `popularity` is not such a file.
    """
    dimensions, head = vector_lengths(source)
    create_entries(connection, popularity)
    # A full database of before fdnix kept them has none.
    systems = source.get("systems", " ".join(BUILT_SYSTEMS)).split()
    connection.execute("SET VARIABLE systems = $systems", {"systems": systems})
    connection.execute(read_sql("search", "packages"))
    connection.execute(
        "CREATE TABLE packages_fts_source AS FROM source.packages_fts_source ORDER BY package_id"
    )
    create_fts(connection, fts)
    connection.execute(read_sql("search", "texts_view"))
    connection.execute(read_sql("search", "vocabulary"))
    connection.execute(read_sql("search", "prior"))
    _create_embeddings(connection, dimensions, head)
    connection.execute(read_sql("search", "indexes"))
    embeds = source.get("embedding_model") == model.name
    if embeds:
        connection.register("model", model.table())
        connection.execute("CREATE TABLE search_model AS FROM model ORDER BY token")
        connection.unregister("model")
    create_macros(connection, dimensions, head, embeds=embeds)
    connection.execute(read_sql("search", "comments"))


def create_entries(connection: duckdb.DuckDBPyConnection, popularity: Path | None = None) -> None:
    """Make entries, the inverted index over them, and how popular each is.

    Raises:
        SettingsError: `popularity` is not a JSON object, attribute path to number.
    """
    for name in ("text", "entries", "inverted_index", "weights"):
        connection.execute(read_sql("search", name))
    numbers = {} if popularity is None else _numbers(popularity)
    table = {
        "package_id": pa.array(numbers.keys(), pa.string()),
        "number": pa.array(numbers.values(), pa.float64()),
    }
    connection.register("outside", pa.table(table))
    connection.register("well_known", _well_known())
    connection.execute(read_sql("search", "popularity"))
    connection.unregister("outside")
    connection.unregister("well_known")


def _numbers(popularity: Path) -> dict[str, float]:
    """What POPULARITY_FILE says, by attribute path."""
    try:
        return msgspec.json.decode(popularity.read_bytes(), type=dict[str, float])
    except OSError as error:
        raise SettingsError(f"POPULARITY_FILE: {popularity}: {error.strerror}") from error
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise SettingsError(
            f"POPULARITY_FILE: {popularity}: must be a JSON object, attribute path to number: "
            f"{error}"
        ) from error


def _well_known() -> pa.Table:
    """How widely packages are known: `name`, and `level`, 1 (to some in a field) to 4 (to all)."""
    with (resources.files("fdnix.search") / "well_known.tsv").open("rb") as file:
        return csv.read_csv(
            file,
            read_options=csv.ReadOptions(column_names=["name", "level"]),
            parse_options=csv.ParseOptions(delimiter="\t", quote_char=False),
        )


def _create_embeddings(connection: duckdb.DuckDBPyConnection, dimensions: int, head: int) -> None:
    first = first_dimensions(dimensions)
    connection.execute(
        read_sql("search", "embeddings").format(
            dimensions=dimensions, head=head, first=first, rest=dimensions - first
        )
    )
    if not count(connection, "SELECT count(*) FROM source.embeddings"):
        return
    rows = connection.execute(read_sql("search", "embedding_rows")).to_arrow_table(_ROWS_AT_ONCE)
    coded = pa.Table.from_batches(
        [_coded(batch, head=head, first=first) for batch in rows.to_batches()]
    )
    connection.register("coded", coded)
    connection.execute("INSERT INTO embeddings BY NAME FROM coded")
    connection.unregister("coded")


def _coded(batch: pa.RecordBatch, *, head: int, first: int) -> pa.RecordBatch:
    """Rows of `embeddings`, made of rows with vectors."""
    column = cast("pa.FixedSizeListArray[Any]", batch.column("vector"))
    codes = _quantized(np.asarray(column.flatten()).reshape(len(batch), -1))
    lengths = np.sqrt(np.einsum("ij,ij->i", codes, codes, dtype=np.float64))
    batch = batch.drop_columns(["vector"])
    for name, values in (
        ("scale", pa.array(np.round(1 / lengths, _SCALE_DECIMALS), pa.float32())),
        ("head", fixed_size(codes[:, :head].astype(np.float32))),
        ("code_first", fixed_size(codes[:, :first])),
        ("code_rest", fixed_size(codes[:, first:])),
    ):
        batch = batch.append_column(name, values)
    return batch


def _quantized(vectors: NDArray[np.float32]) -> NDArray[np.int8]:
    """Vectors of nearly the same direction, whose largest component is 127 or -127."""
    largest = np.abs(vectors).max(axis=1, keepdims=True)
    codes: NDArray[np.int8] = np.round(vectors / largest * _LARGEST_CODE).astype(np.int8)
    return codes
